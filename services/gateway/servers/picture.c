/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of the downstream servers, and the records they share. */
#include "picture.h"

#include <stdlib.h>
#include <string.h>

/* ---- records ----------------------------------------------------------------------- */

struct server_record *record_new(struct server_record holds)
{
    struct server_record *record = malloc(sizeof(*record));

    if (record == NULL)
        abort();
    *record = holds;
    record->refs = 1;
    return record;
}

static struct server_record *record_ref(struct server_record *record)
{
    (void)atomic_fetch_add(&record->refs, 1);
    return record;
}

void record_unref(struct server_record *record)
{
    if (record == NULL || atomic_fetch_sub(&record->refs, 1) > 1)
        return;
    if (record->server != NULL)
        mcp_health__server__free_unpacked(record->server, NULL);
    if (record->virtual != NULL)
        mcp_health__virtual__free_unpacked(record->virtual, NULL);
    if (record->names != NULL)
        mcp_health__names__free_unpacked(record->names, NULL);
    free(record);
}

/* ---- pictures ---------------------------------------------------------------------- */

struct picture *picture_ref(struct picture *picture)
{
    (void)atomic_fetch_add(&picture->refs, 1);
    return picture;
}

void picture_unref(struct picture *picture)
{
    if (picture == NULL || atomic_fetch_sub(&picture->refs, 1) > 1)
        return;
    for (size_t i = 0; i < picture->n; i++) {
        definitions_unref(picture->servers[i].definitions);
        upstream_unref(picture->servers[i].upstream);
        gate_unref(picture->servers[i].gate);
    }
    toolset_free(picture->tools);
    for (size_t i = 0; i < picture->n_virtuals; i++)
        toolset_free(picture->virtuals[i].tools);
    for (size_t i = 0; i < picture->n_records; i++)
        record_unref(picture->records[i]);
    free(picture->servers);
    free(picture->virtuals);
    free(picture->records);
    free(picture);
}

static int by_id(const void *a, const void *b)
{
    const struct server *left = a, *right = b;

    return strcmp(left->config->id, right->config->id);
}

static int virtual_by_id(const void *a, const void *b)
{
    const struct virtual_server *left = a, *right = b;

    return strcmp(left->config->id, right->config->id);
}

static void add_row(struct picture *picture, const struct row *row)
{
    if (row->server != NULL) {
        struct server *server = &picture->servers[picture->n++];

        picture->records[picture->n_records++] = record_ref(row->server);
        server->config = row->server->server;
        if (row->definitions != NULL)
            server->definitions = definitions_ref(row->definitions);
        if (row->upstream != NULL)
            server->upstream = upstream_ref(row->upstream);
        server->gate = gate_ref(row->gate);
        if (row->names != NULL) {
            picture->records[picture->n_records++] = record_ref(row->names);
            server->names = row->names->names;
        }
    }
    if (row->virtual != NULL) {
        picture->records[picture->n_records++] = record_ref(row->virtual);
        picture->virtuals[picture->n_virtuals++].config = row->virtual->virtual;
    }
}

struct picture *picture_new(struct gateway *gw, const struct row *rows)
{
    struct picture *picture = calloc(1, sizeof(*picture));
    size_t n = 1;

    for (const struct row *row = rows; row != NULL; row = row->next)
        n++;
    if (picture == NULL || (picture->servers = calloc(n, sizeof(*picture->servers))) == NULL ||
        (picture->virtuals = calloc(n, sizeof(*picture->virtuals))) == NULL ||
        (picture->records = calloc(3 * n, sizeof(void *))) == NULL)
        abort();
    picture->refs = 1;
    for (const struct row *row = rows; row != NULL; row = row->next)
        add_row(picture, row);
    qsort(picture->servers, picture->n, sizeof(*picture->servers), by_id);
    qsort(picture->virtuals, picture->n_virtuals, sizeof(*picture->virtuals), virtual_by_id);
    picture->tools = toolset_hub(gw->tools, picture);
    for (size_t i = 0; i < picture->n_virtuals; i++)
        picture->virtuals[i].tools =
            toolset_virtual(gw->tools, picture, picture->virtuals[i].config);
    return picture;
}

const struct server *picture_server(const struct picture *picture, const char *id)
{
    McpHealth__Server name = MCP_HEALTH__SERVER__INIT;
    const struct server wanted = {.config = &name};

    name.id = id;
    return picture->n == 0
               ? NULL
               : bsearch(&wanted, picture->servers, picture->n, sizeof(*picture->servers), by_id);
}

const struct virtual_server *picture_virtual(const struct picture *picture, const char *id)
{
    McpHealth__Virtual name = MCP_HEALTH__VIRTUAL__INIT;
    const struct virtual_server wanted = {.config = &name};

    name.id = id;
    return picture->n_virtuals == 0 ? NULL
                                    : bsearch(&wanted, picture->virtuals, picture->n_virtuals,
                                              sizeof(*picture->virtuals), virtual_by_id);
}
