/* tests/io/block_reader_test.c: files in order as blocks of whole records, whatever the sizes. */
#include "io/block_reader.h"

#include "tests/io/scratch.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"
#include "tests/support/values.h"

static void begin(void) {
  setup();
  scratch_setup();
}
static void end(void) {
  scratch_teardown();
  teardown();
}
TestSuite(block_reader, .init = begin, .fini = end);

static tm_reading reading_of(const char *format, const char *ddl, size_t block_bytes) {
  return (tm_reading){
    .format = tm_format_find(format), .schema = rows_schema(&arena, ddl), .batch_rows = 10,
    .block_bytes = block_bytes, .record_bytes_max = TM_RECORD_BYTES_MAX,
    .options = {.delimiter = ',', .quote = '"', .header = true, .epoch_digits = TM_EPOCH_NONE},
  };
}

static tm_source_files files_of(const char *pattern) {
  tm_source_files files;
  tm_error err = {0};
  tm_value path = v_text(pattern);
  cr_assert_eq(tm_source_files_find(&arena, &path, NULL, &files, &err), 0, "%s", err.message);
  return files;
}

/* Every block as "file line offset:data" with '/' for line ends. */
static char *describe(const tm_reading *reading, const tm_source_files *files, tm_error *err) {
  static char out[1 << 16];
  char *to = out;
  *to = '\0';
  uint64_t sequence = 0;
  tm_block_reader *r = tm_block_reader_create(budget, reading, files, 1, err);
  for (;;) {
    tm_block *b;
    tm_block_answer got = tm_block_reader_take(r, &b, err);
    if (got != TM_BLOCK_TAKEN) break;
    cr_assert_eq(b->sequence, sequence++);
    for (int i = 0; i < TM_BLOCK_PAD; i++) cr_assert_eq(b->data[b->size + (size_t)i], 0);
    to += sprintf(to, "%u %llu %llu%s:%.*s;", b->file_index, (unsigned long long)b->first_line,
                  (unsigned long long)b->offset, b->too_long ? " long" : "", (int)b->size, b->data);
    tm_block_release(b);
  }
  for (char *c = out; *c != '\0'; c++) *c = *c == '\n' ? '/' : *c;
  tm_block_reader_destroy(r);
  return out;
}

Test(block_reader, files_come_in_order_of_their_paths) {
  scratch_text("b.csv", "a,b\n3,4\n");
  scratch_text("a.csv", "a,b\n1,2\n5,6");
  scratch_text("c.csv", "a,b\n");
  tm_reading reading = reading_of("csv", "a int64", 1000);
  tm_source_files files = files_of(scratch_path("*.csv"));
  tm_error err = {0};
  cr_expect_str_eq(describe(&reading, &files, &err), "0 2 4:1,2/5,6/;1 2 4:3,4/;");
  cr_expect_eq(err.code, 0);
}

Test(block_reader, blocks_are_cut_at_records) {
  scratch_text("a.csv", "a,b\n1,2\n\"x\ny\",4\n5,6\n");
  tm_reading reading = reading_of("csv", "a string", 9);
  tm_source_files files = files_of(scratch_path("a.csv"));
  tm_error err = {0};
  cr_expect_str_eq(describe(&reading, &files, &err), "0 2 4:1,2/;0 3 8:\"x/y\",4/;0 5 16:5,6/;");
}

Test(block_reader, any_size_gives_the_same_bytes) {
  char text[600] = "h\n", *at = text + 2;
  for (int i = 0; i < 60; i++) at += sprintf(at, i % 7 == 0 ? "\"%d\n\"\n" : "%d\n", i * i);
  scratch_text("a.csv", text);
  tm_source_files files = files_of(scratch_path("a.csv"));
  for (size_t bytes = 1; bytes < 700; bytes += 1 + bytes / 20) {
    tm_reading reading = reading_of("csv", "h string", bytes);
    tm_error err = {0};
    char *got = describe(&reading, &files, &err), joined[600] = "";
    for (char *b = got; *b != '\0';) {
      char *data = strchr(b, ':') + 1, *stop = strchr(data, ';');
      *stop = '\0';
      strcat(joined, data);
      b = stop + 1;
    }
    for (char *c = joined; *c != '\0'; c++) *c = *c == '/' ? '\n' : *c;
    cr_expect_str_eq(joined, text + 2, "blocks of %zu", bytes);
  }
}

Test(block_reader, a_record_beyond_the_limit_is_cut_and_passed_over) {
  char text[20000] = "h\n1\n\"";
  size_t used = strlen(text);
  for (int i = 0; i < 6000; i++) text[used++] = i % 50 == 0 ? '\n' : 'x';
  strcpy(text + used, "\"\n2\n3\n");
  scratch_text("a.csv", text);
  tm_source_files files = files_of(scratch_path("a.csv"));
  for (size_t bytes = 10; bytes < 4000; bytes *= 3) {
    tm_reading reading = reading_of("csv", "h string", bytes);
    reading.record_bytes_max = 4500;
    tm_error err = {0};
    char *got = describe(&reading, &files, &err);
    cr_expect(strncmp(got, "0 2 2:1/;0 3 4 long:\"/xxx", 25) == 0, "%.40s", got);
    char *cut = strstr(got, " long:") + 6, *rest = strchr(cut, ';') + 1;
    cr_expect_eq(rest - cut - 1, 4096);
    cr_expect(strncmp(rest, "0 124 ", 6) == 0, "%s", rest);
    cr_expect_not_null(strstr(rest, ":2/"));
    cr_expect_not_null(strstr(rest, "3/;"));
  }
}

