/* SPDX-License-Identifier: Apache-2.0 */
/* tools/call. */
#include "confirm.h"
#include "keylist.h"
#include "mcp_offers.h"
#include "mcp_reply.h"
#include "respond.h"
#include "search.h"
#include "wire/text.h"

#include "mal/v1/tool.pb-c.h"

#include <string.h>

/* Most results are no larger, and the allocator has such blocks at hand. */
enum { RESULT_USUAL = 1000 };

static void put_text(struct mcp *m, const struct strbuf *text)
{
    strbuf_str(&m->out, "{\"type\":\"text\",\"text\":");
    json_put_string_n(&m->out, strbuf_cstr(text), text->len);
    strbuf_char(&m->out, '}');
}

/* The caller chose plain data for the text. */
static bool wants_json(const struct invocation *inv)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(inv->request->descriptor, "format");

    return field != NULL && field->descriptor == &mal__format__descriptor &&
           wire_get_int(inv->request, "format") == MAL__FORMAT__FORMAT_JSON;
}

/* The result of a downstream tool: its content unchanged. */
static void put_downstream(struct mcp *m, const struct invocation *inv, const struct strbuf *json)
{
    reply_begin(m, TTL_NONE);
    reply_key(m, "content");
    strbuf_str(&m->out, wire_get_string(inv->reply, "content"));
    if (m->version >= MCP_2025_06_18) {
        reply_key(m, "structuredContent");
        strbuf_add(&m->out, json->data, json->len);
    }
    reply_key(m, "isError");
    strbuf_str(&m->out, wire_get_bool(inv->reply, "is_error") ? "true" : "false");
    reply_end(m, NULL);
}

static void put_result(struct mcp *m, const struct invocation *inv)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf json = STRBUF_INIT;
    bool structured = m->version >= MCP_2025_06_18;

    strbuf_reserve(&json, RESULT_USUAL);
    wire_to_json(&json, inv->tool->rpc->response, inv->reply);
    if (inv->tool->rpc->gateway) {
        put_downstream(m, inv, &json);
        return;
    }
    if (wants_json(inv))
        strbuf_add(&text, json.data, json.len);
    else
        wire_text(&text, inv->tool->rpc, inv->request, inv->reply);
    strbuf_reserve(&m->out, text.len + json.len + 512);
    reply_begin(m, TTL_NONE);
    reply_key(m, "content");
    strbuf_char(&m->out, '[');
    put_text(m, &text);
    /* Older clients know no structured content: they get it as a further text. */
    if (!structured && (text.len != json.len || memcmp(text.data, json.data, json.len) != 0)) {
        strbuf_char(&m->out, ',');
        put_text(m, &json);
    }
    strbuf_char(&m->out, ']');
    if (structured) {
        reply_key(m, "structuredContent");
        strbuf_add(&m->out, json.data, json.len);
    }
    reply_key(m, "isError");
    strbuf_str(&m->out, "false");
    reply_end(m, NULL);
}

/* _meta of an error: what a program can act on. */
static void put_error_meta(struct strbuf *out, const struct exchange *x, const struct error *err)
{
    strbuf_str(out, "\"mal.hub/error\":{");
    mcp_put_member(out, "status", status_name(err->status));
    respond_put_detail(out, x, err);
    strbuf_char(out, '}');
}

void reply_failure(struct mcp *m, const struct error *err, const char *tool)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf meta = STRBUF_INIT;

    wire_error_text(&text, err, tool, m->x->request_id);
    put_error_meta(&meta, m->x, err);
    reply_begin(m, TTL_NONE);
    reply_key(m, "content");
    strbuf_char(&m->out, '[');
    put_text(m, &text);
    strbuf_char(&m->out, ']');
    reply_key(m, "isError");
    strbuf_str(&m->out, "true");
    reply_end(m, strbuf_cstr(&meta));
}

/* To the caller a tool beyond its scopes does not exist; the audit log knows
 * that it was tried. */
static void note_hidden(struct mcp *m, const char *name, const struct json_node *arguments)
{
    const struct tool *hidden = tools_find(m->x->gw->tools, name, SCOPES_ALL);
    struct invocation inv;

    if (hidden == NULL)
        return;
    invocation_init(&inv, m->x, hidden);
    invocation_about_arguments(&inv, m->msg.json, arguments);
    invocation_done(&inv, ST_PERMISSION_DENIED);
}

/* How this call can be cancelled. */
static void set_flight(struct mcp *m, struct flight *flight)
{
    if (m->modern) {
        flight->req = m->x->req;
        return;
    }
    flight->session = m->session->hash;
    flight->id = json_raw(m->msg.json, m->msg.id, &flight->id_len);
}

static void call_own(struct mcp *m, const struct tool *tool, const struct json_node *arguments)
{
    struct invocation inv;
    enum confirm confirm = CONFIRM_PENDING;
    enum status status;

    invocation_init(&inv, m->x, tool);
    set_flight(m, &inv.flight);
    status = invocation_arguments(&inv, m->msg.json, arguments);
    if (status == ST_OK)
        status = confirm_run(m, &inv, &confirm);
    if (confirm == CONFIRM_ASKED) {
        invocation_pause(&inv);
        return;
    }
    invocation_done(&inv, status);
    if (inv.flight.cancelled) {
        /* Whoever cancelled gets no answer; an empty stream ends the exchange. */
        strbuf_clear(&m->out);
        m->answered = !m->batch && !mcp_stream(m);
    } else if (status == ST_OK) {
        put_result(m, &inv);
    } else if (confirm != CONFIRM_ANSWERED) {
        reply_failure(m, &inv.call.error, tool->rpc->tool_name);
    }
}

void mcp_tools_call_named(struct mcp *m, const char *name)
{
    const struct json_node *arguments = json_get(m->msg.json, m->msg.params, "arguments");
    const struct tool *tool = NULL;
    const struct offer *offer = NULL;

    /* At /mcp names of the hub's own tools are nobody else's. */
    if (m->x->virtual == NULL)
        tool = tools_find(m->x->gw->tools, name, m->x->who.scopes);
    if (tool == NULL)
        offer = offer_find(m, name);
    if (offer != NULL)
        tool = offer->own;
    if (tool != NULL) {
        call_own(m, tool, arguments);
    } else if (offer != NULL) {
        offer_pass(m, offer);
    } else {
        if (m->x->virtual == NULL)
            note_hidden(m, name, arguments);
        reply_error(m, MCP_INVALID_PARAMS, "Unknown tool: %.128s", name);
    }
}

void mcp_tools_call(struct mcp *m)
{
    const struct json_node *arguments;
    const char *name;

    if (!mcp_need(m, "name", &name))
        return;
    arguments = json_get(m->msg.json, m->msg.params, "arguments");
    if (arguments != NULL && arguments->type != JSON_T_OBJECT)
        reply_error(m, MCP_INVALID_PARAMS, "params.arguments must be an object");
    else if (!m->x->search || !search_call(m, name))
        mcp_tools_call_named(m, name);
}
