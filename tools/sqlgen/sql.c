/* SPDX-License-Identifier: Apache-2.0 */
/* Reads annotated SQL files: which queries there are, what row message they
 * give, how many parameters they take. */
#include "sql.h"

#include "../common/grow.h"

#include <ctype.h>

__attribute__((format(printf, 3, 4))) static void refuse(struct sql_file *file, int line,
                                                         const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_printf(&file->errors, "%s:%d: %s\n", file->path, line,
                  arena_vprintf(file->arena, fmt, ap));
    va_end(ap);
}

/* The end of the quoted text or comment that begins at p, p when none does.
 * *ret_open when the text ends before it does. */
static const char *skip_quoted(const char *p, bool *ret_open)
{
    static const struct {
        const char *begin, *end;
    } quotes[] = {{"'", "'"}, {"\"", "\""}, {"$$", "$$"}, {"/*", "*/"}, {"--", "\n"}};
    *ret_open = false;
    for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
        size_t len = strlen(quotes[i].begin);
        if (strncmp(p, quotes[i].begin, len) != 0)
            continue;
        const char *end = strstr(p + len, quotes[i].end);
        *ret_open = !end;
        return end ? end + strlen(quotes[i].end) : p + strlen(p);
    }
    return p;
}

/* The next character at or after p that is neither quoted nor commented out;
 * *ret_open when the text ends within a quote. */
static const char *next_plain(const char *p, bool *ret_open)
{
    for (;;) {
        const char *after = skip_quoted(p, ret_open);
        if (after == p || *ret_open)
            return after;
        p = after;
    }
}

static bool ends_quoted(const char *sql)
{
    bool open = false;
    for (const char *p = next_plain(sql, &open); *p; p = next_plain(p + 1, &open))
        ;
    return open;
}

int sql_params(const char *sql)
{
    bool used[SQL_PARAMS_MAX + 1] = {false}, open;
    int highest = 0;
    for (const char *p = next_plain(sql, &open); *p; p = next_plain(p + 1, &open)) {
        if (*p != '$' || !isdigit((unsigned char)p[1]))
            continue;
        long number = strtol(p + 1, NULL, 10);
        if (number < 1 || number > SQL_PARAMS_MAX)
            return -SQL_PARAMS_MAX - 1;
        used[number] = true;
        highest = number > highest ? (int)number : highest;
    }
    for (int i = 1; i <= highest; i++)
        if (!used[i])
            return -i;
    return highest;
}

static bool is_name(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
            return false;
    return islower((unsigned char)*text);
}

static bool is_message(const char *text)
{
    return *text &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
               strlen(text);
}

/* words is what follows "-- name:": NAME :KIND [MESSAGE] [:replan]. */
static void read_annotation(struct sql_file *file, int line, char *words)
{
    static const char *const kinds[] = {":one", ":many", ":exec", ":text", ":rows"};
    char *name = strsep(&words, " "), *kind = words ? strsep(&words, " ") : NULL;
    char *message = words ? strsep(&words, " ") : NULL;
    bool known = false, replan = false;
    if (message && strcmp(message, ":replan") == 0) {
        replan = true;
        message = NULL;
    } else if (words && strcmp(words, ":replan") == 0) {
        replan = true;
        words = NULL;
    }
    for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++)
        known = known || strcmp(kind, kinds[i]) == 0;
    if (!is_name(name))
        refuse(file, line, "'%s' is no query name; use <noun>_<verb> in lower_snake_case", name);
    if (!known)
        refuse(file, line, "query %s has kind '%s'; use :one, :many, :exec, :text or :rows", name,
               kind ? kind : "");
    if (words || (message && !is_message(message)))
        refuse(file, line,
               "query %s: after the kind comes one message such as catalog.v1.Skill, then :replan",
               name);
    if (strncmp(name, file->noun, strlen(file->noun)) != 0 || name[strlen(file->noun)] != '_')
        refuse(file, line, "query %s must begin with %s_, the name of its file", name, file->noun);
    for (size_t i = 0; i < file->n; i++)
        if (strcmp(file->queries[i].name, name) == 0)
            refuse(file, line, "query %s is there already, line %d; rename one", name,
                   file->queries[i].line);
    file->queries = grow(file->arena, file->queries, file->n, &file->size, sizeof *file->queries);
    file->queries[file->n++] =
        (struct sql_query){.name = name, .message = message, .line = line, .replan = replan};
}

