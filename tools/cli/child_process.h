// A process of this program's own that is talked to line by line.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace sagejit::cli {

// Runs /proc/self/exe with the arguments; its standard input and output are pipes, its standard
// error goes nowhere. Killed at the end of the scope, or when this process ends, since its input
// then ends too.
class ChildProcess {
  public:
    // Throws Error(kIo).
    explicit ChildProcess(const std::vector<std::string>& arguments);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    // Writes one line. False where the process is gone.
    bool send(const std::string& line);
    enum class Read { kLine, kEnded, kTimeout };
    // Waits for its next line, without the newline.
    Read receive(std::string& line, std::chrono::milliseconds timeout);
    // Ends it at once, if it has not ended, and tells how it ended: "signal 11", "exit status 1".
    std::string kill();

  private:
    pid_t process_ = -1;
    int input_ = -1, output_ = -1;  // this end of each
    std::string buffer_;
};

}  // namespace sagejit::cli
