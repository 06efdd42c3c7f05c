// Work shared out to processes of their own: a compiler that crashes, or is killed for lack of
// memory, takes nothing else with it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace sagejit {

// Runs in a worker. What it returns is sent back whole. May not throw.
using WorkerTask = std::function<std::string(size_t job)>;

// What came of one job, in the order they end.
struct WorkerResult {
    size_t job = 0;
    bool crashed = false;  // the worker ended without an answer
    std::string answer;    // what the task returned, or how the worker ended
};
// Runs in this process. Returning false stops: no more jobs are given out, the workers are ended.
using WorkerReport = std::function<bool(const WorkerResult& result)>;

// Does jobs 0 to count - 1 in up to `processes` forked workers, each of which does one at a time
// and takes the next. A worker that dies is replaced. Workers end with this process. To be called
// before this process starts threads or opens a GPU. Throws Error(kIo) when no process can be made.
void run_workers(size_t count, size_t processes, const WorkerTask& task,
                 const WorkerReport& report);

}  // namespace sagejit
