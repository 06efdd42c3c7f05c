/* manifest_test: what a list names is prepared, and what was prepared is listed, on the stub driver
 * and the stub NVRTC. */
#define _DEFAULT_SOURCE
#include "check.h"

static const char* const kManifest =
    "{\"schema_version\": 1, \"kernels\": ["
    "{\"config\": {\"name\": \"first\", \"head_dim\": 64}, \"device\": \"cuda:0\", \"shapes\": ["
    "{\"batch\": 1, \"heads_q\": 8, \"heads_kv\": 2, \"len_q\": 1, \"len_k\": 4096},"
    "{\"batch\": 2, \"heads_q\": 8, \"heads_kv\": 2, \"len_q\": 4096, \"len_k\": 2048}]},"
    "{\"config\": {\"head_dim\": 72}, \"device\": \"cuda:7\"},"
    "{\"config\": {\"head_dim\": 128}, \"device\": \"cuda:0\"}]}";

static void prepares_what_is_listed(void) {
    sagejit_warmup_report* report = NULL;
    REQUIRE(sagejit_warmup(kManifest, NULL, 2, &report) == SAGEJIT_OK);
    REQUIRE(sagejit_warmup_report_size(report) == 4);
    sagejit_warmup_line line = SAGEJIT_WARMUP_LINE_INIT;
    static const int64_t shapes[4][5] = {
        {1, 8, 2, 1, 4096}, {2, 8, 2, 4096, 2048}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}};
    static const char* const names[4] = {"first", "first", "kernels/1", "kernels/2"};
    for (size_t i = 0; i < 4; ++i) {
        CHECK(sagejit_warmup_report_line(report, i, &line) == SAGEJIT_OK);
        CHECK(strcmp(line.config, names[i]) == 0);
        CHECK(memcmp(line.shape, shapes[i], sizeof line.shape) == 0);
        CHECK(strcmp(line.device, i == 2 ? "cuda:7" : "cuda:0") == 0);
        CHECK((strlen(line.problem) > 0) == (i == 2));
        CHECK(strcmp(line.bundle, "") == 0);
        CHECK((line.load_ms > 0) == (i != 2));
    }
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup_report_line(report, 4, &line),
                "expected less than 4, got 4");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup_report_line(report, 0, NULL), "line");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup_report_line(NULL, 0, &line), "report");
    line.struct_size = 8;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup_report_line(report, 0, &line),
                "line.struct_size");
    CHECK(sagejit_warmup_report_size(NULL) == 0);
    sagejit_warmup_report_release(report);
    sagejit_warmup_report_release(NULL);

    /* They are there: nothing has to be compiled, even where nothing could be. */
    setenv("SAGEJIT_STUB_NVRTC_FAIL", "1", 1);
    const sagejit_device gpu = {SAGEJIT_DEVICE_CUDA, 0};
    sagejit_kernel* kernel = NULL;
    CHECK(sagejit_prepare("{\"head_dim\": 128}", gpu, NULL, &kernel) == SAGEJIT_OK);
    sagejit_kernel_release(kernel);
    kernel = NULL;
    CHECK_FAILS(SAGEJIT_COMPILE_FAILED, sagejit_prepare("{\"head_dim\": 80}", gpu, NULL, &kernel),
                "cannot compile");
    CHECK(kernel == NULL);
    unsetenv("SAGEJIT_STUB_NVRTC_FAIL");
}

static void lists_what_is_prepared(void) {
    char* text = NULL;
    REQUIRE(sagejit_prepared_manifest(&text) == SAGEJIT_OK);
    CHECK(strstr(text, "\"first\"") != NULL);
    CHECK(strstr(text, "\"shapes\"") != NULL);
    sagejit_warmup_report* report = NULL;
    REQUIRE(sagejit_warmup(text, NULL, 0, &report) == SAGEJIT_OK);
    CHECK(sagejit_warmup_report_size(report) == 3);
    for (size_t i = 0; i < sagejit_warmup_report_size(report); ++i) {
        sagejit_warmup_line line = SAGEJIT_WARMUP_LINE_INIT;
        CHECK(sagejit_warmup_report_line(report, i, &line) == SAGEJIT_OK);
        CHECK(strcmp(line.problem, "") == 0);
    }
    sagejit_warmup_report_release(report);
    sagejit_text_release(text);
    sagejit_text_release(NULL);
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_prepared_manifest(NULL), "manifest_json");
}

static void refuses_what_is_no_manifest(void) {
    sagejit_warmup_report* report = NULL;
    CHECK_FAILS(SAGEJIT_INVALID_INPUT, sagejit_warmup("[]", NULL, 0, &report), "manifest");
    CHECK_FAILS(
        SAGEJIT_INVALID_INPUT,
        sagejit_warmup("{\"schema_version\": 1, \"kernels\": [{\"config\": {\"head_dim\": 64}, "
                       "\"shapes\": [{\"batch\": 1}]}]}",
                       NULL, 0, &report),
        "/kernels/0/shapes/0");
    CHECK_FAILS(
        SAGEJIT_INVALID_CONFIG,
        sagejit_warmup("{\"schema_version\": 1, \"kernels\": [{\"config\": {\"head_dim\": 7}}]}",
                       NULL, 0, &report),
        "head_dim");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup(NULL, NULL, 0, &report), "manifest_json");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup(kManifest, NULL, -1, &report), "threads");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup(kManifest, NULL, 0, NULL), "report");
    sagejit_prepare_options options = SAGEJIT_PREPARE_OPTIONS_INIT;
    options.policy = 7;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_warmup(kManifest, &options, 0, &report),
                "options.policy");
    CHECK(report == NULL);
}

int main(void) {
    /* A file where a directory should be: nothing is kept on disk. */
    setenv("SAGEJIT_CACHE_DIR", "/dev/null", 1);
    prepares_what_is_listed();
    lists_what_is_prepared();
    refuses_what_is_no_manifest();
    return finish();
}
