/* SPDX-License-Identifier: Apache-2.0 */
/* The data set of a large team, and what reading it takes. */
#pragma once

#include "bench.h"

struct bench_data {
    double scale;      /* 1 = 200 members, 500,000 contributions */
    const char *seed;  /* same seed, scale and today: same rows */
    const char *today; /* YYYY-MM-DD */
};

/* Loads it into the database; ALREADY_EXISTS when it is there. What was loaded,
 * with the time it took, goes to report. */
enum status bench_data_load(struct arena *arena, const char *pg_url, const struct bench_data *data,
                            struct strbuf *report, struct error *err) MUST_CHECK;

/* The UTC day of now, YYYY-MM-DD. */
const char *bench_today(struct arena *arena);

/* `mal bench data …`; argv from the word data on. */
int cmd_bench_data(int argc, char **argv);
