/* SPDX-License-Identifier: Apache-2.0 */
/* mal, the command-line tool of the hub: finds the command and runs it. */
#include "cli.h"

#include "base/log.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#ifndef MAL_VERSION
#define MAL_VERSION "0.1.0"
#endif

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"up", cmd_up, "start the whole hub privately: Postgres, NATS, services, gateway"},
    {"keys", cmd_keys, "add, list, show, rotate and revoke API keys"},
    {"starter", cmd_starter, "load the starter catalog"},
    {"call", cmd_call, "call a tool: mal call mal_get_skill id=git-workflow-mal"},
    {"mcp", cmd_mcp, "import downstream MCP servers, approve their tools, keep their secrets"},
    {"stdio", cmd_stdio, "bridge a client that only speaks stdio to the hub"},
    {"events", cmd_events, "rebuild what a service made of the event stream"},
    {"doctor", cmd_doctor, "check what this machine needs to run the hub"},
    {"bench", cmd_bench, "measure the hub against this machine's own limits"},
};

static void usage(FILE *out)
{
    (void)fprintf(out, "mal %s, the tool of mal-hub\n\nUsage: mal COMMAND [--help]\n\n",
                  MAL_VERSION);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        (void)fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].help);
}

int main(int argc, char **argv)
{
    int code = EXIT_USAGE;

    if (argc < 2 || cli_flag(argv[1], "--help")) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    if (cli_flag(argv[1], "--version")) {
        (void)printf("mal %s\n", MAL_VERSION);
        return EXIT_DONE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    log_init("mal", LOG_WARN);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            code = commands[i].run(argc - 1, argv + 1);
            curl_global_cleanup();
            return code;
        }
    }
    code = cli_usage("no command '%s'", argv[1]);
    curl_global_cleanup();
    return code;
}
