/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the streams: when each is opened, who holds it, how it ends. */
#include "downstream/watch.h"

#include "base/ids.h"
#include "downstream/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { OPENERS = 8, EVENTS = 64, TICK_MS = 250, BACKOFF_MS = 500, BACKOFF_MAX_MS = 60000 };

static struct {
    pthread_once_t once;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t jobs_there, changed;
    struct watch *first;
    struct watch *jobs, **last_job;
    int n_openers, n_idle;
    int epoll_fd, wake_fd;
} loop = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER, .epoll_fd = -1};

/* ---- openers ------------------------------------------------------------------------- */

/* Half to all of it, so that many do not come at once. */
static int64_t jittered(int64_t ms)
{
    uint32_t random;

    random_bytes(&random, sizeof(random));
    return ms / 2 + (int64_t)(random % (uint32_t)(ms / 2 + 1));
}

static int64_t backoff(unsigned failures)
{
    int64_t ms = BACKOFF_MS;

    while (failures-- > 1 && ms < BACKOFF_MAX_MS)
        ms *= 2;
    return jittered(ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

static void drop_stream(struct watch *w)
{
    if (w->conn != NULL)
        (void)epoll_ctl(loop.epoll_fd, EPOLL_CTL_DEL, w->conn->fd, NULL);
    conn_close(TAKE(w->conn));
    if (w->has_sse)
        sse_done(&w->sse);
    w->has_sse = false;
}

/* With the lock held. */
static void schedule(struct watch *w, int64_t after_ms)
{
    w->state = WATCH_WAITING;
    w->due_ms = clock_mono_ms() + after_ms;
    if (after_ms == 0)
        (void)eventfd_write(loop.wake_fd, 1);
    (void)pthread_cond_broadcast(&loop.changed);
}

/* With the lock held: the stream is the reader's from here on. */
static void hand_over(struct watch *w)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = w};

    w->state = WATCH_OPEN;
    if (epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, w->conn->fd, &event) != 0) {
        drop_stream(w);
        schedule(w, BACKOFF_MAX_MS);
    }
}

static void open_one(struct watch *w)
{
    enum watch_opened opened = watch_open(w);
    bool go_on;

    w->failures = opened == WATCH_OPENED ? 0 : w->failures + 1;
    if (opened != WATCH_OPENED)
        drop_stream(w);
    (void)pthread_mutex_lock(&loop.lock);
    go_on = !w->stopping && !w->again;
    if (go_on && opened == WATCH_OPENED)
        hand_over(w);
    else if (go_on && opened == WATCH_NEVER)
        w->state = WATCH_OVER;
    else
        schedule(w, go_on ? backoff(w->failures) : 0);
    w->again = false;
    w->tried = go_on;
    (void)pthread_cond_broadcast(&loop.changed);
    (void)pthread_mutex_unlock(&loop.lock);
}

static void *open_streams(void *arg)
{
    (void)pthread_setname_np(pthread_self(), "listen-open");
    (void)pthread_mutex_lock(&loop.lock);
    for (;;) {
        struct watch *w = loop.jobs;

        if (w == NULL) {
            loop.n_idle++;
            (void)pthread_cond_wait(&loop.jobs_there, &loop.lock);
            loop.n_idle--;
            continue;
        }
        loop.jobs = w->job;
        if (loop.jobs == NULL)
            loop.last_job = &loop.jobs;
        (void)pthread_mutex_unlock(&loop.lock);
        open_one(w);
        (void)pthread_mutex_lock(&loop.lock);
    }
    return arg;
}

static bool start_thread(void *(*fn)(void *))
{
    pthread_attr_t attr;
    pthread_t thread;
    bool started;

    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    started = pthread_create(&thread, &attr, fn, NULL) == 0;
    (void)pthread_attr_destroy(&attr);
    return started;
}

