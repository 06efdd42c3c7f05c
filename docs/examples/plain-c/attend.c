/* Attention from C: prepare a kernel, give it a workspace, launch it. */
#include <sagejit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls end here when they fail: the message says what happened, where, and what to do. */
static void check(sagejit_status status) {
    if (status == SAGEJIT_OK) return;
    fprintf(stderr, "%s: %s\n", sagejit_status_name(status), sagejit_last_error());
    exit(1);
}

enum { HEADS = 4, TOKENS = 100, HEAD_DIM = 64, SIZE = HEADS * TOKENS * HEAD_DIM };

int main(void) {
    sagejit_device device; /* a GPU, else the host device */
    check(sagejit_device_parse("best", &device));

    /* Once: may compile, load and allocate. */
    sagejit_kernel* kernel = NULL;
    check(
        sagejit_prepare("{\"head_dim\": 64, \"causal\": \"bottom_right\"}", device, NULL, &kernel));

    /* q, k, v and o; every element is the fp16 number 0x3c3c, 1.0586. */
    static uint16_t values[SIZE];
    memset(values, 0x3c, sizeof values);
    sagejit_buffer* memory[4];
    sagejit_tensor tensors[4];
    for (int i = 0; i < 4; ++i) {
        check(sagejit_buffer_new(device, sizeof values, &memory[i]));
        if (i < 3) check(sagejit_buffer_upload(memory[i], values, sizeof values, 0));
        tensors[i] = sagejit_tensor_contiguous(sagejit_buffer_data(memory[i]), SAGEJIT_FP16, 1,
                                               HEADS, TOKENS, HEAD_DIM);
    }

    /* Per call: any batch, heads and lengths. */
    sagejit_call call;
    memset(&call, 0, sizeof call);
    call.struct_size = sizeof call;
    call.q = tensors[0];
    call.k = tensors[1];
    call.v = tensors[2];
    call.o = tensors[3];
    size_t bytes = 0;
    sagejit_buffer* workspace = NULL;
    check(sagejit_kernel_workspace_size(kernel, &call, &bytes));
    check(sagejit_buffer_new(device, bytes, &workspace));
    void* stream = NULL; /* the legacy default stream */
    check(sagejit_kernel_launch(kernel, &call, sagejit_buffer_data(workspace), bytes, stream));

    check(sagejit_buffer_download(memory[3], values, sizeof values, 0)); /* waits for the stream */
    printf("sagejit %s: the last output is 0x%04x\n", sagejit_version(), values[SIZE - 1]);

    sagejit_buffer_release(workspace);
    for (int i = 0; i < 4; ++i) sagejit_buffer_release(memory[i]);
    sagejit_kernel_release(kernel);
    return 0; /* 0x3c3c: a mean of equal values is that value */
}
