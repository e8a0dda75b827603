/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling calls that run. */
#include "inflight.h"

#include "base/clock.h"
#include "base/log.h"
#include "remote/remote.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANCELLED_SUBJECT "mal.gateway.v1.cancelled"

enum { TICK_MS = 100, BATCH = 16, REQUEST_ID_MAX = 64 };

struct inflight {
    struct gateway *gw;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct flight *first;
    struct bus_sub *sub;
    pthread_t watcher;
    bool watching, stop;
};

/* With the lock held: services are told after it is released, see publish. */
static void mark(struct flight *flight, char out[REQUEST_ID_MAX])
{
    flight->cancelled = true;
    if (flight->exchange != NULL)
        downstream_cancel(flight->exchange);
    if (flight->remote != NULL)
        remote_cancel(flight->remote);
    (void)snprintf(out, REQUEST_ID_MAX, "%s", flight->request_id);
}

static void publish(struct inflight *inflight, const char *request_id)
{
    char subject[sizeof("mal.cancel.") + REQUEST_ID_MAX];

    (void)snprintf(subject, sizeof(subject), "mal.cancel.%s", request_id);
    if (bus_publish(inflight->gw->bus, subject, NULL, NULL, 0) != ST_OK)
        log_warn("cannot tell services that a call was cancelled");
}

/* Looks for callers that left; a few at a time, the rest at the next tick. */
static void look(struct inflight *inflight)
{
    char gone[BATCH][REQUEST_ID_MAX];
    int64_t now = clock_mono_ms();
    size_t n = 0;

    (void)pthread_mutex_lock(&inflight->lock);
    for (struct flight *f = inflight->first; f != NULL && n < BATCH; f = f->next)
        if (f->req != NULL && !f->cancelled && now - f->started_ms >= TICK_MS &&
            http_client_gone(f->req))
            mark(f, gone[n++]);
    (void)pthread_mutex_unlock(&inflight->lock);
    for (size_t i = 0; i < n; i++)
        publish(inflight, gone[i]);
}

static void *watch(void *arg)
{
    struct inflight *inflight = arg;
    bool stop = false;

    while (!stop) {
        struct timespec until;

        look(inflight);
        until = clock_in_ms(TICK_MS);
        (void)pthread_mutex_lock(&inflight->lock);
        if (!inflight->stop)
            (void)pthread_cond_timedwait(&inflight->cond, &inflight->lock, &until);
        stop = inflight->stop;
        (void)pthread_mutex_unlock(&inflight->lock);
    }
    return NULL;
}

/* Body: hash of the session, a blank, the JSON-RPC id as written. */
static void told(struct bus_message *msg, void *arg)
{
    struct inflight *inflight = arg;
    const char *text = msg->data, *blank = memchr(text, ' ', msg->len);
    char request_id[REQUEST_ID_MAX] = "";

    if (blank != NULL) {
        size_t session_len = (size_t)(blank - text), id_len = msg->len - session_len - 1;

        (void)pthread_mutex_lock(&inflight->lock);
        for (struct flight *f = inflight->first; f != NULL; f = f->next)
            if (f->session != NULL && !f->cancelled && strlen(f->session) == session_len &&
                memcmp(f->session, text, session_len) == 0 && f->id_len == id_len &&
                memcmp(f->id, blank + 1, id_len) == 0)
                mark(f, request_id);
        (void)pthread_mutex_unlock(&inflight->lock);
    }
    if (*request_id != '\0')
        publish(inflight, request_id);
    bus_message_release(msg);
}

enum status inflight_new(struct inflight **ret_inflight, struct gateway *gw, struct error *err)
{
    struct inflight *inflight = calloc(1, sizeof(*inflight));

    if (inflight == NULL)
        abort();
    *ret_inflight = inflight;
    inflight->gw = gw;
    (void)pthread_mutex_init(&inflight->lock, NULL);
    (void)pthread_cond_init(&inflight->cond, NULL);
    if (bus_subscribe(gw->bus, CANCELLED_SUBJECT, told, inflight, &inflight->sub) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot subscribe to " CANCELLED_SUBJECT);
    inflight->watching = pthread_create(&inflight->watcher, NULL, watch, inflight) == 0;
    if (!inflight->watching)
        return error_set(err, ST_INTERNAL, "cannot start a thread");
    return ST_OK;
}

void inflight_free(struct inflight *inflight)
{
    if (inflight == NULL)
        return;
    (void)pthread_mutex_lock(&inflight->lock);
    inflight->stop = true;
    (void)pthread_cond_broadcast(&inflight->cond);
    (void)pthread_mutex_unlock(&inflight->lock);
    if (inflight->watching)
        (void)pthread_join(inflight->watcher, NULL);
    if (inflight->sub != NULL)
        bus_sub_free(inflight->sub);
    (void)pthread_mutex_destroy(&inflight->lock);
    (void)pthread_cond_destroy(&inflight->cond);
    free(inflight);
}

void inflight_begin(struct inflight *inflight, struct flight *flight)
{
    flight->started_ms = clock_mono_ms();
    flight->previous = NULL;
    (void)pthread_mutex_lock(&inflight->lock);
    flight->next = inflight->first;
    if (flight->next != NULL)
        flight->next->previous = flight;
    inflight->first = flight;
    (void)pthread_mutex_unlock(&inflight->lock);
}

void inflight_end(struct inflight *inflight, struct flight *flight)
{
    (void)pthread_mutex_lock(&inflight->lock);
    if (flight->previous != NULL)
        flight->previous->next = flight->next;
    else
        inflight->first = flight->next;
    if (flight->next != NULL)
        flight->next->previous = flight->previous;
    (void)pthread_mutex_unlock(&inflight->lock);
}

void inflight_cancel(struct inflight *inflight, const char *session, const char *id, size_t id_len)
{
    struct strbuf body = STRBUF_INIT;

    strbuf_printf(&body, "%s ", session);
    strbuf_add(&body, id, id_len);
    if (bus_publish(inflight->gw->bus, CANCELLED_SUBJECT, NULL, body.data, body.len) != ST_OK)
        log_warn("cannot pass on that a call was cancelled");
    strbuf_done(&body);
}
