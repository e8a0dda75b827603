/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of XP and levels. */
#include "rules.h"

static int least(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

int base_commit(int64_t lines, int64_t lines_per_point)
{
    return 10 + least(40, lines / lines_per_point);
}

int base_interaction(int tools, bool decided)
{
    return least(30, 5 + 3 * (int64_t)tools + (decided ? 5 : 0));
}

int base_work_item(int story_points)
{
    return 10 * story_points;
}

int base_sprint(bool on_time)
{
    return on_time ? 50 : 0;
}

int base_review(int comments)
{
    return least(30, 10 + 2 * (int64_t)comments);
}

int multiplier_at(int streak)
{
    return 100 + 10 * least(7, streak);
}

int award_of(int base, int multiplier_percent)
{
    return (int)((int64_t)base * multiplier_percent / 100);
}

/* Levels come in five bands; in each, a level takes the same XP. */
static const struct band {
    int xp;    /* before its first level */
    int level; /* its first */
    int step;
} bands[] = {
    {0, 1, 100}, {500, 6, 300}, {2000, 11, 600}, {5000, 16, 1000}, {10000, 21, 2000},
};

enum { BANDS = sizeof(bands) / sizeof(bands[0]) };

int level_of(int xp)
{
    int i = BANDS - 1;

    if (xp <= 0)
        return 1;
    while (xp <= bands[i].xp)
        i--;
    return bands[i].level + (xp - bands[i].xp - 1) / bands[i].step;
}

int level_begin(int level)
{
    int i = BANDS - 1;

    if (level <= 1)
        return 0;
    while (level < bands[i].level)
        i--;
    return least(INT32_MAX, bands[i].xp + (int64_t)(level - bands[i].level) * bands[i].step + 1);
}

const char *level_title(int level)
{
    static const struct {
        int level;
        const char *title;
    } titles[] = {{21, "Architect"}, {16, "Lead"}, {11, "Senior"}, {6, "Developer"}};

    for (int i = 0; i < (int)(sizeof(titles) / sizeof(titles[0])); i++)
        if (level >= titles[i].level)
            return titles[i].title;
    return "Apprentice";
}

int level_progress(int xp)
{
    int level = level_of(xp), begin = level_begin(level), next = level_begin(level + 1);
    int percent = next > begin ? (int)(100 * (int64_t)(xp - begin) / (next - begin)) : 0;

    /* The greatest XP there is would be the begin of the next level. */
    return least(99, percent);
}
