/* SPDX-License-Identifier: Apache-2.0 */
/* An import in progress: import_plan.c finds out what would happen, import.c
 * lets it happen. */
#pragma once

#include "catalog.h"

#include "wire/json.h"

/* One entry of the file. */
struct import_entry {
    const struct import_kind *kind;
    int index;                 /* in its collection */
    const char *id;            /* "" when it has none */
    const char *reason;        /* why it fails, NULL when it does not */
    bool exists;               /* the id is in the catalog */
    ProtobufCMessage *request; /* of its register tool, NULL when it fails */
    struct birth birth;
    const char *status; /* of a server, NULL when not said */
    bool inactive;      /* a server that lost masked values */
};

/* In the order in which they are written. */
struct import_kind {
    Catalog__Collection collection;
    const char *key; /* in the file */
    const ProtobufCMessageDescriptor *request;
    const char *outputs[6]; /* fields an export has that no register tool takes */
};

struct import {
    struct call *call;
    struct json json;
    const struct json_node *assets; /* NULL when there are none */
    struct import_entry *entries;
    size_t n_entries;
    struct names warnings;
};

/* Parses and checks; after it every entry either fails with a reason, exists or
 * can be written. */
enum status import_plan(struct import *import, const char *data) MUST_CHECK;
/* Checks one entry by itself and makes its request. */
void import_read_entry(struct import *import, const struct json_node *node,
                       struct import_entry *entry);
