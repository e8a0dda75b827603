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
#include "http/loop_internal.h"

#include "base/fiber.h"
#include "base/log.h"

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
    LONG_MS = 20, /* at one thing */
    ACCEPT_BURST = 64,
    ACCEPT_PAUSE_US = 10000,
    SEATS_MAX = 64,
};

static __thread struct worker *here; /* the thread's worker, when it is not in a wait */

static void ring(int fd)
{
    uint64_t one = 1;

    (void)!write(fd, &one, sizeof one);
}

/* ---- what is ready: with the lock held ---------------------------------------- */

void http_loop_put(struct list *list, struct item *item)
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

void http_loop_unlock(struct http_loop *loop)
{
    bool some = loop->ready_jobs.first || (loop->ready_guests.first && some_job(loop));
    bool wake = some && loop->asleep > 0 && !loop->woken && !(here && here->seat.seated);

    loop->woken = loop->woken || wake;
    (void)pthread_mutex_unlock(&loop->lock);
    if (wake)
        ring(loop->wake_fd);
}

/* ---- jobs ----------------------------------------------------------------------- */

void http_loop_job_ready(struct http_loop *loop, struct http_job *job)
{
    (void)pthread_mutex_lock(&loop->lock);
    http_loop_put(&loop->ready_jobs, &job->item);
    http_loop_unlock(loop);
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
    http_loop_unlock(loop);
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
    http_loop_unlock(loop);
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
    if (!guest_look(loop, w, guest))
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
    http_loop_unlock(loop);
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
    http_loop_unlock(loop);
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
            guests_expire(loop, false);
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

    guests_expire(loop, true);
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
    guests_expire(loop, true);
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
