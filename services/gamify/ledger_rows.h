/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger has still to write; for ledger*.c only. */
#pragma once

#include "badge.h"
#include "ledger.h"
#include "wire/update.h"

struct badge {
    Gamify__Achievement *achievement;
    enum measure measure;
    int target;
    bool unlocked;
};

/* A new contribution, with the event that tells of it. */
struct ledger_row {
    struct award award;
    int points, multiplier;
    Gamify__XpAwarded *event;
};

struct ledger_rows {
    size_t n, room;
    struct ledger_row *items;
    size_t n_events, events_room;
    struct event *events;
    struct names unlocked; /* ids of achievements */
};

/* The array with room for one element more; it grows by doubling. */
void *rows_room(struct arena *arena, void *items, size_t n, size_t *io_room, size_t size);
void rows_event(struct ledger *ledger, const char *subject, const ProtobufCMessage *payload);

const char *time_text(struct arena *arena, int64_t wall_ms);
/* Reads the member's days anew. */
enum status ledger_load_days(struct ledger *ledger) MUST_CHECK;
/* Level and streak follow from XP and days. */
enum status ledger_settle(struct ledger *ledger, int points) MUST_CHECK;
/* Marks the awards whose reference is known or comes twice among them; in
 * ret_ids the row of a known commit without project, else NULL. */
enum status ledger_known(struct ledger *ledger, const struct award *awards, size_t n,
                         struct awarded *ret, const char **ret_ids) MUST_CHECK;
/* Gives those rows the project of their award; ids are used up. */
enum status ledger_assign(struct ledger *ledger, const struct award *awards, size_t n,
                          const char **ids) MUST_CHECK;
/* Writes the rows and forgets them. */
enum status ledger_flush(struct ledger *ledger) MUST_CHECK;
