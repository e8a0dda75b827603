/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of `mal` share. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit codes of every command. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A command gets argv from its own name on. */
int cmd_up(int argc, char **argv);
int cmd_keys(int argc, char **argv);
int cmd_starter(int argc, char **argv);
int cmd_call(int argc, char **argv);
int cmd_mcp(int argc, char **argv);
int cmd_stdio(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_events(int argc, char **argv);

/* Prints "mal: …" and, if the error has one, the hint; returns EXIT_FAILED. */
int cli_fail(const struct error *err);
/* "mal: …" and a pointer to --help; returns EXIT_USAGE. */
int cli_usage(const char *fmt, ...) PRINTF(1, 2);

/* Value of `--name VALUE` or `--name=VALUE` at argv[*i], which moves on; NULL
 * when argv[*i] is another word. */
const char *cli_option(int argc, char **argv, int *i, const char *name);
bool cli_flag(const char *word, const char *name);

/* Absolute folder of a program or file that comes with mal, in the arena:
 * beside the running binary, in the checkout, or in ../share/mal-hub. NULL when
 * it is nowhere. */
const char *cli_binary(struct arena *arena, const char *name);
const char *cli_share(struct arena *arena, const char *relative);
/* A program on PATH or in the places where Debian puts servers. */
const char *cli_program(struct arena *arena, const char *name);

/* The folder of the private stack: --dir, MAL_DIR, or .mal in this folder. */
const char *cli_dir(struct arena *arena, const char *option);
/* A whole small file (≤ 8 MiB) into the arena; NULL when it cannot be read. */
char *cli_read_file(struct arena *arena, const char *path, size_t *ret_len);
/* Writes a file of mode 0600 in one step (temporary name, rename). */
enum status cli_write_file(const char *path, const void *data, size_t len,
                           struct error *err) MUST_CHECK;

/* HTTP to one of our processes. */
struct cli_reply {
    long status; /* HTTP status; 0 = no answer */
    char *body;  /* in the arena */
    size_t len;
};
struct cli_request {
    const char *method, *url;
    const char *const *headers; /* lines without CRLF, NULL-terminated; may be NULL */
    const char *body;           /* NULL = none */
    int timeout_ms;
};
enum status cli_http(struct arena *arena, const struct cli_request *request,
                     struct cli_reply *ret_reply, struct error *err) MUST_CHECK;
