/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a fresh database and a call that uses it, for test_pg_*. */
#pragma once

#include "base/clock.h"
#include "pg/pg.h"
#include "pg_server.h"
#include "suite.h"

#include <check.h>
#include <unistd.h>

static struct pg_server server;

struct fixture {
    char url[PG_URL_SIZE];
    struct arena arena;
    struct pg_conn *conn;
    struct call call;
};

/* Queries are known by their address. */
#define QUERY(name_, sql_, params_)                                                                \
    (__extension__({                                                                               \
        static const struct query query_ = {.name = (name_), .sql = (sql_), .params = (params_)};  \
        &query_;                                                                                   \
    }))

static inline struct pg_conn *open_conn(const char *url)
{
    struct error err = {0};
    struct pg_conn *conn = NULL;

    if (pg_conn_new(&conn,
                    &(struct pg_options){
                        .url = url, .schema = "demo", .app = "test", .statement_timeout_ms = 30000},
                    &err) != ST_OK)
        abort();
    return conn;
}

static inline void fixture_call(struct fixture *f, struct pg_conn *conn)
{
    f->call = (struct call){.arena = &f->arena,
                            .actor = "ana",
                            .request_id = "018e0000-0000-7000-8000-000000000001",
                            .deadline_ms = clock_mono_ms() + 20000,
                            .now_ms = clock_wall_ms(),
                            .pg = conn};
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    arena_init(&f->arena);
    pg_server_clone(&server, f->url);
    f->conn = open_conn(f->url);
    fixture_call(f, f->conn);
}

static inline void fixture_done(struct fixture *f)
{
    arena_done(&f->arena);
    pg_conn_free(f->conn);
}

/* Migrates the schema demo with one table. */
static inline void fill_demo(const char *url)
{
    static const struct migration migrations[] = {
        {.number = 1,
         .name = "item",
         .sql = "create table item (id text primary key check (id <> 'bad'), points int not null"
                " default 0, parent text references item);"
                "alter table item add constraint item_points_max check (points <= 100);",
         .sha256 = "0000000000000000000000000000000000000000000000000000000000000001"},
    };
    struct error err = {0};
    struct pg_conn *conn = open_conn(url);

    if (pg_migrate(conn, "demo", migrations, 1, &err) != ST_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(EXIT_FAILURE);
    }
    pg_conn_free(conn);
}

/* Runs the suite on a cluster of its own; the exit code of main. */
static inline int run_suite(Suite *suite)
{
    int failed;

    pg_server_start(&server);
    pg_server_template(&server, fill_demo);
    failed = suite_run(suite);
    pg_server_stop(&server);
    return failed;
}
