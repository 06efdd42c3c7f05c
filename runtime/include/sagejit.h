/* sagejit in C: quantized attention, compiled at run time. (C++: <sagejit/sagejit.h>.)
 *
 *   sagejit_kernel* kernel = NULL;
 *   sagejit_device device = {SAGEJIT_DEVICE_BEST, 0};
 *   sagejit_prepare("{\"head_dim\": 128}", device, NULL, &kernel);           may take seconds
 *   sagejit_kernel_workspace_size(kernel, &call, &bytes);                    256-aligned, yours
 *   sagejit_kernel_launch(kernel, &call, workspace, bytes, stream);          never blocks
 *
 * Every function that can fail returns a sagejit_status, SAGEJIT_OK being 0, and writes its results
 * through pointers, which it leaves alone when it fails. What went wrong is told by
 * sagejit_last_error. Functions may be called from many threads at once. Structures that may grow
 * begin with struct_size: set it to sizeof the structure and everything that is not used to zero
 * (the SAGEJIT_..._INIT macros do). A smaller size than this header's or one this library does not
 * know, with something other than zeros in it, is SAGEJIT_INVALID_ARGUMENT.
 */
#ifndef SAGEJIT_H_
#define SAGEJIT_H_

#include <stddef.h>
#include <stdint.h>

#define SAGEJIT_VERSION_MAJOR 0
#define SAGEJIT_VERSION_MINOR 1
#define SAGEJIT_VERSION_PATCH 0

#define SAGEJIT_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* --- Errors ---------------------------------------------------------------------------------- */

typedef int32_t sagejit_status;
enum {
    SAGEJIT_OK = 0,
    SAGEJIT_INVALID_CONFIG = 1,       /* a config breaks a rule; where is a JSON path */
    SAGEJIT_UNSUPPORTED_TARGET = 2,   /* the plan does not fit the target, or it is not known */
    SAGEJIT_INVALID_ARGUMENT = 3,     /* an argument breaks a precondition */
    SAGEJIT_INVALID_INPUT = 4,        /* a file is malformed, truncated or holds the wrong things */
    SAGEJIT_COMPILE_FAILED = 5,       /* the compiler refused a source; its log is in the message */
    SAGEJIT_NO_DRIVER = 6,            /* libcuda could not be loaded or initialised */
    SAGEJIT_NO_DEVICE = 7,            /* no such GPU */
    SAGEJIT_NO_NVRTC = 8,             /* libnvrtc could not be loaded */
    SAGEJIT_NO_HOST_COMPILER = 9,     /* no C++ compiler for the host device */
    SAGEJIT_NOT_PREPARED = 10,        /* launch before prepare */
    SAGEJIT_LAUNCH_FAILED = 11,       /* the driver refused, or a kernel faulted */
    SAGEJIT_IO = 12,                  /* a file could not be read or written */
    SAGEJIT_VERIFICATION_FAILED = 13, /* results are outside their bounds */
    SAGEJIT_INTERNAL = 14,            /* a bug in sagejit */
    SAGEJIT_OUT_OF_MEMORY = 15,       /* of the process */
    SAGEJIT_NOT_BUILT = 16,           /* compiling was not allowed, and nothing holds the kernel */
    SAGEJIT_CANCELLED = 17            /* a deadline passed, or the caller asked to stop */
};

/* The status in words, e.g. "invalid_config"; "unknown" for a number that is none. */
SAGEJIT_API const char* sagejit_status_name(sagejit_status status);

/* The last failure in this thread. A call that succeeds leaves it. The texts are never NULL, empty
 * where there is nothing to say, and live until the next call in this thread that fails. */
SAGEJIT_API sagejit_status sagejit_last_status(void);
SAGEJIT_API const char* sagejit_last_error(void);         /* all of it: "where: message (fix)" */
SAGEJIT_API const char* sagejit_last_error_message(void); /* what happened */
SAGEJIT_API const char* sagejit_last_error_where(void);   /* argument, config path, file, entry */
SAGEJIT_API const char* sagejit_last_error_fix(void);     /* what to do next */

