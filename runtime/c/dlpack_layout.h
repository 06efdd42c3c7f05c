/* The structures of DLPack 1.x (https://dmlc.github.io/dlpack/latest/c_api.html), laid out for
 * 64-bit machines, in C and C++. sagejit.h only declares them, so that programs use the dlpack.h
 * they have.
 */
#ifndef SAGEJIT_DLPACK_LAYOUT_H_
#define SAGEJIT_DLPACK_LAYOUT_H_

#include <stdint.h>

enum { kDlpackMajor = 1, kDlpackMinor = 1 };
/* Where memory is; ours are the ones named. */
enum { kDlpackCpu = 1, kDlpackCuda = 2, kDlpackCudaHost = 3, kDlpackCudaManaged = 13 };
enum { kDlpackFloat = 2, kDlpackBfloat = 4 };
enum { kDlpackReadOnly = 1 }; /* a bit of flags */

typedef struct DlpackTensor {
    void* data;
    int32_t device_type;
    int32_t device_id;
    int32_t ndim;
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
    int64_t* shape;
    int64_t* strides; /* in elements; NULL (before 1.2): contiguous */
    uint64_t byte_offset;
} DlpackTensor;

struct DLManagedTensor {
    DlpackTensor dl_tensor;
    void* manager_ctx;
    void (*deleter)(struct DLManagedTensor* self); /* may be NULL */
};

/* All up to flags stays as it is in every version. */
struct DLManagedTensorVersioned {
    uint32_t major, minor;
    void* manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned* self); /* may be NULL */
    uint64_t flags;
    DlpackTensor dl_tensor;
};

#endif /* SAGEJIT_DLPACK_LAYOUT_H_ */
