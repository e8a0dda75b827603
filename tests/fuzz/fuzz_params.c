/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters to messages: one name=value per line. */
#include "fuzz.h"

enum { PARAMS_MAX = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_param params[PARAMS_MAX];
    ProtobufCMessage *message;
    struct error err = {0};
    struct arena arena;
    char *line, *next;
    size_t n = 0;

    arena_init(&arena);
    for (line = arena_memdup(&arena, data, size); line && n < PARAMS_MAX; line = next) {
        char *value = strchr(line, '=');

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!value || (next && value >= next))
            continue;
        *value = '\0';
        params[n++] = (struct wire_param){.name = line, .value = value + 1};
    }
    if (wire_from_params(&arena, EVERYTHING_RULE, params, n, &message, &err) == ST_OK)
        must_hold(&arena, EVERYTHING_RULE, message);
    else
        must_explain(&err);
    arena_done(&arena);
    return 0;
}
