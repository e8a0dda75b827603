/* SPDX-License-Identifier: Apache-2.0 */
/* civetweb's connections, which are none: what it receives from and polls is a ticket,
 * and the bytes are those of the guest that the loop has for its worker. So we stand in
 * for recv(2), poll(2) and accept(2). */
#include "http/internal.h"

#include "base/log.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FD_WANTED = 1 << 20,
    FD_HEADROOM = 64,
    ACCEPT_PAUSE_US = 10000,
    BRIEF_POLL_MS = 2,
};

static __thread struct worker *self;
static __thread struct http_server *master;

static pthread_mutex_t reserve_lock = PTHREAD_MUTEX_INITIALIZER;
static int reserve_fd = -1;       /* given up to get rid of a connection we cannot serve */
static atomic_int fd_ceiling;     /* connections stay below */
static atomic_int stream_ceiling; /* streams stay below: they leave room for calls */

/* ---- recv and poll ----------------------------------------------------------- */

static int poll_ms(struct pollfd *fds, nfds_t n, int wait_ms)
{
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};

    return ppoll(fds, n, wait_ms < 0 ? NULL : &wait, NULL);
}

/* Whether it is what civetweb takes for its connection. */
static bool is_ticket(struct worker *w, int fd)
{
    if (w->ticket < 0 && !w->busy)
        w->ticket = fd;
    return w->ticket == fd;
}

/* Has a request for civetweb to read; false when there will be none. */
static bool have_guest(struct worker *w)
{
    struct http_loop *loop = atomic_load(&w->server->loop);

    if (w->guest)
        return true;
    if (!w->closing && loop && http_loop_turn(loop, w))
        return true;
    errno = EIO;
    return false;
}

/* civetweb wants more than there seemed to be of the request: it comes as it comes. */
static void wait_for_rest(struct worker *w)
{
    w->whole = false;
    http_loop_leave(atomic_load(&w->server->loop));
}

ssize_t handoff_recv(int fd, void *buf, size_t len, int flags) __asm__("recv");

/* recv(2) of the whole process. */
ssize_t handoff_recv(int fd, void *buf, size_t len, int flags)
{
    struct worker *w = self;
    ssize_t n;

    if (!w || !is_ticket(w, fd))
        return recvfrom(fd, buf, len, flags, NULL, NULL);
    if (w->deadline_ms && clock_mono_ms() > w->deadline_ms) {
        w->timed_out = true;
        errno = ETIMEDOUT;
        return -1;
    }
    if (!have_guest(w))
        return -1;
    if (w->in_at < w->in_len) {
        n = (ssize_t)(len < w->in_len - w->in_at ? len : w->in_len - w->in_at);
        memcpy(buf, w->in + w->in_at, (size_t)n);
        w->in_at += (size_t)n;
    } else {
        wait_for_rest(w);
        n = recvfrom(w->guest->fd, buf, len, flags | MSG_DONTWAIT, NULL, NULL);
    }
    if (!w->busy) {
        w->buf_end = (const char *)buf + len;
        w->head_full = n == (ssize_t)len;
    }
    if (n > 0)
        w->received += n;
    return n;
}

int handoff_poll(struct pollfd *fds, nfds_t n, int wait_ms) __asm__("poll");

/* The thread in which civetweb accepts: it waits for tickets, not for its listening
 * socket, and not for long until there is a loop or once it stops. */
static int poll_master(struct pollfd *fds, nfds_t n, int wait_ms)
{
    struct http_loop *loop = atomic_load(&master->loop);
    struct pollfd ready = {.events = POLLIN};
    int result;

    if (!loop) {
        result = poll_ms(fds, n, BRIEF_POLL_MS);
        fds->revents = 0;
        (void)atomic_load(&master->loop); /* as below */
        return result < 0 ? result : 0;
    }
    ready.fd = http_loop_ticket_fd(loop);
    result = poll_ms(&ready, 1, http_loop_stopping(loop) ? BRIEF_POLL_MS : wait_ms);
    fds->revents = ready.revents;
    /* Orders what was done with the listening socket before a stop: the flag that
     * civetweb stops by is unknown to ThreadSanitizer. */
    (void)http_loop_stopping(loop);
    return result;
}

/* poll(2) of the whole process. */
int handoff_poll(struct pollfd *fds, nfds_t n, int wait_ms)
{
    struct worker *w = self;
    struct pollfd pfd;
    int result;

    if (master && n == 1)
        return poll_master(fds, n, wait_ms);
    if (!w || n != 1 || !(fds->events & POLLIN) || !is_ticket(w, fds->fd))
        return poll_ms(fds, n, wait_ms);
    fds->revents = POLLIN;
    if (!w->guest)
        return have_guest(w) ? 1 : -1;
    if (w->in_at < w->in_len)
        return 1;
    wait_for_rest(w);
    pfd = (struct pollfd){.fd = w->guest->fd, .events = fds->events};
    result = poll_ms(&pfd, 1, wait_ms);
    fds->revents = pfd.revents;
    return result;
}

