/* async_test: kernels prepared in the background, given up and cancelled, on the stub driver and
 * the stub NVRTC, which takes as long as its environment says. */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

static const sagejit_device kGpu = {SAGEJIT_DEVICE_CUDA, 0};

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void compiles_for(const char* milliseconds) {
    setenv("SAGEJIT_STUB_NVRTC_MS", milliseconds, 1);
}

static void prepares(void) {
    sagejit_preparation* preparation = NULL;
    sagejit_kernel *first = NULL, *second = NULL;
    int32_t done = 7;
    compiles_for("500");
    REQUIRE(sagejit_prepare_async("{\"head_dim\": 64}", kGpu, NULL, &preparation) == SAGEJIT_OK);
    CHECK(sagejit_preparation_wait(preparation, 0, &done) == SAGEJIT_OK && done == 0);
    CHECK(sagejit_preparation_wait(preparation, 5, &done) == SAGEJIT_OK && done == 0);
    CHECK(sagejit_preparation_wait(preparation, -1, &done) == SAGEJIT_OK && done == 1);
    REQUIRE(sagejit_preparation_kernel(preparation, &first) == SAGEJIT_OK);
    REQUIRE(sagejit_preparation_kernel(preparation, &second) == SAGEJIT_OK);
    /* Too late to change anything. */
    sagejit_preparation_cancel(preparation);
    CHECK(sagejit_preparation_wait(preparation, 0, &done) == SAGEJIT_OK && done == 1);
    sagejit_preparation_release(preparation);
    sagejit_kernel_info info = SAGEJIT_KERNEL_INFO_INIT;
    CHECK(sagejit_kernel_describe(first, &info) == SAGEJIT_OK);
    CHECK(info.device.type == SAGEJIT_DEVICE_CUDA && info.compile_ms >= 400);
    sagejit_kernel_release(first);
    sagejit_kernel_release(second);
}

static void fails(void) {
    sagejit_preparation* preparation = NULL;
    sagejit_kernel* kernel = NULL;
    compiles_for("0");
    /* What the compiler says comes with the kernel that is none; each time it is asked for. */
    setenv("SAGEJIT_STUB_NVRTC_FAIL", "1", 1);
    REQUIRE(sagejit_prepare_async("{\"head_dim\": 72}", kGpu, NULL, &preparation) == SAGEJIT_OK);
    for (int i = 0; i < 2; ++i) {
        CHECK_FAILS(SAGEJIT_COMPILE_FAILED, sagejit_preparation_kernel(preparation, &kernel),
                    "cannot compile");
    }
    CHECK(kernel == NULL);
    unsetenv("SAGEJIT_STUB_NVRTC_FAIL");
    sagejit_preparation_release(preparation);

    /* What is wrong with the call comes at once. */
    preparation = NULL;
    sagejit_prepare_options options = SAGEJIT_PREPARE_OPTIONS_INIT;
    options.timeout_ms = -1;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_prepare_async("{\"head_dim\": 64}", kGpu, &options, &preparation),
                "options.timeout_ms");
    options = (sagejit_prepare_options)SAGEJIT_PREPARE_OPTIONS_INIT;
    options.struct_size = 8;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_prepare_async("{\"head_dim\": 64}", kGpu, &options, &preparation),
                "options.struct_size");
    CHECK_FAILS(SAGEJIT_INVALID_CONFIG,
                sagejit_prepare_async("{\"head_dim\": 7}", kGpu, NULL, &preparation), "head_dim");
    const sagejit_device none = {SAGEJIT_DEVICE_CUDA, 99};
    CHECK_FAILS(SAGEJIT_NO_DEVICE,
                sagejit_prepare_async("{\"head_dim\": 64}", none, NULL, &preparation), "cuda:99");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare_async(NULL, kGpu, NULL, &preparation),
                "config_json");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_prepare_async("{\"head_dim\": 64}", kGpu, NULL, NULL), "preparation");
    CHECK(preparation == NULL);
    int32_t done = 7;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_preparation_wait(NULL, 0, &done), "preparation");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_preparation_kernel(NULL, &kernel), "preparation");
    sagejit_preparation_cancel(NULL);
    sagejit_preparation_release(NULL);
    CHECK(done == 7);
}

