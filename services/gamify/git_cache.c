/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of clones: names, locks, and how much room they take. */
#include "git_cache.h"

#include "base/clock.h"
#include "base/log.h"
#include "git.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNUSED_S = 600, DEPTH = 16, KEY_BYTES = 16, CLONES_MAX = 4096, TICK_MS = 50 };

const char *cache_folder(struct arena *arena)
{
    const char *own = git_config.cache_dir, *dir = *own ? own : git_config.data_dir;
    const char *below = *own ? "" : "/git";
    char here[PATH_MAX];

    if (*dir == '/')
        return arena_printf(arena, "%s%s", dir, below);
    return *dir && getcwd(here, sizeof(here)) ? arena_printf(arena, "%s/%s%s", here, dir, below)
                                              : NULL;
}

const char *cache_clone(struct arena *arena, const char *cache, const char *url)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * KEY_BYTES + 1];

    (void)crypto_hash_sha256(hash, (const unsigned char *)url, strlen(url));
    (void)sodium_bin2hex(hex, sizeof(hex), hash, KEY_BYTES);
    return arena_printf(arena, "%s/%s.git", cache, hex);
}

/* Ours alone: what others could write there, git would believe. */
static bool make_folder(const char *path)
{
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return false;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool cache_lock(struct arena *arena, const char *clone, int64_t deadline_ms,
                const atomic_bool *stop, int *ret_lock)
{
    const char *cache = arena_memdup(arena, clone, (size_t)(strrchr(clone, '/') - clone));
    const char *file = arena_printf(arena, "%s.lock", clone);

    if (!make_folder(cache)) {
        log_error("the folder of clones is not one that only the hub can write: %s", cache);
        return false;
    }
    *ret_lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (*ret_lock >= 0 && flock(*ret_lock, LOCK_EX | LOCK_NB) != 0) {
        if (clock_mono_ms() > deadline_ms || *stop) {
            (void)close(*ret_lock);
            *ret_lock = -1;
            break;
        }
        (void)poll(NULL, 0, TICK_MS);
    }
    if (*ret_lock >= 0)
        (void)futimens(*ret_lock, NULL); /* when it was last used */
    return *ret_lock >= 0;
}

void cache_unlock(int lock)
{
    if (lock >= 0)
        (void)close(lock);
}

int cache_packs(struct arena *arena, const char *clone)
{
    DIR *dir = opendir(arena_printf(arena, "%s/objects/pack", clone));
    int n = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        n += strstr(entry->d_name, ".pack") != NULL;
    if (dir)
        (void)closedir(dir);
    return n;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path) != 0 && errno != ENOENT;
}

void cache_remove(const char *clone)
{
    if (nftw(clone, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        log_warn("a clone could not be removed");
}

/* nftw has no argument of its own. */
static __thread int64_t counted;

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)path;
    (void)where;
    if (kind == FTW_F)
        counted += (int64_t)st->st_blocks * 512;
    return 0;
}

static int64_t size_of(const char *clone)
{
    counted = 0;
    (void)nftw(clone, count_one, DEPTH, FTW_PHYS);
    return counted;
}

struct clone {
    const char *path;
    int64_t bytes, used;
};

static size_t list(struct arena *arena, const char *cache, struct clone *clones)
{
    DIR *dir = opendir(cache);
    size_t n = 0;

    for (struct dirent *entry; dir && n < CLONES_MAX && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        struct stat st = {0};

        if (len < 4 || strcmp(entry->d_name + len - 4, ".git") != 0)
            continue;
        clones[n].path = arena_printf(arena, "%s/%s", cache, entry->d_name);
        clones[n].bytes = size_of(clones[n].path);
        (void)stat(arena_printf(arena, "%s.lock", clones[n].path), &st);
        clones[n++].used = st.st_mtime;
    }
    if (dir)
        (void)closedir(dir);
    return n;
}

/* Nobody reads a clone for as long as that. Its lock stays: another process may
 * be about to take it. */
static struct clone *oldest(struct clone *clones, size_t n, const char *but)
{
    struct clone *found = NULL;
    int64_t now = clock_wall_ms() / 1000;

    for (size_t i = 0; i < n; i++)
        if (clones[i].bytes > 0 && now - clones[i].used > UNUSED_S &&
            strcmp(clones[i].path, but) != 0 && (!found || clones[i].used < found->used))
            found = &clones[i];
    return found;
}

bool cache_fits(struct arena *arena, const char *cache, const char *clone, int64_t max)
{
    struct clone *clones = arena_alloc(arena, CLONES_MAX * sizeof(*clones)), *victim;
    size_t n = list(arena, cache, clones);
    int64_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += clones[i].bytes;
    while (total > max && (victim = oldest(clones, n, clone)) != NULL) {
        cache_remove(victim->path);
        total -= victim->bytes;
        victim->bytes = 0;
    }
    return size_of(clone) <= max;
}
