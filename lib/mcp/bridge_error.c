/* SPDX-License-Identifier: Apache-2.0 */
/* Errors for callers of another revision: a table from the server's era, the
 * caller's era and the code to what is told. The first row that fits counts. */
#include "mcp/bridge.h"

#include "mcp/bridge_put.h"

#include <string.h>

enum { URL_REQUIRED = -32042, IMPLEMENTATION_FIRST = -32019, IMPLEMENTATION_LAST = -32000 };

enum side { ANY, LEGACY, MODERN };

/* On which methods a row is about. */
enum about { EVERY, LISTS, READS_WITH_URI, CALLS, ASKABLE };

enum action {
    AS_IS,           /* code, message and data as they are */
    OWN_FAULT,       /* -32603: it would describe our hop */
    NEUTRAL,         /* -32603: a code without a meaning that others share */
    NOT_FOUND,       /* the code that says so in the caller's era, data kept */
    NO_METHOD,       /* -32601, HTTP 404 */
    NO_FEATURE,      /* an empty list */
    CAPABILITY,      /* -32021, HTTP 400 */
    CAPABILITY_TEXT, /* the same as words */
    ASK_URL,         /* URLs that the caller is asked to open */
    TELL_URL,        /* the same as words */
};

static const struct {
    enum side server, caller;
    int first, last; /* codes */
    enum about about;
    enum action action;
} rows[] = {
    {ANY, ANY, MCP_METHOD_NOT_FOUND, MCP_METHOD_NOT_FOUND, LISTS, NO_FEATURE},
    {ANY, ANY, MCP_METHOD_NOT_FOUND, MCP_METHOD_NOT_FOUND, EVERY, NO_METHOD},
    {LEGACY, ANY, MCP_RESOURCE_NOT_FOUND, MCP_RESOURCE_NOT_FOUND, EVERY, NOT_FOUND},
    {ANY, LEGACY, MCP_INVALID_PARAMS, MCP_INVALID_PARAMS, READS_WITH_URI, NOT_FOUND},
    {LEGACY, MODERN, URL_REQUIRED, URL_REQUIRED, ASKABLE, ASK_URL},
    {LEGACY, ANY, URL_REQUIRED, URL_REQUIRED, EVERY, TELL_URL},
    {MODERN, MODERN, MCP_MISSING_CAPABILITY, MCP_MISSING_CAPABILITY, EVERY, CAPABILITY},
    {MODERN, LEGACY, MCP_MISSING_CAPABILITY, MCP_MISSING_CAPABILITY, EVERY, CAPABILITY_TEXT},
    {MODERN, ANY, MCP_HEADER_MISMATCH, MCP_HEADER_MISMATCH, EVERY, OWN_FAULT},
    {MODERN, ANY, MCP_UNSUPPORTED_VERSION, MCP_UNSUPPORTED_VERSION, EVERY, OWN_FAULT},
    {ANY, MODERN, IMPLEMENTATION_FIRST, IMPLEMENTATION_LAST, EVERY, NEUTRAL},
    /* Reserved for the specification, of which a legacy server knows nothing. */
    {LEGACY, MODERN, MCP_UNSUPPORTED_VERSION, MCP_HEADER_MISMATCH, EVERY, NEUTRAL},
    {ANY, ANY, INT32_MIN, INT32_MAX, EVERY, AS_IS},
};

static bool is_side(enum side side, bool modern)
{
    return side == ANY || (side == MODERN) == modern;
}

static bool is_about(enum about about, const char *method, const struct json *json,
                     const struct json_node *error)
{
    size_t len = strlen(method);

    switch (about) {
    case EVERY:
        return true;
    case LISTS:
        return len > 5 && strcmp(method + len - 5, "/list") == 0;
    case READS_WITH_URI:
        return strcmp(method, "resources/read") == 0 &&
               json_path(json, error, "data", "uri", NULL) != NULL;
    case CALLS:
        return strcmp(method, "tools/call") == 0;
    case ASKABLE:
        return strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0 ||
               strcmp(method, "resources/read") == 0;
    }
    return false;
}

