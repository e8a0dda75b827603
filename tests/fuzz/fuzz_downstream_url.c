/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the URL of a server: what is taken can be sent. */
#include "downstream/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct url url;
    struct error err = {0};

    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (url_parse(text, &url, &err) == ST_OK) {
        if (!*url.host || !*url.port || !*url.authority || !*url.target ||
            strpbrk(url.authority, " \r\n@/#") || strpbrk(url.target, " \r\n#"))
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    free(text);
    return 0;
}
