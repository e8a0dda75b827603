/* SPDX-License-Identifier: Apache-2.0 */
/* A child process that runs somebody else's program: its own process group, no
 * descriptor but the three it is given, a cleaned environment, resource limits,
 * no new privileges, ended with its parent; ended as a whole. */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct child_limit {
    int resource; /* RLIMIT_… */
    rlim_t soft, hard;
};

enum child_isolation {
    CHILD_PLAIN,   /* group, descriptors, limits, no new privileges */
    CHILD_SANDBOX, /* and bubblewrap's namespaces around it; fails where the kernel forbids */
    CHILD_BEST,    /* SANDBOX where this machine allows it, else PLAIN */
};

struct child_options {
    const char *path;        /* absolute, of the program */
    const char *const *argv; /* NULL-terminated, argv[0] included */
    const char *const *envp; /* all of it, NULL-terminated */
    const char *folder;      /* working directory; NULL = / */
    const struct child_limit *limits;
    size_t n_limits;
    enum child_isolation isolation;
    bool network; /* of a sandbox */
};

struct child {
    pid_t pid;        /* leads its group; 0 = none */
    int pidfd;        /* readable when it has ended */
    int in, out, err; /* our ends of its stdin, stdout and stderr; -1 when closed or handed on */
};

enum status child_start(const struct child_options *options, struct child *ret_child,
                        struct error *err) MUST_CHECK;
/* Closes stdin, waits, TERM to the group, waits, KILL to the group; reaps. */
struct child_end {
    int exit_code; /* 128 + n when signal n ended it */
    int signal;
};
void child_stop(struct child *child, int eof_ms, int term_ms, struct child_end *ret_end);
/* False while it runs; reaps it otherwise. What is left of its group is killed. */
bool child_ended(struct child *child, struct child_end *ret_end);
/* Absolute path of a program on the child's PATH, NULL when there is none. */
const char *child_find(struct arena *arena, const char *program);
