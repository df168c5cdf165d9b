/* tests/io/tail_test.c: files that grow, are renamed, truncated, join and go, by a clock of the
 * test. */
#include "io/tail.h"

#include <criterion/criterion.h>

#include "base/log.h"
#include "tests/io/scratch.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

static tm_env clocked;
static int64_t now_us;
static char said[2000];
static tm_reading reading;
static tm_tail_options options;
static const char *patterns[2];
static tm_tail *tail;

static int64_t test_clock(void) { return now_us; }

static void keep(void *context, tm_log_level level, const char *text) {
  (void)context, (void)level;
  strncat(said, text, sizeof said - strlen(said) - 1);
}

static void begin(void) {
  setup();
  scratch_setup();
  clocked = tm_env_posix;
  clocked.monotonic_us = test_clock;
  now_us = 1000000;
  tm_env_set(&clocked);
  tm_log_configure(TM_LOG_WARNING, keep, NULL);
}

static void end(void) {
  tm_tail_close(tail);
  tm_env_set(NULL);
  scratch_teardown();
  teardown();
}
TestSuite(tail, .init = begin, .fini = end);

static void start(const char *format, const char *ddl, const char *pattern) {
  reading = (tm_reading){
    .format = tm_format_find(format), .schema = rows_schema(&arena, ddl), .batch_rows = 10,
    .record_bytes_max = 1 << 20,
    .options = {.delimiter = ',', .quote = '"', .header = true, .epoch_digits = TM_EPOCH_NONE},
  };
  patterns[0] = scratch_path(pattern);
  patterns[0] = tm_arena_text(&arena, patterns[0], strlen(patterns[0]));
  options.patterns = patterns;
  options.pattern_count = 1;
  tm_error err = {0};
  tail = tm_tail_open(budget, &reading, &options, &err);
  cr_assert_not_null(tail);
}

/* Everything that can be had now: "name line:data;" with '/' for line ends. */
static const char *all(void) {
  static char text[1 << 16];
  char *to = text;
  tm_live_item item;
  tm_error err = {0};
  int64_t look_us = 0;
  *to = '\0';
  for (;;) {
    tm_live_answer got = tm_tail_take(tail, &item, &look_us, &err);
    if (got == TM_LIVE_FAILED) return strcpy(text, err.message);
    if (got == TM_LIVE_LATER) break;
    const char *name = strrchr(item.name, '/') + 1;
    if (item.block == NULL) {
      to += sprintf(to, "%s ends;", name);
      continue;
    }
    cr_assert_eq(item.block->file_index, options.by_file ? item.partition : 0);
    char *from = to;
    to += sprintf(to, "%s %llu:%.*s", name, (unsigned long long)item.block->first_line,
                  (int)item.block->size, item.block->data);
    for (; from < to; from++) *from = *from == '\n' ? '/' : *from;
    to += sprintf(to, ";");
    tm_block_release(item.block);
  }
  cr_assert_gt(look_us, now_us);
  cr_assert_leq(look_us, now_us + 50 * 1000);
  return text;
}

static const char *after(int64_t ms) {
  now_us += ms * 1000;
  return all();
}

static void append(const char *name, const char *text) {
  FILE *file = fopen(scratch_path(name), "ab");
  cr_assert_not_null(file);
  fputs(text, file);
  fclose(file);
}

Test(tail, from_the_start_and_on) {
  scratch_text("a.csv", "id,s\n1,x\n2,y\n3,");
  start("csv", "id int64, s string", "a.csv");
  cr_expect_str_eq(all(), "a.csv 2:1,x/2,y/;");
  cr_expect_str_eq(after(30), "");
  append("a.csv", "z\n");
  cr_expect_str_eq(after(30), "a.csv 4:3,z/;");
  append("a.csv", "4,\"two\n");
  cr_expect_str_eq(after(30), "", "a line in quotes is no record yet");
  append("a.csv", "lines\"\n5,");
  cr_expect_str_eq(after(30), "a.csv 5:4,\"two/lines\"/;");
  cr_expect_str_eq(after(60000), "", "a line without its end waits for ever");
}

