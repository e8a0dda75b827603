/* SPDX-License-Identifier: Apache-2.0 */
/* What a service does with other services' events: a durable consumer with a
 * connection of its own, its deliveries counted in mal_events_consumed_total. */
#pragma once

#include "svc/svc.h"

struct feed_options {
    const char *durable; /* borrowed for ever */
    const char *filter;
    int max_batch, max_ack_pending; /* 1 and 1 keep strict order */
    bool whole_messages;            /* see bus_consumer_options */
    /* With a fresh arena, the feed's connection, and actor and request id of the
     * first event; what fails is delivered again, all of it. */
    enum status (*apply)(struct call *call, const struct bus_event *events, size_t n, void *arg);
    void *arg;
};

struct feed;
enum status feed_new(struct feed **ret_feed, struct svc_context *ctx,
                     const struct feed_options *options, struct error *err) MUST_CHECK;
/* Joins and frees. Accepts NULL. */
void feed_free(struct feed *feed);
