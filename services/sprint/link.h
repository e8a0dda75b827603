/* SPDX-License-Identifier: Apache-2.0 */
/* Links of a conversation with what it is about. */
#pragma once

#include "sprint.h"

enum { LINKS_MAX = 50 };

struct links {
    const char *sprint_id, *work_item_id; /* what it is about; NULL for nothing */
    const char *project_id;               /* of the work item, else of the sprint; NULL for none */
    struct names sprints, work_items;     /* these and what is mentioned, LINKS_MAX in all */
    bool automatic;                       /* something was found in the text */
};

/* What is given wins; what is not is looked for in the texts of the request.
 * NOT_FOUND, naming the field, when something given does not exist. The rows
 * stay locked until the transaction ends. */
enum status links_find(struct call *call, const Sprint__LogInteractionRequest *req,
                       struct links *ret_links) MUST_CHECK;
enum status links_store(struct call *call, const char *interaction_id,
                        const struct links *links) MUST_CHECK;
