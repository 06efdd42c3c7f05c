#include "reference/score_block.h"

#include <algorithm>
#include <vector>

#include "reference/matrix_multiply.h"
#include "tensor/parallel.h"

namespace sagejit {
namespace {

constexpr int64_t kPanelKeys = 8;     // the multiply's favourite width
constexpr int64_t kValueTokens = 64;  // rows of V that stay in the first-level cache meanwhile

// K transposed, kPanelKeys keys at a time: [panel, dim, kPanelKeys], the last one zero-filled.
std::vector<double> pack_keys(const double* k, int64_t len, int64_t dim) {
    const int64_t panels = (len + kPanelKeys - 1) / kPanelKeys;
    std::vector<double> packed(static_cast<size_t>(panels * dim * kPanelKeys));
    for (int64_t j = 0; j < len; ++j) {
        double* panel = packed.data() + j / kPanelKeys * dim * kPanelKeys + j % kPanelKeys;
        for (int64_t d = 0; d < dim; ++d) panel[d * kPanelKeys] = k[j * dim + d];
    }
    return packed;
}

}  // namespace

void for_each_score_block(const AttentionProblem& problem, CausalMode causal,
                          std::span<const double> q, std::span<const double> k,
                          const std::function<void(const ScoreBlock&)>& body) {
    const int64_t len_q = problem.shape.len_q, len_k = problem.shape.len_k;
    const int64_t dim = problem.head_dim;
    const int64_t heads = problem.group_size();
    const int64_t blocks = (len_q + ScoreBlock::kQueryRows - 1) / ScoreBlock::kQueryRows;
    for (int64_t kv_matrix = 0; kv_matrix < problem.kv_matrices(); ++kv_matrix) {
        const std::vector<double> keys = pack_keys(k.data() + kv_matrix * len_k * dim, len_k, dim);
        parallel_for(heads * blocks, [&](int64_t index) {
            ScoreBlock block;
            block.kv_matrix = kv_matrix;
            block.matrix = kv_matrix * heads + index / blocks;
            block.first_row = index % blocks * ScoreBlock::kQueryRows;
            block.rows = std::min(ScoreBlock::kQueryRows, len_q - block.first_row);
            for (int64_t i = 0; i < block.rows; ++i)
                block.visible[i] = visible_keys(causal, block.first_row + i, len_q, len_k);
            const int64_t panels = (block.visible[block.rows - 1] + kPanelKeys - 1) / kPanelKeys;
            block.stride = panels * kPanelKeys;
            std::vector<double> values(static_cast<size_t>(block.rows * block.stride));
            block.values = values.data();
            const double* queries = q.data() + (block.matrix * len_q + block.first_row) * dim;
            for (int64_t panel = 0; panel < panels; ++panel)
                multiply_add(block.values + panel * kPanelKeys, block.stride, {queries, dim},
                             {keys.data() + panel * dim * kPanelKeys, kPanelKeys}, block.rows,
                             kPanelKeys, dim);
            body(block);
        });
    }
}

void add_weighted_values(const ScoreBlock& block, const double* v, int64_t dim, double* out) {
    // What all rows see first, then the rest of each row by itself.
    const int64_t common = block.visible[0];
    for (int64_t j = 0; j < common; j += kValueTokens)
        multiply_add(out, dim, {block.values + j, block.stride}, {v + j * dim, dim}, block.rows,
                     dim, std::min(kValueTokens, common - j));
    for (int64_t i = 1; i < block.rows; ++i)
        multiply_add(out + i * dim, dim, {block.values + i * block.stride + common, block.stride},
                     {v + common * dim, dim}, 1, dim, block.visible[i] - common);
}

}  // namespace sagejit
