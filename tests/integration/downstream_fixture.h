/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lib/downstream share: a scripted server, a session with it,
 * and notes of what it was sent. */
#pragma once

#include "downstream/downstream.h"
#include "mcp_peer.h"

#include "base/clock.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOTES_MAX = 512 };

/* Requests in the order they came. */
struct notes {
    pthread_mutex_t lock;
    struct peer_request items[NOTES_MAX];
    int n;
};

struct fixture {
    struct arena arena;
    struct error err;
    struct notes notes;
    struct peer *peer;
    struct downstream_options options;
    struct downstream *server;
    struct downstream_session *session;
};

static inline void note(struct notes *notes, const struct peer_request *req)
{
    struct peer_request copy = *req;

    copy.head = strdup(req->head);
    copy.body = strdup(req->body);
    copy.method = strdup(req->method);
    (void)pthread_mutex_lock(&notes->lock);
    ck_assert_int_lt(notes->n, NOTES_MAX);
    notes->items[notes->n++] = copy;
    (void)pthread_mutex_unlock(&notes->lock);
}

/* The number-th request, from 1; waits for it. */
static inline const struct peer_request *note_get(struct notes *notes, int number)
{
    const struct peer_request *found = NULL;
    int64_t until = clock_mono_ms() + 10000;

    while (found == NULL && clock_mono_ms() < until) {
        (void)pthread_mutex_lock(&notes->lock);
        if (number <= notes->n)
            found = &notes->items[number - 1];
        (void)pthread_mutex_unlock(&notes->lock);
        if (found == NULL)
            (void)usleep(2000);
    }
    ck_assert_msg(found != NULL, "request %d never came", number);
    return found;
}

static inline const char *note_body(struct notes *notes, int number)
{
    return note_get(notes, number)->body;
}

static inline const char *note_method(struct notes *notes, int number)
{
    return note_get(notes, number)->method;
}

static inline const char *note_header(struct notes *notes, int number, const char *name)
{
    return peer_header(note_get(notes, number), name);
}

static inline void fixture_start(struct fixture *f, peer_fn *fn)
{
    memset(f, 0, sizeof(*f));
    arena_init(&f->arena);
    (void)pthread_mutex_init(&f->notes.lock, NULL);
    f->peer = peer_start(fn, &f->notes);
    f->options.id = "peer";
    f->options.url = peer_url(f->peer);
}

static inline enum status fixture_try_open(struct fixture *f, const char *capabilities)
{
    const struct downstream_session_options options = {.capabilities = capabilities};

    ck_assert_msg(downstream_new(&f->options, &f->server, &f->err) == ST_OK, "%s", f->err.message);
    return downstream_open(f->server, &options, &f->session, &f->err);
}

static inline void fixture_open(struct fixture *f, const char *capabilities)
{
    ck_assert_msg(fixture_try_open(f, capabilities) == ST_OK, "%s", f->err.message);
}

static inline enum status fixture_try_call(struct fixture *f, const char *params, bool repeatable,
                                           int ms, struct downstream_message *ret_msg)
{
    const struct downstream_request request = {.method = "tools/call",
                                               .params_text = params,
                                               .repeatable = repeatable,
                                               .deadline_ms = clock_mono_ms() + ms};

    error_clear(&f->err);
    return downstream_call(f->session, &request, NULL, &f->arena, ret_msg, &f->err);
}

static inline void fixture_call(struct fixture *f, const char *params,
                                struct downstream_message *ret_msg)
{
    ck_assert_msg(fixture_try_call(f, params, false, 10000, ret_msg) == ST_OK, "%s",
                  f->err.message);
}

static inline void fixture_close(struct fixture *f)
{
    downstream_close(f->session, 2000);
    f->session = NULL;
}

static inline void fixture_stop(struct fixture *f)
{
    fixture_close(f);
    downstream_free(f->server);
    peer_stop(f->peer);
    for (int i = 0; i < f->notes.n; i++) {
        free((void *)f->notes.items[i].head);
        free((void *)f->notes.items[i].body);
        free((void *)f->notes.items[i].method);
    }
    arena_done(&f->arena);
}
