/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of a sprint: days, pace, health, burndown. Pure and exact, in
 * integers; what is shown is rounded once, at the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DAY_MS = 86400000, DATE_SIZE = 11 };

/* 00:00 UTC of a valid YYYY-MM-DD; 0 of anything else. */
int64_t date_ms(const char *date);
/* The UTC day of a moment as YYYY-MM-DD. */
void date_format(int64_t wall_ms, char out[DATE_SIZE]);

/* A sprint as seen at one moment. */
struct sprint_days {
    int32_t total;          /* at least 1 */
    int32_t elapsed;        /* begun days, also those after the end */
    int32_t remaining;      /* 0 after the end */
    int32_t day;            /* elapsed, but not more than total */
    int32_t today;          /* UTC day of the moment, counted from the first day; may be < 0 */
    double elapsed_percent; /* one decimal */
};
struct sprint_days sprint_days(const char *start_date, const char *end_date, int64_t at_ms);

/* part of whole in tenths of a percent, half away from zero; 0 of nothing. */
int64_t permille(int64_t part, int64_t whole);
/* The same as a number with one decimal. */
double percent(int64_t part, int64_t whole);

enum pace { PACE_ON_TRACK, PACE_AT_RISK, PACE_BEHIND };
/* How the finished share of the points keeps up with the elapsed share of days. */
enum pace sprint_pace(const struct sprint_days *days, int64_t points_done, int64_t points);
/* By how many percent points it lags, in tenths; negative when it is ahead. */
int64_t sprint_lag(const struct sprint_days *days, int64_t points_done, int64_t points);
/* Whether a label blocked that was set then has been there for too long. */
bool blocked_too_long(int64_t since_ms, int64_t at_ms);
/* Whole days of blocking, for people: one that has just begun is 0. */
int32_t blocked_days(int64_t since_ms, int64_t at_ms);

/* Points finished on one day, counted from the first day of the sprint. */
struct burn_done {
    int32_t day; /* may be before 0 and after total */
    int32_t points;
};
struct burn_entry {
    double ideal;      /* one decimal */
    bool known;        /* false for days to come */
    int32_t remaining; /* where known */
};
/* Fills entries 0 … days->total; done is ordered by day. */
void burndown(struct burn_entry *entries, const struct sprint_days *days, int32_t points,
              const struct burn_done *done, size_t n_done);