void handoff_attach(struct worker *worker)
{
    self = worker;
}

/* ---- accept ------------------------------------------------------------------ */

static const char busy_answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                  "Retry-After: 1\r\nContent-Length: 0\r\n"
                                  "Connection: close\r\n\r\n";

void handoff_turn_away(int fd)
{
    (void)send(fd, busy_answer, sizeof busy_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

/* The reserve makes room to take the connection from the queue and close it;
 * else it would be reported for ever. */
void handoff_turn_away_one(int listener)
{
    int fd;

    (void)pthread_mutex_lock(&reserve_lock);
    if (reserve_fd >= 0)
        (void)close(reserve_fd);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        handoff_turn_away(fd);
    reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)pthread_mutex_unlock(&reserve_lock);
}

int handoff_accept(int listener, struct sockaddr *addr, socklen_t *len) __asm__("accept");

/* accept(2) of the whole process: civetweb's gets tickets. */
int handoff_accept(int listener, struct sockaddr *addr, socklen_t *len)
{
    struct http_loop *loop = master ? atomic_load(&master->loop) : NULL;
    int fd, why;

    if (!master)
        return accept4(listener, addr, len, 0);
    if (!loop) {
        errno = EAGAIN;
        return -1;
    }
    fd = http_loop_ticket(loop);
    why = errno;
    memset(addr, 0, *len); /* nobody's */
    /* civetweb asks again at once, whatever it is. */
    if (fd < 0 && why != EAGAIN)
        (void)usleep(ACCEPT_PAUSE_US);
    errno = why;
    return fd;
}

int handoff_getsockname(int fd, struct sockaddr *addr, socklen_t *len) __asm__("getsockname");

/* getsockname(2) of the whole process: to civetweb a ticket has the address of its
 * listening socket, which absolute URIs have to name. */
int handoff_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct http_loop *loop = master ? atomic_load(&master->loop) : NULL;

    return (int)syscall(SYS_getsockname, loop ? http_loop_listener(loop) : fd, addr, len);
}

void handoff_attach_master(struct http_server *server)
{
    master = server;
}

/* Whether our functions stand before the C library's. */
static bool stands_in(void)
{
    return dlsym(RTLD_DEFAULT, "accept") == (void *)(uintptr_t)handoff_accept &&
           dlsym(RTLD_DEFAULT, "recv") == (void *)(uintptr_t)handoff_recv &&
           dlsym(RTLD_DEFAULT, "poll") == (void *)(uintptr_t)handoff_poll;
}

static int find_listener(int port)
{
    int limit = atomic_load(&fd_ceiling);

    for (int fd = 3; fd < limit; fd++) {
        struct sockaddr_in local = {0};
        socklen_t len = sizeof local, size = sizeof(int);
        int listening = 0;

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
            getsockname(fd, (struct sockaddr *)&local, &len) == 0 && local.sin_family == AF_INET &&
            ntohs(local.sin_port) == port)
            return fd;
    }
    return -1;
}

enum status handoff_loop(struct http_server *server, struct error *err)
{
    int listener = stands_in() ? find_listener(server->port) : -1;
    struct http_loop *loop =
        listener >= 0 ? http_loop_start(listener, server->options.workers) : NULL;

    if (!loop)
        return error_set(err, ST_INTERNAL, "cannot take over the listening socket");
    atomic_store(&server->loop, loop);
    return ST_OK;
}

/* ---- descriptors ------------------------------------------------------------ */

void handoff_prepare(void)
{
    struct rlimit limit;
    int headroom;

    (void)pthread_mutex_lock(&reserve_lock);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        rlim_t wanted = limit.rlim_max < FD_WANTED ? limit.rlim_max : FD_WANTED;

        if (limit.rlim_cur < wanted) {
            limit.rlim_cur = wanted;
            if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
                limit.rlim_cur = 1024;
        }
        if (limit.rlim_cur > FD_WANTED)
            limit.rlim_cur = FD_WANTED;
        headroom = (int)limit.rlim_cur / 4 < FD_HEADROOM ? (int)limit.rlim_cur / 4 : FD_HEADROOM;
        atomic_store(&fd_ceiling, (int)limit.rlim_cur - headroom);
        atomic_store(&stream_ceiling, (int)limit.rlim_cur - 2 * headroom);
    }
    if (reserve_fd < 0)
        reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)pthread_mutex_unlock(&reserve_lock);
}

bool handoff_has_room(int fd)
{
    return fd < atomic_load(&fd_ceiling);
}

enum status handoff_take(struct exchange *x, int *ret_fd)
{
    if (x->guest->fd >= atomic_load(&stream_ceiling))
        return ST_RESOURCE_EXHAUSTED;
    *ret_fd = http_loop_take_out(x->job->loop, x->guest);
    return ST_OK;
}