/* The line's annotation without the words "name:", trimmed, single spaces; NULL
 * when it is an ordinary line. Unknown "-- word:" annotations are refused. */
static char *annotation(struct sql_file *file, int line, const char *text, size_t len)
{
    char *copy = arena_memdup(file->arena, text, len), *word = copy + 2;
    if (strncmp(copy, "--", 2) != 0)
        return NULL;
    word += strspn(word, " \t");
    size_t letters = strspn(word, "abcdefghijklmnopqrstuvwxyz_");
    if (!letters || word[letters] != ':')
        return NULL;
    if (letters != 4 || strncmp(word, "name", 4) != 0) {
        refuse(file, line, "unknown annotation '%.*s:'; known is name, and prose needs no colon",
               (int)letters, word);
        return NULL;
    }
    char *out = word + 5, *to = word + 5;
    for (char *p = out; *p; p++)
        if (!isspace((unsigned char)*p) || (to > out && !isspace((unsigned char)to[-1])))
            *to++ = isspace((unsigned char)*p) ? ' ' : *p;
    while (to > out && to[-1] == ' ')
        to--;
    *to = '\0';
    return out;
}

/* Takes the statement that was gathered for the last query. */
static void finish_query(struct sql_file *file, struct strbuf *body)
{
    if (file->n == 0) {
        strbuf_clear(body);
        return;
    }
    struct sql_query *query = &file->queries[file->n - 1];
    char *sql = arena_strdup(file->arena, strbuf_cstr(body));
    size_t len = strlen(sql);
    while (len && (isspace((unsigned char)sql[len - 1]) || sql[len - 1] == ';'))
        sql[--len] = '\0';
    sql += strspn(sql, " \t\n");
    query->sql = sql;
    query->params = sql_params(sql);
    if (!*sql)
        refuse(file, query->line, "query %s has no statement", query->name);
    if (query->params < -SQL_PARAMS_MAX)
        refuse(file, query->line, "query %s has a parameter beyond $%d", query->name,
               SQL_PARAMS_MAX);
    else if (query->params < 0)
        refuse(file, query->line, "query %s uses no $%d but a higher one; number them from $1 on",
               query->name, -query->params);
    bool open;
    for (const char *p = next_plain(sql, &open); *p; p = next_plain(p + 1, &open))
        if (*p == ';')
            refuse(file, query->line, "query %s has a second statement; give it its own name",
                   query->name);
    strbuf_clear(body);
}

void sql_parse(struct sql_file *file, const char *text)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    int line = 1;
    for (const char *p = text; *p; line++) {
        size_t len = strcspn(p, "\n");
        bool quoted = ends_quoted(strbuf_cstr(&body));
        char *words = quoted ? NULL : annotation(file, line, p, len);
        bool blank = strspn(p, " \t\r") >= len, comment = !quoted && strncmp(p, "--", 2) == 0;
        if (words) {
            finish_query(file, &body);
            read_annotation(file, line, words);
        } else if (file->n == 0 && !blank && !comment) {
            refuse(file, line, "statement without a name; put '-- name: noun_verb :kind' above it");
            break;
        } else if (!comment) {
            strbuf_add(&body, p, len);
            strbuf_char(&body, '\n');
        }
        p += len + (p[len] == '\n');
    }
    finish_query(file, &body);
    if (file->n == 0 && file->errors.len == 0)
        refuse(file, 1, "no query; put '-- name: noun_verb :kind' above each statement");
}
