// Work that nobody's thread waits in.
#pragma once

#include <functional>
#include <stop_token>

namespace sagejit {

// Runs `work` on a thread of its own. It must not throw. When the process exits, `stop` is asked
// to stop and the exit waits for the work to end: libraries that compile must not be torn down
// under it.
void run_in_background(std::stop_source stop, std::function<void()> work);

// Called when a library that background work uses has been opened: the exit then waits for the
// work before that library's own exit handlers run.
void finish_background_before_exit();

}  // namespace sagejit
