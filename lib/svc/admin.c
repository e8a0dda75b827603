/* SPDX-License-Identifier: Apache-2.0 */
/* The admin listener. It says nothing secret and changes nothing, and is bound
 * to loopback unless the operator says otherwise. */
#include "svc/admin.h"

#include "http/http.h"

enum { ADMIN_WORKERS = 2 };

static const char text_plain[] = "text/plain; charset=utf-8";

static void reply(struct http_request *req, int status, const char *type, const char *text)
{
    http_reply(req, &(struct http_response){.status = status,
                                            .content_type = type,
                                            .body = text,
                                            .len = strlen(text),
                                            .headers = "Cache-Control: no-store\r\n"});
}

static void reply_ready(struct process *process, struct http_request *req)
{
    CLEANUP(strbuf_done) struct strbuf why = STRBUF_INIT;

    if (process_is_ready(process, &why))
        reply(req, 200, text_plain, "ready\n");
    else
        reply(req, 503, text_plain, strbuf_cstr(&why));
}

static void reply_metrics(struct http_request *req)
{
    CLEANUP(strbuf_done) struct strbuf page = STRBUF_INIT;

    metrics_render(&page);
    reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", strbuf_cstr(&page));
}

static void handle(struct http_request *req, void *arg)
{
    struct process *process = arg;

    if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0)
        reply(req, 405, text_plain, "only GET\n");
    else if (strcmp(req->path, "/healthz") == 0)
        reply(req, 200, text_plain, "ok\n");
    else if (strcmp(req->path, "/readyz") == 0)
        reply_ready(process, req);
    else if (strcmp(req->path, "/metrics") == 0)
        reply_metrics(req);
    else
        reply(req, 404, text_plain, "there are /healthz, /readyz and /metrics\n");
}

enum status admin_start(struct process *process, const char *bind, struct error *err)
{
    return http_server_start(&process->admin,
                             &(struct http_options){.bind = bind,
                                                    .workers = ADMIN_WORKERS,
                                                    .handler = handle,
                                                    .arg = process,
                                                    .admin = true},
                             err);
}
