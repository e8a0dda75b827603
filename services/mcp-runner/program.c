/* SPDX-License-Identifier: Apache-2.0 */
/* The program of a slot: what may be started, in which surroundings, and how it
 * ends. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "mcp/reference.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    EOF_MS = 1000,
    TERM_MS = 3000,
    STEADY_MS = 60000,
    DELAY_MS = 250,
    DELAY_MAX_MS = 60000,
    NOBODY = 65534,
    SECRET_MIN = 4
};

void program_init(struct slot *slot)
{
    pthread_mutex_init(&slot->child_lock, NULL);
    arena_init(&slot->secrets_arena);
    slot->child = (struct child){.pidfd = -1, .in = -1, .out = -1, .err = -1};
}

void program_done(struct slot *slot)
{
    ears_remove(slot->runner->ears, slot);
    arena_done(&slot->secrets_arena);
    pthread_mutex_destroy(&slot->child_lock);
}

/* ---- when -------------------------------------------------------------------------- */

/* Doubles with each end but the first, and never comes together with others'. */
static int64_t delay_ms(unsigned failures)
{
    int64_t ms = DELAY_MS;
    unsigned char chance;

    if (failures <= 1)
        return 0;
    for (unsigned i = 2; i < failures && ms < DELAY_MAX_MS; i++)
        ms *= 2;
    random_bytes(&chance, 1);
    ms = ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS;
    return ms * 3 / 4 + ms * chance / 512;
}

/* With child_lock held. */
static void note_end(struct slot *slot, const struct child_end *end)
{
    int64_t now = clock_mono_ms();

    (void)atomic_fetch_add(&slot->runner->crashes, 1);
    slot->failures = now - slot->started_ms >= STEADY_MS ? 1 : slot->failures + 1;
    slot->not_before_ms = now + delay_ms(slot->failures);
    log_warn("the child of %s ended with %d, %u times in a row; last words: %s", slot->server,
             end->exit_code, slot->failures, slot->words);
}

int64_t program_wait_ms(struct slot *slot)
{
    pthread_mutex_lock(&slot->child_lock);
    int64_t left = slot->not_before_ms - clock_mono_ms();
    pthread_mutex_unlock(&slot->child_lock);
    return left > 0 ? left : 0;
}

void program_look(struct slot *slot)
{
    struct child_end end = {0};

    if (pthread_mutex_trylock(&slot->child_lock) != 0)
        return;
    if (slot->child.pid > 0 && child_ended(&slot->child, &end) && !slot->closing)
        note_end(slot, &end);
    pthread_mutex_unlock(&slot->child_lock);
}

/* ---- what -------------------------------------------------------------------------- */

/* A name in the list stands for the program that is found by it. */
static enum status find_program(struct arena *arena, const char *command, const char **ret_path,
                                struct error *err)
{
    const char *path = child_find(arena, command);
    bool allowed = false;

    for (const char *p = runner_config.stdio_allow; *p && !allowed;) {
        size_t len = strcspn(p, ",");
        const char *word = arena_memdup(arena, p, len);
        const char *found;

        while (*word == ' ')
            word++;
        found = *word ? child_find(arena, word) : NULL;
        allowed = strcmp(word, "*") == 0 || strcmp(word, command) == 0 ||
                  (found && path && strcmp(found, path) == 0);
        p += len + (p[len] == ',');
    }
    if (!allowed)
        return error_set(err, ST_PERMISSION_DENIED,
                         "the program '%.100s' is not in MAL_STDIO_ALLOW", command);
    if (!path)
        return error_set(err, ST_UNAVAILABLE, "there is no program '%.100s' on this machine",
                         command);
    *ret_path = path;
    return ST_OK;
}

/* ---- where --------------------------------------------------------------------------- */

