/* SPDX-License-Identifier: Apache-2.0 */
/* Adding up the commits of a history as they come out of git. */
#include "git_activity.h"

#include "base/clock.h"
#include "days.h"
#include "wire/handler.h"

#include <stdlib.h>

enum { DAY_S = 86400, FIRST_BUCKETS = 64, SHORT_HASH = 7, SUBJECT_STORED = 200 };

static int32_t clamp(int64_t value)
{
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

void git_activity_init(struct git_activity *activity, struct call *call,
                       const Gamify__GetCommitActivityRequest *req)
{
    char *author = arena_alloc(call->arena, 2 * strlen(req->author) + 5);

    git_fold(req->author, author, 2 * strlen(req->author) + 5);
    *activity = (struct git_activity){
        .call = call,
        .req = req,
        .author = author,
        .since = call->now_ms / 1000 - (int64_t)req->days * DAY_S,
        .until = call->now_ms / 1000,
        .n_buckets = FIRST_BUCKETS,
    };
    activity->first_day = day_of_ms(activity->since * 1000);
    activity->n_days = day_of_ms(activity->until * 1000) - activity->first_day + 1;
    activity->days = arena_alloc(call->arena, (size_t)activity->n_days * sizeof(*activity->days));
    activity->buckets = arena_alloc(call->arena, activity->n_buckets * sizeof(struct git_author *));
}

void git_activity_done(struct git_activity *activity)
{
    free(activity->credits);
}

/* ---- authors ------------------------------------------------------------ */

static size_t hash_of(const char *name, const char *email)
{
    size_t hash = 14695981039346656037U;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211U;
    hash = (hash ^ 0xff) * 1099511628211U;
    for (; *email; email++)
        hash = (hash ^ (unsigned char)*email) * 1099511628211U;
    return hash;
}

static bool contains(const char *text, const char *folded_part)
{
    char folded[2 * sizeof(((struct git_commit *)0)->name)];

    git_fold(text, folded, sizeof(folded));
    return strstr(folded, folded_part) != NULL;
}

static bool is_wanted(const struct git_activity *activity, const struct git_author *author)
{
    const struct git_person *person = author->person;

    if (*activity->req->user_id && (!person || strcmp(person->id, activity->req->user_id) != 0))
        return false;
    return !*activity->author || contains(author->name, activity->author) ||
           contains(author->email, activity->author) ||
           (person && contains(person->name, activity->author));
}

static void more_buckets(struct git_activity *activity)
{
    size_t n = 4 * activity->n_buckets;
    struct git_author **buckets =
        arena_alloc(activity->call->arena, n * sizeof(struct git_author *));

    for (size_t i = 0; i < activity->n_authors; i++) {
        struct git_author *author = activity->authors[i];
        struct git_author **bucket = &buckets[hash_of(author->name, author->email) % n];

        author->next = *bucket;
        *bucket = author;
    }
    activity->buckets = buckets;
    activity->n_buckets = n;
}

static void list_author(struct git_activity *activity, struct git_author *author)
{
    if (activity->n_authors == activity->authors_room) {
        size_t room = activity->authors_room ? 2 * activity->authors_room : FIRST_BUCKETS;
        struct git_author **grown =
            arena_alloc(activity->call->arena, room * sizeof(struct git_author *));

        if (activity->n_authors)
            memcpy(grown, activity->authors, activity->n_authors * sizeof(struct git_author *));
        activity->authors = grown;
        activity->authors_room = room;
    }
    activity->authors[activity->n_authors++] = author;
}

static struct git_author *author_of(struct git_activity *activity, const struct git_commit *commit)
{
    struct arena *arena = activity->call->arena;
    size_t hash = hash_of(commit->name, commit->email);
    struct git_author *author = activity->buckets[hash % activity->n_buckets], **bucket;

    while (author &&
           (strcmp(author->name, commit->name) != 0 || strcmp(author->email, commit->email) != 0))
        author = author->next;
    if (author)
        return author;
    if (activity->n_authors >= 2 * activity->n_buckets)
        more_buckets(activity);
    author = arena_alloc(arena, sizeof(*author));
    author->name = arena_strdup(arena, commit->name);
    author->email = arena_strdup(arena, commit->email);
    author->person = git_people_find(&activity->people, commit->name, commit->email);
    author->wanted = is_wanted(activity, author);
    bucket = &activity->buckets[hash % activity->n_buckets];
    author->next = *bucket;
    *bucket = author;
    list_author(activity, author);
    return author;
}

/* ---- one commit --------------------------------------------------------- */

static void add_sums(struct git_day *sum, const struct git_commit *commit)
{
    sum->commits++;
    sum->insertions += commit->insertions;
    sum->deletions += commit->deletions;
}

static void add_recent(struct git_activity *activity, const struct git_commit *commit)
{
    int i = activity->n_recent;
    struct git_commit *slot;

    if (i == RECENT_MAX && commit->at <= activity->recent[i - 1]->at)
        return;
    if (i < RECENT_MAX) {
        slot = arena_alloc(activity->call->arena, sizeof(*slot));
        activity->n_recent++;
    } else {
        slot = activity->recent[--i];
    }
    *slot = *commit;
    for (; i > 0 && activity->recent[i - 1]->at < commit->at; i--)
        activity->recent[i] = activity->recent[i - 1];
    activity->recent[i] = slot;
}

/* Cut after so many characters. */
static char *stored_subject(struct arena *arena, const char *subject)
{
    size_t len = 0;

    for (int n = 0; subject[len]; len++)
        if (((unsigned char)subject[len] & 0xc0) != 0x80 && n++ == SUBJECT_STORED)
            break;
    return arena_memdup(arena, subject, len);
}

static void add_credit(struct git_activity *activity, const struct git_person *person,
                       const struct git_commit *commit)
{
    struct arena *arena = activity->call->arena;
    struct git_credit *credit;

    if (activity->n_credits == activity->credits_room) {
        activity->credits_room = activity->credits_room ? 2 * activity->credits_room : 256;
        activity->credits =
            realloc(activity->credits, activity->credits_room * sizeof(*activity->credits));
        if (!activity->credits)
            abort();
    }
    credit = &activity->credits[activity->n_credits++];
    *credit = (struct git_credit){.person = person,
                                  .hash = arena_strdup(arena, commit->hash),
                                  .subject = stored_subject(arena, commit->subject),
                                  .at = commit->at,
                                  .insertions = clamp(commit->insertions),
                                  .deletions = clamp(commit->deletions),
                                  .files = commit->files};
    memcpy(credit->areas, commit->areas, sizeof(credit->areas));
}

void git_activity_add(void *arg, const struct git_commit *commit)
{
    struct git_activity *activity = arg;
    struct git_author *author;

    if (commit->at < activity->since || commit->at > activity->until)
        return;
    author = author_of(activity, commit);
    if (!author->wanted)
        return;
    author->commits++;
    author->insertions += commit->insertions;
    author->deletions += commit->deletions;
    add_sums(&activity->totals, commit);
    add_sums(&activity->days[day_of_ms(commit->at * 1000) - activity->first_day], commit);
    add_recent(activity, commit);
    if (activity->req->sync && author->person)
        add_credit(activity, author->person, commit);
}

/* ---- the report --------------------------------------------------------- */

static const char *time_text(struct call *call, int64_t seconds)
{
    char text[TIMESTAMP_SIZE];

    clock_format(seconds * 1000, text);
    return arena_strdup(call->arena, text);
}

static void add_to(Gamify__CommitAuthor *entry, const struct git_author *author)
{
    entry->commits = clamp((int64_t)entry->commits + author->commits);
    entry->insertions = clamp((int64_t)entry->insertions + author->insertions);
    entry->deletions = clamp((int64_t)entry->deletions + author->deletions);
}

/* A member has one entry, whatever names and addresses their commits have. */
static Gamify__CommitAuthor *entry_of(struct git_activity *activity,
                                      const struct git_author *author,
                                      Gamify__CommitAuthor **by_person)
{
    Gamify__CommitAuthor *entry, **known = NULL;

    if (author->person)
        known = &by_person[author->person - activity->people.items];
    if (known && *known)
        return *known;
    entry = new_message(activity->call, &gamify__commit_author__descriptor);
    entry->name = author->person ? author->person->name : author->name;
    entry->email = author->email;
    entry->user_id = author->person ? author->person->id : "";
    if (known)
        *known = entry;
    return entry;
}

static int by_commits(const void *a, const void *b)
{
    const Gamify__CommitAuthor *x = *(Gamify__CommitAuthor *const *)a,
                               *y = *(Gamify__CommitAuthor *const *)b;

    if (x->commits != y->commits)
        return x->commits > y->commits ? -1 : 1;
    return strcmp(x->name, y->name) ? strcmp(x->name, y->name) : strcmp(x->email, y->email);
}

static void reply_authors(struct git_activity *activity, Gamify__GetCommitActivityResponse *rsp)
{
    struct arena *arena = activity->call->arena;
    Gamify__CommitAuthor **by_person =
        arena_alloc(arena, activity->people.n * sizeof(Gamify__CommitAuthor *));

    rsp->authors = arena_alloc(arena, activity->n_authors * sizeof(Gamify__CommitAuthor *));
    rsp->unmatched_authors = arena_alloc(arena, activity->n_authors * sizeof(char *));
    for (size_t i = 0; i < activity->n_authors; i++) {
        const struct git_author *author = activity->authors[i];
        Gamify__CommitAuthor *entry;

        if (!author->wanted)
            continue;
        entry = entry_of(activity, author, by_person);
        if (entry->commits == 0)
            rsp->authors[rsp->n_authors++] = entry;
        add_to(entry, author);
        if (!author->person)
            rsp->unmatched_authors[rsp->n_unmatched_authors++] =
                arena_printf(arena, "%s <%s>", author->name, author->email);
    }
    if (rsp->n_authors)
        qsort(rsp->authors, rsp->n_authors, sizeof(Gamify__CommitAuthor *), by_commits);
}

static void reply_days(struct git_activity *activity, Gamify__GetCommitActivityResponse *rsp)
{
    struct call *call = activity->call;

    rsp->days = arena_alloc(call->arena, (size_t)activity->n_days * sizeof(Gamify__CommitDay *));
    for (int i = 0; i < activity->n_days; i++) {
        const struct git_day *sum = &activity->days[i];
        Gamify__CommitDay *day;

        if (sum->commits == 0)
            continue;
        day = new_message(call, &gamify__commit_day__descriptor);
        day->date = day_text(call->arena, activity->first_day + i);
        day->commits = clamp(sum->commits);
        day->insertions = clamp(sum->insertions);
        day->deletions = clamp(sum->deletions);
        rsp->days[rsp->n_days++] = day;
    }
}

static void reply_recent(struct git_activity *activity, Gamify__GetCommitActivityResponse *rsp)
{
    struct call *call = activity->call;

    rsp->recent = arena_alloc(call->arena, RECENT_MAX * sizeof(Gamify__Commit *));
    for (int i = 0; i < activity->n_recent; i++) {
        const struct git_commit *from = activity->recent[i];
        const struct git_author *author = author_of(activity, from);
        Gamify__Commit *commit = new_message(call, &gamify__commit__descriptor);

        commit->hash = from->hash;
        commit->short_hash = arena_memdup(call->arena, from->hash, SHORT_HASH);
        commit->author = author->person ? author->person->name : from->name;
        commit->user_id = author->person ? author->person->id : "";
        commit->date = time_text(call, from->at);
        commit->subject = from->subject;
        commit->insertions = clamp(from->insertions);
        commit->deletions = clamp(from->deletions);
        commit->files = from->files;
        rsp->recent[rsp->n_recent++] = commit;
    }
}

void git_activity_reply(struct git_activity *activity, Gamify__GetCommitActivityResponse *rsp)
{
    const struct git_day *sum = &activity->totals;

    rsp->since = time_text(activity->call, activity->since);
    rsp->totals = new_message(activity->call, &gamify__commit_totals__descriptor);
    rsp->totals->commits = clamp(sum->commits);
    rsp->totals->insertions = clamp(sum->insertions);
    rsp->totals->deletions = clamp(sum->deletions);
    rsp->totals->net = clamp(sum->insertions - sum->deletions);
    reply_authors(activity, rsp);
    reply_days(activity, rsp);
    reply_recent(activity, rsp);
}
