/* SPDX-License-Identifier: Apache-2.0 */
/* main() of every process: settings, log, signals, Postgres, bus, admin
 * listener and readiness in the right order, and back again on SIGTERM. */
#pragma once

#include "base/settings.h"
#include "bus/bus.h"
#include "pg/pg.h"
#include "svc/metrics.h"
#include "svc/process.h"

struct svc_context {
    struct bus *bus;
    void *service;     /* what start set; reaches handlers as call->service */
    int extra_workers; /* set by start: for calls that wait on something else than the database */
    /* Makes a further connection to the service's schema, for its own threads. */
    enum status (*pg_open)(struct pg_conn **ret_conn, struct error *err);
};

struct svc {
    const char *name; /* "catalog": bus service, log, schema (there - is _) */
    const char *description;
    const struct setting *settings; /* of the service itself; may be NULL */
    const struct endpoint *endpoints;
    size_t n_endpoints;
    /* Its reading rpcs wait for Postgres only (else they say fiber_alone() before):
     * they share workers, and what they ask goes out together. */
    bool gather;
    const struct migration *migrations;
    size_t n_migrations;
    /* After bus and database stand, before requests are served: consumers,
     * schedulers. */
    enum status (*start)(struct svc_context *ctx, struct error *err);
    /* Before the bus is drained. */
    void (*stop)(struct svc_context *ctx);
};

/* Asks the worker's database, for the response of a Check rpc; *ret_error (may be NULL) says
 * why it does not answer, "" when it does. */
void svc_check(struct call *call, protobuf_c_boolean *ret_database_up, int32_t *ret_latency_ms,
               const char **ret_error);

/* Handles --help, --version, --print-config; returns the exit code. */
int svc_main(int argc, char **argv, const struct svc *svc);
