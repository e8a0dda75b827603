/* SPDX-License-Identifier: Apache-2.0 */
/* JSON <-> protobuf by descriptor, with every rule of the tool contract
 * (docs/tools.md, "Requests"). */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "wire/json.h"
#include "wire/rule.h"

/* Allocates protobuf-c messages in an arena; free does nothing. The struct must
 * outlive the call that uses it. */
ProtobufCAllocator wire_allocator(struct arena *arena);

/* Builds the message from a JSON object. All violations are reported together
 * in err->fields (message "Validation failed in <what>:" is set by the caller's
 * status words: "Validation failed."): types (no coercion), unknown keys with a
 * nearest-name suggestion, limits, formats, enums (naming the allowed values).
 * Defaults are filled in; line fields are trimmed of ASCII white space; tags too,
 * and lower-cased (Latin, Greek and Cyrillic letters of two bytes). null for an
 * optional field is absent; in a message with an unset field (updates) null,
 * [] and {} also put the field's name there, and null for a field that is not
 * nullable is a violation. object NULL = {}. An integer may be written as 5.0. On
 * failure *ret_message is NULL. */
enum status wire_from_json(struct arena *arena, const struct message_rule *rule,
                           const struct json *json, const struct json_node *object,
                           ProtobufCMessage **ret_message, struct error *err) MUST_CHECK;

/* name=value pairs of a query string or a path, decoded. */
struct wire_param {
    const char *name, *value;
};
/* The same from parameters: repeated names make arrays, "map.key" makes map
 * entries, text is read by the field's type. */
enum status wire_from_params(struct arena *arena, const struct message_rule *rule,
                             const struct wire_param *params, size_t n_params,
                             ProtobufCMessage **ret_message, struct error *err) MUST_CHECK;

/* Checks a message that came over the bus against the same rules, UTF-8 and NUL
 * included, and fills in defaults of absent fields. */
enum status wire_check(struct arena *arena, const struct message_rule *rule,
                       ProtobufCMessage *message, struct error *err) MUST_CHECK;

/* Appends the message as one JSON object in proto order: fields without value
 * left out; arrays, maps, booleans and numbers always there; internal fields
 * never. */
void wire_to_json(struct strbuf *buf, const struct message_rule *rule,
                  const ProtobufCMessage *message);

/* Packs into arena memory. */
void *wire_pack(struct arena *arena, const ProtobufCMessage *message, size_t *ret_len);
/* Unpacks into the arena; INVALID_ARGUMENT when the bytes are no such message. */
enum status wire_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor,
                        const void *data, size_t len, ProtobufCMessage **ret_message,
                        struct error *err) MUST_CHECK;

/* Reads a field by name: "" / 0 / NULL when there is none. For code that works
 * on any message (audit, confirmation). */
const char *wire_get_string(const ProtobufCMessage *message, const char *field);
bool wire_get_bool(const ProtobufCMessage *message, const char *field);
int64_t wire_get_int(const ProtobufCMessage *message, const char *field);
const ProtobufCMessage *wire_get_message(const ProtobufCMessage *message, const char *field);
/* False when the message has no such scalar bool. */
bool wire_set_bool(ProtobufCMessage *message, const char *field, bool value);
/* Whether the update's unset list names the field. */
bool wire_is_unset(const ProtobufCMessage *message, const char *field);
/* JSON spelling of an enum value, NULL when unknown or unspecified. */
const char *wire_enum_name(const struct enum_rule *rule, int value);
