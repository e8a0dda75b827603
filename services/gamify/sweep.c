/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep: what an award or a first use of a tool did not unlock, because the
 * achievement or the key's owner came later, unlocks here. */
#include "sweep.h"

#include "ledger.h"
#include "member.sql.h"

static enum status sweep_member(struct call *call, const char *id)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct ledger ledger;
    enum status status;

    TRY(tx_begin(&tx, call));
    status = ledger_open(&ledger, &tx, id);
    if (status == ST_NOT_FOUND) /* gone meanwhile */
        return ST_OK;
    TRY(status);
    TRY(ledger_evaluate(&ledger));
    TRY(ledger_close(&ledger));
    return tx_commit(&tx);
}

enum status sweep_members(struct call *call, void *arg)
{
    CLEANUP(arena_done) struct arena arena;
    struct pg_rows members;

    (void)arg;
    arena_init(&arena);
    TRY(pg_rows(call, &members, sql_member_ids, ""));
    for (int i = 0; i < members.n; i++) {
        struct call one = *call;

        one.arena = &arena;
        one.actor = "gamify";
        TRY(sweep_member(&one, pg_cell(&members, i, "id")));
        arena_reset(&arena);
    }
    return ST_OK;
}
