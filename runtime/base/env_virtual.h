/* base/env_virtual.h: an environment for tests, whose clock only tests move and whose calls fail
 * where a test says so.
 *
 * Everything else passes through to the real machine. There is one in a process; start and end
 * are called while no other thread runs. */
#ifndef TM_BASE_ENV_VIRTUAL_H
#define TM_BASE_ENV_VIRTUAL_H

#include "base/env.h"

typedef enum tm_env_call {
  TM_ENV_OPEN, TM_ENV_CLOSE, TM_ENV_READ, TM_ENV_PREAD, TM_ENV_WRITE, TM_ENV_FSYNC,
  TM_ENV_TRUNCATE, TM_ENV_RENAME, TM_ENV_UNLINK, TM_ENV_MKDIR, TM_ENV_STAT, TM_ENV_LIST,
  TM_ENV_THREAD_CREATE,
  TM_ENV_ANY, /* every one of them */
} tm_env_call;

/* Puts it in force: both clocks at wall_us and zero, chance seeded, no faults, counts at zero. */
void tm_env_virtual_start(int64_t wall_us, uint64_t seed);
void tm_env_virtual_end(void); /* the real one again */

/* Moves both clocks; waits whose deadline passes end. sleep_us() of a thread does the same. */
void tm_env_virtual_advance(int64_t us);

/* The nth call of that kind from now (1: the next) answers `error` (-ENOSPC …) and does nothing;
 * the ones after it work again, unless `for_ever`. close() closes all the same. nth 0: no fault. */
void tm_env_virtual_fail(tm_env_call call, uint64_t nth, int error, bool for_ever);
/* Calls of that kind since start; a sweep fails each of them in turn. */
uint64_t tm_env_virtual_count(tm_env_call call);
/* The most that one read, pread or write moves; 0: no bound. */
void tm_env_virtual_short(size_t bytes_max);

#endif