Test(block_reader, a_record_beyond_the_limit_at_the_end) {
  char text[9000] = "{\"a\":1}\n{\"b\":\"";
  memset(text + strlen(text), 'x', 8000);
  scratch_text("a.jsonl", text);
  tm_source_files files = files_of(scratch_path("a.jsonl"));
  tm_reading reading = reading_of("jsonl", "a int64", 100);
  reading.record_bytes_max = 500;
  tm_error err = {0};
  char *got = describe(&reading, &files, &err);
  cr_expect(strncmp(got, "0 1 0:{\"a\":1}/;0 2 8 long:{", 27) == 0, "%.60s", got);
}

Test(block_reader, message_pack_is_cut_between_maps) {
  static const char text[] = "\x81\xa1" "a\x01\x81\xa1" "a\xa4wxyz\x81\xa1" "a\x03\x81\xa1";
  scratch_write("a.msgpack", text, 4 + 8 + 4);
  tm_source_files files = files_of(scratch_path("a.msgpack"));
  for (size_t bytes = 1; bytes < 30; bytes += 4) {
    tm_reading reading = reading_of("msgpack", "a int64", bytes);
    tm_block_reader *r;
    tm_error err = {0};
    r = tm_block_reader_create(budget, &reading, &files, 1, &err);
    size_t total = 0;
    uint64_t line = 1;
    tm_block *b;
    while (tm_block_reader_take(r, &b, &err) == TM_BLOCK_TAKEN) {
      cr_expect_eq(b->first_line, line);
      line += b->lines;
      total += b->size;
      tm_block_release(b);
    }
    cr_expect_eq(err.code, 0);
    cr_expect_eq(total, 16);
    cr_expect_eq(line, 4);
    tm_block_reader_destroy(r);
  }
  scratch_write("b.msgpack", text, 4 + 8 + 4 + 2);
  files = files_of(scratch_path("b.msgpack"));
  tm_reading reading = reading_of("msgpack", "a int64", 100);
  tm_error err = {0};
  describe(&reading, &files, &err);
  cr_expect_eq(err.code, TM_E_FORMAT);
}

Test(block_reader, a_header_without_end) {
  char text[3000];
  memset(text, 'x', sizeof text);
  text[0] = '"';
  scratch_write("a.csv", text, sizeof text);
  tm_source_files files = files_of(scratch_path("a.csv"));
  tm_reading reading = reading_of("csv", "a int64", 100);
  reading.record_bytes_max = 1000;
  tm_error err = {0};
  describe(&reading, &files, &err);
  cr_expect_eq(err.code, TM_E_FORMAT);
}

Test(block_reader, a_failure_is_told_once) {
  scratch_text("a.csv", "x,y\n1,2\n");
  tm_source_files files = files_of(scratch_path("a.csv"));
  tm_reading reading = reading_of("csv", "a int64", 100);
  tm_error err = {0};
  tm_block_reader *r = tm_block_reader_create(budget, &reading, &files, 1, &err);
  tm_block *b;
  cr_expect_eq(tm_block_reader_take(r, &b, &err), TM_BLOCK_FAILED);
  cr_expect_eq(err.code, TM_E_FORMAT);
  tm_error again = {0};
  cr_expect_eq(tm_block_reader_take(r, &b, &again), TM_BLOCK_END);
  tm_block_reader_destroy(r);
}

Test(block_reader, goes_on_at_any_place) {
  char text[2000] = "a rather long name of a column,b\n", *at = text + strlen(text);
  for (int i = 0; i < 150; i++) at += sprintf(at, i % 5 == 0 ? "\"%d\n\",x\n" : "%d,y\n", i * 37);
  scratch_text("a.csv", text);
  tm_source_files files = files_of(scratch_path("a.csv"));
  tm_reading reading = reading_of("csv", "b string", 64);
  tm_block_place places[100];
  uint32_t count = 0;
  tm_error err = {0};
  tm_block *b;
  tm_block_reader *r = tm_block_reader_create(budget, &reading, &files, 1, &err);
  while (tm_block_reader_take(r, &b, &err) == TM_BLOCK_TAKEN) {
    tm_block_reader_place(r, &places[count++]);
    tm_block_release(b);
  }
  tm_block_reader_destroy(r);
  cr_assert_gt(count, 5);
  for (uint32_t i = 0; i + 1 < count; i++) {
    r = tm_block_reader_create(budget, &reading, &files, 1, &err);
    cr_assert_eq(tm_block_reader_seek(r, &places[i], &err), 0, "%s", err.message);
    cr_assert_eq(tm_block_reader_take(r, &b, &err), TM_BLOCK_TAKEN);
    cr_expect_eq(b->offset, places[i].offset);
    cr_expect_eq(b->first_line, places[i].line);
    cr_expect_eq(b->sequence, i + 1);
    cr_expect_eq(memcmp(b->data, text + b->offset, b->size), 0);
    tm_block_release(b);
    tm_block_reader_destroy(r);
  }
}
