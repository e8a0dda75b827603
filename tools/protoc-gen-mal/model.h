/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator knows of the .proto files: a plain model, read once from
 * protoc's descriptors, that lint and the emitters walk. Everything lives in
 * one arena until the process ends. */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"
#include "mal/v1/tool.pb-c.h"

#include <google/protobuf/compiler/plugin.pb-c.h>
#include <stdbool.h>

enum field_type {
    TYPE_STRING,
    TYPE_BOOL,
    TYPE_INT32,
    TYPE_UINT32,
    TYPE_DOUBLE,
    TYPE_BYTES,
    TYPE_ENUM,
    TYPE_MESSAGE,
    TYPE_OTHER
};

struct file {
    const char *name;      /* mal/catalog/v1/catalog.proto */
    const char *package;   /* mal.catalog.v1, "" when none */
    const char *c_package; /* catalog: the package in C */
    bool generate;         /* named on protoc's command line */
    const Google__Protobuf__FileDescriptorProto *proto;
};

/* Where something was declared, for "file:line". */
struct place {
    const struct file *file;
    int line;
    const char *comment; /* NULL when none */
};

struct field {
    struct place place;
    const char *name;
    int number;
    enum field_type type;
    const char *type_name; /* as written in the proto, for messages to people */
    bool repeated;
    bool presence; /* member of a one-member oneof */
    bool proto3_optional;
    const char *oneof;     /* name of the oneof it is in, NULL when none */
    const Mal__Rule *rule; /* never NULL */
    const struct message *message;
    const struct enumeration *enumeration;
};

struct message {
    struct place place;
    const char *name, *full_name;
    const char *c_type, *c_lower; /* Catalog__Skill, catalog__skill */
    struct field *fields;         /* by number, as in protobuf-c's descriptor */
    size_t n_fields;
    const Google__Protobuf__DescriptorProto *proto;
};

struct enum_value {
    struct place place;
    const char *name;
    const char *json; /* NULL for the _UNSPECIFIED one */
    int number;
};

struct enumeration {
    struct place place;
    const char *name, *full_name;
    const char *c_lower;
    struct enum_value *values; /* by number */
    size_t n_values;
};

struct method {
    struct place place;
    const char *name, *snake; /* GetSkill, get_skill */
    const char *subject;
    const Mal__Tool *tool; /* NULL when it is no tool */
    const Mal__Http *http; /* NULL when it has no route */
    const struct message *request, *response;
    bool streaming;
};

struct model {
    struct arena *arena;
    struct file *files;
    size_t n_files;
    struct message *messages;
    size_t n_messages;
    struct enumeration *enums;
    size_t n_enums;
    struct method *methods; /* of all services of all files, in proto order */
    size_t n_methods;
    struct strbuf errors; /* lines, each "\nfile:line: what; mend" */
    size_t n_errors;
};

void model_read(struct model *model, struct arena *arena,
                const Google__Protobuf__Compiler__CodeGeneratorRequest *request);

/* Notes a mistake of the .proto files. */
void model_error(struct model *model, const struct place *place, const char *fmt, ...) PRINTF(3, 4);

const struct field *message_field(const struct message *message, const char *name);
/* mal.v1.Format, the choice between markdown and json, has no use over REST. */
bool field_is_format(const struct field *field);

/* protobuf-c's own mangling: GetSkill -> GET_SKILL; runs of capitals do not split. */
const char *name_upper(struct arena *arena, const char *camel);
/* GetSkill -> get_skill */
const char *name_lower(struct arena *arena, const char *camel);
/* mcp_health -> McpHealth */
const char *name_camel(struct arena *arena, const char *snake);
