/* SPDX-License-Identifier: Apache-2.0 */
/* The named formats of (mal.v1.rule).format: one row each. */
#pragma once

#include <stddef.h>

struct format {
    const char *name;        /* as in the rule */
    const char *constant;    /* enum rule_format in lib/wire/rule.h */
    const char *pattern;     /* for schemas, NULL when none */
    const char *json_schema; /* JSON Schema's own format, NULL when none */
    unsigned min_len, max_len;
};

/* NULL when there is no such format. */
const struct format *format_find(const char *name);
/* "slug, semver, …" for error messages. */
const char *format_names(void);
