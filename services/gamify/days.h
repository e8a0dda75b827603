/* SPDX-License-Identifier: Apache-2.0 */
/* The UTC days on which a member contributed, and the runs that they make. */
#pragma once

#include "base/arena.h"

#include <stdint.h>

/* Days since 1970, ascending, each once. */
struct days {
    int *items;
    size_t n, room;
    int longest; /* run of days; kept by days_add */
};

int day_of_ms(int64_t wall_ms);
/* YYYY-MM-DD in the arena. */
const char *day_text(struct arena *arena, int day);

void days_add(struct days *days, struct arena *arena, int day);
/* Consecutive days up to and including day; 0 when it is not one of them. */
int days_streak(const struct days *days, int day);
/* The latest day; -1 when there is none. */
int days_last(const struct days *days);