/* The version of the library that runs, "0.1.0". */
SAGEJIT_API const char* sagejit_version(void);

/* --- Devices --------------------------------------------------------------------------------- */

/* Laid out and numbered as DLPack's DLDevice, which has no BEST. */
typedef struct sagejit_device {
    int32_t type;    /* SAGEJIT_DEVICE_... */
    int32_t ordinal; /* of a GPU, as the driver counts (CUDA_VISIBLE_DEVICES applies); else 0 */
} sagejit_device;
enum {
    SAGEJIT_DEVICE_BEST = 0, /* sagejit_attention: where the tensors are. Else the first GPU that
                                can be used, and the host device where there is none. */
    SAGEJIT_DEVICE_HOST = 1, /* the same kernels on the CPU, slowly */
    SAGEJIT_DEVICE_CUDA = 2
};

/* Turns "best", "host" or "cuda:N" into a device that is there; "best" into one of the others.
 * SAGEJIT_INVALID_ARGUMENT for another text, SAGEJIT_NO_DRIVER, SAGEJIT_NO_DEVICE. */
SAGEJIT_API sagejit_status sagejit_device_parse(const char* text, sagejit_device* device);

/* --- Tensors --------------------------------------------------------------------------------- */

enum { SAGEJIT_FP16 = 1, SAGEJIT_BF16 = 2, SAGEJIT_FP32 = 3 };

/* A tensor the caller holds, in the memory of the kernel's device. shape and strides count
 * elements, in the order batch, heads, len, dim. strides[3] must be 1; the others are free (also 0,
 * to repeat), but not negative, and no two elements of an output may share memory. Fastest where
 * data is 16-byte aligned and strides are multiples of 8. data may be NULL in an empty tensor. */
typedef struct sagejit_tensor {
    void* data;
    int32_t dtype;    /* SAGEJIT_FP16 or SAGEJIT_BF16 */
    int32_t reserved; /* 0 */
    int64_t shape[4];
    int64_t strides[4];
} sagejit_tensor;

/* A contiguous tensor. Cannot fail; what is wrong with it is told by the call that takes it. */
SAGEJIT_API sagejit_tensor sagejit_tensor_contiguous(void* data, int32_t dtype, int64_t batch,
                                                     int64_t heads, int64_t len, int64_t dim);

/* DLPack, with or without a version. Their structures come from your <dlpack/dlpack.h>. */
struct DLManagedTensor;
struct DLManagedTensorVersioned;

enum { SAGEJIT_READ = 0, SAGEJIT_WRITE = 1 };

/* View a DLPack tensor of 4 dimensions (or 3: the last is then 1) of fp16, bf16 or fp32. Nothing is
 * copied and no ownership passes: keep the DLPack tensor until the work on it is done, then call
 * its deleter. device: where it is; may be NULL. access: SAGEJIT_WRITE is refused for a tensor
 * marked read-only. SAGEJIT_INVALID_ARGUMENT for everything else that cannot be viewed. */
SAGEJIT_API sagejit_status sagejit_tensor_from_dlpack(const struct DLManagedTensor* managed,
                                                      int32_t access, sagejit_tensor* tensor,
                                                      sagejit_device* device);
SAGEJIT_API sagejit_status
sagejit_tensor_from_dlpack_versioned(const struct DLManagedTensorVersioned* managed, int32_t access,
                                     sagejit_tensor* tensor, sagejit_device* device);

/* Hand out the caller's memory as a DLPack tensor of 4 dimensions. Its deleter calls
 * release(owner) once, unless release is NULL. device must not be SAGEJIT_DEVICE_BEST. */
typedef void (*sagejit_release)(void* owner);
SAGEJIT_API sagejit_status sagejit_tensor_to_dlpack(const sagejit_tensor* tensor,
                                                    sagejit_device device, void* owner,
                                                    sagejit_release release,
                                                    struct DLManagedTensor** managed);
SAGEJIT_API sagejit_status sagejit_tensor_to_dlpack_versioned(
    const sagejit_tensor* tensor, sagejit_device device, void* owner, sagejit_release release,
    struct DLManagedTensorVersioned** managed);

