// All that a call's sizes decide: worked out once for many calls of the same sizes.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <span>

#include "call.h"
#include "executor.h"
#include "sagejit/generator/workspace.h"
#include "sagejit/sagejit.h"

namespace sagejit {

// Shape, workspace and launches of calls whose tensors have the same sizes, strides and types, and
// the argument block of the last of them. A driver's part of a launch is long enough to leave
// little of sagejit's in the processor's caches, so what every launch reads is short and in one
// place, in code and in data.
class alignas(64) CallGeometry {
  public:
    CallGeometry() = default;
    CallGeometry(const CallGeometry&) = delete;
    CallGeometry& operator=(const CallGeometry&) = delete;

    // A kernel keeps its most recent geometry. A launch borrows it; one that finds it borrowed, by
    // a launch of another thread, works out one of its own. Nobody ever waits.
    bool borrow() { return !lent_.exchange(true, std::memory_order_acquire); }
    void give_back() { lent_.store(false, std::memory_order_release); }

    // Makes it that of this call, with its argument block. Throws Error(kInvalidArgument) for
    // arguments the plan cannot take, and as add_value_map does.
    void set(const Plan& plan, const Executor& executor, const Arguments& arguments,
             void* workspace, size_t workspace_bytes) {
        if (!fits(arguments)) [[unlikely]]
            work_out(plan, executor, arguments);
        if (differs(arguments, workspace, workspace_bytes)) [[unlikely]] {
            set_values(plan, executor, arguments, workspace, workspace_bytes);
        }
    }
    // All of the call, or the last, which is the attention kernel. None where there is nothing to
    // compute.
    std::span<const ReadyStep> steps(bool attention_only) const {
        const uint32_t first = attention_only && step_count_ > 0 ? step_count_ - 1 : 0;
        return {ready_.data() + first, step_count_ - first};
    }
    const abi::Call& call() const { return call_; }

  private:
    // What a TensorRef says besides the address. No tensor has sizes below zero.
    struct alignas(16) Layout {
        std::array<int64_t, 4> shape{-1, -1, -1, -1}, strides{};
        DataType dtype{};
    };
    // What calls of the same sizes may differ in, as numbers. Nothing that can be launched has a
    // scale past 32 bits.
    struct Values {
        uintptr_t q = 0, k = 0, v = 0, o = 0, lse = 0, workspace = 0;
        uint64_t logit_scale = UINT64_MAX;
    };

    // Whether it has been worked out for tensors like these. Addresses do not matter.
    bool fits(const Arguments& arguments) const {
        const auto& [q, k, v, o, lse, logit_scale] = arguments;
        return (differences(q, layouts_[0]) | differences(k, layouts_[1]) |
                differences(v, layouts_[2]) | differences(o, layouts_[3])) == 0;
    }
    // Whether the argument block is not that of this call, which fits, or the workspace too small.
    bool differs(const Arguments& arguments, const void* workspace, size_t workspace_bytes) const {
        const auto& [q, k, v, o, lse, logit_scale] = arguments;
        const auto bits = [](const void* address) { return reinterpret_cast<uintptr_t>(address); };
        const uintptr_t changed = (bits(q.data) ^ values_.q) | (bits(k.data) ^ values_.k) |
                                  (bits(v.data) ^ values_.v) | (bits(o.data) ^ values_.o) |
                                  (bits(lse) ^ values_.lse) |
                                  (bits(workspace) ^ values_.workspace) |
                                  (std::bit_cast<uint32_t>(logit_scale) ^ values_.logit_scale);
        return (changed | (workspace_bytes < workspace_bytes_ ? 1 : 0)) != 0;
    }
    // Whether check_values and check_workspace would find nothing wrong, as can be told at once.
    bool takes(const Arguments& arguments, const void* workspace, size_t workspace_bytes) const;
    static int64_t differences(const TensorRef& tensor, const Layout& layout);
    void work_out(const Plan& plan, const Executor& executor, const Arguments& arguments);
    void set_values(const Plan& plan, const Executor& executor, const Arguments& arguments,
                    void* workspace, size_t workspace_bytes);

    std::atomic<bool> lent_ = false;
    bool has_lse_ = false;
    bool reads_values_by_map_ = false;  // where V's address allows
    uint32_t step_count_ = 0;
    size_t workspace_bytes_ = 0;
    Values values_;                  // of call_
    std::array<Layout, 4> layouts_;  // of q, k, v, o
    std::array<ReadyStep, LaunchSteps::kCapacity> ready_;
    abi::Call call_;
    const void* mapped_values_ = nullptr;  // the V that call_ has a map of
    Shape shape_;
    Workspace workspace_;
    LaunchSteps steps_;
};

}  // namespace sagejit
