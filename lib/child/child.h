/* SPDX-License-Identifier: Apache-2.0 */
/* A child process that runs somebody else's program: its own process group, no
 * descriptor but those it is given, the environment that is given and nothing
 * else, no new privileges, ended with its parent; ended as a whole. All that, and
 * its resource limits, holds before its first instruction. A hub that runs as root
 * hands the program to nobody, unless it is told to keep the user. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct child_limit {
    int resource; /* RLIMIT_… */
    rlim_t soft, hard;
};

enum child_isolation {
    CHILD_PLAIN,   /* what is said above */
    CHILD_SANDBOX, /* and namespaces of its own around it (bubblewrap): users, processes, IPC */
    CHILD_BEST,    /* SANDBOX where this machine allows it, else PLAIN */
};

enum { CHILD_FDS_MAX = 8 };

struct child_options {
    const char *path;        /* absolute, of the program */
    const char *const *argv; /* NULL-terminated, argv[0] included */
    const char *const *envp; /* all of it, NULL-terminated */
    const char *folder;      /* working directory; NULL = / */
    const struct child_limit *limits;
    size_t n_limits;
    bool keep_user; /* it runs as whom the hub runs, root included */
    /* Descriptors that the child gets as 0, 1, 2, …; borrowed. Without them
     * three pipes are made. */
    const int *fds;
    size_t n_fds;
    /* Of the namespaces: */
    enum child_isolation isolation;
    bool network;              /* it reaches the network */
    const char *const *hidden; /* folders that are empty for it, NULL-terminated; may be NULL */
    const char *kept;          /* a folder that stays although it lies in a hidden one */
    const char *writable;      /* the folder it may write; NULL = as the file system says */
};

struct child {
    pid_t pid;        /* leads its group; 0 = none */
    int pidfd;        /* readable when it has ended */
    int in, out, err; /* our ends of its stdin, stdout and stderr; -1 when closed or handed on */
};

struct child_end {
    int exit_code; /* 128 + n when signal n ended it */
    int signal;    /* 0 when it ended by itself */
};

enum { CHILD_CANNOT_RUN = 126, CHILD_NOT_FOUND = 127 };
/* A program that cannot be run ends at once with one of these exit codes.
 * UNAVAILABLE when the machine has no room for it, or SANDBOX is not to be had. */
enum status child_start(const struct child_options *options, struct child *ret_child,
                        struct error *err) MUST_CHECK;
/* Closes stdin, waits up to eof_ms, TERM to the group, waits up to term_ms, KILL to
 * the group; reaps. ret_end may be NULL. Does nothing to a child that is none. */
void child_stop(struct child *child, int eof_ms, int term_ms, struct child_end *ret_end);
/* False while it runs; reaps it otherwise, and kills what is left of its group. */
bool child_ended(struct child *child, struct child_end *ret_end);
/* Absolute path of a program: itself when it has a slash, else on CHILD_PATH;
 * NULL when there is none that can be run. */
#define CHILD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
const char *child_find(struct arena *arena, const char *program);
/* The same on another path; of that the absolute folders only. */
const char *child_find_on(struct arena *arena, const char *path, const char *program);
/* Whether this machine allows CHILD_SANDBOX; tried once. */
bool child_can_isolate(void);
