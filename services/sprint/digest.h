/* SPDX-License-Identifier: Apache-2.0 */
/* The team's pulse: digests of a day, a week and the end of sprints. */
#pragma once

#include "sprint.h"

/* Makes what is due at call->now_ms and not there yet; each is stored once, by
 * whichever copy of the service is first. For a job. */
enum status digests_make(struct call *call, void *arg) MUST_CHECK;

/* The bodies, in Markdown. from and to are the days they tell of. */
enum status digest_daily_text(struct call *call, const char *day, const char **ret_text) MUST_CHECK;
enum status digest_weekly_text(struct call *call, const char *from, const char *to, bool latest,
                               const char **ret_text) MUST_CHECK;
/* The retrospectives of those sprints; ids are separated by a blank. */
enum status digest_sprints_text(struct call *call, const char *ids,
                                const char **ret_text) MUST_CHECK;
