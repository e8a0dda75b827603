/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets about messages share. */
#pragma once

#include "wire/codec.h"
#include "wire/text.h"
#include "wire_test.h"

#include "base/utf8.h"

#include <stdlib.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool held)
{
    if (!held)
        abort();
}

/* What was emptied is not in the JSON of a message. */
static inline void forget_unset(ProtobufCMessage *message)
{
    if (message->descriptor == &test__alter__descriptor)
        ((Test__Alter *)message)->n_unset = 0;
}

/* A message that was accepted: the other side of the bus accepts it too, and
 * its JSON reads back as the same message. */
static inline void must_hold(struct arena *arena, const struct message_rule *rule,
                             const ProtobufCMessage *message)
{
    struct strbuf buf = STRBUF_INIT;
    struct error err = {0};
    struct json json;
    ProtobufCMessage *other;
    size_t len, other_len;
    void *packed = wire_pack(arena, message, &len), *other_packed;

    must(wire_unpack(arena, rule->descriptor, packed, len, &other, &err) == ST_OK);
    must(wire_check(arena, rule, other, &err) == ST_OK);
    other_packed = wire_pack(arena, other, &other_len);
    must(len == other_len && memcmp(packed, other_packed, len) == 0);

    wire_to_json(&buf, rule, message);
    must(json_parse(arena, buf.data, buf.len, NULL, &json, &err) == ST_OK);
    /* An absent list is written as an empty one, which has too few entries. */
    if (rule == EVERYTHING_RULE && ((const Test__Everything *)message)->n_ids == 0) {
        strbuf_done(&buf);
        return;
    }
    must(wire_from_json(arena, rule, &json, json.nodes, &other, &err) == ST_OK);
    forget_unset(other);
    other_packed = wire_pack(arena, other, &other_len);
    must(len == other_len && memcmp(packed, other_packed, len) == 0);
    strbuf_done(&buf);
}

/* A refusal says why. */
static inline void must_explain(const struct error *err)
{
    must(err->status == ST_INVALID_ARGUMENT && err->message[0]);
    for (unsigned i = 0; i < err->n_fields; i++)
        must(utf8_valid(err->fields[i].message, strlen(err->fields[i].message)) &&
             !strchr(err->fields[i].field, '\n'));
}
