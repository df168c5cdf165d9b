/* tests/io/live_file_test.c: files that are read while they are written. */
#include "io/live_file.h"

#include <errno.h>

#include "base/env.h"
#include "format/compress.h"
#include "io/input.h"
#include "tests/io/scratch.h"
#include "tests/support/fixture.h"

static void begin(void) {
  setup();
  scratch_setup();
}
static void end(void) {
  scratch_teardown();
  teardown();
}
TestSuite(live_file, .init = begin, .fini = end);

static tm_live_file *open_file(const char *name, tm_live_mode mode) {
  static char paths[4][200];
  static int next_path;
  char *path = paths[next_path++ % 4];
  strcpy(path, scratch_path(name));
  tm_live_file *f = NULL;
  tm_error err = {0};
  cr_assert_eq(tm_live_file_open(&f, budget, path, path, mode, &err), 0, "%s", err.message);
  return f;
}

static void put(tm_live_file *f, const char *text) {
  tm_error err = {0};
  cr_assert_eq(tm_live_file_write(f, text, strlen(text), &err), 0, "%s", err.message);
}

static void flush(tm_live_file *f) {
  tm_error err = {0};
  cr_assert_eq(tm_live_file_flush(f, &err), 0, "%s", err.message);
}

static void expect(const char *name, const char *text) {
  char *got = scratch_read(name);
  cr_assert_not_null(got);
  cr_expect_str_eq(got, text);
  free(got);
}

Test(live_file, is_seen_after_a_flush) {
  scratch_text("a.csv", "old\n");
  tm_live_file *f = open_file("a.csv", TM_LIVE_REPLACES);
  cr_expect(tm_live_file_is_empty(f));
  expect("a.csv", "");
  put(f, "1\n");
  cr_expect(tm_live_file_waits(f));
  flush(f);
  cr_expect_not(tm_live_file_waits(f));
  expect("a.csv", "1\n");
  put(f, "2\n");
  tm_error err = {0};
  cr_expect_eq(tm_live_file_seal(f, &err), 0);
  expect("a.csv", "1\n2\n");
  tm_live_file_close(f);
}

Test(live_file, folders_are_made_and_much_is_not_kept_back) {
  tm_live_file *f = open_file("new/folder/a.csv", TM_LIVE_REPLACES);
  char line[1001];
  memset(line, 'x', 1000);
  line[999] = '\n';
  line[1000] = '\0';
  for (int i = 0; i < 100; i++) put(f, line);
  char *got = scratch_read("new/folder/a.csv");
  cr_expect_gt(strlen(got), 60000);
  free(got);
  tm_live_file_close(f);
}

Test(live_file, adds_behind_what_is_there) {
  scratch_text("a.csv", "1\n2");
  tm_live_file *f = open_file("a.csv", TM_LIVE_ADDS);
  cr_expect_not(tm_live_file_is_empty(f));
  put(f, "3\n");
  flush(f);
  tm_live_file_close(f);
  expect("a.csv", "1\n2\n3\n");
}

Test(live_file, goes_on_where_a_crash_tore_a_line) {
  char text[9000];
  memset(text, 'x', sizeof text);
  strcpy(text + 8990, "");
  memcpy(text, "1\n2\n", 4); /* and a torn line longer than a chunk */
  scratch_text("a.csv", text);
  tm_live_file *f = open_file("a.csv", TM_LIVE_GOES_ON);
  put(f, "3\n");
  flush(f);
  tm_live_file_close(f);
  expect("a.csv", "1\n2\n3\n");
  scratch_text("b.csv", "torn");
  f = open_file("b.csv", TM_LIVE_GOES_ON);
  cr_expect(tm_live_file_is_empty(f), "nothing whole is in it");
  tm_live_file_close(f);
  expect("b.csv", "");
}

Test(live_file, has_one_writer) {
  tm_live_file *f = open_file("a.csv", TM_LIVE_REPLACES), *second = NULL;
  tm_error err = {0};
  const char *path = scratch_path("a.csv");
  cr_expect_eq(tm_live_file_open(&second, budget, path, path, TM_LIVE_ADDS, &err), -1);
  cr_expect_eq(err.code, TM_E_LOCKED);
  tm_live_file_close(f);
}

static const char *unpacked(const char *name) {
  static char text[4096];
  tm_input *in;
  tm_error err = {0};
  size_t used = 0;
  cr_assert_eq(tm_input_open(&in, budget, scratch_path(name), NULL, &err), 0);
  int64_t got;
  while ((got = tm_input_read(in, text + used, sizeof text - 1 - used, -1, &err)) > 0) {
    used += (size_t)got;
  }
  text[used] = '\0';
  tm_input_close(in);
  if (got < 0 && err.code != TM_E_CORRUPT) strcpy(text, err.message);
  return text;
}

Test(live_file, compressed_rows_can_be_read_after_a_flush) {
  static const char *const names[] = {"a.csv.gz", "a.csv.zst"};
  for (int i = 0; i < 2; i++) {
    tm_live_file *f = open_file(names[i], TM_LIVE_REPLACES);
    put(f, "1\n");
    flush(f);
    cr_expect_str_eq(unpacked(names[i]), "1\n", "%s", names[i]);
    put(f, "2\n");
    tm_error err = {0};
    cr_assert_eq(tm_live_file_seal(f, &err), 0);
    tm_live_file_close(f);
    f = open_file(names[i], TM_LIVE_ADDS);
    put(f, "3\n");
    cr_assert_eq(tm_live_file_seal(f, &err), 0);
    tm_live_file_close(f);
    cr_expect_str_eq(unpacked(names[i]), "1\n2\n3\n", "%s", names[i]);
  }
}

static int64_t room; /* bytes that the disk still takes */

static int64_t write_some(int file, const void *bytes, size_t size) {
  if (room == 0) return -ENOSPC;
  size_t given = (int64_t)size < room ? size : (size_t)room;
  room -= (int64_t)given;
  return tm_env_posix.write(file, bytes, given);
}

Test(live_file, a_full_disk_tears_no_line) {
  tm_env full = tm_env_posix;
  full.write = write_some;
  tm_env_set(&full);
  tm_live_file *f = open_file("a.csv", TM_LIVE_REPLACES);
  tm_error err = {0};
  room = 10;
  put(f, "12345\n");
  cr_expect_eq(tm_live_file_flush(f, &err), 0);
  put(f, "67890\n");
  cr_expect_eq(tm_live_file_flush(f, &err), -1);
  cr_expect_eq(err.code, TM_E_WRITE);
  cr_expect(strstr(err.message, "No space left on device") != NULL, "%s", err.message);
  tm_live_file_close(f);
  tm_env_set(NULL);
  expect("a.csv", "12345\n");
}

Test(live_file, what_cannot_be_written) {
  tm_live_file *f = NULL;
  tm_error err = {0};
  mkdir(scratch_path("d"), 0777);
  const char *path = scratch_path("d");
  cr_expect_eq(tm_live_file_open(&f, budget, path, path, TM_LIVE_REPLACES, &err), -1);
  cr_expect_eq(err.code, TM_E_WRITE);
  cr_expect_null(f);
}
