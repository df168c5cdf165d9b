/* tests/io/cutter_test.c: bytes in pieces of any size become the same records, and blocks do not
 * hold more memory than they need. */
#include "io/cutter.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(cutter, .init = setup, .fini = teardown);

enum { LARGE = 4096, SMALL = 256 };

static tm_layout_home home;
static tm_block_pool *large, *small;
static tm_reading reading;

static tm_cutter make(const char *format, const char *ddl, bool copies) {
  reading = (tm_reading){
    .format = tm_format_find(format), .schema = rows_schema(&arena, ddl), .batch_rows = 10,
    .block_bytes = LARGE, .record_bytes_max = TM_RECORD_BYTES_MAX,
    .options = {.delimiter = ',', .quote = '"', .header = true, .epoch_digits = TM_EPOCH_NONE},
  };
  tm_layout_home_init(&home, budget);
  large = tm_block_pool_create(budget, LARGE, 4);
  small = tm_block_pool_create(budget, SMALL, 4);
  tm_cutter c = {.budget = budget, .reading = &reading, .home = &home, .pool = large,
                 .small = copies ? small : NULL, .name = "it", .file_index = 7};
  tm_cutter_begin(&c);
  return c;
}

static void unmake(tm_cutter *c) {
  tm_cutter_deinit(c);
  tm_block_pool_destroy(large);
  tm_block_pool_destroy(small);
  tm_layout_home_deinit(&home);
}

static void feed(tm_cutter *c, const char *bytes, size_t size) {
  tm_error err = {0};
  while (size > 0) {
    size_t room;
    char *to = tm_cutter_room(c, &room, &err);
    cr_assert_not_null(to);
    size_t given = room < size ? room : size;
    memcpy(to, bytes, given);
    tm_cutter_add(c, given);
    bytes += given;
    size -= given;
  }
}

/* Appends "line offset:data;" of what can be had. */
static tm_cut drain(tm_cutter *c, char *out, tm_error *err) {
  tm_block *b;
  tm_cut got;
  while ((got = tm_cutter_take(c, &b, err)) == TM_CUT_BLOCK) {
    for (int i = 0; i < TM_BLOCK_PAD; i++) cr_assert_eq(b->data[b->size + (size_t)i], 0);
    cr_assert_eq(b->file_index, 7);
    sprintf(out + strlen(out), "%llu %llu:%.*s;", (unsigned long long)b->first_line,
            (unsigned long long)b->offset, (int)b->size, b->data);
    tm_block_release(b);
  }
  cr_assert_null(b);
  return got;
}

Test(cutter, pieces_of_any_size) {
  static const char text[] = "id,s\n1,a\n2,\"two\nlines\"\n3,\"\"\"\"\n4,b";
  for (int copies = 0; copies < 2; copies++) {
    for (size_t piece = 1; piece < sizeof text; piece++) {
      tm_cutter c = make("csv", "id int64, s string", copies);
      char out[1000] = "", joined[1000] = "";
      tm_error err = {0};
      for (size_t at = 0; at < sizeof text - 1; at += piece) {
        size_t left = sizeof text - 1 - at;
        feed(&c, text + at, left < piece ? left : piece);
        cr_assert_eq(drain(&c, out, &err), TM_CUT_MORE, "%s", err.message);
      }
      c.ended = true;
      cr_assert_eq(drain(&c, out, &err), TM_CUT_END);
      for (char *b = strtok(out, ";"); b != NULL; b = strtok(NULL, ";")) {
        strcat(joined, strchr(b, ':') + 1);
      }
      cr_expect_str_eq(joined, "1,a\n2,\"two\nlines\"\n3,\"\"\"\"\n4,b\n");
      unmake(&c);
    }
  }
}

Test(cutter, records_leave_as_they_come) {
  tm_cutter c = make("lines", "line string", true);
  char out[200] = "";
  tm_error err = {0};
  feed(&c, "a\nb", 3);
  cr_expect_eq(drain(&c, out, &err), TM_CUT_MORE);
  cr_expect_str_eq(out, "1 0:a\n;");
  feed(&c, "c\nd\n", 4);
  cr_expect_eq(drain(&c, out, &err), TM_CUT_MORE);
  cr_expect_str_eq(out, "1 0:a\n;2 2:bc\nd\n;");
  unmake(&c);
}

Test(cutter, few_records_take_a_small_block) {
  tm_cutter c = make("lines", "line string", true);
  tm_error err = {0};
  tm_block *b;
  feed(&c, "abc\n", 4);
  cr_assert_eq(tm_cutter_take(&c, &b, &err), TM_CUT_BLOCK);
  cr_expect_eq(b->capacity, SMALL);
  tm_block_release(b);
  tm_cutter_rest(&c);
  cr_expect_null(c.next, "an empty cutter holds memory");
  char many[3000];
  memset(many, '\n', sizeof many);
  feed(&c, many, sizeof many);
  cr_assert_eq(tm_cutter_take(&c, &b, &err), TM_CUT_BLOCK);
  cr_expect_eq(b->capacity, LARGE);
  cr_expect_eq(b->first_line, 2);
  cr_expect_eq(b->offset, 4);
  tm_block_release(b);
  feed(&c, "x", 1);
  tm_cutter_rest(&c);
  cr_expect_not_null(c.next, "the beginning of a record was lost");
  unmake(&c);
}

Test(cutter, headers_that_are_alike_share_a_layout) {
  tm_cutter c = make("csv", "id int64, s string", true);
  char out[200] = "";
  tm_error err = {0};
  const tm_layout *first = NULL;
  static const char *const headers[] = {"id,s\n", "id,s\n", "s,id\n"};
  for (int i = 0; i < 3; i++) {
    feed(&c, headers[i], 5);
    cr_expect_eq(drain(&c, out, &err), TM_CUT_MORE);
    if (i == 0) first = c.layout;
    cr_expect_eq(c.layout == first, i < 2);
    tm_cutter_deinit(&c);
    tm_cutter_begin(&c);
  }
  unmake(&c);
}

Test(cutter, a_jump_goes_on_within_a_file) {
  tm_cutter c = make("csv", "id int64", true);
  char out[200] = "";
  tm_error err = {0};
  tm_cutter_place place = {.offset = 100, .line = 9, .skipping = 1};
  feed(&c, "id\n1\n", 5);
  cr_assert_eq(tm_cutter_head(&c, &err), 1);
  tm_cutter_jump(&c, &place);
  feed(&c, "rest of a line\n5\n6", 18);
  cr_expect_eq(drain(&c, out, &err), TM_CUT_MORE);
  cr_expect_str_eq(out, "10 115:5\n;");
  tm_cutter_place now;
  cr_assert(tm_cutter_place_of(&c, &now));
  cr_expect_eq(now.offset, 117);
  cr_expect_eq(now.line, 11);
  unmake(&c);
}

Test(cutter, what_is_no_format_is_an_error) {
  tm_cutter c = make("csv", "id int64", true);
  char out[200] = "";
  tm_error err = {0};
  feed(&c, "name\n1\n", 7);
  cr_expect_eq(drain(&c, out, &err), TM_CUT_FAILED);
  cr_expect_eq(err.code, TM_E_FORMAT);
  unmake(&c);
  c = make("msgpack", "id int64", true);
  tm_error second = {0};
  feed(&c, "\x81\xa1i\x01\xc1", 5);
  cr_expect_eq(drain(&c, out, &second), TM_CUT_FAILED);
  cr_expect_eq(second.code, TM_E_FORMAT);
  cr_expect_not_null(strstr(out, "1 0:\x81\xa1i\x01;"));
  unmake(&c);
}
