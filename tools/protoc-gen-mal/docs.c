/* SPDX-License-Identifier: Apache-2.0 */
/* The committed documents under api/: tools.json and proto.lock. */
#include "emit.h"
#include "lint.h"
#include "openapi.h"
#include "schema.h"

static json_t *tool_json(const struct method *m)
{
    struct schema_options in = {.side = SCHEMA_INPUT}, out = {.side = SCHEMA_OUTPUT};
    const Mal__Tool *tool = m->tool;
    return json_pack("{s:s, s:s, s:s, s:{s:b, s:b, s:b, s:b}, s:o, s:o, s:s, s:s, s:s*, s:s*}",
                     "name", tool->name, "title", tool->title, "description", m->place.comment,
                     "annotations", "readOnlyHint", tool->read_only, "destructiveHint",
                     tool->destructive, "idempotentHint", tool->idempotent, "openWorldHint",
                     tool->open_world, "inputSchema", schema_message(m->request, in),
                     "outputSchema", schema_message(m->response, out), "package",
                     m->place.file->c_package, "rpc", m->name, "method",
                     m->http ? m->http->method : NULL, "path", m->http ? m->http->path : NULL);
}

/* Takes the reference. */
static void add_json(struct outputs *outputs, struct arena *arena, const char *name, json_t *json)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    char *text = json_dumps(json, JSON_INDENT(2));
    strbuf_printf(&out, "%s\n", text);
    free(text);
    json_decref(json);
    output_add(outputs, arena, name, &out);
}

void emit_docs(struct model *model, const char *version, const char *old_lock,
               struct outputs *outputs)
{
    CLEANUP(strbuf_done) struct strbuf lock = STRBUF_INIT;
    json_t *tools = json_array();
    for (size_t i = 0; i < model->n_methods; i++)
        if (model->methods[i].place.file->generate && model->methods[i].tool)
            json_array_append_new(tools, tool_json(&model->methods[i]));
    add_json(outputs, model->arena, "tools.json", json_pack("{s:o}", "tools", tools));
    add_json(outputs, model->arena, "openapi.json", openapi(model, version));
    lock_write(model, old_lock, &lock);
    output_add(outputs, model->arena, "proto.lock", &lock);
}
