/* base/log.c: log lines, one at a time. A line longer than the buffer is cut. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"

enum { LINE_BYTES_MAX = 2048, STDERR = 2 };

static tm_mutex lock = {PTHREAD_MUTEX_INITIALIZER}; /* guards the sink and its lines */
static _Atomic int level_most = TM_LOG_WARNING;
static tm_log_sink sink;
static void *sink_context;

const char *tm_log_level_name(tm_log_level level) {
  static const char *const names[] = {"error", "notice", "warning", "info", "debug"};
  return names[level];
}

void tm_log_configure(tm_log_level most, tm_log_sink new_sink, void *context) {
  tm_env_get()->mutex_lock(&lock);
  atomic_store(&level_most, (int)most);
  sink = new_sink;
  sink_context = context;
  tm_env_get()->mutex_unlock(&lock);
}

static void write_stderr(tm_log_level level, const char *text) {
  char line[LINE_BYTES_MAX + 16];
  bool bare = level == TM_LOG_NOTICE;
  int size = snprintf(line, sizeof line, "%s%s%s\n", bare ? "" : tm_log_level_name(level),
                      bare ? "" : ": ", text);
  (void)tm_env_write_all(STDERR, line, (size_t)size); /* nobody is left to tell of a failure */
}

void tm_log(tm_log_level level, const char *format, ...) {
  if ((int)level > atomic_load_explicit(&level_most, memory_order_relaxed)) return;
  char text[LINE_BYTES_MAX];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  tm_env_get()->mutex_lock(&lock);
  if (sink != NULL) sink(sink_context, level, text);
  else write_stderr(level, text);
  tm_env_get()->mutex_unlock(&lock);
}
