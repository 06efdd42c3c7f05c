// Directories that only this user can write, held open so that nobody can swap them.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>

namespace sagejit {

// A file descriptor, closed at the end of its scope.
class FileHandle {
  public:
    FileHandle() = default;
    explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
    FileHandle(FileHandle&& other) noexcept;
    FileHandle& operator=(FileHandle&& other) noexcept;
    ~FileHandle();

    bool is_open() const { return descriptor_ >= 0; }
    int get() const { return descriptor_; }

  private:
    int descriptor_ = -1;
};

// True for something of this user that neither its group nor others may write.
bool is_private(const struct stat& status);

// An open directory of this user. Symbolic links, foreign owners and directories that others may
// write are refused. One that could not be opened says why.
class TrustedDirectory {
  public:
    enum class Missing { kCreate, kRefuse };
    // Whose it may be. What root owns can be trusted to be read: root can do anything anyway.
    enum class Owner { kUser, kUserOrRoot };

    TrustedDirectory() = default;
    // Creates missing parents too, all with mode 0700.
    static TrustedDirectory open(const std::filesystem::path& path, Missing missing,
                                 Owner owner = Owner::kUser);
    // The child of a directory that is not open is not open either, for the same reason.
    TrustedDirectory open_child(const std::string& name, Missing missing) const;

    bool is_open() const { return handle_.is_open(); }
    int descriptor() const { return handle_.get(); }
    const std::filesystem::path& path() const { return path_; }
    // Why it is not open; empty where it merely does not exist.
    const std::string& problem() const { return problem_; }

    // Whether something in it may be used: of an owner as asked for, and no others may write it.
    bool accepts(const struct stat& status) const;

    // Calls function(name, status) for each thing in it but . and .., links not followed.
    void for_each(const std::function<void(const std::string& name, const struct stat& status)>&
                      function) const;

  private:
    static TrustedDirectory open_at(int parent, const std::string& name,
                                    const std::filesystem::path& path, Owner owner);

    Owner owner_ = Owner::kUser;
    FileHandle handle_;
    std::filesystem::path path_;
    std::string problem_;
};

}  // namespace sagejit
