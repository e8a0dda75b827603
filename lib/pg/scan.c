/* SPDX-License-Identifier: Apache-2.0 */
/* Rows into messages: which column goes into which field is found by name once
 * per statement and connection. */
#include "pg/internal.h"

/* Of pg_type; fixed since ever. */
enum { OID_JSON = 114, OID_TIMESTAMP = 1114, OID_TIMESTAMPTZ = 1184, OID_JSONB = 3802 };

static enum column_kind kind_of(const struct column *column, Oid type)
{
    const ProtobufCFieldDescriptor *field = column->field;
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;

    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (repeated && column->rule && column->rule->flags & RULE_MAP)
            return COLUMN_MAP;
        return repeated ? COLUMN_MESSAGES : COLUMN_MESSAGE;
    }
    if (repeated)
        return type == OID_JSON || type == OID_JSONB ? COLUMN_JSON_ARRAY : COLUMN_ARRAY;
    return COLUMN_SCALAR;
}

static const struct field_rule *rule_of(const ProtobufCMessageDescriptor *descriptor,
                                        const ProtobufCFieldDescriptor *field)
{
    const struct message_rule *rule = wire_rule(descriptor);

    return rule ? &rule->fields[field - descriptor->fields] : NULL;
}

/* Why the column cannot be read into its field, NULL when it can. */
static const char *refusal(const struct column *column)
{
    if (!column->field)
        return "names no field";
    if (column->field->type == PROTOBUF_C_TYPE_ENUM &&
        (!column->rule || !column->rule->enumeration))
        return "is an enum without rule";
    if (column->field->type == PROTOBUF_C_TYPE_MESSAGE && column->kind != COLUMN_MAP &&
        (!column->rule || !column->rule->message))
        return "is a message without rule";
    return NULL;
}

enum status scan_prepare(struct call *call, struct statement *statement, const PGresult *result,
                         const ProtobufCMessageDescriptor *descriptor)
{
    int n = PQnfields(result);
    struct column *columns;

    if (statement->descriptor == descriptor && statement->n_columns == n)
        return ST_OK;
    columns = calloc((size_t)n + 1, sizeof(*columns));
    if (!columns)
        abort();
    free(statement->columns);
    statement->columns = columns;
    statement->descriptor = NULL;
    for (int i = 0; i < n; i++) {
        struct column *column = &columns[i];
        Oid type = PQftype(result, i);
        const char *why;

        column->field =
            protobuf_c_message_descriptor_get_field_by_name(descriptor, PQfname(result, i));
        if (column->field) {
            column->rule = rule_of(descriptor, column->field);
            column->kind = kind_of(column, type);
            column->timestamp = type == OID_TIMESTAMPTZ || type == OID_TIMESTAMP;
        }
        why = refusal(column);
        if (why)
            return fail_internal(call, statement->query->name, "column '%s' %s of %s",
                                 PQfname(result, i), why, descriptor->name);
    }
    statement->n_columns = n;
    statement->descriptor = descriptor;
    return ST_OK;
}

enum status scan_row(struct call *call, const struct statement *statement, const PGresult *result,
                     int row, ProtobufCMessage *message)
{
    for (int i = 0; i < statement->n_columns; i++) {
        const struct column *column = &statement->columns[i];

        if (PQgetisnull(result, row, i))
            continue;
        if (scan_value(call, column, PQgetvalue(result, row, i), message) != ST_OK)
            return fail_internal(call, statement->query->name, "column '%s' does not fit its field",
                                 column->field->name);
    }
    return ST_OK;
}
