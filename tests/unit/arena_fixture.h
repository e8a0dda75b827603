/* SPDX-License-Identifier: Apache-2.0 */
/* An arena and an error, new for each test. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

static struct arena arena;
static struct error err;

static inline void setup(void)
{
    arena_init(&arena);
    err = (struct error){0};
}

static inline void teardown(void)
{
    arena_done(&arena);
}
