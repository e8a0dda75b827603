/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends a private nats-server for a test. */
#include "nats_server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    (void)fprintf(stderr, "nats_server: %s: %s\n", what, strerror(errno));
    abort();
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static void write_config(const struct nats_server *server)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/nats.conf", server->dir);
    FILE *file = fopen(path, "w");
    if (!file)
        die(path);
    (void)fprintf(
        file,
        "host: 127.0.0.1\nport: %d\nmax_payload: 8388608\nlame_duck_duration: \"30s\"\n"
        "jetstream { store_dir: \"%s/js\" }\nlogfile: \"%s/log\"\nports_file_dir: \"%s\"\n",
        server->port ? server->port : -1, server->dir, server->dir, server->dir);
    if (fclose(file) != 0)
        die(path);
}

static void spawn(struct nats_server *server)
{
    char path[96];
    pid_t parent = getpid();

    (void)snprintf(path, sizeof(path), "%s/nats.conf", server->dir);
    server->pid = fork();
    if (server->pid < 0)
        die("fork");
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        execlp("nats-server", "nats-server", "-c", path, (char *)NULL);
        /* Where Debian puts it, which is on root's PATH only. */
        execl("/usr/sbin/nats-server", "nats-server", "-c", path, (char *)NULL);
        (void)fprintf(stderr, "nats_server: cannot run nats-server: %s\n", strerror(errno));
        _exit(127);
    }
}

static void check_alive(const struct nats_server *server)
{
    int wstatus;

    if (waitpid(server->pid, &wstatus, WNOHANG) == server->pid) {
        (void)fprintf(stderr, "nats_server: it ended at once, see %s/log\n", server->dir);
        abort();
    }
}

/* {"nats":["nats://127.0.0.1:40123"],…} */
static int read_port(const struct nats_server *server)
{
    char path[128], text[512] = "";
    int port = 0;

    (void)snprintf(path, sizeof(path), "%s/nats-server_%d.ports", server->dir, (int)server->pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    const char *found = strstr(text, "nats://127.0.0.1:");
    if (found)
        port = (int)strtol(found + strlen("nats://127.0.0.1:"), NULL, 10);
    return port;
}

static int answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[5] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
              recv(fd, text, 4, MSG_WAITALL) == 4 && strcmp(text, "INFO") == 0;

    close(fd);
    return yes;
}

static void wait_ready(struct nats_server *server)
{
    for (int i = 0; i < 2000; i++) {
        check_alive(server);
        if (!server->port)
            server->port = read_port(server);
        if (server->port && answers(server->port))
            return;
        nap();
    }
    (void)fprintf(stderr, "nats_server: not ready after 10 s, see %s/log\n", server->dir);
    abort();
}

void nats_server_start(struct nats_server *server)
{
    memset(server, 0, sizeof(*server));
    (void)snprintf(server->dir, sizeof(server->dir), "/tmp/mal-nats-XXXXXX");
    if (!mkdtemp(server->dir))
        die("mkdtemp");
    write_config(server);
    spawn(server);
    wait_ready(server);
    (void)snprintf(server->url, sizeof(server->url), "nats://127.0.0.1:%d", server->port);
}

static void end(struct nats_server *server, int signal)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGCONT);
    kill(server->pid, signal);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void nats_server_kill(struct nats_server *server)
{
    end(server, SIGKILL);
}

void nats_server_stop(struct nats_server *server)
{
    end(server, SIGTERM);
}

void nats_server_restart(struct nats_server *server)
{
    end(server, SIGTERM);
    write_config(server);
    spawn(server);
    wait_ready(server);
}

/* Whether every thread stands still; the signal only asks for it. */
static int stands_still(pid_t pid)
{
    char path[64], line[512];
    struct dirent *entry;
    DIR *tasks;
    int still = 1;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    while (tasks && (entry = readdir(tasks)) != NULL) {
        char stat[128] = "";
        const char *state;
        FILE *file;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(stat, sizeof(stat), "%s/%.16s/stat", path, entry->d_name);
        file = fopen(stat, "re");
        state = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
        still = still && state && state[2] == 'T';
        if (file)
            (void)fclose(file);
    }
    if (tasks)
        (void)closedir(tasks);
    return still;
}

void nats_server_freeze(struct nats_server *server, int frozen)
{
    kill(server->pid, frozen ? SIGSTOP : SIGCONT);
    while (frozen && !stands_still(server->pid))
        nap();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void nats_server_done(struct nats_server *server)
{
    end(server, SIGKILL);
    if (server->dir[0] && !getenv("MAL_KEEP_TEST_DIR"))
        (void)nftw(server->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    server->dir[0] = '\0';
}
