/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of servers to callers, and how their answers go back. */
#include "mcp/bridge.h"

#include "mcp/bridge_put.h"

#include <string.h>

#define ELICITATION "elicitation/create"
#define SAMPLING "sampling/createMessage"
#define ROOTS "roots/list"

/* Keys of a question that say something about one hop only. Of _meta both sides know what is
 * in it when neither is modern: a token for progress, the server's own. */
static const char *const hop_words[] = {"elicitationId", "task", "_meta", NULL};
static const char *const older_hop_words[] = {"elicitationId", "task", NULL};

static const char *const *hop_words_of(const struct bridge *bridge)
{
    bool modern = bridge_modern_server(bridge) || bridge_modern_caller(bridge);

    return modern ? hop_words : older_hop_words;
}

static bool is_url(const struct json *json, const struct json_node *params)
{
    return json_is(json, json_get(json, params, "mode"), "url");
}

/* Tasks of 2025-11-25: of questions that the caller answers later. */
static bool is_task(const char *method)
{
    return strcmp(method, "tasks/get") == 0 || strcmp(method, "tasks/result") == 0 ||
           strcmp(method, "tasks/list") == 0 || strcmp(method, "tasks/cancel") == 0;
}

static bool is_question(const char *method)
{
    return strcmp(method, ELICITATION) == 0 || strcmp(method, SAMPLING) == 0 ||
           strcmp(method, ROOTS) == 0;
}

/* Of a task that the caller made of a question: as far as it declared that. */
static bool may_look(const struct json *caps_json, const struct json_node *capabilities,
                     const char *method)
{
    const struct json_node *tasks = json_get(caps_json, capabilities, "tasks");

    if (strcmp(method, "tasks/list") == 0 || strcmp(method, "tasks/cancel") == 0)
        return json_get(caps_json, tasks, method + 6) != NULL;
    return is_object(tasks);
}

bool bridge_may_ask(const struct json *caps_json, const struct json_node *capabilities,
                    const char *method, const struct json *json, const struct json_node *params)
{
    const struct json_node *sampling = json_get(caps_json, capabilities, "sampling");
    const struct json_node *elicitation = json_get(caps_json, capabilities, "elicitation");
    bool tools = json_get(json, params, "tools") != NULL || json_get(json, params, "toolChoice");

    if (strcmp(method, ROOTS) == 0)
        return json_get(caps_json, capabilities, "roots") != NULL;
    if (strcmp(method, SAMPLING) == 0)
        return sampling != NULL && (!tools || json_get(caps_json, sampling, "tools") != NULL);
    if (is_task(method))
        return may_look(caps_json, capabilities, method);
    if (strcmp(method, ELICITATION) != 0 || !is_object(elicitation))
        return false;
    if (is_url(json, params))
        return json_get(caps_json, elicitation, "url") != NULL;
    return elicitation->count == 0 || json_get(caps_json, elicitation, "form") != NULL;
}

/* ---- from legacy servers to modern callers ------------------------------------------ */

static void put_request(struct strbuf *out, const char *method, const struct json *json,
                        const struct json_node *params)
{
    strbuf_str(out, "{\"method\":");
    json_put_string(out, method);
    strbuf_str(out, ",\"params\":");
    put_without(out, json, params, hop_words);
    strbuf_char(out, '}');
}

bool bridge_put_input_request(struct strbuf *out, const char *key, const char *method,
                              const struct json *json, const struct json_node *params)
{
    if (!is_question(method))
        return false;
    put_comma(out);
    json_put_string(out, key);
    strbuf_char(out, ':');
    put_request(out, method, json, params);
    return true;
}

unsigned bridge_put_url_requests(struct strbuf *out, const struct json *json,
                                 const struct json_node *error)
{
    unsigned n = 0;

    FOR_ITEMS(item, json_path(json, error, "data", "elicitations", NULL))
    {
        char key[24];

        if (!is_object(item))
            continue;
        (void)snprintf(key, sizeof(key), "url-%u", n++);
        put_key(out, key);
        put_request(out, ELICITATION, json, item);
    }
    return n;
}

/* ---- to legacy callers ------------------------------------------------------------------ */

/* One field of a form as 2025-06-18 knows it: no defaults but of booleans, titles
 * of choices beside them. */
