/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted server. */
#include "mcp_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, WAIT_MS = 20000 };

struct connection {
    struct peer *peer;
    pthread_t thread;
    int fd, number;
};

struct peer {
    peer_fn *fn;
    void *arg;
    int fd;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    struct connection connections[CONNECTIONS_MAX];
    int n;
    bool stopping;
    atomic_int requests, open;
};

/* ---- requests ------------------------------------------------------------------- */

static bool wait_readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    return poll(&pfd, 1, WAIT_MS) > 0;
}

static bool read_more(int fd, struct strbuf *in)
{
    ssize_t n;

    strbuf_reserve(in, 16384);
    if (!wait_readable(fd) || (n = recv(fd, in->data + in->len, 16384, 0)) <= 0)
        return false;
    in->len += (size_t)n;
    in->data[in->len] = '\0';
    return true;
}

static bool read_request(struct connection *c, struct strbuf *in, struct peer_request *req)
{
    const char *end, *length;
    size_t head_len;

    while (in->len == 0 || (end = strstr(in->data, "\r\n\r\n")) == NULL)
        if (!read_more(c->fd, in))
            return false;
    head_len = (size_t)(end - in->data) + 4;
    req->head = strndup(in->data, head_len);
    req->method = strndup(in->data, strcspn(in->data, " "));
    length = strcasestr(req->head, "\r\ncontent-length:");
    req->len = length ? (size_t)strtoul(length + 17, NULL, 10) : 0;
    while (in->len < head_len + req->len)
        if (!read_more(c->fd, in))
            return false;
    req->body = strndup(in->data + head_len, req->len);
    memmove(in->data, in->data + head_len + req->len, in->len - head_len - req->len + 1);
    in->len -= head_len + req->len;
    return true;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    struct strbuf in = STRBUF_INIT;
    bool closed = false;

    while (!closed) {
        struct peer_request req = {.peer = c->peer, .fd = c->fd, .connection = c->number};

        if (read_request(c, &in, &req)) {
            req.number = atomic_fetch_add(&c->peer->requests, 1) + 1;
            c->peer->fn(&req, c->peer->arg);
            closed = req.closed;
        } else {
            closed = true;
        }
        free((void *)req.head);
        free((void *)req.method);
        free((void *)req.body);
    }
    (void)shutdown(c->fd, SHUT_RDWR);
    (void)atomic_fetch_sub(&c->peer->open, 1);
    strbuf_done(&in);
    return NULL;
}

static void *listen_on(void *arg)
{
    struct peer *peer = arg;
    int fd, one = 1;

    while ((fd = accept4(peer->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct connection *c;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)pthread_mutex_lock(&peer->lock);
        if (peer->stopping || peer->n == CONNECTIONS_MAX) {
            (void)pthread_mutex_unlock(&peer->lock);
            (void)close(fd);
            continue;
        }
        c = &peer->connections[peer->n++];
        *c = (struct connection){.peer = peer, .fd = fd, .number = peer->n};
        (void)atomic_fetch_add(&peer->open, 1);
        if (pthread_create(&c->thread, NULL, serve, c) != 0)
            abort();
        (void)pthread_mutex_unlock(&peer->lock);
    }
    return NULL;
}

/* ---- life ------------------------------------------------------------------------- */

struct peer *peer_start(peer_fn *fn, void *arg)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);

    if (!peer)
        abort();
    peer->fn = fn;
    peer->arg = arg;
    (void)pthread_mutex_init(&peer->lock, NULL);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || bind(peer->fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(peer->fd, 128) != 0 || getsockname(peer->fd, (struct sockaddr *)&addr, &len) != 0 ||
        pthread_create(&peer->thread, NULL, listen_on, peer) != 0)
        abort();
    (void)snprintf(peer->url, sizeof(peer->url), "http://127.0.0.1:%d/mcp", ntohs(addr.sin_port));
    return peer;
}

