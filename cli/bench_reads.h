/* SPDX-License-Identifier: Apache-2.0 */
/* How long the tools that read take on the data set of mal bench data. */
#pragma once

#include "bench.h"
#include "bench_data.h"

/* Loads the data set, then reads and plans (bench_plans.h). */
enum status bench_team(struct arena *arena, const struct bench_stack *stack,
                       const struct bench_data *data, int seconds, struct strbuf *report,
                       struct error *err) MUST_CHECK;

/* `mal bench team …`: a throw-away hub with the data set, reads and plans; argv
 * from the word team on. */
int cmd_bench_team(int argc, char **argv);