Test(tail, a_header_that_comes_in_pieces) {
  scratch_text("a.csv", "i");
  start("csv", "id int64, s string", "a.csv");
  cr_expect_str_eq(all(), "");
  append("a.csv", "d,");
  cr_expect_str_eq(after(30), "");
  append("a.csv", "s\n1,x\n");
  cr_expect_str_eq(after(30), "a.csv 2:1,x/;");
}

Test(tail, from_the_end) {
  options = (tm_tail_options){.from_end = true};
  scratch_text("a.csv", "id,s\n1,x\n2,y\n3,");
  scratch_text("b.csv", "id,s\n1,x\n");
  scratch_text("c.csv", "id");
  start("csv", "id int64, s string", "*.csv");
  cr_expect_str_eq(all(), "");
  append("a.csv", "z\n4,w\n");
  append("b.csv", "5,v\n");
  append("c.csv", ",s\n6,u\n");
  scratch_text("d.csv", "id,s\n7,t\n");
  cr_expect_str_eq(after(300), "a.csv 3:4,w/;b.csv 2:5,v/;c.csv 2:6,u/;d.csv 2:7,t/;",
                   "the rest of a line that had begun is passed over; new files are not");
  options = (tm_tail_options){0};
}

Test(tail, rotation_reads_both_to_their_ends) {
  scratch_text("a.log", "1\n2\n");
  start("lines", "line string", "a.log");
  cr_expect_str_eq(all(), "a.log 1:1/2/;");
  append("a.log", "3\n");
  rename(scratch_path("a.log"), scratch_path("a.log.1"));
  scratch_text("a.log", "5\n");
  append("a.log.1", "4\n"); /* its writer has not noticed yet */
  cr_expect_str_eq(after(300), "a.log 3:3/4/;a.log 1:5/;", "the old one first");
  append("a.log.1", "4b\nlast");
  append("a.log", "6\n");
  cr_expect_str_eq(after(30), "a.log 5:4b/;a.log 2:6/;");
  cr_expect_str_eq(after(4000), "");
  cr_expect_str_eq(after(1100), "a.log 6:last/;", "a file that is over ends its last line");
  append("a.log.1", "\nnobody reads this\n");
  append("a.log", "7\n");
  cr_expect_str_eq(after(300), "a.log 3:7/;");
}

Test(tail, rotation_within_the_pattern_reads_nothing_twice) {
  scratch_text("a.log", "1\n2\n");
  start("lines", "line string", "a.log*");
  cr_expect_str_eq(all(), "a.log 1:1/2/;");
  rename(scratch_path("a.log"), scratch_path("a.log.1"));
  scratch_text("a.log", "3\n");
  cr_expect_str_eq(after(300), "a.log 1:3/;");
  append("a.log.1", "4\n");
  cr_expect_str_eq(after(30000), "a.log.1 3:4/;", "it is read on, under its new name");
  scratch_text("a.log.2.gz", "not looked at\n");
  cr_expect_str_eq(after(300), "");
}

Test(tail, many_rotations_between_two_looks) {
  scratch_text("a.log", "1\n");
  start("lines", "line string", "a.log*");
  cr_expect_str_eq(all(), "a.log 1:1/;");
  rename(scratch_path("a.log"), scratch_path("a.log.2"));
  scratch_text("a.log.1", "2\n");
  scratch_text("a.log", "3\n");
  cr_expect_str_eq(after(300), "a.log 1:3/;a.log.1 1:2/;");
}

Test(tail, truncation_begins_again) {
  scratch_text("a.csv", "id,s\n1,x\n2,y\n3,half");
  start("csv", "id int64, s string", "a.csv");
  cr_expect_str_eq(all(), "a.csv 2:1,x/2,y/;");
  scratch_text("a.csv", "s,id\nz,4\n");
  cr_expect_str_eq(after(30), "a.csv 2:z,4/;", "with the header that is there now");
  cr_expect(strstr(said, "a.csv was truncated: it is read from its start again") != NULL, "%s",
            said);
}

