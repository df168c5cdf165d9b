/* tests/format/small_test.c: base64, exact numbers, blocks, options, tables, JSON text. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/base64.h"
#include "format/exact_number.h"
#include "format/format_options.h"
#include "format/row_json.h"
#include "kernel/parse.h"
#include "tests/format/rig.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(small, .init = setup, .fini = teardown);

/* ---------------------------------------------------------------- base64 */

Test(small, base64_of_the_rfc) {
  static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
  for (size_t i = 0; i < 7; i++) {
    char text[16] = "", back[16] = "";
    tm_base64_encode(pairs[i][0], strlen(pairs[i][0]), text);
    text[tm_base64_encoded(strlen(pairs[i][0]))] = '\0';
    cr_expect_str_eq(text, pairs[i][1]);
    cr_expect_eq(tm_base64_decode(text, strlen(text), back), (int64_t)strlen(pairs[i][0]));
    cr_expect_str_eq(back, pairs[i][0]);
  }
  char out[16];
  static const char *const wrong[] = {"Z", "Zg=", "Zg==Zg==", "Z g=", "Zh==", "=", "Zm9v\n",
                                      "Zm9*"};
  for (size_t i = 0; i < 8; i++) {
    cr_expect_eq(tm_base64_decode(wrong[i], strlen(wrong[i]), out), -1, "%s", wrong[i]);
  }
  cr_expect_eq(tm_base64_decode("_-8", 3, out), 2, "the other alphabet, no padding");
}

/* ---------------------------------------------------------------- exact numbers */

Test(small, exact_numbers) {
  static const struct { const char *text; int precision, scale, answer; int64_t value; } cases[] = {
    {"1", 10, 0, 0, 1}, {"1.0", 10, 0, 0, 1}, {"1e2", 10, 0, 0, 100}, {"-1.5e1", 10, 0, 0, -15},
    {"100e-2", 10, 0, 0, 1}, {"0e999999999999", 10, 0, 0, 0}, {"-0.0", 10, 2, 0, 0},
        {"1.25", 10, 2, 0, 125},
    {"0.001e3", 10, 2, 0, 100}, {"1.250", 10, 2, 0, 125}, {"120", 2, 0, TM_PARSE_RANGE, 0},
        {"1.255", 10, 2, TM_PARSE_SCALE, 0},
    {"1e38", 38, 0, TM_PARSE_RANGE, 0}, {"1e-1", 10, 0, TM_PARSE_SCALE, 0},
        {"01", 10, 0, TM_PARSE_TYPE, 0}, {"1.", 10, 0, TM_PARSE_TYPE, 0},
    {"", 10, 0, TM_PARSE_TYPE, 0}, {"-", 10, 0, TM_PARSE_TYPE, 0},
        {"1e", 10, 0, TM_PARSE_TYPE, 0}, {"NaN", 10, 0, TM_PARSE_TYPE, 0},
    {"99", 2, 0, 0, 99}, {"1e-400", 10, 2, TM_PARSE_SCALE, 0},
        {"10000000000000000000000000000000000000e-36", 10, 0, 0, 10},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    __int128 value = 0;
    int got = tm_exact_number(cases[i].text, strlen(cases[i].text), cases[i].precision,
                              cases[i].scale, &value);
    cr_expect_eq(got, cases[i].answer, "%s: %d", cases[i].text, got);
    if (got == 0) cr_expect((int64_t)value == cases[i].value, "%s: %lld", cases[i].text,
                            (long long)value);
  }
}

/* ---------------------------------------------------------------- blocks */

Test(small, blocks_outlive_their_pool) {
  tm_block_pool *pool = tm_block_pool_create(budget, 100, 2);
  tm_block *a = tm_block_create(pool, 0), *b = tm_block_create(pool, 1000);
  cr_expect_eq(a->capacity, 100);
  cr_expect_geq(b->capacity, 1000);
  memcpy(a->buffer, "abc", 3);
  cr_assert_eq(tm_block_grow(a, 3, 500), 0);
  cr_expect_eq(memcmp(a->buffer, "abc", 3), 0);
  tm_block_retain(b);
  tm_block_release(a);
  tm_block_pool_destroy(pool);
  tm_block_release(b);
  tm_block_release(b);
}

Test(small, a_free_block_is_used_again) {
  tm_block_pool *pool = tm_block_pool_create(budget, 100, 1);
  tm_block *a = tm_block_create(pool, 0);
  char *buffer = a->buffer;
  tm_block_release(a);
  tm_block *b = tm_block_create(pool, 50);
  cr_expect_eq(b->buffer, buffer);
  cr_expect_eq(b->sequence, 0);
  tm_block_release(b);
  tm_block_pool_destroy(pool);
}

/* ---------------------------------------------------------------- options */

static int read_options(tm_value options, const char *path, tm_format_options *out) {
  tm_error err = {0};
  return tm_format_options_read(&arena, &options, path, out, &err) < 0 ? err.code : 0;
}

