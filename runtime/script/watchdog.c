/* script/watchdog.c: one thread that looks at the counters of guarded threads.
 *
 * Who is guarded is a list under a mutex; counters are atomic and read without it. The signal is
 * SIGURG, which is ignored by default, so that a late one does no harm. The handler touches only
 * its own thread's guard and lua_sethook, which Lua documents as safe in handlers.
 * ThreadSanitizer holds signals back until a thread calls into libc: there a count hook that only
 * looks at `expired` is armed from the start. */
#include "script/watchdog.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define HOOK_ALWAYS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOOK_ALWAYS 1
#endif
#endif
#ifndef HOOK_ALWAYS
#define HOOK_ALWAYS 0
#endif

enum {
  LOOKS_PER_LIMIT = 8,
  LOOK_MIN_US = 1000,
  LOOK_MAX_US = 50000,
  HOOK_COUNT = 1000,
};

struct tm_watchdog {
  tm_budget *budget;
  tm_mutex mutex;
  tm_cond changed;
  tm_thread thread;
  tm_guard *guards;
  bool closing;
};

static _Thread_local tm_guard *running;

static void handle_signal(int signal) {
  (void)signal;
  tm_guard *guard = running;
  if (guard == NULL || guard->lua == NULL) return;
  uint64_t expired = atomic_load_explicit(&guard->expired, memory_order_relaxed);
  if (expired == 0 || expired != atomic_load_explicit(&guard->calls, memory_order_relaxed)) return;
  lua_sethook(guard->lua, guard->hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
              1);
}

/* The thread can neither end nor change in between: tm_guard_leave waits for `signalling`. */
static void signal_thread(tm_guard *guard, uint64_t calls) {
  atomic_store(&guard->signalling, true);
  if (atomic_load(&guard->calls) == calls) {
    (void)tm_env_get()->thread_signal(&guard->thread, SIGURG);
  }
  atomic_store(&guard->signalling, false);
}

/* Signals those whose call goes on for longer than its limit; the time until the next look. */
static int64_t look(tm_watchdog *watchdog, int64_t now_us) {
  int64_t wait_us = LOOK_MAX_US;
  for (tm_guard *guard = watchdog->guards; guard != NULL; guard = guard->next) {
    int64_t limit_us = atomic_load_explicit(&guard->limit_us, memory_order_relaxed);
    uint64_t calls = atomic_load_explicit(&guard->calls, memory_order_relaxed);
    if (calls != guard->seen) {
      guard->seen = calls;
      guard->seen_us = now_us;
    } else if ((calls & 1) != 0 && now_us - guard->seen_us >= limit_us) {
      /* Again at every look: a signal that came between two calls into Lua was for nothing. */
      atomic_store_explicit(&guard->expired, calls, memory_order_relaxed);
      if (!HOOK_ALWAYS) signal_thread(guard, calls);
    }
    if (limit_us / LOOKS_PER_LIMIT < wait_us) wait_us = limit_us / LOOKS_PER_LIMIT;
  }
  return wait_us < LOOK_MIN_US ? LOOK_MIN_US : wait_us;
}

static void run(void *context) {
  tm_watchdog *watchdog = context;
  const tm_env *env = tm_env_get();
  env->mutex_lock(&watchdog->mutex);
  while (!watchdog->closing) {
    if (watchdog->guards == NULL) {
      env->cond_wait(&watchdog->changed, &watchdog->mutex);
      continue;
    }
    int64_t now_us = env->monotonic_us();
    int64_t wait_us = look(watchdog, now_us);
    (void)env->cond_wait_until(&watchdog->changed, &watchdog->mutex, now_us + wait_us);
  }
  env->mutex_unlock(&watchdog->mutex);
}

tm_watchdog *tm_watchdog_create(tm_budget *budget, tm_error *err) {
  const tm_env *env = tm_env_get();
  tm_watchdog *watchdog = tm_alloc_zero(budget, sizeof *watchdog);
  if (watchdog == NULL) {
    tm_fail(err, TM_E_MEMORY, "out of memory");
    return NULL;
  }
  watchdog->budget = budget;
  env->mutex_init(&watchdog->mutex);
  env->cond_init(&watchdog->changed);
  int failed = HOOK_ALWAYS ? 0 : env->signal_handle(SIGURG, handle_signal);
  if (failed == 0) failed = env->thread_create(&watchdog->thread, run, watchdog);
  if (failed != 0) {
    tm_fail(err, TM_E_SYSTEM, "cannot start a thread: %s", tm_env_error_text(failed));
    env->cond_deinit(&watchdog->changed);
    env->mutex_deinit(&watchdog->mutex);
    tm_free(budget, watchdog, sizeof *watchdog);
    return NULL;
  }
  return watchdog;
}

void tm_watchdog_destroy(tm_watchdog *watchdog) {
  if (watchdog == NULL) return;
  const tm_env *env = tm_env_get();
  assert(watchdog->guards == NULL && "watchdog destroyed while a call is under way");
  env->mutex_lock(&watchdog->mutex);
  watchdog->closing = true;
  env->cond_signal(&watchdog->changed);
  env->mutex_unlock(&watchdog->mutex);
  env->thread_join(&watchdog->thread);
  env->cond_deinit(&watchdog->changed);
  env->mutex_deinit(&watchdog->mutex);
  tm_free(watchdog->budget, watchdog, sizeof *watchdog);
}

void tm_watchdog_insert(tm_watchdog *watchdog, tm_guard *guard) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&watchdog->mutex);
  guard->seen = 0;
  guard->seen_us = env->monotonic_us();
  guard->next = watchdog->guards;
  watchdog->guards = guard;
  env->cond_signal(&watchdog->changed);
  env->mutex_unlock(&watchdog->mutex);
}

void tm_watchdog_remove(tm_watchdog *watchdog, tm_guard *guard) {
  const tm_env *env = tm_env_get();
  env->mutex_lock(&watchdog->mutex);
  tm_guard **at = &watchdog->guards;
  while (*at != guard) at = &(*at)->next;
  *at = guard->next;
  env->mutex_unlock(&watchdog->mutex);
}

void tm_guard_enter(tm_guard *guard, int64_t limit_us) {
  assert(running == NULL && "one guarded call a thread at a time");
  atomic_store_explicit(&guard->limit_us, limit_us, memory_order_relaxed);
  tm_env_get()->thread_self(&guard->thread);
  running = guard;
  if (HOOK_ALWAYS) lua_sethook(guard->lua, guard->hook, LUA_MASKCOUNT, HOOK_COUNT);
  uint64_t calls = atomic_load_explicit(&guard->calls, memory_order_relaxed);
  assert((calls & 1) == 0);
  atomic_store(&guard->calls, calls + 1); /* from here on the watchdog may read `thread` */
}

void tm_guard_leave(tm_guard *guard) {
  uint64_t calls = atomic_load_explicit(&guard->calls, memory_order_relaxed);
  assert((calls & 1) != 0);
  atomic_store(&guard->calls, calls + 1);
  while (atomic_load(&guard->signalling)) {}
  running = NULL;
  atomic_signal_fence(memory_order_seq_cst);
  lua_sethook(guard->lua, NULL, 0, 0);
}

bool tm_guard_expired(tm_guard *guard) {
  uint64_t expired = atomic_load_explicit(&guard->expired, memory_order_relaxed);
  uint64_t calls = atomic_load_explicit(&guard->calls, memory_order_relaxed);
  if (expired != 0 && expired == calls) return true;
  if (!HOOK_ALWAYS) lua_sethook(guard->lua, NULL, 0, 0);
  return false;
}
