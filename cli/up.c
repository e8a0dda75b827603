/* SPDX-License-Identifier: Apache-2.0 */
/* mal up: the whole hub, private and supervised, until SIGINT. */
#include "hub.h"
#include "stack.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_PORT = 8420 };

static const char up_help[] =
    "Usage: mal up [options]\n\n"
    "Starts Postgres, nats-server, every service and the gateway in one private\n"
    "folder, loads the starter catalog and prints how to connect. SIGINT stops all.\n\n"
    "  --dir DIR       folder of the stack (default .mal, or MAL_DIR)\n"
    "  --port N        port of the gateway (default 8420)\n"
    "  --gateways N    gateway copies, on consecutive ports (default 1, most 8)\n"
    "  --replicas N    copies of every service (default 1, most 3)\n"
    "  --ephemeral     a throw-away folder and free ports\n"
    "  --no-starter    leave the catalog empty\n"
    "  --json          one line of JSON when ready\n\n"
    "MAL_* settings in the environment reach the processes that know them.\n";

struct up_options {
    const char *dir;
    bool help, starter;
};

static int parse_options(struct stack *stack, struct up_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--dir")))
            options->dir = value;
        else if ((value = cli_option(argc, argv, &i, "--port")))
            stack->port = (int)strtol(value, NULL, 10);
        else if ((value = cli_option(argc, argv, &i, "--gateways")))
            stack->n_gateways = (int)strtol(value, NULL, 10);
        else if ((value = cli_option(argc, argv, &i, "--replicas")))
            stack->n_replicas = (int)strtol(value, NULL, 10);
        else if (cli_flag(argv[i], "--ephemeral"))
            stack->ephemeral = true;
        else if (cli_flag(argv[i], "--no-starter"))
            options->starter = false;
        else if (cli_flag(argv[i], "--json"))
            stack->json = true;
        else if (cli_flag(argv[i], "--help"))
            options->help = true;
        else
            return cli_usage("no option '%s'", argv[i]);
    }
    if (stack->n_gateways < 1 || stack->n_gateways > STACK_GATEWAYS_MAX)
        return cli_usage("--gateways takes a number from 1 to %d", STACK_GATEWAYS_MAX);
    if (stack->n_replicas < 1 || stack->n_replicas > STACK_REPLICAS_MAX)
        return cli_usage("--replicas takes a number from 1 to %d", STACK_REPLICAS_MAX);
    if (stack->port < 1 || stack->port > 65535 - STACK_GATEWAYS_MAX)
        return cli_usage("--port takes a number from 1 to %d", 65535 - STACK_GATEWAYS_MAX);
    return EXIT_DONE;
}

static enum status make_folder(struct stack *stack, const char *wanted, struct error *err)
{
    struct arena *arena = &stack->arena;

