// The instruction table: every device function that wraps a PTX instruction or a built-in, and the
// same function for the host device. Nothing else in the templates touches PTX.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sagejit {

// One function, in both columns. `device` is CUDA C++; `host` is C++ over HostApi
// (templates/host/api.cuh).
struct Instruction {
    std::string_view name;
    std::string_view device;
    std::string_view host;
};

enum class Column { kDevice, kHost };

// Rows by topic.
std::span<const Instruction> index_instructions();    // thread and CTA indices, barriers, votes
std::span<const Instruction> shared_instructions();   // shared memory, asynchronous copies
std::span<const Instruction> matrix_instructions();   // ldmatrix, mma
std::span<const Instruction> math_instructions();     // exact and approximate fp32
std::span<const Instruction> convert_instructions();  // bits, fp16, bf16, int8
std::span<const Instruction> global_instructions();   // vector access to global memory
std::span<const Instruction> async_instructions();    // sm_90: mbarriers, bulk copies, wgmma groups

// The text of the functions whose names occur in `body`, in table order.
std::string used_instructions(std::string_view body, Column column);

}  // namespace sagejit
