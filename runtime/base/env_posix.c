/* base/env_posix.c: the environment of a real machine. The only callers of libc for these things.
 *
 * Every function answers a negative errno and leaves errno itself to nobody. */
#define _GNU_SOURCE
#include "base/env.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

static int answer(int result) { return result < 0 ? -errno : result; }

/* ------------------------------------------------------------------ time, chance */

static int64_t clock_us(clockid_t clock) {
  struct timespec now;
  int failed = clock_gettime(clock, &now);
  assert(failed == 0);
  (void)failed;
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t posix_monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }
static int64_t posix_wall_us(void) { return clock_us(CLOCK_REALTIME); }
static int64_t posix_cpu_us(void) { return clock_us(CLOCK_PROCESS_CPUTIME_ID); }

static void posix_sleep_us(int64_t us) {
  if (us <= 0) return;
  struct timespec left = {us / 1000000, us % 1000000 * 1000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

static void posix_random(void *out, size_t size) {
  char *at = out;
  while (size > 0) {
    ssize_t got = getrandom(at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    assert(got > 0 && "the system gives no random bytes");
    at += got;
    size -= (size_t)got;
  }
}

/* ------------------------------------------------------------------ files */

static int posix_open(const char *path, int flags) {
  int native = O_CLOEXEC;
  if ((flags & TM_OPEN_READ) && (flags & TM_OPEN_WRITE)) native |= O_RDWR;
  else if (flags & TM_OPEN_WRITE) native |= O_WRONLY;
  if (flags & TM_OPEN_CREATE) native |= O_CREAT;
  if (flags & TM_OPEN_EXCLUSIVE) native |= O_EXCL;
  if (flags & TM_OPEN_TRUNCATE) native |= O_TRUNC;
  if (flags & TM_OPEN_APPEND) native |= O_APPEND;
  if (flags & TM_OPEN_FOLDER) native |= O_DIRECTORY;
  int file;
  do {
    file = open(path, native, 0666);
  } while (file < 0 && errno == EINTR);
  return answer(file);
}

/* On Linux the descriptor is gone whatever close() says: never twice. */
static int posix_close(int file) {
  return close(file) < 0 && errno != EINTR ? -errno : 0;
}

static int64_t posix_read(int file, void *out, size_t size) {
  ssize_t got;
  do {
    got = read(file, out, size);
  } while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

static int posix_wait_readable(int file, int64_t timeout_us) {
  struct pollfd wait = {.fd = file, .events = POLLIN};
  int64_t timeout_ms = timeout_us < 0 ? -1 : (timeout_us + 999) / 1000;
  return answer(poll(&wait, 1, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms));
}

static int64_t posix_pread(int file, void *out, size_t size, uint64_t offset) {
  ssize_t got;
  do {
    got = pread(file, out, size, (off_t)offset);
  } while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

static int64_t posix_write(int file, const void *bytes, size_t size) {
  ssize_t written;
  do {
    written = write(file, bytes, size);
  } while (written < 0 && errno == EINTR);
  return written < 0 ? -errno : written;
}

/* Interrupted is repeated: nothing was reported lost. Any other failure is final. */
static int posix_fsync(int file) {
  int result;
  do {
    result = fsync(file);
  } while (result < 0 && errno == EINTR);
  return answer(result);
}

static int posix_truncate(int file, uint64_t size) {
  int result;
  do {
    result = ftruncate(file, (off_t)size);
  } while (result < 0 && errno == EINTR);
  return answer(result);
}

static int posix_lock(int file) {
  int result;
  do {
    result = flock(file, LOCK_EX | LOCK_NB);
  } while (result < 0 && errno == EINTR);
  return answer(result);
}

static int posix_advise_sequential(int file) {
  return -posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
}

static int fill_info(const struct stat *status, bool terminal, tm_file_info *out) {
  *out = (tm_file_info){
    .size = status->st_size > 0 ? (uint64_t)status->st_size : 0,
    .modified_us = (int64_t)status->st_mtim.tv_sec * 1000000 + status->st_mtim.tv_nsec / 1000,
    .device = status->st_dev,
    .inode = status->st_ino,
    .mode = status->st_mode & 07777,
    .kind = S_ISREG(status->st_mode)    ? TM_FILE_REGULAR
            : S_ISDIR(status->st_mode)  ? TM_FILE_FOLDER
            : S_ISFIFO(status->st_mode) || S_ISSOCK(status->st_mode) ? TM_FILE_PIPE
            : terminal                  ? TM_FILE_TERMINAL
                                        : TM_FILE_OTHER,
  };
  return 0;
}

static int posix_stat(const char *path, tm_file_info *out) {
  struct stat status;
  return stat(path, &status) < 0 ? -errno : fill_info(&status, false, out);
}

static int posix_stat_file(int file, tm_file_info *out) {
  struct stat status;
  return fstat(file, &status) < 0 ? -errno : fill_info(&status, isatty(file) == 1, out);
}

static bool posix_is_link(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

static int posix_real_path(const char *path, char *out, size_t room) {
  char resolved[PATH_MAX];
  if (realpath(path, resolved) == NULL) return -errno;
  size_t size = strlen(resolved) + 1;
  if (size > room) return -ENAMETOOLONG;
  memcpy(out, resolved, size);
  return 0;
}

static int posix_set_mode(int file, uint32_t mode) { return answer(fchmod(file, mode)); }
static int posix_rename(const char *from, const char *to) { return answer(rename(from, to)); }
static int posix_unlink(const char *path) { return answer(unlink(path)); }
static int posix_mkdir(const char *path) { return answer(mkdir(path, 0777)); }
static int posix_rmdir(const char *path) { return answer(rmdir(path)); }

static int posix_list(const char *folder, int (*entry)(void *context, const char *name),
                      void *context) {
  DIR *stream = opendir(folder);
  if (stream == NULL) return -errno;
  int result = 0;
  while (result == 0) {
    errno = 0;
    struct dirent *next = readdir(stream);
    if (next == NULL) {
      result = -errno;
      break;
    }
    if (strcmp(next->d_name, ".") == 0 || strcmp(next->d_name, "..") == 0) continue;
    result = entry(context, next->d_name);
  }
  (void)closedir(stream);
  return result;
}

static bool posix_is_terminal(int file) { return isatty(file) == 1; }

static int posix_terminal_columns(int file) {
  struct winsize size;
  return ioctl(file, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* ------------------------------------------------------------------ threads */

static void *thread_main(void *argument) {
  const tm_thread *thread = argument;
  thread->run(thread->context);
  tm_arena_pool_clear();
  return NULL;
}

/* Signals of the process go to the main thread: a new one starts with them blocked. */
static int posix_thread_create(tm_thread *out, void (*run)(void *context), void *context) {
  out->run = run;
  out->context = context;
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  int error = pthread_create(&out->posix, NULL, thread_main, out);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return -error;
}

static void must(int error) {
  assert(error == 0);
  (void)error;
}

static void posix_thread_join(tm_thread *thread) { must(pthread_join(thread->posix, NULL)); }
static void posix_thread_self(tm_thread *out) { *out = (tm_thread){.posix = pthread_self()}; }
static int posix_thread_signal(const tm_thread *thread, int signal) {
  return -pthread_kill(thread->posix, signal);
}
static void posix_mutex_init(tm_mutex *mutex) { must(pthread_mutex_init(&mutex->posix, NULL)); }
static void posix_mutex_deinit(tm_mutex *mutex) { must(pthread_mutex_destroy(&mutex->posix)); }
static void posix_mutex_lock(tm_mutex *mutex) { must(pthread_mutex_lock(&mutex->posix)); }
static void posix_mutex_unlock(tm_mutex *mutex) { must(pthread_mutex_unlock(&mutex->posix)); }

static void posix_cond_init(tm_cond *cond) {
  pthread_condattr_t attributes;
  must(pthread_condattr_init(&attributes));
  must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
  must(pthread_cond_init(&cond->posix, &attributes));
  must(pthread_condattr_destroy(&attributes));
}

static void posix_cond_deinit(tm_cond *cond) { must(pthread_cond_destroy(&cond->posix)); }
static void posix_cond_wait(tm_cond *cond, tm_mutex *mutex) {
  must(pthread_cond_wait(&cond->posix, &mutex->posix));
}

static int posix_cond_wait_until(tm_cond *cond, tm_mutex *mutex, int64_t deadline_us) {
  if (deadline_us < 0) deadline_us = 0;
  struct timespec at = {deadline_us / 1000000, deadline_us % 1000000 * 1000};
  int error = pthread_cond_timedwait(&cond->posix, &mutex->posix, &at);
  assert(error == 0 || error == ETIMEDOUT);
  return -error;
}

static void posix_cond_signal(tm_cond *cond) { must(pthread_cond_signal(&cond->posix)); }
static void posix_cond_broadcast(tm_cond *cond) { must(pthread_cond_broadcast(&cond->posix)); }

static int posix_signal_handle(int signal, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler == NULL ? SIG_DFL : handler,
                             .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  return answer(sigaction(signal, &action, NULL));
}

/* ------------------------------------------------------------------ process and machine */

static const char *posix_variable(const char *name) { return getenv(name); }
static int64_t posix_process_id(void) { return getpid(); }
static bool posix_process_lives(int64_t id) {
  return id > 0 && (kill((pid_t)id, 0) == 0 || errno == EPERM);
}

static uint64_t posix_memory_peak_bytes(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static uint32_t posix_cpu_count(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                          : (int)sysconf(_SC_NPROCESSORS_ONLN);
  uint32_t quota = tm_cgroup_cpu_count("");
  if (count < 1) count = 1;
  return quota > 0 && quota < (uint32_t)count ? quota : (uint32_t)count;
}

static uint64_t posix_memory_limit_bytes(void) {
  uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
  uint64_t group = tm_cgroup_memory_bytes("");
  return group > 0 && group < ram ? group : ram;
}

const tm_env tm_env_posix = {
  .name = "posix",
  .monotonic_us = posix_monotonic_us, .wall_us = posix_wall_us, .sleep_us = posix_sleep_us,
  .random = posix_random,
  .open = posix_open, .close = posix_close, .read = posix_read,
  .wait_readable = posix_wait_readable, .pread = posix_pread,
  .write = posix_write, .fsync = posix_fsync, .truncate = posix_truncate, .lock = posix_lock,
  .advise_sequential = posix_advise_sequential, .stat = posix_stat,
  .stat_file = posix_stat_file, .is_link = posix_is_link, .real_path = posix_real_path,
  .set_mode = posix_set_mode, .rename = posix_rename, .unlink = posix_unlink,
  .mkdir = posix_mkdir, .rmdir = posix_rmdir, .list = posix_list,
  .is_terminal = posix_is_terminal, .terminal_columns = posix_terminal_columns,
  .thread_create = posix_thread_create, .thread_join = posix_thread_join,
  .thread_self = posix_thread_self, .thread_signal = posix_thread_signal,
  .mutex_init = posix_mutex_init, .mutex_deinit = posix_mutex_deinit,
  .mutex_lock = posix_mutex_lock, .mutex_unlock = posix_mutex_unlock,
  .cond_init = posix_cond_init, .cond_deinit = posix_cond_deinit, .cond_wait = posix_cond_wait,
  .cond_wait_until = posix_cond_wait_until, .cond_signal = posix_cond_signal,
  .cond_broadcast = posix_cond_broadcast, .signal_handle = posix_signal_handle,
  .variable = posix_variable, .process_id = posix_process_id,
  .process_lives = posix_process_lives, .cpu_count = posix_cpu_count,
  .memory_limit_bytes = posix_memory_limit_bytes,
  .memory_peak_bytes = posix_memory_peak_bytes, .cpu_us = posix_cpu_us,
};
