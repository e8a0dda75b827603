/* SPDX-License-Identifier: Apache-2.0 */
/* The award engine: the one way in which contributions enter and leave the
 * ledger. A member is opened (and locked), given any number of awards, and
 * closed; what follows from them (multiplier, XP, level, streak, achievements,
 * sums, events) is worked out in memory after each award as if it had come
 * alone, and written in few statements. */
#pragma once

#include "days.h"
#include "gamify.h"

/* What of a contribution's metadata is counted for achievements and radar. */
struct figures {
    int decisions;                                      /* interaction */
    bool bug;                                           /* work_item */
    bool top_velocity;                                  /* sprint */
    int frontend, backend, devops, data, documentation; /* commit: files by area */
};

/* Texts are borrowed until the ledger is closed. */
struct award {
    Gamify__ContributionType type;
    Gamify__Source source;
    const char *reference_id; /* NULL: counts every time */
    int base;                 /* XP before the multiplier */
    bool fixed;               /* base is awarded as it is */
    const char *description;  /* NULL: none */
    const char *project_id;   /* NULL: none */
    const char *metadata;     /* JSON object, holds the figures too; NULL: {} */
    struct figures figures;
    int64_t occurred_ms; /* its UTC day counts for the streak */
};

struct awarded {
    bool duplicate; /* known already: nothing was awarded */
    int points;
    const char *known;              /* id of the duplicate's row */
    const Gamify__XpAwarded *event; /* of the new row; has its id once the ledger is closed */
};

/* Of the member's unreversed contributions. */
struct tally {
    int commits, interactions, sprints, top_velocity, bugs, decisions;
    int longest_run; /* of days, ever */
    int frontend, backend, devops, data, documentation;
};

struct ledger_rows;
struct badge;
struct ledger {
    struct call *call;
    struct tx *tx;          /* NULL when only read */
    Gamify__Member *member; /* as it is after the awards so far */
    struct days days;       /* that have a contribution */
    struct tally tally;
    int tools; /* distinct built-in tools used */
    /* Since it was opened: */
    size_t n_unlocked;
    Gamify__Achievement **unlocked;
    int level_before;
    /* For the engine only. */
    struct badge *badges;
    size_t n_badges;
    struct ledger_rows *rows; /* not yet written */
};

/* Locks the member until the transaction ends; NOT_FOUND when there is none.
 * Whoever opens several in one transaction does so in the order of their ids,
 * and after event_seen. */
enum status ledger_open(struct ledger *ledger, struct tx *tx, const char *user_id) MUST_CHECK;
/* The same without lock and days, only to look at. */
enum status ledger_read(struct ledger *ledger, struct call *call, const char *user_id) MUST_CHECK;
/* In this order. ret has n entries. A commit known without project takes that of
 * its duplicate; one that comes twice in the same call keeps that of the first. */
enum status ledger_award(struct ledger *ledger, const struct award *awards, size_t n,
                         struct awarded *ret) MUST_CHECK;
/* Takes back the unreversed contribution of that type and reference; ret_rows
 * is how many there were. */
enum status ledger_reverse(struct ledger *ledger, Gamify__ContributionType type,
                           const char *reference_id, int *ret_rows) MUST_CHECK;
/* Unlocks what the counts reach; ledger_award and ledger_reverse do so too. */
enum status ledger_evaluate(struct ledger *ledger) MUST_CHECK;
/* Writes what is left to write; the caller commits. */
enum status ledger_close(struct ledger *ledger) MUST_CHECK;
