/* SPDX-License-Identifier: Apache-2.0 */
/* What mal bench proxy measured, and how it is told. */
#pragma once

#include "bench.h"

enum { ROWS_MAX = 8, ROUNDS_MAX = 9 };

/* Medians over the rounds; a ratio is taken within its round. */
struct figures {
    double rps, ratio, p50, p99, added_p50, added_p99;
};

/* One way of calling the tool. */
struct row {
    const char *name, *label;
    struct bench_target target;
    int base; /* the row with the direct calls */
    struct bench_load loads[BENCH_LOADS][ROUNDS_MAX];
    struct figures figures[BENCH_LOADS];
};

struct memory {
    const char *name;
    pid_t pid;
    long idle_kib, after_kib;
};

struct findings {
    int rounds;
    struct row rows[ROWS_MAX];
    int n_rows;
    struct memory memory[4];
    int n_memory;
    const char *missing; /* why there are no peers; NULL: there are */
};

/* From what each round measured to the figures. */
void findings_summarize(struct findings *found);
/* A table for people, with the goals. */
void findings_print(const struct findings *found);
void findings_print_json(const struct findings *found);
