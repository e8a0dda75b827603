/* SPDX-License-Identifier: Apache-2.0 */
/* Members: profiles and where they stand. */
#include "gamify.h"

#include "member.sql.h"

enum status gamify_count_members(struct call *call, const Gamify__CountMembersRequest *req,
                                 Gamify__CountMembersResponse *rsp)
{
    (void)req;
    return pg_one(call, &rsp->base, sql_member_count, "");
}
