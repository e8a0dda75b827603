/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait for a service: how a caller that leaves or cancels stops the
 * work. */
#pragma once

#include "downstream/downstream.h"
#include "gateway.h"

/* One waiting call, on its worker's stack. */
struct flight {
    struct flight *next, *previous;
    struct http_request *req;             /* NULL: its connection does not matter (legacy) */
    struct downstream_exchange *exchange; /* of a call of a downstream server, else NULL */
    struct remote_exchange *remote;       /* of one reached through a runner, else NULL */
    const char *request_id;               /* what services know the call by */
    const char *session;                  /* hash of the legacy session, NULL when none */
    const char *id;                       /* JSON-RPC id as written */
    size_t id_len;
    int64_t started_ms;     /* clock_mono_ms() */
    _Atomic bool cancelled; /* the caller left or cancelled: send no answer */
};

struct inflight;
/* Watches connections and listens for mal.gateway.v1.cancelled. */
enum status inflight_new(struct inflight **ret_inflight, struct gateway *gw,
                         struct error *err) MUST_CHECK;
void inflight_free(struct inflight *inflight);
void inflight_begin(struct inflight *inflight, struct flight *flight);
/* Afterwards flight->cancelled is final. */
void inflight_end(struct inflight *inflight, struct flight *flight);
/* notifications/cancelled of a legacy session: told to every gateway copy, the
 * one that runs the call stops it. */
void inflight_cancel(struct inflight *inflight, const char *session, const char *id, size_t id_len);
