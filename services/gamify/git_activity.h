/* SPDX-License-Identifier: Apache-2.0 */
/* What a history comes to: sums by author and day, the latest commits, and what
 * there is to credit. Filled while git runs. */
#pragma once

#include "git.h"
#include "git_people.h"

enum { RECENT_MAX = 10 };

/* A commit of a member, as little of it as is stored. */
struct git_credit {
    const struct git_person *person;
    const char *hash, *subject;
    int64_t at; /* seconds */
    int insertions, deletions, files, areas[AREAS];
};

/* An author as git names them. */
struct git_author {
    struct git_author *next; /* of the same bucket */
    const char *name, *email;
    const struct git_person *person; /* NULL: no member */
    bool wanted;                     /* by the request's filters */
    int64_t commits, insertions, deletions;
};

struct git_day {
    int64_t commits, insertions, deletions;
};

struct git_activity {
    struct call *call;
    const Gamify__GetCommitActivityRequest *req;
    struct git_people people;
    const char *author;    /* filter in lower case, "" = all */
    int64_t since, until;  /* seconds */
    int first_day, n_days; /* days since 1970 */
    struct git_day *days, totals;
    struct git_author **buckets, **authors; /* hash table; in order of appearance */
    size_t n_buckets, n_authors, authors_room;
    struct git_commit *recent[RECENT_MAX]; /* latest first */
    int n_recent;
    struct git_credit *credits; /* malloc */
    size_t n_credits, credits_room;
};

void git_activity_init(struct git_activity *activity, struct call *call,
                       const Gamify__GetCommitActivityRequest *req);
void git_activity_done(struct git_activity *activity);
/* For git_log: adds up a commit; arg is the activity. */
void git_activity_add(void *arg, const struct git_commit *commit);
/* The report, but for the credit. */
void git_activity_reply(struct git_activity *activity, Gamify__GetCommitActivityResponse *rsp);

/* Credits each member's commits, oldest first; stops when the call's time is
 * nearly up, and says so in the reply. */
enum status git_activity_credit(struct git_activity *activity,
                                Gamify__GetCommitActivityResponse *rsp) MUST_CHECK;

/* The text of the reply. */
const char *git_activity_text(struct call *call, const Gamify__GetCommitActivityRequest *req,
                              const Gamify__GetCommitActivityResponse *rsp);
