/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait for a worker, in two lists: those that may share one, and
 * the others. Batches are made by no more workers at a time than there are cores
 * to spare, so that under load they grow instead of being torn apart. */
#include "server.h"

#include "base/clock.h"

#include <unistd.h>

enum { PATIENCE_MS = 5 }; /* what shares is kept waiting for the batches under way */

void bus_requests_init(struct bus_server *server)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    server->alone.tail = &server->alone.head;
    server->sharing.tail = &server->sharing.head;
    server->most_batches = cores >= 4 ? (int)cores / 2 : 1;
}

static void push(struct request_list *list, struct waiting *item)
{
    item->next = NULL;
    *list->tail = item;
    list->tail = &item->next;
}

static struct waiting *pop(struct request_list *list)
{
    struct waiting *item = list->head;

    list->head = item->next;
    if (!list->head)
        list->tail = &list->head;
    return item;
}

bool bus_requests_add(struct bus_server *server, struct waiting *item)
{
    if (server->n_waiting >= BUS_QUEUE_MESSAGES ||
        server->bytes_waiting + item->bytes > BUS_QUEUE_BYTES)
        return false;
    push(bus_server_shares(server, item) ? &server->sharing : &server->alone, item);
    server->n_waiting++;
    server->bytes_waiting += item->bytes;
    return true;
}

static bool may_share(const struct bus_server *server)
{
    return server->sharing.head &&
           (server->n_batches < server->most_batches ||
            clock_mono_ms() - server->sharing.head->received_ms >= PATIENCE_MS);
}

bool bus_requests_ready(const struct bus_server *server)
{
    return server->alone.head || may_share(server);
}

int bus_requests_patience_ms(const struct bus_server *server)
{
    return server->sharing.head ? PATIENCE_MS : -1;
}

static struct waiting *take(struct bus_server *server, struct request_list *list)
{
    struct waiting *item = pop(list);

    server->n_waiting--;
    server->bytes_waiting -= item->bytes;
    return item;
}

size_t bus_requests_take(struct bus_server *server, struct waiting *items[BATCH_MAX],
                         bool *ret_batch)
{
    size_t n = 0;

    *ret_batch = false;
    if (server->alone.head && (!may_share(server) || server->alone.head->received_ms <=
                                                         server->sharing.head->received_ms)) {
        items[0] = take(server, &server->alone);
        return 1;
    }
    while (server->sharing.head && n < BATCH_MAX) {
        /* Meanwhile its rpc may have turned out to be slow. */
        if (bus_server_shares(server, server->sharing.head))
            items[n++] = take(server, &server->sharing);
        else
            push(&server->alone, pop(&server->sharing));
    }
    *ret_batch = n > 0;
    if (n == 0 && server->alone.head)
        items[n++] = take(server, &server->alone);
    return n;
}
