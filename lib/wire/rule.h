/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of messages as the generator writes them (proto/mal/v1/tool.proto),
 * one table per message, and rpcs, the rows of the tool table. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule_flag {
    RULE_REQUIRED = 1 << 0,
    RULE_HAS_MIN = 1 << 1,
    RULE_HAS_MAX = 1 << 2,
    RULE_NULLABLE = 1 << 3,
    RULE_JSON = 1 << 4,
    RULE_MAP = 1 << 5,
    RULE_SECRET = 1 << 6,
    RULE_INTERNAL = 1 << 7,
    RULE_LINE = 1 << 8,
    RULE_TAGS = 1 << 9,
    RULE_UNIQUE = 1 << 10,
    RULE_SCALARS = 1 << 11,
    RULE_ANY = 1 << 12,
    RULE_PRESENCE = 1 << 13, /* member of a one-member oneof: may be absent */
};

enum rule_format {
    FORMAT_NONE,
    FORMAT_SLUG,       /* [a-z0-9]+(-[a-z0-9]+)*, 1-64 */
    FORMAT_SEMVER,     /* three numbers joined by dots */
    FORMAT_DATE,       /* YYYY-MM-DD */
    FORMAT_TIMESTAMP,  /* RFC 3339 */
    FORMAT_URL,        /* absolute http or https, <= 2000 bytes */
    FORMAT_EMAIL,      /* address <= 254 */
    FORMAT_ITEM_ID,    /* [A-Za-z0-9][A-Za-z0-9-]{0,63} */
    FORMAT_ASSET_PATH, /* [A-Za-z0-9][A-Za-z0-9/_.-]*, no "..", <= 200 */
};

struct message_rule;

/* JSON spellings of an enum's values, in the order of the descriptor's values
 * array; NULL for the _UNSPECIFIED one. */
struct enum_rule {
    const ProtobufCEnumDescriptor *descriptor;
    const char *const *names;
};

struct field_rule {
    const char *name;
    const char *description;
    uint32_t flags; /* enum rule_flag */
    enum rule_format format;
    double min, max;
    uint32_t min_len, max_len, max_bytes; /* max_ 0 = no limit of its own */
    uint32_t min_items, max_items;
    const char *pattern, *key_pattern;   /* NULL when none */
    const char *fallback;                /* default as JSON text, NULL when none */
    const struct message_rule *message;  /* of a message field */
    const struct enum_rule *enumeration; /* of an enum field */
};

struct message_rule {
    const ProtobufCMessageDescriptor *descriptor;
    const struct field_rule *fields; /* index = index in descriptor->fields */
    int unset_field;                 /* index of the internal "unset", -1 when none */
    int text_field;                  /* index of the internal "text", -1 when none */
};

/* One rpc. It is a tool when tool_name is not NULL, has a route when method is
 * not NULL, and else lives on the bus only. */
struct rpc {
    const char *package; /* "catalog" */
    const char *name;    /* "GetSkill" */
    const char *subject; /* "mal.catalog.v1.get_skill" */
    const char *tool_name, *title, *description;
    bool read_only, destructive, idempotent, open_world;
    bool gateway; /* carried out by the gateway: no endpoint answers the subject */
    const char *method, *path, *scope;
    bool trusted;
    const char *input_schema, *output_schema; /* JSON text; NULL for bus-only rpcs */
    const struct message_rule *request, *response;
};

/* The rules of a message type by its descriptor, of every .api.c that is linked
 * (they register themselves before main); NULL when there are none. */
const struct message_rule *wire_rule(const ProtobufCMessageDescriptor *descriptor);
/* Called by generated code. rules is static and borrowed for ever. */
void wire_register_rules(const struct message_rule *const *rules, size_t n);
