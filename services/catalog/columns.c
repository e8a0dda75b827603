/* SPDX-License-Identifier: Apache-2.0 */
/* Values of jsonb columns. */
#include "catalog.h"

const char *pairs_json(struct call *call, size_t n, Mal__Pair *const *pairs)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_char(&buf, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_char(&buf, ',');
        json_put_string(&buf, pairs[i]->key);
        strbuf_char(&buf, ':');
        json_put_string(&buf, pairs[i]->value);
    }
    strbuf_char(&buf, '}');
    return take_text(call, &buf);
}

const char *parameters_json(struct call *call, size_t n,
                            Catalog__CommandParameter *const *parameters)
{
    const struct message_rule *rule = wire_rule(&catalog__command_parameter__descriptor);
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_char(&buf, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_char(&buf, ',');
        wire_to_json(&buf, rule, &parameters[i]->base);
    }
    strbuf_char(&buf, ']');
    return take_text(call, &buf);
}
