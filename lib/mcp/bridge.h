/* SPDX-License-Identifier: Apache-2.0 */
/* Translation between revisions, for a caller of one and a server of another:
 * pure functions from parsed JSON to text. Two equal revisions pass everything
 * on as it is, but for what names the hop (server's label, ids, tokens).
 *
 * Whatever the tables do not name is passed on unchanged: unknown members, vendor
 * keys of _meta, unknown capabilities. Rules and their order are data in
 * bridge_*.c; tests/unit/test_mcp_bridge.c has a case for each row. */
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

/* ---- which way a method takes ---------------------------------------------- */

enum bridge_route {
    BRIDGE_UNKNOWN, /* the caller's era has no such method: -32601 (modern: HTTP 404) */
    BRIDGE_PASS,    /* ask the server the same */
    BRIDGE_OWN,     /* the hub's own business: initialize, server/discover, ping */
    BRIDGE_LEVEL,   /* logging/setLevel to a modern server: remember, and send with requests */
    BRIDGE_WATCH,   /* subscriptions of either kind: downstream_watch */
};
enum bridge_route bridge_route(const struct bridge *bridge, const char *method);

/* Params for the server, without envelope; params NULL = {}. */
void bridge_put_params(struct strbuf *out, const struct bridge *bridge, const char *method,
                       const struct json *json, const struct json_node *params);

/* ---- results ---------------------------------------------------------------- */

enum bridge_outcome {
    BRIDGE_COMPLETE,
    BRIDGE_INPUT_REQUIRED, /* the server wants to know something first */
    BRIDGE_TASK,           /* poll tasks/get until it is done */
    BRIDGE_INVALID,        /* no result of that revision: the server broke the protocol */
};
enum bridge_outcome bridge_outcome(const struct bridge *bridge, const char *method,
                                   const struct json *json, const struct json_node *result);
/* The result object for the caller. Of lists, items that cannot be shown are
 * left out. wrapped: the tool's output schema was wrapped for this caller
 * (bridge_put_tool said so). INPUT_REQUIRED passes only to modern callers, who
 * get state (sealed by the hub) as requestState; NULL = none. */
struct bridge_extra {
    bool wrapped;
    const char *state;
};
void bridge_put_result(struct strbuf *out, const struct bridge *bridge, const char *method,
                       const struct json *json, const struct json_node *result,
                       const struct bridge_extra *extra);

/* One item of a list, with the same rules. False: it has no form that this
 * caller understands, nothing was written. *ret_wrapped may be NULL. */
bool bridge_put_tool(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *tool, bool *ret_wrapped);
void bridge_put_item(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                     const struct json_node *item);

/* ---- errors ------------------------------------------------------------------ */

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
struct bridge_error bridge_error(struct arena *arena, const struct bridge *bridge,
                                 const char *method, const struct json *json,
                                 const struct json_node *error, bool caller_takes_urls);

/* ---- questions of servers to callers ------------------------------------------ */

/* A legacy server's request as the entry of inputRequests under key. False when
 * modern callers cannot be asked that. */
bool bridge_put_input_request(struct strbuf *out, const struct bridge *bridge, const char *key,
                              const char *method, const struct json *json,
                              const struct json_node *params);
/* Error -32042's data.elicitations as entries "url-0", … of inputRequests, with
 * commas between. How many. */
unsigned bridge_put_url_requests(struct strbuf *out, const struct json *json,
                                 const struct json_node *error);
/* Method and params of an entry of a modern server's inputRequests, as a request
 * to a legacy caller ({"method":…,"params":…} without braces, to be written
 * behind the id). elicitation_id: for url mode. False when this caller cannot be
 * asked that. */
bool bridge_put_question(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                         const struct json_node *entry, const char *elicitation_id);
/* Whether capabilities (ClientCapabilities of the caller) allow the question. */
bool bridge_may_ask(const struct json *caps_json, const struct json_node *capabilities,
                    const char *method, const struct json *json, const struct json_node *params);
/* The params of a call's retry: those of the first call, with the answers (a JSON
 * object) and the server's requestState (as written, NULL when it gave none). */
void bridge_put_retry(struct strbuf *out, const struct json *json, const struct json_node *params,
                      const char *answers, const char *state, size_t state_len);

/* ---- notifications --------------------------------------------------------------- */

/* What the caller of the one stream wants; NULLs drop what depends on them. */
struct bridge_listener {
    const char *token; /* its progressToken as JSON, for progress of its own exchange */
    size_t token_len;
    const char *log_level;    /* lowest level it wants */
    const char *subscription; /* modern: id of its listen request as JSON, for changes */
};
/* The whole JSON-RPC notification; false: not for this caller. own_progress: as
 * in downstream_message. */
bool bridge_put_notification(struct strbuf *out, const struct bridge *bridge, const char *method,
                             const struct json *json, const struct json_node *params,
                             const struct bridge_listener *listener, bool own_progress);

/* ---- capabilities ----------------------------------------------------------------- */

/* The caller's, as the server's revision writes them. node NULL = {}. */
void bridge_put_client_capabilities(struct strbuf *out, const struct bridge *bridge,
                                    const struct json *json, const struct json_node *node);
/* The server's, for the caller. */
void bridge_put_server_capabilities(struct strbuf *out, const struct bridge *bridge,
                                    const struct json *json, const struct json_node *node);
/* Implementation (serverInfo, clientInfo). */
void bridge_put_implementation(struct strbuf *out, enum mcp_version to, const struct json *json,
                               const struct json_node *node);
