/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with repositories made by git itself, for test_gamify_*. */
#pragma once

#include "git.h"

#include "base/clock.h"

#include <check.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct git_fixture {
    char dir[64]; /* without links */
    char roots[80];
};

/* Runs a line of shell in the folder; git there sees no configuration but ours. */
static inline int shell_try(const struct git_fixture *g, const char *fmt, ...) PRINTF(2, 3);
static inline int shell_try(const struct git_fixture *g, const char *fmt, ...)
{
    char line[16384];
    int len = snprintf(line, sizeof(line),
                       "cd '%s' && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "
                       "GIT_CONFIG_GLOBAL='%s/gitconfig' && ",
                       g->dir, g->dir);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
    va_end(ap);
    /* NOLINTNEXTLINE(cert-env33-c): the tests' own words */
    return system(line);
}

#define SHELL(g, ...) ck_assert_msg(shell_try(g, __VA_ARGS__) == 0, "failed: " __VA_ARGS__)

/* roots/ may be read, outside/ not. */
static inline void git_fixture_init(struct git_fixture *g)
{
    char name[] = "/tmp/mal-git-XXXXXX", real[PATH_MAX];

    ck_assert_ptr_nonnull(mkdtemp(name));
    ck_assert_ptr_nonnull(realpath(name, real));
    ck_assert_uint_lt(strlen(real), sizeof(g->dir));
    (void)snprintf(g->dir, sizeof(g->dir), "%.63s", real);
    ck_assert_int_eq(chmod(g->dir, 0755), 0);
    (void)snprintf(g->roots, sizeof(g->roots), "%s/roots", g->dir);
    SHELL(g, "mkdir roots outside && printf '[user]\\n name = Ana\\n email = ana@x.org\\n"
             "[init]\\n defaultBranch = main\\n[safe]\\n directory = *\\n' > gitconfig");
    git_config = (struct git_settings){.repo_path = g->roots,
                                       .roots = g->roots,
                                       .url_allow = "",
                                       .cache_dir = "",
                                       .data_dir = "",
                                       .ca_file = "",
                                       .cache_mib = 64,
                                       .fetch_timeout_s = 30,
                                       .max = 2};
}

static inline void git_fixture_done(const struct git_fixture *g)
{
    char line[96];

    (void)snprintf(line, sizeof(line), "/bin/rm -rf '%s'", g->dir);
    /* NOLINTNEXTLINE(cert-env33-c): the tests' own words */
    (void)!system(line);
}

static inline const char *in_fixture(const struct git_fixture *g, const char *path)
{
    static char full[512];

    (void)snprintf(full, sizeof(full), "%s/%s", g->dir, path);
    return full;
}

static inline bool exists(const struct git_fixture *g, const char *path)
{
    struct stat st;

    return lstat(in_fixture(g, path), &st) == 0;
}
