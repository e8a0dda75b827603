/* SPDX-License-Identifier: Apache-2.0 */
/* What open streams wish to hear, put together endpoint by endpoint, and of resources program
 * by program where callers have their own. */
#pragma once

#include "servers.h"
#include "streams.h"
#include "wishes.h"

struct gathered {
    struct gathered *next;
    const char *endpoint;             /* in the gathering's arena, as the next two are */
    const char *child, *capabilities; /* of callers' own, as wish_child says; "" = none */
    struct wish wish;
    struct portion *portions; /* how much of it each caller has */
};

/* Zeroed is none. */
struct gathering {
    struct arena arena;
    const struct picture *picture;
    struct gathered *first;
};

/* Whose program is to be asked for the resources: its key (child.h), "" = the one that many share,
 * or no program at all. */
const char *wish_child(struct arena *arena, const struct picture *picture,
                       const struct stream_wish *wish);
/* Adds what one stream wishes, as much of it as its caller may have; arg = the gathering. */
void gathering_add(const struct stream_wish *wish, void *arg);
void gathering_done(struct gathering *all);