/* Allocate a contiguous DLPack tensor of 1 to 8 dimensions; its deleter frees it (on a GPU by
 * cuMemFree, which waits for the work on it). Its contents are undefined. */
SAGEJIT_API sagejit_status sagejit_dlpack_new(sagejit_device device, int32_t dtype, int32_t ndim,
                                              const int64_t* shape,
                                              struct DLManagedTensor** managed);
SAGEJIT_API sagejit_status sagejit_dlpack_new_versioned(sagejit_device device, int32_t dtype,
                                                        int32_t ndim, const int64_t* shape,
                                                        struct DLManagedTensorVersioned** managed);

/* --- Kernels --------------------------------------------------------------------------------- */

/* A kernel, compiled and loaded on one device. Keep it until the work it enqueued, and every graph
 * that captured it, is done. */
typedef struct sagejit_kernel sagejit_kernel;

/* Where a GPU's kernel may come from: bundles first, then the cache, then NVRTC. */
enum {
    SAGEJIT_POLICY_JIT = 0,        /* from all of them */
    SAGEJIT_POLICY_CACHE_ONLY = 1, /* not from NVRTC, which is not opened */
    SAGEJIT_POLICY_BUNDLE_ONLY = 2 /* from bundles; neither the cache nor NVRTC is touched */
};

typedef struct sagejit_prepare_options {
    size_t struct_size;
    const char* cache_directory; /* NULL: $SAGEJIT_CACHE_DIR, else $XDG_CACHE_HOME/sagejit, else
                                    ~/.cache/sagejit */
    int32_t no_cache;            /* 1: neither read nor write compiled kernels on disk */
    int32_t no_tuning;           /* 1: do not look for tuning records (sagejit tune) */
    uint64_t host_seed; /* host device: seed of the randomised schedule, 0 for the plain order */
    int32_t policy;     /* SAGEJIT_POLICY_...; the host device takes SAGEJIT_POLICY_JIT only */
    int32_t allow_slow_code;    /* 1: take tiles of the config with which ptxas spills registers or
                                   serialises wgmma; else SAGEJIT_UNSUPPORTED_TARGET */
    const char* const* bundles; /* files of kernels compiled ahead of time (sagejit build), searched
                                   in order after those linked in <sagejit/linked_bundle.h> */
    size_t bundle_count;
    /* batch, heads_q, heads_kv, len_q, len_k that the kernel is mostly for: tuning records for
     * them, or for the nearest ones, decide its tiles. It runs on any sizes. All 0: not known. */
    int64_t shape[5];
    int64_t timeout_ms; /* give up after that long with SAGEJIT_CANCELLED; 0: never. What others
                           wait for goes on without this caller. */
} sagejit_prepare_options;
#define SAGEJIT_PREPARE_OPTIONS_INIT \
    { sizeof(sagejit_prepare_options), NULL, 0, 0, 0, 0, 0, NULL, 0, {0, 0, 0, 0, 0}, 0 }

/* Plans, finds in a bundle or the cache or compiles, and loads the kernel of a JSON config, a text
 * that ends in NUL (docs/reference/config.md). options may be NULL. Release the kernel with
 * sagejit_kernel_release. Any status. */
SAGEJIT_API sagejit_status sagejit_prepare(const char* config_json, sagejit_device device,
                                           const sagejit_prepare_options* options,
                                           sagejit_kernel** kernel);

/* A kernel that is being prepared on a thread of the library's. */
typedef struct sagejit_preparation sagejit_preparation;

/* sagejit_prepare without waiting: checks the arguments and opens the bundles, starts, and gives a
 * handle, to be released. options->timeout_ms counts from here. Where the process exits meanwhile,
 * compilations that can be stopped are (NVRTC 13.0 and newer), and the exit waits for the others.
 */
SAGEJIT_API sagejit_status sagejit_prepare_async(const char* config_json, sagejit_device device,
                                                 const sagejit_prepare_options* options,
                                                 sagejit_preparation** preparation);

