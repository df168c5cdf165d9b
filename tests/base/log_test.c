/* Log lines reach the sink up to the level that was asked for, and stderr without one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char said[8192];

static void keep(void *context, tm_log_level level, const char *text) {
  size_t used = strlen(said);
  cr_expect_eq(context, (void *)said);
  snprintf(said + used, sizeof said - used, "%s=%s;", tm_log_level_name(level), text);
}

Test(log, levels_are_kept_apart) {
  tm_log_configure(TM_LOG_INFO, keep, said);
  tm_log(TM_LOG_ERROR, "one %d", 1);
  tm_log(TM_LOG_INFO, "two");
  tm_log(TM_LOG_DEBUG, "three");
  cr_expect_str_eq(said, "error=one 1;info=two;");
  tm_log_configure(TM_LOG_ERROR, keep, said);
  tm_log(TM_LOG_WARNING, "four");
  cr_expect_str_eq(said, "error=one 1;info=two;");
}

Test(log, a_long_line_is_cut) {
  char text[5000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  tm_log_configure(TM_LOG_ERROR, keep, said);
  tm_log(TM_LOG_ERROR, "%s", text);
  cr_expect_eq(strlen(said), strlen("error=;") + 2047);
}

Test(log, goes_to_stderr_without_a_sink) {
  int ends[2];
  char line[128] = "";
  cr_assert_eq(pipe(ends), 0);
  int before = dup(2);
  dup2(ends[1], 2);
  tm_log_configure(TM_LOG_WARNING, NULL, NULL);
  tm_log(TM_LOG_WARNING, "the watermark has not moved");
  tm_log(TM_LOG_NOTICE, "listening on 127.0.0.1:5123");
  tm_log(TM_LOG_INFO, "not this");
  dup2(before, 2);
  close(ends[1]);
  cr_expect_gt(read(ends[0], line, sizeof line - 1), 0);
  cr_expect_str_eq(line, "warning: the watermark has not moved\nlistening on 127.0.0.1:5123\n");
}
