/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of a sprint. Shares of days and of points are compared as
 * products, so that nothing is rounded before it is decided. */
#include "report_figures.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { BLOCKED_MS = 48 * 3600 * 1000, AT_RISK = 20, BEHIND = 40 };

int64_t date_ms(const char *date)
{
    char text[TIMESTAMP_SIZE];
    int64_t ms = 0;

    (void)snprintf(text, sizeof(text), "%.10sT00:00:00Z", date);
    return clock_parse(text, &ms) ? ms : 0;
}

void date_format(int64_t wall_ms, char out[DATE_SIZE])
{
    char text[TIMESTAMP_SIZE];

    clock_format(wall_ms, text);
    memcpy(out, text, DATE_SIZE - 1);
    out[DATE_SIZE - 1] = '\0';
}

static int64_t floor_days(int64_t ms)
{
    return ms >= 0 ? ms / DAY_MS : -((-ms + DAY_MS - 1) / DAY_MS);
}

struct sprint_days sprint_days(const char *start_date, const char *end_date, int64_t at_ms)
{
    int64_t start = date_ms(start_date), total = (date_ms(end_date) - start) / DAY_MS;
    int64_t elapsed = -floor_days(start - at_ms);
    struct sprint_days days;

    days.total = (int32_t)(total > 1 ? total : 1);
    days.elapsed = (int32_t)(elapsed > 0 ? elapsed : 0);
    days.day = days.elapsed < days.total ? days.elapsed : days.total;
    days.remaining = days.total - days.day;
    days.today = (int32_t)floor_days(at_ms - start);
    days.elapsed_percent = percent(days.day, days.total);
    return days;
}

/* Quotient rounded to whole numbers, half away from zero; whole > 0. */
static int64_t rounded(int64_t part, int64_t whole)
{
    return part >= 0 ? (2 * part + whole) / (2 * whole) : -((-2 * part + whole) / (2 * whole));
}

int64_t permille(int64_t part, int64_t whole)
{
    return whole ? rounded(part * 1000, whole) : 0;
}

double percent(int64_t part, int64_t whole)
{
    return (double)permille(part, whole) / 10;
}

/* Without points nothing is done: 0 of 1. */
static void share(int64_t *points_done, int64_t *points)
{
    if (*points == 0) {
        *points_done = 0;
        *points = 1;
    }
}

/* done / points < day / total - gap %, without dividing. */
static bool lags(const struct sprint_days *days, int64_t points_done, int64_t points, int64_t gap)
{
    share(&points_done, &points);
    return 100 * points_done * days->total <
           (100 * (int64_t)days->day - gap * days->total) * points;
}

enum pace sprint_pace(const struct sprint_days *days, int64_t points_done, int64_t points)
{
    if (lags(days, points_done, points, BEHIND))
        return PACE_BEHIND;
    return lags(days, points_done, points, AT_RISK) ? PACE_AT_RISK : PACE_ON_TRACK;
}

int64_t sprint_lag(const struct sprint_days *days, int64_t points_done, int64_t points)
{
    share(&points_done, &points);
    return permille(days->day * points - points_done * days->total, days->total * points);
}

bool blocked_too_long(int64_t since_ms, int64_t at_ms)
{
    return at_ms - since_ms > BLOCKED_MS;
}

int32_t blocked_days(int64_t since_ms, int64_t at_ms)
{
    return (int32_t)(at_ms > since_ms ? (at_ms - since_ms) / DAY_MS : 0);
}

void burndown(struct burn_entry *entries, const struct sprint_days *days, int32_t points,
              const struct burn_done *done, size_t n_done)
{
    int32_t remaining = points;
    size_t next = 0;

    for (int32_t i = 0; i <= days->total; i++) {
        for (; next < n_done && done[next].day <= i; next++)
            remaining -= done[next].points;
        entries[i].ideal =
            (double)rounded((int64_t)points * (days->total - i) * 10, days->total) / 10;
        entries[i].known = i <= days->today;
        entries[i].remaining = entries[i].known ? remaining : 0;
    }
}
