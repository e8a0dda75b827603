/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the hub: every rpc that is a tool or has a route, in the
 * order of the protos. */
#pragma once

#include "gateway.h"
#include "mcp/version.h"
#include "packages.h"

/* What tools/list shows of a tool differs by revision. */
enum tool_form { TOOL_OLDEST, TOOL_ANNOTATED, TOOL_FULL, TOOL_FORMS };

struct tool {
    const struct rpc *rpc;
    unsigned needs;           /* scopes, all of them */
    bool guarded;             /* listed in MAL_CONFIRM_TOOLS, and not guarded by its service */
    bool own_confirm;         /* its request has the field */
    const char *input_schema; /* the published one */
    struct strbuf shown[TOOL_FORMS]; /* its entry in tools/list */
};

struct tools {
    struct tool *rows; /* owned */
    size_t n;
    const struct tool **by_name; /* tools only, sorted */
    size_t n_by_name;
    struct arena arena;
};

struct tools *tools_new(const struct package *packages, size_t n_packages,
                        const char *confirm_tools);
void tools_free(struct tools *tools);
/* Bytes that the texts of a message may have as far as its rules bound them. */
uint64_t tools_text_bytes(const struct message_rule *rule);
/* NULL when there is none or the scopes do not suffice: to the caller that is
 * the same. */
const struct tool *tools_find(const struct tools *tools, const char *name, unsigned scopes);
enum tool_form tools_form(enum mcp_version version);
