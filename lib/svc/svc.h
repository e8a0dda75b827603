/* SPDX-License-Identifier: Apache-2.0 */
/* main() of every process: settings, log, signals, Postgres, bus, admin
 * listener and readiness in the right order, and back again on SIGTERM. */
#pragma once

#include "base/settings.h"
#include "bus/bus.h"
#include "pg/pg.h"
#include "svc/metrics.h"

#define MAL_VERSION "0.1.0"

struct svc_context {
    struct bus *bus;
    void *service; /* what start set; reaches handlers as call->service */
    /* Makes a further connection to the service's schema, for its own threads. */
    enum status (*pg_open)(struct pg_conn **ret_conn, struct error *err);
};

struct svc {
    const char *name; /* "catalog": schema, bus service, log */
    const char *description;
    const struct setting *settings; /* of the service itself; may be NULL */
    const struct endpoint *endpoints;
    size_t n_endpoints;
    const struct migration *migrations;
    size_t n_migrations;
    /* After bus and database stand, before requests are served: consumers,
     * schedulers. */
    enum status (*start)(struct svc_context *ctx, struct error *err);
    /* Before the bus is drained. */
    void (*stop)(struct svc_context *ctx);
};

/* Handles --help, --version, --print-config; returns the exit code. */
int svc_main(int argc, char **argv, const struct svc *svc);
