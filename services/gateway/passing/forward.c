/* SPDX-License-Identifier: Apache-2.0 */
/* Passing headers on. */
#include "forward.h"

#include "mcp/header.h"

#include <string.h>
#include <strings.h>

/* The operator's own value of a header is not replaced. */
static bool is_set(const McpHealth__Server *row, const char *name)
{
    for (size_t i = 0; i < row->n_headers; i++)
        if (strcasecmp(row->headers[i]->key, name) == 0)
            return true;
    return false;
}

/* Connection may name further headers that end here. */
static bool ends_here(struct http_request *req, const char *name)
{
    const char *list = http_header(req, "Connection"), *word;
    size_t len;

    while (list != NULL && (word = config_list_next(&list, &len)) != NULL)
        if (len == strlen(name) && strncasecmp(word, name, len) == 0)
            return true;
    return false;
}

/* The caller's key, sent once more under another name. */
static bool holds_key(struct http_request *req, const char *value)
{
    const char *key = http_header(req, "x-api-key"), *bearer = http_header(req, "Authorization");

    if (bearer != NULL && (bearer = strchr(bearer, ' ')) != NULL)
        bearer += strspn(bearer, " ");
    return (key != NULL && *key != '\0' && strstr(value, key) != NULL) ||
           (bearer != NULL && *bearer != '\0' && strstr(value, bearer) != NULL);
}

size_t forward_headers(struct exchange *x, const struct server *server,
                       const struct downstream_header **ret_headers)
{
    const McpHealth__Policy *policy = server->config->policy;
    static const struct downstream_header none;
    struct downstream_header *headers;
    size_t n = 0;

    *ret_headers = &none;
    if (policy == NULL || policy->n_forward_headers == 0)
        return 0;
    headers = arena_alloc(x->arena, policy->n_forward_headers * sizeof(*headers));
    for (size_t i = 0; i < policy->n_forward_headers; i++) {
        const char *name = policy->forward_headers[i], *value = http_header(x->req, name);

        if (value != NULL && http_header_count(x->req, name) == 1 && mcp_header_may_pass(name) &&
            !is_set(server->config, name) && !ends_here(x->req, name) && !holds_key(x->req, value))
            headers[n++] = (struct downstream_header){name, value};
    }
    *ret_headers = headers;
    return n;
}
