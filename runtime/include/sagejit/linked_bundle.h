/* A bundle that is part of a program or a shared library, found by every sagejit::prepare. The file
 * that sagejit_add_kernels(... EMBED) generates does what is needed; this header, which is C as
 * well as C++, is for those who link a bundle in by other means. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Filled in by the one who links; lives until it is unlinked. */
typedef struct sagejit_linked_bundle {
    const void* bytes;
    size_t size;
    const char* name;                   /* in messages; lives as long */
    struct sagejit_linked_bundle* next; /* sagejit's own */
} sagejit_linked_bundle;

/* Makes a bundle known; it is searched after those made known before. May be called before main,
 * by a constructor: it neither allocates nor looks at the bytes. A bundle that is damaged is told
 * when a kernel is prepared. */
void sagejit_link_bundle(sagejit_linked_bundle* bundle);

/* Takes it back, before its memory goes. Waits for a search that is under way; kernels prepared
 * from it stay. */
void sagejit_unlink_bundle(sagejit_linked_bundle* bundle);

#ifdef __cplusplus
}
#endif
