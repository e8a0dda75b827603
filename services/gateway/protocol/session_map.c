/* SPDX-License-Identifier: Apache-2.0 */
/* The map of sessions. */
#include "session_map.h"

#include <stdlib.h>
#include <string.h>

struct item **session_place(struct sessions *sessions, const char *hash)
{
    unsigned bucket = 0;
    struct item **at;

    for (int i = 0; i < 4 && hash[i] != '\0'; i++)
        bucket = bucket * 16 + ((unsigned char)hash[i] & 0xf) + ((unsigned char)hash[i] >> 6) * 9;
    at = &sessions->buckets[bucket % SESSION_BUCKETS];
    while (*at != NULL && strcmp((*at)->hash, hash) != 0)
        at = &(*at)->next;
    return at;
}

int64_t session_number(const char *text)
{
    return strtoll(text, NULL, 10);
}

void session_store(struct sessions *sessions, const char *hash, Gateway__Session *record)
{
    struct item **at = session_place(sessions, hash), *item = *at;

    if (item == NULL) {
        item = calloc(1, sizeof(*item));
        if (item == NULL)
            abort();
        (void)snprintf(item->hash, sizeof(item->hash), "%s", hash);
        *at = item;
        sessions->n++;
    } else if (record->changes < item->record->changes) {
        gateway__session__free_unpacked(record, NULL);
        record = item->record;
    } else {
        gateway__session__free_unpacked(item->record, NULL);
    }
    item->record = record;
    item->round = sessions->round;
    item->written_ms = session_number(record->last_used_ms);
    if (item->written_ms > item->used_ms) {
        item->used_ms = item->written_ms;
        item->local = false;
    }
}

void session_remove(struct sessions *sessions, struct item **at)
{
    struct item *item = *at;

    *at = item->next;
    gateway__session__free_unpacked(item->record, NULL);
    free(item);
    sessions->n--;
}

void session_round_over(struct sessions *sessions)
{
    for (size_t i = 0; i < SESSION_BUCKETS; i++) {
        struct item **at = &sessions->buckets[i];

        while (*at != NULL) {
            if ((*at)->round != sessions->round)
                session_remove(sessions, at);
            else
                at = &(*at)->next;
        }
    }
    sessions->round++;
}

bool session_expired(const struct item *item, int64_t now_ms)
{
    int64_t limit = config.session_timeout_ms;

    if (!item->local)
        limit += limit / 4;
    return now_ms - item->used_ms > limit;
}
