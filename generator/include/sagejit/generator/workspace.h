// What one call needs besides the kernels: workspace regions and launch geometry for a shape.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sagejit/generator/plan.h"
#include "sagejit/generator/query_tiles.h"

namespace sagejit {

// The sizes of a call. All counts; any of them may be 0.
struct Shape {
    int64_t batch = 0, heads_q = 0, heads_kv = 0, len_q = 0, len_k = 0;
};

// One array in the workspace.
struct WorkspaceRegion {
    size_t offset = 0;  // bytes, a multiple of 256
    size_t bytes = 0;   // 0: not used by this plan
};

// The workspace of one call: `bytes` in all, aligned to 256. Members name the pointers of Call
// (templates/common/call.cuh), which gives their shapes.
struct Workspace {
    WorkspaceRegion q_int8, q_scale, q_shift, q_amax;
    WorkspaceRegion k_int8, k_meta, k_mean, k_sum, k_amax;
    WorkspaceRegion v_work, v_scale, v_mean, v_residue, v_first_bad, v_notes, v_amax, v_chunk_bad;
    WorkspaceRegion tiles_drawn;
    size_t bytes = 0;
    int q_tiles = 0, k_tiles = 0, chunks = 0, chunk_tokens = 0;
    int tall_tiles = 0, low_rows = 0;  // of q_tiles (query_tiles.h)
};

// Multiprocessors of the usual GPU of the wgmma family.
constexpr int kUsualMultiprocessors = 132;

// Lays the workspace out. `multiprocessors` of the device choose how queries are cut into tiles,
// and nothing else: regions and bytes are the same for any number. Throws Error(kInvalidArgument)
// for negative sizes, heads_q not a multiple of heads_kv, or sizes past what the grid and 32-bit
// token indices hold.
Workspace make_workspace(const Plan& plan, const Shape& shape,
                         int multiprocessors = kUsualMultiprocessors);

// One kernel launch: a one-dimensional grid of `ctas`.
struct LaunchStep {
    std::string_view entry;  // symbol in the emitted source
    int64_t ctas = 0;
    int threads = 0;
    int shared_bytes = 0;
    bool may_overlap = false;  // starts while the step before still runs, and waits for it itself
    // Not 0: CTAs take one piece of work after the other, so as many as run at once will do, which
    // is so many a multiprocessor.
    int ctas_per_sm = 0;
    int cluster = 1;  // CTAs of a cluster, of which ctas is a multiple
};

// A short list of launches without memory of its own: launching allocates nothing.
class LaunchSteps {
  public:
    static constexpr size_t kCapacity = 8;

    // Throws std::out_of_range past kCapacity, which no plan reaches.
    void push_back(const LaunchStep& step) {
        steps_.at(size_) = step;
        ++size_;
    }
    const LaunchStep* data() const { return steps_.data(); }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const LaunchStep* begin() const { return data(); }
    const LaunchStep* end() const { return data() + size_; }
    const LaunchStep& operator[](size_t index) const { return steps_[index]; }
    const LaunchStep& back() const { return steps_[size_ - 1]; }

  private:
    std::array<LaunchStep, kCapacity> steps_;
    size_t size_ = 0;
};

// The launches of one call, in stream order; empty when there is no output to write.
LaunchSteps launch_steps(const Plan& plan, const Shape& shape);
// The same for a workspace that has been laid out for the shape.
LaunchSteps launch_steps(const Plan& plan, const Shape& shape, const Workspace& workspace);

}  // namespace sagejit
