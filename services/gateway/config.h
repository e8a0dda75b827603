/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the gateway, written before threads start. */
#pragma once

#include "base/settings.h"

struct gateway_config {
    const char *bind, *public_url, *allowed_hosts, *cors_origins;
    const char *api_keys, *key_pepper, *state_key, *trusted_keys, *identity;
    const char *confirm_tools;
    const char *secret_keys, *env_allow;
    const char *spool_dir, *data_dir;
    int64_t body_limit, import_limit, max_questions, max_parked;
    int64_t call_timeout_ms, confirm_timeout_ms;
    int64_t session_timeout_ms, max_sessions;
    int64_t rate_limit, failure_limit, list_page;
    int64_t proxy_timeout_ms, proxy_max_inflight, connect_timeout_ms;
    int64_t breaker_faults, breaker_pause_ms, breaker_pause_max_ms;
};

extern struct gateway_config config;
extern const struct setting gateway_settings[];

/* Words of a comma-separated list one by one, without blanks around them; NULL
 * at the end. */
const char *config_list_next(const char **cursor, size_t *ret_len);
/* The comma-separated list holds the word. */
bool config_list_has(const char *list, const char *word);
