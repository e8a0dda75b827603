/* SPDX-License-Identifier: Apache-2.0 */
/* The output of git log: whatever it holds, in pieces of whatever size, what is
 * read of it is bounded text, and the same. */
#include "git.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    int commits;
    int64_t value;
};

static void must(bool held)
{
    if (!held)
        abort();
}

static void must_be_line(const char *text, size_t max)
{
    size_t len = strlen(text);

    must(len <= max && utf8_valid(text, len));
    for (size_t i = 0; i < len; i++)
        must((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void add(void *arg, const struct git_commit *commit)
{
    struct sum *sum = arg;
    size_t hash = strlen(commit->hash);
    int files = 0;

    must(hash == 40 || hash == 64);
    must_be_line(commit->name, sizeof(commit->name) - 1);
    must_be_line(commit->email, sizeof(commit->name) - 1);
    must_be_line(commit->subject, sizeof(commit->subject) - 1);
    must(commit->insertions >= 0 && commit->deletions >= 0);
    for (int i = 0; i < AREAS; i++)
        files += commit->areas[i];
    must(files == commit->files);
    sum->commits++;
    sum->value = (int64_t)((uint64_t)sum->value * 31 + (uint64_t)commit->insertions +
                           (uint64_t)commit->at + (uint64_t)strlen(commit->subject));
}

static bool read_all(struct sum *sum, const char *bytes, size_t len, size_t piece)
{
    static struct git_log log;
    bool good = true;

    *sum = (struct sum){0};
    git_log_init(&log, add, sum);
    for (size_t i = 0; i < len && good; i += piece)
        good = git_log_feed(&log, bytes + i, len - i < piece ? len - i : piece);
    return good && git_log_end(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sum whole, pieces;
    size_t piece = size ? 1 + data[0] % 16 : 1;
    bool good = read_all(&whole, (const char *)data, size, size ? size : 1);

    must(read_all(&pieces, (const char *)data, size, piece) == good);
    must(whole.commits == pieces.commits && whole.value == pieces.value);
    return 0;
}
