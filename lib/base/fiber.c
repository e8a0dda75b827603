/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers: entered by ucontext(3) the first time, which is portable; from then on by
 * setjmp(3), which makes no system call. */
#undef _FORTIFY_SOURCE /* to jump to another stack is what it means to prevent */
#include "base/fiber.h"

#include <assert.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_SIZE = 256 * 1024 };

/* What a sanitizer has to know of a stack. */
struct shadow {
    void *handle;      /* fake stack, or the thread as it sees it */
    const void *stack; /* lowest byte */
    size_t size;
};

enum rest {
    RUNS,
    RUNS_WOKEN, /* its next wait ends at once */
    RESTS,
};

struct fiber {
    ucontext_t first;
    jmp_buf own, thread; /* whichever of the two does not run */
    struct shadow own_shadow, thread_shadow;
    char *memory; /* guard page and stack */
    size_t memory_size;
    void (*fn)(void *arg);
    void *arg;
    bool entered, ended, alone;
    const struct fiber_host *host; /* NULL = none */
    void *host_arg;
    bool permitted, may_wait;
    int64_t until_ms;
    _Atomic enum rest rest;
    void *kept;
    void (*done)(void *kept);
};

static __thread struct fiber *running;

/* ---- sanitizers --------------------------------------------------------------- */

/* Before leaving the stack of `from`. Both are part of their callers: a call of
 * its own would begin on one stack and end on another. */
static inline __attribute__((always_inline)) void leave(struct shadow *from,
                                                        const struct shadow *to)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->handle, to->stack, to->size);
#elif defined(__SANITIZE_THREAD__)
    from->handle = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->handle, 0);
#else
    (void)from;
    (void)to;
#endif
}

/* After coming back to `to`, from a stack whose place is learned. */
static inline __attribute__((always_inline)) void arrive(struct shadow *to, struct shadow *from)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(to->handle, &from->stack, &from->size);
#else
    (void)to;
    (void)from;
#endif
}

/* ---- switching ---------------------------------------------------------------- */

static void back_to_thread(struct fiber *fiber)
{
    if (_setjmp(fiber->own) == 0) {
        leave(&fiber->own_shadow, &fiber->thread_shadow);
        _longjmp(fiber->thread, 1);
    }
    arrive(&fiber->own_shadow, &fiber->thread_shadow);
}

/* Never returns: the stack serves one function after another. */
static void run(void)
{
    struct fiber *fiber = running;

    arrive(&fiber->own_shadow, &fiber->thread_shadow);
    for (;;) {
        fiber->fn(fiber->arg);
        fiber->ended = true;
        back_to_thread(fiber);
    }
}

static void enter(struct fiber *fiber)
{
    if (fiber->entered)
        _longjmp(fiber->own, 1);
    fiber->entered = true;
    (void)setcontext(&fiber->first);
}

bool fiber_resume(struct fiber *fiber)
{
    struct shadow ignored;

    assert(!running);
    running = fiber;
    if (_setjmp(fiber->thread) == 0) {
        leave(&fiber->thread_shadow, &fiber->own_shadow);
        enter(fiber);
    }
    arrive(&fiber->thread_shadow, &ignored);
    fiber = running;
    running = NULL;
    return fiber->ended;
}

bool fiber_wants_alone(const struct fiber *fiber)
{
    return fiber->alone;
}

bool fiber_shares(void)
{
    return running && !running->alone;
}

void fiber_stop(void)
{
    assert(running);
    back_to_thread(running);
}

void fiber_alone(void)
{
    if (!fiber_shares())
        return;
    running->alone = true;
    fiber_stop();
}

bool fiber_start(struct fiber *fiber, void (*fn)(void *arg), void *arg)
{
    assert(fiber->ended);
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->ended = fiber->permitted = fiber->may_wait = false;
    fiber->alone = fiber->host != NULL;
    atomic_store(&fiber->rest, RUNS);
    return fiber_resume(fiber);
}

/* ---- waiting ------------------------------------------------------------------ */

bool fiber_rests(struct fiber *fiber)
{
    enum rest runs = RUNS;

    if (atomic_compare_exchange_strong(&fiber->rest, &runs, RESTS))
        return true;
    atomic_store(&fiber->rest, RUNS);
    return false;
}

void fiber_wake(struct fiber *fiber)
{
    enum rest rest = atomic_load(&fiber->rest);

    while (rest != RUNS_WOKEN)
        if (atomic_compare_exchange_weak(&fiber->rest, &rest, rest == RESTS ? RUNS : RUNS_WOKEN)) {
            if (rest == RESTS)
                fiber->host->ready(fiber->host_arg);
            return;
        }
}

void fiber_permit(void)
{
    if (running)
        running->permitted = true;
}

void fiber_let_wait(bool let)
{
    if (running)
        running->may_wait = let && running->permitted && running->host;
}

struct fiber *fiber_that_waits(void)
{
    return running && running->may_wait ? running : NULL;
}

void fiber_wait(struct fiber *fiber, int64_t until_ms)
{
    fiber->until_ms = until_ms;
    back_to_thread(fiber);
}

int64_t fiber_until_ms(const struct fiber *fiber)
{
    return fiber->until_ms;
}

bool fiber_watch(struct fiber *fiber, int fd, uint32_t events)
{
    return fiber->host->watch(fiber->host_arg, fd, events);
}

void fiber_blocks(void)
{
    if (running && running->host)
        running->host->blocks(running->host_arg);
}

void **fiber_own(void (*done)(void *own))
{
    if (!running || !running->host)
        return NULL;
    running->done = done;
    return &running->kept;
}

/* ---- life --------------------------------------------------------------------- */

static bool make_context(struct fiber *fiber, char *stack)
{
    if (getcontext(&fiber->first) != 0)
        return false;
    fiber->first.uc_stack.ss_sp = stack;
    fiber->first.uc_stack.ss_size = STACK_SIZE;
    fiber->first.uc_link = NULL;
    makecontext(&fiber->first, run, 0);
    return true;
}

struct fiber *fiber_new(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = STACK_SIZE + page;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    struct fiber *fiber = calloc(1, sizeof(*fiber));

    if (!fiber)
        abort();
    if (memory == MAP_FAILED) {
        free(fiber);
        return NULL;
    }
    *fiber = (struct fiber){.memory = memory, .memory_size = size, .ended = true};
    fiber->own_shadow.stack = memory + page;
    fiber->own_shadow.size = STACK_SIZE;
    if (mprotect(memory, page, PROT_NONE) != 0 || !make_context(fiber, memory + page)) {
        (void)munmap(memory, size);
        free(fiber);
        return NULL;
    }
#ifdef __SANITIZE_THREAD__
    fiber->own_shadow.handle = __tsan_create_fiber(0);
#endif
    return fiber;
}

struct fiber *fiber_new_hosted(const struct fiber_host *host, void *arg)
{
    struct fiber *fiber = fiber_new();

    if (fiber) {
        fiber->host = host;
        fiber->host_arg = arg;
    }
    return fiber;
}

void fiber_free(struct fiber *fiber)
{
    if (!fiber)
        return;
    assert(fiber->ended);
    if (fiber->kept)
        fiber->done(fiber->kept);
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(fiber->own_shadow.handle);
#endif
    (void)munmap(fiber->memory, fiber->memory_size);
    free(fiber);
}
