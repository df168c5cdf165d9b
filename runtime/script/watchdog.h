/* script/watchdog.h: stops calls into Lua that take too long.
 *
 * A guarded thread counts its calls; a thread of the watchdog looks a few times within the limit
 * whether the count still moves. Where it does not, it signals the guarded thread, whose handler
 * arms the hook of its own Lua state: an always armed hook would cost every instruction, and
 * arming it from another thread would be a data race. A call costs one plain store. */
#ifndef TM_SCRIPT_WATCHDOG_H
#define TM_SCRIPT_WATCHDOG_H

#include <lua.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/error.h"
#include "base/memory.h"

typedef struct tm_watchdog tm_watchdog;

/* One Lua state under guard; lives inside its host. */
typedef struct tm_guard {
  lua_State *lua;
  lua_Hook hook;                 /* raises; runs at the next instruction once the limit is passed */
  _Atomic uint64_t calls;        /* odd while a call runs */
  _Atomic uint64_t expired;      /* the call that shall end; 0: none */
  _Atomic int64_t limit_us;
  tm_thread thread;              /* that runs the call */
  _Atomic bool signalling;       /* the watchdog may be reading `thread` */
  uint64_t seen;                 /* of the watchdog's thread */
  int64_t seen_us;
  struct tm_guard *next;
} tm_guard;

/* NULL with err when no thread can be had. */
tm_watchdog *tm_watchdog_create(tm_budget *budget, tm_error *err);
void tm_watchdog_destroy(tm_watchdog *watchdog);

/* A guard is looked at between these two; lua and hook are set before. */
void tm_watchdog_insert(tm_watchdog *watchdog, tm_guard *guard);
void tm_watchdog_remove(tm_watchdog *watchdog, tm_guard *guard);

/* Calls of this thread into guard->lua, until leave(); one guard a thread at a time. */
void tm_guard_enter(tm_guard *guard, int64_t limit_us);
void tm_guard_leave(tm_guard *guard);

/* Between enter and leave: the next call starts, and the clock of its limit. */
static inline void tm_guard_next(tm_guard *guard) {
  uint64_t calls = atomic_load_explicit(&guard->calls, memory_order_relaxed);
  atomic_store_explicit(&guard->calls, calls + 2, memory_order_relaxed);
}
/* For the hook: is it the running call that shall end? Disarms a stale one. */
bool tm_guard_expired(tm_guard *guard);

#endif
