/* SPDX-License-Identifier: Apache-2.0 */
/* Chance that can be repeated, for tests of what holds after any steps. Include the
 * service's fixture before. */
#pragma once

#include "handler_fixture.h"

static unsigned long long chance;

/* 0 to n - 1 */
static inline int below(int n)
{
    chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((chance >> 33) % (unsigned)n);
}

/* Instead of set_up(): says the seed first. */
static inline void set_up_seed(void)
{
    const char *given = getenv("MAL_TEST_SEED");

    chance = given ? strtoull(given, NULL, 10) : (unsigned long long)clock_wall_ms();
    (void)printf("seed %llu (MAL_TEST_SEED repeats it)\n", chance);
    (void)fflush(stdout);
    set_up();
}
