/* SPDX-License-Identifier: Apache-2.0 */
/* What open streams wish to hear, put together endpoint by endpoint. */
#pragma once

#include "streams.h"
#include "wishes.h"

struct gathered {
    struct gathered *next;
    const char *endpoint; /* in the gathering's arena */
    struct wish wish;
    struct portion *portions; /* how much of it each caller has */
};

/* Zeroed is none. */
struct gathering {
    struct arena arena;
    struct gathered *first;
};

/* Adds what one stream wishes, as much of it as its caller may have; arg = the gathering. */
void gathering_add(const struct stream_wish *wish, void *arg);
void gathering_done(struct gathering *all);
