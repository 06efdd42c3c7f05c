#include "analysis/disassembler.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "host/process.h"

namespace sagejit::analysis {
namespace {

namespace fs = std::filesystem;

std::string find_tool(const std::string& name) {
    const std::string on_path = host::find_program(name);
    if (!on_path.empty()) return on_path;
    for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
        const char* root = std::getenv(variable);
        if (root == nullptr || *root == '\0') continue;
        const std::string found = host::find_program((fs::path(root) / "bin" / name).string());
        if (!found.empty()) return found;
    }
    return host::find_program("/usr/local/cuda/bin/" + name);
}

// A file with the bytes that vanishes with its scope; path() is empty where it cannot be written.
class TemporaryFile {
  public:
    explicit TemporaryFile(std::span<const uint8_t> bytes) {
        std::error_code error;
        std::string name = (fs::temp_directory_path(error) / "sagejit-XXXXXX").string();
        const int descriptor = error ? -1 : ::mkstemp(name.data());
        if (descriptor < 0) return;
        path_ = name;
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
            if (written <= 0) break;
            bytes = bytes.subspan(static_cast<size_t>(written));
        }
        ::close(descriptor);
        if (!bytes.empty()) remove();
    }
    ~TemporaryFile() { remove(); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    const std::string& path() const { return path_; }

  private:
    void remove() {
        if (!path_.empty()) ::unlink(path_.c_str());
        path_.clear();
    }
    std::string path_;
};

}  // namespace

Disassembly disassemble(std::span<const uint8_t> cubin) {
    struct Tool {
        const char* name;
        const char* option;
    };
    Disassembly result;
    for (const Tool& tool : std::array{Tool{"nvdisasm", "-c"}, Tool{"cuobjdump", "-sass"}}) {
        const std::string program = find_tool(tool.name);
        if (program.empty()) continue;
        const TemporaryFile file(cubin);
        if (file.path().empty()) {
            result.problem = "a temporary file for it could not be written";
            return result;
        }
        const host::ProcessResult run = host::run_process({program, tool.option, file.path()});
        if (run.status != 0) {
            result.problem = program + ": " + run.output.substr(0, run.output.find('\n'));
            continue;
        }
        result.kernels = parse_disassembly(run.output);
        if (result.kernels.empty()) {
            result.problem = program + " printed nothing that could be read";
            continue;
        }
        result.tool = program;
        result.problem.clear();
        return result;
    }
    return result;
}

}  // namespace sagejit::analysis
