/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schemas (2020-12) of messages. */
#pragma once

#include "model.h"

#include <jansson.h>

/* What a caller may send, or what an answer holds. */
enum schema_side { SCHEMA_INPUT, SCHEMA_OUTPUT };

struct schema_options {
    enum schema_side side;
    bool refs; /* nested messages as $ref into an OpenAPI document's components */
};

/* Both return a new reference. */
json_t *schema_message(const struct message *message, struct schema_options options);
json_t *schema_field(const struct field *field, struct schema_options options);

/* Name of a message among the components; owned by the arena. */
const char *schema_component(struct arena *arena, const struct message *message,
                             enum schema_side side);
/* Compact JSON text; takes the reference. */
const char *schema_text(struct arena *arena, json_t *schema);
