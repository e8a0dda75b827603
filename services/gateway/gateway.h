/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the gateway share: the process, one HTTP request on its way
 * through it, and who sent that request. */
#pragma once

#include "base/strbuf.h"
#include "bus/bus.h"
#include "config.h"
#include "http/http.h"
#include "wire/call.h"

struct keyring;
struct limits;
struct tools;
struct sessions;
struct streams;
struct notifier;
struct inflight;
struct secrets;
struct servers;
struct parking;
struct links;
struct watching;
struct picture;
struct server;
struct virtual_server;

/* One per process; every member is thread safe. */
struct gateway {
    struct bus *bus;
    struct bus_server *listed;          /* has no endpoints; answers $SRV */
    _Atomic(struct http_server *) http; /* NULL before it listens and once it stops */
    struct secrets *secrets;
    struct keyring *keys;
    struct limits *limits;
    struct tools *tools;
    struct sessions *sessions;
    struct streams *streams;
    struct notifier *notifier;
    struct inflight *inflight;
    struct servers *servers; /* downstream */
    struct parking *parking;
    struct links *links; /* sessions with them that copies share */
    struct watching *watching;
    struct bus_event_queue *audit;
    struct bus_kv *once; /* nonces that were used */
    bool loopback;       /* the listener is reachable from this machine only */
    char instance[33];   /* tells copies of the gateway apart */
    _Atomic bool stopping;
    _Atomic int waiting;     /* workers held by a question to a user */
    _Atomic int64_t running; /* calls of tools and routes in progress */
};

/* Who calls. Strings live as long as the exchange. */
struct principal {
    const char *id;   /* stable and unique: what sessions and state are bound to */
    const char *name; /* what audit log and services see */
    unsigned scopes;  /* enum scope */
    bool trusted;
    const char *const *servers; /* downstream ones it may use, n_servers 0 = all */
    size_t n_servers;
};

/* One HTTP request. */
struct exchange {
    struct gateway *gw;
    struct http_request *req;
    struct arena *arena;
    struct principal who;
    const char *request_id;
    const char *traceparent;    /* NULL when none */
    const char *cors;           /* allowed foreign origin, NULL when none */
    const char *channel;        /* mcp or rest */
    const char *endpoint;       /* id in /mcp/{id}; NULL elsewhere */
    const struct server *mount; /* the downstream server that the message is for; NULL: the hub */
    bool search;                /* ?tools=search */
    const struct virtual_server *virtual; /* the one of /mcp/{id}, NULL elsewhere */
    struct picture *picture; /* downstream servers as they were when it came; NULL = not needed */
    int64_t started_us;      /* clock_mono_us() */
    int64_t now_ms;          /* wall clock */
};

/* The one handler of the public listener. */
void route(struct http_request *req, void *arg);
