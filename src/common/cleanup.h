/* SPDX-License-Identifier: MIT */
/* Frees at the end of a scope: `CLEANUP(buf_done) struct buf buf; buf_init(&buf, max);`. */
#ifndef LOOPTOP_COMMON_CLEANUP_H
#define LOOPTOP_COMMON_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(destructor) __attribute__((cleanup(destructor)))
#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_CLOSE CLEANUP(cleanup_close)

static inline void
cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

/* A descriptor below 0 is none. */
static inline void
cleanup_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* Hands an owned pointer on, so that its cleanup finds NULL. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#endif
