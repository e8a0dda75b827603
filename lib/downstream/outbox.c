/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that the thread of the streams has to give: posted by another, because
 * posting may block. */
#include "downstream/loop.h"

#include <stdlib.h>

enum { WAITING_MAX = 1000, POST_MS = 3000 };

struct letter {
    struct letter *next;
    struct downstream_session *session;
    struct strbuf body;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* what follows */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct letter *first, **last = &first;
static struct downstream_session *posting;
static int n_waiting;
static bool running;

static void letter_free(struct letter *letter)
{
    strbuf_done(&letter->body);
    free(letter);
}

static void *post_all(void *arg)
{
    (void)pthread_setname_np(pthread_self(), "listen-post");
    (void)pthread_mutex_lock(&lock);
    for (;;) {
        struct letter *letter = first;

        if (letter == NULL) {
            (void)pthread_cond_wait(&changed, &lock);
            continue;
        }
        first = letter->next;
        if (first == NULL)
            last = &first;
        n_waiting--;
        posting = letter->session;
        (void)pthread_mutex_unlock(&lock);
        (void)!post_message(letter->session, &letter->body, clock_mono_ms() + POST_MS, NULL);
        letter_free(letter);
        (void)pthread_mutex_lock(&lock);
        posting = NULL;
        (void)pthread_cond_broadcast(&changed);
    }
    return arg;
}

/* With the lock held. */
static bool start(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (running)
        return true;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    running = pthread_create(&thread, &attr, post_all, NULL) == 0;
    (void)pthread_attr_destroy(&attr);
    return running;
}

void outbox_add(struct downstream_session *session, const struct strbuf *body)
{
    struct letter *letter;

    (void)pthread_mutex_lock(&lock);
    if (n_waiting < WAITING_MAX && start()) {
        letter = calloc(1, sizeof(*letter));
        if (letter == NULL)
            abort();
        letter->session = session;
        strbuf_add(&letter->body, body->data, body->len);
        *last = letter;
        last = &letter->next;
        n_waiting++;
        (void)pthread_cond_broadcast(&changed);
    }
    (void)pthread_mutex_unlock(&lock);
}

void outbox_cancel(struct downstream_session *session)
{
    (void)pthread_mutex_lock(&lock);
    for (struct letter **p = &first; *p != NULL;) {
        struct letter *letter = *p;

        if (letter->session != session) {
            p = &letter->next;
            continue;
        }
        *p = letter->next;
        n_waiting--;
        letter_free(letter);
    }
    last = &first;
    while (*last != NULL)
        last = &(*last)->next;
    while (posting == session)
        (void)pthread_cond_wait(&changed, &lock);
    (void)pthread_mutex_unlock(&lock);
}
