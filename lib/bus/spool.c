/* SPDX-License-Identifier: Apache-2.0 */
/* Records that outlive their process. The kernel keeps what was written to the
 * mapped file when the process is killed (not when the machine stops); whether
 * the process lives shows in the lock on its file. */
#include "spool.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SIZE = 8 << 20, RING = FILE_SIZE - 64, UNFINISHED_S = 60 };

#define MAGIC UINT64_C(0x314c4f4f50534d45) /* "EMSPOOL1" */
#define SUFFIX ".events"
#define MAKING ".new"

/* Beginning of the file. Offsets only grow; place = offset % RING. Nothing is
 * waiting while head <= tail. */
struct header {
    uint64_t magic;
    _Atomic uint64_t head, tail;
    uint64_t unused[5];
};

enum { WAITING = 1, DONE = 2 };

struct record {
    uint32_t size; /* with this head, a multiple of it */
    uint32_t len;
    _Atomic uint32_t state;
    uint32_t unused;
};

struct spool {
    int fd;
    char path[512];
    struct header *header; /* the mapping */
    char *ring;
    pthread_mutex_t lock; /* of head and tail */
};

static struct record *record_at(const struct spool *spool, uint64_t offset)
{
    return (struct record *)(void *)(spool->ring + offset % RING);
}

static enum status map(struct spool *spool)
{
    void *memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, spool->fd, 0);

    if (memory == MAP_FAILED)
        return ST_UNAVAILABLE;
    spool->header = memory;
    spool->ring = (char *)memory + sizeof(struct header);
    return ST_OK;
}

static void release(struct spool *spool)
{
    if (spool->header)
        (void)munmap(spool->header, FILE_SIZE);
    if (spool->fd >= 0)
        (void)close(spool->fd); /* gives up the lock */
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}

/* The file gets its name when it is locked: until then nobody takes it for one
 * that was left behind. */
static enum status make_file(struct spool *spool, const char *dir)
{
    char making[sizeof(spool->path) + 8], id[UUID_SIZE];

    uuid_v7(id);
    if (strlen(dir) + sizeof(id) + sizeof(SUFFIX) >= sizeof(spool->path)) {
        errno = ENAMETOOLONG;
        return ST_FAILED_PRECONDITION;
    }
    (void)snprintf(spool->path, sizeof(spool->path), "%s/%s" SUFFIX, dir, id);
    (void)snprintf(making, sizeof(making), "%s" MAKING, spool->path);
    spool->fd = open(making, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (spool->fd < 0)
        return ST_FAILED_PRECONDITION;
    /* Room on the disk is taken now: a full one later would be a SIGBUS. */
    int full = posix_fallocate(spool->fd, 0, FILE_SIZE);
    if (full == 0 && flock(spool->fd, LOCK_EX | LOCK_NB) == 0 && map(spool) == ST_OK) {
        spool->header->magic = MAGIC;
        if (rename(making, spool->path) == 0)
            return ST_OK;
    }
    if (full != 0)
        errno = full;
    int why = errno;
    (void)unlink(making);
    errno = why;
    return ST_FAILED_PRECONDITION;
}

enum status spool_open(struct spool **ret_spool, const char *dir, struct error *err)
{
    struct spool *spool = calloc(1, sizeof(*spool));

    if (!spool)
        abort();
    spool->fd = -1;
    pthread_mutex_init(&spool->lock, NULL);
    if ((mkdir(dir, 0700) != 0 && errno != EEXIST) || make_file(spool, dir) != ST_OK) {
        error_set(err, ST_FAILED_PRECONDITION, "cannot keep events in %s: %s", dir,
                  strerror(errno));
        release(spool);
        return ST_FAILED_PRECONDITION;
    }
    *ret_spool = spool;
    return ST_OK;
}

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    if (atomic_load(&spool->header->head) <= atomic_load(&spool->header->tail))
        (void)unlink(spool->path);
    release(spool);
}

/* Under the lock: an offset with room for size bytes in a row. */
static bool find_room(struct spool *spool, size_t size, uint64_t *ret_offset)
{
    uint64_t head = atomic_load(&spool->header->head), tail = atomic_load(&spool->header->tail);
    size_t left = RING - head % RING, skip = left < size ? left : 0;

    if (head + skip + size - tail > RING)
        return false;
    if (skip > 0) {
        struct record *gap = record_at(spool, head);

        *gap = (struct record){.size = (uint32_t)skip, .state = DONE};
        head += skip;
        atomic_store(&spool->header->head, head);
    }
    *ret_offset = head;
    return true;
}

