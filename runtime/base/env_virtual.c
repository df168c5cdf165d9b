/* base/env_virtual.c: the environment of tests. See its header.
 *
 * Waiting with a deadline is waiting in short slices of real time and looking at the virtual clock
 * in between: a thread notices an advance within a slice, and no advance can be missed. */
#include "base/env_virtual.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"

enum { SLICE_US = 500 };

static _Atomic int64_t monotonic_us, wall_us;
static _Atomic uint64_t chance;
static _Atomic uint64_t counts[TM_ENV_ANY + 1];
static _Atomic size_t bytes_max;
static tm_env virtual_env;

static struct {
  _Atomic uint64_t at; /* of counts[call], 0: none */
  tm_env_call call;
  int error;
  bool for_ever;
} fault;

/* Counts the call; the error that it must answer, or 0. */
static int planted(tm_env_call call) {
  uint64_t nth = atomic_fetch_add(&counts[call], 1) + 1;
  uint64_t nth_of_any = atomic_fetch_add(&counts[TM_ENV_ANY], 1) + 1;
  uint64_t at = atomic_load(&fault.at);
  if (at == 0 || (fault.call != call && fault.call != TM_ENV_ANY)) return 0;
  uint64_t now = fault.call == TM_ENV_ANY ? nth_of_any : nth;
  return now == at || (fault.for_ever && now > at) ? fault.error : 0;
}

static size_t shortened(size_t size) {
  size_t most = atomic_load(&bytes_max);
  return most > 0 && size > most ? most : size;
}

/* ------------------------------------------------------------------ time, chance */

static int64_t virtual_monotonic_us(void) { return atomic_load(&monotonic_us); }
static int64_t virtual_wall_us(void) { return atomic_load(&wall_us); }
static void virtual_sleep_us(int64_t us) {
  if (us > 0) tm_env_virtual_advance(us);
}

static void virtual_random(void *out, size_t size) {
  for (size_t i = 0; i < size; i++) {
    ((uint8_t *)out)[i] = (uint8_t)tm_hash_u64(atomic_fetch_add(&chance, 1));
  }
}

static int virtual_cond_wait_until(tm_cond *cond, tm_mutex *mutex, int64_t deadline_us) {
  if (atomic_load(&monotonic_us) >= deadline_us) return -ETIMEDOUT;
  /* Back after each slice, for a signal between two of them would be missed: the caller looks. */
  (void)tm_env_posix.cond_wait_until(cond, mutex, tm_env_posix.monotonic_us() + SLICE_US);
  return atomic_load(&monotonic_us) >= deadline_us ? -ETIMEDOUT : 0;
}

/* ------------------------------------------------------------------ files */

static int virtual_open(const char *path, int flags) {
  int error = planted(TM_ENV_OPEN);
  return error != 0 ? error : tm_env_posix.open(path, flags);
}

static int virtual_close(int file) {
  int error = planted(TM_ENV_CLOSE);
  int result = tm_env_posix.close(file);
  return error != 0 ? error : result;
}

static int64_t virtual_read(int file, void *out, size_t size) {
  int error = planted(TM_ENV_READ);
  return error != 0 ? error : tm_env_posix.read(file, out, shortened(size));
}

static int64_t virtual_pread(int file, void *out, size_t size, uint64_t offset) {
  int error = planted(TM_ENV_PREAD);
  return error != 0 ? error : tm_env_posix.pread(file, out, shortened(size), offset);
}

static int64_t virtual_write(int file, const void *bytes, size_t size) {
  int error = planted(TM_ENV_WRITE);
  return error != 0 ? error : tm_env_posix.write(file, bytes, shortened(size));
}

static int virtual_fsync(int file) {
  int error = planted(TM_ENV_FSYNC);
  return error != 0 ? error : tm_env_posix.fsync(file);
}

static int virtual_truncate(int file, uint64_t size) {
  int error = planted(TM_ENV_TRUNCATE);
  return error != 0 ? error : tm_env_posix.truncate(file, size);
}

static int virtual_rename(const char *from, const char *to) {
  int error = planted(TM_ENV_RENAME);
  return error != 0 ? error : tm_env_posix.rename(from, to);
}

static int virtual_unlink(const char *path) {
  int error = planted(TM_ENV_UNLINK);
  return error != 0 ? error : tm_env_posix.unlink(path);
}

static int virtual_mkdir(const char *path) {
  int error = planted(TM_ENV_MKDIR);
  return error != 0 ? error : tm_env_posix.mkdir(path);
}

static int virtual_stat(const char *path, tm_file_info *out) {
  int error = planted(TM_ENV_STAT);
  return error != 0 ? error : tm_env_posix.stat(path, out);
}

static int virtual_list(const char *folder, int (*entry)(void *context, const char *name),
                        void *context) {
  int error = planted(TM_ENV_LIST);
  return error != 0 ? error : tm_env_posix.list(folder, entry, context);
}

static int virtual_thread_create(tm_thread *out, void (*run)(void *context), void *context) {
  int error = planted(TM_ENV_THREAD_CREATE);
  return error != 0 ? error : tm_env_posix.thread_create(out, run, context);
}

/* ------------------------------------------------------------------ for tests */

void tm_env_virtual_start(int64_t start_wall_us, uint64_t seed) {
  atomic_store(&monotonic_us, 0);
  atomic_store(&wall_us, start_wall_us);
  atomic_store(&chance, tm_hash_u64(seed));
  atomic_store(&bytes_max, 0);
  atomic_store(&fault.at, 0);
  for (int i = 0; i <= TM_ENV_ANY; i++) atomic_store(&counts[i], 0);
  virtual_env = tm_env_posix;
  virtual_env.name = "virtual";
  virtual_env.monotonic_us = virtual_monotonic_us;
  virtual_env.wall_us = virtual_wall_us;
  virtual_env.sleep_us = virtual_sleep_us;
  virtual_env.random = virtual_random;
  virtual_env.cond_wait_until = virtual_cond_wait_until;
  virtual_env.open = virtual_open;
  virtual_env.close = virtual_close;
  virtual_env.read = virtual_read;
  virtual_env.pread = virtual_pread;
  virtual_env.write = virtual_write;
  virtual_env.fsync = virtual_fsync;
  virtual_env.truncate = virtual_truncate;
  virtual_env.rename = virtual_rename;
  virtual_env.unlink = virtual_unlink;
  virtual_env.mkdir = virtual_mkdir;
  virtual_env.stat = virtual_stat;
  virtual_env.list = virtual_list;
  virtual_env.thread_create = virtual_thread_create;
  tm_env_set(&virtual_env);
}

void tm_env_virtual_end(void) { tm_env_set(NULL); }

void tm_env_virtual_advance(int64_t us) {
  assert(us >= 0);
  atomic_fetch_add(&wall_us, us);
  atomic_fetch_add(&monotonic_us, us);
}

void tm_env_virtual_fail(tm_env_call call, uint64_t nth, int error, bool for_ever) {
  assert(nth == 0 || error < 0);
  atomic_store(&fault.at, 0);
  fault.call = call;
  fault.error = error;
  fault.for_ever = for_ever;
  if (nth > 0) atomic_store(&fault.at, atomic_load(&counts[call]) + nth);
}

uint64_t tm_env_virtual_count(tm_env_call call) { return atomic_load(&counts[call]); }
void tm_env_virtual_short(size_t most) { atomic_store(&bytes_max, most); }