static enum action find(const struct bridge *bridge, const char *method, int code,
                        const struct json *json, const struct json_node *error, bool takes_urls)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!is_side(rows[i].server, bridge_modern_server(bridge)) ||
            !is_side(rows[i].caller, bridge_modern_caller(bridge)) || code < rows[i].first ||
            code > rows[i].last || !is_about(rows[i].about, method, json, error))
            continue;
        if (rows[i].action == ASK_URL && !takes_urls)
            continue;
        return rows[i].action;
    }
    return AS_IS;
}

static struct bridge_error as_code(int code, const char *message, const char *data)
{
    return (struct bridge_error){
        .kind = BRIDGE_ERROR, .code = code, .http_status = 200, .message = message, .data = data};
}

/* In words: as the result of a call, or as an internal error. */
static struct bridge_error as_words(const char *method, const char *message)
{
    struct bridge_error told = as_code(MCP_INTERNAL_ERROR, message, NULL);

    if (is_about(CALLS, method, NULL, NULL))
        told.kind = BRIDGE_EXECUTION;
    return told;
}

/* "elicitation, sampling" of data.requiredCapabilities. */
static const char *capability_names(struct arena *arena, const struct json *json,
                                    const struct json_node *error)
{
    const char *names = "";

    FOR_MEMBERS(key, json_path(json, error, "data", "requiredCapabilities", NULL))
    names = arena_printf(arena, "%s%s%s", names, *names ? ", " : "", json_text(arena, json, key));
    return *names ? names : "one that it does not name";
}

static const char *urls(struct arena *arena, const struct json *json, const struct json_node *error)
{
    const char *text = "";

    FOR_ITEMS(item, json_path(json, error, "data", "elicitations", NULL))
    {
        const char *url = json_text(arena, json, json_get(json, item, "url"));
        const char *why = json_text(arena, json, json_get(json, item, "message"));

        if (url != NULL)
            text = arena_printf(arena, "%s\n%s: %s", text, why != NULL ? why : "Open", url);
    }
    return text;
}

static const char *raw(struct arena *arena, const struct json *json, const struct json_node *node)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    if (node == NULL)
        return NULL;
    json_put_node(&text, json, node);
    return arena_strdup(arena, text.data);
}

struct bridge_error bridge_error(struct arena *arena, const struct bridge *bridge,
                                 const char *method, const struct json *json,
                                 const struct json_node *error, bool caller_takes_urls)
{
    const char *message = json_text(arena, json, json_get(json, error, "message"));
    const char *data = raw(arena, json, json_get(json, error, "data"));
    struct bridge_error told;
    int64_t code = MCP_INTERNAL_ERROR;

    (void)json_int(json, json_get(json, error, "code"), &code);
    if (code < INT32_MIN || code > INT32_MAX)
        code = MCP_INTERNAL_ERROR;
    message = message != NULL ? message : "the server gave no reason";
    told = as_code((int)code, message, data);
    switch (find(bridge, method, (int)code, json, error, caller_takes_urls)) {
    case OWN_FAULT:
        return as_code(MCP_INTERNAL_ERROR, "the hub and the server did not understand each other",
                       NULL);
    case NEUTRAL:
        return as_code(MCP_INTERNAL_ERROR, message, NULL);
    case NOT_FOUND:
        told.code = bridge_modern_caller(bridge) ? MCP_INVALID_PARAMS : MCP_RESOURCE_NOT_FOUND;
        break;
    case NO_METHOD:
        told.http_status = 404;
        break;
    case NO_FEATURE:
        told.kind = BRIDGE_EMPTY_LIST;
        break;
    case CAPABILITY:
        told.http_status = 400;
        break;
    case CAPABILITY_TEXT:
        return as_words(method, arena_printf(arena,
                                             "This needs a capability that the client does not "
                                             "have: %s.",
                                             capability_names(arena, json, error)));
    case ASK_URL:
        told.kind = BRIDGE_ASK_URL;
        break;
    case TELL_URL:
        /* Between two of 2025-11-25 the error itself says it best. */
        if (bridge->caller == MCP_2025_11_25)
            break;
        return as_words(method, arena_printf(arena, "%s%s", message, urls(arena, json, error)));
    case AS_IS:
        break;
    }
    return told;
}
