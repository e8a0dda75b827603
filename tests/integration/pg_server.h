/* SPDX-License-Identifier: Apache-2.0 */
/* A private Postgres cluster for one test program: unix socket only, in a
 * temporary directory, stopped and removed when the program ends, however it
 * ends. MAL_TEST_KEEP=1 keeps the directory. Start it in main(), before the
 * tests fork. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum { PG_URL_SIZE = 256 };

struct pg_server {
    char dir[64];
    char bin[128]; /* where initdb and postgres are */
    pid_t keeper;  /* stops the cluster when this process is gone */
};

/* All of them end the program with a message on stderr when they fail. */

/* initdb and start; about two seconds. */
void pg_server_start(struct pg_server *server);
/* Stops and removes. */
void pg_server_stop(struct pg_server *server);

/* Makes the template that pg_server_clone copies; fill(url) migrates it and
 * leaves no connection open. */
void pg_server_template(struct pg_server *server, void (*fill)(const char *url));
/* A fresh database for one test: a copy of the template, or empty without one. */
void pg_server_clone(const struct pg_server *server, char url[PG_URL_SIZE]);
/* Superuser's connection string of a database. */
void pg_server_url(const struct pg_server *server, const char *database, char url[PG_URL_SIZE]);
/* Runs statements in a database. */
void pg_server_sql(const char *url, const char *sql);
/* First column of the first row as text, into a static buffer; "" without row. */
const char *pg_server_value(const char *url, const char *sql);

/* Takes the server away (at once, as a crash, or orderly) and brings it back. */
void pg_server_halt(const struct pg_server *server, bool crash);
void pg_server_resume(const struct pg_server *server);
