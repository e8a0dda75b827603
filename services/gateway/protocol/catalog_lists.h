/* SPDX-License-Identifier: Apache-2.0 */
/* What resources, prompts and completion need of the catalog: pages in the order
 * of ids, so that they do not shift while somebody edits. */
#pragma once

#include "mcp_call.h"

#include "mal/catalog/v1/catalog.pb-c.h"

/* In the name of a subagent's prompt, before its id; no id of a command has a dot. */
#define AGENT "agent."

struct prompt {
    const char *name;
    const Catalog__Command *command;   /* NULL: a subagent's */
    const Catalog__Subagent *subagent; /* NULL: a command's */
};

/* Up to limit skills that have a document, whose ids come after that one and begin
 * with start. A failure is in *err. */
enum status catalog_documents(struct exchange *x, const char *after, const char *start, int limit,
                              const Catalog__PageDocumentsResponse **ret,
                              struct error *err) MUST_CHECK;
/* Up to limit prompts after the one of that name: commands, then subagents. */
enum status catalog_prompts(struct exchange *x, const char *after, int limit,
                            struct prompt **ret_items, size_t *ret_n, struct error *err) MUST_CHECK;
/* Calls an rpc of the catalog for the hub's own purposes. */
enum status catalog_ask(struct exchange *x, const struct rpc *rpc, const ProtobufCMessage *request,
                        ProtobufCMessage **ret_reply, struct error *err) MUST_CHECK;