/* Waits for the end for up to timeout_ms: 0 only looks, less than 0 waits for as long as it takes.
 * done: 1 where it is over, well or not, else 0. */
SAGEJIT_API sagejit_status sagejit_preparation_wait(const sagejit_preparation* preparation,
                                                    int64_t timeout_ms, int32_t* done);

/* Waits for the end and tells what came of it: any status of sagejit_prepare, and on success the
 * kernel, to be released. May be asked several times, by several threads: each gets a handle. */
SAGEJIT_API sagejit_status sagejit_preparation_kernel(const sagejit_preparation* preparation,
                                                      sagejit_kernel** kernel);

/* Ends it with SAGEJIT_CANCELLED, unless it is over already. Returns at once. NULL is ignored. */
SAGEJIT_API void sagejit_preparation_cancel(sagejit_preparation* preparation);

/* Lets go of it, which cancels nothing: the kernel is kept for the process, and found by the next
 * sagejit_prepare. NULL is ignored. */
SAGEJIT_API void sagejit_preparation_release(sagejit_preparation* preparation);

/* One more, one less owner. The last release unloads the kernel. NULL is ignored. */
SAGEJIT_API void sagejit_kernel_retain(sagejit_kernel* kernel);
SAGEJIT_API void sagejit_kernel_release(sagejit_kernel* kernel);

enum {
    SAGEJIT_TUNING_NONE = 0,         /* nobody has measured: sagejit's own choice */
    SAGEJIT_TUNING_OTHER_DEVICE = 1, /* measured on another GPU of the same compute capability */
    SAGEJIT_TUNING_OTHER_SHAPE = 2,  /* measured on this GPU, for other sizes */
    SAGEJIT_TUNING_EXACT = 3         /* measured on this GPU, for sizes of the same bucket */
};

typedef struct sagejit_kernel_info {
    size_t struct_size;
    sagejit_device device;
    const char* target;    /* "sm_90"; this and the next live as long as the kernel */
    const char* plan_json; /* every decision, as `sagejit plan --json` prints it */
    int32_t from_cache;    /* 1: nothing was compiled */
    int32_t tuning;        /* SAGEJIT_TUNING_...: what decided the tiles */
    double compile_ms;     /* NVRTC, or the host compiler */
    double load_ms;        /* from cache or compiler to a kernel that can be launched */
    const char* bundle;    /* the bundle it was in, "" if in none; lives as long as the kernel */
} sagejit_kernel_info;
#define SAGEJIT_KERNEL_INFO_INIT \
    { sizeof(sagejit_kernel_info), {0, 0}, NULL, NULL, 0, 0, 0, 0, NULL }

/* Fills as much of info as its struct_size says. */
SAGEJIT_API sagejit_status sagejit_kernel_describe(const sagejit_kernel* kernel,
                                                   sagejit_kernel_info* info);

/* One attention call: o = softmax(logit_scale * q k^T + causal mask) v. o and lse must not overlap
 * q, k, v or each other. */
typedef struct sagejit_call {
    size_t struct_size;
    sagejit_tensor q;  /* [batch, heads_q, len_q, head_dim] */
    sagejit_tensor k;  /* [batch, heads_kv, len_k, head_dim] */
    sagejit_tensor v;  /* [batch, heads_kv, len_k, head_dim_v] */
    sagejit_tensor o;  /* [batch, heads_q, len_q, head_dim_v], written */
    float* lse;        /* [batch, heads_q, len_q] contiguous, natural log; required where the config
                          asks for lse, else NULL */
    float logit_scale; /* 0: 1/sqrt(head_dim) */
    int32_t reserved;  /* 0 */
} sagejit_call;

/* Bytes of workspace a call of these shapes needs; 0 when there is nothing to compute. Pointers in
 * the call are not looked at. */
SAGEJIT_API sagejit_status sagejit_kernel_workspace_size(const sagejit_kernel* kernel,
                                                         const sagejit_call* call, size_t* bytes);

