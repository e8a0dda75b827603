/* SPDX-License-Identifier: Apache-2.0 */
/* One MCP message on its way through the gateway. */
#pragma once

#include "gateway.h"
#include "mcp/era.h"
#include "session.h"

#include <pthread.h>

struct mcp {
    struct exchange *x;
    struct mcp_message msg;
    bool modern;
    enum mcp_version version;
    struct mcp_client client;      /* modern: of this request; legacy: of initialize */
    const struct session *session; /* legacy; NULL for initialize */
    bool batch;                    /* one of several: no stream of its own */
    struct strbuf out;             /* the answer: one JSON-RPC message */
    int http_status;
    const char *headers; /* further header lines of the answer, may be NULL */
    bool streaming;      /* event stream begun: the answer goes out as an event */
    bool answered;       /* nothing is left to be sent */
    bool unmirrored;     /* headers say nothing of the tool's arguments */
};

/* POST, GET and DELETE of /mcp. */
void mcp_handle(struct exchange *x);

/* A method writes its answer to m->out. */
typedef void mcp_method(struct mcp *m);
/* The one that the message names; NULL when the era or the endpoint has none. */
mcp_method *mcp_method_find(const struct mcp *m);

void mcp_modern(struct mcp *m);
void mcp_legacy_post(struct exchange *x, const struct json *json, const char *version_header);
void mcp_legacy_get(struct exchange *x);
void mcp_legacy_delete(struct exchange *x);
/* Sends what the method left: JSON, the last event of a stream, or nothing. */
void mcp_send(struct mcp *m);
/* The caller takes answers of that type. */
bool mcp_accepts(struct exchange *x, const char *type);
/* A refusal with a JSON-RPC body. msg may be NULL. */
void mcp_refuse(struct exchange *x, int http_status, const struct mcp_message *msg,
                enum mcp_code code, const char *message, const char *data);
/* Begins the event stream of a call, once. False: the caller has gone. */
bool mcp_stream(struct mcp *m);

/* Methods. */
void mcp_tools_list(struct mcp *m);
void mcp_tools_call(struct mcp *m);
/* The same, of that tool; name is params.name. */
void mcp_tools_call_named(struct mcp *m, const char *name);
void mcp_discover(struct mcp *m);
void mcp_ping(struct mcp *m);
void mcp_set_level(struct mcp *m);
void mcp_resources_list(struct mcp *m);
void mcp_templates_list(struct mcp *m);
void mcp_resources_read(struct mcp *m);
void mcp_subscribe(struct mcp *m);
void mcp_unsubscribe(struct mcp *m);
void mcp_prompts_list(struct mcp *m);
void mcp_prompts_get(struct mcp *m);
void mcp_complete(struct mcp *m);
void mcp_listen(struct mcp *m);
void mcp_initialize(struct mcp *m);
