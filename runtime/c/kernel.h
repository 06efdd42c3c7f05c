// What a kernel handle of the C API points to.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "sagejit.h"
#include "sagejit/sagejit.h"

struct sagejit_kernel {
    explicit sagejit_kernel(sagejit::Kernel prepared)
        : kernel(std::move(prepared)),
          target(kernel.plan().target.name),
          plan(plan_json(kernel.plan())) {}

    const sagejit::Kernel kernel;
    const std::string target, plan;
    std::atomic<int> owners = 1;
};

namespace sagejit::c {

// Throws Error(kInvalidArgument), and what Bundle::open throws. Null: the defaults.
PrepareOptions to_prepare_options(const sagejit_prepare_options* given);

// SAGEJIT_TUNING_...
int32_t from_tuning(TuningMatch match);

// milliseconds: from 0; a year is the most.
std::chrono::steady_clock::time_point deadline_after(int64_t milliseconds);

}  // namespace sagejit::c
