#include "bundle/workers.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

constexpr uint64_t kMaxAnswerBytes = uint64_t{1} << 30;

[[noreturn]] void fail(const char* what) {
    throw Error(ErrorCode::kIo, fmt::format("{}: {}", what, std::strerror(errno)), "workers",
                "use fewer jobs, or raise the limits of this user");
}

// False when the other end is gone.
bool send_all(int socket, const void* data, size_t size) {
    const char* from = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t sent = ::send(socket, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        from += sent;
        size -= static_cast<size_t>(sent);
    }
    return true;
}

bool receive_all(int socket, void* data, size_t size) {
    char* to = static_cast<char*>(data);
    while (size > 0) {
        const ssize_t got = ::recv(socket, to, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        to += got;
        size -= static_cast<size_t>(got);
    }
    return true;
}

// A worker's whole life: take a number, do the job, send the answer with its length before it.
[[noreturn]] void work(int socket, pid_t parent, const WorkerTask& task) {
    // Workers of a killed parent have nobody to answer. It may be gone already.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    uint64_t job = 0;
    while (receive_all(socket, &job, sizeof job)) {
        const std::string answer = task(job);
        const uint64_t size = answer.size();
        if (!send_all(socket, &size, sizeof size) || !send_all(socket, answer.data(), size)) break;
    }
    ::_exit(0);  // no destructors and no buffers of the parent's
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) {
        return fmt::format("was ended by signal {} ({})", WTERMSIG(status),
                           ::strsignal(WTERMSIG(status)));
    }
    return fmt::format("ended with status {}", WEXITSTATUS(status));
}

class Worker {
  public:
    Worker() = default;
    Worker(Worker&& other) noexcept
        : process_(std::exchange(other.process_, -1)),
          socket_(std::exchange(other.socket_, -1)),
          job_(std::exchange(other.job_, std::nullopt)) {}
    Worker& operator=(Worker&& other) noexcept {
        std::swap(process_, other.process_);
        std::swap(socket_, other.socket_);
        std::swap(job_, other.job_);
        return *this;
    }
    ~Worker() {
        if (process_ < 0) return;
        ::kill(process_, SIGKILL);
        end();
    }

    // others: sockets of this process that the new one must not hold open.
    static Worker start(const WorkerTask& task, const std::vector<Worker>& others) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            fail("cannot connect to a worker");
        }
        const pid_t parent = ::getpid();
        Worker worker;
        worker.process_ = ::fork();
        if (worker.process_ == 0) {
            ::close(ends[0]);
            for (const Worker& other : others) ::close(other.socket_);
            work(ends[1], parent, task);
        }
        ::close(ends[1]);
        worker.socket_ = ends[0];
        if (worker.process_ < 0) {
            ::close(ends[0]);
            fail("cannot start a worker");
        }
        return worker;
    }

    bool is_busy() const { return job_.has_value(); }
    int socket() const { return socket_; }

    void give(size_t job) {
        job_ = job;
        const uint64_t number = job;
        send_all(socket_, &number, sizeof number);  // a worker that is gone is noticed by answer()
    }

    // The result of the job under way; waits for it.
    WorkerResult answer() {
        WorkerResult result{*std::exchange(job_, std::nullopt), false, ""};
        uint64_t size = 0;
        // A process gone wrong may say anything.
        if (receive_all(socket_, &size, sizeof size) && size <= kMaxAnswerBytes) {
            result.answer.resize(size);
            if (receive_all(socket_, result.answer.data(), size)) return result;
        }
        result.crashed = true;
        ::kill(process_, SIGKILL);  // unless it has ended, and then its status stays
        result.answer = how_it_ended(end());
        return result;
    }

    bool is_gone() const { return process_ < 0; }

  private:
    // Waits for the process; returns its status.
    int end() {
        ::close(std::exchange(socket_, -1));
        int status = 0;
        const pid_t process = std::exchange(process_, -1);
        while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
        }
        return status;
    }

    pid_t process_ = -1;
    int socket_ = -1;
    std::optional<size_t> job_;
};

}  // namespace

void run_workers(size_t count, size_t processes, const WorkerTask& task,
                 const WorkerReport& report) {
    std::vector<Worker> workers;
    const size_t most = std::max<size_t>(1, std::min(count, processes));
    size_t next = 0, done = 0;
    while (done < count) {
        std::erase_if(workers, [](const Worker& worker) { return worker.is_gone(); });
        for (Worker& worker : workers) {
            if (!worker.is_busy() && next < count) worker.give(next++);
        }
        while (workers.size() < most && next < count) {
            workers.push_back(Worker::start(task, workers));
            workers.back().give(next++);
        }
        std::vector<pollfd> waiting;
        for (const Worker& worker : workers) {
            waiting.push_back({worker.is_busy() ? worker.socket() : -1, POLLIN, 0});
        }
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            if (errno == EINTR) continue;
            fail("cannot wait for the workers");
        }
        for (size_t i = 0; i < waiting.size(); ++i) {
            if (waiting[i].revents == 0) continue;
            ++done;
            if (!report(workers[i].answer())) return;
        }
    }
}

}  // namespace sagejit
