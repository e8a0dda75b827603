/* SPDX-License-Identifier: Apache-2.0 */
/* Which member a commit's author is. */
#pragma once

#include "gamify.h"

struct git_person {
    const char *id, *name;
    const char *folded_name, *folded_email; /* without regard to case; "" = none */
};
struct git_people {
    size_t n;
    struct git_person *items;
};

enum status git_people_load(struct call *call, struct git_people *ret_people) MUST_CHECK;
/* By e-mail; else by name; else by the name that the author's begins with. Where
 * several fit, nobody does. NULL for nobody. */
const struct git_person *git_people_find(const struct git_people *people, const char *name,
                                         const char *email);

/* The text in lower case, cut at size. */
void git_fold(const char *text, char *out, size_t size);