static const char *base_folder(struct arena *arena)
{
    unsigned long hash = 5381;

    if (*runner_config.dir)
        return runner_config.dir;
    /* Outside of the hub's folder, which the child must not see. */
    for (const char *p = runner_config.hub_dir; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    return arena_printf(arena, "/var/tmp/mal-runner-%u-%08lx", (unsigned)geteuid(),
                        hash & 0xffffffff);
}

/* Made by us, or nobody else can have put something in. */
static enum status make_folder(const char *path, mode_t mode, uid_t owner, struct error *err)
{
    struct stat st;
    bool handed = mkdir(path, mode) != 0 || owner == geteuid() || chown(path, owner, owner) == 0;

    if (!handed || lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != owner ||
        (st.st_mode & (S_IWGRP | S_IWOTH)))
        return error_set(err, ST_FAILED_PRECONDITION,
                         "its folder cannot be made or belongs to somebody else; set "
                         "MAL_RUNNER_DIR");
    return ST_OK;
}

static enum status home_folder(struct arena *arena, const char *server, const char **ret_home,
                               struct error *err)
{
    const char *base = base_folder(arena);

    *ret_home = arena_printf(arena, "%s/%s", base, server);
    TRY(make_folder(base, S_IRWXU | S_IXGRP | S_IXOTH, geteuid(), err));
    return make_folder(*ret_home, S_IRWXU, geteuid() == 0 ? NOBODY : geteuid(), err);
}

/* ---- environment ---------------------------------------------------------------------- */

static bool plain(const char *value)
{
    return !secret_is_sealed(value) && !strstr(value, "${");
}

/* With child_lock held. */
static void remember_secret(struct slot *slot, size_t *n, const char *value)
{
    if (strlen(value) >= SECRET_MIN)
        slot->secrets[(*n)++] = arena_strdup(&slot->secrets_arena, value);
    slot->secrets[*n] = NULL;
}

static const char **put_own(struct arena *arena, const char *home, size_t room, size_t *ret_n)
{
    const char **env = arena_alloc(arena, (room + 4) * sizeof(*env));

    env[0] = "PATH=" CHILD_PATH;
    env[1] = "LANG=C.UTF-8";
    env[2] = arena_printf(arena, "HOME=%s", home);
    *ret_n = 3;
    return env;
}

/* With child_lock held. */
static enum status environment(struct slot *slot, struct arena *arena, const char *home,
                               const char *const **ret_env, struct error *err)
{
    const McpHealth__Server *server = slot->config->server;
    struct reference_pair *pairs = arena_alloc(arena, (server->n_secrets + 1) * sizeof(*pairs));
    const struct reference_source source = {.keys = &slot->runner->keys,
                                            .env_allow = runner_config.env_allow,
                                            .secrets = pairs,
                                            .n_secrets = server->n_secrets};
    size_t n, hidden = 0;
    const char **env = put_own(arena, home, server->n_env_vars, &n);

    arena_reset(&slot->secrets_arena);
    slot->secrets =
        arena_alloc(&slot->secrets_arena, (server->n_env_vars + 1) * sizeof(*slot->secrets));
    slot->secrets[0] = NULL;
    for (size_t i = 0; i < server->n_secrets; i++)
        pairs[i] = (struct reference_pair){server->secrets[i]->key, server->secrets[i]->value};
    for (size_t i = 0; i < server->n_env_vars; i++) {
        const char *name = server->env_vars[i]->key, *value;
        size_t at = 0, len = strlen(name);

        TRY(reference_resolve(arena, &source, server->env_vars[i]->value, &value, err));
        if (!plain(server->env_vars[i]->value))
            remember_secret(slot, &hidden, value);
        while (at < n && !(strncmp(env[at], name, len) == 0 && env[at][len] == '='))
            at++;
        env[at] = arena_printf(arena, "%s=%s", name, value);
        n += at == n;
    }
    env[n] = NULL;
    *ret_env = env;
    return ST_OK;
}

/* ---- start and stop ---------------------------------------------------------------------- */

static const char *const *arguments(struct arena *arena, const McpHealth__Server *server)
{
    const char **argv = arena_alloc(arena, (server->n_args + 2) * sizeof(*argv));

    argv[0] = server->command;
    for (size_t i = 0; i < server->n_args; i++)
        argv[i + 1] = server->args[i];
    argv[server->n_args + 1] = NULL;
    return argv;
}

static int another_generation(void)
{
    unsigned chance;

    random_bytes(&chance, sizeof(chance));
    return (int)(chance >> 1) | 1;
}

/* With child_lock held. */
static enum status launch(struct slot *slot, struct arena *arena, struct error *err)
{
    static const struct child_limit limits[] = {
        {RLIMIT_CORE, 0, 0},
        {RLIMIT_NOFILE, 4096, 4096},
        {RLIMIT_FSIZE, (rlim_t)8 << 30, (rlim_t)8 << 30},
    };
    const McpHealth__Server *server = slot->config->server;
    const char *hidden[] = {*runner_config.hub_dir ? runner_config.hub_dir : NULL, NULL};
    struct child_options options = {.limits = limits,
                                    .n_limits = ARRAY_SIZE(limits),
                                    .isolation = CHILD_BEST,
                                    .network = true,
                                    .hidden = hidden};

    TRY(find_program(arena, server->command, &options.path, err));
    TRY(home_folder(arena, slot->server, &options.folder, err));
    TRY(environment(slot, arena, options.folder, &options.envp, err));
    options.kept = options.folder;
    options.argv = arguments(arena, server);
    return child_start(&options, &slot->child, err);
}

enum status program_start(void *arg, int *ret_to_child, int *ret_from_child, struct error *err)
{
    struct slot *slot = arg;
    CLEANUP(arena_done) struct arena arena = {0};
    int64_t wait = program_wait_ms(slot);
    enum status status;

    if (slot->closing)
        return error_set(err, ST_UNAVAILABLE, "it was taken away");
    if (wait > 0)
        return error_set(err, ST_UNAVAILABLE, "it ended again and again; next start in %d s",
                         (int)(wait / 1000) + 1);
    program_stop(slot); /* what is left of the one before */
    pthread_mutex_lock(&slot->child_lock);
    slot->words[0] = '\0';
    status = launch(slot, &arena, err);
    slot->hopeless = status != ST_OK && status != ST_UNAVAILABLE;
    slot->started_ms = clock_mono_ms();
    int errors = -1;
    if (status == ST_OK) {
        *ret_to_child = slot->child.in;
        *ret_from_child = slot->child.out;
        errors = slot->child.err;
        slot->child.in = slot->child.out = slot->child.err = -1;
        slot->generation = another_generation();
        (void)atomic_fetch_add(&slot->runner->starts, 1);
    } else {
        slot->failures++;
        slot->not_before_ms = slot->started_ms + delay_ms(slot->failures);
    }
    pthread_mutex_unlock(&slot->child_lock);
    if (errors >= 0)
        ears_add(slot->runner->ears, errors, slot);
    return status;
}

void program_stop(void *arg)
{
    struct slot *slot = arg;
    struct child child;
    struct child_end end = {0};

    pthread_mutex_lock(&slot->child_lock);
    child = slot->child;
    slot->child = (struct child){.pidfd = -1, .in = -1, .out = -1, .err = -1};
    pthread_mutex_unlock(&slot->child_lock);
    bool lived = child.pid > 0;
    if (lived)
        child_stop(&child, EOF_MS, TERM_MS, &end);
    ears_remove(slot->runner->ears, slot);
    pthread_mutex_lock(&slot->child_lock);
    if (lived && !slot->closing)
        note_end(slot, &end);
    pthread_mutex_unlock(&slot->child_lock);
}
