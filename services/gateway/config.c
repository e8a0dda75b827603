/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's settings table. */
#include "config.h"

#include "svc/settings.h"

#include <string.h>

struct gateway_config config;

#define MIB (1024 * INT64_C(1024))
#define TEXT(env_, default_, field_, help_)                                                        \
    {                                                                                              \
        .env = (env_), .type = SETTING_STRING, .fallback = (default_), .help = (help_),            \
        .target = &config.field_                                                                   \
    }
#define SECRET(env_, field_, help_)                                                                \
    {                                                                                              \
        .env = (env_), .type = SETTING_STRING, .fallback = "", .help = (help_),                    \
        .target = &config.field_, .secret = true                                                   \
    }
#define NUMBER(env_, default_, min_, max_, field_, help_)                                          \
    {                                                                                              \
        .env = (env_), .type = SETTING_INT, .fallback = (default_), .help = (help_),               \
        .target = &config.field_, .min = (min_), .max = (max_)                                     \
    }

const struct setting gateway_settings[] = {
    TEXT("MAL_BIND", "127.0.0.1:8420", bind, "Address and port of the MCP and REST listener."),
    TEXT("MAL_PUBLIC_URL", "", public_url,
         "URL under which users reach the hub, where it differs from the listener's."),
    TEXT("MAL_ALLOWED_HOSTS", "", allowed_hosts,
         "Comma-separated host names accepted in Host besides loopback and the public URL; * = "
         "any."),
    TEXT("MAL_CORS_ORIGINS", "", cors_origins,
         "Comma-separated origins of browser clients that may call the hub."),
    SECRET("MAL_API_KEYS", api_keys,
           "API keys: a JSON object name to key or {key, scopes, expires_at}, a JSON array of "
           "such objects with name, a list name:key,name:key, or one key, which is named "
           "default."),
    SECRET("MAL_KEY_PEPPER", key_pepper,
           "Secret mixed into the hashes of API keys; kept in the bus when empty."),
    SECRET("MAL_STATE_KEY", state_key,
           "Secret that seals state sent to clients; kept in the bus when empty."),
    TEXT("MAL_TRUSTED_KEYS", "default", trusted_keys,
         "Comma-separated names of keys that may change servers and set points."),
    TEXT("MAL_IDENTITY", "default", identity,
         "Name of the caller while no API key exists; only possible on loopback."),
    SETTING_CONFIRM_TOOLS(&config.confirm_tools),
    TEXT(
        "MAL_SPOOL_DIR", "", spool_dir,
        "Folder that keeps answered calls for the audit log while they are not in the bus, so that "
        "a killed process takes none with it; empty = spool in MAL_DIR, if that is set."),
    SETTING_DIR(&config.data_dir, "Folder of the hub's own data."),
    NUMBER("MAL_BODY_LIMIT", "1048576", 1024, 64 * MIB, body_limit,
           "Bytes of a request body, beyond which it gets 413."),
    NUMBER("MAL_IMPORT_BODY_LIMIT", "7340032", 1024, 64 * MIB, import_limit,
           "The same over REST for calls that may hold more: mal_import_catalog and "
           "mal_log_interaction."),
    NUMBER("MAL_CALL_TIMEOUT_MS", "15000", 100, 600000, call_timeout_ms,
           "Milliseconds a tool may take; tools with a timeout of their own get that and 5 s."),
    NUMBER("MAL_CONFIRM_TIMEOUT_MS", "300000", 1000, 3600000, confirm_timeout_ms,
           "Milliseconds a user has to answer a confirmation."),
    NUMBER("MAL_MAX_QUESTIONS", "16", 0, 4096, max_questions,
           "Questions to users of older clients that may wait at the same time; each holds a "
           "thread of the listener."),
    NUMBER("MAL_MAX_PARKED", "256", 0, 100000, max_parked,
           "Calls of older servers that may wait at the same time until a newer client comes back "
           "with its user's answer; an eighth of them of one client."),
    NUMBER("MAL_SESSION_TIMEOUT_MS", "86400000", 100, 2592000000, session_timeout_ms,
           "Milliseconds without use after which a legacy session ends."),
    NUMBER("MAL_MAX_SESSIONS", "10000", 1, 10000000, max_sessions,
           "Legacy sessions of the hub, beyond which new ones get 503."),
    NUMBER("MAL_RATE_LIMIT", "1000", 0, 1000000, rate_limit,
           "Calls a second per API key, beyond which they get 429; 0 = no limit."),
    NUMBER("MAL_FAILURE_LIMIT", "10", 1, 1000000, failure_limit,
           "Wrong API keys a minute per address, beyond which it gets 429."),
    NUMBER("MAL_LIST_PAGE", "200", 1, 1000, list_page, "Entries of one page of an MCP list."),
    SETTING_SECRET_KEYS(&config.secret_keys),
    SETTING_ENV_ALLOW(&config.env_allow),
    NUMBER("MAL_PROXY_TIMEOUT_MS", "60000", 1000, 300000, proxy_timeout_ms,
           "Milliseconds a downstream server may take to answer, where neither the call nor the "
           "server's policy says otherwise."),
    NUMBER("MAL_PROXY_MAX_INFLIGHT", "16", 1, 1000, proxy_max_inflight,
           "Calls of one gateway that a downstream server may run at once, where its policy does "
           "not say otherwise."),
    NUMBER("MAL_CONNECT_TIMEOUT_MS", "5000", 100, 60000, connect_timeout_ms,
           "Milliseconds to connect to a downstream server, where its policy does not say "
           "otherwise."),
    NUMBER("MAL_BREAKER_FAULTS", "5", 0, 1000, breaker_faults,
           "Faults and timeouts of a downstream server in a row, after which a gateway leaves it "
           "alone for a while; 0 = never."),
    NUMBER("MAL_BREAKER_PAUSE_MS", "1000", 10, 600000, breaker_pause_ms,
           "Milliseconds of the first such pause; it doubles when the one call that is tried after "
           "it fails, too."),
    NUMBER("MAL_BREAKER_PAUSE_MAX_MS", "30000", 10, 3600000, breaker_pause_max_ms,
           "Longest such pause."),
    {0},
};

const char *config_list_next(const char **cursor, size_t *ret_len)
{
    const char *word;

    *cursor += strspn(*cursor, ", \t");
    word = *cursor;
    if (*word == '\0')
        return NULL;
    *ret_len = strcspn(word, ",");
    *cursor += *ret_len;
    while (word[*ret_len - 1] == ' ' || word[*ret_len - 1] == '\t')
        --*ret_len;
    return word;
}

bool config_list_has(const char *list, const char *word)
{
    const char *part;
    size_t len;

    while ((part = config_list_next(&list, &len)) != NULL)
        if (len == strlen(word) && memcmp(part, word, len) == 0)
            return true;
    return false;
}
