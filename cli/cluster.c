/* SPDX-License-Identifier: Apache-2.0 */
/* The stack's own Postgres cluster and NATS server. */
#include "port.h"
#include "stack.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SOCKET_PATH_MAX = 90, /* sun_path has 108 bytes, the file's name needs some */
    PG_READY_MS = 30000,
    NATS_READY_MS = 10000,
};

static void pause_ms(int ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&ts, NULL);
}

const char *stack_pg_url(struct stack *stack, const char *role, const char *password)
{
    return arena_printf(&stack->arena, "host=%s dbname=mal user=%s password=%s", stack->pg_socket,
                        role, password);
}

const char *stack_nats_url(struct stack *stack)
{
    return arena_printf(&stack->arena, "nats://127.0.0.1:%d", stack->nats_port);
}

/* Whether a user that is neither owner nor in the group can reach the folder. */
static bool reachable(const char *dir)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s", dir);
    for (char *slash = path + strlen(path); slash && slash != path; slash = strrchr(path, '/')) {
        struct stat st;

        *slash = '\0';
        if (path[0] && (stat(path, &st) != 0 || !(st.st_mode & S_IXOTH)))
            return false;
    }
    return true;
}

/* Postgres refuses to run as root: then its part of the stack belongs to the
 * user that Debian's package made, or nobody. */
static enum status choose_user(struct stack *stack, struct error *err)
{
    struct passwd *pw;

    if (geteuid() != 0)
        return ST_OK;
    pw = getpwnam("postgres");
    if (!pw)
        pw = getpwnam("nobody");
    if (!pw)
        return error_set(err, ST_FAILED_PRECONDITION,
                         "running as root, and there is no user 'postgres' or 'nobody' to run "
                         "Postgres as");
    stack->pg_uid = pw->pw_uid;
    stack->pg_gid = pw->pw_gid;
    return ST_OK;
}

/* A folder's stable stand-in under /var/tmp, for checkouts that only root can
 * enter. */
