// All that a call's sizes decide: worked out once for many calls of the same sizes.
#pragma once

#include <atomic>
#include <optional>

#include "call.h"
#include "executor.h"
#include "sagejit/generator/workspace.h"
#include "sagejit/sagejit.h"

namespace sagejit {

// Shape, workspace and launches of calls whose tensors have the same sizes, strides and types.
class CallGeometry {
  public:
    // Whether it has been worked out for tensors like these. Addresses do not matter.
    bool fits(const Arguments& arguments) const;
    // Works it out. Throws Error(kInvalidArgument) for sizes, strides or types the plan cannot
    // take.
    void work_out(const Plan& plan, const Arguments& arguments);
    // Has the argument block say how the kernel reads V (value_map.h); its addresses are set.
    void map_values(const Plan& plan, const Arguments& arguments, const Executor& executor);

    const Shape& shape() const { return shape_; }
    const Workspace& workspace() const { return workspace_; }
    const LaunchSteps& steps() const { return steps_; }
    // The argument block of the most recent call; set_call_values makes it that of the next.
    abi::Call& call() { return call_; }

  private:
    bool known_ = false;
    Arguments arguments_;  // whose sizes, strides and types count
    Shape shape_;
    Workspace workspace_;
    LaunchSteps steps_;
    abi::Call call_;
    std::optional<const void*> mapped_values_;  // the V that call_ says how to read
};

// A kernel's most recent geometry. A launch borrows it; one that finds it borrowed, by a launch of
// another thread, uses its own instead. Nobody ever waits.
class RecentGeometry {
  public:
    class Loan {
      public:
        explicit Loan(RecentGeometry& recent)
            : recent_(recent.lent_.exchange(true, std::memory_order_acquire) ? nullptr : &recent) {
            if (recent_ == nullptr) own_.emplace();
        }
        ~Loan() {
            if (recent_ != nullptr) recent_->lent_.store(false, std::memory_order_release);
        }
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;

        CallGeometry& operator*() { return recent_ != nullptr ? recent_->geometry_ : *own_; }

      private:
        RecentGeometry* recent_;
        std::optional<CallGeometry> own_;
    };

  private:
    std::atomic<bool> lent_ = false;
    CallGeometry geometry_;
};

}  // namespace sagejit
