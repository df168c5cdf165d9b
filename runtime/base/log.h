/* base/log.h: what the engine has to say while it runs.
 *
 * A line a message, to stderr until the program sets another sink (which knows about terminals,
 * progress lines and JSON). Errors of a run are no log lines: they travel as tm_error. */
#ifndef TM_BASE_LOG_H
#define TM_BASE_LOG_H

typedef enum tm_log_level {
  TM_LOG_ERROR,
  TM_LOG_NOTICE, /* what was asked for: shown as it is, without the word for its level */
  TM_LOG_WARNING, TM_LOG_INFO, TM_LOG_DEBUG,
} tm_log_level;

/* `text` has no line end. Called from any thread, one at a time. */
typedef void (*tm_log_sink)(void *context, tm_log_level level, const char *text);

/* Messages above `most` are dropped (TM_LOG_WARNING at first). sink NULL: stderr. */
void tm_log_configure(tm_log_level most, tm_log_sink sink, void *context);
void tm_log(tm_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *tm_log_level_name(tm_log_level level);

#endif
