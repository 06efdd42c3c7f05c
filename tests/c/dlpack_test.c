/* DLPack tensors into and out of the C API. */
#include "c/dlpack_layout.h"
#include "problem.h"

static const sagejit_device kHost = {SAGEJIT_DEVICE_HOST, 0};

static int64_t some_shape[] = {2, 3, 5, 64};
static int64_t some_strides[] = {1000, 64, 192, 1};
static uint16_t some_memory[4000];

static DlpackTensor some_tensor(void) {
    DlpackTensor tensor;
    memset(&tensor, 0, sizeof tensor);
    tensor.data = some_memory;
    tensor.device_type = kDlpackCpu;
    tensor.ndim = 4;
    tensor.code = kDlpackFloat;
    tensor.bits = 16;
    tensor.lanes = 1;
    tensor.shape = some_shape;
    tensor.strides = some_strides;
    return tensor;
}

static void imports(void) {
    struct DLManagedTensor managed = {some_tensor(), NULL, NULL};
    sagejit_tensor tensor;
    sagejit_device device = {9, 9};
    memset(&tensor, 0xff, sizeof tensor);
    managed.dl_tensor.byte_offset = 6;
    REQUIRE(sagejit_tensor_from_dlpack(&managed, SAGEJIT_WRITE, &tensor, &device) == SAGEJIT_OK);
    CHECK(tensor.data == some_memory + 3);
    CHECK(tensor.dtype == SAGEJIT_FP16 && tensor.reserved == 0);
    CHECK(memcmp(tensor.shape, some_shape, sizeof some_shape) == 0);
    CHECK(memcmp(tensor.strides, some_strides, sizeof some_strides) == 0);
    CHECK(device.type == SAGEJIT_DEVICE_HOST && device.ordinal == 0);

    managed.dl_tensor.strides = NULL;
    managed.dl_tensor.code = kDlpackBfloat;
    managed.dl_tensor.device_type = kDlpackCuda;
    managed.dl_tensor.device_id = 3;
    REQUIRE(sagejit_tensor_from_dlpack(&managed, SAGEJIT_READ, &tensor, &device) == SAGEJIT_OK);
    CHECK(tensor.dtype == SAGEJIT_BF16);
    CHECK(tensor.strides[0] == 960 && tensor.strides[1] == 320 && tensor.strides[2] == 64 &&
          tensor.strides[3] == 1);
    CHECK(device.type == SAGEJIT_DEVICE_CUDA && device.ordinal == 3);

    /* lse: three dimensions of fp32. */
    managed.dl_tensor.ndim = 3;
    managed.dl_tensor.code = kDlpackFloat;
    managed.dl_tensor.bits = 32;
    REQUIRE(sagejit_tensor_from_dlpack(&managed, SAGEJIT_READ, &tensor, NULL) == SAGEJIT_OK);
    CHECK(tensor.dtype == SAGEJIT_FP32);
    CHECK(tensor.shape[2] == 5 && tensor.shape[3] == 1 && tensor.strides[0] == 15);

    some_shape[1] = 0; /* empty: no memory */
    managed.dl_tensor.data = NULL;
    REQUIRE(sagejit_tensor_from_dlpack(&managed, SAGEJIT_READ, &tensor, NULL) == SAGEJIT_OK);
    CHECK(tensor.data == NULL);
    some_shape[1] = 3;
}

#define REFUSED(member, value, words)                                                             \
    do {                                                                                          \
        struct DLManagedTensor managed = {some_tensor(), NULL, NULL};                             \
        managed.dl_tensor.member = value;                                                         \
        CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,                                                     \
                    sagejit_tensor_from_dlpack(&managed, SAGEJIT_READ, &tensor, &device), words); \
    } while (0)

