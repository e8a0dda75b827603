/* SPDX-License-Identifier: Apache-2.0 */
/* Destruction of locals at the end of their scope. */
#pragma once

/* CLEANUP(x_done) struct x x = {0}; runs x_done(&x) when the scope is left. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hands a pointer over: yields it and leaves NULL behind. */
#define TAKE(p)                                                                                    \
    (__extension__({                                                                               \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    }))

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
