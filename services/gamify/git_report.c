/* SPDX-License-Identifier: Apache-2.0 */
/* The Markdown of mal_get_commit_activity. */
#include "git_activity.h"

#include "wire/handler.h"
#include "wire/text.h"

enum { BAR_MAX = 30, DATE_LENGTH = 10 };

#define MINUS "\u2212"

static void put_authors(struct strbuf *buf, const Gamify__GetCommitActivityResponse *rsp)
{
    if (rsp->n_authors == 0)
        return;
    strbuf_str(buf, "\n### By author\n\n| Author | Commits | Added | Removed |\n"
                    "|---|--:|--:|--:|\n");
    for (size_t i = 0; i < rsp->n_authors; i++) {
        const Gamify__CommitAuthor *author = rsp->authors[i];

        strbuf_str(buf, "| ");
        wire_text_cell(buf, author->name);
        strbuf_printf(buf, " | %d | %d | %d |\n", author->commits, author->insertions,
                      author->deletions);
    }
}

static void put_days(struct strbuf *buf, const Gamify__GetCommitActivityResponse *rsp)
{
    int most = BAR_MAX;

    if (rsp->n_days == 0)
        return;
    for (size_t i = 0; i < rsp->n_days; i++)
        if (rsp->days[i]->commits > most)
            most = rsp->days[i]->commits;
    strbuf_str(buf, "\n### By day\n\n");
    for (size_t i = 0; i < rsp->n_days; i++) {
        int commits = rsp->days[i]->commits;
        int bar = (int)((int64_t)commits * BAR_MAX / most);

        strbuf_printf(buf, "%s`%s ", i ? "\n" : "", rsp->days[i]->date);
        for (int n = 0; n < (bar ? bar : 1); n++)
            strbuf_str(buf, "█");
        strbuf_printf(buf, " %d`", commits);
    }
    strbuf_char(buf, '\n');
}

static void put_latest(struct strbuf *buf, const Gamify__GetCommitActivityResponse *rsp)
{
    if (rsp->n_recent == 0)
        return;
    strbuf_str(buf, "\n### Latest\n\n");
    for (size_t i = 0; i < rsp->n_recent; i++) {
        const Gamify__Commit *commit = rsp->recent[i];

        strbuf_printf(buf, "- `%s` %.*s %s: %s (+%d " MINUS "%d)\n", commit->short_hash,
                      DATE_LENGTH, commit->date, commit->author, commit->subject,
                      commit->insertions, commit->deletions);
    }
}

static void put_credited(struct strbuf *buf, bool sync,
                         const Gamify__GetCommitActivityResponse *rsp)
{
    strbuf_str(buf, "\n### Credited\n\n");
    if (!sync)
        strbuf_str(buf, "Not synchronised (sync is off).\n");
    else if (rsp->n_synced == 0)
        strbuf_str(buf, "Nothing new to credit.\n");
    for (size_t i = 0; i < rsp->n_synced; i++) {
        const Gamify__SyncedMember *member = rsp->synced[i];

        strbuf_printf(buf, "- %s: %d commit%s, %d XP, now %d XP, level %d\n", member->name,
                      member->commits, member->commits == 1 ? "" : "s", member->points, member->xp,
                      member->level);
    }
}

const char *git_activity_text(struct call *call, const Gamify__GetCommitActivityRequest *req,
                              const Gamify__GetCommitActivityResponse *rsp)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    const Gamify__CommitTotals *totals = rsp->totals;
    int64_t net = totals->net;

    strbuf_printf(&buf,
                  "## Commit activity — %d day%s (%s)\n**commits**: %d · **added**: %d · "
                  "**removed**: %d · **net**: %s%lld\n",
                  req->days, req->days == 1 ? "" : "s", rsp->branch, totals->commits,
                  totals->insertions, totals->deletions, net < 0 ? MINUS : "+",
                  (long long)(net < 0 ? -net : net));
    put_authors(&buf, rsp);
    put_days(&buf, rsp);
    put_latest(&buf, rsp);
    put_credited(&buf, req->sync, rsp);
    for (size_t i = 0; i < rsp->n_warnings; i++)
        strbuf_printf(&buf, "%sNote: %s\n", i ? "" : "\n", rsp->warnings[i]);
    while (buf.len > 0 && buf.data[buf.len - 1] == '\n')
        buf.data[--buf.len] = '\0';
    return take_text(call, &buf);
}
