/* SPDX-License-Identifier: Apache-2.0 */
/* Freeing messages. cnats does that on a thread of its own, which every message
 * would wake; given many at once it wakes up once. */
#include "internal.h"

enum {
    BATCH = 64,
    HELD_BYTES = 64 * 1024, /* larger messages do not wait */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static natsMsg *held[BATCH]; /* under the lock, as are the two below */
static int n_held;
static int n_bytes;

/* Takes out all that is held. */
static int take(natsMsg *out[BATCH])
{
    int n = n_held;

    memcpy(out, held, (size_t)n * sizeof(natsMsg *));
    n_held = 0;
    n_bytes = 0;
    return n;
}

void bus_msg_free(natsMsg *msg)
{
    natsMsg *done[BATCH];
    int n = 0;

    if (!msg)
        return;
    pthread_mutex_lock(&lock);
    held[n_held++] = msg;
    n_bytes += natsMsg_GetDataLength(msg);
    if (n_held == BATCH || n_bytes > HELD_BYTES)
        n = take(done);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < n; i++)
        natsMsg_Destroy(done[i]);
}

void bus_msg_free_sent(natsMsg *msg, const struct bus_header *headers)
{
    for (; msg && headers && headers->name; headers++)
        if (headers->value)
            (void)natsMsgHeader_Delete(msg, headers->name);
    bus_msg_free(msg);
}

void bus_msg_free_all(void)
{
    natsMsg *done[BATCH];

    pthread_mutex_lock(&lock);
    int n = take(done);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < n; i++)
        natsMsg_Destroy(done[i]);
}
