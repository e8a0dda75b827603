/* SPDX-License-Identifier: Apache-2.0 */
/* Translation between revisions, for a caller of one and a server of another:
 * pure functions from parsed JSON to text. What both understand passes as it is,
 * but for what names the hop (server's label, ids, tokens).
 *
 * Whatever the tables do not name is passed on unchanged: unknown members, vendor
 * keys of _meta, unknown capabilities. tests/unit/test_mcp_bridge_*.c have a case
 * for each row. Texts are written on one line. */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"
#include "mcp/version.h"
#include "wire/json.h"

struct bridge {
    enum mcp_version server, caller;
    const char
        *server_info;   /* Implementation of ours, JSON: stamped for modern callers; NULL none */
    int64_t ttl_ms;     /* cache hints of results whose server gave none */
    bool is_public;     /* cacheScope of these */
    bool strip_headers; /* x-mcp-header leaves the schemas of tools */
    bool tasks;         /* tools that can only run as tasks may be shown */
};

static inline bool bridge_modern_server(const struct bridge *bridge)
{
    return bridge->server >= MCP_2026_07_28;
}
static inline bool bridge_modern_caller(const struct bridge *bridge)
{
    return bridge->caller >= MCP_2026_07_28;
}

/* ---- which way a method takes (bridge_route.c) -------------------------------- */

enum bridge_route {
    BRIDGE_UNKNOWN, /* the caller's era has no such method: -32601 (modern: HTTP 404) */
    BRIDGE_PASS,    /* ask the server the same */
    BRIDGE_OWN,     /* the hub's own business: initialize, server/discover, ping */
    BRIDGE_LEVEL,   /* logging/setLevel to a modern server: remember, and send with requests */
    BRIDGE_WATCH,   /* subscriptions of either kind: downstream_watch */
};
enum bridge_route bridge_route(const struct bridge *bridge, const char *method);

/* Params for the server; params NULL = {}. What of _meta belongs to the caller's
 * hop is left to whoever sends (downstream_begin). */
void bridge_put_params(struct strbuf *out, const struct bridge *bridge, const char *method,
                       const struct json *json, const struct json_node *params);

/* The caller's capabilities, as the server's revision writes them. node NULL = {}. */
void bridge_put_client_capabilities(struct strbuf *out, const struct bridge *bridge,
                                    const struct json *json, const struct json_node *node);
/* Of a modern caller's what an older server can ask it, in the same words for all who
 * mean the same: sessions and programs are kept for each form. node NULL = {}. */
void bridge_put_askable(struct strbuf *out, const struct json *json, const struct json_node *node);
/* The server's, for the caller. */
void bridge_put_server_capabilities(struct strbuf *out, const struct bridge *bridge,
                                    const struct json *json, const struct json_node *node);

/* What the server calls itself, an Implementation. */
void bridge_put_implementation(struct strbuf *out, const struct bridge *bridge,
                               const struct json *json, const struct json_node *node);

/* ---- results (bridge_result.c) -------------------------------------------------- */

enum bridge_outcome {
    BRIDGE_COMPLETE,
    BRIDGE_INPUT_REQUIRED, /* the server wants to know something first */
    BRIDGE_TASK,           /* poll tasks/get until it is done */
    BRIDGE_INVALID,        /* no result of that revision: the server broke the protocol */
};
enum bridge_outcome bridge_outcome(const struct bridge *bridge, const char *method,
                                   const struct json *json, const struct json_node *result);
/* The result object for the caller, whatever its outcome was. Of lists, items
 * that cannot be shown are left out. */
struct bridge_extra {
    bool wrapped;      /* the tool's output schema was wrapped for this caller */
    const char *state; /* input_required: what the caller gets as requestState; NULL none */
};
void bridge_put_result(struct strbuf *out, const struct bridge *bridge, const char *method,
                       const struct json *json, const struct json_node *result,
                       const struct bridge_extra *extra);

/* ---- items of lists (bridge_item.c) ----------------------------------------------- */

/* False: it has no form that this caller understands, nothing was written.
 * *ret_wrapped: its output schema was wrapped, its structured results are to be;
 * may be NULL. */
bool bridge_put_tool(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *tool, bool *ret_wrapped);
/* A resource, a template, a prompt. */
void bridge_put_item(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *item);

/* ---- errors (bridge_error.c) -------------------------------------------------------- */

enum bridge_error_kind {
    BRIDGE_ERROR,      /* a JSON-RPC error: code, message, data */
    BRIDGE_EXECUTION,  /* tools/call: a result with isError and message as its text */
    BRIDGE_EMPTY_LIST, /* the server has no such feature: an empty list */
    BRIDGE_ASK_URL,    /* -32042: bridge_put_url_requests, then input_required */
};
struct bridge_error {
    enum bridge_error_kind kind;
    int code;
    int http_status;     /* for a modern caller; legacy ones get 200 */
    const char *message; /* in the arena or static */
    const char *data;    /* JSON in the arena, NULL when none */
};
/* caller_takes_urls: it declared elicitation.url. */
struct bridge_error bridge_error(struct arena *arena, const struct bridge *bridge,
                                 const char *method, const struct json *json,
                                 const struct json_node *error, bool caller_takes_urls);

/* ---- questions of servers to callers (bridge_ask.c) ----------------------------------- */

/* Whether the caller's capabilities allow the question. */
bool bridge_may_ask(const struct json *caps_json, const struct json_node *capabilities,
                    const char *method, const struct json *json, const struct json_node *params);
/* A legacy server's request as an entry of inputRequests, "key":{…}. False when
 * modern callers cannot be asked that; nothing was written. */
bool bridge_put_input_request(struct strbuf *out, const char *key, const char *method,
                              const struct json *json, const struct json_node *params);
/* Error -32042's data.elicitations as entries "url-0", … of inputRequests, with
 * commas between. How many. */
unsigned bridge_put_url_requests(struct strbuf *out, const struct json *json,
                                 const struct json_node *error);
/* An entry of a modern server's inputRequests, or method and params of another revision's
 * request, as the members of a request to a legacy caller, "method":…,"params":….
 * elicitation_id: for url mode. False when this caller cannot be asked that; nothing was
 * written. */
bool bridge_put_question(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                         const struct json_node *entry, const char *elicitation_id);
/* The params of a call's retry: those of the first call, with the answers (a JSON
 * object, NULL none) and the server's requestState (as written, NULL when it gave none). */
void bridge_put_retry(struct strbuf *out, const struct json *json, const struct json_node *params,
                      const char *answers, const char *state, size_t state_len);

/* ---- notifications (bridge_notify.c) ---------------------------------------------------- */

/* What the caller of the one stream wants; NULLs drop what depends on them. */
struct bridge_listener {
    const char *token; /* its progressToken as JSON, for progress of its own exchange */
    size_t token_len;
    bool own_progress;        /* progress is of the exchange with that token */
    const char *log_level;    /* lowest level it wants; legacy: NULL = all */
    const char *subscription; /* modern: id of its listen request as JSON, for changes */
};
/* The whole JSON-RPC notification; false: not for this caller, nothing was
 * written. */
bool bridge_put_notification(struct strbuf *out, const struct bridge *bridge, const char *method,
                             const struct json *json, const struct json_node *params,
                             const struct bridge_listener *listener);
