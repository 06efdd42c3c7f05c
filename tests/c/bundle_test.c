/* bundle_test BUNDLE CONFIG: a kernel from a bundle through the C API. The stub driver has two
 * GPUs, of which the bundle serves the first; there is no NVRTC. */
#include "check.h"

static char config[65536];

int main(int argc, char** argv) {
    REQUIRE(argc == 3);
    FILE* file = fopen(argv[2], "rb");
    REQUIRE(file != NULL);
    const size_t length = fread(config, 1, sizeof config - 1, file);
    REQUIRE(length > 0 && fclose(file) == 0);

    sagejit_device device = {SAGEJIT_DEVICE_BEST, 0};
    REQUIRE(sagejit_device_parse("cuda:0", &device) == SAGEJIT_OK);
    const char* const bundles[] = {argv[1]};
    sagejit_prepare_options options = SAGEJIT_PREPARE_OPTIONS_INIT;
    options.policy = SAGEJIT_POLICY_BUNDLE_ONLY;
    options.bundles = bundles;
    options.bundle_count = 1;
    sagejit_kernel* kernel = NULL;
    REQUIRE(sagejit_prepare(config, device, &options, &kernel) == SAGEJIT_OK);
    sagejit_kernel_info info = SAGEJIT_KERNEL_INFO_INIT;
    CHECK(sagejit_kernel_describe(kernel, &info) == SAGEJIT_OK);
    CHECK(strcmp(info.bundle, argv[1]) == 0);
    CHECK(strcmp(info.target, "sm_90") == 0);
    CHECK(info.compile_ms == 0 && info.from_cache == 0);
    sagejit_kernel_release(kernel);
    kernel = NULL;

    /* A program compiled before there were bundles. */
    options.struct_size = 32;
    CHECK_FAILS(SAGEJIT_NO_NVRTC, sagejit_prepare(config, device, &options, &kernel), "NVRTC");
    options.struct_size = sizeof options;

    options.policy = SAGEJIT_POLICY_JIT;
    REQUIRE(sagejit_prepare(config, device, &options, &kernel) == SAGEJIT_OK);
    sagejit_kernel_release(kernel);
    kernel = NULL;

    options.policy = 3;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(config, device, &options, &kernel),
                "options.policy");
    options.policy = SAGEJIT_POLICY_BUNDLE_ONLY;
    options.allow_slow_code = 2;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(config, device, &options, &kernel),
                "options.allow_slow_code");
    options.allow_slow_code = 0;
    options.bundles = NULL;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(config, device, &options, &kernel),
                "options.bundles");
    const char* const missing[] = {argv[1], "/nonexistent.sjb"};
    options.bundles = missing;
    options.bundle_count = 2;
    CHECK_FAILS(SAGEJIT_IO, sagejit_prepare(config, device, &options, &kernel), "/nonexistent.sjb");
    options.bundle_count = 1;

    sagejit_device other = device;
    REQUIRE(sagejit_device_parse("cuda:1", &other) == SAGEJIT_OK);
    CHECK_FAILS(SAGEJIT_NOT_BUILT, sagejit_prepare(config, other, &options, &kernel),
                "holds thread-d64 for sm_90");
    const sagejit_device host = {SAGEJIT_DEVICE_HOST, 0};
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepare(config, host, &options, &kernel),
                "bundle_only");
    CHECK(kernel == NULL);
    return finish();
}
