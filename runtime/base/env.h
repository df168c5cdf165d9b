/* base/env.h: everything that tidemill asks of the operating system, except sockets.
 *
 * One table of functions: the real one calls libc, the virtual one has a clock that tests move and
 * faults that they plant. Nobody outside base/env_*.c calls libc for these.
 * Calls that can fail return a negative errno (-ENOENT …), which tm_env_error_text() puts into
 * words; none of them writes a tm_error, for only the caller knows what the file was for. */
#ifndef TM_BASE_ENV_H
#define TM_BASE_ENV_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { /* flags of open() */
  TM_OPEN_READ = 1,
  TM_OPEN_WRITE = 2,
  TM_OPEN_CREATE = 4,    /* mode 0666 less the umask */
  TM_OPEN_EXCLUSIVE = 8, /* with CREATE: -EEXIST where the file is there */
  TM_OPEN_TRUNCATE = 16,
  TM_OPEN_APPEND = 32,
  TM_OPEN_FOLDER = 64,   /* only a folder, for fsync() and lock() */
};

typedef enum tm_file_kind {
  TM_FILE_REGULAR, TM_FILE_FOLDER, TM_FILE_PIPE, TM_FILE_TERMINAL, TM_FILE_OTHER,
} tm_file_kind;

typedef struct tm_file_info {
  tm_file_kind kind;   /* pipe: sockets too; links are followed */
  uint64_t size;       /* 0 where it has none */
  int64_t modified_us; /* since the epoch */
  uint64_t device, inode;
  uint32_t mode;       /* permission bits */
} tm_file_info;

typedef struct tm_mutex { pthread_mutex_t posix; } tm_mutex;
typedef struct tm_cond { pthread_cond_t posix; } tm_cond;
/* Lies still from thread_create to thread_join. */
typedef struct tm_thread {
  pthread_t posix;
  void (*run)(void *context);
  void *context;
} tm_thread;

typedef struct tm_env {
  const char *name; /* "posix" or "virtual" */

  /* Time. Monotonic for durations, wall for dates; both in microseconds. */
  int64_t (*monotonic_us)(void);
  int64_t (*wall_us)(void);
  void (*sleep_us)(int64_t us);
  void (*random)(void *out, size_t size); /* unpredictable bytes */

  /* Files. Descriptors are closed on exec. read and pread: 0 is the end. Calls that a signal
   * interrupts are repeated, except wait_readable(), which says -EINTR. */
  int (*open)(const char *path, int flags);
  int (*close)(int file);
  int64_t (*read)(int file, void *out, size_t size);
  int (*wait_readable)(int file, int64_t timeout_us); /* 1: read() will not wait; 0: timed out */
  int64_t (*pread)(int file, void *out, size_t size, uint64_t offset);
  int64_t (*write)(int file, const void *bytes, size_t size); /* may be short */
  int (*fsync)(int file);
  int (*truncate)(int file, uint64_t size);
  int (*lock)(int file);  /* exclusive, goes with the descriptor; -EWOULDBLOCK: another has it */
  int (*advise_sequential)(int file); /* only a hint */
  int (*stat)(const char *path, tm_file_info *out);
  int (*stat_file)(int file, tm_file_info *out);
  bool (*is_link)(const char *path); /* a symbolic link, whatever it leads to */
  int (*real_path)(const char *path, char *out, size_t room); /* links resolved */
  int (*set_mode)(int file, uint32_t mode);
  int (*rename)(const char *from, const char *to); /* replaces `to` */
  int (*unlink)(const char *path);
  int (*mkdir)(const char *path);
  int (*rmdir)(const char *path);
  /* Calls `entry` for every name but . and .., in no order, until it answers other than 0; that
   * is then the result. */
  int (*list)(const char *folder, int (*entry)(void *context, const char *name), void *context);
  bool (*is_terminal)(int file);
  int (*terminal_columns)(int file); /* 0 where unknown */

  /* Threads. A mutex is not recursive. Waits end early for no reason: callers loop. */
  int (*thread_create)(tm_thread *out, void (*run)(void *context), void *context);
  void (*thread_join)(tm_thread *thread);
  void (*thread_self)(tm_thread *out); /* only for thread_signal() */
  int (*thread_signal)(const tm_thread *thread, int signal);
  void (*mutex_init)(tm_mutex *mutex);
  void (*mutex_deinit)(tm_mutex *mutex);
  void (*mutex_lock)(tm_mutex *mutex);
  void (*mutex_unlock)(tm_mutex *mutex);
  void (*cond_init)(tm_cond *cond);
  void (*cond_deinit)(tm_cond *cond);
  void (*cond_wait)(tm_cond *cond, tm_mutex *mutex);
  /* -ETIMEDOUT once monotonic_us() reaches the deadline. */
  int (*cond_wait_until)(tm_cond *cond, tm_mutex *mutex, int64_t deadline_us);
  void (*cond_signal)(tm_cond *cond);
  void (*cond_broadcast)(tm_cond *cond);
  /* handler NULL restores the default, SIG_IGN ignores. Signals of the process (SIGINT, SIGTERM,
   * SIGHUP) reach the main thread alone. System calls go on afterwards. */
  int (*signal_handle)(int signal, void (*handler)(int));

  /* The process and its machine. */
  const char *(*variable)(const char *name); /* of the environment; NULL where unset */
  int64_t (*process_id)(void);
  bool (*process_lives)(int64_t process_id);
  uint32_t (*cpu_count)(void);         /* that this process may use: affinity and cgroup quota */
  uint64_t (*memory_limit_bytes)(void); /* the least of RAM and the cgroups above us */
  uint64_t (*memory_peak_bytes)(void); /* largest resident size so far */
  int64_t (*cpu_us)(void);             /* processor time used, all threads */
} tm_env;

/* The environment in force: posix until a test sets another (before it starts threads). */
const tm_env *tm_env_get(void);
void tm_env_set(const tm_env *env); /* NULL: posix again */
extern const tm_env tm_env_posix;

/* Limits of the control groups above this process, versions 1 and 2; 0: none. `root` is put before
 * /proc and /sys, for tests; "" is the real tree. In env_cgroup.c. */
uint64_t tm_cgroup_memory_bytes(const char *root);
uint32_t tm_cgroup_cpu_count(const char *root);

/* What a negative errno means, in words: "No space left on device". */
const char *tm_env_error_text(int error);
/* Writes all of it, however short the single writes are. 0 or a negative errno. */
int tm_env_write_all(int file, const void *bytes, size_t size);
/* Reads until `size` bytes or the end; the number of bytes, or a negative errno. */
int64_t tm_env_pread_all(int file, void *out, size_t size, uint64_t offset);
/* Makes a folder and those above it; fine if it is there. */
int tm_env_make_folders(const char *path);

#endif
