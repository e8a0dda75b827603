/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a listener. Workers that have nothing to do wait here for whatever
 * comes next: a request on any connection, or what a request under way has waited for
 * (run.c). A few at a time have a seat, as many as there are processors; who is about to
 * wait for something else leaves it to another. So under load nobody sleeps for one
 * thing while another is ready, and clients that are slow or silent cost a descriptor
 * each and no thread.
 *
 * One thread more accepts, ends what has waited too long, and gives away the seat of a
 * worker that is long at one thing. civetweb polls our event counter where it means its
 * listening socket, and what its accept(2) gets is no connection but a ticket, with which
 * a worker comes here (handoff.c). */
#include "http/internal.h"

#include "base/fiber.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 8, /* few: what is left wakes another worker */
    TICK_MS = 20,
    LINGER_MS = 500,
    LONG_MS = 20, /* at one thing */
    ACCEPT_BURST = 64,
    ACCEPT_PAUSE_US = 10000,
    EXPIRE_BURST = 64,
    SEATS_MAX = 64,
};

enum guest_state {
    GUEST_GONE,
    GUEST_IDLE,
    GUEST_BUSY,      /* somebody's alone */
    GUEST_BUSY_NEWS, /* and something came meanwhile */
};

struct list {
    struct item *first, **last;
};

struct http_loop {
    int listener;           /* civetweb's */
    int epoll_fd;           /* the workers' */
    int wake_fd;            /* in it: something is ready */
    int accept_fd, bell_fd; /* the thread's epoll set, and what ends its wait */
    int ticket_fd;          /* counts the tickets offered */
    pthread_t thread;
    int workers, seats;
    atomic_bool stopping, ended;
    atomic_bool somebody_looks; /* for events, awake */

    pthread_mutex_t lock; /* what follows */
    struct guest *guests, *spare_guests;
    struct list ready_guests, ready_jobs;
    struct http_job *jobs, *spare_jobs;
    int n_jobs;
    struct worker *seated, *waiting; /* with a seat; for one */
    int n_seated;
    int n_tickets; /* of workers, or offered */
    int *offered, n_offered;
    int asleep; /* of those seated */
    bool woken; /* by wake_fd, and nobody has come yet */
};

static __thread struct worker *here; /* the thread's worker, when it is not in a wait */

