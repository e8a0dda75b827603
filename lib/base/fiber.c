/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers by ucontext(3): portable, and the two system calls of a round trip are
 * nothing beside the change of threads that they spare. */
#include "base/fiber.h"

#include <assert.h>
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

struct fiber {
    ucontext_t own, thread; /* whichever of the two does not run */
    struct shadow own_shadow, thread_shadow;
    char *memory; /* guard page and stack */
    size_t memory_size;
    void (*fn)(void *arg);
    void *arg;
    bool ended, alone;
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
    leave(&fiber->own_shadow, &fiber->thread_shadow);
    (void)swapcontext(&fiber->own, &fiber->thread);
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

bool fiber_resume(struct fiber *fiber)
{
    struct shadow ignored;

    assert(!running);
    running = fiber;
    leave(&fiber->thread_shadow, &fiber->own_shadow);
    (void)swapcontext(&fiber->thread, &fiber->own);
    arrive(&fiber->thread_shadow, &ignored);
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
    fiber->ended = fiber->alone = false;
    return fiber_resume(fiber);
}

/* ---- life --------------------------------------------------------------------- */

static bool make_context(struct fiber *fiber, char *stack)
{
    if (getcontext(&fiber->own) != 0)
        return false;
    fiber->own.uc_stack.ss_sp = stack;
    fiber->own.uc_stack.ss_size = STACK_SIZE;
    fiber->own.uc_link = NULL;
    makecontext(&fiber->own, run, 0);
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

void fiber_free(struct fiber *fiber)
{
    if (!fiber)
        return;
    assert(fiber->ended);
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(fiber->own_shadow.handle);
#endif
    (void)munmap(fiber->memory, fiber->memory_size);
    free(fiber);
}
