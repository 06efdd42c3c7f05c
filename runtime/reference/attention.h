// The first oracle: attention as the formula says, in fp64.
#pragma once

#include "reference/problem.h"

namespace sagejit {

// o = softmax(logit_scale * q k^T + mask) v and lse = log(sum(exp(logits))), row by row.
//
// A row that sees no key has o = 0 and lse = -infinity. NaN and infinity go where IEEE arithmetic
// takes them, as if the keys a row does not see did not exist: a logit that is NaN or +infinity
// makes its row NaN; a key whose logit is -infinity has weight 0, and NaN results when all have.
// Throws Error(kInvalidArgument) where sizes disagree.
AttentionResult exact_attention(const AttentionProblem& problem, CausalMode causal);

}  // namespace sagejit
