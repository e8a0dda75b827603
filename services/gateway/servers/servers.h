/* SPDX-License-Identifier: Apache-2.0 */
/* The downstream servers as mcp-health tells of them in the bucket MAL_MCPS: an
 * immutable picture, swapped whole, of which every exchange holds one. */
#pragma once

#include "definitions.h"
#include "gate.h"
#include "gateway.h"
#include "toolset.h"
#include "upstream.h"

/* A server of the picture. */
struct server {
    const McpHealth__Server *config;
    struct definitions *definitions; /* NULL: never read */
    const McpHealth__Names *names;   /* of its tools in /mcp; NULL: none */
    struct upstream *upstream;       /* NULL: a program, reached through a runner */
    struct gate *gate;
};

struct virtual_server {
    const McpHealth__Virtual *config;
    struct toolset *tools;
};

struct server_record;

/* Counted; what it holds lives as long as it. */
struct picture {
    atomic_int refs;
    size_t n, n_virtuals;
    struct server *servers; /* by id */
    struct server_record **records;
    size_t n_records;
    struct virtual_server *virtuals; /* by id */
    struct toolset *tools;           /* of /mcp */
};

struct servers;
/* Waits until the present entries are known. */
enum status servers_new(struct servers **ret_servers, struct gateway *gw,
                        struct error *err) MUST_CHECK;
void servers_free(struct servers *servers);
/* The newest picture; given back by picture_unref. */
struct picture *servers_look(struct servers *servers);
struct picture *picture_ref(struct picture *picture);
void picture_unref(struct picture *picture);
/* NULL when there is none. */
const struct server *picture_server(const struct picture *picture, const char *id);
const struct virtual_server *picture_virtual(const struct picture *picture, const char *id);
/* Tells mcp-health what calls since the last time say of the servers. */
void servers_report(struct gateway *gw, const struct picture *picture);
/* Housekeeping: sessions that idle, the report. */
void servers_sweep(struct servers *servers);
