/* Kernels through the C API: prepare, describe, workspace, launch, on the host device. */
#include <pthread.h>

#include "problem.h"

static const sagejit_device kHost = {SAGEJIT_DEVICE_HOST, 0};
static const char* const kConfig =
    "{\"head_dim\": 32, \"causal\": \"bottom_right\", \"lse\": true}";

static void launches(sagejit_kernel* kernel) {
    static problem p;
    uint16_t o[Q_SIZE];
    float lse[HEADS_Q * LEN_Q];
    make_problem(&p, 1 / sqrt(DIM), 1);
    sagejit_call call = make_call(&p, o);
    call.lse = lse;

    size_t bytes = 0;
    CHECK(sagejit_kernel_workspace_size(kernel, &call, &bytes) == SAGEJIT_OK);
    CHECK(bytes > 0 && bytes < 1000000);
    sagejit_buffer* workspace = NULL;
    REQUIRE(sagejit_buffer_new(kHost, bytes, &workspace) == SAGEJIT_OK);
    unsigned char* const data = sagejit_buffer_data(workspace);
    CHECK((uintptr_t)data % 256 == 0);

    memset(o, 0xff, sizeof o); /* NaN */
    CHECK(sagejit_kernel_launch(kernel, &call, data, bytes, NULL) == SAGEJIT_OK);
    CHECK(largest_error(&p, o) < kTolerance);
    for (int row = 0; row < HEADS_Q * LEN_Q; ++row) CHECK(fabs(lse[row] - p.lse[row]) < 0.02);

    /* Another scale, and a query of another length through strides. */
    make_problem(&p, 0.5, 1);
    call.logit_scale = 0.5f;
    CHECK(sagejit_kernel_launch(kernel, &call, data, bytes, NULL) == SAGEJIT_OK);
    CHECK(largest_error(&p, o) < 2 * kTolerance);

    /* What is refused is not launched. */
    memset(o, 0xff, sizeof o);
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_kernel_launch(kernel, &call, data, bytes - 1, NULL), "workspace_bytes");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_kernel_launch(kernel, &call, data + 1, bytes, NULL), "aligned");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, &call, NULL, bytes, NULL),
                "workspace");
    sagejit_call wrong = call;
    wrong.k.shape[2] = LEN_K - 1;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, &wrong, data, bytes, NULL),
                "v.shape[2] (len)");
    wrong = call;
    wrong.q.dtype = SAGEJIT_FP32;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, &wrong, data, bytes, NULL),
                "call.q.dtype");
    wrong = call;
    wrong.o.dtype = 0; /* as in a structure nobody filled */
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, &wrong, data, bytes, NULL),
                "call.o.dtype");
    wrong = call;
    wrong.v.reserved = 1;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, &wrong, data, bytes, NULL),
                "call.v.reserved");
    wrong = call;
    wrong.lse = NULL;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, &wrong, data, bytes, NULL),
                "lse");
    wrong = call;
    wrong.logit_scale = NAN;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, &wrong, data, bytes, NULL),
                "logit_scale");
    for (int i = 0; i < Q_SIZE; ++i) CHECK(o[i] == 0xffff);

    sagejit_buffer_release(workspace);
}

static void describes(sagejit_kernel* kernel) {
    sagejit_kernel_info info = SAGEJIT_KERNEL_INFO_INIT;
    CHECK(sagejit_kernel_describe(kernel, &info) == SAGEJIT_OK);
    CHECK(info.struct_size == sizeof info);
    CHECK(info.device.type == SAGEJIT_DEVICE_HOST && info.device.ordinal == 0);
    CHECK(strcmp(info.target, "sm_80") == 0);
    CHECK(strstr(info.plan_json, "\"tile_q\":") != NULL);
    CHECK(info.tuning == SAGEJIT_TUNING_NONE);
    CHECK(info.load_ms > 0 || info.compile_ms > 0);
}

