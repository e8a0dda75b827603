/* SPDX-License-Identifier: Apache-2.0 */
/* $SRV.PING, INFO and STATS after NATS ADR-32, so that stock tooling lists and
 * measures our services. cnats 3.4.1 has no such API. */
#include "server.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "wire/json.h"

static void put_field(struct strbuf *out, const char *name, const char *value)
{
    strbuf_printf(out, "\"%s\":", name);
    json_put_string(out, value ? value : "");
    strbuf_char(out, ',');
}

static void put_standard(struct strbuf *out, const struct bus_server *server, const char *type)
{
    strbuf_char(out, '{');
    put_field(out, "type", type);
    put_field(out, "name", server->service.name);
    put_field(out, "id", server->id);
    put_field(out, "version", server->service.version);
    strbuf_str(out, "\"metadata\":{}");
}

static void put_endpoint(struct strbuf *out, const struct served *served)
{
    put_field(out, "name", served->name);
    put_field(out, "subject", served->endpoint->rpc->subject);
    put_field(out, "queue_group", BUS_QUEUE_GROUP);
}

static void put_ping(struct strbuf *out, struct bus_server *server)
{
    put_standard(out, server, "io.nats.micro.v1.ping_response");
    strbuf_char(out, '}');
}

static void put_info(struct strbuf *out, struct bus_server *server)
{
    put_standard(out, server, "io.nats.micro.v1.info_response");
    strbuf_char(out, ',');
    put_field(out, "description", server->service.description);
    strbuf_str(out, "\"endpoints\":[");
    for (size_t i = 0; i < server->service.n_endpoints; i++) {
        strbuf_str(out, i ? ",{" : "{");
        put_endpoint(out, &server->served[i]);
        strbuf_str(out, "\"metadata\":{");
        if (server->served[i].endpoint->rpc->tool_name) {
            strbuf_str(out, "\"tool\":");
            json_put_string(out, server->served[i].endpoint->rpc->tool_name);
        }
        strbuf_str(out, "}}");
    }
    strbuf_str(out, "]}");
}

static void put_stats(struct strbuf *out, struct bus_server *server)
{
    char started[TIMESTAMP_SIZE];
    CLEANUP(strbuf_done) struct strbuf data = STRBUF_INIT;

    clock_format(server->started_ms, started);
    if (server->service.stats)
        server->service.stats(&data, server->service.arg);
    put_standard(out, server, "io.nats.micro.v1.stats_response");
    strbuf_char(out, ',');
    put_field(out, "started", started);
    strbuf_str(out, "\"endpoints\":[");
    for (size_t i = 0; i < server->service.n_endpoints; i++) {
        struct served *served = &server->served[i];
        char last_error[sizeof(served->last_error)];
        unsigned long long requests = atomic_load(&served->n_requests);
        unsigned long long ns = atomic_load(&served->processing_ns);

        pthread_mutex_lock(&server->lock);
        memcpy(last_error, served->last_error, sizeof(last_error));
        pthread_mutex_unlock(&server->lock);
        strbuf_str(out, i ? ",{" : "{");
        put_endpoint(out, served);
        strbuf_printf(out, "\"num_requests\":%llu,\"num_errors\":%llu,", requests,
                      atomic_load(&served->n_errors));
        put_field(out, "last_error", last_error);
        if (data.len && i == 0) /* of the whole service; once is enough */
            strbuf_printf(out, "\"data\":%s,", strbuf_cstr(&data));
        strbuf_printf(out, "\"processing_time\":%llu,\"average_processing_time\":%llu}", ns,
                      requests ? ns / requests : 0);
    }
    strbuf_str(out, "]}");
}

static const struct {
    const char *verb;
    void (*put)(struct strbuf *out, struct bus_server *server);
} verbs[] = {{"PING", put_ping}, {"INFO", put_info}, {"STATS", put_stats}};

static void on_srv(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *arg)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const char *reply = natsMsg_GetReply(msg);
    const char *verb = natsMsg_GetSubject(msg) + strlen("$SRV.");

    (void)sub;
    for (size_t i = 0; i < ARRAY_SIZE(verbs) && reply && *reply; i++) {
        if (strncmp(verb, verbs[i].verb, strlen(verbs[i].verb)) == 0) {
            verbs[i].put(&out, arg);
            (void)natsConnection_Publish(nc, reply, out.data, (int)out.len);
            break;
        }
    }
    natsMsg_Destroy(msg);
}

natsStatus bus_srv_subscribe(struct bus_server *server)
{
    char subject[BUS_SUBJECT_SIZE];
    natsStatus s = NATS_OK;

    for (size_t i = 0; i < SRV_SUBS && s == NATS_OK; i++) {
        const char *verb = verbs[i / 3].verb;
        if (i % 3 == 0)
            (void)snprintf(subject, sizeof(subject), "$SRV.%s", verb);
        else if (i % 3 == 1)
            (void)snprintf(subject, sizeof(subject), "$SRV.%s.%s", verb, server->service.name);
        else
            (void)snprintf(subject, sizeof(subject), "$SRV.%s.%s.%s", verb, server->service.name,
                           server->id);
        s = natsConnection_Subscribe(&server->srv[i], server->bus->nc, subject, on_srv, server);
    }
    return s;
}

void bus_srv_unsubscribe(struct bus_server *server)
{
    for (size_t i = 0; i < SRV_SUBS; i++)
        bus_sub_drain(server->bus, server->srv[i], clock_mono_ms() + 500);
}

void bus_srv_free(struct bus_server *server)
{
    for (size_t i = 0; i < SRV_SUBS; i++)
        bus_forget(server->bus, server->srv[i]);
}
