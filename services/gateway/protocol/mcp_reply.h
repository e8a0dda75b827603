/* SPDX-License-Identifier: Apache-2.0 */
/* Writing results and errors of MCP methods in the form of the caller's era. */
#pragma once

#include "mcp_call.h"
#include "svc/process.h"

#define SERVER_NAME "mal-hub"
#define SERVER_META                                                                                \
    "\"" MCP_META_SERVER "\":{\"name\":\"" SERVER_NAME "\",\"title\":\"" SERVER_NAME               \
    "\",\"version\":\"" MAL_VERSION "\"}"
#define SERVER_INFO                                                                                \
    "{\"name\":\"" SERVER_NAME "\",\"title\":\"" SERVER_NAME "\",\"version\":\"" MAL_VERSION "\"}"
#define SERVER_INSTRUCTIONS                                                                        \
    "mal-hub is the team's shared catalog of skills, commands, subagents and MCP servers. Search " \
    "it with mal_search_catalog before starting a task; read a skill's document with "             \
    "mal_get_skill_content or as the resource skill://<id>/SKILL.md. Tools that delete or run "    \
    "something ask the user first."

#define SEARCH_INSTRUCTIONS                                                                        \
    "Only two tools are listed: find-tool finds others by what they do, call-tool calls them."

enum { TTL_NONE = -1, TTL_STALE = 0, TTL_STABLE_MS = 60000 };

/* {"jsonrpc":…,"result":{ and, for modern callers, resultType and, with ttl_ms
 * of at least 0, the cache hints. Members follow through mcp_put_member or
 * reply_key, which write the commas. */
void reply_begin(struct mcp *m, int64_t ttl_ms);
/* "key": after a comma where one is needed. */
void reply_key(struct mcp *m, const char *key);
/* Closes the result. meta: further members of _meta, may be NULL. */
void reply_end(struct mcp *m, const char *meta);
/* {} in the form of the era. */
void reply_empty(struct mcp *m);
/* What became of sessions_subscribe(). */
void reply_subscribed(struct mcp *m, enum status status);
/* The member instructions of the endpoint, where it has any. */
void reply_instructions(struct mcp *m);
/* Replaces whatever was begun. */
void reply_error(struct mcp *m, enum mcp_code code, const char *fmt, ...) PRINTF(3, 4);
/* The same with data, ready JSON. */
void reply_error_data(struct mcp *m, enum mcp_code code, const char *data, const char *message);
/* The result of tools/call that says why there is none. */
void reply_failure(struct mcp *m, const struct error *err, const char *tool);
/* A string member of params. ABSENT leaves *ret_text NULL. */
enum param { PARAM_ABSENT, PARAM_TEXT, PARAM_WRONG };
enum param mcp_param(struct mcp *m, const char *key, const char **ret_text);
/* As above, answering -32602 unless the text is there. */
bool mcp_need(struct mcp *m, const char *key, const char **ret_text);
/* Cursor of a list request; false: -32602 answered. *ret_cursor NULL = none. */
bool mcp_cursor(struct mcp *m, const char **ret_cursor);
