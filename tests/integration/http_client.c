/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP client over a raw socket. */
#include "http_client.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

bool client_open(struct client *client, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};

    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (client->fd < 0)
        return false;
    if (connect(client->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        client_done(client);
        return false;
    }
    return true;
}

void client_done(struct client *client)
{
    if (client->fd >= 0)
        (void)close(client->fd);
    client->fd = -1;
    strbuf_done(&client->in);
}

bool client_send_bytes(struct client *client, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = send(client->fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool client_send(struct client *client, const char *text)
{
    return client_send_bytes(client, text, strlen(text));
}

/* Receives something more; false at the deadline, the end or an error. */
static bool receive(struct client *client, int64_t deadline_ms)
{
    struct pollfd pfd = {.fd = client->fd, .events = POLLIN};
    int64_t left = deadline_ms - clock_mono_ms();
    ssize_t n;

    if (poll(&pfd, 1, left > 0 ? (int)left : 0) <= 0)
        return false;
    strbuf_reserve(&client->in, 65536);
    n = recvfrom(client->fd, client->in.data + client->in.len, 65536, 0, NULL, NULL);
    if (n <= 0)
        return false;
    client->in.len += (size_t)n;
    client->in.data[client->in.len] = '\0';
    return true;
}

static void take(struct client *client, size_t len)
{
    client->in.len -= len;
    memmove(client->in.data, client->in.data + len, client->in.len + 1);
}

bool answer_header(const struct answer *answer, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    for (const char *line = answer->head; line; line = strstr(line, "\r\n")) {
        line += strncmp(line, "\r\n", 2) == 0 ? 2 : 0;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1 + strspn(line + len + 1, " ");

            (void)snprintf(out, size, "%.*s", (int)strcspn(value, "\r"), value);
            return true;
        }
    }
    return false;
}

void answer_done(struct answer *answer)
{
    free(answer->body);
    *answer = (struct answer){0};
}

bool client_read_head(struct client *client, struct answer *answer)
{
    int64_t deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;
    const char *end;
    size_t len;

    answer_done(answer);
    while (!client->in.len || !(end = strstr(client->in.data, "\r\n\r\n")))
        if (!receive(client, deadline_ms))
            return false;
    len = (size_t)(end - client->in.data) + 4;
    (void)snprintf(answer->head, sizeof answer->head, "%.*s", (int)len, client->in.data);
    answer->status = (int)strtol(client->in.data + strcspn(client->in.data, " "), NULL, 10);
    take(client, len);
    return true;
}

bool client_read(struct client *client, struct answer *answer)
{
    int64_t deadline_ms = clock_mono_ms() + CLIENT_WAIT_MS;
    char length[32];
    size_t len;
    bool counted;

    if (!client_read_head(client, answer))
        return false;
    if (answer->status < 200 || answer->status == 204 || answer->status == 304)
        return true;
    counted = answer_header(answer, "Content-Length", length, sizeof length);
    len = counted ? strtoul(length, NULL, 10) : SIZE_MAX;
    while (client->in.len < len)
        if (!receive(client, deadline_ms)) {
            if (counted)
                return false;
            len = client->in.len;
        }
    answer->body = strndup(len ? client->in.data : "", len);
    if (!answer->body)
        abort();
    answer->len = len;
    take(client, len);
    return true;
}

bool client_expect(struct client *client, const char *text, int wait_ms)
{
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    const char *found;

    while (!client->in.len || !(found = strstr(client->in.data, text)))
        if (!receive(client, deadline_ms))
            return false;
    take(client, (size_t)(found - client->in.data) + strlen(text));
    return true;
}

bool client_ended(struct client *client, int wait_ms)
{
    int64_t deadline_ms = clock_mono_ms() + wait_ms;

    while (receive(client, deadline_ms))
        client->in.len = 0;
    return clock_mono_ms() < deadline_ms;
}

int request_status(int port, const char *text)
{
    struct client client;
    struct answer answer = {0};
    int status = 0;

    if (!client_open(&client, port))
        return -1;
    if (client_send(&client, text) && client_read(&client, &answer))
        status = answer.status;
    answer_done(&answer);
    client_done(&client);
    return status;
}