/* As large as before, or larger: the bytes before the place tell. */
Test(tail, truncation_between_two_looks) {
  scratch_text("a.log", "1\n2\n");
  start("lines", "line string", "a.log");
  cr_expect_str_eq(all(), "a.log 1:1/2/;");
  scratch_text("a.log", "3\n4\n");
  cr_expect_str_eq(after(30), "a.log 1:3/4/;");
  scratch_text("a.log", "5\n6\n7\n");
  cr_expect_str_eq(after(30), "a.log 1:5/6/7/;");
  append("a.log", "8\n");
  cr_expect_str_eq(after(30), "a.log 4:8/;");
}

Test(tail, files_come_and_go) {
  options = (tm_tail_options){.by_file = true};
  start("lines", "line string", "in/*.log");
  cr_expect_str_eq(all(), "");
  cr_expect(strstr(said, "is not there yet: waiting for it") != NULL, "%s", said);
  scratch_text("in/b.log", "1\n");
  scratch_text("in/a.log", "2\n");
  cr_expect_str_eq(after(300), "a.log 1:2/;b.log 1:1/;");
  unlink(scratch_path("in/b.log"));
  cr_expect_str_eq(after(300), "");
  append("in/a.log", "3\n");
  cr_expect_str_eq(after(5100), "b.log ends;a.log 2:3/;", "its partition is over");
  scratch_text("in/b.log", "4\n");
  cr_expect_str_eq(after(300), "b.log 1:4/;");
  options = (tm_tail_options){0};
}

Test(tail, a_file_that_grows_fast_does_not_keep_others_waiting) {
  enum { LINE = 1000, LINES = 20000 };
  static char line[LINE + 1];
  scratch_text("a.log", "");
  scratch_text("b.log", "");
  start("lines", "line string", "*.log");
  cr_expect_str_eq(all(), "");
  memset(line, 'x', LINE - 1);
  line[LINE - 1] = '\n';
  FILE *file = fopen(scratch_path("a.log"), "ab");
  for (int i = 0; i < LINES; i++) fwrite(line, 1, LINE, file);
  fclose(file);
  append("b.log", "b\n");
  now_us += 30000;
  size_t before_b = 0, total = 0;
  bool b_came = false;
  tm_live_item item;
  tm_error err = {0};
  int64_t look_us;
  while (tm_tail_take(tail, &item, &look_us, &err) == TM_LIVE_TAKEN) {
    b_came |= strcmp(strrchr(item.name, '/'), "/b.log") == 0;
    if (!b_came) before_b += item.block->size;
    total += item.block->size;
    tm_block_release(item.block);
  }
  cr_expect_eq(total, (size_t)LINE * LINES + 2);
  cr_expect(b_came && before_b < 6 << 20, "%zu bytes came before it", before_b);
}

Test(tail, what_cannot_be_read) {
  mkdir(scratch_path("d.log"), 0777);
  start("lines", "line string", "d.log");
  cr_expect_str_eq(all(), "", "a folder is no file, and may become one");
  scratch_text("e.csv", "no,such\n1,2\n");
  tm_tail_close(tail);
  start("csv", "id int64", "e.csv");
  const char *got = all();
  cr_expect(strstr(got, "the header has no column 'id'") != NULL, "%s", got);
}

Test(tail, out_of_memory_at_any_time) {
  scratch_text("a.csv", "id,s\n1,x\n2,y\n");
  scratch_text("b.csv", "id,s\n3,x\n4,");
  for (uint64_t nth = 1; nth < 40; nth++) {
    tm_error err = {0};
    start("csv", "id int64, s string", "*.csv");
    tm_memory_fail_at(nth);
    tm_live_item item;
    int64_t look_us;
    tm_live_answer got;
    while ((got = tm_tail_take(tail, &item, &look_us, &err)) == TM_LIVE_TAKEN) {
      tm_block_release(item.block);
    }
    tm_memory_fail_at(0);
    cr_expect(got == TM_LIVE_LATER || err.code == TM_E_MEMORY, "%s", err.message);
    tm_tail_close(tail);
    tail = NULL;
  }
}
