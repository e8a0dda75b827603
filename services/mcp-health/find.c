/* SPDX-License-Identifier: Apache-2.0 */
/* Finding tools by words: of servers, of virtual servers, of the hub itself. */
#include "health.h"

#include "find.sql.h"
#include "packages.h"

enum status own_tools_store(struct call *call)
{
    CLEANUP(tx_done) struct tx tx = {0};
    const char **columns[3];
    const struct rpc *rpc;
    size_t n = 0, max = 0;

    while (packages_tool_at(max))
        max++;
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        columns[i] = arena_alloc(call->arena, (max + 1) * sizeof(char *));
    while ((rpc = packages_tool_at(n)) != NULL) {
        columns[0][n] = rpc->tool_name;
        columns[1][n] = rpc->title;
        columns[2][n++] = rpc->description;
    }
    TRY(tx_begin(&tx, call));
    TRY(pg_exec(call, sql_find_own_drop, NULL, "a", n, columns[0]));
    TRY(pg_exec(call, sql_find_own_put, NULL, "aaa", n, columns[0], n, columns[1], n, columns[2]));
    return tx_commit(&tx);
}

/* The words with OR between them, so that one suffices; what excludes stays out. */
static const char *any_of(struct call *call, const char *query)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    for (const char *p = query; *p; p++) {
        size_t len = strcspn(p, " \t\r\n\"");

        if (len > 0 && *p != '-') {
            if (out.len > 0)
                strbuf_str(&out, " OR ");
            strbuf_add(&out, p, len);
        }
        p += len;
        if (!*p)
            break;
    }
    return take_text(call, &out);
}

enum status mcp_health_find_tools(struct call *call, const McpHealth__FindToolsRequest *req,
                                  McpHealth__FindToolsResponse *rsp)
{
    const char *query = req->any ? any_of(call, req->query) : req->query;

    if (*req->virtual_id)
        return pg_all(call, &rsp->base, "hits", sql_find_virtual, "ssii", query, req->virtual_id,
                      req->limit, req->offset);
    return pg_all(call, &rsp->base, "hits", sql_find_tools, "saiib", query, req->n_servers,
                  req->servers, req->limit, req->offset, req->hub);
}
