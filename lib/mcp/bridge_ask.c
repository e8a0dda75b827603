/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of servers to callers, and how their answers go back. */
#include "mcp/bridge.h"

#include <string.h>

void bridge_put_retry(struct strbuf *out, const struct json *json, const struct json_node *params,
                      const char *answers, const char *state, size_t state_len)
{
    const struct json_node *key = params != NULL ? json_first(params) : NULL;
    const char *raw;
    size_t len;

    strbuf_printf(out, "{\"inputResponses\":%s", answers);
    if (state != NULL) {
        strbuf_str(out, ",\"requestState\":");
        strbuf_add(out, state, state_len);
    }
    for (uint32_t i = 0; params != NULL && i < params->count;
         i++, key = json_next(json_next(key))) {
        if (json_is(json, key, "inputResponses") || json_is(json, key, "requestState"))
            continue;
        strbuf_char(out, ',');
        raw = json_raw(json, key, &len);
        strbuf_add(out, raw, len);
        strbuf_char(out, ':');
        raw = json_raw(json, json_next(key), &len);
        strbuf_add(out, raw, len);
    }
    strbuf_char(out, '}');
}
