/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one script of a command in a sandbox of its own. */
#pragma once

#include "catalog.h"
#include "child/child.h"

enum { SANDBOX_OUTPUT_MAX = 65536 };

struct sandbox_job {
    Catalog__Shell shell;
    const char *script;
    size_t n_variables;
    const char *const *names, *const *values;
    int timeout_s;
    int cancel_fd; /* readable when nobody wants the result any more; may be -1 */
};

struct sandbox_result {
    int exit_code; /* 128 + n when signal n ended the script */
    int signal;    /* 0 when it ended by itself */
    bool timed_out;
    int duration_ms;
    const char *out, *err; /* valid UTF-8, in the call's arena */
    bool out_truncated, err_truncated;
};

/* CANCELLED when the job was stopped on cancel_fd, UNAVAILABLE with words when this machine cannot
 * isolate or has no interpreter. */
enum status sandbox_run(struct call *call, const struct sandbox_job *job,
                        struct sandbox_result *ret_result) MUST_CHECK;

/* sandbox_argv.c: bubblewrap's command line. */
#define SANDBOX_DIR "/tmp/work" /* inside; writable, gone with the sandbox */
#define SANDBOX_SCRIPT "/tmp/work/script"

/* Starts the interpreter with the script that is read from descriptor 4. */
const char *const *sandbox_argv(struct arena *arena, const char *interpreter);
