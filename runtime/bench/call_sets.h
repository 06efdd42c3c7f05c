// Copies of one attention call with different data, to launch in rotation.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/random_pool.h"
#include "sagejit/device_buffer.h"
#include "sagejit/phases.h"
#include "sagejit/sagejit.h"
#include "sagejit/stream.h"

namespace sagejit {

// Random operands, `count` sets of them, each with its own output.
class OperandSets {
  public:
    // Bytes of one set: q, k, v, o and lse.
    static size_t bytes_per_set(const Spec& spec, const Shape& shape);
    // Sets to rotate among so that none of a launch's inputs is still in the L2 cache from its
    // last use: at least 2, and no more than memory_bytes holds at `workspace` bytes each besides.
    // Throws Error(kInvalidArgument) where there is not room for 2.
    static int choose_count(const Spec& spec, const Shape& shape, size_t workspace, size_t l2_bytes,
                            size_t memory_bytes);

    OperandSets(const Device& device, const Spec& spec, const Shape& shape, int count,
                const RandomPool& pool);

    int count() const { return static_cast<int>(sets_.size()); }
    const Arguments& arguments(int set) const { return sets_[set].arguments; }
    // Overwrites the outputs with NaN.
    void poison_outputs();
    // Whether the first and last elements of every output are finite: nothing was left unwritten.
    bool outputs_finite() const;

  private:
    struct Set {
        DeviceBuffer q, k, v, o, lse;
        Arguments arguments;
    };
    std::vector<Set> sets_;
    DataType output_dtype_;
};

// Launches a kernel on operand sets in rotation, each with a workspace of its own.
class CallSets {
  public:
    // Runs the whole call once on each set, so that every workspace holds quantized operands.
    CallSets(const Kernel& kernel, const OperandSets& operands, const Shape& shape,
             const Stream& stream);

    size_t workspace_bytes() const { return workspace_bytes_; }
    // Enqueues one part of the call on set index % count.
    void launch(Phase phase, int64_t index) const;

  private:
    Kernel kernel_;
    const OperandSets& operands_;
    const Stream& stream_;
    size_t workspace_bytes_;
    std::vector<DeviceBuffer> workspaces_;
};

}  // namespace sagejit
