/* SPDX-License-Identifier: Apache-2.0 */
/* Request paths, forwarded addresses and requests that are still arriving:
 * whatever is accepted keeps its promises. */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void try_path(const char *raw, size_t len)
{
    char *path = malloc(len + 1);
    size_t n;

    must(path != NULL);
    if (path_decode(raw, len, path)) {
        n = strlen(path);
        must(n <= len && path[0] == '/');
        must(!strstr(path, "//") && !strstr(path, "/../") && !strstr(path, "/./"));
        must(n < 3 || strcmp(path + n - 3, "/..") != 0);
        must(!strchr(path, '\\') && !strchr(path, '\n'));
    }
    free(path);
}

static void try_forwarded(const char *text)
{
    struct mg_request_info info = {.num_headers = 1};
    struct trusted *trusted = NULL;
    struct arena arena;

    arena_init(&arena);
    info.http_headers[0] = (struct mg_header){"X-Forwarded-For", text};
    must(trusted_parse("10.0.0.0/8,2001:db8::/33", &trusted, NULL) == ST_OK);
    must(*trusted_client(trusted, "10.0.0.1", &info, &arena) != '\0');
    trusted_free(trusted);
    if (trusted_parse(text, &trusted, NULL) == ST_OK)
        trusted_free(trusted);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    must(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    try_path(text, size);
    try_forwarded(text);
    (void)peek_is_whole(text, size, &(size_t){0});
    free(text);
    return 0;
}
