/* SPDX-License-Identifier: Apache-2.0 */
/* Members as git knows them. */
#include "git_people.h"

#include "git.h"
#include "git_people.sql.h"

#include <locale.h>
#include <wctype.h>

enum { FOLDED_MAX = 6 * GIT_NAME_MAX };

/* The next character of valid UTF-8. */
static wchar_t decode(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
    wchar_t c = more == 0 ? *p : *p & (0x3f >> more);

    for (int i = 1; i <= more && (p[i] & 0xc0) == 0x80; i++)
        c = (wchar_t)((c << 6) | (p[i] & 0x3f));
    *text += more + 1;
    return c;
}

static size_t encode(wchar_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Made once and kept; a machine without it knows A to Z only. */
static locale_t unicode(void)
{
    static _Atomic(locale_t) made;
    locale_t locale = made, none = NULL;

    if (locale)
        return locale;
    locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (!locale)
        locale = newlocale(LC_CTYPE_MASK, "C", NULL);
    if (locale && !__atomic_compare_exchange_n((locale_t *)&made, &none, locale, false,
                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        freelocale(locale);
        locale = made;
    }
    return locale;
}

void git_fold(const char *text, char *out, size_t size)
{
    locale_t locale = unicode();
    size_t len = 0;

    while (*text && len + 5 <= size) {
        wchar_t c = decode(&text);

        len += encode(locale ? (wchar_t)towlower_l((wint_t)c, locale) : c, out + len);
    }
    out[len] = '\0';
}

static const char *folded(struct call *call, const char *text)
{
    char out[FOLDED_MAX];

    git_fold(text ? text : "", out, sizeof(out));
    return arena_strdup(call->arena, out);
}

enum status git_people_load(struct call *call, struct git_people *ret_people)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_git_people_all, ""));
    ret_people->n = (size_t)rows.n;
    ret_people->items = arena_alloc(call->arena, ret_people->n * sizeof(*ret_people->items));
    for (int i = 0; i < rows.n; i++)
        ret_people->items[i] = (struct git_person){
            .id = pg_cell(&rows, i, "id"),
            .name = pg_cell(&rows, i, "name"),
            .folded_name = folded(call, pg_cell(&rows, i, "name")),
            .folded_email = folded(call, pg_cell(&rows, i, "email")),
        };
    return ST_OK;
}

static bool begins(const char *text, const char *name)
{
    size_t len = strlen(name);

    return strncmp(text, name, len) == 0 && text[len] == ' ';
}

const struct git_person *git_people_find(const struct git_people *people, const char *name,
                                         const char *email)
{
    const struct git_person *named = NULL, *beginning = NULL;
    int n_named = 0, n_beginning = 0;
    char its_name[FOLDED_MAX], its_email[FOLDED_MAX];

    git_fold(name, its_name, sizeof(its_name));
    git_fold(email, its_email, sizeof(its_email));
    for (size_t i = 0; i < people->n; i++) {
        const struct git_person *person = &people->items[i];

        if (*its_email && strcmp(person->folded_email, its_email) == 0)
            return person;
        if (strcmp(person->folded_name, its_name) == 0) {
            named = person;
            n_named++;
        } else if (begins(its_name, person->folded_name)) {
            beginning = person;
            n_beginning++;
        }
    }
    if (n_named)
        return n_named == 1 ? named : NULL;
    return n_beginning == 1 ? beginning : NULL;
}
