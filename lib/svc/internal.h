/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of mal_svc share; nobody else includes it. */
#pragma once

#include "svc/svc.h"

struct tally;

/* One running service. */
struct service {
    const struct svc *svc;
    struct process process;
    struct svc_context context;
    struct pg_conn *admin;     /* owned; for readiness and metrics */
    pthread_mutex_t lock;      /* of admin */
    struct relay *relay;       /* owned */
    struct bus_server *server; /* owned */
    struct tally *tallies;     /* owned; of each endpoint */
    bool started;              /* the start hook ran */
};

/* svc.c */
/* A further connection to the service's schema; purpose names it in Postgres. */
enum status service_pg_open(const struct svc *svc, const char *purpose, struct pg_conn **ret_conn,
                            struct error *err) MUST_CHECK;

/* dispatch.c */
void dispatch_init(void);
/* Serves the endpoints on the bus; every worker has its connection. */
enum status dispatch_start(struct service *service, int workers, struct bus_server **ret_server,
                           struct error *err) MUST_CHECK;

/* relay.c */
/* Publishes what the outbox holds, on its own thread. takes conn. */
enum status relay_new(struct relay **ret_relay, const char *schema, struct pg_conn *conn,
                      struct bus *bus, struct error *err) MUST_CHECK;
/* Publishes what is waiting once more, joins. Accepts NULL. */
void relay_free(struct relay *relay);
/* Rows that wait, -1 when the database does not answer. */
int64_t outbox_waiting(struct pg_conn *conn);
