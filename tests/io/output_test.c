/* tests/io/output_test.c: files appear whole or not at all; stdout, one output after another. */
#include "io/output.h"

#include <fcntl.h>
#include <signal.h>
#include <zlib.h>

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
TestSuite(output, .init = begin, .fini = end);

static tm_output *open_output(const char *path) {
  tm_output *o;
  tm_error err = {0};
  cr_assert_eq(tm_output_open(&o, budget, path, &err), 0, "%s", err.message);
  return o;
}

Test(output, a_file_appears_when_it_is_published) {
  tm_error err = {0};
  tm_output *o = open_output(scratch_path("folder/a.csv"));
  cr_expect_eq(tm_output_write(o, "hello\n", 6, &err), 0);
  cr_expect_eq(tm_output_seal(o, &err), 0);
  cr_expect_neq(access(scratch_path("folder/a.csv"), F_OK), 0);
  cr_expect_eq(tm_output_publish(o, &err), 0);
  tm_output_close(o);
  char *text = scratch_read("folder/a.csv");
  cr_assert_not_null(text);
  cr_expect_str_eq(text, "hello\n");
  free(text);
}

Test(output, a_closed_output_leaves_nothing) {
  tm_error err = {0};
  scratch_text("a.csv", "before");
  tm_output *o = open_output(scratch_path("a.csv"));
  tm_output_write(o, "hello\n", 6, &err);
  tm_output_seal(o, &err);
  tm_output_close(o);
  char *text = scratch_read("a.csv");
  cr_expect_str_eq(text, "before");
  free(text);
}

Test(output, the_ending_compresses) {
  tm_error err = {0};
  tm_output *o = open_output(scratch_path("a.csv.gz"));
  for (int i = 0; i < 1000; i++) tm_output_write(o, "0123456789", 10, &err);
  cr_assert_eq(tm_output_seal(o, &err), 0);
  cr_assert_eq(tm_output_publish(o, &err), 0);
  tm_output_close(o);
  gzFile file = gzopen(scratch_path("a.csv.gz"), "rb");
  char text[10001];
  cr_expect_eq(gzread(file, text, sizeof text), 10000);
  cr_expect_eq(memcmp(text + 9990, "0123456789", 10), 0);
  gzclose(file);
}

Test(output, what_cannot_be_written_is_said) {
  tm_output *o;
  tm_error err = {0};
  scratch_text("file", "");
  cr_expect_eq(tm_output_open(&o, budget, scratch_path("file/a.csv"), &err), -1);
  cr_expect_eq(err.code, TM_E_WRITE);
}

/* Stdout in a file, for the time of a call. */
static int saved_stdout;
static void redirect(void) {
  fflush(stdout);
  saved_stdout = dup(1);
  int file = open(scratch_path("stdout"), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  dup2(file, 1);
  close(file);
}
static void restore(void) {
  dup2(saved_stdout, 1);
  close(saved_stdout);
}

Test(output, outputs_on_stdout_come_one_after_another) {
  tm_error err = {0};
  redirect();
  tm_output *a = open_output("-"), *b = open_output("-");
  int wrong = tm_output_write(b, "second\n", 7, &err) | tm_output_write(a, "first\n", 6, &err) |
              tm_output_write(b, "third\n", 6, &err) | tm_output_flush(a, &err) |
              tm_output_seal(a, &err) | tm_output_seal(b, &err) | tm_output_publish(a, &err) |
              tm_output_publish(b, &err);
  tm_output_close(a);
  tm_output_close(b);
  tm_output *c = open_output("-");
  wrong |= tm_output_write(c, "streams again\n", 14, &err) | tm_output_flush(c, &err);
  tm_output_close(c);
  restore();
  cr_expect_eq(wrong, 0);
  char *text = scratch_read("stdout");
  cr_expect_str_eq(text, "first\nsecond\nthird\nstreams again\n");
  free(text);
}

Test(output, a_reader_that_has_gone_is_no_error) {
  tm_error err = {0};
  int ends[2];
  signal(SIGPIPE, SIG_IGN);
  cr_assert_eq(pipe(ends), 0);
  fflush(stdout);
  saved_stdout = dup(1);
  dup2(ends[1], 1);
  close(ends[1]);
  close(ends[0]);
  tm_output *o = open_output("-");
  int done = tm_output_write(o, "x", 1, &err);
  int flushed = tm_output_flush(o, &err), sealed = tm_output_seal(o, &err);
  tm_output_close(o);
  restore();
  cr_expect_eq(done, 0);
  cr_expect_eq(flushed, TM_OUTPUT_CLOSED);
  cr_expect_geq(sealed, 0);
  cr_expect_eq(err.code, 0);
}
