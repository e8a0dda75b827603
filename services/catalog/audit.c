/* SPDX-License-Identifier: Apache-2.0 */
/* The log of tool calls: reading and adding up. */
#include "catalog.h"

#include "audit.sql.h"
#include "base/clock.h"
#include "report.h"

#include <stdlib.h>

enum { DAY_MS = 86400000 };

/* "true", "false", or NULL when both are wanted. */
static const char *wanted_success(const Catalog__GetAuditLogRequest *req)
{
    if (!req->has_success_case)
        return NULL;
    return req->success ? "true" : "false";
}

/* The calls on one thing are counted: they have an index, and are few. */
static enum status log_of_resource(struct call *call, const Catalog__GetAuditLogRequest *req,
                                   Catalog__GetAuditLogResponse *rsp)
{
    const char *success = wanted_success(req);

    TRY(pg_one(call, &rsp->base, sql_audit_count, "SSSsSS", req->tool_name, req->user_key,
               req->resource_id, success, req->from, req->to));
    return pg_all(call, &rsp->base, "items", sql_audit_list, "SSSsSSii", req->tool_name,
                  req->user_key, req->resource_id, success, req->from, req->to, req->limit,
                  req->offset);
}

/* What is kept by day says how many there are, and which days to look at. */
static enum status log_by_day(struct call *call, const Catalog__GetAuditLogRequest *req,
                              Catalog__GetAuditLogResponse *rsp)
{
    const char *success = wanted_success(req);
    struct pg_rows page;

    TRY(pg_rows(call, &page, sql_audit_page, "SSsSSii", req->tool_name, req->user_key, success,
                req->from, req->to, req->offset, req->limit));
    rsp->total = (int32_t)strtol(pg_cell(&page, 0, "total"), NULL, 10);
    if (!pg_cell(&page, 0, "newest"))
        return ST_OK;
    return pg_all(call, &rsp->base, "items", sql_audit_list, "SSSsSSis", req->tool_name,
                  req->user_key, NULL, success, pg_cell(&page, 0, "oldest"),
                  pg_cell(&page, 0, "newest"), req->limit, pg_cell(&page, 0, "skip"));
}

enum status catalog_get_audit_log(struct call *call, const Catalog__GetAuditLogRequest *req,
                                  Catalog__GetAuditLogResponse *rsp)
{
    TRY(filter_range(call, req->from, req->to));
    TRY(*req->resource_id ? log_of_resource(call, req, rsp) : log_by_day(call, req, rsp));
    PAGE_DONE(rsp, req);
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = report_audit_log(call, rsp);
    return ST_OK;
}

static const char *days_ago(struct call *call, int days)
{
    char text[TIMESTAMP_SIZE];

    clock_format(call->now_ms - (int64_t)days * DAY_MS, text);
    return arena_strdup(call->arena, text);
}

/* One decimal, half away from zero, without detour through binary fractions. */
static double percent(int32_t part, int32_t whole)
{
    int64_t tenths = whole ? ((int64_t)part * 2000 + whole) / (2 * (int64_t)whole) : 0;

    return (double)tenths / 10;
}

enum status catalog_get_tool_usage_stats(struct call *call,
                                         const Catalog__GetToolUsageStatsRequest *req,
                                         Catalog__GetToolUsageStatsResponse *rsp)
{
    rsp->days = req->days;
    rsp->since = days_ago(call, req->days);
    TRY(pg_all(call, &rsp->base, "tools", sql_audit_tools, "s", rsp->since));
    for (size_t i = 0; i < rsp->n_tools; i++) {
        rsp->calls += rsp->tools[i]->calls;
        rsp->errors += rsp->tools[i]->errors;
    }
    rsp->error_percent = percent(rsp->errors, rsp->calls);
    if (req->format != MAL__FORMAT__FORMAT_JSON)
        rsp->text = report_tool_usage(call, rsp);
    return ST_OK;
}

enum status catalog_get_audit_series(struct call *call, const Catalog__GetAuditSeriesRequest *req,
                                     Catalog__GetAuditSeriesResponse *rsp)
{
    const char *bucket = enum_text(&req->base, "bucket");

    rsp->bucket = req->bucket;
    rsp->since = days_ago(call, req->days);
    if (*req->user_key || *req->mcp_id) {
        TRY(pg_all(call, &rsp->base, "points", sql_audit_points_of, "ssSSS", bucket, rsp->since,
                   req->tool_name, req->user_key, req->mcp_id));
        return pg_all(call, &rsp->base, "callers", sql_audit_callers_of, "sSSS", rsp->since,
                      req->tool_name, req->user_key, req->mcp_id);
    }
    TRY(pg_all(call, &rsp->base, "points", sql_audit_points, "ssS", bucket, rsp->since,
               req->tool_name));
    return pg_all(call, &rsp->base, "callers", sql_audit_callers, "sS", rsp->since, req->tool_name);
}