static void gives_up(void) {
    sagejit_preparation* preparation = NULL;
    sagejit_kernel* kernel = NULL;
    sagejit_prepare_options options = SAGEJIT_PREPARE_OPTIONS_INIT;
    const double start = seconds();
    compiles_for("60000");
    /* By the deadline, waiting or not. */
    options.timeout_ms = 50;
    CHECK_FAILS(SAGEJIT_CANCELLED, sagejit_prepare("{\"head_dim\": 80}", kGpu, &options, &kernel),
                "deadline");
    REQUIRE(sagejit_prepare_async("{\"head_dim\": 88}", kGpu, &options, &preparation) ==
            SAGEJIT_OK);
    CHECK_FAILS(SAGEJIT_CANCELLED, sagejit_preparation_kernel(preparation, &kernel), "deadline");
    sagejit_preparation_release(preparation);
    /* By hand. */
    REQUIRE(sagejit_prepare_async("{\"head_dim\": 96}", kGpu, NULL, &preparation) == SAGEJIT_OK);
    sagejit_preparation_cancel(preparation);
    sagejit_preparation_cancel(preparation);
    CHECK_FAILS(SAGEJIT_CANCELLED, sagejit_preparation_kernel(preparation, &kernel), "stop");
    sagejit_preparation_release(preparation);
    CHECK(seconds() - start < 20);
    CHECK(kernel == NULL);
    /* And nothing stays behind that keeps it from being prepared. */
    compiles_for("0");
    REQUIRE(sagejit_prepare("{\"head_dim\": 96}", kGpu, NULL, &kernel) == SAGEJIT_OK);
    sagejit_kernel_release(kernel);
    /* An older program's structure ends before the member. */
    kernel = NULL;
    options.struct_size = offsetof(sagejit_prepare_options, timeout_ms);
    options.timeout_ms = -7;
    REQUIRE(sagejit_prepare("{\"head_dim\": 80}", kGpu, &options, &kernel) == SAGEJIT_OK);
    sagejit_kernel_release(kernel);
}

static void* take(void* preparation) {
    sagejit_kernel* kernel = NULL;
    if (sagejit_preparation_kernel(preparation, &kernel) != SAGEJIT_OK) return NULL;
    return kernel;
}

static void serves_many_threads(void) {
    sagejit_preparation* preparation = NULL;
    pthread_t each[8];
    compiles_for("100");
    REQUIRE(sagejit_prepare_async("{\"head_dim\": 104}", kGpu, NULL, &preparation) == SAGEJIT_OK);
    for (int i = 0; i < 8; ++i) pthread_create(&each[i], NULL, take, preparation);
    for (int i = 0; i < 8; ++i) {
        void* kernel = NULL;
        pthread_join(each[i], &kernel);
        CHECK(kernel != NULL);
        sagejit_kernel_release(kernel);
    }
    sagejit_preparation_release(preparation);
}

int main(void) {
    char directory[] = "/tmp/sagejit-test-XXXXXX";
    REQUIRE(mkdtemp(directory) != NULL);
    /* A file where a directory should be: nothing is kept, so that everything is compiled. */
    char file[64];
    snprintf(file, sizeof file, "%s/file", directory);
    FILE* made = fopen(file, "w");
    REQUIRE(made != NULL && fclose(made) == 0);
    setenv("SAGEJIT_CACHE_DIR", file, 1);
    prepares();
    fails();
    gives_up();
    serves_many_threads();
    /* The process ends in the middle of one. */
    sagejit_preparation* forgotten = NULL;
    compiles_for("60000");
    CHECK(sagejit_prepare_async("{\"head_dim\": 112}", kGpu, NULL, &forgotten) == SAGEJIT_OK);
    sagejit_preparation_release(forgotten);
    CHECK(remove(file) == 0 && remove(directory) == 0);
    return finish();
}
