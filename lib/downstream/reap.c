/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that waited too long are closed, also when nobody calls the server
 * again. */
#include "downstream/loop.h"

enum { EVERY_MS = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct downstream *first; /* linked by next_reaped, under the lock */

void reap_add(struct downstream *server)
{
    (void)pthread_mutex_lock(&lock);
    if (!server->reaped) {
        server->reaped = true;
        server->next_reaped = first;
        first = server;
    }
    (void)pthread_mutex_unlock(&lock);
    loop_start();
}

void reap_remove(struct downstream *server)
{
    (void)pthread_mutex_lock(&lock);
    for (struct downstream **p = &first; *p != NULL; p = &(*p)->next_reaped)
        if (*p == server) {
            *p = server->next_reaped;
            break;
        }
    (void)pthread_mutex_unlock(&lock);
}

/* Takes what is over out of the pool. */
static struct conn *take_old(struct downstream *server, int64_t now)
{
    struct conn *old = NULL;

    (void)pthread_mutex_lock(&server->lock);
    for (struct conn **p = &server->idle; *p != NULL;) {
        struct conn *conn = *p;

        if (conn->idle_until_ms > now) {
            p = &conn->next;
            continue;
        }
        *p = conn->next;
        conn->next = old;
        old = conn;
        server->n_idle--;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return old;
}

void loop_tick(void)
{
    static int64_t due_ms; /* of the one thread that ticks */
    int64_t now = clock_mono_ms();

    if (now < due_ms)
        return;
    due_ms = now + EVERY_MS;
    (void)pthread_mutex_lock(&lock);
    for (struct downstream *server = first; server != NULL; server = server->next_reaped)
        for (struct conn *conn = take_old(server, now), *next; conn != NULL; conn = next) {
            next = conn->next;
            conn_close(conn);
        }
    (void)pthread_mutex_unlock(&lock);
}
