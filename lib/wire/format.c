/* SPDX-License-Identifier: Apache-2.0 */
/* Named formats, checked by hand, and patterns. */
#include "wire/internal.h"

#include "base/clock.h"

#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdio.h>

enum { PATTERN_SLOTS = 64 };

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char digits[] = "0123456789";
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool slug_valid(const char *text)
{
    size_t len = strlen(text);

    if (len < 1 || len > 64)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-' ? i == 0 || i + 1 == len || text[i - 1] == '-'
                           : !strchr(lower, text[i]) && !strchr(digits, text[i]))
            return false;
    }
    return true;
}

static bool semver_valid(const char *text)
{
    for (int part = 0; part < 3; part++) {
        size_t n = strspn(text, digits);

        if (n < 1 || n > 9)
            return false;
        text += n;
        if (part < 2 && *text++ != '.')
            return false;
    }
    return *text == '\0';
}

static bool port_valid(const char *text)
{
    size_t n = strspn(text, digits);

    return text[n] == '\0' && n <= 5 && (n == 0 || strtol(text, NULL, 10) <= 65535);
}

/* host, host:port, [v6] or [v6]:port, perhaps after user@. */
static bool authority_valid(const char *text, size_t len)
{
    char host[300];
    const char *at;
    size_t n;

    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    at = strrchr(host, '@');
    at = at ? at + 1 : host;
    if (*at == '[') {
        n = strspn(at + 1, "0123456789abcdefABCDEF:.");
        if (n < 2 || at[1 + n] != ']')
            return false;
        at += n + 2;
    } else {
        n = strspn(at, ALNUM "-._~%");
        if (n == 0)
            return false;
        at += n;
    }
    return *at == '\0' || (*at == ':' && port_valid(at + 1));
}

static bool url_valid(const char *text)
{
    size_t len = strlen(text);

    if (len > 2000)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f ||
            strchr("<>\"{}|\\^`", text[i]))
            return false;
    if (strncmp(text, "https://", 8) == 0)
        text += 8;
    else if (strncmp(text, "http://", 7) == 0)
        text += 7;
    else
        return false;
    return authority_valid(text, strcspn(text, "/?#"));
}

static bool email_valid(const char *text)
{
    size_t len = strlen(text), local = strcspn(text, "@");
    const char *domain = text + local + 1;

    if (len > 254 || local < 1 || local > 64 || text[local] == '\0' || *domain == '\0')
        return false;
    for (size_t i = 0; i < local; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f ||
            strchr("()<>[]:;,\\\"", text[i]))
            return false;
    if (text[0] == '.' || text[local - 1] == '.' || domain[strspn(domain, ALNUM "-.")] != '\0')
        return false;
    return *domain != '.' && *domain != '-' && !strstr(domain, "..") &&
           !strchr(".-", text[len - 1]);
}

static bool item_id_valid(const char *text)
{
    size_t n = strspn(text, ALNUM "-");

    return n >= 1 && n <= 64 && text[n] == '\0' && text[0] != '-';
}

static bool asset_path_valid(const char *text)
{
    size_t n = strspn(text, ALNUM "/_.-");

    return n >= 1 && n <= 200 && text[n] == '\0' && strspn(text, ALNUM) > 0 && !strstr(text, "..");
}

bool format_valid(enum rule_format format, const char *text)
{
    int64_t ignored;

    switch (format) {
    case FORMAT_NONE:
        return true;
    case FORMAT_SLUG:
        return slug_valid(text);
    case FORMAT_SEMVER:
        return semver_valid(text);
    case FORMAT_DATE:
        return clock_date_valid(text);
    case FORMAT_TIMESTAMP:
        return clock_parse(text, &ignored);
    case FORMAT_URL:
        return url_valid(text);
    case FORMAT_EMAIL:
        return email_valid(text);
    case FORMAT_ITEM_ID:
        return item_id_valid(text);
    case FORMAT_ASSET_PATH:
        return asset_path_valid(text);
    }
    return false;
}

const char *format_words(enum rule_format format)
{
    switch (format) {
    case FORMAT_NONE:
        break;
    case FORMAT_SLUG:
        return "must be lower-case letters and digits in words joined by single hyphens, at most "
               "64 characters";
    case FORMAT_SEMVER:
        return "must look like 1.2.3";
    case FORMAT_DATE:
        return "must be a date such as 2026-03-02";
    case FORMAT_TIMESTAMP:
        return "must be a time such as 2026-03-02T09:30:00Z";
    case FORMAT_URL:
        return "must be an absolute http or https URL of at most 2000 characters";
    case FORMAT_EMAIL:
        return "must be an e-mail address";
    case FORMAT_ITEM_ID:
        return "must be letters, digits and hyphens, not beginning with a hyphen, at most 64 "
               "characters";
    case FORMAT_ASSET_PATH:
        return "must be a path of letters, digits and /_.- that begins with a letter or digit, has "
               "no '..' and at most 200 characters";
    }
    return "has the wrong form";
}

struct compiled {
    struct compiled *next;
    const char *pattern; /* of a rule, for ever */
    regex_t regex;
};

/* Patterns are compiled at their first use and kept; readers take no lock. */
static _Atomic(struct compiled *) compiled[PATTERN_SLOTS];
static pthread_mutex_t compile_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct compiled *find(const struct compiled *at, const char *pattern)
{
    while (at && at->pattern != pattern && strcmp(at->pattern, pattern) != 0)
        at = at->next;
    return at;
}

static const struct compiled *compile(const char *pattern, size_t slot)
{
    const struct compiled *known;
    struct compiled *added;
    char why[128];
    int code;

    (void)pthread_mutex_lock(&compile_lock);
    known = find(atomic_load(&compiled[slot]), pattern);
    if (!known) {
        added = calloc(1, sizeof *added);
        if (!added)
            abort();
        added->pattern = pattern;
        code = regcomp(&added->regex, pattern, REG_EXTENDED | REG_NOSUB);
        if (code != 0) {
            /* The pattern is ours, checked by the generator. */
            (void)regerror(code, &added->regex, why, sizeof why);
            (void)fprintf(stderr, "pattern %s: %s\n", pattern, why);
            abort();
        }
        added->next = atomic_load(&compiled[slot]);
        atomic_store(&compiled[slot], added);
        known = added;
    }
    (void)pthread_mutex_unlock(&compile_lock);
    return known;
}

bool pattern_matches(const char *pattern, const char *text)
{
    size_t slot = 5381;
    const struct compiled *known;

    for (const char *p = pattern; *p; p++)
        slot = slot * 33 + (unsigned char)*p;
    slot %= PATTERN_SLOTS;
    known = find(atomic_load(&compiled[slot]), pattern);
    if (!known)
        known = compile(pattern, slot);
    return regexec(&known->regex, text, 0, NULL, 0) == 0;
}