Test(small, format_options) {
  tm_format_options o;
  cr_expect_eq(read_options(v_table(&arena, NULL, 0, NULL, 0), "a.tsv.gz", &o), 0);
  cr_expect_eq(o.delimiter, '\t');
  cr_expect_eq(o.quote, '"');
  cr_expect(o.header);
  cr_expect_eq(o.epoch_digits, TM_EPOCH_NONE);
  cr_expect_eq(read_options(V_TABLE(&arena, {"delimiter", v_text(";")}, {"quote", v_text("")},
                                    {"header", v_bool(false)},
                                    {"null", V_LIST(&arena, v_text("NA"), v_text(""))},
                                        {"epoch", v_text("ms")}), "a.csv", &o), 0);
  cr_expect_eq(o.delimiter, ';');
  cr_expect_eq(o.quote, 0);
  cr_expect_not(o.header);
  cr_expect_eq(o.null_count, 1);
  cr_expect_eq(o.epoch_digits, 3);
  cr_expect_eq(read_options(V_TABLE(&arena, {"delimiter", v_text("ab")}), "a", &o), TM_E_VALUE);
  cr_expect_eq(read_options(V_TABLE(&arena, {"delimiter", v_text("")}), "a", &o), TM_E_VALUE);
  cr_expect_eq(read_options(V_TABLE(&arena, {"delimiter", v_text("\n")}), "a", &o), TM_E_VALUE);
  cr_expect_eq(read_options(V_TABLE(&arena, {"delimiter", v_text("\"")}), "a", &o), TM_E_VALUE);
  cr_expect_eq(read_options(V_TABLE(&arena, {"comment", v_text(",")}), "a", &o), TM_E_VALUE);
  cr_expect_eq(read_options(V_TABLE(&arena, {"epoch", v_text("days")}), "a", &o), TM_E_VALUE);
  cr_expect_eq(read_options(V_TABLE(&arena, {"null", V_LIST(&arena, v_int(1))}), "a", &o),
               TM_E_VALUE);
}

/* ---------------------------------------------------------------- people */

Test(small, tables) {
  rig r = rig_default("table", "id int64, name string, x float64");
  tm_batch *table = rows_batch(budget, rows_schema(&arena, r.ddl),
                               "1|ada|1.5\nnull|null|-10\n300|'é\x01'|null\n");
  char *text = rig_write(&r, table, NULL);
  cr_expect_str_eq(text,
                   " id  name      x\n───  ────  ─────\n  1  ada     1.5\n  ·  ·     -10.0\n"
                       "300  é         ·\n");
  free(text);
  tm_batch_release(table);
}

Test(small, a_table_without_rows_has_a_head) {
  rig r = rig_default("table", "id int64, name string");
  tm_batch *table = rows_batch(budget, rows_schema(&arena, r.ddl), "");
  char *text = rig_write(&r, table, NULL);
  cr_expect_str_eq(text, "id  name\n──  ────\n");
  free(text);
  tm_batch_release(table);
}

Test(small, rows_as_json) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "a int64, s string, d decimal(4,1)"),
                               "1|x|2.5\n2|null|null\n");
  tm_bytes out;
  tm_bytes_init(&out, budget);
  cr_assert(tm_row_json(&out, table, 0));
  table->columns[1].data = NULL;
  cr_assert(tm_row_json(&out, table, 1));
  cr_expect_str_eq(tm_bytes_c_string(&out), "{\"a\":1,\"s\":\"x\",\"d\":2.5}{\"a\":2,\"d\":null}");
  tm_bytes_deinit(&out);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- lines */

Test(small, lines) {
  rig r = rig_default("lines", "line string");
  rig_expect(&r, "a\n\n b,\"c \r\nlast", "'a'\n''\n' b,\"c '\n'last'", "");
  rig_expect(&r, "\xef\xbb\xbfx\n\xff\ny\n", "'x'\n'y'", "2 encoding \xff");
  tm_batch *table = rows_batch(budget, rows_schema(&arena, r.ddl), "a b\n''\n");
  char *text = rig_write(&r, table, NULL);
  cr_expect_str_eq(text, "a b\n\n");
  free(text);
  tm_batch_release(table);
  const tm_format *format = tm_format_find("lines");
  tm_error err = {0};
  cr_expect_eq(format->check_columns(rows_schema(&arena, "a int64"), &err), -1);
  cr_expect_eq(err.code, TM_E_TYPE);
}

Test(small, what_is_no_line_is_not_written) {
  static const char *const rows[] = {"null\n"};
  for (size_t i = 0; i < 2; i++) {
    const tm_format *format = tm_format_find("lines");
    tm_batch *table = rows_batch(budget, rows_schema(&arena, "line string"), i == 0 ?
                                 rows[0] : "x\n");
    if (i == 1) ((tm_str *)table->columns[0].data)[0] = tm_str_make("a\nb", 3);
    tm_error err = {0};
    tm_writing writing = {.schema = table->schema, .budget = budget};
    tm_bytes out;
    tm_bytes_init(&out, budget);
    tm_writer *w = format->writer_create(&writing, &err);
    cr_expect_eq(format->writer_write(w, table, &out, &err), -1);
    cr_expect_eq(err.code, TM_E_WRITE);
    format->writer_destroy(w);
    tm_bytes_deinit(&out);
    tm_batch_release(table);
  }
}

Test(small, formats_are_found_by_name) {
  static const char *const names[] = {"csv", "jsonl", "lines", "msgpack", "table"};
  for (size_t i = 0; i < 5; i++) cr_expect_not_null(tm_format_find(names[i]));
  cr_expect_null(tm_format_find("parquet"));
}
