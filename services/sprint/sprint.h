/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of sprint share. */
#pragma once

#include "base/settings.h"
#include "mal/sprint/v1/events.pb-c.h"
#include "mal/sprint/v1/sprint.server.h"
#include "pg/pg.h"
#include "wire/call.h"
#include "wire/codec.h"
#include "wire/handler.h"

/* Written by settings_load before threads start; tests write it themselves. */
struct sprint_settings {
    const char *confirm_tools; /* comma list of guarded tools */
    bool team_pulse;           /* whether digests are made */
    bool context_injection;    /* whether GetContext tells anything */
};
extern struct sprint_settings sprint_config;

/* ---- requests, request.c ------------------------------------------------ */

/* Whether the operator wants the user asked before the tool acts. */
bool is_guarded(const char *tool);
/* The number as text where it is there, else NULL: a column that may be null. */
const char *int_text(struct call *call, bool there, int32_t number);
/* The call's time as a timestamp. */
const char *now_text(struct call *call);
/* What the field refers to is not there. kind is "Sprint". */
enum status fail_unknown(struct call *call, const char *field, const char *kind, const char *id);
/* Names the field of the entity whose foreign key failed; other failures pass. */
enum status fail_reference(struct call *call, enum status status, const ProtobufCMessage *entity);
/* After a merge: an object that only looks different does not count as changed. */
enum status keep_metadata(struct call *call, const char **io_metadata, const char *before,
                          struct names *changed) MUST_CHECK;
/* Exact number of rows of a kind ("work_item"), of one status, type and priority
 * where not NULL, without reading them. */
enum status tally_total(struct call *call, int32_t *ret_total, const char *noun, const char *status,
                        const char *type, const char *priority) MUST_CHECK;

/* How an entity is added whose id may be made of its name. insert answers
 * NOT_FOUND without constraint when the id is taken. */
struct named {
    const char *kind, *id, *name;
    const struct query *slug, *free_id;
    enum status (*insert)(struct call *call, const char *id, const void *req, void *stored);
};
enum status add_named(struct call *call, const struct named *named, const void *req,
                      void *stored) MUST_CHECK;

/* ---- work items --------------------------------------------------------- */

/* Makes the changes of an update (UpdateWorkItem or BulkUpdateWorkItems) to one
 * work item, with journal and events. */
enum status item_change(struct tx *tx, const char *id, const ProtobufCMessage *update,
                        Sprint__WorkItem **ret_item, struct names *ret_changed) MUST_CHECK;
/* Settles completed_at with the status: given is whether the caller gave it. */
enum status item_settle(struct call *call, Sprint__WorkItem *item, bool was_done,
                        bool given) MUST_CHECK;
/* FAILED_PRECONDITION, reason CYCLE. */
enum status fail_cycle(struct call *call, const char *id);
void item_completed_event(Sprint__WorkItemCompleted *event, const Sprint__WorkItem *item);

/* ---- the process --------------------------------------------------------- */

struct svc;
struct svc sprint_service(void);
