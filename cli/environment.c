/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of the stack find in their environment. */
#include "stack.h"

#include <stdio.h>
#include <string.h>

enum { KNOWN_MAX = 16 };

extern char **environ;

/* What --print-config of a binary printed, kept for the run. */
static struct known {
    const char *binary, *config;
} known[KNOWN_MAX];
static size_t n_known;

static const char *binary_config(struct stack *stack, const char *binary)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    char line[1024];
    FILE *pipe;

    for (size_t i = 0; i < n_known; i++)
        if (strcmp(known[i].binary, binary) == 0)
            return known[i].config;
    strbuf_str(&out, "\n");
    /* The path is our own folder's; quoted for blanks in it. */
    pipe = popen(arena_printf(&stack->arena, "'%s' --print-config 2>/dev/null", binary), "r");
    while (pipe && fgets(line, sizeof line, pipe))
        strbuf_str(&out, line);
    if (pipe)
        (void)pclose(pipe);
    if (n_known < KNOWN_MAX)
        known[n_known++] = (struct known){arena_strdup(&stack->arena, binary),
                                          arena_strdup(&stack->arena, strbuf_cstr(&out))};
    return known[n_known - 1].config;
}

bool stack_binary_knows(struct stack *stack, const char *binary, const char *entry)
{
    const char *key = arena_printf(&stack->arena, "\n%.*s=", (int)strcspn(entry, "="), entry);

    return strstr(binary_config(stack, binary), key) != NULL;
}

const char **stack_env(struct stack *stack, const char *binary, const char *const *extra)
{
    size_t n = 0, count = 0, n_extra = 0;
    const char **env;

    while (environ[count])
        count++;
    while (extra && extra[n_extra])
        n_extra++;
    env = arena_alloc(&stack->arena, (count + n_extra + 1) * sizeof *env);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "MAL_", 4) != 0 ||
            (binary && stack_binary_knows(stack, binary, environ[i])))
            env[n++] = environ[i];
    /* Ours come last and win: the first of doubled names would be read. */
    for (size_t i = 0; i < n_extra; i++) {
        size_t len = strcspn(extra[i], "=");

        for (size_t j = 0; j < n; j++)
            if (strncmp(env[j], extra[i], len + 1) == 0)
                env[j] = env[--n];
        env[n++] = extra[i];
    }
    return env;
}