/* Checks the call, then enqueues all of it on stream: a CUstream (or cudaStream_t) of the device's
 * primary context, NULL for its legacy default stream; ignored by the host device, which returns
 * when done. Never blocks, allocates nothing on the device, leaves the current device alone, and
 * can be captured in a CUDA graph. workspace: device memory, 256-byte aligned, at least
 * sagejit_kernel_workspace_size bytes, in use until the call completes; its contents do not matter.
 * SAGEJIT_INVALID_ARGUMENT before anything is launched, SAGEJIT_LAUNCH_FAILED after;
 * SAGEJIT_NO_DRIVER in a process forked after CUDA was initialised. */
SAGEJIT_API sagejit_status sagejit_kernel_launch(const sagejit_kernel* kernel,
                                                 const sagejit_call* call, void* workspace,
                                                 size_t workspace_bytes, void* stream);

/* --- Manifests: what to prepare before it is needed ---------------------------------------------
 */

/* What became of everything that a manifest lists. */
typedef struct sagejit_warmup_report sagejit_warmup_report;

/* What became of one line of a manifest, or of one of the shapes it names. Texts live as long as
 * the report. */
typedef struct sagejit_warmup_line {
    size_t struct_size;
    const char* config;  /* its name, or its place in the manifest: "kernels/2" */
    const char* device;  /* "cuda:0", "host"; what the manifest says where there is no such one */
    const char* problem; /* "" where the kernel is prepared */
    int64_t shape[5];    /* batch, heads_q, heads_kv, len_q, len_k; all 0: none in particular */
    int32_t from_cache;  /* this and the rest as in sagejit_kernel_info; 0 and "" for a problem */
    int32_t tuning;
    double compile_ms;
    double load_ms;
    const char* bundle;
} sagejit_warmup_line;
#define SAGEJIT_WARMUP_LINE_INIT \
    { sizeof(sagejit_warmup_line), NULL, NULL, NULL, {0, 0, 0, 0, 0}, 0, 0, 0, 0, NULL }

/* Prepares everything a manifest lists, up to `threads` at a time (0: as many as there are
 * processors), and tells what became of each in a report, to be released. A manifest is JSON:
 *   {"schema_version": 1, "kernels": [{"config": {...}, "device": "cuda:0", "shapes": [
 *       {"batch": 4, "heads_q": 32, "heads_kv": 8, "len_q": 4096, "len_k": 4096}, ...]}, ...]}
 * device may be left out for the best one, shapes for no sizes in particular. With shapes the plan
 * that is the best known for each of them (sagejit tune) is prepared, one line of the report each.
 * The process keeps the kernels: sagejit_prepare of the same config compiles nothing, and
 * sagejit_attention finds those of its sizes. options apply to each kernel, and may be NULL.
 * SAGEJIT_INVALID_INPUT for a text that is no manifest, SAGEJIT_INVALID_CONFIG for a config that
 * breaks a rule, SAGEJIT_INVALID_ARGUMENT, before anything is prepared. Other failures are told in
 * the report. */
SAGEJIT_API sagejit_status sagejit_warmup(const char* manifest_json,
                                          const sagejit_prepare_options* options, int32_t threads,
                                          sagejit_warmup_report** report);

/* How many lines it has; 0 for NULL. They are in the manifest's order. */
SAGEJIT_API size_t sagejit_warmup_report_size(const sagejit_warmup_report* report);

/* Fills as much of line as its struct_size says. SAGEJIT_INVALID_ARGUMENT for an index past the
 * last one. */
SAGEJIT_API sagejit_status sagejit_warmup_report_line(const sagejit_warmup_report* report,
                                                      size_t index, sagejit_warmup_line* line);

/* NULL is ignored. The kernels stay. */
SAGEJIT_API void sagejit_warmup_report_release(sagejit_warmup_report* report);

/* The manifest of all kernels that are prepared now, with a shape for every bucket of sizes that
 * sagejit_attention was called with, for sagejit_warmup in the next process. A text that ends in
 * NUL, to be released with sagejit_text_release. */
SAGEJIT_API sagejit_status sagejit_prepared_manifest(char** manifest_json);

/* NULL is ignored. */
SAGEJIT_API void sagejit_text_release(char* text);

/* --- One call for the impatient ------------------------------------------------------------------
 */

