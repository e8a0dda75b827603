/* SPDX-License-Identifier: Apache-2.0 */
/* sqlgen's reader: whatever the text, it ends, stays within it, and what it
 * accepts has names, statements and numbered parameters. */
// NOLINTNEXTLINE(bugprone-suspicious-include): a host tool is no library
#include "../../tools/sqlgen/sql.c"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena arena;
    arena_init(&arena);
    struct sql_file file = {.path = "x.sql", .noun = "x", .arena = &arena};
    sql_parse(&file, arena_memdup(&arena, data, size));
    must(file.errors.len > 0 || file.n > 0);
    for (size_t i = 0; file.errors.len == 0 && i < file.n; i++) {
        const struct sql_query *query = &file.queries[i];
        must(is_name(query->name) && *query->sql && strlen(query->sql) <= size);
        must(query->params >= 0 && query->params <= SQL_PARAMS_MAX);
        must(query->params == sql_params(query->sql));
    }
    strbuf_done(&file.errors);
    return 0;
}
