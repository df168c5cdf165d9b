/* tests/io/rolling_test.c: a file a day, which gets its name when the day is over. */
#include "io/rolling.h"

#include <dirent.h>

#include "base/log.h"
#include "kernel/parse.h"
#include "tests/io/scratch.h"
#include "tests/support/fixture.h"

static tm_rolling *rolling;
static char path[200], said[1000];

static void keep(void *context, tm_log_level level, const char *text) {
  (void)context, (void)level;
  strncat(said, text, sizeof said - strlen(said) - 1);
}

static void begin(void) {
  setup();
  scratch_setup();
  tm_log_configure(TM_LOG_WARNING, keep, NULL);
}
static void end(void) {
  tm_rolling_destroy(rolling);
  scratch_teardown();
  teardown();
}
TestSuite(rolling, .init = begin, .fini = end);

static void start(const char *name, bool adds) {
  tm_error err = {0};
  tm_rolling_destroy(rolling);
  strcpy(path, scratch_path(name));
  tm_rolling_options options = {.path = path, .head = "h\n", .head_size = 2, .adds = adds};
  rolling = tm_rolling_create(budget, &options, &err);
  cr_assert_not_null(rolling, "%s", err.message);
}

static int32_t day_of(const char *text) {
  int32_t day;
  cr_assert_eq(tm_parse_date(text, strlen(text), &day), 0);
  return day;
}

static void put(const char *day, const char *text) {
  tm_error err = {0};
  cr_assert_eq(tm_rolling_write(rolling, day_of(day), text, strlen(text), &err), 0, "%s",
               err.message);
}

static void publish(const char *before) {
  tm_error err = {0};
  int64_t day = before == NULL ? INT64_MAX : day_of(before);
  cr_assert_eq(tm_rolling_publish(rolling, day, &err), 0, "%s", err.message);
}

static void flush(void) {
  tm_error err = {0};
  cr_assert_eq(tm_rolling_flush(rolling, &err), 0);
}

/* NULL: it is not there. */
static void expect(const char *name, const char *text) {
  char *got = scratch_read(name);
  if (text == NULL) cr_expect_null(got, "%s is there: %s", name, got);
  else cr_expect(got != NULL && strcmp(got, text) == 0, "%s: '%s', not '%s'", name, got, text);
  free(got);
}

Test(rolling, a_day_gets_its_name_when_it_is_over) {
  start("o/{date}.csv", true);
  put("2026-01-01", "1\n");
  put("2026-01-02", "2\n");
  put("2026-01-01", "3\n");
  cr_expect(tm_rolling_waits(rolling));
  flush();
  cr_expect_not(tm_rolling_waits(rolling));
  expect("o/2026-01-01.csv.part", "h\n1\n3\n");
  expect("o/2026-01-01.csv", NULL);
  publish("2026-01-02");
  expect("o/2026-01-01.csv", "h\n1\n3\n");
  expect("o/2026-01-01.csv.part", NULL);
  expect("o/2026-01-02.csv", NULL);
  publish(NULL);
  expect("o/2026-01-02.csv", "h\n2\n");
}

Test(rolling, what_comes_late_is_put_behind) {
  start("{date}.csv", true);
  put("2026-01-01", "1\n");
  publish("2026-01-02");
  put("2026-01-01", "2\n");
  put("2025-12-31", "0\n");
  flush();
  expect("2026-01-01.csv", "h\n1\n2\n");
  expect("2025-12-31.csv", "h\n0\n");
  publish("2026-01-03");
  put("2026-01-01", "3\n");
  publish(NULL);
  expect("2026-01-01.csv", "h\n1\n2\n3\n");
}

Test(rolling, a_later_run_adds) {
  scratch_text("2026-01-01.csv", "h\n0\n");
  start("{date}.csv", true);
  put("2026-01-01", "1\n");
  flush();
  expect("2026-01-01.csv", "h\n0\n");
  publish(NULL);
  expect("2026-01-01.csv", "h\n0\n1\n");
  expect("2026-01-01.csv.part", NULL);
}

Test(rolling, bounded_output_replaces_or_is_thrown_away) {
  scratch_text("2026-01-01.csv", "old\n");
  scratch_text("2026-01-01.csv.part", "of another\n");
  start("{date}.csv", false);
  put("2026-01-01", "1\n");
  put("2026-01-02", "2\n");
  publish(NULL);
  expect("2026-01-01.csv", "h\n1\n");
  expect("2026-01-02.csv", "h\n2\n");
  start("{date}.csv", false);
  put("2026-01-01", "x\n");
  put("2026-01-05", "x\n");
  tm_rolling_discard(rolling);
  expect("2026-01-01.csv", "h\n1\n");
  expect("2026-01-01.csv.part", NULL);
  expect("2026-01-05.csv.part", NULL);
}

Test(rolling, what_a_crash_left_is_gone_on_with) {
  scratch_text("a 2026-01-01.csv.part", "h\n1\n2,to");
  scratch_text("a 2026-01-02.csv.part", "h\n2\n3,to");
  scratch_text("a 2026-13-02.csv.part", "no day\n");
  start("a {date}.csv", true);
  put("2026-01-01", "3\n");
  publish(NULL);
  expect("a 2026-01-01.csv", "h\n1\n3\n");
  expect("a 2026-01-02.csv", "h\n2\n");
  expect("a 2026-13-02.csv.part", "no day\n");
}

Test(rolling, a_compressed_part_that_a_crash_left_stays) {
  scratch_text("2026-01-01.csv.gz.part", "torn");
  start("{date}.csv.gz", true);
  put("2026-01-01", "3\n");
  publish(NULL);
  expect("2026-01-01.csv.gz.part", "torn");
  char *got = scratch_read("2026-01-01.csv.gz");
  cr_expect(got != NULL && got[0] == '\x1f');
  free(got);
  cr_expect(strstr(said, "was left by a run that was cut off") != NULL, "%s", said);
}

/* More days at once than may be open. */
Test(rolling, many_days) {
  start("d/{date}.csv", true);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 100; i++) {
      tm_error err = {0};
      char line[40];
      sprintf(line, "%d %d\n", round, i);
      int32_t day = day_of("2026-01-01") + (round == 1 ? 99 - i : i);
      cr_assert_eq(tm_rolling_write(rolling, day, line, strlen(line), &err), 0);
    }
    DIR *files = opendir("/proc/self/fd");
    int open = 0;
    while (readdir(files) != NULL) open++;
    closedir(files);
    cr_expect_lt(open, 60);
  }
  publish(NULL);
  expect("d/2026-01-01.csv", "h\n0 0\n1 99\n2 0\n");
  expect("d/2026-04-10.csv", "h\n0 99\n1 0\n2 99\n");
}

Test(rolling, a_path_with_two_dates_and_signs_of_patterns) {
  scratch_text("x[1]/2026-01-02/2026-01-02.csv.part", "h\n1\n");
  start("x[1]/{date}/{date}.csv", true);
  put("2026-01-03", "2\n");
  publish(NULL);
  expect("x[1]/2026-01-02/2026-01-02.csv", "h\n1\n");
  expect("x[1]/2026-01-03/2026-01-03.csv", "h\n2\n");
}
