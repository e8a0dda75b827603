/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Wall-clock times are milliseconds since 1970 UTC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { TIMESTAMP_SIZE = 25 }; /* "2026-03-02T09:30:00.120Z" and NUL */

int64_t clock_wall_ms(void);
/* Never goes back; for deadlines and durations. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* The moment in so many milliseconds, for pthread_cond_timedwait and its like. */
struct timespec clock_in_ms(int64_t ms);
/* Writes RFC 3339 with milliseconds in UTC. */
void clock_format(int64_t wall_ms, char out[TIMESTAMP_SIZE]);
/* Strict inverse of clock_format; also accepts 0 to 9 digits of fraction and a
 * numeric offset. */
bool clock_parse(const char *text, int64_t *ret_wall_ms);
/* YYYY-MM-DD that exists in the calendar. */
bool clock_date_valid(const char *text);