static void put_old_field(struct strbuf *out, const struct json *json,
                          const struct json_node *field)
{
    const struct json_node *choices = json_get(json, field, "oneOf");
    bool boolean = json_is(json, json_get(json, field, "type"), "boolean");

    strbuf_char(out, '{');
    FOR_MEMBERS(key, field)
    if (!json_is(json, key, "oneOf") && (boolean || !json_is(json, key, "default")))
        put_member(out, json, key);
    if (is_array(choices)) {
        put_key(out, "enum");
        strbuf_char(out, '[');
        FOR_ITEMS(choice, choices)
        {
            const struct json_node *value = json_get(json, choice, "const");

            put_comma(out);
            if (value != NULL)
                json_put_node(out, json, value);
            else
                strbuf_str(out, "\"\"");
        }
        strbuf_str(out, "],\"enumNames\":[");
        FOR_ITEMS(choice, choices)
        {
            const struct json_node *title = json_get(json, choice, "title");

            title = title != NULL ? title : json_get(json, choice, "const");
            put_comma(out);
            if (title != NULL)
                json_put_node(out, json, title);
            else
                strbuf_str(out, "\"\"");
        }
        strbuf_char(out, ']');
    }
    strbuf_char(out, '}');
}

static void put_old_form(struct strbuf *out, const struct json *json,
                         const struct json_node *schema)
{
    strbuf_char(out, '{');
    FOR_MEMBERS(key, schema)
    {
        if (!json_is(json, key, "properties")) {
            put_member(out, json, key);
            continue;
        }
        put_key(out, "properties");
        strbuf_char(out, '{');
        FOR_MEMBERS(name, json_next(key))
        {
            put_comma(out);
            json_put_node(out, json, name);
            strbuf_char(out, ':');
            put_old_field(out, json, json_next(name));
        }
        strbuf_char(out, '}');
    }
    strbuf_char(out, '}');
}

/* Lists of several choices are unknown before 2025-11-25. */
static bool old_can_fill(const struct json *json, const struct json_node *schema)
{
    FOR_MEMBERS(key, json_get(json, schema, "properties"))
    if (json_is(json, json_get(json, json_next(key), "type"), "array"))
        return false;
    return true;
}

static bool put_elicitation(struct strbuf *out, const struct bridge *bridge,
                            const struct json *json, const struct json_node *params,
                            const char *elicitation_id)
{
    const struct json_node *schema = json_get(json, params, "requestedSchema");
    bool old = bridge->caller == MCP_2025_06_18;

    if (bridge->caller < MCP_2025_06_18 || (old && is_url(json, params)) ||
        (old && !old_can_fill(json, schema)))
        return false;
    strbuf_str(out, "\"method\":\"" ELICITATION "\",\"params\":{");
    FOR_MEMBERS(key, params)
    {
        if (key_in(json, key, hop_words_of(bridge)) || (old && json_is(json, key, "mode")))
            continue;
        if (old && json_is(json, key, "requestedSchema")) {
            put_key(out, "requestedSchema");
            put_old_form(out, json, schema);
        } else {
            put_member(out, json, key);
        }
    }
    if (is_url(json, params)) {
        put_key(out, "elicitationId");
        json_put_string(out, elicitation_id);
    }
    strbuf_char(out, '}');
    return true;
}

/* Before 2025-11-25 a message has one block and nobody knows tools. */
static bool old_can_sample(const struct json *json, const struct json_node *params)
{
    if (json_get(json, params, "tools") != NULL || json_get(json, params, "toolChoice") != NULL)
        return false;
    FOR_ITEMS(message, json_get(json, params, "messages"))
    if (is_array(json_get(json, message, "content")))
        return false;
    return true;
}

static bool put_sampling(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                         const struct json_node *params)
{
    if (bridge->caller < MCP_2025_11_25 && !old_can_sample(json, params))
        return false;
    strbuf_str(out, "\"method\":\"" SAMPLING "\",\"params\":");
    put_without(out, json, params, hop_words_of(bridge));
    return true;
}

bool bridge_put_question(struct strbuf *out, const struct bridge *bridge, const struct json *json,
                         const struct json_node *entry, const char *elicitation_id)
{
    const struct json_node *method = json_get(json, entry, "method");
    const struct json_node *params = json_get(json, entry, "params");

    if (json_is(json, method, ELICITATION))
        return put_elicitation(out, bridge, json, params, elicitation_id);
    if (json_is(json, method, SAMPLING))
        return put_sampling(out, bridge, json, params);
    if (!json_is(json, method, ROOTS))
        return false;
    strbuf_str(out, "\"method\":\"" ROOTS "\",\"params\":{");
    FOR_MEMBERS(key, params)
    if (json_is(json, key, "_meta") && !key_in(json, key, hop_words_of(bridge)))
        put_member(out, json, key);
    strbuf_char(out, '}');
    return true;
}

void bridge_put_retry(struct strbuf *out, const struct json *json, const struct json_node *params,
                      const char *answers, const char *state, size_t state_len)
{
    strbuf_char(out, '{');
    if (answers != NULL) {
        put_key(out, "inputResponses");
        strbuf_str(out, answers);
    }
    if (state != NULL) {
        put_key(out, "requestState");
        strbuf_add(out, state, state_len);
    }
    FOR_MEMBERS(key, params)
    if (!key_in(json, key, WORDS("inputResponses", "requestState")))
        put_member(out, json, key);
    strbuf_char(out, '}');
}
