/* SPDX-License-Identifier: Apache-2.0 */
/* Days and their runs. */
#include "days.h"

#include "base/clock.h"

#include <string.h>

enum { DAY_MS = 86400000, FIRST_ROOM = 64 };

int day_of_ms(int64_t wall_ms)
{
    int64_t day = wall_ms / DAY_MS;

    return (int)(wall_ms % DAY_MS < 0 ? day - 1 : day);
}

const char *day_text(struct arena *arena, int day)
{
    char text[TIMESTAMP_SIZE];

    clock_format((int64_t)day * DAY_MS, text);
    return arena_memdup(arena, text, strlen("YYYY-MM-DD"));
}

/* Where day is, or would be. */
static size_t place_of(const struct days *days, int day)
{
    size_t low = 0, high = days->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (days->items[middle] < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void make_room(struct days *days, struct arena *arena)
{
    int *grown;

    if (days->n < days->room)
        return;
    days->room = days->room ? 2 * days->room : FIRST_ROOM;
    grown = arena_alloc(arena, days->room * sizeof(*grown));
    if (days->n)
        memcpy(grown, days->items, days->n * sizeof(*grown));
    days->items = grown;
}

/* Days of the run around the i-th one. */
static int run_around(const struct days *days, size_t i)
{
    size_t first = i, last = i;

    while (first > 0 && days->items[first - 1] == days->items[first] - 1)
        first--;
    while (last + 1 < days->n && days->items[last + 1] == days->items[last] + 1)
        last++;
    return (int)(last - first + 1);
}

void days_add(struct days *days, struct arena *arena, int day)
{
    size_t i = place_of(days, day);
    int run;

    if (i < days->n && days->items[i] == day)
        return;
    make_room(days, arena);
    memmove(days->items + i + 1, days->items + i, (days->n - i) * sizeof(*days->items));
    days->items[i] = day;
    days->n++;
    run = run_around(days, i);
    if (run > days->longest)
        days->longest = run;
}

int days_streak(const struct days *days, int day)
{
    size_t i = place_of(days, day);
    int streak = 1;

    if (i == days->n || days->items[i] != day)
        return 0;
    for (; i > 0 && days->items[i - 1] == days->items[i] - 1; i--)
        streak++;
    return streak;
}

int days_last(const struct days *days)
{
    return days->n ? days->items[days->n - 1] : -1;
}
