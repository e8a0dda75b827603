/* SPDX-License-Identifier: Apache-2.0 */
/* Settings come from the environment only. A module declares a table; a process
 * concatenates the tables of what it links; docs/config.md is made from them. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type { SETTING_STRING, SETTING_INT, SETTING_BOOL };

struct setting {
    const char *env; /* MAL_… */
    enum setting_type type;
    const char *fallback; /* default as text */
    const char *help;     /* one sentence; unit included */
    void *target;         /* const char **, int64_t * or bool * */
    int64_t min, max;     /* SETTING_INT; both 0 = any */
    bool secret;          /* never printed */
};

/* Sets every target from the environment or its default. All mistakes are
 * reported together, one line each, in err: unknown MAL_* variables (but for
 * those in also_known, NULL-terminated, may be NULL), numbers that are none or
 * out of range. String values are borrowed from the environment. */
enum status settings_load(const struct setting *const *tables, const char *const *also_known,
                          struct error *err) MUST_CHECK;
/* "MAL_X=value" per line, secrets as ***; for --print-config. */
void settings_print(const struct setting *const *tables, struct strbuf *out);
/* One Markdown table row per setting, for docs/config.md. */
void settings_markdown(const struct setting *const *tables, struct strbuf *out);
