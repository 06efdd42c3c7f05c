/* A small attention problem and its exact answer: batch 1, 2 query heads on 1 key head. */
#ifndef SAGEJIT_TESTS_C_PROBLEM_H_
#define SAGEJIT_TESTS_C_PROBLEM_H_

#include "check.h"

enum { HEADS_Q = 2, HEADS_KV = 1, LEN_Q = 5, LEN_K = 70, DIM = 32 };
enum { Q_SIZE = HEADS_Q * LEN_Q * DIM, K_SIZE = HEADS_KV * LEN_K * DIM };

typedef struct problem {
    uint16_t q[Q_SIZE], k[K_SIZE], v[K_SIZE];
    double o[Q_SIZE];
    double lse[HEADS_Q * LEN_Q];
} problem;

/* Numbers in [-1, 1) from a linear congruential generator; causal to the bottom right. */
static inline void make_problem(problem* p, double logit_scale, int causal) {
    uint32_t state = 12345;
    uint16_t* const arrays[] = {p->q, p->k, p->v};
    const int sizes[] = {Q_SIZE, K_SIZE, K_SIZE};
    for (int a = 0; a < 3; ++a) {
        for (int i = 0; i < sizes[a]; ++i) {
            state = state * 1664525u + 1013904223u;
            arrays[a][i] = to_half(((int)(state >> 22) - 512) / 512.0);
        }
    }
    for (int row = 0; row < HEADS_Q * LEN_Q; ++row) {
        const int keys = causal ? row % LEN_Q + 1 + LEN_K - LEN_Q : LEN_K;
        double weights[LEN_K], sum = 0;
        for (int key = 0; key < keys; ++key) {
            double score = 0;
            for (int d = 0; d < DIM; ++d) {
                score += from_half(p->q[row * DIM + d]) * from_half(p->k[key * DIM + d]);
            }
            sum += weights[key] = exp(score * logit_scale);
        }
        p->lse[row] = log(sum);
        for (int d = 0; d < DIM; ++d) {
            double value = 0;
            for (int key = 0; key < keys; ++key)
                value += weights[key] * from_half(p->v[key * DIM + d]);
            p->o[row * DIM + d] = value / sum;
        }
    }
}

/* The largest difference between an output and the exact answer. int8 scores leave about 0.002. */
static inline double largest_error(const problem* p, const uint16_t* o) {
    double largest = 0;
    for (int i = 0; i < Q_SIZE; ++i) {
        const double difference = fabs(from_half(o[i]) - p->o[i]);
        if (!(difference <= largest)) largest = difference; /* NaN counts as large */
    }
    return largest;
}
static const double kTolerance = 0.006;

static inline sagejit_call make_call(problem* p, uint16_t* o) {
    sagejit_call call;
    memset(&call, 0, sizeof call);
    call.struct_size = sizeof call;
    call.q = sagejit_tensor_contiguous(p->q, SAGEJIT_FP16, 1, HEADS_Q, LEN_Q, DIM);
    call.k = sagejit_tensor_contiguous(p->k, SAGEJIT_FP16, 1, HEADS_KV, LEN_K, DIM);
    call.v = sagejit_tensor_contiguous(p->v, SAGEJIT_FP16, 1, HEADS_KV, LEN_K, DIM);
    call.o = sagejit_tensor_contiguous(o, SAGEJIT_FP16, 1, HEADS_Q, LEN_Q, DIM);
    return call;
}

#endif /* SAGEJIT_TESTS_C_PROBLEM_H_ */