static const char *outside(struct stack *stack, const char *what)
{
    unsigned long hash = 5381;

    for (const char *p = stack->dir; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    return arena_printf(&stack->arena, "/var/tmp/mal-%s-%08lx", what, hash & 0xffffffff);
}

static enum status make_dir(struct stack *stack, const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return error_set(err, ST_INTERNAL, "cannot make %s: %s", path, strerror(errno));
    if (stack->pg_uid != 0 && chown(path, stack->pg_uid, stack->pg_gid) != 0)
        return error_set(err, ST_INTERNAL, "cannot hand %s to Postgres: %s", path, strerror(errno));
    return ST_OK;
}

static enum status choose_places(struct stack *stack, struct error *err)
{
    bool inside = stack->pg_uid == 0 || reachable(stack->dir);
    bool short_enough = strlen(stack->dir) + strlen("/run") < SOCKET_PATH_MAX;

    stack->pg_data =
        inside ? arena_printf(&stack->arena, "%s/postgres", stack->dir) : outside(stack, "pg");
    stack->pg_socket = inside && short_enough ? arena_printf(&stack->arena, "%s/run", stack->dir)
                                              : outside(stack, "run");
    stack->homes =
        inside ? arena_printf(&stack->arena, "%s/homes", stack->dir) : outside(stack, "homes");
    TRY(make_dir(stack, stack->pg_data, 0700, err));
    return make_dir(stack, stack->pg_socket, 0700, err);
}

/* Runs a program to its end as Postgres' user; its output goes to the log. */
static enum status run_tool(struct stack *stack, struct child *tool, struct error *err)
{
    int status = 0;
    pid_t pid;

    (void)stack;
    TRY(child_start(tool, err));
    do {
        pid = waitpid(tool->pid, &status, 0);
    } while (pid < 0 && errno == EINTR);
    tool->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(err, ST_INTERNAL, "%s failed; see %s", tool->name, tool->log);
    return ST_OK;
}

static enum status cluster_make(struct stack *stack, struct error *err)
{
    struct arena *arena = &stack->arena;
    const char *initdb = cli_program(arena, "initdb");
    const char *pwfile = arena_printf(arena, "%s/pwfile", stack->pg_socket);
    const char *password = secret_get(stack, "MAL_PG_PASSWORD");
    const char **argv = arena_alloc(arena, 16 * sizeof *argv);
    struct child tool = {.name = "initdb", .stop_signal = SIGKILL};
    enum status st;
    size_t n = 0;

    if (!initdb) {
        error_hint(err, "apt install postgresql-15 (mal doctor checks the rest).");
        return error_set(err, ST_FAILED_PRECONDITION, "Postgres is not installed: no initdb");
    }
    TRY(secrets_save(stack, err));
    TRY(cli_write_file(pwfile, password, strlen(password), err));
    if (stack->pg_uid != 0 && chown(pwfile, stack->pg_uid, stack->pg_gid) != 0)
        return error_set(err, ST_INTERNAL, "cannot hand over %s", pwfile);
    argv[n++] = initdb;
    argv[n++] = arena_printf(arena, "--pgdata=%s", stack->pg_data);
    argv[n++] = "--username=mal";
    argv[n++] = "--auth-host=scram-sha-256";
    /* Only our own user reaches the socket; a plain password spares every
     * connection of ours OpenSSL (2 MiB resident). */
    argv[n++] = "--auth-local=password";
    argv[n++] = arena_printf(arena, "--pwfile=%s", pwfile);
    argv[n++] = "--encoding=UTF8";
    argv[n++] = "--locale=C.UTF-8";
    argv[n++] = "--no-instructions";
    if (stack->ephemeral)
        argv[n++] = "--no-sync";
    tool.argv = argv;
    tool.env = stack_env(stack, NULL, NULL);
    tool.log = arena_printf(arena, "%s/log/initdb.log", stack->dir);
    tool.uid = stack->pg_uid;
    tool.gid = stack->pg_gid;
    st = run_tool(stack, &tool, err);
    (void)unlink(pwfile);
    return st;
}

static enum status cluster_start(struct stack *stack, struct error *err)
{
    struct arena *arena = &stack->arena;
    struct child *child = stack_add(stack, "postgres");
    const char *server = cli_program(arena, "postgres");
    const char **argv = arena_alloc(arena, 24 * sizeof *argv);
    size_t n = 0;

    if (!server)
        return error_set(err, ST_FAILED_PRECONDITION, "Postgres is not installed: no postgres");
    argv[n++] = server;
    argv[n++] = "-D";
    argv[n++] = stack->pg_data;
    argv[n++] = "-k";
    argv[n++] = stack->pg_socket;
    argv[n++] = "-clisten_addresses=";
    argv[n++] = "-cunix_socket_permissions=0700";
    argv[n++] = "-cmax_connections=100";
    argv[n++] = "-clog_destination=stderr";
    argv[n++] = "-clogging_collector=off";
    if (stack->ephemeral) {
        /* Guards against power loss only; killed processes lose nothing. */
        argv[n++] = "-cfsync=off";
        argv[n++] = "-cfull_page_writes=off";
        /* Postgres fills a new segment of its log with zeros, and the system finds
         * pages for it: a tenth of what a batch of rows costs. A durable server
         * comes to write into old segments again, and until then the zeros keep
         * the fsync of a commit from writing metadata of the file. This one has
         * few segments, soon used again. */
        argv[n++] = "-cwal_init_zero=off";
        argv[n++] = "-cmax_wal_size=64MB";
        argv[n++] = "-cmin_wal_size=64MB";
        argv[n++] = "-ccheckpoint_warning=0";
    }
    child->argv = argv;
    child->env = stack_env(stack, NULL, NULL);
    child->stop_signal = SIGINT; /* fast shutdown */
    child->uid = stack->pg_uid;
    child->gid = stack->pg_gid;
    return child_start(child, err);
}

static enum status cluster_wait(struct stack *stack, struct error *err)
{
    const char *url = arena_printf(&stack->arena, "host=%s dbname=postgres user=mal password=%s",
                                   stack->pg_socket, secret_get(stack, "MAL_PG_PASSWORD"));
    int64_t deadline = clock_mono_ms() + PG_READY_MS;

    while (PQping(url) != PQPING_OK) {
        (void)stack_reap(stack);
        if (stack_child(stack, "postgres")->pid == 0 || clock_mono_ms() > deadline)
            return error_set(err, ST_UNAVAILABLE, "Postgres does not start; see %s",
                             stack_child(stack, "postgres")->log);
        pause_ms(20);
    }
    return ST_OK;
}

static enum status create_database(struct stack *stack, struct error *err)
{
    const char *url = arena_printf(&stack->arena, "host=%s dbname=postgres user=mal password=%s",
                                   stack->pg_socket, secret_get(stack, "MAL_PG_PASSWORD"));
    PGconn *conn = PQconnectdb(url);
    enum status st = ST_OK;
    PGresult *result;

    result = PQexec(conn, "select from pg_database where datname = 'mal'");
    if (PQntuples(result) == 0) {
        PQclear(result);
        result = PQexec(conn, "create database mal");
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            st =
                error_set(err, ST_INTERNAL, "cannot create the database: %s", PQerrorMessage(conn));
    }
    PQclear(result);
    PQfinish(conn);
    return st;
}

/* The same file that compose and Kubernetes apply. */
static enum status bootstrap(struct stack *stack, struct error *err)
{
    static const char *const roles[] = {"CATALOG", "SPRINT", "GAMIFY", "MCP_HEALTH"};
    struct arena *arena = &stack->arena;
    const char *psql = cli_program(arena, "psql");
    const char *file = cli_share(arena, "deploy/postgres/bootstrap.sql");
    const char *password =
        arena_printf(arena, "PGPASSWORD=%s", secret_get(stack, "MAL_PG_PASSWORD"));
    const char *extra[ARRAY_SIZE(roles) + 2] = {password};
    const char *argv[] = {psql, "-qX", "-h", stack->pg_socket, "-U", "mal", "-d", "mal",
                          "-f", file,  NULL};
    struct child tool = {.name = "psql", .stop_signal = SIGKILL, .argv = argv};

    if (!psql || !file)
        return error_set(err, ST_FAILED_PRECONDITION, "%s",
                         psql ? "deploy/postgres/bootstrap.sql is missing beside this binary"
                              : "psql is not installed");
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        const char *name = arena_printf(arena, "MAL_PG_PASSWORD_%s", roles[i]);

        extra[i + 1] = arena_printf(arena, "%s=%s", name, secret_get(stack, name));
    }
    TRY(secrets_save(stack, err));
    tool.env = stack_env(stack, NULL, extra);
    tool.log = arena_printf(arena, "%s/log/bootstrap.log", stack->dir);
    return run_tool(stack, &tool, err);
}

