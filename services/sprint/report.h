/* SPDX-License-Identifier: Apache-2.0 */
/* What a sprint's report and its retrospective are made of. */
#pragma once

#include "report_figures.h"
#include "sprint.h"

/* A sprint with all its items, as of one moment. Items without an estimate count
 * 0 points; cancelled items count in `cancelled` only. */
struct sprint_facts {
    Sprint__Sprint *sprint;
    int64_t at_ms; /* now, or when the sprint was completed or cancelled */
    struct sprint_days days;
    size_t n_items; /* open ones first, then done, then cancelled */
    Sprint__WorkItem **items;
    size_t n_assignees; /* nobody last */
    Sprint__AssigneeCount **assignees;
    size_t n_trend; /* latest first */
    Sprint__TrendSprint **trend;
    int32_t total, done, open, cancelled;
    int32_t points, points_done;
    size_t n_blocked; /* open ones, blocked for longest first */
    Sprint__BlockedItem **blocked;
    Sprint__Health health;
    const char *health_reason;
};

/* NOT_FOUND with words when there is no such sprint. Opens a transaction of its
 * own, so that all figures agree. */
enum status sprint_facts_load(struct call *call, const char *sprint_id,
                              struct sprint_facts *ret_facts) MUST_CHECK;

bool item_is_open(const Sprint__WorkItem *item);
/* "3 points", "1 point": the plural of regular words. */
const char *counted(struct call *call, int32_t n, const char *word);

/* The texts: finished Markdown. */
const char *report_text(struct call *call, const struct sprint_facts *facts,
                        const Sprint__GetSprintReportResponse *rsp);
const char *retrospective_text(struct call *call, const struct sprint_facts *facts,
                               const Sprint__RunRetrospectiveResponse *rsp);

/* ---- parts of texts ------------------------------------------------------ */

/* Status, goal and dates. */
void text_add_head(struct strbuf *buf, struct call *call, const struct sprint_facts *facts);
/* "@ana", "" of nobody. */
const char *mention_of(struct call *call, const char *member);
/* Ends a line about an item: " — todo, 3 points, @ana", without what is "". */
void text_add_facts(struct strbuf *buf, const char *first, const char *second, const char *third);
/* A section of earlier sprints, if there are any. */
void text_add_trend(struct strbuf *buf, size_t n, Sprint__TrendSprint *const *trend);
/* A heading and its blank lines. */
void text_add_heading(struct strbuf *buf, const char *heading);
