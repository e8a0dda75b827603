/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms of a process in the Prometheus text format
 * (version 0.0.4). Lock-free to count, thread safe. */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A family; static storage, registered once. Labels are given as a ready text
 * such as `tool="mal_get_skill",status="ok"` with values from our own tables. */
struct metric;
struct metric *metric_new(enum metric_type type, const char *name, const char *help);
void metric_add(struct metric *metric, const char *labels, int64_t value);
void metric_set(struct metric *metric, const char *labels, int64_t value);
/* One of a family, for what counts often: its labels are looked up once. */
struct series;
struct series *metric_series(struct metric *metric, const char *labels);
void series_add(struct series *series, int64_t value);
void series_set(struct series *series, int64_t value);
void series_observe_us(struct series *series, int64_t duration_us);
/* Seconds into fixed buckets 0.0005 … 60. */
void metric_observe_us(struct metric *metric, const char *labels, int64_t duration_us);
/* A value read when the page is made. */
void metric_callback(const char *name, const char *help, int64_t (*fn)(void *arg), void *arg);
/* Whether the callbacks with that argument are called; they are left out of the page
 * else. When told that they are not, none of them runs from the return on: what they
 * read may go. */
void metric_callbacks_live(const void *arg, bool live);
/* fn runs before each page is made and sets what it knows with metric_set. */
void metrics_on_render(void (*fn)(void *arg), void *arg);
/* The whole page, process_* figures (resident memory, descriptors, CPU, start
 * time) included. */
void metrics_render(struct strbuf *out);