enum status stack_postgres(struct stack *stack, struct error *err)
{
    TRY(choose_user(stack, err));
    TRY(choose_places(stack, err));
    if (access(arena_printf(&stack->arena, "%s/PG_VERSION", stack->pg_data), F_OK) != 0)
        TRY(cluster_make(stack, err));
    TRY(cluster_start(stack, err));
    TRY(cluster_wait(stack, err));
    TRY(create_database(stack, err));
    return bootstrap(stack, err);
}

static bool tcp_answers(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    up = fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    if (fd >= 0)
        (void)close(fd);
    return up;
}

enum status stack_nats(struct stack *stack, struct error *err)
{
    static const char *const users[] = {"GATEWAY",    "CATALOG",    "SPRINT", "GAMIFY",
                                        "MCP_HEALTH", "MCP_RUNNER", "CLI"};
    struct arena *arena = &stack->arena;
    const char **argv = arena_alloc(arena, 12 * sizeof *argv);
    const char **extra = arena_alloc(arena, (ARRAY_SIZE(users) + 3) * sizeof *extra);
    struct child *child = stack_add(stack, "nats");
    int64_t deadline = clock_mono_ms() + NATS_READY_MS;
    size_t n = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    stack->nats_port = stack_free_port();
    argv[n++] = cli_program(arena, "nats-server");
    argv[n++] = "-c";
    argv[n++] = cli_share(arena, "deploy/nats.conf");
    argv[n++] = "-a";
    argv[n++] = "127.0.0.1";
    argv[n++] = "-p";
    argv[n++] = arena_printf(arena, "%d", stack->nats_port);
    if (!argv[0] || !argv[2]) {
        error_hint(err, "apt install nats-server (mal doctor checks the rest).");
        return error_set(err, ST_FAILED_PRECONDITION, "nats-server or deploy/nats.conf is missing");
    }
    n = 0;
    extra[n++] = arena_printf(arena, "MAL_NATS_STORE=%s/nats", stack->dir);
    extra[n++] = arena_printf(arena, "GOMAXPROCS=%ld", cores > 1 ? (cores + 1) / 2 : 1);
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        const char *name = arena_printf(arena, "MAL_NATS_PASSWORD_%s", users[i]);

        extra[n++] = arena_printf(arena, "%s=%s", name, secret_get(stack, name));
    }
    TRY(secrets_save(stack, err));
    child->argv = argv;
    child->env = stack_env(stack, NULL, extra);
    child->port = stack->nats_port;
    TRY(child_start(child, err));
    while (!tcp_answers(stack->nats_port)) {
        (void)stack_reap(stack);
        if (child->pid == 0 || clock_mono_ms() > deadline)
            return error_set(err, ST_UNAVAILABLE, "nats-server does not start; see %s", child->log);
        pause_ms(20);
    }
    return ST_OK;
}
