// Runs one attention case on a device, in any memory layout, and checks it against the three
// oracles: bit-exact quantizers, the fp64 model of the quantized algorithm, fp64 attention.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "reference/problem.h"
#include "sagejit/sagejit.h"
#include "tensor/distributions.h"

namespace sagejit::test {

// How the caller's tensors lie in memory.
enum class Layout {
    kHeadMajor,   // [batch, heads, len, dim]
    kTokenMajor,  // [batch, len, heads, dim]
    kFused,       // q, k, v are slices of one [batch, len, heads, dim] where sizes allow
    kOdd,         // rows 3 elements apart, starting at an odd element: no vector access
};
std::string_view to_string(Layout layout);

struct Case {
    Spec spec;
    Shape shape;
    std::string distribution = "normal";
    uint64_t seed = 1;
    Layout layout = Layout::kHeadMajor;
    std::optional<float> logit_scale;  // default 1/sqrt(head_dim)
    uint64_t host_seed = 0;
    // What a GPU's sums may add to the distance from the model, relative L1: those of e4m3 products
    // keep about 13 bits, which the host device does not imitate.
    double short_sums = 0;
};

// One line that names the case, enough to repeat it.
std::string describe(const Case& test_case);

struct Outcome {
    Plan plan;
    AttentionProblem problem;  // the inputs in fp64
    std::vector<double> o;     // as the device wrote it
    std::vector<float> lse;    // empty unless spec.lse
    Workspace regions;
    std::vector<std::byte> workspace;  // after the call
};

// Draws the case's input.
AttentionInput draw(const Case& test_case);

// Runs the kernel on the input. Inputs lie among NaN, outputs among a pattern, the workspace holds
// 0xFF. Throws std::runtime_error where an input or anything between output rows was changed.
Outcome run_case(const Kernel& kernel, const Case& test_case, const AttentionInput& input);

// Launches that often on the same inputs, with outputs and workspace cleared in between, and
// compares the bytes. 0 where all launches wrote the same ones, else the first (from 1) that did
// not. Throws as run_case does.
int first_unlike(const Kernel& kernel, const Case& test_case, const AttentionInput& input,
                 int launches);

// prepare with the case's spec and host seed. Kernels of one spec are kept for the process.
const Kernel& kernel_for(const Case& test_case, const Device& device);

// Every way in which the outcome contradicts an oracle; empty when it is right.
std::vector<std::string> disagreements(const Case& test_case, const Outcome& outcome);

// draw, run_case and disagreements in one; the failures as one text, empty when right.
std::string check_case(const Case& test_case, const Device& device);

}  // namespace sagejit::test
