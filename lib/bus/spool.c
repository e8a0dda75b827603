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

#define MAGIC UINT64_C(0x324c4f4f50534d45)   /* "EMSPOOL2" */
#define MAGIC_1 UINT64_C(0x314c4f4f50534d45) /* of before records had leaders */
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
    _Atomic int32_t behind; /* how far it is behind its leader; 0 = it has none */
};

struct spool {
    struct spool *next;    /* of those taken over */
    struct spool *adopted; /* taken over from other processes */
    struct spool *owner;   /* that has taken over this one */
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

static struct spool *spool_new(void)
{
    struct spool *spool = calloc(1, sizeof(*spool));

    if (!spool)
        abort();
    spool->fd = -1;
    pthread_mutex_init(&spool->lock, NULL);
    return spool;
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
    struct spool *spool = spool_new();

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
    for (struct spool *left = spool->adopted, *next; left; left = next) {
        next = left->next;
        release(left); /* the file waits for another process */
    }
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
        atomic_store(&record->behind, 0);
        atomic_store(&record->state, WAITING);
        atomic_store(&spool->header->head, offset + size); /* now it is there */
        place = offset + 1;
    }
    pthread_mutex_unlock(&spool->lock);
    return place;
}

void spool_join(struct spool *spool, uint64_t place, uint64_t leader)
{
    if (place != SPOOL_NOWHERE && leader != SPOOL_NOWHERE)
        atomic_store(&record_at(spool, place - 1)->behind, (int32_t)(int64_t)(place - leader));
}

/* All that was taken over with it is dropped. */
static void give_up_file(struct spool *spool)
{
    struct spool **p = &spool->owner->adopted;
    pthread_mutex_t *lock = &spool->owner->lock;

    pthread_mutex_lock(lock);
    while (*p != spool)
        p = &(*p)->next;
    *p = spool->next;
    pthread_mutex_unlock(lock);
    (void)unlink(spool->path);
    release(spool);
}

void spool_drop(struct spool *spool, const uint64_t *places, size_t n)
{
    size_t dropped = 0;

    pthread_mutex_lock(&spool->lock);
    for (size_t i = 0; i < n; i++) {
        if (places[i] == SPOOL_NOWHERE)
            continue;
        atomic_store(&record_at(spool, places[i] - 1)->state, DONE);
        dropped++;
    }
    uint64_t head = atomic_load(&spool->header->head), tail = atomic_load(&spool->header->tail);
    while (tail < head && atomic_load(&record_at(spool, tail)->state) == DONE)
        tail += record_at(spool, tail)->size;
    bool empty = tail == head && dropped > 0;
    if (!empty) {
        atomic_store(&spool->header->tail, tail);
    } else { /* back to the front, where the memory is warm */
        atomic_store(&spool->header->head, 0);
        atomic_store(&spool->header->tail, 0);
    }
    pthread_mutex_unlock(&spool->lock);
    if (empty && spool->owner)
        give_up_file(spool);
}

/* ---- what was left behind --------------------------------------------------- */

/* Whatever stands in the file: a size that cannot be ends it. */
static size_t read_records(struct spool *spool, struct spool_record *out)
{
    uint64_t head = atomic_load(&spool->header->head), tail = atomic_load(&spool->header->tail);
    uint64_t magic = spool->header->magic;
    size_t n = 0;

    if ((magic != MAGIC && magic != MAGIC_1) || head > tail + RING || head < tail ||
        tail % sizeof(struct record) != 0)
        return 0;
    while (tail < head) {
        struct record *record = record_at(spool, tail);
        size_t left = RING - tail % RING, size = record->size, len = record->len;

        if (size < sizeof(*record) || size > left || size % sizeof(*record) != 0 ||
            len > size - sizeof(*record))
            break;
        if (magic == MAGIC_1)
            atomic_store(&record->behind, 0);
        if (atomic_load(&record->state) == WAITING)
            out[n++] = (struct spool_record){
                .spool = spool, .place = tail + 1, .data = record + 1, .len = len};
        else
            atomic_store(&record->state, DONE);
        tail += size;
    }
    atomic_store(&spool->header->head, tail); /* what is dropped is walked over */
    return n;
}

/* Records are in the order of their places. */
static const struct spool_record *find(const struct spool_record *records, size_t n, uint64_t place)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (records[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && records[low].place == place ? &records[low] : NULL;
}

static uint64_t leader_of(const struct spool_record *record)
{
    int32_t behind = atomic_load(&record_at(record->spool, record->place - 1)->behind);

    return behind == 0 ? SPOOL_NOWHERE : record->place - (uint64_t)(int64_t)behind;
}

/* Leaves out those whose leader was dropped: they were next. */
static size_t find_leaders(struct spool_record *records, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t leader = leader_of(&records[i]);

        if (leader == SPOOL_NOWHERE || find(records, n, leader))
            records[kept++] = records[i];
        else
            atomic_store(&record_at(records[i].spool, records[i].place - 1)->state, DONE);
    }
    for (size_t i = 0; i < kept; i++) {
        const struct spool_record *leader = find(records, kept, leader_of(&records[i]));

        if (leader && leader_of(leader) == SPOOL_NOWHERE)
            records[i].leader = leader;
    }
    return kept;
}

static bool open_left(struct spool *left)
{
    struct stat st;

    left->fd = open(left->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return left->fd >= 0 && flock(left->fd, LOCK_EX | LOCK_NB) == 0 && fstat(left->fd, &st) == 0 &&
           st.st_nlink > 0;
}

/* Takes over one file if its process is gone. */
static void adopt_file(struct spool *spool, const char *path,
                       void (*fn)(const struct spool_record *records, size_t n, void *arg),
                       void *arg)
{
    struct spool *left = spool_new();
    struct spool_record *records = NULL;
    struct stat st;
    size_t n = 0;

    (void)snprintf(left->path, sizeof(left->path), "%s", path);
    if (!open_left(left)) {
        release(left);
        return;
    }
    if (fstat(left->fd, &st) == 0 && st.st_size == FILE_SIZE && map(left) == ST_OK) {
        records = calloc(RING / sizeof(struct record), sizeof(*records));
        if (!records)
            abort();
        n = find_leaders(records, read_records(left, records));
    }
    if (n > 0) {
        left->owner = spool;
        pthread_mutex_lock(&spool->lock);
        left->next = spool->adopted;
        spool->adopted = left;
        pthread_mutex_unlock(&spool->lock);
        fn(records, n, arg);
    } else {
        (void)unlink(path);
        release(left);
    }
    free(records);
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

void spool_adopt(struct spool *spool, const char *dir,
                 void (*fn)(const struct spool_record *records, size_t n, void *arg), void *arg)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;

    while (folder && (entry = readdir(folder)) != NULL) {
        char path[sizeof(spool->path)];
        int len = snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);

        if (len >= (int)sizeof(path))
            continue;
        if (has_suffix(entry->d_name, SUFFIX) && strcmp(path, spool->path) != 0)
            adopt_file(spool, path, fn, arg);
        else if (has_suffix(entry->d_name, SUFFIX MAKING))
            remove_unfinished(path);
    }
    if (folder)
        (void)closedir(folder);
}
