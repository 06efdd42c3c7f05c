// All that a call's sizes decide: worked out once for many calls of the same sizes.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "call.h"
#include "driver_api.h"
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
    // Of kernels of this plan, loaded by this executor; both outlive it.
    CallGeometry(const Plan& plan, const Executor& executor)
        : gpu_(executor.gpu), executor_(executor), plan_(plan) {}
    CallGeometry(const CallGeometry&) = delete;
    CallGeometry& operator=(const CallGeometry&) = delete;

    // A kernel keeps its most recent geometry. A launch borrows it; one that finds it borrowed, by
    // a launch of another thread, works out one of its own. Nobody ever waits.
    bool borrow() { return !lent_.exchange(true, std::memory_order_acquire); }
    void give_back() { lent_.store(false, std::memory_order_release); }

    // Makes it that of this call, with its argument block. Throws Error(kInvalidArgument) for
    // arguments the plan cannot take, and as add_value_map does.
    [[gnu::always_inline]] void set(const Arguments& arguments, void* workspace,
                                    size_t workspace_bytes, void* stream) {
        const Difference from_last = difference(arguments, workspace, workspace_bytes, stream);
        if ((from_last.sizes | from_last.values) != 0) [[unlikely]] {
            change(from_last.sizes != 0, arguments, workspace, workspace_bytes, stream);
        }
    }
    // Enqueues all of the call, or the last step, which is the attention kernel; nothing where
    // there is nothing to compute. Leaves the thread's context as it was, and launches nothing
    // twice: what it tries again is what the driver refused for the sake of a context.
    // Throws Error(kLaunchFailed); Error(kNoDriver) after a fork.
    [[gnu::always_inline]] void launch() { launch(steps()); }
    void launch_attention();

    std::span<ReadyStep> steps() { return {ready_.data(), step_count_}; }
    const abi::Call& call() const { return call_; }

  private:
    using Words = uint64_t __attribute__((vector_size(16)));
    static constexpr size_t kWords = sizeof(TensorRef) / sizeof(Words);

    // A TensorRef in words, the first two of them apart.
    struct Tensor {
        uintptr_t data = 0;
        int64_t dtype = kNoType;
        std::array<Words, kWords - 1> sizes{};  // shape and strides
    };
    static constexpr int64_t kNoType = INT64_MIN;  // of no TensorRef: theirs have 32 bits
    // Not 0 where this call is not like the last: in what a TensorRef says besides the address; in
    // what calls of the same sizes may differ in, or in that the workspace is too small.
    struct Difference {
        uint64_t sizes, values;
    };

    static uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

    // In one pass without branches: the answer is nearly always none. A loop, since instructions
    // that have to be fetched cost more than turns.
    [[gnu::always_inline]] Difference difference(const Arguments& arguments, const void* workspace,
                                                 size_t workspace_bytes, const void* stream) const {
        static_assert(sizeof(Tensor) == sizeof(TensorRef) && offsetof(TensorRef, shape) == 16 &&
                      offsetof(TensorRef, strides) == 48 && offsetof(Arguments, q) == 0 &&
                      offsetof(Arguments, k) == sizeof(TensorRef) &&
                      offsetof(Arguments, v) == 2 * sizeof(TensorRef) &&
                      offsetof(Arguments, o) == 3 * sizeof(TensorRef));
        uint64_t values = (number(arguments.lse) ^ lse_) | (number(workspace) ^ placed_at_) |
                          (number(stream) ^ stream_) |
                          (std::bit_cast<uint32_t>(arguments.logit_scale) ^ logit_scale_) |
                          static_cast<uint64_t>(workspace_bytes < workspace_bytes_);
        int64_t types = 0;
        Words sizes{};
        const auto* bytes = reinterpret_cast<const std::byte*>(&arguments);
        const Tensor* last = tensors_.data();
        int left = 4;
#pragma GCC unroll 1
        do {
            const auto& tensor = *reinterpret_cast<const TensorRef*>(bytes);
            values |= number(tensor.data) ^ last->data;
            types |= static_cast<int64_t>(tensor.dtype) ^ last->dtype;
            for (size_t i = 0; i < last->sizes.size(); ++i) {
                Words words;
                std::memcpy(&words, bytes + (i + 1) * sizeof words, sizeof words);
                sizes |= words ^ last->sizes[i];
            }
            bytes += sizeof tensor;
            ++last;
        } while (--left > 0);
        return {sizes[0] | sizes[1] | static_cast<uint64_t>(types), values};
    }
    void change(bool sizes, const Arguments& arguments, void* workspace, size_t workspace_bytes,
                void* stream);
    // Whether a launch on the stream goes where its handle says, whatever context is current: not
    // on the default streams (null, legacy, one for each thread), which are the current context's.
    static bool names_context(const void* stream) {
        return stream != nullptr && stream != CU_STREAM_LEGACY && stream != CU_STREAM_PER_THREAD;
    }
    void set_stream(void* stream);
    // The first step that the driver refused.
    struct Refusal {
        const ReadyStep* step = nullptr;  // null: all is enqueued
        CUresult result = CUDA_SUCCESS;
    };

    [[gnu::always_inline]] void launch(std::span<ReadyStep> steps) {
        if (asks_first_) [[unlikely]] {
            if (gpu_.api == nullptr || !is_current(*gpu_.api, gpu_.context)) [[unlikely]]
                return launch_elsewhere(steps);
        }
        const Refusal refusal = enqueue(steps);
        if (refusal.step != nullptr) [[unlikely]]
            launch_refused(steps, refusal);
    }
    [[gnu::always_inline]] Refusal enqueue(std::span<const ReadyStep> steps) {
        for (const ReadyStep& step : steps) {
            const auto function = static_cast<CUfunction>(const_cast<void*>(step.function));
            const CUresult result =
                gpu_.api->launch_kernel_ex(&step.config, function, parameters_.data(), nullptr);
            if (result != CUDA_SUCCESS) [[unlikely]]
                return {&step, result};
        }
        return {};
    }
    // After a refusal: throws, or enqueues the steps in the GPU's context where it was the first of
    // them that was refused, for a reason that another current context may be.
    [[gnu::cold]] void launch_refused(std::span<const ReadyStep> steps, const Refusal& refusal);
    // On the host device, or in the GPU's context where another is current, or none.
    [[gnu::cold]] void launch_elsewhere(std::span<const ReadyStep> steps);
    void work_out(const Arguments& arguments);
    // Whether check_values and check_workspace would find nothing wrong, as can be told at once.
    bool takes(const Arguments& arguments, const void* workspace, size_t workspace_bytes) const;

    // What every launch reads, in this order, up to the steps there are.
    std::atomic<bool> lent_ = false;
    bool has_lse_ = false;
    bool reads_values_by_map_ = false;  // where V's address allows
    bool asks_first_ = true;            // which context is current; also on the host device
    uint32_t step_count_ = 0;
    Gpu gpu_;
    size_t workspace_bytes_ = 0;
    uintptr_t lse_ = 0, placed_at_ = 0, stream_ = 0;  // of call_ and its steps
    uint64_t logit_scale_ = UINT64_MAX;  // bits; nothing that can be launched has any past 32
    std::array<Tensor, 4> tensors_;      // q, k, v, o of call_
    std::array<ReadyStep, LaunchSteps::kCapacity> ready_;
    abi::Call call_;
    std::array<void*, 1> parameters_ = {&call_};
    const void* mapped_values_ = nullptr;  // the V that call_ has a map of
    const Executor& executor_;
    const Plan& plan_;
    Shape shape_;
    Workspace workspace_;
    LaunchSteps steps_;
};

}  // namespace sagejit
