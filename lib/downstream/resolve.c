/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up addresses, one lookup at a time per server. */
#include "downstream/resolve.h"

#include "base/clock.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_MS = 10 * 1000, SLICE_MS = 50, HOST_SIZE = 256, PORT_SIZE = 8 };

struct resolver {
    char host[HOST_SIZE], port[PORT_SIZE];
    bool numeric;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t found_it;
    int refs; /* the owner and the lookup */
    bool looking;
    int error; /* of getaddrinfo */
    int64_t found_ms;
    int n;
    struct address found[RESOLVE_MAX];
};

struct resolver *resolver_new(const char *host, const char *port, bool numeric)
{
    struct resolver *r = calloc(1, sizeof(*r));

    if (r == NULL)
        abort();
    (void)snprintf(r->host, sizeof(r->host), "%s", host);
    (void)snprintf(r->port, sizeof(r->port), "%s", port);
    r->numeric = numeric;
    r->refs = 1;
    (void)pthread_mutex_init(&r->lock, NULL);
    waiter_cond_init(&r->found_it);
    return r;
}

/* With the lock held; gives it up. */
static void unref(struct resolver *r)
{
    bool last = --r->refs == 0;

    (void)pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->found_it);
    free(r);
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    (void)pthread_mutex_lock(&resolver->lock);
    unref(resolver);
}

/* Without the lock. */
static void look_up(struct resolver *r)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (r->numeric ? AI_NUMERICHOST : 0)};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(r->host, r->port, &hints, &list), n = 0;

    (void)pthread_mutex_lock(&r->lock);
    for (const struct addrinfo *a = list; a != NULL && n < RESOLVE_MAX; a = a->ai_next) {
        if (a->ai_addrlen > sizeof(r->found[n].addr))
            continue;
        memcpy(&r->found[n].addr, a->ai_addr, a->ai_addrlen);
        r->found[n++].len = a->ai_addrlen;
    }
    r->n = n;
    r->error = error;
    r->found_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&r->lock);
    if (list != NULL)
        freeaddrinfo(list);
}

static void *look_up_apart(void *arg)
{
    struct resolver *r = arg;

    look_up(r);
    (void)pthread_mutex_lock(&r->lock);
    r->looking = false;
    (void)pthread_cond_broadcast(&r->found_it);
    unref(r);
    return NULL;
}

/* With the lock held. */
static void start(struct resolver *r)
{
    pthread_attr_t attr;
    pthread_t thread;

    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r->looking = true;
    r->refs++;
    if (pthread_create(&thread, &attr, look_up_apart, r) != 0) {
        r->looking = false;
        r->refs--;
        r->error = EAI_AGAIN;
        r->found_ms = clock_mono_ms();
    }
    (void)pthread_attr_destroy(&attr);
}

static bool is_fresh(const struct resolver *r)
{
    return r->n > 0 && (r->numeric || clock_mono_ms() - r->found_ms < KEEP_MS);
}

/* With the lock held: until a lookup that began now or before is done. */
static void wait_for(struct resolver *r, struct waiter *waiter, int64_t deadline_ms)
{
    int64_t now = clock_mono_ms();

    if (!r->looking)
        start(r);
    while (r->looking && now < deadline_ms && !waiter_cancelled(waiter)) {
        int64_t slice = now + SLICE_MS;

        (void)waiter_cond_wait(&r->found_it, &r->lock, slice < deadline_ms ? slice : deadline_ms);
        now = clock_mono_ms();
    }
}

int resolver_get(struct resolver *r, struct waiter *waiter, int64_t deadline_ms,
                 struct address out[RESOLVE_MAX], const char **ret_why)
{
    int n = 0;

    (void)pthread_mutex_lock(&r->lock);
    if (r->numeric && r->n == 0) {
        (void)pthread_mutex_unlock(&r->lock);
        look_up(r);
        (void)pthread_mutex_lock(&r->lock);
    } else if (!is_fresh(r)) {
        wait_for(r, waiter, deadline_ms);
    }
    if (is_fresh(r)) {
        n = r->n;
        memcpy(out, r->found, (size_t)n * sizeof(*out));
    } else {
        *ret_why = r->looking              ? "the lookup of its name takes too long"
                   : r->error == EAI_AGAIN ? "its name cannot be looked up at the moment"
                                           : "its name has no address";
    }
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}

void resolver_forget(struct resolver *r)
{
    (void)pthread_mutex_lock(&r->lock);
    if (!r->numeric)
        r->n = 0;
    (void)pthread_mutex_unlock(&r->lock);
}
