/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox of a script as bubblewrap's command line. */
#include "sandbox.h"

#include <unistd.h>

enum { ARGV_MAX = 64 };

#define WORK_BYTES "268435456" /* the script's folder is in memory */

struct argv {
    const char *items[ARGV_MAX];
    size_t n;
};

static void add(struct argv *argv, const char *const *words)
{
    for (; *words; words++) {
        if (argv->n + 1 == ARGV_MAX)
            abort();
        argv->items[argv->n++] = *words;
    }
}

#define ADD(argv, ...) add(argv, (const char *const[]){__VA_ARGS__, NULL})

/* Empty read-only folders over what holds sockets, others' files and the hub's
 * own data; the script's folder lies in one of them. */
static void hide(struct argv *argv)
{
    const char *const folders[] = {"/tmp", "/var/tmp", "/run", catalog_config.data_dir};
    bool shown[ARRAY_SIZE(folders)];

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        shown[i] = folders[i][0] == '/' && access(folders[i], F_OK) == 0;
        if (shown[i])
            ADD(argv, "--tmpfs", folders[i]);
    }
    ADD(argv, "--size", WORK_BYTES, "--tmpfs", SANDBOX_DIR, "--file", "4", SANDBOX_SCRIPT);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (shown[i])
            ADD(argv, "--remount-ro", folders[i]);
}

const char *const *sandbox_argv(struct arena *arena, const char *interpreter)
{
    struct argv *argv = arena_alloc(arena, sizeof(*argv));

    ADD(argv, "bwrap", "--die-with-parent", "--new-session", "--unshare-user", "--unshare-pid",
        "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL");
    if (!catalog_config.exec_network)
        ADD(argv, "--unshare-net");
    ADD(argv, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev");
    hide(argv);
    ADD(argv, "--chdir", SANDBOX_DIR, "--json-status-fd", "3", "--");
    /* In the new user namespace, so that only the sandbox's processes count. */
    ADD(argv, "prlimit", "--nproc=128", "--", interpreter, SANDBOX_SCRIPT);
    return argv->items;
}
