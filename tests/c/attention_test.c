/* One call through the C API, on the host device. */
#include "problem.h"

static void attends(void) {
    static problem p;
    uint16_t o[Q_SIZE];
    float lse[HEADS_Q * LEN_Q];
    make_problem(&p, 1 / sqrt(DIM), 0);
    const sagejit_call call = make_call(&p, o);
    memset(o, 0xff, sizeof o);
    CHECK(sagejit_attention(&call.q, &call.k, &call.v, &call.o, NULL, NULL) == SAGEJIT_OK);
    CHECK(largest_error(&p, o) < kTolerance);

    /* Every member of the options. */
    make_problem(&p, 0.3, 1);
    sagejit_attention_options options = SAGEJIT_ATTENTION_OPTIONS_INIT;
    options.device.type = SAGEJIT_DEVICE_HOST;
    options.causal = SAGEJIT_CAUSAL_BOTTOM_RIGHT;
    options.quality = SAGEJIT_QUALITY_ACCURATE;
    options.lse = lse;
    options.logit_scale = 0.3f;
    memset(o, 0xff, sizeof o);
    CHECK(sagejit_attention(&call.q, &call.k, &call.v, &call.o, &options, NULL) == SAGEJIT_OK);
    CHECK(largest_error(&p, o) < kTolerance);
    for (int row = 0; row < HEADS_Q * LEN_Q; ++row) CHECK(fabs(lse[row] - p.lse[row]) < 0.02);

    sagejit_kernel* kernel = NULL;
    REQUIRE(sagejit_prepare_attention(&call.q, &call.k, &call.v, &call.o, &options, &kernel) ==
            SAGEJIT_OK);
    sagejit_kernel_info info = SAGEJIT_KERNEL_INFO_INIT;
    CHECK(sagejit_kernel_describe(kernel, &info) == SAGEJIT_OK);
    CHECK(strstr(info.plan_json, "\"granularity\": \"token\"") != NULL);
    sagejit_kernel_release(kernel);

    /* Another mask and another quality are other kernels; without a handle they are kept as well.
     */
    options.causal = SAGEJIT_CAUSAL_TOP_LEFT;
    options.quality = SAGEJIT_QUALITY_FAST;
    CHECK(sagejit_prepare_attention(&call.q, &call.k, &call.v, &call.o, &options, NULL) ==
          SAGEJIT_OK);
}

static void refuses(void) {
    static problem p;
    uint16_t o[Q_SIZE];
    const sagejit_call call = make_call(&p, o);
    sagejit_attention_options options = SAGEJIT_ATTENTION_OPTIONS_INIT;
    memset(o, 0xff, sizeof o);
#define REFUSED(words)                                                                         \
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,                                                      \
                sagejit_attention(&call.q, &call.k, &call.v, &call.o, &options, NULL), words); \
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,                                                      \
                sagejit_prepare_attention(&call.q, &call.k, &call.v, &call.o, &options, NULL), \
                words)
    options.causal = 3;
    REFUSED("options.causal");
    options.causal = 0;
    options.quality = -1;
    REFUSED("options.quality");
    options.quality = 0;
    options.reserved = 5;
    REFUSED("options.reserved");
    options.reserved = 0;
    options.device.type = 9;
    REFUSED("options.device.type");
    options.device.type = 0;
    options.struct_size = 39;
    REFUSED("options.struct_size");

    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_attention(NULL, &call.k, &call.v, &call.o, NULL, NULL),
                "q: expected a pointer");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_attention(&call.q, NULL, &call.v, &call.o, NULL, NULL),
                "k: expected a pointer");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_attention(&call.q, &call.k, NULL, &call.o, NULL, NULL),
                "v: expected a pointer");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_attention(&call.q, &call.k, &call.v, NULL, NULL, NULL),
                "o: expected a pointer");
    sagejit_tensor odd = call.q;
    odd.shape[1] = 3;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_attention(&odd, &call.k, &call.v, &call.o, NULL, NULL), "shape[1]");
    for (int i = 0; i < Q_SIZE; ++i) CHECK(o[i] == 0xffff);
}

int main(void) {
    attends();
    refuses();
    return finish();
}
