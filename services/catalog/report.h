/* SPDX-License-Identifier: Apache-2.0 */
/* The finished Markdown of the catalog's reports. */
#pragma once

#include "catalog.h"

const char *report_usage_stats(struct call *call, const Catalog__GetUsageStatsResponse *rsp);
const char *report_audit_log(struct call *call, const Catalog__GetAuditLogResponse *rsp);
const char *report_tool_usage(struct call *call, const Catalog__GetToolUsageStatsResponse *rsp);
