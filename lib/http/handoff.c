/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor under a civetweb connection, which its interface hides: found
 * by standing in for recv(2) and poll(2), so that it can be written to with a
 * deadline, and taken away for an event stream or while no request comes; and
 * accept(2), through which connections come back.
 *
 * On close civetweb calls shutdown(2), which would end a duplicate too. So a
 * dummy is put under civetweb's number and the connection lives on under ours. */
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
#include <unistd.h>

enum {
    FD_WANTED = 1 << 20,
    FD_HEADROOM = 64,
    ACCEPT_PAUSE_US = 10000,
    PARK_AFTER_MS = 20,
    TURN_MS = 10,
    BRIEF_POLL_MS = 2
};

static __thread struct worker *self;
static __thread struct http_server *master;

static pthread_mutex_t reserve_lock = PTHREAD_MUTEX_INITIALIZER;
static int reserve_fd = -1; /* given up to get rid of a connection we cannot serve */
static int dummy_fd = -1;
static atomic_int fd_ceiling;     /* connections stay below */
static atomic_int stream_ceiling; /* streams stay below: they leave room for calls */

/* ---- recv and poll ----------------------------------------------------------- */

/* Called for whatever civetweb does with a connection between handlers. */
static void remember_fd(struct worker *w, int fd)
{
    struct front *front;

    if (w->fd == fd)
        return;
    w->received = w->consumed = 0;
    w->waits = false;
    w->begun_ms = clock_mono_ms();
    front = atomic_load(&w->server->front);
    if (front)
        front_begun(front);
    (void)pthread_mutex_lock(&w->lock);
    w->fd = fd;
    (void)pthread_mutex_unlock(&w->lock);
}

static bool is_busy(struct worker *w)
{
    return atomic_load_explicit(&w->busy, memory_order_relaxed);
}

/* Puts a dummy under the number and returns a duplicate of the connection. */
static int swap_out(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy >= 0 && (dummy_fd < 0 || copy >= atomic_load(&stream_ceiling) ||
                      dup3(dummy_fd, fd, O_CLOEXEC) < 0)) {
        (void)close(copy);
        copy = -1;
    }
    return copy;
}

static int poll_ms(struct pollfd *fds, nfds_t n, int wait_ms)
{
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};

    return ppoll(fds, n, wait_ms < 0 ? NULL : &wait, NULL);
}

/* How long a connection may keep its worker without a request: not at all when
 * others wait and it has had its turn. */
static int patience_ms(const struct worker *w, struct front *front)
{
    if (front_starved(front) && clock_mono_ms() - w->begun_ms >= TURN_MS)
        return 0;
    return PARK_AFTER_MS;
}

/* From here on a receive waits for bytes, if not told otherwise. */
static bool let_wait(struct worker *w)
{
    const struct timeval wait = {.tv_usec = PARK_AFTER_MS * 1000L};

    if (!w->waits)
        w->waits = setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
                   fcntl(w->fd, F_SETFL, fcntl(w->fd, F_GETFL) & ~O_NONBLOCK) == 0;
    return w->waits;
}

/* The connection of this worker waits for a further request that did not come soon:
 * it waits at the front, and civetweb sees an error and closes the dummy. False when
 * it has to wait here. */
static bool park_idle(struct worker *w, struct front *front)
{
    int copy = swap_out(w->fd);

    if (copy < 0)
        return false;
    if (!front_park(front, copy))
        (void)close(copy);
    errno = EIO;
    return true;
}

/* Waits for a further request; as poll(2). Most often it comes soon, and then one
 * receive is less work than a poll and a receive: civetweb is told that there is
 * something to receive. */
static int poll_idle(struct worker *w, struct front *front, struct pollfd *pfd, int wait_ms)
{
    int first_ms = patience_ms(w, front), n;

    if (first_ms > 0 && wait_ms > first_ms && let_wait(w)) {
        w->awaited = true;
        pfd->revents = POLLIN;
        return 1;
    }
    n = poll_ms(pfd, 1, wait_ms < first_ms ? wait_ms : first_ms);
    if (n != 0 || wait_ms <= first_ms)
        return n;
    return park_idle(w, front) ? -1 : poll_ms(pfd, 1, wait_ms - first_ms);
}

/* The receive of which poll_idle has told. */
static ssize_t await_request(struct worker *w, void *buf, size_t len)
{
    struct pollfd pfd = {.fd = w->fd, .events = POLLIN};
    struct front *front = atomic_load(&w->server->front);
    ssize_t n = recvfrom(w->fd, buf, len, 0, NULL, NULL);

    if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        return n;
    if (park_idle(w, front))
        return -1;
    (void)poll_ms(&pfd, 1, (int)http_limits.keepalive_ms);
    return recvfrom(w->fd, buf, len, MSG_DONTWAIT, NULL, NULL);
}

ssize_t handoff_recv(int fd, void *buf, size_t len, int flags) __asm__("recv");

