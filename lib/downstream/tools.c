/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a server's tools: which of their arguments are mirrored in
 * headers. */
#include "downstream/internal.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tool_mirrors *)a)->name, ((const struct tool_mirrors *)b)->name);
}

void tools_learn(struct downstream *server, struct listed *tools, size_t n)
{
    struct arena arena = {0};
    struct tool_mirrors *made = arena_alloc(&arena, n * sizeof(*made));
    size_t n_made = 0;

    for (size_t i = 0; i < n; i++) {
        const struct json *json = tools[i].json;
        const char *name = json_text(&arena, json, json_get(json, tools[i].node, "name"));
        const char *why = "";
        struct mirrors mirrors;

        if (name == NULL)
            continue;
        if (!mirror_read(&arena, json, json_get(json, tools[i].node, "inputSchema"), &mirrors,
                         &why)) {
            log_warn("server %s: tool '%.128s' is left out: %s", server->id, name, why);
            tools[i].drop = true;
        } else if (mirrors.n > 0) {
            made[n_made++] = (struct tool_mirrors){.name = name, .mirrors = mirrors};
        }
    }
    qsort(made, n_made, sizeof(*made), by_name);
    (void)pthread_mutex_lock(&server->tools_lock);
    arena_done(&server->tools_arena);
    server->tools_arena = arena;
    server->tools = made;
    server->n_tools = n_made;
    (void)pthread_mutex_unlock(&server->tools_lock);
}

void tools_put_headers(struct downstream *server, struct strbuf *out, const char *tool,
                       const struct json *json, const struct json_node *arguments)
{
    const struct tool_mirrors key = {.name = tool}, *found;

    if (arguments == NULL || arguments->type != JSON_T_OBJECT)
        return;
    (void)pthread_mutex_lock(&server->tools_lock);
    found = server->n_tools > 0
                ? bsearch(&key, server->tools, server->n_tools, sizeof(key), by_name)
                : NULL;
    if (found != NULL)
        mirror_put_headers(out, &found->mirrors, json, arguments);
    (void)pthread_mutex_unlock(&server->tools_lock);
}
