/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of settings tables that several processes have: what an operator reads of them
 * and what they are by default is the same everywhere. at: a const char **. */
#pragma once

#include "base/settings.h"

#define DEFAULT_CONFIRM_TOOLS                                                                      \
    "mal_delete_skill,mal_delete_project,mal_import_catalog,mal_execute_command"

#define SETTING_CONFIRM_TOOLS(at)                                                                  \
    {                                                                                              \
        .env = "MAL_CONFIRM_TOOLS", .type = SETTING_STRING, .fallback = DEFAULT_CONFIRM_TOOLS,     \
        .help = "Comma-separated tools that act only after the user agreed.", .target = (at)       \
    }
#define SETTING_STDIO_ALLOW(at)                                                                    \
    {                                                                                              \
        .env = "MAL_STDIO_ALLOW", .type = SETTING_STRING, .fallback = "",                          \
        .help = "Comma-separated programs that may be started as downstream servers, names or "    \
                "absolute paths; * is any.",                                                       \
        .target = (at)                                                                             \
    }
#define SETTING_ENV_ALLOW(at)                                                                      \
    {                                                                                              \
        .env = "MAL_ENV_ALLOW", .type = SETTING_STRING, .fallback = "",                            \
        .help = "Comma-separated variables that ${env:NAME} in env_vars and headers may read.",    \
        .target = (at)                                                                             \
    }
#define SETTING_SECRET_KEYS(at)                                                                    \
    {                                                                                              \
        .env = "MAL_SECRET_KEYS", .type = SETTING_STRING, .fallback = "",                          \
        .help = "Keys that seal secrets of downstream servers, id:64 hexadecimal digits; the "     \
                "first seals, all that follow a comma still open.",                                \
        .target = (at), .secret = true                                                             \
    }
/* MAL_DIR: what the process does with the folder differs. */
#define SETTING_DIR(at, words)                                                                     \
    {                                                                                              \
        .env = "MAL_DIR", .type = SETTING_STRING, .fallback = "", .help = (words), .target = (at)  \
    }
