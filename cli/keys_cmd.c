/* SPDX-License-Identifier: Apache-2.0 */
/* mal keys: add, list, show, rotate, revoke. */
#include "keys.h"

#include "base/clock.h"
#include "mcp/apikey.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROTATE_GRACE_MS = 24 * 3600 * 1000 };

static const char keys_help[] =
    "Usage: mal keys add NAME [--scopes read,write|all] [--servers ID,ID] [--expires 30d|RFC3339]\n"
    "       mal keys list\n"
    "       mal keys show ID\n"
    "       mal keys rotate ID     the old secret works for 24 hours more\n"
    "       mal keys revoke ID\n\n"
    "  --dir DIR   folder of the private stack (default .mal); MAL_NATS_URL,\n"
    "              MAL_NATS_USER and MAL_NATS_PASSWORD name another hub\n"
    "  --servers   downstream and virtual MCP servers that the key may use; without it all\n"
    "  --json      print JSON\n\n"
    "A secret is shown once, when it is made.\n";

struct keys_options {
    const char *dir, *scopes, *servers, *expires, *words[2];
    int n_words;
    bool json;
};

static const char *key_state(const Gateway__ApiKey *key)
{
    int64_t expires;

    if (*key->revoked_at)
        return "revoked";
    if (*key->expires_at && clock_parse(key->expires_at, &expires) && expires <= clock_wall_ms())
        return "expired";
    return "active";
}

static void put_text(struct strbuf *out, const char *name, const char *value)
{
    if (!*value)
        return;
    strbuf_printf(out, ",\"%s\":", name);
    json_put_string(out, value);
}

static void key_json(struct strbuf *out, const Gateway__ApiKey *key, const char *secret)
{
    strbuf_str(out, "{\"id\":");
    json_put_string(out, key->id);
    put_text(out, "name", key->name);
    put_text(out, "prefix", key->prefix);
    strbuf_str(out, ",\"scopes\":[");
    for (size_t i = 0; i < key->n_scopes; i++) {
        if (i)
            strbuf_char(out, ',');
        json_put_string(out, key->scopes[i]);
    }
    strbuf_char(out, ']');
    put_text(out, "created_at", key->created_at);
    put_text(out, "expires_at", key->expires_at);
    put_text(out, "state", key_state(key));
    put_text(out, "secret", secret ? secret : "");
    strbuf_char(out, '}');
}

static void key_line(struct strbuf *out, const Gateway__ApiKey *key)
{
    strbuf_printf(out, "%s  %-20s %s…  %-8s ", key->id, key->name, key->prefix, key_state(key));
    for (size_t i = 0; i < key->n_scopes; i++)
        strbuf_printf(out, "%s%s", i ? "," : "", key->scopes[i]);
    if (*key->expires_at)
        strbuf_printf(out, "  expires %s", key->expires_at);
    strbuf_char(out, '\n');
}

/* "30d", "12h" or an RFC 3339 time. */
static enum status parse_expiry(const char *text, char out[TIMESTAMP_SIZE], struct error *err)
{
    char *end;
    long n = strtol(text, &end, 10);
    int64_t at = 0;

    out[0] = '\0';
    if (!text[0])
        return ST_OK;
    if (n > 0 && n < 100000 && strcmp(end, "d") == 0)
        at = clock_wall_ms() + (int64_t)n * 24 * 3600 * 1000;
    else if (n > 0 && n < 100000 && strcmp(end, "h") == 0)
        at = clock_wall_ms() + (int64_t)n * 3600 * 1000;
    else if (!clock_parse(text, &at) || at <= clock_wall_ms())
        return error_set(err, ST_INVALID_ARGUMENT,
                         "--expires: days (30d), hours (12h) or an RFC 3339 time to come");
    clock_format(at, out);
    return ST_OK;
}

static enum status run_add(struct keys *keys, const struct keys_options *options,
                           struct strbuf *out, struct error *err)
{
    char expires[TIMESTAMP_SIZE];
    const char *secret;
    Gateway__ApiKey *key;

    TRY(parse_expiry(options->expires ? options->expires : "", expires, err));
    TRY(keys_add(keys,
                 &(struct key_wish){.name = options->words[1],
                                    .scopes = options->scopes ? options->scopes : "read,write",
                                    .servers = options->servers ? options->servers : "",
                                    .expires_at = expires},
                 &secret, err));
    TRY(keys_find(keys, options->words[1], &key, err));
    if (options->json) {
        key_json(out, key, secret);
        strbuf_char(out, '\n');
        return ST_OK;
    }
    key_line(out, key);
    strbuf_printf(out, "\n%s\n\nKeep it now: it is not shown again.\n", secret);
    return ST_OK;
}

static enum status run_list(struct keys *keys, const struct keys_options *options,
                            struct strbuf *out, struct error *err)
{
    struct keys_list list;

