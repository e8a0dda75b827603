/* SPDX-License-Identifier: Apache-2.0 */
/* What the planner makes of the queries behind the tools that read. */
#pragma once

#include "bench.h"

/* Runs each of the queries once on the data set that is there, and reports the
 * slowest ten and every one that reads a table that grows with use from end to
 * end. FAILED_PRECONDITION when there is such a one. */
enum status bench_plans(struct arena *arena, const char *pg_url, struct strbuf *report,
                        struct error *err) MUST_CHECK;

/* `mal bench plans …`; argv from the word plans on. */
int cmd_bench_plans(int argc, char **argv);