uint64_t spool_put(struct spool *spool, const void *head, size_t head_len, const void *body,
                   size_t body_len)
{
    size_t len = head_len + body_len;
    uint64_t offset = 0, place = SPOOL_NOWHERE;
    /* So that a gap at the end has room for a record's head. */
    size_t size =
        (1 + (len + sizeof(struct record) - 1) / sizeof(struct record)) * sizeof(struct record);

    if (size > RING / 2)
        return SPOOL_NOWHERE;
    pthread_mutex_lock(&spool->lock);
    if (find_room(spool, size, &offset)) {
        struct record *record = record_at(spool, offset);

        memcpy((char *)(record + 1), head, head_len);
        memcpy((char *)(record + 1) + head_len, body, body_len);
        record->size = (uint32_t)size;
        record->len = (uint32_t)len;
        atomic_store(&record->state, WAITING);
        atomic_store(&spool->header->head, offset + size); /* now it is there */
        place = offset + 1;
    }
    pthread_mutex_unlock(&spool->lock);
    return place;
}

void spool_drop(struct spool *spool, uint64_t place)
{
    if (place == SPOOL_NOWHERE)
        return;
    pthread_mutex_lock(&spool->lock);
    atomic_store(&record_at(spool, place - 1)->state, DONE);
    uint64_t head = atomic_load(&spool->header->head), tail = atomic_load(&spool->header->tail);
    while (tail < head && atomic_load(&record_at(spool, tail)->state) == DONE)
        tail += record_at(spool, tail)->size;
    if (tail < head) {
        atomic_store(&spool->header->tail, tail);
    } else { /* empty: back to the front, where the memory is warm */
        atomic_store(&spool->header->head, 0);
        atomic_store(&spool->header->tail, 0);
    }
    pthread_mutex_unlock(&spool->lock);
}

/* Whatever stands in the file: a size that cannot be ends it. */
static size_t read_records(const struct spool *spool,
                           void (*fn)(const void *record, size_t len, void *arg), void *arg)
{
    uint64_t head = atomic_load(&spool->header->head), tail = atomic_load(&spool->header->tail);
    size_t n = 0;

    if (spool->header->magic != MAGIC || head > tail + RING || tail % sizeof(struct record) != 0)
        return 0;
    while (tail < head) {
        const struct record *record = record_at(spool, tail);
        size_t left = RING - tail % RING, size = record->size, len = record->len;

        if (size < sizeof(*record) || size > left || size % sizeof(*record) != 0 ||
            len > size - sizeof(*record))
            break;
        if (atomic_load(&record->state) == WAITING) {
            fn(record + 1, len, arg);
            n++;
        }
        tail += size;
    }
    return n;
}

/* Takes over one file if its process is gone. */
static size_t adopt_file(const char *path, void (*fn)(const void *record, size_t len, void *arg),
                         void *arg)
{
    struct spool *left = calloc(1, sizeof(*left));
    struct stat st;
    size_t n = 0;

    if (!left)
        abort();
    pthread_mutex_init(&left->lock, NULL);
    left->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (left->fd >= 0 && flock(left->fd, LOCK_EX | LOCK_NB) == 0 && fstat(left->fd, &st) == 0 &&
        st.st_nlink > 0) {
        if (st.st_size == FILE_SIZE && map(left) == ST_OK)
            n = read_records(left, fn, arg);
        (void)unlink(path);
    }
    release(left);
    return n;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), n = strlen(suffix);

    return len > n && strcmp(name + len - n, suffix) == 0;
}

/* Of a process that was killed while it made its file. */
static void remove_unfinished(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && st.st_mtime < clock_wall_ms() / 1000 - UNFINISHED_S)
        (void)unlink(path);
}

size_t spool_adopt(struct spool *spool, const char *dir,
                   void (*fn)(const void *record, size_t len, void *arg), void *arg)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;
    size_t n = 0;

    while (folder && (entry = readdir(folder)) != NULL) {
        char path[sizeof(spool->path) + 256];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (has_suffix(entry->d_name, SUFFIX) && strcmp(path, spool->path) != 0)
            n += adopt_file(path, fn, arg);
        else if (has_suffix(entry->d_name, SUFFIX MAKING))
            remove_unfinished(path);
    }
    if (folder)
        (void)closedir(folder);
    return n;
}
