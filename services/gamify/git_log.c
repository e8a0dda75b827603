/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what `git log --numstat -z` writes, in pieces of any size. Commits are
 * written by strangers: every byte but NUL may stand in a name or a path. */
#include "git.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* What the next token is. Git writes
 *   RS hash NUL name NUL email NUL date NUL subject NUL [LF file…]
 *   file = added TAB removed TAB path NUL, or, when it was renamed,
 *          added TAB removed TAB NUL old path NUL new path NUL */
enum { AT_HASH, AT_NAME, AT_EMAIL, AT_DATE, AT_SUBJECT, AT_FILE, AT_OLD_PATH, AT_NEW_PATH };

enum { RECORD = 0x1e };

void git_log_init(struct git_log *log, void (*on_commit)(void *, const struct git_commit *),
                  void *arg)
{
    memset(log, 0, sizeof(*log));
    log->on_commit = on_commit;
    log->arg = arg;
}

static void pass_on(struct git_log *log)
{
    if (log->open)
        log->on_commit(log->arg, &log->commit);
    log->open = false;
}

static bool take_hash(struct git_log *log)
{
    const char *hash = log->token + 1;
    size_t len = strspn(hash, "0123456789abcdef");

    if (log->token[0] != RECORD || (len != 40 && len != 64) || log->len != len + 1)
        return false;
    pass_on(log);
    memset(&log->commit, 0, sizeof(log->commit));
    memcpy(log->commit.hash, hash, len);
    log->open = true;
    log->state = AT_NAME;
    return true;
}

/* The token as one line without blanks around it. */
static void take_text(const struct git_log *log, char *out, size_t max)
{
    size_t start = 0, end = log->len < max ? log->len : max;

    while (start < end && (unsigned char)log->token[start] <= ' ')
        start++;
    /* Not in the middle of a character. */
    if (end < log->len)
        while (end > start && ((unsigned char)log->token[end] & 0xC0) == 0x80)
            end--;
    while (end > start && (unsigned char)log->token[end - 1] <= ' ')
        end--;
    end = utf8_repair(log->token + start, end - start, out);
    out[end] = '\0';
    for (size_t i = 0; i < end; i++)
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
            out[i] = ' ';
}

static int64_t number(const char **text)
{
    int64_t value = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++)
        if (value < INT32_MAX)
            value = value * 10 + (**text - '0');
    return value < INT32_MAX ? value : INT32_MAX;
}

/* A broken commit may have no date; it is as old as can be. */
static int64_t take_date(const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    return *end ? 0 : value;
}

/* Lines of a file; a binary one has "-" for none. */
static bool take_count(const char **text, int64_t *total)
{
    const char *start = *text;

    if (**text == '-')
        (*text)++;
    else
        *total += number(text);
    if (*text == start || **text != '\t')
        return false;
    (*text)++;
    return true;
}

static void take_path(struct git_log *log, const char *path)
{
    log->commit.files++;
    log->commit.areas[git_area(path)]++;
    log->state = AT_FILE;
}

static bool take_file(struct git_log *log)
{
    const char *text = log->token;

    if (*text == RECORD)
        return take_hash(log);
    if (*text == '\n' && log->commit.files == 0)
        text++;
    if (!take_count(&text, &log->commit.insertions) || !take_count(&text, &log->commit.deletions))
        return false;
    if (*text)
        take_path(log, text);
    else
        log->state = AT_OLD_PATH;
    return true;
}

static bool take_token(struct git_log *log)
{
    log->token[log->len] = '\0';
    switch (log->state) {
    case AT_HASH:
        return take_hash(log);
    case AT_NAME:
        take_text(log, log->commit.name, GIT_NAME_MAX);
        log->state = AT_EMAIL;
        return true;
    case AT_EMAIL:
        take_text(log, log->commit.email, GIT_NAME_MAX);
        log->state = AT_DATE;
        return true;
    case AT_DATE:
        log->commit.at = take_date(log->token);
        log->state = AT_SUBJECT;
        return true;
    case AT_SUBJECT:
        take_text(log, log->commit.subject, GIT_SUBJECT_MAX);
        log->state = AT_FILE;
        return true;
    case AT_FILE:
        return take_file(log);
    case AT_OLD_PATH:
        log->state = AT_NEW_PATH;
        return log->len > 0;
    default:
        take_path(log, log->token);
        return log->len > 0;
    }
}

bool git_log_feed(struct git_log *log, const char *bytes, size_t len)
{
    while (len > 0) {
        const char *nul = memchr(bytes, '\0', len);
        size_t piece = nul ? (size_t)(nul - bytes) : len;
        size_t room = GIT_PATH_MAX - log->len;

        memcpy(log->token + log->len, bytes, piece < room ? piece : room);
        log->len += piece < room ? piece : room;
        if (!nul)
            return true;
        if (!take_token(log))
            return false;
        log->len = 0;
        bytes += piece + 1;
        len -= piece + 1;
    }
    return true;
}

bool git_log_end(struct git_log *log)
{
    bool whole = log->len == 0 && (log->state == AT_FILE || (log->state == AT_HASH && !log->open));

    if (whole)
        pass_on(log);
    return whole;
}
