/* SPDX-License-Identifier: Apache-2.0 */
/* The private Postgres cluster of a test program. */
#include "pg_server.h"

#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_template;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
    va_list ap;

    (void)fputs("pg_server: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    exit(1);
}

/* The newest version that is installed. */
static void find_binaries(struct pg_server *server)
{
    long best = 0;
    glob_t found;

    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            long version = strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);

            if (version > best) {
                best = version;
                (void)snprintf(server->bin, sizeof(server->bin), "%s", found.gl_pathv[i]);
            }
        }
        globfree(&found);
    }
    if (best == 0)
        die("no /usr/lib/postgresql/*/bin; install the package postgresql");
}

/* Postgres refuses to run as root. */
static const struct passwd *server_user(void)
{
    struct passwd *user;

    if (geteuid() != 0)
        return NULL;
    user = getpwnam("postgres");
    if (!user)
        user = getpwnam("nobody");
    if (!user)
        die("running as root, and there is no user postgres or nobody");
    return user;
}

static void become_server_user(void)
{
    const struct passwd *user = server_user();

    if (user && (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
}

/* Runs a program of the installation as the server's user, its output in
 * <dir>/log. */
enum { PATH_BYTES = 256 };

/* argv[0] is the whole path: initdb finds its companions by it. */
static void program_path(const struct pg_server *server, const char *program, char *out)
{
    (void)snprintf(out, PATH_BYTES, "%s/%s", server->bin, program);
}

static int run(const struct pg_server *server, const char *const argv[])
{
    char log[128];
    int status;
    pid_t pid;

    (void)snprintf(log, sizeof(log), "%s/log", server->dir);
    pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        become_server_user();
        if (chdir(server->dir) != 0 || !freopen("/dev/null", "r", stdin) ||
            !freopen(log, "a", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
            _exit(126);
        for (int fd = 3; fd < 256; fd++)
            (void)close(fd);
        (void)signal(SIGINT, SIG_IGN);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid: %s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void data_dir(const struct pg_server *server, char out[96])
{
    (void)snprintf(out, 96, "%s/data", server->dir);
}

static int control(const struct pg_server *server, const char *action, const char *mode)
{
    char data[96], options[256], path[PATH_BYTES];
    const char *const start[] = {path, "-D",         data, "-w",    "-t",    "60",
                                 "-l", "server.log", "-o", options, "start", NULL};
    const char *const stop[] = {path, "-D", data, "-w", "-t", "60", "-m", mode, "stop", NULL};

    data_dir(server, data);
    program_path(server, "pg_ctl", path);
    (void)snprintf(options, sizeof(options),
                   "-c listen_addresses='' -c unix_socket_directories=%s -c fsync=off "
                   "-c shared_buffers=16MB -c max_connections=100 -c log_min_messages=warning",
                   server->dir);
    return run(server, strcmp(action, "start") == 0 ? start : stop);
}

static void show_log(const struct pg_server *server, const char *name)
{
    char path[128], line[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", server->dir, name);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        (void)fputs(line, stderr);
    if (file)
        (void)fclose(file);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void clean_up(const struct pg_server *server)
{
    (void)control(server, "stop", "immediate");
    if (!getenv("MAL_TEST_KEEP"))
        (void)nftw(server->dir, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

/* A process that outlives this one just long enough to clean up. */
static void start_keeper(struct pg_server *server)
{
    pid_t parent = getpid();
    sigset_t wanted;
    int number;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    server->keeper = fork();
    if (server->keeper < 0)
        die("fork: %s", strerror(errno));
    if (server->keeper != 0)
        return;
    (void)setpgid(0, 0); /* a ^C or a timeout is meant for the tests */
    for (int fd = 0; fd < 256; fd++)
        (void)close(fd);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent)
        (void)sigwait(&wanted, &number);
    sigprocmask(SIG_UNBLOCK, &wanted, NULL);
    (void)signal(SIGTERM, SIG_IGN);
    clean_up(server);
    _exit(0);
}

void pg_server_start(struct pg_server *server)
{
    const struct passwd *user = server_user();
    char data[96], path[PATH_BYTES];
    const char *const argv[] = {path,
                                "--no-sync",
                                "--auth=trust",
                                "--username=mal",
                                "--locale=C.UTF-8",
                                "--encoding=UTF8",
                                "-D",
                                data,
                                NULL};

    *server = (struct pg_server){.dir = "/tmp/mal-pg-XXXXXX"};
    find_binaries(server);
    if (!mkdtemp(server->dir))
        die("mkdtemp: %s", strerror(errno));
    if (user && chown(server->dir, user->pw_uid, user->pw_gid) != 0)
        die("chown: %s", strerror(errno));
    start_keeper(server);
    data_dir(server, data);
    program_path(server, "initdb", path);
    if (run(server, argv) != 0) {
        show_log(server, "log");
        die("initdb failed");
    }
    pg_server_resume(server);
}

void pg_server_stop(struct pg_server *server)
{
    int status;

    if (server->keeper <= 0)
        return;
    (void)kill(server->keeper, SIGTERM);
    while (waitpid(server->keeper, &status, 0) < 0 && errno == EINTR)
        ;
    server->keeper = 0;
}

void pg_server_halt(const struct pg_server *server, bool crash)
{
    if (control(server, "stop", crash ? "immediate" : "fast") != 0)
        die("Postgres did not stop");
}

void pg_server_resume(const struct pg_server *server)
{
    if (control(server, "start", NULL) == 0)
        return;
    show_log(server, "log");
    show_log(server, "server.log");
    die("Postgres did not start");
}

void pg_server_url(const struct pg_server *server, const char *database, char url[PG_URL_SIZE])
{
    (void)snprintf(url, PG_URL_SIZE, "postgresql:///%s?host=%s&user=mal", database, server->dir);
}

static PGresult *query(PGconn *db, const char *sql)
{
    PGresult *result;

    if (PQstatus(db) != CONNECTION_OK)
        die("%s", PQerrorMessage(db));
    result = PQexec(db, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        die("%s: %s", sql, PQerrorMessage(db));
    return result;
}

void pg_server_sql(const char *url, const char *sql)
{
    PGconn *db = PQconnectdb(url);

    PQclear(query(db, sql));
    PQfinish(db);
}

const char *pg_server_value(const char *url, const char *sql)
{
    static char value[1024];
    PGconn *db = PQconnectdb(url);
    PGresult *result = query(db, sql);

    (void)snprintf(value, sizeof(value), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(db);
    return value;
}

void pg_server_template(struct pg_server *server, void (*fill)(const char *url))
{
    char admin[PG_URL_SIZE], url[PG_URL_SIZE];

    pg_server_url(server, "postgres", admin);
    pg_server_url(server, "tests", url);
    pg_server_sql(admin, "create database tests");
    fill(url);
    has_template = true;
}

void pg_server_clone(const struct pg_server *server, char url[PG_URL_SIZE])
{
    static int n;
    char admin[PG_URL_SIZE], name[64], sql[160];

    (void)snprintf(name, sizeof(name), "t_%d_%d", (int)getpid(), n++);
    (void)snprintf(sql, sizeof(sql), "create database %s template %s", name,
                   has_template ? "tests" : "template1");
    pg_server_url(server, "postgres", admin);
    if (PQping(admin) != PQPING_OK) /* a test that failed left it halted */
        pg_server_resume(server);
    pg_server_sql(admin, sql);
    pg_server_url(server, name, url);
}
