/* SPDX-License-Identifier: Apache-2.0 */
/* What modern servers ask of older callers: all questions of a round on the stream of
 * the call, then the request again with the answers. */
#include "asking.h"
#include "base/clock.h"
#include "base/ids.h"
#include "pass.h"
#include "progress.h"

#include <string.h>
#include <time.h>

enum { WAIT_MS = 250, LATER_MS = 250 };

struct round {
    struct pass *pass;
    const struct downstream_message *msg;
    const struct json_node *entries;
    const char **answers; /* one for each entry */
    unsigned first, left; /* number of the first question; unanswered ones */
    const char *failed;   /* why the call cannot go on */
};

static bool ask_entry(struct round *round, const struct json_node *entry)
{
    struct pass *pass = round->pass;
    const struct bridge bridge = pass_bridge(pass, round->msg->version);
    CLEANUP(strbuf_done) struct strbuf members = STRBUF_INIT;
    char id[UUID_SIZE];

    uuid_v4(id);
    if (!bridge_put_question(&members, &bridge, &round->msg->json, entry, id)) {
        round->failed = "This asks for something that the client's revision of the protocol "
                        "cannot express.";
        return false;
    }
    if (!asking_put(pass->asking, members.data, members.len)) {
        round->failed = "The client left before it could be asked.";
        return false;
    }
    round->left++;
    return true;
}

static const struct json_node *entry_of(const struct round *round, unsigned i)
{
    const struct json_node *key = json_first(round->entries);

    while (i-- > 0)
        key = json_next(json_next(key));
    return json_next(key);
}

static void take(struct round *round, const struct asked *asked)
{
    unsigned i = asked->number - round->first;

    if (asked->number < round->first || i >= round->entries->count || asked->progress != NULL ||
        round->answers[i] != NULL)
        return;
    round->answers[i] = asked->result;
    if (asked->result == NULL) {
        bool form =
            json_is(&round->msg->json, json_get(&round->msg->json, entry_of(round, i), "method"),
                    "elicitation/create");

        /* For others there is no way of telling the server. */
        round->answers[i] = "{\"action\":\"cancel\"}";
        if (!form)
            round->failed = "The client refused what the tool asked of it.";
    }
    round->left--;
}

static void wait_all(struct round *round)
{
    struct pass *pass = round->pass;
    int64_t until = clock_mono_ms() + config.confirm_timeout_ms;
    struct asked asked;

    while (round->left > 0 && round->failed == NULL && !pass->flight.cancelled) {
        if (asking_next(pass->asking, WAIT_MS, &asked))
            take(round, &asked);
        else if (http_client_gone(pass->m->x->req) || pass->m->x->gw->stopping)
            round->failed = "The client left before it answered.";
        else if (clock_mono_ms() >= until)
            round->failed = "The client did not answer in time.";
        if (clock_mono_ms() >= pass->comment_ms) {
            pass->comment_ms = clock_mono_ms() + progress_keepalive_ms();
            (void)!http_sse_comment(pass->m->x->req);
        }
    }
    for (unsigned i = 0; i < round->entries->count; i++)
        if (round->answers[i] == NULL && round->first + i < asking_number(pass->asking))
            asking_withdraw(pass->asking, round->first + i);
}

/* The answers as an object. */
static const char *put_answers(const struct round *round)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json_node *key = json_first(round->entries);

    strbuf_char(&out, '{');
    for (unsigned i = 0; i < round->entries->count; i++, key = json_next(json_next(key)))
        pass_put_member(&out, &round->msg->json, key, NULL, round->answers[i]);
    strbuf_char(&out, '}');
    return arena_memdup(round->pass->m->x->arena, out.data, out.len);
}

static const char *ask_round(struct pass *pass, struct round *round)
{
    if (round->entries->count > PASS_QUESTIONS)
        return "This asks more at once than the hub passes on.";
    if (!pass_ready_to_ask(pass))
        return "The client cannot be asked at the moment: too many questions wait.";
    round->first = asking_number(pass->asking);
    round->answers =
        arena_alloc(pass->m->x->arena, (round->entries->count + 1) * sizeof(*round->answers));
    memset(round->answers, 0, (round->entries->count + 1) * sizeof(*round->answers));
    for (unsigned i = 0; i < round->entries->count; i++)
        if (!ask_entry(round, entry_of(round, i)))
            break;
    wait_all(round);
    return round->failed;
}

/* Nothing is asked: the same again a little later. */
static void wait_a_little(void)
{
    const struct timespec later = {.tv_nsec = LATER_MS * 1000000L};

    (void)nanosleep(&later, NULL);
}

void pass_ask_all(struct pass *pass, const struct downstream_message *msg)
{
    struct mcp *m = pass->m;
    const struct json_node *entries = json_get(&msg->json, msg->result, "inputRequests");
    const struct json_node *state = json_get(&msg->json, msg->result, "requestState");
    struct round round = {.pass = pass, .msg = msg, .entries = entries};
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    const char *raw = NULL, *failed = NULL;
    size_t len = 0;

    if (++pass->round >= PASS_ROUNDS)
        failed = "The server asks again and again.";
    else if (entries != NULL && entries->type == JSON_T_OBJECT && entries->count > 0)
        failed = ask_round(pass, &round);
    else
        wait_a_little();
    if (failed != NULL) {
        pass_words(pass, failed);
        return;
    }
    if (pass->flight.cancelled)
        return;
    if (state != NULL)
        raw = json_raw(&msg->json, state, &len);
    bridge_put_retry(&params, m->msg.json, m->msg.params,
                     round.answers != NULL ? put_answers(&round) : NULL, raw, len);
    pass->relay.request.json = NULL;
    pass->relay.request.params = NULL;
    pass->relay.request.params_text = arena_memdup(m->x->arena, params.data, params.len);
    pass->again = true;
}