static void refuses(void) {
    sagejit_tensor tensor, untouched;
    sagejit_device device = {9, 9};
    int64_t negative[] = {1, -1, 1, 1}, huge[] = {INT64_MAX, 3, 1, 1};
    memset(&tensor, 0x5a, sizeof tensor);
    untouched = tensor;
    REFUSED(ndim, 2, "ndim");
    REFUSED(ndim, 5, "ndim");
    REFUSED(ndim, -1, "ndim");
    REFUSED(shape, NULL, "shape");
    REFUSED(shape, negative, "shape[1]");
    REFUSED(shape, huge, "shape");
    REFUSED(bits, 8, "dtype");
    REFUSED(lanes, 2, "dtype");
    REFUSED(code, 0, "dtype");                  /* integers */
    REFUSED(device_type, 10, "device type 10"); /* ROCm */

    struct DLManagedTensor plain = {some_tensor(), NULL, NULL};
    struct DLManagedTensorVersioned managed = {1, 9, NULL, NULL, kDlpackReadOnly, some_tensor()};
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_from_dlpack_versioned(&managed, SAGEJIT_WRITE, &tensor, &device),
                "read-only");
    managed.major = 2;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_from_dlpack_versioned(&managed, SAGEJIT_READ, &tensor, &device),
                "DLPack 2.9");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_tensor_from_dlpack(&plain, 2, &tensor, &device),
                "access");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_from_dlpack(NULL, SAGEJIT_READ, &tensor, &device), "managed");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_from_dlpack_versioned(NULL, SAGEJIT_READ, &tensor, &device),
                "managed");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_from_dlpack(&plain, SAGEJIT_READ, NULL, &device), "tensor");
    CHECK(memcmp(&tensor, &untouched, sizeof tensor) == 0);
    CHECK(device.type == 9 && device.ordinal == 9);

    managed.major = 1; /* a newer minor is fine, and so is reading what is read-only */
    CHECK(sagejit_tensor_from_dlpack_versioned(&managed, SAGEJIT_READ, &tensor, NULL) ==
          SAGEJIT_OK);
}

static int released = 0;
static void release(void* owner) { released += *(int*)owner; }

static void wraps(void) {
    int owner = 1;
    const sagejit_tensor tensor = sagejit_tensor_contiguous(some_memory, SAGEJIT_BF16, 1, 2, 3, 64);
    struct DLManagedTensor* managed = NULL;
    REQUIRE(sagejit_tensor_to_dlpack(&tensor, kHost, &owner, release, &managed) == SAGEJIT_OK);
    CHECK(managed->dl_tensor.data == some_memory && managed->dl_tensor.byte_offset == 0);
    CHECK(managed->dl_tensor.device_type == kDlpackCpu && managed->dl_tensor.device_id == 0);
    CHECK(managed->dl_tensor.ndim == 4 && managed->dl_tensor.code == kDlpackBfloat);
    CHECK(managed->dl_tensor.bits == 16 && managed->dl_tensor.lanes == 1);
    sagejit_tensor again;
    CHECK(sagejit_tensor_from_dlpack(managed, SAGEJIT_WRITE, &again, NULL) == SAGEJIT_OK);
    CHECK(memcmp(&again, &tensor, sizeof tensor) == 0);
    CHECK(released == 0);
    managed->deleter(managed);
    CHECK(released == 1);

    struct DLManagedTensorVersioned* versioned = NULL;
    REQUIRE(sagejit_tensor_to_dlpack_versioned(&tensor, kHost, &owner, release, &versioned) ==
            SAGEJIT_OK);
    CHECK(versioned->major == 1 && versioned->flags == 0);
    versioned->deleter(versioned);
    CHECK(released == 2);
    REQUIRE(sagejit_tensor_to_dlpack(&tensor, kHost, NULL, NULL, &managed) == SAGEJIT_OK);
    managed->deleter(managed);

    /* The owner keeps what is refused. */
    const sagejit_device best = {SAGEJIT_DEVICE_BEST, 0};
    sagejit_tensor wrong = tensor;
    wrong.shape[2] = -1;
    managed = NULL;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_to_dlpack(&tensor, best, &owner, release, &managed), "device.type");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_to_dlpack(&wrong, kHost, &owner, release, &managed), "shape[2]");
    wrong = tensor;
    wrong.dtype = 17;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_to_dlpack(&wrong, kHost, &owner, release, &managed), "tensor.dtype");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_to_dlpack(NULL, kHost, &owner, release, &managed), "tensor");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_tensor_to_dlpack(&tensor, kHost, &owner, release, NULL), "managed");
    CHECK(managed == NULL && released == 2);
}

