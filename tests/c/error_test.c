/* What the C API says of failures, and to whom; devices and buffers. */
#include <pthread.h>

#include "check.h"

static const sagejit_device kHost = {SAGEJIT_DEVICE_HOST, 0};

static void texts(void) {
    CHECK(sagejit_last_status() == SAGEJIT_OK);
    CHECK(strcmp(sagejit_last_error(), "") == 0);

    sagejit_kernel* kernel = NULL;
    CHECK(sagejit_prepare("{\"head_dim\": 100}", kHost, NULL, &kernel) == SAGEJIT_INVALID_CONFIG);
    CHECK(kernel == NULL);
    CHECK(sagejit_last_status() == SAGEJIT_INVALID_CONFIG);
    CHECK(strstr(sagejit_last_error_where(), "/head_dim") != NULL);
    CHECK(strstr(sagejit_last_error_message(), "100") != NULL);
    CHECK(strstr(sagejit_last_error_fix(), "96") != NULL);
    CHECK(strstr(sagejit_last_error(), sagejit_last_error_where()) != NULL);
    CHECK(strstr(sagejit_last_error(), sagejit_last_error_message()) != NULL);
    CHECK(strstr(sagejit_last_error(), sagejit_last_error_fix()) != NULL);

    /* A success leaves it. */
    sagejit_device device;
    CHECK(sagejit_device_parse("host", &device) == SAGEJIT_OK);
    CHECK(sagejit_last_status() == SAGEJIT_INVALID_CONFIG);
    CHECK(strstr(sagejit_last_error_where(), "/head_dim") != NULL);

    CHECK_FAILS(SAGEJIT_INVALID_CONFIG, sagejit_prepare("", kHost, NULL, &kernel), "config");
    /* More stages of 256 channels than shared memory holds. */
    CHECK_FAILS(
        SAGEJIT_UNSUPPORTED_TARGET,
        sagejit_prepare("{\"head_dim\": 256, \"tile\": {\"stages\": 4}, \"target\": \"sm_86\"}",
                        kHost, NULL, &kernel),
        "sm_86");
    CHECK(kernel == NULL);
}

static void* other_thread(void* ignored) {
    (void)ignored;
    if (sagejit_last_status() != SAGEJIT_OK) return "a thread starts with another's error";
    sagejit_device device;
    if (sagejit_device_parse("gpu", &device) != SAGEJIT_INVALID_ARGUMENT) return "gpu is no device";
    if (strstr(sagejit_last_error(), "gpu") == NULL) return "the error names no device";
    return NULL;
}

static void threads(void) {
    sagejit_kernel* kernel = NULL;
    CHECK(sagejit_prepare("[]", kHost, NULL, &kernel) == SAGEJIT_INVALID_CONFIG);
    pthread_t thread;
    void* problem = NULL;
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, &problem);
    if (problem != NULL) fprintf(stderr, "%s\n", (const char*)problem);
    CHECK(problem == NULL);
    CHECK(sagejit_last_status() == SAGEJIT_INVALID_CONFIG);
}

static void names(void) {
    CHECK(strcmp(sagejit_status_name(SAGEJIT_OK), "ok") == 0);
    CHECK(strcmp(sagejit_status_name(SAGEJIT_INVALID_CONFIG), "invalid_config") == 0);
    CHECK(strcmp(sagejit_status_name(SAGEJIT_INTERNAL), "internal") == 0);
    CHECK(strcmp(sagejit_status_name(SAGEJIT_OUT_OF_MEMORY), "out_of_memory") == 0);
    CHECK(strcmp(sagejit_status_name(-1), "unknown") == 0);
    CHECK(strcmp(sagejit_status_name(1000), "unknown") == 0);
    for (int status = 0; status <= SAGEJIT_NOT_BUILT; ++status) {
        CHECK(strcmp(sagejit_status_name(status), "unknown") != 0);
        for (int other = 0; other < status; ++other) {
            CHECK(strcmp(sagejit_status_name(status), sagejit_status_name(other)) != 0);
        }
    }
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SAGEJIT_VERSION_MAJOR, SAGEJIT_VERSION_MINOR,
             SAGEJIT_VERSION_PATCH);
    CHECK(strcmp(sagejit_version(), version) == 0);
}

static void devices(void) {
    sagejit_device device = {77, 77};
    CHECK(sagejit_device_parse("host", &device) == SAGEJIT_OK);
    CHECK(device.type == SAGEJIT_DEVICE_HOST && device.ordinal == 0);
    CHECK(sagejit_device_parse("best", &device) == SAGEJIT_OK);
    CHECK(device.type == SAGEJIT_DEVICE_HOST || device.type == SAGEJIT_DEVICE_CUDA);
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_device_parse("cuda", &device), "cuda");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_device_parse(NULL, &device), "text");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_device_parse("host", NULL), "device");

    /* A GPU that is not there, where there is none at all and where there is one. */
    const sagejit_status status = sagejit_device_parse("cuda:999", &device);
    CHECK(status == SAGEJIT_NO_DRIVER || status == SAGEJIT_NO_DEVICE);
    sagejit_buffer* buffer = NULL;
    const sagejit_device absent = {SAGEJIT_DEVICE_CUDA, 999};
    CHECK(sagejit_buffer_new(absent, 16, &buffer) == status);

    const sagejit_device unknown = {3, 0}, numbered = {SAGEJIT_DEVICE_HOST, 1};
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_new(unknown, 16, &buffer), "device.type");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_new(numbered, 16, &buffer),
                "device.ordinal");
    CHECK(buffer == NULL);
}

static void buffers(void) {
    sagejit_buffer* buffer = NULL;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_new(kHost, 16, NULL), "buffer");
    CHECK_FAILS(SAGEJIT_LAUNCH_FAILED, sagejit_buffer_new(kHost, SIZE_MAX, &buffer), "memory");
    CHECK(buffer == NULL);
    REQUIRE(sagejit_buffer_new(kHost, 8, &buffer) == SAGEJIT_OK);

    char read[8] = "";
    CHECK(sagejit_buffer_upload(buffer, "attend", 7, 1) == SAGEJIT_OK);
    CHECK(sagejit_buffer_download(buffer, read, 7, 1) == SAGEJIT_OK);
    CHECK(strcmp(read, "attend") == 0);
    CHECK(memcmp((char*)sagejit_buffer_data(buffer) + 1, "attend", 7) == 0);
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_upload(buffer, read, 8, 1),
                "pass the end");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_download(buffer, read, 1, SIZE_MAX),
                "pass the end");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_upload(buffer, NULL, 1, 0), "source");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_download(buffer, NULL, 1, 0),
                "destination");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_upload(NULL, read, 1, 0), "buffer");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_buffer_download(NULL, read, 1, 0), "buffer");
    sagejit_buffer_release(buffer);

    REQUIRE(sagejit_buffer_new(kHost, 0, &buffer) == SAGEJIT_OK);
    CHECK(sagejit_buffer_data(buffer) == NULL);
    CHECK(sagejit_buffer_upload(buffer, NULL, 0, 0) == SAGEJIT_OK);
    sagejit_buffer_release(buffer);
    CHECK(sagejit_buffer_data(NULL) == NULL);
    sagejit_buffer_release(NULL);
}

int main(void) {
    texts();
    threads();
    names();
    devices();
    buffers();
    return finish();
}
