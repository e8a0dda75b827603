/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of XP and levels: numbers in, numbers out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Base points of a contribution, before the multiplier. */
int base_commit(int64_t lines, int64_t lines_per_point);
int base_interaction(int tools, bool decided);
int base_work_item(int story_points);
int base_sprint(bool on_time);
int base_review(int comments);

/* Percent at the streak (in days) of the contribution's day. */
int multiplier_at(int streak);
int award_of(int base, int multiplier_percent);

int level_of(int xp);
/* Least XP of the level. */
int level_begin(int level);
const char *level_title(int level);
/* How far xp is between its level and the next, 0-99. */
int level_progress(int xp);
