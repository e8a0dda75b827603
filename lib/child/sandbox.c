/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces around a program, by bubblewrap. */
#include "child/internal.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { ARGV_MAX = 256 };

const char *child_find(struct arena *arena, const char *program)
{
    return child_find_on(arena, CHILD_PATH, program);
}

const char *child_find_on(struct arena *arena, const char *path, const char *program)
{
    if (strchr(program, '/'))
        return program[0] == '/' && access(program, X_OK) == 0 ? arena_strdup(arena, program)
                                                               : NULL;
    for (const char *p = path; *p;) {
        size_t len = strcspn(p, ":");
        const char *file = arena_printf(arena, "%.*s/%s", (int)len, p, program);

        if (*p == '/' && access(file, X_OK) == 0)
            return file;
        p += len + (p[len] == ':');
    }
    return NULL;
}

struct words {
    const char *items[ARGV_MAX];
    size_t n;
};

static bool add(struct words *words, const char *const *list)
{
    for (; *list; list++) {
        if (words->n + 1 == ARGV_MAX)
            return false;
        words->items[words->n++] = *list;
    }
    return true;
}

#define ADD(words, ...) add(words, (const char *const[]){__VA_ARGS__, NULL})

/* What is hidden is an empty folder; the writable one may lie in it. */
static bool add_folders(struct words *words, const struct child_options *options)
{
    bool fits = ADD(words, options->writable ? "--ro-bind" : "--bind", "/", "/", "--proc", "/proc",
                    "--dev", "/dev");

    for (const char *const *p = options->hidden; fits && p && *p; p++)
        if (access(*p, F_OK) == 0)
            fits = ADD(words, "--tmpfs", *p);
    if (fits && options->kept)
        fits = ADD(words, "--bind", options->kept, options->kept);
    if (fits && options->writable)
        fits = ADD(words, "--bind", options->writable, options->writable);
    return fits;
}

enum status sandbox_image(struct arena *arena, const struct child_options *options,
                          struct image *ret_image, struct error *err)
{
    const char *bwrap = child_find(arena, "bwrap");
    struct words *words = arena_alloc(arena, sizeof(*words));
    bool fits;

    if (!bwrap)
        return error_set(err, ST_UNAVAILABLE, "this machine has no bubblewrap");
    fits = ADD(words, "bwrap", "--die-with-parent", "--unshare-user", "--unshare-pid",
               "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL");
    if (fits && !options->network)
        fits = ADD(words, "--unshare-net");
    fits = fits && add_folders(words, options) &&
           ADD(words, "--chdir", options->folder ? options->folder : "/", "--", options->path) &&
           add(words, options->argv + 1);
    if (!fits)
        return error_set(err, ST_INVALID_ARGUMENT, "too many arguments for a sandbox");
    *ret_image = (struct image){bwrap, words->items};
    return ST_OK;
}

static bool can_isolate;

static void try_once(void)
{
    static const char *const argv[] = {"true", NULL}, *const envp[] = {NULL};
    CLEANUP(arena_done) struct arena arena;
    struct child child;
    struct child_end end = {.exit_code = -1};
    struct error err = {0};

    arena_init(&arena);
    if (child_find(&arena, "true") &&
        child_start(&(struct child_options){.path = child_find(&arena, "true"),
                                            .argv = argv,
                                            .envp = envp,
                                            .isolation = CHILD_SANDBOX},
                    &child, &err) == ST_OK)
        child_stop(&child, 5000, 0, &end);
    can_isolate = end.exit_code == 0;
}

bool child_can_isolate(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, try_once);
    return can_isolate;
}