/* With the lock held. */
static void give_to_opener(struct watch *w)
{
    w->state = WATCH_OPENING;
    w->job = NULL;
    *loop.last_job = w;
    loop.last_job = &w->job;
    if (loop.n_idle == 0 && loop.n_openers < OPENERS && start_thread(open_streams))
        loop.n_openers++;
    (void)pthread_cond_signal(&loop.jobs_there);
}

/* ---- the reader ------------------------------------------------------------------------ */

static void give_due(void)
{
    int64_t now = clock_mono_ms();

    (void)pthread_mutex_lock(&loop.lock);
    for (struct watch *w = loop.first; w != NULL; w = w->next)
        if (w->state == WATCH_WAITING && !w->stopping && w->due_ms <= now)
            give_to_opener(w);
    (void)pthread_mutex_unlock(&loop.lock);
}

/* Whether this thread may touch it now: a stop or a change takes it back. */
static bool take_for_reading(struct watch *w)
{
    bool mine;

    (void)pthread_mutex_lock(&loop.lock);
    mine = w->state == WATCH_OPEN && !w->stopping && !w->again;
    (void)pthread_mutex_unlock(&loop.lock);
    return mine;
}

static void close_changed(void)
{
    (void)pthread_mutex_lock(&loop.lock);
    for (struct watch *w = loop.first; w != NULL; w = w->next)
        if (w->state == WATCH_OPEN && (w->stopping || w->again)) {
            drop_stream(w);
            schedule(w, 0);
            w->again = false;
        }
    (void)pthread_mutex_unlock(&loop.lock);
}

static void read_one(struct watch *w)
{
    int64_t wait_ms;

    if (!take_for_reading(w) || watch_read(w))
        return;
    wait_ms = w->has_sse && w->sse.retry_ms >= 0 ? w->sse.retry_ms : jittered(2L * BACKOFF_MS);
    (void)pthread_mutex_lock(&loop.lock);
    drop_stream(w);
    schedule(w, wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS);
    (void)pthread_mutex_unlock(&loop.lock);
}

static void *read_streams(void *arg)
{
    struct epoll_event events[EVENTS];
    eventfd_t woken;

    (void)pthread_setname_np(pthread_self(), "listen");
    for (;;) {
        int n = epoll_wait(loop.epoll_fd, events, EVENTS, TICK_MS);

        for (int i = 0; i < n; i++)
            if (events[i].data.ptr != NULL)
                read_one(events[i].data.ptr);
            else
                (void)eventfd_read(loop.wake_fd, &woken);
        close_changed();
        give_due();
        loop_tick();
    }
    return arg;
}

static void start_loop(void)
{
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};

    waiter_cond_init(&loop.changed);
    (void)pthread_cond_init(&loop.jobs_there, NULL);
    loop.last_job = &loop.jobs;
    loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop.epoll_fd < 0 || loop.wake_fd < 0 ||
        epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, loop.wake_fd, &wake) != 0 ||
        !start_thread(read_streams))
        abort(); /* no descriptor or thread at the start of the process */
}

void loop_start(void)
{
    (void)pthread_once(&loop.once, start_loop);
}

/* ---- life --------------------------------------------------------------------------------- */

static struct watch *watch_new(struct downstream_session *session)
{
    struct watch *w = calloc(1, sizeof(*w));

    if (w == NULL)
        abort();
    w->session = session;
    waiter_init(&w->waiter);
    (void)pthread_mutex_init(&w->lock, NULL);
    loop_start();
    w->state = WATCH_OVER;
    (void)pthread_mutex_lock(&loop.lock);
    w->next = loop.first;
    if (w->next != NULL)
        w->next->previous = w;
    loop.first = w;
    (void)pthread_mutex_unlock(&loop.lock);
    return w;
}

static void watch_free(struct watch *w)
{
    drop_stream(w);
    waiter_done(&w->waiter);
    (void)pthread_mutex_destroy(&w->lock);
    arena_done(&w->arena);
    strbuf_done(&w->subscribed);
    free(w);
}

