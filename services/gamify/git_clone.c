/* SPDX-License-Identifier: Apache-2.0 */
/* Clones of https repositories. A fetch goes on in a thread of its own when it
 * takes longer than a call may, and whoever asks meanwhile waits for the same. */
#include "git.h"

#include "base/clock.h"
#include "base/log.h"
#include "git_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 1 << 20, MIB = 1 << 20, URL_MAX = 500, PACKS_MAX = 50 };

struct fetch {
    struct fetch *next;
    char url[URL_MAX + 1];
    int holders; /* calls that wait, and the thread */
    bool done;
    enum status status; /* and why, when done */
    char message[256];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fetch *running;
    int threads;
    atomic_bool stopping;
} fetches = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- addresses ---------------------------------------------------------- */

/* Letters that mean nothing to a shell, to git or to a proxy. */
static bool plain(const char *url)
{
    static const char *const letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~/-";
    const char *host = url + strlen("https://"), *slash = strchr(host, '/');
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");

    if (len == 0 || host[0] == '-' || host[0] == '.')
        return false;
    if (host[len] == ':')
        len += 1 + strspn(host + len + 1, "0123456789");
    if (!slash || slash != host + len || !slash[1] || strlen(url) > URL_MAX)
        return false;
    return slash[strspn(slash, letters)] == '\0' && !strstr(slash, "//") && !strstr(slash, "/.");
}

static bool listed(const char *url)
{
    const char *list = git_config.url_allow, *scheme = "https://";

    url += strlen(scheme);
    for (size_t len; *list; list += len + (list[len] == ',')) {
        const char *entry;
        size_t n;

        list += strspn(list, " ");
        len = strcspn(list, ",");
        entry = strncmp(list, scheme, strlen(scheme)) == 0 ? list + strlen(scheme) : list;
        n = len - (size_t)(entry - list);
        while (n > 0 && (entry[n - 1] == '/' || entry[n - 1] == ' '))
            n--;
        if (n > 0 && strncmp(url, entry, n) == 0 && (url[n] == '/' || url[n] == '\0'))
            return true;
    }
    return false;
}

enum status git_url_check(struct call *call, const char *url)
{
    if (strncmp(url, "https://", strlen("https://")) == 0 && plain(url) && listed(url))
        return ST_OK;
    call_hint(call, "an https address, without user, blanks or escapes, that the operator lists in "
                    "MAL_GIT_URL_ALLOW.");
    return call_fail(call, ST_PERMISSION_DENIED,
                     "This hub may not read a repository at that address.");
}

/* ---- the fetch itself ---------------------------------------------------- */

struct work {
    struct fetch *fetch;
    struct call call; /* for its arena and its error */
    const char *cache, *dir;
    int64_t deadline_ms;
};

static struct git_job job_in(const struct work *work, const char *dir, const char *const *args)
{
    return (struct git_job){.dir = dir,
                            .args = args,
                            .network = true,
                            .deadline_ms = work->deadline_ms,
                            .stop = &fetches.stopping,
                            .output_max = OUTPUT_MAX,
                            .file_max = git_config.cache_mib * MIB};
}

/* The branch that HEAD of the server means, NULL when there is none yet. */
static enum status ask_branch(struct work *work, const char **ret_ref)
{
    const char *args[] = {"ls-remote", "--symref", "--", work->fetch->url, "HEAD", NULL};
    struct git_job job = job_in(work, work->cache, args);
    struct call *call = &work->call;
    enum git_outcome outcome;
    const char *answer, *tab;

    *ret_ref = NULL;
    outcome = git_line(call, &job, &answer);
    if (outcome == GIT_REFUSED &&
        (strstr(job.complaint, "not found") || strstr(job.complaint, "could not read Username")))
        return call_fail(call, ST_NOT_FOUND, "There is no public repository at this address.");
    if (outcome != GIT_DONE) {
        log_warn("git ls-remote: %.400s", job.complaint);
        return call_fail(call, ST_UNAVAILABLE, "The repository's server does not answer.");
    }
    if (!*answer)
        return ST_OK;
    tab = strchr(answer, '\t');
    if (strncmp(answer, "ref: refs/heads/", 16) != 0 || !tab)
        return call_fail(call, ST_UNAVAILABLE, "The repository has no branch of its own.");
    *ret_ref = arena_memdup(call->arena, answer + 5, (size_t)(tab - answer - 5));
    return ST_OK;
}

static enum status run(struct work *work, const char *dir, const char *const *args)
{
    struct git_job job = job_in(work, dir, args);
    enum git_outcome outcome = git_run(&job);

    if (outcome == GIT_DONE)
        return ST_OK;
    log_warn("git %s of a clone: exit code %d: %.400s", args[0], job.exit_code, job.complaint);
    if (outcome == GIT_LATE)
        return call_fail(&work->call, ST_UNAVAILABLE,
                         "The repository could not be fetched within %lld s.",
                         (long long)git_config.fetch_timeout_s);
    return call_fail(&work->call, ST_UNAVAILABLE,
                     "The repository could not be fetched, or is larger than the %lld MiB that "
                     "this hub keeps.",
                     (long long)git_config.cache_mib);
}

/* What a stopped fetch left could be in the way of the next: a clone that cannot
 * be brought up to date although its server answers is made anew. */
static enum status update(struct work *work)
{
    struct arena *arena = work->call.arena;
    const char *init[] = {"init", "-q", "--bare", "--template=", work->dir, NULL}, *ref;
    const char *fetch[] = {"fetch", "-q", "--no-tags", "--no-write-fetch-head",
                           "--",    NULL, NULL,        NULL};
    const char *head[] = {"symbolic-ref", "HEAD", NULL, NULL};
    enum status status = ST_OK;

