// How long a call must take at least, by each resource alone: an estimate from the plan and the
// figures of a GPU, not a measurement.
#pragma once

#include <string>
#include <vector>

#include "analysis/machine.h"
#include "sagejit/generator/workspace.h"

namespace sagejit::analysis {

struct Bound {
    std::string resource;  // "tensor cores, Q*K"
    double milliseconds = 0;
};

struct CallBounds {
    // Of the attention kernel. What the tensor cores do adds up; the rest can run beside it.
    double qk_ms = 0, pv_ms = 0, exponential_ms = 0, float_ms = 0, memory_ms = 0;
    // Of everything before it: quantizing Q, K and V, means and maxima.
    double preparation_ms = 0;

    double operations = 0;  // of both products
    double bytes = 0;       // of device memory that the attention kernel must move at least

    double tensor_ms() const { return qk_ms + pv_ms; }
    double attention_ms() const;  // the largest of them
    double call_ms() const { return attention_ms() + preparation_ms; }
    std::string limiting() const;     // its name
    std::vector<Bound> list() const;  // largest first
    double intensity() const { return bytes > 0 ? operations / bytes : 0; }
};

CallBounds call_bounds(const Plan& plan, const Shape& shape, const Machine& machine);

// The rate of P*V's matrix product on the machine, operations per clock of a multiprocessor.
double pv_rate(const Plan& plan, const Machine& machine);
double qk_rate(const Plan& plan, const Machine& machine);

}  // namespace sagejit::analysis
