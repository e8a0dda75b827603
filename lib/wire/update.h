/* SPDX-License-Identifier: Apache-2.0 */
/* Updates of any entity: what the request names is compared with the stored
 * entity and taken over field by field. */
#pragma once

#include "wire/call.h"

struct names {
    size_t n;
    const char **items;
};
void names_add(struct call *call, struct names *names, const char *name);
void names_add_once(struct call *call, struct names *names, const char *name);
bool names_have(const struct names *names, const char *name);
void names_remove(struct names *names, const char *name);

/* Whether name is one of the update's fields that were given, null included. */
bool update_names(const ProtobufCMessage *update, const char *name);
/* INVALID_ARGUMENT when the update gives nothing to change. */
enum status update_check(struct call *call, const ProtobufCMessage *update) MUST_CHECK;
/* Takes the update's fields over into the entity's fields of the same name and
 * tells which of them now differ. Values are borrowed from the update. JSON is
 * compared as text: pg_keep_json first. */
void update_merge(struct call *call, ProtobufCMessage *entity, const ProtobufCMessage *update,
                  struct names *ret_changed);