    TRY(ask_branch(work, &ref));
    if (cache_packs(arena, work->dir) > PACKS_MAX)
        cache_remove(work->dir);
    TRY(run(work, work->cache, init));
    if (!ref)
        return ST_OK;
    fetch[5] = work->fetch->url;
    fetch[6] = arena_printf(arena, "+%s:%s", ref, ref);
    head[2] = ref;
    status = run(work, work->dir, fetch);
    if (status == ST_OK)
        status = run(work, work->dir, head);
    if (status == ST_OK && !cache_fits(arena, work->cache, work->dir, git_config.cache_mib * MIB))
        status = call_fail(&work->call, ST_UNAVAILABLE,
                           "The repository is larger than the %lld MiB that this hub keeps.",
                           (long long)git_config.cache_mib);
    if (status != ST_OK)
        cache_remove(work->dir);
    return status;
}

static void release(struct fetch *fetch)
{
    if (--fetch->holders == 0)
        free(fetch);
}

static void finish(struct fetch *fetch, enum status status, const char *message)
{
    pthread_mutex_lock(&fetches.lock);
    for (struct fetch **p = &fetches.running; *p; p = &(*p)->next)
        if (*p == fetch) {
            *p = fetch->next;
            break;
        }
    fetch->done = true;
    fetch->status = status;
    (void)snprintf(fetch->message, sizeof(fetch->message), "%.255s", message);
    release(fetch);
    fetches.threads--;
    pthread_cond_broadcast(&fetches.changed);
    pthread_mutex_unlock(&fetches.lock);
}

static void *fetch_main(void *arg)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct work work = {.fetch = arg, .call = {.arena = &arena}};
    enum status status = ST_OK;
    int lock = -1;

    arena_init(&arena);
    work.deadline_ms = clock_mono_ms() + git_config.fetch_timeout_s * 1000;
    work.cache = cache_folder(&arena);
    work.dir = cache_clone(&arena, work.cache, work.fetch->url);
    if (!cache_lock(&arena, work.dir, work.deadline_ms, &fetches.stopping, &lock))
        status = call_fail(&work.call, ST_UNAVAILABLE, "The hub's folder of clones is not usable.");
    if (status == ST_OK)
        status = update(&work);
    cache_unlock(lock);
    finish(work.fetch, status, work.call.error.message);
    return NULL;
}

/* ---- calls ---------------------------------------------------------------- */

static struct fetch *fetch_begin(const char *url)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    pthread_t thread;

    if (!fetch)
        abort();
    (void)snprintf(fetch->url, sizeof(fetch->url), "%s", url);
    if (pthread_create(&thread, NULL, fetch_main, fetch) != 0) {
        free(fetch);
        return NULL;
    }
    (void)pthread_detach(thread);
    fetch->holders = 1;
    fetch->next = fetches.running;
    fetches.running = fetch;
    fetches.threads++;
    return fetch;
}

/* Under the lock: the fetch of that address, started when none runs. */
static struct fetch *fetch_join(const char *url)
{
    struct fetch *fetch = fetches.running;

    while (fetch && strcmp(fetch->url, url) != 0)
        fetch = fetch->next;
    if (!fetch && !fetches.stopping && fetches.threads < git_config.max)
        fetch = fetch_begin(url);
    if (fetch)
        fetch->holders++;
    return fetch;
}

static bool wait_until(const struct fetch *fetch, int64_t deadline_ms)
{
    while (!fetch->done) {
        int64_t left = deadline_ms - clock_mono_ms();
        struct timespec until;

        if (left <= 0)
            return false;
        until = clock_in_ms(left);
        (void)pthread_cond_timedwait(&fetches.changed, &fetches.lock, &until);
    }
    return true;
}

static enum status wait_fetch(struct call *call, const char *url, int64_t deadline_ms)
{
    struct fetch *fetch;
    enum status status;

    pthread_mutex_lock(&fetches.lock);
    fetch = fetch_join(url);
    if (!fetch) {
        status = call_fail(call, ST_RESOURCE_EXHAUSTED,
                           "The hub is fetching %d repositories already.", fetches.threads);
    } else if (wait_until(fetch, deadline_ms)) {
        status = fetch->status;
        if (status != ST_OK)
            (void)call_fail(call, status, "%s", fetch->message);
    } else {
        call_hint(call, "again in a moment; the hub goes on fetching.");
        status = call_fail(call, ST_UNAVAILABLE,
                           "The hub is still fetching the repository; nothing was credited.");
    }
    if (fetch)
        release(fetch);
    pthread_mutex_unlock(&fetches.lock);
    return status;
}

enum status git_clone(struct call *call, const char *url, struct git_repo *ret_repo)
{
    const char *cache = cache_folder(call->arena);

    if (!cache) {
        call_hint(call, "ask the operator to set MAL_GIT_CACHE_DIR.");
        return call_fail(call, ST_UNAVAILABLE, "This hub has no folder for clones.");
    }
    TRY(wait_fetch(call, url, ret_repo->deadline_ms));
    ret_repo->dir = cache_clone(call->arena, cache, url);
    ret_repo->name = url;
    return ST_OK;
}

void git_clone_stop(void)
{
    pthread_mutex_lock(&fetches.lock);
    fetches.stopping = true;
    while (fetches.threads > 0)
        (void)pthread_cond_wait(&fetches.changed, &fetches.lock);
    pthread_mutex_unlock(&fetches.lock);
}