/* recv(2) of the whole process. Handlers may receive from other sockets on a
 * worker's thread; civetweb itself only between handlers, and in mg_read(),
 * where a deadline is set. */
ssize_t handoff_recv(int fd, void *buf, size_t len, int flags)
{
    struct worker *w = self;
    bool awaited;
    ssize_t n;

    if (!w || (is_busy(w) && !w->deadline_ms))
        return recvfrom(fd, buf, len, flags, NULL, NULL);
    if (w->deadline_ms && clock_mono_ms() > w->deadline_ms) {
        w->timed_out = true;
        errno = ETIMEDOUT;
        return -1;
    }
    awaited = w->awaited && fd == w->fd;
    w->awaited = false;
    if (awaited)
        n = await_request(w, buf, len);
    else
        n = recvfrom(fd, buf, len, flags | MSG_DONTWAIT, NULL, NULL);
    if (!is_busy(w)) {
        remember_fd(w, fd);
        w->buf_end = (const char *)buf + len;
        w->head_full = n == (ssize_t)len;
    }
    if (n > 0)
        w->received += n;
    return n;
}

int handoff_poll(struct pollfd *fds, nfds_t n, int wait_ms) __asm__("poll");

/* The thread in which civetweb accepts: it waits for the front, not for its
 * listening socket, and not for long until there is one or once it stops. */
static int poll_master(struct pollfd *fds, nfds_t n, int wait_ms)
{
    struct front *front = atomic_load(&master->front);
    struct pollfd ready = {.events = POLLIN};
    int result;

    if (!front) {
        result = poll_ms(fds, n, BRIEF_POLL_MS);
        fds->revents = 0;
        /* Orders what was done with the listening socket before a stop: the flag that
         * civetweb stops by is unknown to ThreadSanitizer. */
        (void)atomic_load(&master->front);
        return result < 0 ? result : 0;
    }
    ready.fd = front_ready_fd(front);
    result = poll_ms(&ready, 1, front_stopping(front) ? BRIEF_POLL_MS : wait_ms);
    fds->revents = ready.revents;
    return result;
}

/* poll(2) of the whole process. */
int handoff_poll(struct pollfd *fds, nfds_t n, int wait_ms)
{
    struct worker *w = self;
    struct front *front;

    if (master && n == 1)
        return poll_master(fds, n, wait_ms);
    if (!w || is_busy(w) || n != 1 || !(fds->events & POLLIN))
        return poll_ms(fds, n, wait_ms);
    remember_fd(w, fds->fd);
    w->awaited = false;
    front = atomic_load(&w->server->front);
    if (!front || w->received != w->consumed || w->received == 0)
        return poll_ms(fds, n, wait_ms);
    return poll_idle(w, front, fds, wait_ms);
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

/* accept(2) of the whole process: civetweb's gets what the front has ready. */
int handoff_accept(int listener, struct sockaddr *addr, socklen_t *len)
{
    struct front *front = master ? atomic_load(&master->front) : NULL;
    int fd, why;

    if (!master)
        return accept4(listener, addr, len, 0);
    if (!front) {
        errno = EAGAIN;
        return -1;
    }
    fd = front_accept(front);
    why = errno;
    if (fd >= 0 && getpeername(fd, addr, len) != 0)
        memset(addr, 0, *len); /* gone already, as the worker will see */
    /* civetweb asks again at once, whatever it is. */
    if (fd < 0 && why != EAGAIN)
        (void)usleep(ACCEPT_PAUSE_US);
    errno = why;
    return fd;
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

enum status handoff_front(struct http_server *server, struct error *err)
{
    int listener = stands_in() ? find_listener(server->port) : -1;
    struct front *front = listener >= 0 ? front_start(listener, server->options.workers) : NULL;

    if (!front)
        return error_set(err, ST_INTERNAL, "cannot take over the listening socket");
    atomic_store(&server->front, front);
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
    if (dummy_fd < 0)
        dummy_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)pthread_mutex_unlock(&reserve_lock);
}

bool handoff_has_room(int fd)
{
    return fd < atomic_load(&fd_ceiling);
}

static bool is_connection(int fd, const struct mg_request_info *info)
{
    struct sockaddr_in peer = {0}, local = {0};
    socklen_t len = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 || peer.sin_family != AF_INET ||
        ntohs(peer.sin_port) != info->remote_port)
        return false;
    len = sizeof local;
    return getsockname(fd, (struct sockaddr *)&local, &len) == 0 &&
           ntohs(local.sin_port) == info->server_port;
}

int handoff_fd(struct exchange *x)
{
    return x->worker->fd;
}

enum status handoff_take(struct exchange *x, int *ret_fd)
{
    int fd = handoff_fd(x);

    if (fd < 0 || !is_connection(fd, x->info))
        return ST_INTERNAL;
    *ret_fd = swap_out(fd);
    if (*ret_fd < 0)
        return ST_RESOURCE_EXHAUSTED;
    mg_disable_connection_keep_alive(x->conn);
    return ST_OK;
}
