/* SPDX-License-Identifier: Apache-2.0 */
/* What children print to stderr: read by one thread, so that none of them ever
 * waits for a reader; the last line is kept, some are logged. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EARS_MAX = 1024, CHUNK = 16384, LINES_PER_S = 5 };

struct ear {
    int fd;
    struct slot *slot;
    size_t len;
    char line[WORDS_SIZE];
    int64_t second;
    int logged;
};

struct ears {
    pthread_mutex_t lock; /* what follows but the thread */
    pthread_t thread;
    int wake_fd;
    bool stop;
    size_t n;
    struct ear *items[EARS_MAX];
    char chunk[CHUNK];
};

static bool is_secret(const struct slot *slot, const char *line)
{
    for (const char *const *p = (const char *const *)slot->secrets; p && *p; p++)
        if (strstr(line, *p))
            return true;
    return false;
}

static void end_line(struct ear *ear)
{
    struct slot *slot = ear->slot;
    int64_t second = clock_mono_ms() / 1000;

    ear->line[ear->len] = '\0';
    if (ear->len == 0)
        return;
    ear->len = 0;
    pthread_mutex_lock(&slot->child_lock);
    if (is_secret(slot, ear->line))
        (void)snprintf(ear->line, sizeof(ear->line), "(a line with a secret)");
    (void)snprintf(slot->words, sizeof(slot->words), "%s", ear->line);
    pthread_mutex_unlock(&slot->child_lock);
    if (second != ear->second) {
        ear->second = second;
        ear->logged = 0;
    }
    if (ear->logged++ < LINES_PER_S)
        log_debug("%s prints: %s", slot->server, ear->line);
}

/* What is longer than a line can be is cut. */
static void take(struct ear *ear, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n' || bytes[i] == '\r')
            end_line(ear);
        else if (ear->len + 1 < sizeof(ear->line))
            ear->line[ear->len++] = bytes[i];
}

/* False at the end. */
static bool drain(struct ears *ears, struct ear *ear, int rounds)
{
    while (rounds-- > 0) {
        ssize_t n = read(ear->fd, ears->chunk, CHUNK);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        take(ear, ears->chunk, (size_t)n);
    }
    return true;
}

static void remove_at(struct ears *ears, size_t i)
{
    struct ear *ear = ears->items[i];

    end_line(ear);
    (void)close(ear->fd);
    free(ear);
    ears->items[i] = ears->items[--ears->n];
}

static void *run(void *arg)
{
    static struct pollfd fds[EARS_MAX + 1];
    struct ears *ears = arg;
    eventfd_t count;

    pthread_mutex_lock(&ears->lock);
    while (!ears->stop) {
        size_t n = ears->n;

        for (size_t i = 0; i < n; i++)
            fds[i] = (struct pollfd){.fd = ears->items[i]->fd, .events = POLLIN};
        fds[n] = (struct pollfd){.fd = ears->wake_fd, .events = POLLIN};
        pthread_mutex_unlock(&ears->lock);
        (void)poll(fds, n + 1, -1);
        if (fds[n].revents)
            (void)eventfd_read(ears->wake_fd, &count);
        pthread_mutex_lock(&ears->lock);
        for (size_t i = n; i-- > 0;) /* those that were removed moved others down */
            if (fds[i].revents && i < ears->n && ears->items[i]->fd == fds[i].fd &&
                !drain(ears, ears->items[i], 4))
                remove_at(ears, i);
    }
    pthread_mutex_unlock(&ears->lock);
    return NULL;
}

struct ears *ears_new(void)
{
    struct ears *ears = calloc(1, sizeof(*ears));

    if (!ears)
        abort();
    pthread_mutex_init(&ears->lock, NULL);
    ears->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ears->wake_fd < 0 || pthread_create(&ears->thread, NULL, run, ears) != 0)
        abort();
    return ears;
}

void ears_free(struct ears *ears)
{
    if (!ears)
        return;
    pthread_mutex_lock(&ears->lock);
    ears->stop = true;
    pthread_mutex_unlock(&ears->lock);
    (void)eventfd_write(ears->wake_fd, 1);
    pthread_join(ears->thread, NULL);
    while (ears->n > 0)
        remove_at(ears, 0);
    (void)close(ears->wake_fd);
    pthread_mutex_destroy(&ears->lock);
    free(ears);
}

void ears_add(struct ears *ears, int fd, struct slot *slot)
{
    struct ear *ear = calloc(1, sizeof(*ear));

    if (!ear)
        abort();
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    ear->fd = fd;
    ear->slot = slot;
    pthread_mutex_lock(&ears->lock);
    if (ears->n < EARS_MAX)
        ears->items[ears->n++] = TAKE(ear);
    pthread_mutex_unlock(&ears->lock);
    if (ear) {
        (void)close(fd);
        free(ear);
    }
    (void)eventfd_write(ears->wake_fd, 1);
}

void ears_remove(struct ears *ears, struct slot *slot)
{
    pthread_mutex_lock(&ears->lock);
    for (size_t i = ears->n; i-- > 0;)
        if (ears->items[i]->slot == slot) {
            (void)drain(ears, ears->items[i], 64);
            remove_at(ears, i);
        }
    pthread_mutex_unlock(&ears->lock);
    (void)eventfd_write(ears->wake_fd, 1);
}
