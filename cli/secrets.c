/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords of the private stack: made once, kept in a file only its owner
 * reads. */
#include "stack.h"

#include "base/ids.h"

#include <stdlib.h>
#include <string.h>

enum { SECRETS_MAX = 64 };

static struct secret {
    const char *name, *value;
} secrets[SECRETS_MAX];
static size_t n_secrets;

static const char *secrets_path(struct stack *stack)
{
    return arena_printf(&stack->arena, "%s/secrets", stack->dir);
}

enum status secrets_load(struct stack *stack, struct error *err)
{
    char *text = cli_read_file(&stack->arena, secrets_path(stack), NULL);
    char *save = NULL;

    n_secrets = 0;
    if (!text)
        return ST_OK;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, '=');

        if (!value || n_secrets >= SECRETS_MAX)
            return error_set(err, ST_INTERNAL, "%s is damaged; remove the folder %s to begin anew",
                             secrets_path(stack), stack->dir);
        *value++ = '\0';
        secrets[n_secrets++] = (struct secret){line, value};
    }
    return ST_OK;
}

const char *secret_get(struct stack *stack, const char *name)
{
    char token[TOKEN_SIZE];

    for (size_t i = 0; i < n_secrets; i++)
        if (strcmp(secrets[i].name, name) == 0)
            return secrets[i].value;
    if (n_secrets >= SECRETS_MAX)
        abort();
    token_hex(token);
    /* nats-server reads variables as values of its configuration: a text that
     * begins with a digit would be taken for a number. */
    secrets[n_secrets] = (struct secret){arena_strdup(&stack->arena, name),
                                         arena_printf(&stack->arena, "p%s", token)};
    return secrets[n_secrets++].value;
}

const char *secret_sealing_key(struct stack *stack)
{
    char one[TOKEN_SIZE], two[TOKEN_SIZE];
    const char *name = "MAL_SECRET_KEYS";

    for (size_t i = 0; i < n_secrets; i++)
        if (strcmp(secrets[i].name, name) == 0)
            return secrets[i].value;
    if (n_secrets >= SECRETS_MAX)
        abort();
    token_hex(one);
    token_hex(two);
    secrets[n_secrets] =
        (struct secret){name, arena_printf(&stack->arena, "k1:%.32s%.32s", one, two)};
    return secrets[n_secrets++].value;
}

enum status secrets_save(struct stack *stack, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < n_secrets; i++)
        strbuf_printf(&out, "%s=%s\n", secrets[i].name, secrets[i].value);
    return cli_write_file(secrets_path(stack), strbuf_cstr(&out), out.len, err);
}
