/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/child share; nobody else includes it. */
#pragma once

#include "child/child.h"

/* What is executed: the program itself, or bubblewrap around it. */
struct image {
    const char *path;
    const char *const *argv;
};

/* sandbox.c */
/* In the arena; UNAVAILABLE when there is no bubblewrap. */
enum status sandbox_image(struct arena *arena, const struct child_options *options,
                          struct image *ret_image, struct error *err) MUST_CHECK;

/* spawn.c */
/* Forks on a thread that lives as long as the process, since a child ends with
 * the thread that made it. -1 when there is no room. */
pid_t spawn(const struct image *image, const struct child_options *options, const int *fds,
            size_t n_fds);
