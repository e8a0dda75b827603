/* SPDX-License-Identifier: Apache-2.0 */
/* mal doctor: what this machine needs to run the hub, and the mend for what is
 * missing. */
#include "cli.h"

#include "wire/json.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { GATEWAY_PORT = 8420, FILES_WANTED = 4096, DISK_WANTED_MIB = 512, LINE = 256 };

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_FAILURE };

struct finding {
    const char *check;
    enum verdict verdict;
    const char *detail;
    const char *mend; /* NULL when all is well */
};

static const struct wanted {
    const char *program, *package, *what;
    enum verdict without;
} programs[] = {
    {"initdb", "postgresql-15", "the private Postgres of mal up", VERDICT_FAILURE},
    {"postgres", "postgresql-15", "the private Postgres of mal up", VERDICT_FAILURE},
    {"psql", "postgresql-client-15", "setting up the database", VERDICT_FAILURE},
    {"nats-server", "nats-server", "the bus", VERDICT_FAILURE},
    {"bwrap", "bubblewrap", "mal_execute_command in mode run", VERDICT_WARNING},
    {"bash", "bash", "commands written in bash", VERDICT_WARNING},
    {"python3", "python3", "commands written in python", VERDICT_WARNING},
    {"node", "nodejs", "commands written in node", VERDICT_WARNING},
    {"git", "git", "commit activity", VERDICT_WARNING},
};

static const char *const binaries[] = {"mal-gateway", "mal-catalog",    "mal-sprint",
                                       "mal-gamify",  "mal-mcp-health", "mal-mcp-runner"};

static struct finding check_program(struct arena *arena, const struct wanted *wanted)
{
    const char *path = cli_program(arena, wanted->program);
    struct finding finding = {.check = wanted->program, .detail = path};

    if (path)
        return finding;
    finding.verdict = wanted->without;
    finding.detail = arena_printf(arena, "not found; needed for %s", wanted->what);
    finding.mend = arena_printf(arena, "apt install %s", wanted->package);
    return finding;
}

static struct finding check_binary(struct arena *arena, const char *name)
{
    const char *path = cli_binary(arena, name);

    if (path)
        return (struct finding){.check = name, .detail = path};
    return (struct finding){name, VERDICT_FAILURE, "not beside mal", "make build"};
}

static struct finding check_port(struct arena *arena)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(GATEWAY_PORT)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    bool free_now;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    free_now = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    if (fd >= 0)
        (void)close(fd);
    if (free_now)
        return (struct finding){.check = "port",
                                .detail = arena_printf(arena, "%d is free", GATEWAY_PORT)};
    return (struct finding){"port", VERDICT_WARNING,
                            arena_printf(arena, "%d is taken (by a running hub?)", GATEWAY_PORT),
                            "mal up --port N"};
}

static struct finding check_files(struct arena *arena)
{
    struct rlimit limit = {0};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max >= FILES_WANTED)
        return (struct finding){
            .check = "open files",
            .detail = arena_printf(arena, "up to %llu", (unsigned long long)limit.rlim_max)};
    return (struct finding){"open files", VERDICT_WARNING,
                            arena_printf(arena, "only %llu; each open stream takes one",
                                         (unsigned long long)limit.rlim_max),
                            "raise the hard limit (ulimit -Hn)"};
}

static struct finding check_disk(struct arena *arena)
{
    struct statvfs vfs = {0};
    unsigned long long mib;

    (void)statvfs(".", &vfs);
    mib = (unsigned long long)vfs.f_bavail * vfs.f_frsize >> 20;
    if (mib >= DISK_WANTED_MIB)
        return (struct finding){.check = "disk",
                                .detail = arena_printf(arena, "%llu MiB free", mib)};
    return (struct finding){"disk", VERDICT_FAILURE, arena_printf(arena, "%llu MiB free", mib),
                            "free some space, or mal up --dir elsewhere"};
}

/* Runs an empty sandbox as mal_execute_command would. */
static struct finding check_sandbox(struct arena *arena)
{
    const char *bwrap = cli_program(arena, "bwrap");
    int code;

    if (!bwrap)
        return (struct finding){"sandbox", VERDICT_WARNING, "no bwrap", "apt install bubblewrap"};
    code = system(arena_printf(arena,
                               "'%s' --ro-bind / / --unshare-pid --unshare-net true "
                               ">/dev/null 2>&1",
                               bwrap)); /* NOLINT(cert-env33-c) */
    if (code == 0)
        return (struct finding){.check = "sandbox", .detail = "namespaces work"};
    return (struct finding){"sandbox", VERDICT_WARNING,
                            "the kernel allows no user namespaces here; commands only render",
                            "sysctl kernel.unprivileged_userns_clone=1"};
}

static void print_text(const struct finding *findings, size_t n)
{
    static const char *const marks[] = {"ok  ", "warn", "FAIL"};

    for (size_t i = 0; i < n; i++) {
        (void)printf("%s  %-12s %s\n", marks[findings[i].verdict], findings[i].check,
                     findings[i].detail);
        if (findings[i].mend)
            (void)printf("      Try: %s\n", findings[i].mend);
    }
}

static void print_json(const struct finding *findings, size_t n)
{
    static const char *const names[] = {"ok", "warning", "failure"};
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_char(&out, '[');
    for (size_t i = 0; i < n; i++) {
        strbuf_str(&out, i ? ",{\"check\":" : "{\"check\":");
        json_put_string(&out, findings[i].check);
        strbuf_printf(&out, ",\"verdict\":\"%s\",\"detail\":", names[findings[i].verdict]);
        json_put_string(&out, findings[i].detail);
        if (findings[i].mend) {
            strbuf_str(&out, ",\"mend\":");
            json_put_string(&out, findings[i].mend);
        }
        strbuf_char(&out, '}');
    }
    strbuf_char(&out, ']');
    (void)puts(strbuf_cstr(&out));
}

int cmd_doctor(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct finding findings[ARRAY_SIZE(programs) + ARRAY_SIZE(binaries) + 4];
    bool json = argc == 2 && cli_flag(argv[1], "--json");
    bool failed = false;
    size_t n = 0;

    if (argc == 2 && cli_flag(argv[1], "--help"))
        return fputs("Usage: mal doctor [--json]\n\nChecks every prerequisite and says the mend; "
                     "exit code 1 when one is missing.\n",
                     stdout) < 0;
    if (argc > 1 && !json)
        return cli_usage("doctor takes --json only");
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
        findings[n++] = check_program(&arena, &programs[i]);
    for (size_t i = 0; i < ARRAY_SIZE(binaries); i++)
        findings[n++] = check_binary(&arena, binaries[i]);
    findings[n++] = check_port(&arena);
    findings[n++] = check_files(&arena);
    findings[n++] = check_disk(&arena);
    findings[n++] = check_sandbox(&arena);
    if (json)
        print_json(findings, n);
    else
        print_text(findings, n);
    for (size_t i = 0; i < n; i++)
        failed = failed || findings[i].verdict == VERDICT_FAILURE;
    return failed ? EXIT_FAILED : EXIT_DONE;
}
