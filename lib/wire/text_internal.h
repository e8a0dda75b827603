/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that write Markdown. */
#pragma once

#include "wire/internal.h"
#include "wire/text.h"

/* A reply as Markdown sees it. */
struct text {
    struct strbuf *buf;
    const struct rpc *rpc;
    const ProtobufCMessage *request, *reply;
};

/* One fact of the line below a name. */
enum fact_how {
    FACT_VALUE,  /* the value */
    FACT_LIST,   /* elements, joined by commas */
    FACT_COUNT,  /* number of elements and a noun */
    FACT_NUMBER, /* number and a noun */
    FACT_FLAG,   /* the words, when true */
    FACT_DAY,    /* day of a timestamp */
    FACT_SPAN,   /* start_date → end_date */
    FACT_LEVEL,  /* level n title */
};

struct fact {
    const char *field;
    enum fact_how how;
    const char *before, *after; /* a noun without its plural s */
};

/* How things are called. */
struct kind {
    const char *type;         /* name of the message */
    const char *heading;      /* "Work item"; NULL: never a detail of its own */
    const char *noun;         /* in sentences: "work item" */
    const struct fact *facts; /* ends with field NULL */
};

/* facts.c; NULL for what has no name of its own. */
const struct kind *kind_of(const ProtobufCMessage *message);
/* "a · b · c"; false when nothing was written. */
bool put_facts(struct strbuf *buf, const ProtobufCMessage *message);
/* Name, title or id; "" when there is none. */
const char *name_of(const ProtobufCMessage *message);

/* markdown.c: pieces. */
void put_blank_line(struct strbuf *buf);
void put_new_line(struct strbuf *buf);
/* Removes white space at the end. */
void trim_end(struct strbuf *buf);
void put_fence(struct strbuf *buf, const char *language, const char *text);
/* Line breaks become spaces. */
void put_one_line(struct strbuf *buf, const char *text);
/* A scalar as text: yes and no, enum names, numbers. */
void put_scalar(struct strbuf *buf, const ProtobufCFieldDescriptor *field,
                const struct field_rule *rule, const void *slot);
const struct field_rule *rule_of(const ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field);
/* A single field has a value worth a line. */
bool field_shown(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* The same where its rule is known. */
bool field_shown_by(const struct field_rule *rule, const ProtobufCMessage *message,
                    const ProtobufCFieldDescriptor *field);
/* The value as text; "" when there is none. Owned by the caller. */
char *scalar_text(const ProtobufCMessage *message, const char *field);
/* Elements, joined by commas. */
void put_joined(struct strbuf *buf, const ProtobufCMessage *message,
                const ProtobufCFieldDescriptor *field);

/* detail.c */
void put_heading(struct strbuf *buf, const struct rpc *rpc);
/* Heading and fields of the reply's entity, then the rest of the reply. */
void put_detail(const struct text *text, const ProtobufCMessage *entity);
/* The single message that the reply is about, NULL when there is none. */
const ProtobufCMessage *entity_of(const ProtobufCMessage *reply);

/* sentence.c: what a write did; true when nothing should follow it. */
bool put_sentence(const struct text *text, const ProtobufCMessage *entity);