    TRY(keys_list(keys, &list, err));
    if (options->json)
        strbuf_char(out, '[');
    for (size_t i = 0; i < list.n; i++) {
        if (!options->json) {
            key_line(out, list.keys[i]);
            continue;
        }
        if (i)
            strbuf_char(out, ',');
        key_json(out, list.keys[i], NULL);
    }
    if (options->json)
        strbuf_str(out, "]\n");
    else if (list.n == 0)
        strbuf_str(out, "No keys yet. Try: mal keys add NAME\n");
    return ST_OK;
}

static void print_key(const struct keys_options *options, struct strbuf *out,
                      const Gateway__ApiKey *key, const char *secret)
{
    if (options->json) {
        key_json(out, key, secret);
        strbuf_char(out, '\n');
        return;
    }
    key_line(out, key);
    if (secret)
        strbuf_printf(out, "\n%s\n\nKeep it now: it is not shown again.\n", secret);
}

static enum status run_rotate(struct keys *keys, const struct keys_options *options,
                              struct strbuf *out, struct error *err)
{
    char secret[APIKEY_SECRET_SIZE], prefix[APIKEY_PREFIX_SIZE], until[TIMESTAMP_SIZE];
    unsigned char hash[APIKEY_HASH_SIZE];
    Gateway__ApiKey *key;

    TRY(keys_find(keys, options->words[1], &key, err));
    if (*key->revoked_at)
        return error_set(err, ST_FAILED_PRECONDITION, "the key is revoked");
    apikey_make(secret);
    apikey_prefix(secret, prefix);
    apikey_hash(keys->pepper, secret, strlen(secret), hash);
    clock_format(clock_wall_ms() + ROTATE_GRACE_MS, until);
    key->previous_hash = key->hash;
    key->previous_valid_until = until;
    key->hash = (ProtobufCBinaryData){.len = sizeof hash, .data = hash};
    key->prefix = prefix;
    TRY(keys_store(keys, key, err));
    print_key(options, out, key, secret);
    return ST_OK;
}

static enum status run_revoke(struct keys *keys, const struct keys_options *options,
                              struct strbuf *out, struct error *err)
{
    char now[TIMESTAMP_SIZE];
    Gateway__ApiKey *key;

    TRY(keys_find(keys, options->words[1], &key, err));
    clock_format(clock_wall_ms(), now);
    if (!*key->revoked_at)
        key->revoked_at = now;
    TRY(keys_store(keys, key, err));
    print_key(options, out, key, NULL);
    return ST_OK;
}

static enum status run_show(struct keys *keys, const struct keys_options *options,
                            struct strbuf *out, struct error *err)
{
    Gateway__ApiKey *key;

    TRY(keys_find(keys, options->words[1], &key, err));
    print_key(options, out, key, NULL);
    return ST_OK;
}

static const struct verb {
    const char *name;
    bool takes_key;
    enum status (*run)(struct keys *, const struct keys_options *, struct strbuf *, struct error *);
} verbs[] = {
    {"add", true, run_add},       {"list", false, run_list},    {"show", true, run_show},
    {"rotate", true, run_rotate}, {"revoke", true, run_revoke},
};

static int keys_run(const struct verb *verb, const struct keys_options *options)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct hub hub = {0};
    struct keys keys = {0};
    struct error err = {0};
    enum status st = hub_open_dir(&hub, options->dir, &err);

    if (st == ST_OK)
        st = keys_open(&keys, &hub, &err);
    if (st == ST_OK)
        st = verb->run(&keys, options, &out, &err);
    keys_done(&keys);
    hub_close(&hub);
    if (st != ST_OK)
        return cli_fail(&err);
    (void)fputs(strbuf_cstr(&out), stdout);
    return EXIT_DONE;
}

int cmd_keys(int argc, char **argv)
{
    struct keys_options options = {0};

    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--dir")))
            options.dir = value;
        else if ((value = cli_option(argc, argv, &i, "--scopes")))
            options.scopes = value;
        else if ((value = cli_option(argc, argv, &i, "--servers")))
            options.servers = value;
        else if ((value = cli_option(argc, argv, &i, "--expires")))
            options.expires = value;
        else if (cli_flag(argv[i], "--json"))
            options.json = true;
        else if (cli_flag(argv[i], "--help"))
            return fputs(keys_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else if (argv[i][0] == '-' || options.n_words == 2)
            return cli_usage("keys: '%s' is one word too many", argv[i]);
        else
            options.words[options.n_words++] = argv[i];
    }
    for (size_t i = 0; options.n_words > 0 && i < ARRAY_SIZE(verbs); i++) {
        if (strcmp(options.words[0], verbs[i].name) != 0)
            continue;
        if (options.n_words != 1 + verbs[i].takes_key)
            return cli_usage("keys %s takes %s", verbs[i].name,
                             verbs[i].takes_key ? "a name or an id" : "no name");
        return keys_run(&verbs[i], &options);
    }
    return cli_usage("keys needs add, list, show, rotate or revoke");
}
