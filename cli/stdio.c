/* SPDX-License-Identifier: Apache-2.0 */
/* mal stdio: JSON-RPC lines on stdin and stdout, the hub's HTTP endpoint behind.
 * Messages pass as they are; only headers, the legacy session and its GET stream
 * are added (MCP 2026-07-28: basic/transports, 2025-11-25: basic/transports). */
#include "bridge.h"
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 10 << 20, /* as the SDKs' own readers */
    DRAIN_MS = 30000,
    POLL_MS = 200,
};

static const char stdio_help[] =
    "Usage: mal stdio [--url URL] [--key KEY] [--dir DIR]\n\n"
    "Bridges an MCP client that only speaks stdio, of either protocol era, to the\n"
    "hub (default: MAL_URL and MAL_KEY, else the private stack in --dir).\n";

/* Takes whole lines out of what was read. */
static void take_lines(struct bridge *bridge, struct strbuf *input)
{
    char *from = input->data;
    char *end;

    while (from && (end = memchr(from, '\n', input->len - (size_t)(from - input->data)))) {
        size_t len = (size_t)(end - from);

        if (len > 0 && from[len - 1] == '\r')
            len--;
        if (len > 0)
            bridge_line(bridge, from, len);
        from = end + 1;
    }
    if (from && from != input->data) {
        input->len -= (size_t)(from - input->data);
        memmove(input->data, from, input->len);
        input->data[input->len] = '\0';
    }
}

/* False at the end of stdin. */
static bool read_input(struct bridge *bridge, struct strbuf *input)
{
    char chunk[4096];
    ssize_t n;

    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0) {
        strbuf_add(input, chunk, (size_t)n);
        take_lines(bridge, input);
        if (input->len > LINE_MAX_BYTES) {
            client_complain("a line on stdin is longer than 10 MiB; it is left out");
            strbuf_clear(input);
        }
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void run(struct bridge *bridge)
{
    CLEANUP(strbuf_done) struct strbuf input = STRBUF_INIT;
    struct curl_waitfd wait = {.fd = STDIN_FILENO, .events = CURL_WAIT_POLLIN};
    bool open_input = true;
    int drained_ms = 0;

    while (open_input || (bridge_waiting(bridge) && drained_ms < DRAIN_MS)) {
        if (open_input)
            open_input = read_input(bridge, &input);
        else
            drained_ms += POLL_MS;
        bridge_step(bridge);
        if (!open_input && !bridge_waiting(bridge))
            break;
        (void)curl_multi_poll(bridge->channel.multi, open_input ? &wait : NULL, open_input, POLL_MS,
                              NULL);
    }
    bridge_close(bridge);
}

int cmd_stdio(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const char *dir = NULL, *url = NULL, *key = NULL;
    struct hub_address address;
    struct bridge bridge;
    struct error err = {0};
    int flags = fcntl(STDIN_FILENO, F_GETFL);

    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--dir")))
            dir = value;
        else if ((value = cli_option(argc, argv, &i, "--url")))
            url = value;
        else if ((value = cli_option(argc, argv, &i, "--key")))
            key = value;
        else if (cli_flag(argv[i], "--help"))
            return fputs(stdio_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else
            return cli_usage("stdio: '%s' is one word too many", argv[i]);
    }
    if (hub_address(&arena, dir, url, key, &address, &err) != ST_OK)
        return cli_fail(&err);
    (void)fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK);
    bridge_open(&bridge, &address);
    run(&bridge);
    (void)fcntl(STDIN_FILENO, F_SETFL, flags);
    return EXIT_DONE;
}