const char *peer_url(const struct peer *peer)
{
    return peer->url;
}

int peer_requests(const struct peer *peer)
{
    return atomic_load(&peer->requests);
}

int peer_connections(const struct peer *peer)
{
    return ((volatile const struct peer *)peer)->n;
}

int peer_open(const struct peer *peer)
{
    return atomic_load(&peer->open);
}

void peer_stop(struct peer *peer)
{
    if (!peer)
        return;
    (void)pthread_mutex_lock(&peer->lock);
    peer->stopping = true;
    (void)pthread_mutex_unlock(&peer->lock);
    (void)shutdown(peer->fd, SHUT_RDWR);
    (void)pthread_join(peer->thread, NULL);
    for (int i = 0; i < peer->n; i++) {
        (void)shutdown(peer->connections[i].fd, SHUT_RDWR);
        (void)pthread_join(peer->connections[i].thread, NULL);
        (void)close(peer->connections[i].fd);
    }
    (void)close(peer->fd);
    (void)pthread_mutex_destroy(&peer->lock);
    free(peer);
}

/* ---- what a test sees and says ------------------------------------------------------- */

const char *peer_header(const struct peer_request *req, const char *name)
{
    static _Thread_local char value[1024];
    char needle[128];
    const char *found;
    size_t len;

    (void)snprintf(needle, sizeof(needle), "\r\n%s:", name);
    found = strcasestr(req->head, needle);
    if (!found)
        return "";
    found += strlen(needle);
    found += strspn(found, " ");
    len = strcspn(found, "\r");
    (void)snprintf(value, sizeof(value), "%.*s", (int)len, found);
    return value;
}

const char *peer_id(const struct peer_request *req)
{
    static _Thread_local char id[128];
    const char *found = strstr(req->body, "\"id\":");

    if (!found)
        return "null";
    found += 5;
    (void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(found, ",}"), found);
    return id;
}

bool peer_asks(const struct peer_request *req, const char *method)
{
    char needle[128];

    (void)snprintf(needle, sizeof(needle), "\"method\":\"%s\"", method);
    return strstr(req->body, needle) != NULL;
}

bool peer_send(struct peer_request *req, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = send(req->fd, p, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool peer_text(struct peer_request *req, const char *fmt, ...)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    strbuf_reserve(&text, (size_t)len);
    va_start(ap, fmt);
    (void)vsnprintf(text.data, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return peer_send(req, text.data, (size_t)len);
}

void peer_reply(struct peer_request *req, int status, const char *headers, const char *body)
{
    (void)peer_text(req, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
                    strlen(body), body);
}

void peer_result(struct peer_request *req, const char *headers, const char *result)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT, head = STRBUF_INIT;

    strbuf_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", peer_id(req));
    strbuf_str(&body, result);
    strbuf_char(&body, '}');
    strbuf_printf(&head, "Content-Type: application/json\r\n%s", headers);
    peer_reply(req, 200, head.data, body.data);
}

void peer_events(struct peer_request *req, const char *headers)
{
    (void)peer_text(req,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s"
                    "Transfer-Encoding: chunked\r\n\r\n",
                    headers);
}

void peer_event(struct peer_request *req, const char *fields_and_data)
{
    (void)peer_text(req, "%zx\r\n%s\n\n\r\n", strlen(fields_and_data) + 2, fields_and_data);
}

void peer_events_end(struct peer_request *req)
{
    (void)peer_text(req, "0\r\n\r\n");
}

void peer_hang_up(struct peer_request *req)
{
    (void)shutdown(req->fd, SHUT_RDWR);
    req->closed = true;
}

bool peer_left(struct peer_request *req, int wait_ms)
{
    struct pollfd pfd = {.fd = req->fd, .events = POLLIN};
    char byte;

    return poll(&pfd, 1, wait_ms) > 0 && recv(req->fd, &byte, 1, MSG_PEEK) <= 0;
}
