/* SPDX-License-Identifier: Apache-2.0 */
/* The named formats and what schemas say of them. */
#include "format.h"

#include <string.h>

static const struct format formats[] = {
    {"slug", "FORMAT_SLUG", "^[a-z0-9]+(-[a-z0-9]+)*$", NULL, 1, 64},
    {"semver", "FORMAT_SEMVER", "^[0-9]+\\.[0-9]+\\.[0-9]+$", NULL, 5, 0},
    {"date", "FORMAT_DATE", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "date", 0, 0},
    {"timestamp", "FORMAT_TIMESTAMP", NULL, "date-time", 0, 0},
    {"url", "FORMAT_URL", "^https?://", "uri", 0, 2000},
    {"email", "FORMAT_EMAIL", NULL, "email", 0, 254},
    {"item-id", "FORMAT_ITEM_ID", "^[A-Za-z0-9][A-Za-z0-9-]*$", NULL, 1, 64},
    {"asset-path", "FORMAT_ASSET_PATH", "^[A-Za-z0-9][A-Za-z0-9/_.-]*$", NULL, 1, 200},
};

const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

const char *format_names(void)
{
    return "slug, semver, date, timestamp, url, email, item-id or asset-path";
}
