/* SPDX-License-Identifier: Apache-2.0 */
/* How a picture of the downstream servers comes to be: from the rows of what
 * MAL_MCPS told. For servers.c. */
#pragma once

#include "servers.h"

/* Counted, because pictures share it. */
struct server_record {
    atomic_int refs;
    McpHealth__Server *server;
    McpHealth__Virtual *virtual;
    McpHealth__Names *names;
};

/* What is known under one id; the watch's thread alone touches it. */
struct row {
    struct row *next;
    char *id;
    struct server_record *server, *virtual, *names;
    struct definitions *definitions;
    struct upstream *upstream;
    struct gate *gate;
    unsigned server_round, definitions_round, virtual_round, names_round;
};

/* Holds one of them, which it takes. */
struct server_record *record_new(struct server_record holds);
/* Accepts NULL. */
void record_unref(struct server_record *record);
struct picture *picture_new(struct gateway *gw, const struct row *rows);
