/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for what waits on children: made when needed, kept a while for the
 * next. */
#include "pool.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { IDLE_MS = 10000, STACK_BYTES = 1 << 20 };

struct work {
    struct work *next;
    void (*fn)(void *arg);
    void *arg;
};

struct pool {
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    struct work *first, **last;
    int n_threads, n_idle, n_queued, max;
};

static void run_one(struct pool *pool)
{
    struct work *work = pool->first;

    pool->first = work->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->n_queued--;
    pthread_mutex_unlock(&pool->lock);
    work->fn(work->arg);
    free(work);
    pthread_mutex_lock(&pool->lock);
}

static void *run(void *arg)
{
    struct pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct timespec until;
        int rc = 0;

        while (pool->first)
            run_one(pool);
        until = clock_in_ms(IDLE_MS);
        pool->n_idle++;
        while (!pool->first && rc == 0 && pool->max > 0)
            rc = pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
        pool->n_idle--;
        if (!pool->first)
            break;
    }
    pool->n_threads--;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* With the lock held. */
static bool add_thread(struct pool *pool)
{
    pthread_attr_t attr;
    pthread_t thread;
    bool made;

    if (pool->n_threads >= pool->max)
        return false;
    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    made = pthread_create(&thread, &attr, run, pool) == 0;
    pthread_attr_destroy(&attr);
    pool->n_threads += made;
    return made;
}

struct pool *pool_new(int max)
{
    struct pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        abort();
    pool->max = max;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    return pool;
}

bool pool_run(struct pool *pool, void (*fn)(void *arg), void *arg)
{
    bool taken;

    pthread_mutex_lock(&pool->lock);
    taken = pool->n_idle > pool->n_queued || add_thread(pool);
    if (taken) {
        struct work *work = calloc(1, sizeof(*work));

        if (!work)
            abort();
        *work = (struct work){.fn = fn, .arg = arg};
        *pool->last = work;
        pool->last = &work->next;
        pool->n_queued++;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->max = 0;
    pthread_cond_broadcast(&pool->changed);
    while (pool->n_threads > 0)
        pthread_cond_wait(&pool->changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
