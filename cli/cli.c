/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: words of failure, options, files, HTTP. */
#include "cli.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 8 << 20, REPLY_MAX = 64 << 20 };

int cli_fail(const struct error *err)
{
    const char *hint = err->hint[0] ? err->hint : NULL;

    (void)fprintf(stderr, "mal: %s\n", err->message[0] ? err->message : status_name(err->status));
    for (unsigned i = 0; i < err->n_fields; i++)
        (void)fprintf(stderr, "  - %s: %s\n", err->fields[i].field, err->fields[i].message);
    if (hint)
        (void)fprintf(stderr, "Try: %s\n", hint);
    return EXIT_FAILED;
}

int cli_usage(const char *fmt, ...)
{
    va_list ap;

    (void)fputs("mal: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputs("\nTry: --help\n", stderr);
    return EXIT_USAGE;
}

const char *cli_option(int argc, char **argv, int *i, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if (argv[*i][len] != '\0' || *i + 1 >= argc)
        return NULL;
    return argv[++*i];
}

bool cli_flag(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}

static const char *binary_dir(struct arena *arena)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    path[n] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return arena_strdup(arena, path);
}

const char *cli_binary(struct arena *arena, const char *name)
{
    const char *dir = binary_dir(arena);
    const char *path = dir ? arena_printf(arena, "%s/%s", dir, name) : NULL;

    return path && access(path, X_OK) == 0 ? path : NULL;
}

const char *cli_share(struct arena *arena, const char *relative)
{
    /* Installed: bin/mal and share/mal-hub; built: build/<preset>/bin/mal. */
    static const char *const roots[] = {"../share/mal-hub", "../../.."};
    const char *dir = binary_dir(arena);

    for (size_t i = 0; dir && i < ARRAY_SIZE(roots); i++) {
        char resolved[PATH_MAX];
        const char *path = arena_printf(arena, "%s/%s/%s", dir, roots[i], relative);

        if (realpath(path, resolved))
            return arena_strdup(arena, resolved);
    }
    return NULL;
}

const char *cli_program(struct arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    const char *all = arena_printf(arena,
                                   "%s:/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/sbin:"
                                   "/usr/lib/postgresql/16/bin:/usr/lib/postgresql/17/bin",
                                   path ? path : "/usr/local/bin:/usr/bin:/bin");

    while (*all) {
        size_t len = strcspn(all, ":");
        const char *candidate = arena_printf(arena, "%.*s/%s", (int)len, all, name);

        if (len > 0 && access(candidate, X_OK) == 0)
            return candidate;
        all += len + (all[len] == ':');
    }
    return NULL;
}

const char *cli_dir(struct arena *arena, const char *option)
{
    const char *dir = option ? option : getenv("MAL_DIR");
    char cwd[PATH_MAX];

    if (!dir)
        dir = ".mal";
    if (dir[0] == '/' || !getcwd(cwd, sizeof cwd))
        return arena_strdup(arena, dir);
    return arena_printf(arena, "%s/%s", cwd, dir);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

char *cli_read_file(struct arena *arena, const char *path, size_t *ret_len)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t len = 0;
    char *data;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        return NULL;
    data = arena_alloc(arena, (size_t)st.st_size + 1);
    while (len < (size_t)st.st_size) {
        ssize_t n = read(fd, data + len, (size_t)st.st_size - len);

        if (n < 0)
            return NULL;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    data[len] = '\0';
    if (ret_len)
        *ret_len = len;
    return data;
}

enum status cli_write_file(const char *path, const void *data, size_t len, struct error *err)
{
    char temporary[PATH_MAX];
    CLEANUP(close_fd) int fd = -1;

    (void)snprintf(temporary, sizeof temporary, "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len || rename(temporary, path) != 0)
        return error_set(err, ST_INTERNAL, "cannot write %s: %s", path, strerror(errno));
    return ST_OK;
}

static size_t collect(char *data, size_t size, size_t n, void *arg)
{
    struct strbuf *body = arg;

    if (body->len + size * n > REPLY_MAX)
        return 0;
    strbuf_add(body, data, size * n);
    return size * n;
}

static void curl_free_handle(CURL **curl)
{
    curl_easy_cleanup(*curl);
}

static void curl_free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

enum status cli_http(struct arena *arena, const struct cli_request *request,
                     struct cli_reply *ret_reply, struct error *err)
{
    CLEANUP(curl_free_handle) CURL *curl = curl_easy_init();
    CLEANUP(curl_free_list) struct curl_slist *list = NULL;
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    CURLcode code;

    for (const char *const *line = request->headers; line && *line; line++)
        list = curl_slist_append(list, *line);
    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &buf);
    if (request->body)
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    code = curl_easy_perform(curl);
    *ret_reply = (struct cli_reply){0};
    if (code != CURLE_OK) {
        error_hint(err, "whether the hub is up (mal up) and the address is right.");
        return error_set(err, ST_UNAVAILABLE, "%s: %s", request->url, curl_easy_strerror(code));
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_reply->status);
    ret_reply->len = buf.len;
    ret_reply->body = arena_memdup(arena, strbuf_cstr(&buf), buf.len);
    return ST_OK;
}
