/* SPDX-License-Identifier: Apache-2.0 */
/* mal events: rebuilding what a service made of the event stream. */
#include "hub.h"

#include "mal/catalog/v1/catalog.api.h"
#include "mal/gamify/v1/gamify.api.h"
#include "mal/v1/tool.pb-c.h"

#include <stdio.h>
#include <string.h>

enum { REPLAY_TIMEOUT_MS = 3600000 };

static const char events_help[] =
    "Usage: mal events replay SERVICE [--dry-run] [--json] [--dir DIR]\n\n"
    "Makes the tables that SERVICE fills from events anew from the event stream, in one\n"
    "transaction, while everything runs on. What is older than the stream (30 days) stays.\n"
    "  catalog  the log of tool calls\n"
    "  gamify   ledger, achievements, use of tools, XP, levels and streaks\n\n"
    "  --dry-run   only tell what would change\n"
    "  --json      print the result as JSON\n"
    "  --dir DIR   folder of the private stack (default .mal)\n";

struct events_options {
    const char *dir, *service;
    bool json, dry_run, help;
};

/* The reply of any service's Replay. */
struct replayed {
    size_t n_tables;
    Mal__ReplayedTable *const *tables;
    int events;
    const char *since;
};

static enum status replay_catalog(struct hub *hub, struct call *call, bool dry_run,
                                  struct replayed *ret)
{
    Catalog__ReplayRequest req = CATALOG__REPLAY_REQUEST__INIT;
    Catalog__ReplayResponse *rsp = NULL;

    req.dry_run = dry_run;
    TRY(catalog_replay_call(hub->bus, call, &req, REPLAY_TIMEOUT_MS, &rsp));
    *ret = (struct replayed){
        .n_tables = rsp->n_tables,
        .tables = rsp->tables,
        .events = rsp->events,
        .since = rsp->since,
    };
    return ST_OK;
}

static enum status replay_gamify(struct hub *hub, struct call *call, bool dry_run,
                                 struct replayed *ret)
{
    Gamify__ReplayRequest req = GAMIFY__REPLAY_REQUEST__INIT;
    Gamify__ReplayResponse *rsp = NULL;

    req.dry_run = dry_run;
    TRY(gamify_replay_call(hub->bus, call, &req, REPLAY_TIMEOUT_MS, &rsp));
    *ret = (struct replayed){
        .n_tables = rsp->n_tables,
        .tables = rsp->tables,
        .events = rsp->events,
        .since = rsp->since,
    };
    return ST_OK;
}

static const struct replayer {
    const char *service;
    enum status (*run)(struct hub *hub, struct call *call, bool dry_run, struct replayed *ret);
} replayers[] = {
    {"catalog", replay_catalog},
    {"gamify", replay_gamify},
};

static void print_json(const struct events_options *options, const struct replayed *replayed)
{
    (void)printf("{\"service\":\"%s\",\"dry_run\":%s,\"events\":%d,\"since\":\"%s\",\"tables\":[",
                 options->service, options->dry_run ? "true" : "false", replayed->events,
                 replayed->since);
    for (size_t i = 0; i < replayed->n_tables; i++) {
        const Mal__ReplayedTable *table = replayed->tables[i];

        (void)printf("%s{\"name\":\"%s\",\"rows\":%d,\"added\":%d,\"changed\":%d,\"removed\":%d,"
                     "\"kept\":%d}",
                     i ? "," : "", table->name, table->rows, table->added, table->changed,
                     table->removed, table->kept);
    }
    (void)puts("]}");
}

static void print_words(const struct events_options *options, const struct replayed *replayed)
{
    (void)printf("%d events; the stream is complete since %s\n", replayed->events, replayed->since);
    for (size_t i = 0; i < replayed->n_tables; i++) {
        const Mal__ReplayedTable *table = replayed->tables[i];

        (void)printf("%s: %d rows, %d added, %d changed, %d removed, %d older ones kept\n",
                     table->name, table->rows, table->added, table->changed, table->removed,
                     table->kept);
    }
    if (options->dry_run)
        (void)puts("Nothing was written (--dry-run).");
}

static enum status replay(const struct events_options *options, const struct replayer *replayer,
                          struct error *err)
{
    struct replayed replayed = {0};
    struct hub hub = {0};
    struct call call;
    enum status st = hub_open_dir(&hub, options->dir, err);

    if (st == ST_OK) {
        call = hub_call(&hub, REPLAY_TIMEOUT_MS);
        st = replayer->run(&hub, &call, options->dry_run, &replayed);
        if (st != ST_OK)
            error_set(err, st, "%s", call.error.message);
        else if (options->json)
            print_json(options, &replayed);
        else
            print_words(options, &replayed);
    }
    hub_close(&hub);
    return st;
}

static int parse(struct events_options *options, int argc, char **argv)
{
    if (argc > 1 && cli_flag(argv[1], "--help")) {
        options->help = true;
        return EXIT_DONE;
    }
    if (argc < 2 || strcmp(argv[1], "replay") != 0)
        return cli_usage("events takes: replay SERVICE");
    for (int i = 2; i < argc; i++) {
        const char *value = cli_option(argc, argv, &i, "--dir");

        if (value)
            options->dir = value;
        else if (cli_flag(argv[i], "--json"))
            options->json = true;
        else if (cli_flag(argv[i], "--dry-run"))
            options->dry_run = true;
        else if (cli_flag(argv[i], "--help"))
            options->help = true;
        else if (argv[i][0] == '-' || options->service)
            return cli_usage("what is '%s'?", argv[i]);
        else
            options->service = argv[i];
    }
    if (!options->help && !options->service)
        return cli_usage("replay takes the name of a service");
    return EXIT_DONE;
}

int cmd_events(int argc, char **argv)
{
    struct events_options options = {0};
    struct error err = {0};
    int code = parse(&options, argc, argv);

    if (code != EXIT_DONE)
        return code;
    if (options.help) {
        (void)fputs(events_help, stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; options.service && i < ARRAY_SIZE(replayers); i++)
        if (strcmp(replayers[i].service, options.service) == 0)
            return replay(&options, &replayers[i], &err) == ST_OK ? EXIT_DONE : cli_fail(&err);
    return cli_usage("'%s' has no tables that are filled from events; catalog and gamify "
                     "have",
                     options.service);
}
