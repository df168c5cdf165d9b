/* tests/format/csv_write_test.c: what is written is read back, and looks as contract.md says. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/format/rig.h"
#include "tests/support/fixture.h"

TestSuite(csv_write, .init = setup, .fini = teardown);

static void expect(const rig *r, const char *rows, const char *text) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, r->ddl), rows);
  char *got = rig_write(r, table, NULL);
  cr_expect_str_eq(got, text);
  free(got);
  tm_batch_release(table);
}

Test(csv_write, header_nulls_and_quotes) {
  rig r = rig_default("csv", "a int64, \"b,c\" string");
  expect(&r, "", "a,\"b,c\"\n");
  expect(&r, "1|x\nnull|null\n2|''\n3|'a,b'\n4|'say \"q\"'\n5| x\n",
         "a,\"b,c\"\n1,x\n,\n2,\"\"\n3,\"a,b\"\n4,\"say \"\"q\"\"\"\n5, x\n");
  r.options.header = false;
  expect(&r, "1|x", "1,x\n");
}

Test(csv_write, words_and_marks_that_a_reader_would_take_for_something_else) {
  static const char *const words[] = {"NA"};
  rig r = rig_default("csv", "a string, b string");
  r.options.nulls = words;
  r.options.null_count = 1;
  r.options.comment = '#';
  r.options.header = false;
  expect(&r, "NA|NAN\n#x|#x\n", "\"NA\",NAN\n\"#x\",#x\n");
  r.options.escape = '\\';
  r.options.comment = 0;
  expect(&r, "a\"b|c\\d\n", "\"a\\\"b\",\"c\\\\d\"\n");
}

Test(csv_write, a_delimiter_that_numbers_hold) {
  rig r = rig_default("csv", "a float64, b decimal(4,2), c int64");
  r.options.delimiter = '.';
  r.options.header = false;
  expect(&r, "1.5|2.25|3\n", "\"1.5\".\"2.25\".3\n");
  r.options.delimiter = '-';
  expect(&r, "-1|2.25|-3\n", "\"-1.0\"-2.25-\"-3\"\n");
}

Test(csv_write, without_quotes_what_needs_them_is_refused) {
  static const char *const rows[] = {"'a,b'", "''", "'a\"b'"};
  rig r = rig_default("csv", "a string");
  for (int i = 0; i < 3; i++) {
    tm_batch *table = rows_batch(budget, rows_schema(&arena, r.ddl), rows[i]);
    tm_error err = {0};
    tm_bytes out;
    tm_bytes_init(&out, budget);
    tm_writing writing = {.options = {.delimiter = ','}, .schema = table->schema,
                          .budget = budget};
    const tm_format *format = tm_format_find("csv");
    tm_writer *w = format->writer_create(&writing, &err);
    cr_expect_eq(format->writer_write(w, table, &out, &err), i < 2 ? -1 : 0, "%s", rows[i]);
    cr_expect_eq(err.code, i < 2 ? TM_E_WRITE : 0);
    format->writer_destroy(w);
    tm_bytes_deinit(&out);
    tm_batch_release(table);
  }
}

/* Years of four digits are all that a text can have. */
static void tame_times(tm_batch *table) {
  for (uint32_t c = 0; c < table->schema->count; c++) {
    tm_column *column = &table->columns[c];
    for (uint32_t i = 0; i < table->rows; i++) {
      if (column->type.kind == TM_TIMESTAMP) {
        ((int64_t *)column->data)[i] %= INT64_C(60000000000000000);
      } else if (column->type.kind == TM_DATE) {
        ((int32_t *)column->data)[i] %= 700000;
      }
    }
  }
}

/* Random tables with odd texts, written and read again. */
static void round_trip(tm_format_options options, const char *format, uint64_t seed) {
  rows_random random = rows_seed(seed);
  rig r = rig_default(format,
                      "a int64, b float64, c string, d decimal(30,4), e timestamp('Asia/Tehran'), "
                      "f bytes, g bool, h date, i int32, j decimal(9,3), k timestamp");
  r.options = options;
  for (int i = 0; i < 60; i++) {
    rows_flavour flavour = {.distinct = 12, .null_percent = 20, .odd = true};
    tm_batch *table = rows_random_table(budget, rows_schema(&arena, r.ddl),
                                        rows_below(&random, 30), &random, flavour);
    tame_times(table);
    size_t size;
    char *text = rig_write(&r, table, &size);
    rows_list wanted = {0};
    rig_add_rows(&wanted, table, NULL);
    r.block_bytes = 1 + rows_below(&random, 500);
    r.batch_rows = 1 + rows_below(&random, 9);
    rig_answer a = rig_read(&r, text, size);
    cr_assert_eq(a.err.code, 0, "%s", a.err.message);
    cr_assert_eq(a.refused.count, 0, "%s: %s", a.refused.count > 0 ? a.refused.texts[0] : "",
                 a.refused.count > 0 ? a.messages.texts[0] : "");
    rows_list_expect(&a.rows, &wanted, format);
    rows_list_clear(&wanted);
    rig_clear(&a);
    free(text);
    tm_batch_release(table);
  }
}

Test(csv_write, reads_back) {
  tm_format_options o = rig_default("csv", "").options;
  round_trip(o, "csv", 1);
  o.delimiter = ';';
  o.escape = '\\';
  o.comment = '#';
  round_trip(o, "csv", 2);
  o.delimiter = ':';
  o.quote = '\'';
  o.header = false;
  round_trip(o, "csv", 3);
}

Test(csv_write, other_formats_read_back) {
  tm_format_options o = rig_default("csv", "").options;
  round_trip(o, "jsonl", 4);
  round_trip(o, "msgpack", 5);
}