static void wish_copy(struct arena *arena, const struct downstream_wish *from,
                      struct downstream_wish *ret_wish)
{
    const char **uris = arena_alloc(arena, from->n_uris * sizeof(*uris));

    for (size_t i = 0; i < from->n_uris; i++)
        uris[i] = arena_strdup(arena, from->uris[i]);
    *ret_wish = *from;
    ret_wish->uris = uris;
}

static void set_wish(struct watch *w, const struct downstream_wish *wish)
{
    (void)pthread_mutex_lock(&w->lock);
    arena_reset(&w->arena);
    wish_copy(&w->arena, wish, &w->wish);
    (void)pthread_mutex_unlock(&w->lock);
}

void watch_wish(struct watch *w, struct arena *arena, struct downstream_wish *ret_wish)
{
    (void)pthread_mutex_lock(&w->lock);
    wish_copy(arena, &w->wish, ret_wish);
    (void)pthread_mutex_unlock(&w->lock);
}

/* With the lock held: opens anew, from whatever state. */
static void restart(struct watch *w)
{
    w->tried = false;
    if (w->state != WATCH_OPENING && w->state != WATCH_OPEN) {
        schedule(w, 0);
        return;
    }
    w->again = true;
    (void)eventfd_write(loop.wake_fd, 1);
}

void watch_stop(struct downstream_session *session)
{
    struct watch *w;

    (void)pthread_mutex_lock(&session->lock);
    w = TAKE(session->watch);
    (void)pthread_mutex_unlock(&session->lock);
    if (w == NULL)
        return;
    waiter_cancel(&w->waiter);
    (void)pthread_mutex_lock(&loop.lock);
    w->stopping = true; /* whoever has it gives it up */
    while (w->state == WATCH_OPENING || w->state == WATCH_OPEN)
        (void)waiter_cond_wait(&loop.changed, &loop.lock, clock_mono_ms() + TICK_MS);
    if (w->previous != NULL)
        w->previous->next = w->next;
    else
        loop.first = w->next;
    if (w->next != NULL)
        w->next->previous = w->previous;
    (void)pthread_mutex_unlock(&loop.lock);
    outbox_cancel(session);
    watch_free(w);
}

static struct watch *watch_of(struct downstream_session *session)
{
    struct watch *w;

    (void)pthread_mutex_lock(&session->lock);
    if (session->watch == NULL)
        session->watch = watch_new(session);
    w = session->watch;
    (void)pthread_mutex_unlock(&session->lock);
    return w;
}

static void watch_http(struct watch *w)
{
    (void)pthread_mutex_lock(&loop.lock);
    restart(w);
    (void)pthread_mutex_unlock(&loop.lock);
}

void downstream_watched(struct downstream_session *session, int64_t until_ms)
{
    struct watch *w = watch_of(session);

    if (session->server->stdio)
        return;
    (void)pthread_mutex_lock(&loop.lock);
    while (!w->tried && waiter_cond_wait(&loop.changed, &loop.lock, until_ms))
        ;
    (void)pthread_mutex_unlock(&loop.lock);
}

enum status downstream_watch(struct downstream_session *session, const struct downstream_wish *wish,
                             struct error *err)
{
    struct watch *w = watch_of(session);

    set_wish(w, wish);
    if (session->server->stdio)
        return watch_child(session, wish, err);
    watch_http(w);
    return ST_OK;
}

void watch_renewed(struct downstream_session *session)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct downstream_wish wish;
    struct watch *w;

    (void)pthread_mutex_lock(&session->lock);
    w = session->watch;
    session->listen_id = 0;
    (void)pthread_mutex_unlock(&session->lock);
    if (!session->server->stdio) {
        if (w != NULL)
            watch_http(w);
        return;
    }
    if (w != NULL) {
        watch_wish(w, &arena, &wish);
        (void)!watch_child(session, &wish, NULL);
    }
    watch_tell_stale(session);
}
