/* SPDX-License-Identifier: Apache-2.0 */
/* The map of links. */
#include "link.h"

#include "base/clock.h"
#include "links.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSE_MS = 500, IDLE_MS = 600000, SEVERAL_MAX = 16 };

void link_map_init(struct link_map *map)
{
    (void)pthread_mutex_init(&map->lock, NULL);
}

/* A session that others share is not ended with this copy's use of it. */
static void link_close(struct link *link)
{
    downstream_close(link->session, link->share != NULL ? 0 : CLOSE_MS);
    share_free(link->share);
    free(link->key);
    free(link);
}

static void close_all(struct link *link)
{
    while (link != NULL) {
        struct link *next = link->next;

        link_close(link);
        link = next;
    }
}

void link_map_done(struct link_map *map)
{
    for (size_t i = 0; i < LINK_BUCKETS; i++)
        close_all(TAKE(map->buckets[i]));
    (void)pthread_mutex_destroy(&map->lock);
}

static struct link **bucket(struct link_map *map, const char *key)
{
    unsigned hash = 5381;

    while (*key != '\0')
        hash = hash * 33 + (unsigned char)*key++;
    return &map->buckets[hash % LINK_BUCKETS];
}

/* With the lock held. */
static struct link *find(struct link_map *map, const char *key)
{
    struct link *link = *bucket(map, key);

    while (link != NULL && (link->ended || strcmp(link->key, key) != 0))
        link = link->next;
    if (link != NULL)
        link->users++;
    return link;
}

struct link *link_take(struct link_map *map, const char *key)
{
    struct link *link;

    (void)pthread_mutex_lock(&map->lock);
    link = find(map, key);
    (void)pthread_mutex_unlock(&map->lock);
    return link;
}

struct link *link_take_idle(struct link_map *map, const char *key)
{
    struct link *found = NULL;
    size_t n = 0;

    (void)pthread_mutex_lock(&map->lock);
    for (struct link *link = *bucket(map, key); link != NULL; link = link->next) {
        if (link->ended || strcmp(link->key, key) != 0)
            continue;
        n++;
        if (found == NULL || link->users < found->users)
            found = link;
    }
    if (found != NULL && found->users > 0 && n < SEVERAL_MAX)
        found = NULL;
    if (found != NULL)
        found->users++;
    (void)pthread_mutex_unlock(&map->lock);
    return found;
}

/* With the lock held: takes out of the bucket what is over, at most so many. */
static struct link *take_over(struct link_map *map, struct link **at, int64_t idle_since_ms,
                              int most)
{
    struct link *gone = NULL;

    while (*at != NULL && most > 0) {
        struct link *link = *at;

        if (link->users > 0 || (!link->ended && link->used_ms >= idle_since_ms)) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        link->next = gone;
        gone = link;
        map->n--;
        most--;
    }
    return gone;
}

struct link *link_add(struct link_map *map, const char *key, struct downstream_session *session,
                      struct share *share, bool several)
{
    struct link *link, *mine = calloc(1, sizeof(*mine)), **at = bucket(map, key), *gone = NULL;

    if (mine == NULL || (mine->key = strdup(key)) == NULL)
        abort();
    mine->session = session;
    mine->share = share;
    mine->users = 1;
    (void)pthread_mutex_lock(&map->lock);
    link = several ? NULL : find(map, key);
    if (link == NULL) {
        if (map->n >= LINKS_MAX)
            gone = take_over(map, at, INT64_MAX, 1);
        mine->next = *at;
        *at = mine;
        map->n++;
    }
    (void)pthread_mutex_unlock(&map->lock);
    close_all(gone);
    if (link == NULL)
        return mine;
    link_close(mine);
    return link;
}

void link_give(struct link_map *map, struct link *link)
{
    (void)pthread_mutex_lock(&map->lock);
    link->users--;
    link->used_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&map->lock);
}

void link_drop(struct link_map *map, const char *key)
{
    struct link *link, *gone;

    (void)pthread_mutex_lock(&map->lock);
    link = find(map, key);
    if (link != NULL) {
        link->users--;
        link->ended = true;
    }
    gone = take_over(map, bucket(map, key), INT64_MIN, INT32_MAX);
    (void)pthread_mutex_unlock(&map->lock);
    close_all(gone);
}

void link_sweep(struct link_map *map, int64_t now_ms)
{
    for (size_t i = 0; i < LINK_BUCKETS; i++) {
        struct link *gone;

        (void)pthread_mutex_lock(&map->lock);
        gone = take_over(map, &map->buckets[i], now_ms - IDLE_MS, INT32_MAX);
        (void)pthread_mutex_unlock(&map->lock);
        close_all(gone);
    }
}
