/* SPDX-License-Identifier: Apache-2.0 */
/* What resources, prompts and completion need of the catalog. */
#pragma once

#include "mcp_call.h"

#include "mal/catalog/v1/catalog.pb-c.h"

/* One line of a list, whatever it is about. */
struct entry {
    const char *key; /* sorted and paged by; unique */
    const ProtobufCMessage *row;
};

struct entries {
    struct entry *items; /* in the arena */
    size_t n;
};

/* All rows, sorted by key. A failure is in *err. */
enum status catalog_skills(struct exchange *x, struct entries *ret, struct error *err) MUST_CHECK;
/* Commands under their id, subagents under "agent." and theirs: no id has a dot. */
enum status catalog_prompts(struct exchange *x, struct entries *ret, struct error *err) MUST_CHECK;
/* Calls an rpc of the catalog for the hub's own purposes. */
enum status catalog_ask(struct exchange *x, const struct rpc *rpc, const ProtobufCMessage *request,
                        ProtobufCMessage **ret_reply, struct error *err) MUST_CHECK;
/* Index of the first entry after that key. */
size_t entries_after(const struct entries *entries, const char *key);
