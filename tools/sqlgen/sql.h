/* SPDX-License-Identifier: Apache-2.0 */
/* Annotated SQL files as sqlgen reads them. */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/* -- name: skill_get :one catalog.v1.Skill */
struct sql_query {
    const char *name;
    const char *message; /* NULL when not said */
    const char *sql;     /* without the annotation and the final semicolon */
    bool replan;
    int params;
    int line;
};

struct sql_file {
    const char *path;
    const char *noun; /* of services/catalog/skill.sql: skill */
    struct arena *arena;
    struct sql_query *queries;
    size_t n, size;
    struct strbuf errors; /* "path:line: what; mend\n" */
};

/* Reads queries out of text; mistakes are in errors. */
void sql_parse(struct sql_file *file, const char *text);

enum { SQL_PARAMS_MAX = 64 };

/* Highest $n of the statement, with every number below it used; -n when $n is
 * missing below the highest, less than -SQL_PARAMS_MAX when one is too high or
 * is $0. Strings, quoted names and comments do not count. */
int sql_params(const char *sql);