static const char timeout_answer[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                     "Connection: close\r\n\r\n";

static void ring(int fd)
{
    uint64_t one = 1;

    (void)!write(fd, &one, sizeof one);
}

/* ---- what is ready: with the lock held ---------------------------------------- */

static void put(struct list *list, struct item *item)
{
    item->next = NULL;
    *list->last = item;
    list->last = &item->next;
}

static struct item *take(struct list *list)
{
    struct item *item = list->first;

    if (item) {
        list->first = item->next;
        if (!list->first)
            list->last = &list->first;
    }
    return item;
}

static bool some_job(const struct http_loop *loop)
{
    return loop->spare_jobs || loop->n_jobs < loop->workers;
}

/* Opens the lock, and wakes somebody who sleeps if there is something to do. A worker
 * that has a seat sees to it itself. */
static void unlock_and_wake(struct http_loop *loop)
{
    bool some = loop->ready_jobs.first || (loop->ready_guests.first && some_job(loop));
    bool wake = some && loop->asleep > 0 && !loop->woken && !(here && here->seat.seated);

    loop->woken = loop->woken || wake;
    (void)pthread_mutex_unlock(&loop->lock);
    if (wake)
        ring(loop->wake_fd);
}

/* ---- guests ------------------------------------------------------------------- */

/* A new one, busy. */
static struct guest *guest_new(struct http_loop *loop, int fd)
{
    struct sockaddr_in peer = {0};
    socklen_t len = sizeof peer;
    struct guest *guest;

    (void)pthread_mutex_lock(&loop->lock);
    guest = loop->spare_guests;
    if (guest)
        loop->spare_guests = guest->next;
    (void)pthread_mutex_unlock(&loop->lock);
    if (!guest && !(guest = calloc(1, sizeof *guest)))
        return NULL;
    guest->item.kind = ITEM_GUEST;
    guest->fd = fd;
    guest->begun = guest->ending = false;
    guest->prev = NULL;
    (void)getpeername(fd, (struct sockaddr *)&peer, &len);
    (void)inet_ntop(AF_INET, &peer.sin_addr, guest->peer, sizeof guest->peer);
    atomic_store(&guest->deadline_ms, clock_mono_ms() + http_limits.request_timeout_ms);
    atomic_store(&guest->state, GUEST_BUSY);
    (void)pthread_mutex_lock(&loop->lock);
    guest->next = loop->guests;
    if (guest->next)
        guest->next->prev = guest;
    loop->guests = guest;
    (void)pthread_mutex_unlock(&loop->lock);
    return guest;
}

/* Bytes that no request has yet. */
static void keep(struct guest *guest, const char *bytes, size_t len)
{
    char *kept = len ? malloc(len) : NULL;

    if (len && !kept)
        abort();
    if (len)
        memcpy(kept, bytes, len);
    free(guest->kept);
    guest->kept = kept;
    guest->kept_len = len;
}

/* Of one that is busy. */
static void guest_forget(struct http_loop *loop, struct guest *guest)
{
    keep(guest, NULL, 0);
    (void)pthread_mutex_lock(&loop->lock);
    if (guest->prev)
        guest->prev->next = guest->next;
    else
        loop->guests = guest->next;
    if (guest->next)
        guest->next->prev = guest->prev;
    atomic_store(&guest->state, GUEST_GONE);
    guest->next = loop->spare_guests;
    loop->spare_guests = guest;
    (void)pthread_mutex_unlock(&loop->lock);
}

static void guest_close(struct http_loop *loop, struct guest *guest)
{
    int fd = guest->fd;

    guest_forget(loop, guest);
    (void)close(fd);
}

/* One that is idle is the caller's from here on. */
static bool guest_claim(struct guest *guest)
{
    int idle = GUEST_IDLE;

    return atomic_compare_exchange_strong(&guest->state, &idle, GUEST_BUSY);
}

/* It waits; false when something came meanwhile, and it is still the caller's. */
static bool guest_idles(struct guest *guest)
{
    int busy = GUEST_BUSY;

    if (atomic_compare_exchange_strong(&guest->state, &busy, GUEST_IDLE))
        return true;
    atomic_store(&guest->state, GUEST_BUSY);
    return false;
}

static void guest_is_ready(struct http_loop *loop, struct guest *guest)
{
    (void)pthread_mutex_lock(&loop->lock);
    put(&loop->ready_guests, &guest->item);
    unlock_and_wake(loop);
}

static void guest_has_news(struct http_loop *loop, struct guest *guest)
{
    int state = GUEST_BUSY;

    while (!guest_claim(guest))
        if (atomic_compare_exchange_strong(&guest->state, &state, GUEST_BUSY_NEWS) ||
            state != GUEST_IDLE)
            return;
    guest_is_ready(loop, guest);
}

void http_loop_give_guest(struct http_loop *loop, struct guest *guest, bool close)
{
    if (close || atomic_load(&loop->stopping)) {
        guest_close(loop, guest);
        return;
    }
    guest->begun = false;
    atomic_store(&guest->deadline_ms, clock_mono_ms() + http_limits.keepalive_ms);
    if (!guest_idles(guest))
        guest_is_ready(loop, guest);
}

int http_loop_take_out(struct http_loop *loop, struct guest *guest)
{
    int fd = guest->fd;

    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    guest_forget(loop, guest);
    return fd;
}

/* What has come of the guest, into the worker's buffer; false: it has gone. */
static bool receive(struct worker *w, const struct guest *guest)
{
    ssize_t n;

    w->in_len = guest->kept_len;
    if (w->in_len)
        memcpy(w->in, guest->kept, w->in_len);
    n = recvfrom(guest->fd, w->in + w->in_len, PEEK_MAX - w->in_len, MSG_DONTWAIT, NULL, NULL);
    if (n > 0)
        w->in_len += (size_t)n;
    w->in[w->in_len] = '\0';
    return n > 0 || w->in_len == PEEK_MAX ||
           (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

/* There is a request to be read: the worker has its bytes, and what is behind them is
 * kept for the next. */
static void begin(struct worker *w, struct guest *guest, size_t len)
{
    w->whole = len != SIZE_MAX;
    if (!w->whole)
        len = w->in_len;
    keep(guest, w->in + len, w->in_len - len);
    if (len < w->in_len) /* the kernel will not tell of it */
        atomic_store(&guest->state, GUEST_BUSY_NEWS);
    w->in_at = 0;
    w->in_len = len;
}

/* Whether the guest, which is the worker's, has a request to be read; else it waits on
 * or is closed. */
static bool look(struct http_loop *loop, struct worker *w, struct guest *guest)
{
    size_t len;

    do {
        if (!receive(w, guest)) {
            guest_close(loop, guest);
            return false;
        }
        if (!guest->ending && w->in_len > 0 && peek_is_whole(w->in, w->in_len, &len)) {
            begin(w, guest, len);
            return true;
        }
        if (guest->ending)
            keep(guest, NULL, 0);
        else if (w->in_len > guest->kept_len)
            keep(guest, w->in, w->in_len);
        if (w->in_len > 0 && !guest->begun) {
            guest->begun = true;
            atomic_store(&guest->deadline_ms, clock_mono_ms() + http_limits.request_timeout_ms);
        }
    } while (!guest_idles(guest));
    return false;
}

/* ---- jobs ----------------------------------------------------------------------- */

void http_loop_job_ready(struct http_loop *loop, struct http_job *job)
{
    (void)pthread_mutex_lock(&loop->lock);
    put(&loop->ready_jobs, &job->item);
    unlock_and_wake(loop);
}

/* With the lock held. */
static void spare_job(struct http_loop *loop, struct http_job *job)
{
    if (!job)
        return;
    job->next = loop->spare_jobs;
    loop->spare_jobs = job;
}

void http_loop_give_job(struct http_loop *loop, struct http_job *job)
{
    (void)pthread_mutex_lock(&loop->lock);
    spare_job(loop, job);
    unlock_and_wake(loop);
}

/* With the lock held, which is open meanwhile. NULL: there are enough under way, or no
 * memory for one more. */
static struct http_job *get_job(struct http_loop *loop)
{
    struct http_job *job = loop->spare_jobs;

    if (job) {
        loop->spare_jobs = job->next;
        return job;
    }
    if (!some_job(loop))
        return NULL;
    loop->n_jobs++;
    (void)pthread_mutex_unlock(&loop->lock);
    job = http_job_new(loop);
    (void)pthread_mutex_lock(&loop->lock);
    if (job) {
        job->next_of_all = loop->jobs;
        loop->jobs = job;
    } else {
        loop->n_jobs--;
    }
    return job;
}

bool http_loop_watch(struct http_loop *loop, struct http_job *job, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = &job->item};

    /* Most often it was watched before. */
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
           (errno == ENOENT && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
}

/* ---- seats: with the lock held ---------------------------------------------------- */

static void seat(struct http_loop *loop, struct worker *w)
{
    w->seat.next = loop->seated;
    loop->seated = w;
    loop->n_seated++;
    w->seat.seated = true;
}

static void unlink_worker(struct worker **list, struct worker *w)
{
    while (*list != w)
        list = &(*list)->seat.next;
    *list = w->seat.next;
}

/* A worker more is to come; when there is no descriptor for its ticket, at another
 * tick. */
static void offer_ticket(struct http_loop *loop)
{
    int fd;

    if (loop->n_tickets == loop->workers || atomic_load(&loop->ended) ||
        (fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
        return;
    loop->n_tickets++;
    loop->offered[loop->n_offered++] = fd;
    ring(loop->ticket_fd);
}

/* Somebody takes what is free: who waits for it, or a worker that civetweb has to send. */
static void fill_seats(struct http_loop *loop)
{
    struct worker *next = loop->waiting;

    if (loop->n_seated >= loop->seats)
        return;
    if (next) {
        loop->waiting = next->seat.next;
        next->seat.waits = false;
        seat(loop, next);
        (void)pthread_cond_signal(&next->seat.cond);
    } else if (loop->n_seated + loop->n_offered < loop->seats) {
        offer_ticket(loop);
    }
}

static void unseat(struct http_loop *loop, struct worker *w)
{
    if (!w->seat.seated)
        return;
    unlink_worker(&loop->seated, w);
    loop->n_seated--;
    w->seat.seated = false;
    fill_seats(loop);
}

static void wait_for_seat(struct http_loop *loop, struct worker *w)
{
    spare_job(loop, TAKE(w->job));
    w->seat.next = loop->waiting;
    loop->waiting = w;
    w->seat.waits = true;
    while (w->seat.waits && !atomic_load(&loop->ended))
        (void)pthread_cond_wait(&w->seat.cond, &loop->lock);
    if (w->seat.waits)
        unlink_worker(&loop->waiting, w);
    w->seat.waits = false;
}

/* False once the loop has ended. */
static bool sit_down(struct http_loop *loop, struct worker *w)
{
    here = w;
    (void)pthread_mutex_lock(&loop->lock);
    if (!w->seat.seated && loop->n_seated < loop->seats)
        seat(loop, w);
    else if (!w->seat.seated)
        wait_for_seat(loop, w);
    (void)pthread_mutex_unlock(&loop->lock);
    return !atomic_load(&loop->ended);
}

void http_loop_leave(struct http_loop *loop)
{
    struct worker *w = TAKE(here);

    if (!w)
        return;
    (void)pthread_mutex_lock(&loop->lock);
    unseat(loop, w);
    unlock_and_wake(loop);
}

/* ---- a turn ----------------------------------------------------------------------- */

/* What is to be done next. NULL: nothing, and the worker counts as asleep. */
static struct item *next_item(struct http_loop *loop, struct worker *w)
{
    struct item *item;

    (void)pthread_mutex_lock(&loop->lock);
    item = take(&loop->ready_jobs);
    if (!item && loop->ready_guests.first && !w->job)
        w->job = get_job(loop);
    if (!item && w->job)
        item = take(&loop->ready_guests);
    if (!item) {
        spare_job(loop, TAKE(w->job));
        loop->asleep++;
    }
    (void)pthread_mutex_unlock(&loop->lock);
    return item;
}

static void wait_for_events(struct http_loop *loop, struct worker *w)
{
    struct epoll_event events[EVENTS];
    uint64_t count;
    int n;

    atomic_store(&w->seat.since_ms, 0);
    n = busy_epoll(&w->waiting, &loop->somebody_looks, loop->epoll_fd, events, EVENTS);
    atomic_store(&w->seat.since_ms, clock_mono_ms());
    (void)pthread_mutex_lock(&loop->lock);
    loop->asleep--;
    for (int i = 0; i < n; i++)
        if (!events[i].data.ptr && !atomic_load(&loop->ended)) {
            loop->woken = false;
            (void)!read(loop->wake_fd, &count, sizeof count);
        }
    (void)pthread_mutex_unlock(&loop->lock);
    for (int i = 0; i < n; i++) {
        struct item *item = events[i].data.ptr;

        if (item && item->kind == ITEM_GUEST)
            guest_has_news(loop, (struct guest *)(void *)item);
        else if (item)
            fiber_wake(((struct http_job *)(void *)item)->fiber);
    }
}

/* Whether it is a request for civetweb to read. */
static bool do_item(struct http_loop *loop, struct worker *w, struct item *item)
{
    struct guest *guest = (struct guest *)(void *)item;

    if (item->kind == ITEM_JOB) {
        request_go_on((struct http_job *)(void *)item);
        return false;
    }
    if (!look(loop, w, guest))
        return false;
    w->guest = guest;
    w->received = w->consumed = 0;
    if (!w->whole) /* the rest has to be waited for */
        http_loop_leave(loop);
    return true;
}

bool http_loop_turn(struct http_loop *loop, struct worker *w)
{
    atomic_store(&w->seat.since_ms, clock_mono_ms());
    if (!w->in && !(w->in = malloc(PEEK_MAX + 1)))
        abort();
    while (sit_down(loop, w)) {
        struct item *item = next_item(loop, w);

        if (!item)
            wait_for_events(loop, w);
        else if (do_item(loop, w, item))
            return true;
    }
    http_loop_leave(loop);
    return false;
}

/* ---- tickets ------------------------------------------------------------------------ */

int http_loop_listener(const struct http_loop *loop)
{
    return loop->listener;
}

int http_loop_ticket_fd(struct http_loop *loop)
{
    return loop->ticket_fd;
}

bool http_loop_stopping(struct http_loop *loop)
{
    return atomic_load(&loop->stopping);
}

int http_loop_ticket(struct http_loop *loop)
{
    uint64_t count;
    int fd = -1;

    (void)pthread_mutex_lock(&loop->lock);
    if (loop->n_offered > 0) {
        (void)!read(loop->ticket_fd, &count, sizeof count);
        fd = loop->offered[--loop->n_offered];
    }
    (void)pthread_mutex_unlock(&loop->lock);
    errno = EAGAIN;
    return fd;
}

void http_loop_ticket_gone(struct http_loop *loop, struct worker *w)
{
    here = NULL;
    (void)pthread_mutex_lock(&loop->lock);
    spare_job(loop, TAKE(w->job));
    loop->n_tickets--;
    unseat(loop, w);
    fill_seats(loop);
    unlock_and_wake(loop);
}

/* ---- the thread ----------------------------------------------------------------------- */

static void welcome(struct http_loop *loop, int fd)
{
    struct guest *guest = guest_new(loop, fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = guest};
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!guest)
        (void)close(fd);
    else if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        guest_close(loop, guest);
    else if (!guest_idles(guest))
        guest_is_ready(loop, guest);
}

static void accept_some(struct http_loop *loop)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(loop->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            handoff_turn_away_one(loop->listener);
            (void)usleep(ACCEPT_PAUSE_US);
            return;
        }
        if (fd < 0)
            return;
        if (!handoff_has_room(fd)) {
            handoff_turn_away(fd);
            (void)usleep(ACCEPT_PAUSE_US);
            return;
        }
        welcome(loop, fd);
    }
}

/* A request has not come whole in time: says so, and leaves the client a moment to see
 * it before the connection is closed under it. */
static void give_up(struct http_loop *loop, struct guest *guest)
{
    (void)send(guest->fd, timeout_answer, sizeof timeout_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(guest->fd, SHUT_WR);
    guest->ending = true;
    atomic_store(&guest->deadline_ms, clock_mono_ms() + LINGER_MS);
    if (!guest_idles(guest))
        guest_is_ready(loop, guest);
}

/* Whether a request has come that no worker has had the time to look at. */
static bool has_bytes(const struct guest *guest)
{
    char c;

    return recvfrom(guest->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) > 0;
}

/* One that was idle for too long. */
static void overdue(struct http_loop *loop, struct guest *guest)
{
    if (guest->begun && !guest->ending)
        give_up(loop, guest);
    else if (!guest->ending && has_bytes(guest))
        guest_is_ready(loop, guest);
    else
        guest_close(loop, guest);
}

/* Ends idle guests whose time is over, or all. */
static void expire(struct http_loop *loop, bool all)
{
    struct guest *claimed[EXPIRE_BURST];
    int64_t now = clock_mono_ms();
    int n;

    do {
        n = 0;
        (void)pthread_mutex_lock(&loop->lock);
        for (struct guest *guest = loop->guests; guest && n < EXPIRE_BURST; guest = guest->next)
            if ((all || atomic_load(&guest->deadline_ms) <= now) && guest_claim(guest))
                claimed[n++] = guest;
        (void)pthread_mutex_unlock(&loop->lock);
        for (int i = 0; i < n; i++) {
            if (all)
                guest_close(loop, claimed[i]);
            else
                overdue(loop, claimed[i]);
        }
    } while (n == EXPIRE_BURST);
}

/* Finds others for the seats of workers that are long at one thing, and wakes jobs whose
 * time is over. Whether there is anything to come back for. */
static bool tend(struct http_loop *loop)
{
    int64_t now = clock_mono_ms();
    struct http_job *jobs;
    bool some;

    (void)pthread_mutex_lock(&loop->lock);
    for (struct worker *w = loop->seated, *next; w; w = next) {
        int64_t since = atomic_load(&w->seat.since_ms);

        next = w->seat.next;
        if (since > 0 && now - since >= LONG_MS)
            unseat(loop, w);
    }
    fill_seats(loop);
    some = loop->guests || loop->n_seated < loop->seats;
    jobs = loop->jobs; /* further ones come before it */
    unlock_and_wake(loop);
    for (struct http_job *job = jobs; job; job = job->next_of_all) {
        int64_t until = atomic_load(&job->until_ms);

        if (until > 0 && until <= now)
            fiber_wake(job->fiber);
    }
    return some;
}

static void *run(void *arg)
{
    struct http_loop *loop = arg;
    int64_t tick_ms = clock_mono_ms();
    bool some = true;

    (void)pthread_setname_np(pthread_self(), "connections");
    while (!atomic_load(&loop->ended)) {
        struct epoll_event events[2];
        int n = epoll_wait(loop->accept_fd, events, 2, some ? TICK_MS : -1);

        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                accept_some(loop);
        some = true;
        if (clock_mono_ms() >= tick_ms) {
            expire(loop, false);
            some = tend(loop);
            tick_ms = clock_mono_ms() + TICK_MS;
        }
    }
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------ */

/* As many as there are processors for this process. */
static int seats_for(int workers)
{
    cpu_set_t mine;
    int n = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;

    if (n > SEATS_MAX)
        n = SEATS_MAX;
    return n < workers ? n : workers;
}

void http_loop_free(struct http_loop *loop)
{
    if (!loop)
        return;
    const int fds[] = {loop->epoll_fd, loop->wake_fd, loop->accept_fd, loop->bell_fd,
                       loop->ticket_fd};

    expire(loop, true);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    while (loop->n_offered > 0)
        (void)close(loop->offered[--loop->n_offered]);
    for (struct guest *guest = loop->spare_guests, *next; guest; guest = next) {
        next = guest->next;
        free(guest);
    }
    for (struct http_job *job = loop->jobs, *next; job; job = next) {
        next = job->next_of_all;
        http_job_free(job);
    }
    (void)pthread_mutex_destroy(&loop->lock);
    free(loop->offered);
    free(loop);
}

static bool watch_for(int epoll_fd, int fd, void *ptr)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ptr};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_all(struct http_loop *loop)
{
    loop->offered = calloc((size_t)loop->workers, sizeof *loop->offered);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->accept_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->ticket_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    return loop->offered && fcntl(loop->listener, F_SETFL, O_NONBLOCK) == 0 &&
           watch_for(loop->epoll_fd, loop->wake_fd, NULL) &&
           watch_for(loop->accept_fd, loop->bell_fd, NULL) &&
           watch_for(loop->accept_fd, loop->listener, loop) && loop->ticket_fd >= 0;
}

struct http_loop *http_loop_start(int listener, int workers)
{
    struct http_loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return NULL;
    (void)pthread_mutex_init(&loop->lock, NULL);
    loop->ready_guests.last = &loop->ready_guests.first;
    loop->ready_jobs.last = &loop->ready_jobs.first;
    loop->listener = listener;
    loop->workers = workers;
    loop->seats = seats_for(workers);
    if (!open_all(loop) || pthread_create(&loop->thread, NULL, run, loop) != 0) {
        http_loop_free(loop);
        return NULL;
    }
    (void)pthread_mutex_lock(&loop->lock);
    for (int i = 0; i < loop->seats; i++)
        fill_seats(loop);
    (void)pthread_mutex_unlock(&loop->lock);
    return loop;
}

void http_loop_stop(struct http_loop *loop)
{
    if (!loop)
        return;
    (void)epoll_ctl(loop->accept_fd, EPOLL_CTL_DEL, loop->listener, NULL);
    atomic_store(&loop->stopping, true);
    (void)shutdown(loop->listener, SHUT_RDWR);
    expire(loop, true);
}

void http_loop_end(struct http_loop *loop)
{
    if (!loop)
        return;
    atomic_store(&loop->ended, true);
    ring(loop->bell_fd);
    (void)pthread_join(loop->thread, NULL);
    (void)pthread_mutex_lock(&loop->lock);
    for (struct worker *w = loop->waiting; w; w = w->seat.next)
        (void)pthread_cond_signal(&w->seat.cond);
    (void)pthread_mutex_unlock(&loop->lock);
    ring(loop->wake_fd);
}
