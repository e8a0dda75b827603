/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor under a civetweb connection, which its interface hides: found
 * by standing in for recv(2), so that it can be written to with a deadline and
 * taken away for an event stream; and accept(2), which must not fail in a loop
 * when descriptors run out.
 *
 * On close civetweb calls shutdown(2), which would end a duplicate too. So a
 * dummy is put under civetweb's number and the connection lives on under ours. */
#include "http/internal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_WANTED = 1 << 20, FD_HEADROOM = 64, ACCEPT_PAUSE_US = 10000 };

static __thread struct worker *self;

static pthread_mutex_t reserve_lock = PTHREAD_MUTEX_INITIALIZER;
static int reserve_fd = -1; /* given up to get rid of a connection we cannot serve */
static int dummy_fd = -1;
static atomic_int fd_ceiling; /* connections and streams stay below */

/* ---- recv ------------------------------------------------------------------ */

static void remember_fd(struct worker *w, int fd)
{
    if (w->fd == fd)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->fd = fd;
    (void)pthread_mutex_unlock(&w->lock);
}

ssize_t handoff_recv(int fd, void *buf, size_t len, int flags) __asm__("recv");

/* recv(2) of the whole process. Handlers may receive from other sockets on a
 * worker's thread; civetweb itself only between handlers, and in mg_read(),
 * where a deadline is set. */
ssize_t handoff_recv(int fd, void *buf, size_t len, int flags)
{
    struct worker *w = self;
    ssize_t n;

    if (!w)
        return recvfrom(fd, buf, len, flags, NULL, NULL);
    if (w->deadline_ms && clock_mono_ms() > w->deadline_ms) {
        w->timed_out = true;
        errno = ETIMEDOUT;
        return -1;
    }
    n = recvfrom(fd, buf, len, flags, NULL, NULL);
    if (!atomic_load_explicit(&w->busy, memory_order_relaxed)) {
        remember_fd(w, fd);
        w->buf_end = (const char *)buf + len;
        w->head_full = n == (ssize_t)len;
    }
    return n;
}

void handoff_attach(struct worker *worker)
{
    self = worker;
}

/* ---- accept ---------------------------------------------------------------- */

static const char busy_answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                  "Retry-After: 1\r\nContent-Length: 0\r\n"
                                  "Connection: close\r\n\r\n";

static void turn_away(int fd)
{
    (void)send(fd, busy_answer, sizeof busy_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

/* The process is out of descriptors: the reserve makes room to take the
 * connection from the queue and close it; else poll would report it for ever. */
static void turn_away_one(int listener)
{
    int fd;

    (void)pthread_mutex_lock(&reserve_lock);
    if (reserve_fd >= 0)
        (void)close(reserve_fd);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        turn_away(fd);
    reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)pthread_mutex_unlock(&reserve_lock);
}

int handoff_accept(int listener, struct sockaddr *addr, socklen_t *len) __asm__("accept");

/* accept(2) of the whole process; here only civetweb uses it. */
int handoff_accept(int listener, struct sockaddr *addr, socklen_t *len)
{
    int fd = accept4(listener, addr, len, SOCK_CLOEXEC), why = errno;

    if (fd >= 0 && fd < atomic_load(&fd_ceiling))
        return fd;
    if (fd >= 0) {
        turn_away(fd);
        why = EMFILE;
    } else if (why == EMFILE || why == ENFILE) {
        turn_away_one(listener);
    }
    /* Whatever it is, civetweb asks again at once. */
    if (why != EAGAIN && why != EINTR && why != ECONNABORTED)
        (void)usleep(ACCEPT_PAUSE_US);
    errno = why;
    return -1;
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
    }
    if (reserve_fd < 0)
        reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dummy_fd < 0)
        dummy_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)pthread_mutex_unlock(&reserve_lock);
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
    int fd = x->worker->fd, limit = atomic_load(&fd_ceiling);

    if (fd >= 0)
        return fd;
    /* recv() of this build is not ours: look for the connection. Streams that
     * were taken have other peers, so the first match is it. */
    for (fd = 3; fd < limit; fd++)
        if (is_connection(fd, x->info)) {
            remember_fd(x->worker, fd);
            return fd;
        }
    return -1;
}

enum status handoff_take(struct exchange *x, int *ret_fd)
{
    int fd = handoff_fd(x), copy;

    if (fd < 0 || dummy_fd < 0 || !is_connection(fd, x->info))
        return ST_INTERNAL;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return ST_RESOURCE_EXHAUSTED;
    if (copy >= atomic_load(&fd_ceiling) || dup3(dummy_fd, fd, O_CLOEXEC) < 0) {
        (void)close(copy);
        return ST_RESOURCE_EXHAUSTED;
    }
    mg_disable_connection_keep_alive(x->conn);
    *ret_fd = copy;
    return ST_OK;
}

void handoff_stop_listening(int port)
{
    int limit = atomic_load(&fd_ceiling);

    for (int fd = 3; fd < limit; fd++) {
        struct sockaddr_in local = {0};
        socklen_t len = sizeof local;
        int listening = 0;
        socklen_t size = sizeof listening;

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
            getsockname(fd, (struct sockaddr *)&local, &len) == 0 && local.sin_family == AF_INET &&
            ntohs(local.sin_port) == port)
            (void)shutdown(fd, SHUT_RDWR);
    }
}
