#include "child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "sagejit/generator/error.h"

extern char** environ;

namespace sagejit::cli {
namespace {

void close_end(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
    std::array<int, 2> to{-1, -1}, from{-1, -1};
    int error = 0;
    if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) error = errno;
    if (error == 0) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        std::string program = "sagejit";
        std::vector<char*> pointers = {program.data()};
        for (const std::string& argument : arguments) {
            pointers.push_back(const_cast<char*>(argument.c_str()));
        }
        pointers.push_back(nullptr);
        error =
            ::posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, pointers.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        if (error != 0) process_ = -1;
    }
    close_end(to[0]);
    close_end(from[1]);
    input_ = to[1];
    output_ = from[0];
    if (error == 0) return;
    close_end(input_);
    close_end(output_);
    throw Error(ErrorCode::kIo, fmt::format("cannot start a process: {}", std::strerror(error)),
                "sagejit");
}

ChildProcess::~ChildProcess() {
    kill();
    close_end(input_);
    close_end(output_);
}

bool ChildProcess::send(const std::string& line) {
    const std::string text = line + "\n";
    size_t done = 0;
    while (done < text.size()) {
        const ssize_t written = ::write(input_, text.data() + done, text.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;  // EPIPE; the signal is ignored (output.h)
        done += static_cast<size_t>(written);
    }
    return true;
}

ChildProcess::Read ChildProcess::receive(std::string& line, std::chrono::milliseconds timeout) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    while (true) {
        if (const size_t newline = buffer_.find('\n'); newline != std::string::npos) {
            line = buffer_.substr(0, newline);
            buffer_.erase(0, newline + 1);
            return Read::kLine;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        if (left.count() <= 0) return Read::kTimeout;
        pollfd waiting{output_, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) continue;
        std::array<char, 4096> bytes;
        const ssize_t got = ::read(output_, bytes.data(), bytes.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return Read::kEnded;
        buffer_.append(bytes.data(), static_cast<size_t>(got));
    }
}

std::string ChildProcess::kill() {
    if (process_ < 0) return "not running";
    close_end(input_);
    // One that crashed is about to end by itself, and only then tells how.
    constexpr int kTries = 50;
    constexpr useconds_t kPause = 2000;
    int status = 0;
    pid_t ended = ::waitpid(process_, &status, WNOHANG);
    for (int i = 0; i < kTries && ended == 0; ++i) {
        ::usleep(kPause);
        ended = ::waitpid(process_, &status, WNOHANG);
    }
    // Even then it may take its time: the driver has to take the GPU away from it. One that is
    // stuck in the driver for good must not take this process with it, and is left to the system.
    constexpr int kPatience = 5000;
    if (ended == 0) ::kill(process_, SIGKILL);
    for (int i = 0; i < kPatience && ended == 0; ++i) {
        ::usleep(kPause);
        ended = ::waitpid(process_, &status, WNOHANG);
    }
    process_ = -1;
    if (ended <= 0) return "not ended by SIGKILL";
    if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
    return fmt::format("exit status {}", WEXITSTATUS(status));
}

}  // namespace sagejit::cli
