/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting that a stop cuts short. */
#include "internal.h"

#include "base/clock.h"

void bus_pause_init(struct pause *pause)
{
    pthread_mutex_init(&pause->lock, NULL);
    bus_cond_init_mono(&pause->cond);
    pause->stop = false;
}

void bus_pause_done(struct pause *pause)
{
    pthread_cond_destroy(&pause->cond);
    pthread_mutex_destroy(&pause->lock);
}

void bus_pause_stop(struct pause *pause)
{
    pthread_mutex_lock(&pause->lock);
    pause->stop = true;
    pthread_cond_broadcast(&pause->cond);
    pthread_mutex_unlock(&pause->lock);
}

bool bus_pause_stopped(struct pause *pause)
{
    return bus_pause_ms(pause, 0);
}

bool bus_pause_ms(struct pause *pause, int ms)
{
    int64_t deadline = clock_mono_ms() + ms;

    pthread_mutex_lock(&pause->lock);
    while (ms > 0 && !pause->stop && bus_cond_wait_until(&pause->cond, &pause->lock, deadline))
        ;
    bool stop = pause->stop;
    pthread_mutex_unlock(&pause->lock);
    return stop;
}

bool bus_pause_until_up(struct pause *pause, struct bus *bus)
{
    while (!bus_pause_stopped(pause)) {
        if (bus_wait_up(bus, 100))
            return false;
        if (atomic_load(&bus->closed))
            return true;
    }
    return true;
}