enum { SAGEJIT_CAUSAL_NONE = 0, SAGEJIT_CAUSAL_TOP_LEFT = 1, SAGEJIT_CAUSAL_BOTTOM_RIGHT = 2 };

/* How much accuracy is given up for speed; in numbers: docs/reference/accuracy.md. */
enum { SAGEJIT_QUALITY_BALANCED = 0, SAGEJIT_QUALITY_ACCURATE = 1, SAGEJIT_QUALITY_FAST = 2 };

typedef struct sagejit_attention_options {
    size_t struct_size;
    sagejit_device device; /* SAGEJIT_DEVICE_BEST: where the tensors are, which must be one device;
                              the CPU's memory is the host device's */
    int32_t causal;        /* SAGEJIT_CAUSAL_... */
    int32_t quality;       /* SAGEJIT_QUALITY_... */
    float* lse;            /* [batch, heads_q, len_q] contiguous, written; NULL: not wanted */
    float logit_scale;     /* 0: 1/sqrt(head_dim) */
    int32_t reserved;      /* 0 */
} sagejit_attention_options;
#define SAGEJIT_ATTENTION_OPTIONS_INIT \
    { sizeof(sagejit_attention_options), {SAGEJIT_DEVICE_BEST, 0}, 0, 0, NULL, 0, 0 }

/* o = softmax(logit_scale * q k^T + causal mask) v with a kernel chosen for the tensors; shapes as
 * in sagejit_call. The first call for a head_dim, data type, mask and device plans, compiles (or
 * finds in the cache) and loads it, up to seconds; the process keeps it, and later calls are
 * launches on stream. Tuning records decide the tiles for each bucket of sizes by itself, so that a
 * first call in one may compile another plan. Workspace is allocated and freed in the stream's
 * order (cuMemAllocAsync). While the stream is being captured the workspace becomes part of the
 * graph; a kernel prepared for other sizes is used, and where there is none that is
 * SAGEJIT_NOT_PREPARED, which leaves the capture valid. options may be NULL. Statuses as those of
 * sagejit_prepare and sagejit_kernel_launch. */
SAGEJIT_API sagejit_status sagejit_attention(const sagejit_tensor* q, const sagejit_tensor* k,
                                             const sagejit_tensor* v, const sagejit_tensor* o,
                                             const sagejit_attention_options* options,
                                             void* stream);

/* Prepares the kernel that sagejit_attention would use for these arguments. kernel may be NULL;
 * else it is given a handle, to be released. */
SAGEJIT_API sagejit_status sagejit_prepare_attention(
    const sagejit_tensor* q, const sagejit_tensor* k, const sagejit_tensor* v,
    const sagejit_tensor* o, const sagejit_attention_options* options, sagejit_kernel** kernel);

/* --- Memory, for programs that have no allocator for the device --------------------------------
 */

typedef struct sagejit_buffer sagejit_buffer;

/* Bytes on a device, aligned to 256; ordinary memory on the host device. Contents are undefined.
 * Release with sagejit_buffer_release, which ignores NULL. SAGEJIT_LAUNCH_FAILED when there is not
 * enough. */
SAGEJIT_API sagejit_status sagejit_buffer_new(sagejit_device device, size_t bytes,
                                              sagejit_buffer** buffer);
SAGEJIT_API void sagejit_buffer_release(sagejit_buffer* buffer);
/* Its address on the device; NULL for 0 bytes and for NULL. */
SAGEJIT_API void* sagejit_buffer_data(const sagejit_buffer* buffer);
/* Copy between the caller's memory and the buffer, and return when done. On a GPU both run on the
 * legacy default stream, after the work enqueued there. */
SAGEJIT_API sagejit_status sagejit_buffer_upload(sagejit_buffer* buffer, const void* source,
                                                 size_t bytes, size_t offset);
SAGEJIT_API sagejit_status sagejit_buffer_download(const sagejit_buffer* buffer, void* destination,
                                                   size_t bytes, size_t offset);

#ifdef __cplusplus
}
#endif

#endif /* SAGEJIT_H_ */
