/* tests/io/input_test.c: files, pipes and their heads, compressed and not. */
#include "io/input.h"

#include "base/env.h"
#include "format/compress.h"
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
TestSuite(input, .init = begin, .fini = end);

static tm_bytes packed(tm_compression kind, const char *text) {
  tm_bytes out;
  tm_error err = {0};
  tm_bytes_init(&out, budget);
  tm_compress *c = tm_compress_create(budget, kind, &err);
  cr_assert_eq(tm_compress_run(c, text, strlen(text), true, &out, &err), 0);
  tm_compress_destroy(c);
  return out;
}

/* All of it in steps; its error's code where it fails. */
static int read_all(const char *path, const tm_input_head *head, size_t step, char *out) {
  tm_input *in;
  tm_error err = {0};
  if (tm_input_open(&in, budget, path, head, &err) < 0) return err.code;
  for (;;) {
    int64_t got = tm_input_read(in, out, step, -1, &err);
    if (got <= 0) break;
    out += got;
  }
  *out = '\0';
  tm_input_close(in);
  return err.code;
}

Test(input, plain_and_compressed_files_read_alike) {
  static const tm_compression kinds[] = {TM_COMPRESSION_GZIP, TM_COMPRESSION_ZSTD};
  char out[100];
  for (size_t step = 1; step < 40; step += 9) {
    cr_expect_eq(read_all(scratch_text("a.csv", "id\n1\n22\n"), NULL, step, out), 0);
    cr_expect_str_eq(out, "id\n1\n22\n");
    for (int k = 0; k < 2; k++) {
      tm_bytes text = packed(kinds[k], "id\n1\n22\n");
      /* By content: the name says nothing. */
      cr_expect_eq(read_all(scratch_write("b.csv", text.data, text.size), NULL, step, out), 0);
      cr_expect_str_eq(out, "id\n1\n22\n");
      cr_expect_eq(read_all(scratch_write("c.csv", text.data, text.size - 3), NULL, step, out),
                   TM_E_CORRUPT);
      tm_bytes_deinit(&text);
    }
  }
  cr_expect_eq(read_all(scratch_text("empty", ""), NULL, 10, out), 0);
  cr_expect_str_eq(out, "");
}

Test(input, what_cannot_be_read_is_said) {
  char out[10];
  cr_expect_eq(read_all(scratch_path("nowhere"), NULL, 10, out), TM_E_MISSING);
  cr_expect_eq(read_all(scratch_folder, NULL, 10, out), TM_E_READ);
  scratch_text("file", "");
  cr_expect_eq(read_all(scratch_path("file/below"), NULL, 10, out), TM_E_MISSING);
}

Test(input, a_sample_of_a_file_leaves_no_head) {
  const char *bytes;
  size_t size;
  bool whole;
  const tm_input_head *head;
  tm_error err = {0};
  const char *path = scratch_text("a", "hello");
  cr_assert_eq(tm_input_sample(&arena, path, 4, &bytes, &size, &whole, &head, &err), 0);
  cr_expect_eq(size, 4);
  cr_expect_not(whole);
  cr_expect_null(head);
  cr_assert_eq(tm_input_sample(&arena, path, 100, &bytes, &size, &whole, &head, &err), 0);
  cr_expect_eq(size, 5);
  cr_expect(whole);
  cr_expect_eq(memcmp(bytes, "hello", 5), 0);
}

typedef struct pipe_writer { const char *path, *text; } pipe_writer;

static void write_pipe(void *context) {
  pipe_writer *w = context;
  FILE *pipe = fopen(w->path, "wb");
  fputs(w->text, pipe);
  fclose(pipe);
}

/* A sample of a pipe, then all of it: nothing is lost. */
Test(input, a_pipe_gives_its_sample_again) {
  static const char *const texts[] = {"short",
                                      "a longer text, of which only the beginning is a sample"};
  for (int i = 0; i < 2; i++) {
    const char *path = scratch_path(i == 0 ? "one" : "two");
    cr_assert_eq(mkfifo(path, 0600), 0);
    pipe_writer w = {path, texts[i]};
    tm_thread thread;
    cr_assert_eq(tm_env_get()->thread_create(&thread, write_pipe, &w), 0);
    const char *bytes;
    size_t size;
    bool whole;
    const tm_input_head *head;
    tm_error err = {0};
    cr_assert_eq(tm_input_sample(&arena, path, 10, &bytes, &size, &whole, &head, &err), 0);
    cr_assert_not_null(head);
    cr_expect_eq(whole, i == 0);
    cr_expect_eq(size, i == 0 ? 5u : 10u);
    cr_expect_eq(memcmp(bytes, texts[i], size), 0);
    char out[100];
    cr_expect_eq(read_all(path, head, 7, out), 0);
    cr_expect_str_eq(out, texts[i]);
    tm_env_get()->thread_join(&thread);
  }
}

Test(input, a_pipe_with_nothing_says_later) {
  const char *path = scratch_path("pipe");
  cr_assert_eq(mkfifo(path, 0600), 0);
  FILE *both = fopen(path, "r+b"); /* keeps it open, without waiting for the other side */
  tm_input *in;
  tm_error err = {0};
  char out[10];
  cr_assert_eq(tm_input_open(&in, budget, path, NULL, &err), 0);
  cr_expect(tm_input_is_pipe(in));
  cr_expect_eq(tm_input_read(in, out, 10, 1000, &err), TM_INPUT_LATER);
  fputs("abcdef", both);
  fflush(both);
  cr_expect_eq(tm_input_read(in, out, 10, 1000, &err), 6);
  cr_expect_eq(tm_input_read(in, out, 10, 0, &err), TM_INPUT_LATER);
  tm_input_close(in);
  fclose(both);
}
