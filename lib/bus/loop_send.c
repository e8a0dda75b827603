/* SPDX-License-Identifier: Apache-2.0 */
/* Sending on a connection. cnats appends what is published to a buffer, and the I/O
 * thread sends what has gathered, so that under load many messages share one system
 * call; with little to do the publisher sends itself, which saves a change of threads.
 * While most of the requests in flight are at the server, their answers will wake the
 * I/O thread anyway: further requests gather meanwhile, and so everything on their way
 * handles several at a time. */
#include "loop_internal.h"

#include "base/clock.h"

#include <sys/epoll.h>

/* Of the thread that is inside a call of cnats, or holds back what it publishes. */
static __thread struct loop *sends_on; /* it will send what it appends there */
static __thread struct loop *holds;    /* but not before bus_loop_release */
static __thread bool has_to_send;      /* and there is something now */
static __thread bool sent_all;

natsStatus loop_on_write(void *user_data, bool add)
{
    struct loop *loop = user_data;

    if (!add) {
        atomic_store(&loop->want_write, false);
        sent_all = true;
    } else if (sends_on == loop) {
        has_to_send = true;
    } else {
        atomic_store(&loop->want_write, true);
        if (!atomic_load(&loop->awake) && !atomic_load(&loop->lingers))
            loop_wake(loop);
    }
    return NATS_OK;
}

/* Exactly one thread does so for each time the buffer was begun: an empty write
 * would look like a closed connection to cnats. */
static void send_buffer(struct loop *loop)
{
    sent_all = false;
    atomic_store(&loop->gathered, 0);
    natsConnection_ProcessWriteEvent(loop->nc);
    if (sent_all || natsConnection_Status(loop->nc) != NATS_CONN_STATUS_CONNECTED ||
        natsConnection_Buffered(loop->nc) <= 0)
        return;
    atomic_store(&loop->stuck, true);
    atomic_store(&loop->want_write, true);
    loop_wake(loop);
}

static void send_gathered(struct loop *loop)
{
    if (atomic_exchange(&loop->want_write, false))
        send_buffer(loop);
}

/* Whether answers that are on their way are more than what gathered. */
static bool may_wait(const struct loop *loop, int gathered)
{
    int awaited = atomic_load(loop->awaited);

    return awaited > BUS_SEND_NOW && 2 * gathered < awaited;
}

void loop_send(struct loop *loop, bool writable)
{
    if (atomic_load(&loop->stuck)) {
        if (!writable) {
            if (!atomic_exchange(&loop->polls_write, true))
                (void)loop_control(loop, EPOLL_CTL_MOD);
            return;
        }
        atomic_store(&loop->stuck, false);
        atomic_store(&loop->polls_write, false);
        (void)loop_control(loop, EPOLL_CTL_MOD);
    }
    send_gathered(loop);
}

/* Between the two cnats calls on_write on this thread, if at all. */
static void publish_begin(struct loop *loop, bool now)
{
    if (holds == loop)
        return;
    has_to_send = false;
    sends_on = now ? loop : NULL;
}

static void publish_end(struct loop *loop, bool now)
{
    if (holds == loop)
        return;
    sends_on = NULL;
    if (has_to_send)
        send_buffer(loop);
    else if (!now && !may_wait(loop, atomic_fetch_add(&loop->gathered, 1) + 1) &&
             atomic_load(&loop->lingers) && !atomic_load(&loop->stuck))
        send_gathered(loop);
}

void bus_loop_hold(struct loop *loop)
{
    holds = sends_on = loop;
    has_to_send = false;
}

void bus_loop_release(struct loop *loop)
{
    holds = sends_on = NULL;
    if (has_to_send)
        send_buffer(loop);
}

natsStatus bus_loop_publish(struct loop *loop, natsMsg *msg, bool now)
{
    publish_begin(loop, now);
    natsStatus s = natsConnection_PublishMsg(loop->nc, msg);
    publish_end(loop, now);
    return s;
}

natsStatus bus_loop_publish_bytes(struct loop *loop, const char *subject, const void *data, int len,
                                  bool now)
{
    publish_begin(loop, now);
    natsStatus s = natsConnection_Publish(loop->nc, subject, data, len);
    publish_end(loop, now);
    return s;
}

bool loop_holds_back(struct loop *loop)
{
    int gathered = atomic_load(&loop->gathered);
    int64_t now_us;

    if (gathered == 0 || !may_wait(loop, gathered))
        return false;
    now_us = clock_mono_us();
    if (!loop->held_us)
        loop->held_us = now_us;
    return now_us - loop->held_us < LINGER_US;
}

bool loop_may_linger(const struct loop *loop, bool read)
{
    return read && may_wait(loop, atomic_load(&loop->gathered)) &&
           !atomic_load(&loop->polls_write) && clock_mono_us() >= loop->not_before_us;
}
