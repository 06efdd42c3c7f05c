// What a kernel handle of the C API points to.
#pragma once

#include <atomic>
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
