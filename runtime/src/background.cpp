#include "background.h"

#include <condition_variable>
#include <cstdlib>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "fork_safe.h"

namespace sagejit {
namespace {

struct Running {
    std::mutex mutex;
    std::condition_variable ended;
    std::list<std::stop_source> stops;  // one for each thread
};

void finish() {
    Running& running = fork_safe<Running>();
    std::unique_lock lock(running.mutex);
    for (std::stop_source& stop : running.stops) stop.request_stop();
    running.ended.wait(lock, [&] { return running.stops.empty(); });
}

}  // namespace

void finish_background_before_exit() { std::atexit(finish); }

void run_in_background(std::stop_source stop, std::function<void()> work) {
    static const bool registered = (finish_background_before_exit(), true);
    (void)registered;
    Running& running = fork_safe<Running>();
    std::list<std::stop_source>::iterator mine;
    {
        const std::lock_guard lock(running.mutex);
        mine = running.stops.insert(running.stops.end(), std::move(stop));
    }
    const auto forget = [&running, mine] {
        const std::lock_guard lock(running.mutex);
        running.stops.erase(mine);
        running.ended.notify_all();
    };
    try {
        std::thread([work = std::move(work), forget]() mutable {
            work();
            work = nullptr;  // what it holds is gone before the process may exit
            forget();
        }).detach();
    } catch (...) {
        forget();
        throw;
    }
}

}  // namespace sagejit
