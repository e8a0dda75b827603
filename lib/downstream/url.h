/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of servers: http and https, split for connecting. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum { URL_HOST_MAX = 255 };

struct url {
    bool tls;
    char host[URL_HOST_MAX + 1]; /* without brackets */
    char port[6];
    bool numeric;       /* host is an address */
    const char *target; /* path and query, borrowed; "/" when there is none, may begin with "?" */
    char authority[URL_HOST_MAX + 10]; /* for Host: port only when it is not the usual one */
};

/* INVALID_ARGUMENT for another scheme, user or password, a fragment, blanks and
 * control characters, a bad port. */
enum status url_parse(const char *text, struct url *ret_url, struct error *err) MUST_CHECK;
