/* SPDX-License-Identifier: Apache-2.0 */
/* Logging a conversation: its messages, links, decisions and events are one
 * transaction. */
#include "base/ids.h"
#include "decision.h"
#include "interaction.sql.h"
#include "link.h"

/* What can be read back: a reply holds 6 MiB. */
enum { CONVERSATION_BYTES = 5 * 1024 * 1024, TRANSCRIPT_CHARS = 100000 };

static enum status check_size(struct call *call, const Sprint__LogInteractionRequest *req)
{
    size_t bytes = 0;

    for (size_t i = 0; i < req->n_messages; i++)
        bytes += strlen(req->messages[i]->content) + strlen(req->messages[i]->tool_calls);
    if (bytes > CONVERSATION_BYTES)
        call_field(call, "messages",
                   "must have at most %d bytes together, these have %zu; log the rest as a further "
                   "conversation of the same session_id",
                   CONVERSATION_BYTES, bytes);
    return call_invalid(call);
}

/* The contents one after the other, as far as they are searched. */
static const char *transcript(struct call *call, const Sprint__LogInteractionRequest *req)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    size_t chars = 0;

    for (size_t i = 0; i < req->n_messages && chars < TRANSCRIPT_CHARS; i++) {
        const char *p = req->messages[i]->content, *start = p;

        if (i > 0)
            strbuf_char(&buf, '\n');
        chars += i > 0;
        /* A character begins with a byte that continues none. */
        for (; *p && (chars < TRANSCRIPT_CHARS || (*p & 0xc0) == 0x80); p++)
            chars += (*p & 0xc0) != 0x80;
        strbuf_add(&buf, start, (size_t)(p - start));
    }
    return take_text(call, &buf);
}

static enum status insert(struct call *call, const Sprint__LogInteractionRequest *req,
                          const struct links *links, Sprint__Interaction *interaction)
{
    char id[UUID_SIZE];
    int count = req->has_message_count_case ? req->message_count : (int)req->n_messages;
    enum status status;

    uuid_v7(id);
    status = pg_one(call, &interaction->base, sql_interaction_insert, "ssssSSaaassaiss",
                    *req->id ? req->id : id, req->session_id, req->user_id,
                    enum_text(&req->base, "source"), req->title, req->summary, req->n_decisions,
                    req->decisions, req->n_action_items, req->action_items, req->n_tools_used,
                    req->tools_used, links->sprint_id, links->work_item_id, req->n_tags, req->tags,
                    count, req->metadata, transcript(call, req));
    return fail_taken(call, status, "Interaction", req->id);
}

static enum status insert_messages(struct call *call, const char *id,
                                   const Sprint__LogInteractionRequest *req)
{
    size_t n = req->n_messages, size = n * sizeof(const char *);
    const char **role = arena_alloc(call->arena, size), **content = arena_alloc(call->arena, size),
               **tool_calls = arena_alloc(call->arena, size),
               **token_count = arena_alloc(call->arena, size);

    for (size_t i = 0; i < n; i++) {
        const Sprint__MessageEntry *message = req->messages[i];

        role[i] = enum_text(&message->base, "role");
        content[i] = message->content;
        tool_calls[i] = message->tool_calls;
        token_count[i] = message->has_token_count_case
                             ? arena_printf(call->arena, "%d", message->token_count)
                             : NULL;
    }
    return pg_exec(call, sql_interaction_message_insert, NULL, "saaaa", id, n, role, n, content, n,
                   tool_calls, n, token_count);
}

static int32_t count_different(size_t n, const char *const *words)
{
    int32_t count = 0;

    for (size_t i = 0; i < n; i++) {
        size_t k = 0;

        while (k < i && strcmp(words[k], words[i]) != 0)
            k++;
        count += k == i;
    }
    return count;
}

static enum status announce(struct tx *tx, const Sprint__Interaction *interaction,
                            const struct links *links)
{
    Sprint__InteractionLogged event = SPRINT__INTERACTION_LOGGED__INIT;

    event.id = interaction->id;
    event.user_id = interaction->user_id;
    event.source = interaction->source;
    event.tools_count = count_different(interaction->n_tools_used, interaction->tools_used);
    event.decisions_count = (int32_t)interaction->n_decisions;
    event.project_id = links->project_id ? links->project_id : "";
    event.sprint_id = interaction->sprint_id;
    event.work_item_id = interaction->work_item_id;
    event.created_at = interaction->created_at;
    return event_add(tx, "mal.evt.sprint.interaction.logged", &event.base);
}

static Sprint__Links *links_message(struct call *call, const struct links *links)
{
    Sprint__Links *message = new_message(call, &sprint__links__descriptor);

    message->n_sprint_ids = links->sprints.n;
    message->sprint_ids = links->sprints.items;
    message->n_work_item_ids = links->work_items.n;
    message->work_item_ids = links->work_items.items;
    message->automatic = links->automatic;
    return message;
}

/* Something mentioned was deleted after it was found. */
static enum status lost(struct call *call, enum status status)
{
    if (status != ST_NOT_FOUND)
        return status;
    call_hint(call, "the same call again.");
    return call_fail(call, ST_UNAVAILABLE,
                     "A sprint or work item that the conversation names was just deleted; nothing "
                     "was stored.");
}

static enum status store(struct tx *tx, const Sprint__LogInteractionRequest *req,
                         const struct links *links, Sprint__Interaction *interaction)
{
    struct call *call = tx->call;

    TRY(insert(call, req, links, interaction));
    if (req->n_messages)
        TRY(insert_messages(call, interaction->id, req));
    if (links->sprints.n + links->work_items.n)
        TRY(links_store(call, interaction->id, links));
    TRY(announce(tx, interaction, links));
    return decisions_record(tx, interaction);
}

enum status sprint_log_interaction(struct call *call, const Sprint__LogInteractionRequest *req,
                                   Sprint__LogInteractionResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Sprint__Interaction *interaction = new_message(call, &sprint__interaction__descriptor);
    struct links links;

    TRY(check_size(call, req));
    TRY(tx_begin(&tx, call));
    TRY(links_find(call, req, &links));
    TRY(lost(call, store(&tx, req, &links, interaction)));
    rsp->interaction = interaction;
    rsp->messages_saved = (int32_t)req->n_messages;
    rsp->linked = links_message(call, &links);
    return tx_commit(&tx);
}