static void allocates(void) {
    const int64_t shape[] = {1, HEADS_Q, LEN_Q}, none[] = {4, 0}, huge[] = {INT64_MAX, 8};
    const int64_t negative[] = {-2};
    struct DLManagedTensor* managed = NULL;
    REQUIRE(sagejit_dlpack_new(kHost, SAGEJIT_FP32, 3, shape, &managed) == SAGEJIT_OK);
    CHECK((uintptr_t)managed->dl_tensor.data % 256 == 0);
    CHECK(managed->dl_tensor.ndim == 3 && managed->dl_tensor.bits == 32);
    CHECK(memcmp(managed->dl_tensor.shape, shape, sizeof shape) == 0);
    CHECK(managed->dl_tensor.strides[0] == HEADS_Q * LEN_Q && managed->dl_tensor.strides[2] == 1);
    memset(managed->dl_tensor.data, 1, sizeof(float) * HEADS_Q * LEN_Q);
    managed->deleter(managed);

    struct DLManagedTensorVersioned* versioned = NULL;
    REQUIRE(sagejit_dlpack_new_versioned(kHost, SAGEJIT_FP16, 2, none, &versioned) == SAGEJIT_OK);
    CHECK(versioned->dl_tensor.data == NULL);
    versioned->deleter(versioned);

    managed = NULL;
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_dlpack_new(kHost, 0, 3, shape, &managed),
                "dtype");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_dlpack_new(kHost, SAGEJIT_FP16, 0, shape, &managed), "ndim");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_dlpack_new(kHost, SAGEJIT_FP16, 9, shape, &managed), "ndim");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_dlpack_new(kHost, SAGEJIT_FP16, 2, huge, &managed), "shape");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_dlpack_new(kHost, SAGEJIT_FP16, 1, negative, &managed), "shape[0]");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT,
                sagejit_dlpack_new(kHost, SAGEJIT_FP16, 1, NULL, &managed), "shape");
    CHECK_FAILS(SAGEJIT_INVALID_ARGUMENT, sagejit_dlpack_new(kHost, SAGEJIT_FP16, 3, shape, NULL),
                "managed");
    CHECK(managed == NULL);
}

/* Attention on tensors that came by DLPack, into one that goes by it. */
static void attends(void) {
    static problem p;
    make_problem(&p, 1 / sqrt(DIM), 1);
    const int64_t shape[] = {1, HEADS_Q, LEN_Q, DIM}, lse_shape[] = {1, HEADS_Q, LEN_Q};
    struct DLManagedTensorVersioned *o = NULL, *lse = NULL;
    REQUIRE(sagejit_dlpack_new_versioned(kHost, SAGEJIT_FP16, 4, shape, &o) == SAGEJIT_OK);
    REQUIRE(sagejit_dlpack_new_versioned(kHost, SAGEJIT_FP32, 3, lse_shape, &lse) == SAGEJIT_OK);
    sagejit_call call = make_call(&p, NULL);
    struct DLManagedTensor* q = NULL;
    REQUIRE(sagejit_tensor_to_dlpack(&call.q, kHost, NULL, NULL, &q) == SAGEJIT_OK);
    memset(&call.q, 0, sizeof call.q);
    REQUIRE(sagejit_tensor_from_dlpack(q, SAGEJIT_READ, &call.q, NULL) == SAGEJIT_OK);
    REQUIRE(sagejit_tensor_from_dlpack_versioned(o, SAGEJIT_WRITE, &call.o, NULL) == SAGEJIT_OK);
    call.lse = lse->dl_tensor.data;

    sagejit_kernel* kernel = NULL;
    sagejit_buffer* workspace = NULL;
    size_t bytes = 0;
    REQUIRE(sagejit_prepare("{\"head_dim\": 32, \"causal\": \"bottom_right\", \"lse\": true}",
                            kHost, NULL, &kernel) == SAGEJIT_OK);
    REQUIRE(sagejit_kernel_workspace_size(kernel, &call, &bytes) == SAGEJIT_OK);
    REQUIRE(sagejit_buffer_new(kHost, bytes, &workspace) == SAGEJIT_OK);
    CHECK(sagejit_kernel_launch(kernel, &call, sagejit_buffer_data(workspace), bytes, NULL) ==
          SAGEJIT_OK);
    CHECK(largest_error(&p, o->dl_tensor.data) < kTolerance);
    sagejit_buffer_release(workspace);
    sagejit_kernel_release(kernel);
    q->deleter(q);
    o->deleter(o);
    lse->deleter(lse);
}

int main(void) {
    imports();
    refuses();
    wraps();
    allocates();
    attends();
    return finish();
}