    if (stack->ephemeral && !wanted) {
        const char *tmp = getenv("TMPDIR");
        char *template = arena_printf(arena, "%s/mal-XXXXXX", tmp && *tmp ? tmp : "/tmp");

        stack->dir = mkdtemp(template);
        /* Postgres' own user passes through to its part. */
        if (!stack->dir || chmod(stack->dir, 0711) != 0)
            return error_set(err, ST_INTERNAL, "cannot make %s: %s", template, strerror(errno));
    } else {
        stack->dir = cli_dir(arena, wanted);
        if (mkdir(stack->dir, 0711) != 0 && errno != EEXIST)
            return error_set(err, ST_INTERNAL, "cannot make %s: %s", stack->dir, strerror(errno));
    }
    if (mkdir(arena_printf(arena, "%s/log", stack->dir), 0700) != 0 && errno != EEXIST)
        return error_set(err, ST_INTERNAL, "cannot make %s/log: %s", stack->dir, strerror(errno));
    stack->lock_fd =
        open(arena_printf(arena, "%s/lock", stack->dir), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (stack->lock_fd < 0 || flock(stack->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        error_hint(err, "stop it first, or choose another folder with --dir.");
        return error_set(err, ST_ALREADY_EXISTS, "a hub is already running in %s", stack->dir);
    }
    return ST_OK;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *dir)
{
    (void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static const char *gateway_url(struct stack *stack, const struct child *child)
{
    return arena_printf(&stack->arena, "http://127.0.0.1:%d/mcp", child->port);
}

static void put_member(struct strbuf *out, const char *key, const char *value)
{
    strbuf_char(out, ',');
    json_put_string(out, key);
    strbuf_char(out, ':');
    json_put_string(out, value);
}

/* {"url","urls","key","admin","pids","nats_url","pg_url","dir"} */
static void describe(struct stack *stack, struct strbuf *out)
{
    const char *sep = "";

    strbuf_str(out, "{\"url\":");
    json_put_string(out, gateway_url(stack, stack_child(stack, "gateway")));
    strbuf_str(out, ",\"urls\":[");
    for (size_t i = 0; i < stack->n_children; i++) {
        if (strncmp(stack->children[i].name, "gateway", 7) != 0)
            continue;
        strbuf_str(out, sep);
        json_put_string(out, gateway_url(stack, &stack->children[i]));
        sep = ",";
    }
    strbuf_char(out, ']');
    put_member(out, "key", stack->key);
    strbuf_str(out, ",\"admin\":{");
    sep = "";
    for (size_t i = 0; i < stack->n_children; i++) {
        if (stack->children[i].admin_port == 0)
            continue;
        strbuf_printf(out, "%s\"%s\":\"http://127.0.0.1:%d\"", sep, stack->children[i].name,
                      stack->children[i].admin_port);
        sep = ",";
    }
    strbuf_str(out, "},\"pids\":{");
    for (size_t i = 0; i < stack->n_children; i++)
        strbuf_printf(out, "%s\"%s\":%d", i ? "," : "", stack->children[i].name,
                      (int)stack->children[i].pid);
    strbuf_char(out, '}');
    put_member(out, "nats_url",
               arena_printf(&stack->arena, "nats://cli:%s@127.0.0.1:%d",
                            secret_get(stack, "MAL_NATS_PASSWORD_CLI"), stack->nats_port));
    put_member(out, "pg_url", stack_pg_url(stack, "mal", secret_get(stack, "MAL_PG_PASSWORD")));
    put_member(out, "dir", stack->dir);
    strbuf_char(out, '}');
}

/* <dir>/stack.json tells the other commands where the hub is; it follows every
 * restart. */
static enum status publish(struct stack *stack, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    describe(stack, &out);
    return cli_write_file(arena_printf(&stack->arena, "%s/stack.json", stack->dir),
                          strbuf_cstr(&out), out.len, err);
}

static void greet(struct stack *stack)
{
    const char *url = gateway_url(stack, stack_child(stack, "gateway"));

    if (stack->json) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        describe(stack, &out);
        (void)puts(strbuf_cstr(&out));
    } else {
        (void)printf("\nmal-hub is up.\n\n  URL  %s\n  Key  %s\n\n"
                     "Connect Claude Code:\n"
                     "  claude mcp add --transport http mal-hub %s --header \"x-api-key: %s\"\n\n"
                     "Logs and data: %s\nCtrl-C stops everything.\n",
                     url, stack->key, url, stack->key, stack->dir);
    }
    (void)fflush(stdout);
}

static enum status start_all(struct stack *stack, bool starter, struct error *err)
{
    struct hub hub = {0};
    enum status st;

    TRY(stack_env_check(stack, err));
    TRY(secrets_load(stack, err));
    TRY(stack_postgres(stack, err));
    TRY(stack_nats(stack, err));
    TRY(stack_services(stack, err));
    TRY(hub_open(&hub, stack_nats_url(stack), "cli", secret_get(stack, "MAL_NATS_PASSWORD_CLI"),
                 err));
    st = hub_own_key(&hub, stack->dir, &stack->arena, &stack->key, err);
    if (st == ST_OK && starter)
        st = hub_starter_load(&hub, NULL, false, NULL, err);
    hub_close(&hub);
    TRY(st);
    TRY(stack_gateways(stack, err));
    return publish(stack, err);
}

/* Restarts what ends, until a signal says stop. */
static void supervise(struct stack *stack, const sigset_t *signals)
{
    for (;;) {
        struct timespec tick = {.tv_nsec = 100000000};
        struct error ignored = {0};
        int sig = sigtimedwait(signals, NULL, &tick);
        bool changed;

        if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
            return;
        changed = stack_reap(stack);
        changed = stack_restart_due(stack) || changed;
        if (changed)
            (void)publish(stack, &ignored);
    }
}

int cmd_up(int argc, char **argv)
{
    struct stack stack = {.n_gateways = 1, .n_replicas = 1, .port = DEFAULT_PORT, .lock_fd = -1};
    struct up_options options = {.starter = true};
    struct error err = {0};
    sigset_t signals;
    enum status st;
    int code = parse_options(&stack, &options, argc, argv);

    if (code != EXIT_DONE)
        return code;
    if (options.help) {
        (void)fputs(up_help, stdout);
        return EXIT_DONE;
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    arena_init(&stack.arena);
    st = make_folder(&stack, options.dir, &err);
    if (st == ST_OK)
        st = start_all(&stack, options.starter, &err);
    if (st == ST_OK) {
        greet(&stack);
        supervise(&stack, &signals);
    }
    if (st != ST_OK) {
        code = cli_fail(&err);
        if (stack.lock_fd >= 0)
            (void)fprintf(stderr, "Logs: %s/log\n", stack.dir);
    }
    stack_stop(&stack);
    if (stack.ephemeral && st == ST_OK && stack.dir) {
        remove_tree(stack.dir);
        if (stack.pg_data && access(stack.pg_data, F_OK) == 0)
            remove_tree(stack.pg_data);
        if (stack.homes && access(stack.homes, F_OK) == 0)
            remove_tree(stack.homes);
    } else if (stack.lock_fd >= 0) {
        (void)unlink(arena_printf(&stack.arena, "%s/stack.json", stack.dir));
    }
    if (stack.lock_fd >= 0)
        (void)close(stack.lock_fd);
    arena_done(&stack.arena);
    return code;
}
