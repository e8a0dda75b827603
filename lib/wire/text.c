/* SPDX-License-Identifier: Apache-2.0 */
/* Replies and errors as Markdown: lists here, the rest in detail.c and
 * sentence.c. */
#include "wire/text.h"

#include "wire/text_internal.h"

enum { TEXT_USUAL = 1000 }; /* bytes */

/* Of a search hit that wraps what was found, what was found. */
static const ProtobufCMessage *found_in(const ProtobufCMessage *item)
{
    const ProtobufCMessage *inner = entity_of(item);

    return inner ? inner : item;
}

/* What an item says below its facts. */
static const char *about_of(const ProtobufCMessage *item, const ProtobufCMessage *found)
{
    static const char *const fields[] = {"description", "text", "body"};
    const char *about = wire_get_string(item, "snippet");

    for (size_t i = 0; !about[0] && i < ARRAY_SIZE(fields); i++)
        about = wire_get_string(found, fields[i]);
    return about;
}

static void put_item(struct strbuf *buf, const ProtobufCMessage *item)
{
    const ProtobufCMessage *found = found_in(item);
    const char *id = wire_get_string(found, "id"), *name = name_of(found);
    const char *about = about_of(item, found);
    size_t before;

    put_blank_line(buf);
    if (name[0])
        strbuf_printf(buf, "### %s\n", name);
    if (id[0])
        strbuf_printf(buf, "`%s`", id);
    before = buf->len;
    if (id[0])
        strbuf_str(buf, " · ");
    if (!put_facts(buf, found)) {
        buf->len = before;
        buf->data[before] = '\0';
    }
    put_new_line(buf);
    if (about[0])
        strbuf_str(buf, about);
    put_new_line(buf);
}

/* The items of a page; NULL when the reply is none. */
static const ProtobufCFieldDescriptor *items_of(const ProtobufCMessage *reply)
{
    const ProtobufCFieldDescriptor *items = field_named(reply, "items");

    return items && field_repeated(items) && items->type == PROTOBUF_C_TYPE_MESSAGE &&
                   field_named(reply, "total")
               ? items
               : NULL;
}

static void put_list(const struct text *text, const ProtobufCFieldDescriptor *items)
{
    struct strbuf *buf = text->buf;
    const ProtobufCMessage *reply = text->reply;
    size_t n = *field_count(reply, items);
    const char *query = wire_get_string(text->request, "query");

    put_heading(buf, text->rpc);
    if (query[0])
        strbuf_printf(buf, " matching \"%s\"", query);
    strbuf_printf(buf, "\nShowing %zu of %lld (offset %lld)\n", n,
                  (long long)wire_get_int(reply, "total"),
                  (long long)wire_get_int(reply, "offset"));
    for (size_t i = 0; i < n; i++)
        put_item(buf, slot_message(field_elem(reply, items, i)));
    if (n == 0) {
        put_blank_line(buf);
        strbuf_str(buf, "Nothing found. Try: fewer filters or other words.");
    }
    if (wire_get_bool(reply, "has_more")) {
        put_blank_line(buf);
        strbuf_printf(buf, "More: call again with offset %lld.",
                      (long long)wire_get_int(reply, "next_offset"));
    }
}

static void put_warnings(struct strbuf *buf, const ProtobufCMessage *reply)
{
    const ProtobufCFieldDescriptor *warnings = field_named(reply, "warnings");

    if (!warnings || !field_repeated(warnings) || warnings->type != PROTOBUF_C_TYPE_STRING)
        return;
    for (size_t i = 0; i < *field_count(reply, warnings); i++) {
        if (i == 0)
            put_blank_line(buf);
        put_new_line(buf);
        strbuf_printf(buf, "Note: %s\n", slot_string(field_elem(reply, warnings, i)));
    }
}

void wire_text(struct strbuf *buf, const struct rpc *rpc, const ProtobufCMessage *request,
               const ProtobufCMessage *reply)
{
    struct strbuf own = STRBUF_INIT;
    struct text text = {.buf = &own, .rpc = rpc, .request = request, .reply = reply};
    const ProtobufCFieldDescriptor *items = items_of(reply);
    const ProtobufCMessage *entity = entity_of(reply);
    int finished = rpc->response->text_field;

    strbuf_reserve(&own, TEXT_USUAL);
    if (finished >= 0 && slot_string(field_slot(reply, &reply->descriptor->fields[finished]))[0]) {
        strbuf_str(&own, slot_string(field_slot(reply, &reply->descriptor->fields[finished])));
    } else if (strncmp(rpc->name, "Export", 6) == 0) {
        wire_to_json(&own, rpc->response, reply);
    } else if (items && !entity) {
        put_list(&text, items);
        put_warnings(&own, reply);
    } else {
        if (!put_sentence(&text, entity))
            put_detail(&text, entity);
        put_warnings(&own, reply);
    }
    trim_end(&own);
    if (!buf->data) {
        *buf = own;
        return;
    }
    strbuf_add(buf, strbuf_cstr(&own), own.len);
    strbuf_done(&own);
}

void wire_error_text(struct strbuf *buf, const struct error *err, const char *tool,
                     const char *request_id)
{
    const char *hint = err->hint[0] ? err->hint : status_hint(err->status);
    bool schema = err->status == ST_INVALID_ARGUMENT && err->n_fields > 0;

    if (err->status == ST_INTERNAL)
        /* Nothing of what went wrong inside. */
        strbuf_printf(buf, "Error: The call failed inside the hub (request %s).\n",
                      request_id ? request_id : "unknown");
    else if (schema && tool)
        strbuf_printf(buf, "Error: Validation failed in %s:\n", tool);
    else if (schema)
        strbuf_str(buf, "Error: Validation failed:\n");
    else
        strbuf_printf(buf, "Error: %s\n",
                      err->message[0] ? err->message : status_name(err->status));
    for (unsigned i = 0; i < err->n_fields; i++) {
        const struct field_error *field = &err->fields[i];

        strbuf_printf(buf, "- %s%s%s\n", field->field, field->field[0] ? ": " : "", field->message);
    }
    strbuf_printf(buf, "Try: %s", hint ? hint : "do what the message says, then call again.");
}
