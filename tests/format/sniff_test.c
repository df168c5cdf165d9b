/* tests/format/sniff_test.c: schemas from the beginning of files, as DDL. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "format/guess.h"
#include "tests/format/rig.h"
#include "tests/support/fixture.h"

TestSuite(sniff, .init = setup, .fini = teardown);

static tm_sniffed sniff(const char *format, tm_format_options options, const char *text,
                        size_t size, bool whole, tm_error *err) {
  tm_sniffed out = {0};
  /* Not a byte beyond may be read. */
  char *copy = malloc(size > 0 ? size : 1);
  memcpy(copy, text, size);
  int done = tm_format_find(format)->sniff(&arena, &options, NULL, "in", copy, size, whole, &out,
                                           err);
  free(copy);
  cr_assert_eq(done, err->code == 0 ? 0 : -1);
  return out;
}

static void expect(const char *format, const char *text, const char *ddl) {
  tm_error err = {0};
  tm_format_options o = rig_default(format, "").options;
  o.delimiter = 0;
  tm_sniffed got = sniff(format, o, text, strlen(text), true, &err);
  cr_assert_eq(err.code, 0, "%s: %s", text, err.message);
  cr_expect_str_eq(tm_schema_text(&arena, got.schema), ddl, "%s", text);
}

static void expect_error(const char *format, const char *text, const char *part) {
  tm_error err = {0};
  sniff(format, rig_default(format, "").options, text, strlen(text), true, &err);
  cr_assert_eq(err.code, TM_E_FORMAT, "%s", text);
  cr_assert_not_null(strstr(err.message, part), "%s", err.message);
}

Test(sniff, types) {
  expect("csv", "a,b,c,d,e,f,g\n1,1.5,true,2024-01-01,2024-01-01T00:00:00Z,x,\n"
                "-2,1e5,FALSE,2024-01-02,2024-01-02 10:00,y,\n",
         "a int64, b float64, c bool, d date, e timestamp, f string, g string");
  expect("csv", "a,b,c,d\n1,2024-01-01,1,true\n1.5,2024-01-01 10:00:00,x,1\n,,,\n",
         "a float64, b timestamp, c string, d string");
}

Test(sniff, what_looks_like_a_number_but_is_a_name) {
  expect("csv", "a,b,c,d,e\n007,0.5,-01,0,99999999999999999999\n1,0,2,00,1\n",
         "a string, b float64, c string, d string, e string");
  expect("csv", "a,b\nnan,NaN\ninf,1\n", "a string, b float64");
  expect("csv", "a,b,c\nt,yes,1\nf,no,0\n", "a string, b string, c int64");
}

Test(sniff, delimiters) {
  expect("csv", "a;b\n1,5;2\n", "a string, b int64");
  expect("csv", "a\tb\n1\t2\n", "a int64, b int64");
  expect("csv", "a|b|\n1|2|\n", "a int64, b int64");
  expect("csv", "a\n1\n", "a int64");
  expect("csv", "\"x;y\",b\n\"1;2\",2\n", "\"x;y\" string, b int64");
}

Test(sniff, names) {
  expect("csv", "a,a,,a_1,B c\n1,2,3,4,5\n",
         "a int64, a_2 int64, column_3 int64, a_1 int64, \"B c\" int64");
  tm_error err = {0};
  tm_format_options o = rig_default("csv", "").options;
  o.header = false;
  tm_sniffed got = sniff("csv", o, "1,x\n", 4, true, &err);
  cr_expect_str_eq(tm_schema_text(&arena, got.schema), "column_1 int64, column_2 string");
}

Test(sniff, the_record_that_the_sample_cuts_off_does_not_count) {
  tm_error err = {0};
  tm_format_options o = rig_default("csv", "").options;
  tm_sniffed got = sniff("csv", o, "a,b\n1,2\n3,x", 11, false, &err);
  cr_expect_str_eq(tm_schema_text(&arena, got.schema), "a int64, b int64");
}

Test(sniff, json_lines) {
  expect("jsonl", "{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":null}\n{\"a\":2.5,\"e\":\"2024-01-01\"}\n",
         "a float64, b string, c bool, d string, e date");
  expect("jsonl", "{\"a\":\"1\",\"b\":99999999999999999999,\"t\":\"2024-01-01T00:00:00Z\"}",
         "a string, b float64, t timestamp");
  expect("jsonl", "\n{\"\\u0061 b\":1}\n", "\"a b\" int64");
  tm_error err = {0};
  const char *text = "{\"a\":1,\"u\":{\"x\":1},\"t\":[]}\n";
  tm_sniffed got = sniff("jsonl", (tm_format_options){0}, text, strlen(text), true, &err);
  cr_expect_str_eq(tm_schema_text(&arena, got.schema), "a int64");
  cr_expect_str_eq(got.note, "left out (nested): u, t");
}

Test(sniff, message_pack) {
  static const char text[] = "\x82\xa1" "a\x01\xa1" "b\xa1x\x81\xa1" "a\xcb\x40\x04\0\0\0\0\0\0";
  tm_error err = {0};
  tm_sniffed got = sniff("msgpack", (tm_format_options){0}, text, sizeof text - 1, true, &err);
  cr_assert_eq(err.code, 0, "%s", err.message);
  cr_expect_str_eq(tm_schema_text(&arena, got.schema), "a float64, b string");
}

Test(sniff, not_the_format) {
  expect_error("csv", "", "is empty");
  expect_error("csv", "\n\n", "is empty");
  expect_error("csv", "\xff\xfe,a\n1,2\n", "UTF-8");
  expect_error("jsonl", "", "is empty");
  expect_error("jsonl", "a,b\n1,2\n", "no JSON object");
  expect_error("jsonl", "[1]\n", "no object");
  expect_error("jsonl", "{\"a\":{}}\n", "no field");
  expect_error("msgpack", "", "is empty");
  expect_error("msgpack", "hello", "no stream of MessagePack maps");
}

Test(sniff, a_first_record_beyond_the_sample) {
  static const char *const starts[] = {"a,\"", "{\"a\":\"", ("\x81\xa1" "a\xdb\x7f\xff\xff\xff")};
  static const char *const formats[] = {"csv", "jsonl", "msgpack"};
  char *text = malloc(TM_SNIFF_BYTES);
  for (int i = 0; i < 3; i++) {
    tm_error err = {0};
    memset(text, 'x', TM_SNIFF_BYTES);
    memcpy(text, starts[i], strlen(starts[i]));
    sniff(formats[i], rig_default("csv", "").options, text, TM_SNIFF_BYTES, false, &err);
    cr_expect_eq(err.code, TM_E_FORMAT);
    cr_expect_not_null(strstr(err.message, "longer than"), "%s: %s", formats[i], err.message);
  }
  free(text);
}

Test(sniff, guesses_alone) {
  tm_guess g = {0};
  cr_expect_eq(tm_guess_type(&g).kind, TM_STRING);
  tm_guess_add(&g, "1", 1);
  cr_expect_eq(tm_guess_type(&g).kind, TM_INT64);
  tm_guess_add(&g, "2024-01-01", 10);
  cr_expect_eq(tm_guess_type(&g).kind, TM_STRING);
}