static void sizes(sagejit_kernel* kernel) {
    /* A newer program: what it does not use is zero. */
    struct {
        sagejit_kernel_info known;
        unsigned char newer[16];
    } info;
    memset(&info, 0xab, sizeof info);
    info.known.struct_size = sizeof info;
    CHECK(sagejit_kernel_describe(kernel, &info.known) == SAGEJIT_OK);
    CHECK(info.known.struct_size == sizeof info);
    CHECK(strcmp(info.known.target, "sm_80") == 0);
    for (size_t i = 0; i < sizeof info.newer; ++i) CHECK(info.newer[i] == 0);

    sagejit_kernel_info small = SAGEJIT_KERNEL_INFO_INIT;
    small.struct_size = 8;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_describe(kernel, &small),
                "info.struct_size");
    CHECK(small.target == NULL);

    static problem p;
    uint16_t o[Q_SIZE];
    size_t bytes = 7;
    struct {
        sagejit_call known;
        unsigned char newer[8];
    } call;
    memset(&call, 0, sizeof call);
    call.known = make_call(&p, o);
    call.known.struct_size = sizeof call;
    CHECK(sagejit_kernel_workspace_size(kernel, &call.known, &bytes) == SAGEJIT_OK);
    bytes = 7;
    call.newer[3] = 1;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_kernel_workspace_size(kernel, &call.known, &bytes), "call.struct_size");
    call.known.struct_size = sizeof call.known - 1;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_kernel_workspace_size(kernel, &call.known, &bytes), "set it to sizeof");
    CHECK(bytes == 7);

    sagejit_prepare_options options = SAGEJIT_PREPARE_OPTIONS_INIT;
    sagejit_kernel* none = NULL;
    options.struct_size = 0;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(kConfig, kHost, &options, &none),
                "options.struct_size");
    options.struct_size = sizeof options;
    options.no_cache = 2;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(kConfig, kHost, &options, &none),
                "options.no_cache");
    options.no_cache = 0;
    options.no_tuning = -1;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(kConfig, kHost, &options, &none),
                "options.no_tuning");
    options.no_tuning = 0;
    options.shape[3] = LEN_Q; /* and the rest unknown */
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(kConfig, kHost, &options, &none),
                "options.shape");
    CHECK(none == NULL);

    /* An older program's, whose structure ended here: what is behind is not looked at. */
    options.struct_size = offsetof(sagejit_prepare_options, policy);
    options.policy = 99;
    CHECK(sagejit_prepare(kConfig, kHost, &options, &none) == SAGEJIT_OK);
    sagejit_kernel_info old = SAGEJIT_KERNEL_INFO_INIT;
    old.struct_size = offsetof(sagejit_kernel_info, bundle);
    old.bundle = "untouched";
    CHECK(sagejit_kernel_describe(none, &old) == SAGEJIT_OK);
    CHECK(strcmp(old.target, "sm_80") == 0 && strcmp(old.bundle, "untouched") == 0);
    sagejit_kernel_release(none);
    none = NULL;

    options = (sagejit_prepare_options)SAGEJIT_PREPARE_OPTIONS_INIT;
    options.no_tuning = 1;
    for (int i = 0; i < 5; ++i) options.shape[i] = i + 1;
    CHECK(sagejit_prepare(kConfig, kHost, &options, &none) == SAGEJIT_OK);
    sagejit_kernel_release(none);
}

static void nulls(sagejit_kernel* kernel) {
    static problem p;
    uint16_t o[Q_SIZE];
    sagejit_call call = make_call(&p, o);
    sagejit_kernel_info info = SAGEJIT_KERNEL_INFO_INIT;
    sagejit_kernel* none = NULL;
    size_t bytes = 0;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(NULL, kHost, NULL, &none), "config_json");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(kConfig, kHost, NULL, NULL), "kernel");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_describe(NULL, &info), "kernel");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_describe(kernel, NULL), "info");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_workspace_size(NULL, &call, &bytes),
                "kernel");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_workspace_size(kernel, NULL, &bytes),
                "call");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_workspace_size(kernel, &call, NULL),
                "bytes");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(NULL, &call, NULL, 0, NULL),
                "kernel");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_kernel_launch(kernel, NULL, NULL, 0, NULL),
                "call");
    sagejit_kernel_retain(NULL);
    sagejit_kernel_release(NULL);
}

static void* launch_much(void* kernel) {
    static problem p; /* zeros, and only read */
    uint16_t o[Q_SIZE];
    sagejit_call call = make_call(&p, o);
    float lse[HEADS_Q * LEN_Q];
    call.lse = lse;
    size_t bytes = 0;
    sagejit_buffer* workspace = NULL;
    if (sagejit_kernel_workspace_size(kernel, &call, &bytes) != SAGEJIT_OK) return "workspace size";
    if (sagejit_buffer_new(kHost, bytes, &workspace) != SAGEJIT_OK) return "buffer";
    for (int i = 0; i < 3; ++i) {
        sagejit_kernel_retain(kernel);
        if (sagejit_kernel_launch(kernel, &call, sagejit_buffer_data(workspace), bytes, NULL) !=
            0) {
            return "launch";
        }
        sagejit_kernel_release(kernel);
    }
    sagejit_buffer_release(workspace);
    return NULL;
}

static void threads(sagejit_kernel* kernel) {
    pthread_t each[4];
    for (int i = 0; i < 4; ++i) pthread_create(&each[i], NULL, launch_much, kernel);
    for (int i = 0; i < 4; ++i) {
        void* trouble = NULL;
        pthread_join(each[i], &trouble);
        CHECK(trouble == NULL);
    }
}

int main(void) {
    sagejit_prepare_options options = SAGEJIT_PREPARE_OPTIONS_INIT;
    options.host_seed = 7;
    sagejit_kernel* kernel = NULL;
    REQUIRE(sagejit_prepare(kConfig, kHost, &options, &kernel) == SAGEJIT_OK);
    REQUIRE(kernel != NULL);
    launches(kernel);
    describes(kernel);
    sizes(kernel);
    nulls(kernel);
    threads(kernel);

    /* Another owner keeps it. */
    sagejit_kernel_retain(kernel);
    sagejit_kernel_release(kernel);
    describes(kernel);
    sagejit_kernel_release(kernel);
    return finish();
}
