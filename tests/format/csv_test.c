/* tests/format/csv_test.c: reading CSV: fields, records, columns, refusals, at every block size. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/format/rig.h"

static rig csv(const char *ddl) { return rig_default("csv", ddl); }

Test(csv, columns_are_found_by_name_and_others_are_skipped) {
  rig r = csv("b string, a int64");
  rig_expect(&r, "a,x,b\n1,-,one\n2,-,two\n", "'one'|1\n'two'|2", "");
  r.ddl = "n string 'Full Name', a int64";
  rig_expect(&r, "a,Full Name\n1,Ada L\n", "'Ada L'|1", "");
}

Test(csv, a_missing_column_is_named) {
  rig r = csv("prise int64");
  rig_expect_error(&r, "id,price\n1,2\n", TM_E_FORMAT, "no column 'prise'");
  rig_answer a = rig_read(&r, "id,price\n", 9);
  cr_assert_str_eq(a.err.note, "did you mean 'price'?");
  rig_clear(&a);
}

Test(csv, repeated_names_are_numbered) {
  rig r = csv("a int64, a_1 int64, column_3 int64");
  rig_expect(&r, "a,a,\"\"\n1,2,3\n", "1|2|3", "");
}

Test(csv, without_header_by_position) {
  rig r = csv("a int64, b string");
  r.options.header = false;
  rig_expect(&r, "1,x\n2,y\n", "1|'x'\n2|'y'", "");
}

Test(csv, a_header_is_expected) {
  rig r = csv("a int64");
  rig_expect_error(&r, "", TM_E_FORMAT, "is empty");
  rig_expect_error(&r, "\n\n", TM_E_FORMAT, "is empty");
  r.options.header = false;
  rig_expect(&r, "", "", "");
}

Test(csv, the_last_line_needs_no_end) {
  rig r = csv("a int64, b string");
  rig_expect(&r, "a,b\n1,x\n2,y", "1|'x'\n2|'y'", "");
  rig_expect(&r, "a,b\n1,\"x\"", "1|'x'", "");
}

Test(csv, carriage_returns_belong_to_the_line_end) {
  rig r = csv("a int64, b string");
  rig_expect(&r, "a,b\r\n1,x\r\n2,\"y\"\r\n3,\r\n4,\"\"\r\n", "1|'x'\n2|'y'\n3|null\n4|''", "");
}

Test(csv, a_byte_order_mark_is_skipped) {
  rig r = csv("a int64");
  rig_expect(&r, "\xef\xbb\xbf" "a\n1\n", "1", "");
  r.options.header = false;
  rig_expect(&r, "\xef\xbb\xbf" "1\n", "1", "");
}

Test(csv, quoted_fields) {
  rig r = csv("a string, b string");
  rig_expect(&r, "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"\",\"\"\"\"\n", "'x,y'|'say \"hi\"'\n''|'\"'",
             "");
}

Test(csv, a_quote_inside_a_bare_field_is_kept) {
  rig r = csv("a string, b string");
  rig_expect(&r, "a,b\n5\" pipe,x\"\ny \"z\",\"q\"\n", "'5\" pipe'|'x\"'\n'y \"z\"'|'q'", "");
}

Test(csv, line_ends_in_quotes_count_as_lines) {
  rig r = csv("a string, b int64");
  const char *text = "a,b\n\"1\n2\n3\",4\nx,y\n\"p\nq\",z\n";
  rig_answer a = rig_read(&r, text, strlen(text));
  cr_assert_eq(a.rows.count, 1);
  cr_assert_str_eq(a.rows.texts[0], "'1\n2\n3'|4");
  cr_assert_str_eq(a.lines.texts[0], "2");
  cr_assert_eq(a.refused.count, 2);
  cr_assert_str_eq(a.refused.texts[0], "5 type x,y");
  cr_assert_str_eq(a.refused.texts[1], "6 type \"p\nq\",z");
  rig_clear(&a);
}

Test(csv, text_after_a_closing_quote) {
  rig r = csv("a string, b int64");
  rig_expect(&r, "a,b\n\"x\"y,1\n\"z\" ,2\nk,3\n", "'k'|3", "2 quote \"x\"y,1\n3 quote \"z\" ,2");
  rig_expect(&r, "a,b\n\"x\"y\"z,1\n\"q\"\"\"r,2\nk,3\n", "'k'|3",
             "2 quote \"x\"y\"z,1\n3 quote \"q\"\"\"r,2");
}

Test(csv, a_quote_that_is_never_closed) {
  rig r = csv("a string, b int64");
  const char *text = "a,b\nx,1\n\"y,2\nz,3\n";
  rig_answer a = rig_read(&r, text, strlen(text));
  cr_assert_eq(a.rows.count, 1);
  cr_assert_eq(a.refused.count, 1);
  cr_assert_str_eq(a.refused.texts[0], "3 quote \"y,2\nz,3");
  rig_clear(&a);
}

Test(csv, ragged_rows) {
  rig r = csv("a int64, b int64");
  rig_expect(&r, "a,b\n1\n1,2\n1,2,3\n1,2,3,4\n", "1|2",
             "2 ragged 1\n4 ragged 1,2,3\n5 ragged 1,2,3,4");
}

Test(csv, one_empty_field_after_a_final_delimiter) {
  rig r = csv("a int64, b string");
  r.options.delimiter = '|';
  r.options.header = false;
  rig_expect(&r, "1|x|\n2||\n3|y|\r\n", "1|'x'\n2|null\n3|'y'", "");
  rig_expect(&r, "1|x|\n2|y\n", "1|'x'\n2|'y'", "");
  rig_expect(&r, "1|x||\n2|y|\"\"\n3|z| \n", "",
             "1 ragged 1|x||\n2 ragged 2|y|\"\"\n3 ragged 3|z| ");
  r.options.header = true;
  rig_expect(&r, "a|b|\n1|x|\n2|y\n", "1|'x'\n2|'y'", "");
}

Test(csv, blank_lines) {
  rig r = csv("a int64, b int64");
  rig_expect(&r, "\na,b\n\n1,2\n\r\n\n3,4\n\n", "1|2\n3|4", "");
  r.ddl = "a string";
  rig_expect(&r, "a\nx\n\ny\n\"\"\n\n", "'x'\nnull\n'y'\n''\nnull", "");
}

Test(csv, comments) {
  rig r = csv("a string, b int64");
  r.options.comment = '#';
  rig_expect(&r, "# one \"\na,b\n#two\nx,1\n\"#q\",2\n # z,3\n#\"", "'x'|1\n'#q'|2\n' # z'|3", "");
}

Test(csv, escapes) {
  rig r = csv("a string, b string");
  r.options.escape = '\\';
  rig_expect(&r, "a,b\n\"x\\\"y\",\"\\\\\"\n\"a\\nb\",c\\d\n", "'x\"y'|'\\'\n'a\\nb'|'c\\d'", "");
  rig_expect(&r, "a,b\n\"x\"\"y\",\"\\\\\\\",z\"\n", "'x\"y'|'\\\",z'", "");
}

Test(csv, no_quotes_at_all) {
  rig r = csv("a string, b string");
  r.options.quote = 0;
  rig_expect(&r, "a,b\n\"x,y\"\n", "'\"x'|'y\"'", "");
}

Test(csv, null_words_and_empty_fields) {
  static const char *const words[] = {"NA", "\\N"};
  rig r = csv("a string, b int64, c bytes");
  r.options.nulls = words;
  r.options.null_count = 2;
  rig_expect(&r, "a,b,c\nNA,\\N,NA\n\"NA\",1,\"\"\n,,\n\"\",\"\",\n NA,2,eA==\nNAN,3,\n",
             "null|null|null\n'NA'|1|''\nnull|null|null\n''|null|null\n' NA'|2|'x'\n'NAN'|3|null",
                 "");
}

Test(csv, not_null_columns) {
  rig r = csv("a int64 not null, b string not null");
  rig_expect(&r, "a,b\n1,x\n,y\n2,\n3,\"\"\n\"\",z\n", "1|'x'\n3|''",
             "3 null ,y\n4 null 2,\n6 null \"\",z");
}

Test(csv, invalid_utf8_only_refuses_strings) {
  rig r = csv("a int64, b string");
  rig_expect(&r, "a,b,c\n1,x,\xff\n2,\xff,y\n3,\xc3\xa4,y\n", "1|'x'\n3|'\xc3\xa4'",
             "3 encoding 2,\xff,y");
}

Test(csv, values_of_every_type) {
  rig r = csv("a bool, b int32, c float64, d decimal(5,2), e date, f timestamp, g bytes");
  rig_expect(&r, "a,b,c,d,e,f,g\nTrue, 7 ,1e3,1.5,1970-01-02,1970-01-01 00:00:01,AQI=\n",
             "true|7|1000.0|1.50|1970-01-02|1970-01-01T00:00:01Z|'\x01\x02'", "");
  rig_expect(&r, "a,b,c,d,e,f,g\n2,,,,,,\n,1e3,,,,,\n,2147483648,,,,,\n,,1e400,,,,\n,,,1.234,,,\n"
             ",,,1000,,,\n,,,,1970-13-01,,\n,,,,,12,\n,,,,,,A\n", "",
             "2 type 2,,,,,,\n3 type ,1e3,,,,,\n4 range ,2147483648,,,,,\n5 range ,,1e400,,,,\n"
             "6 scale ,,,1.234,,,\n7 range ,,,1000,,,\n8 type ,,,,1970-13-01,,\n9 type ,,,,,12,\n"
             "10 type ,,,,,,A");
}

Test(csv, the_first_column_at_fault_counts) {
  rig r = csv("a int64, b int64, s string not null");
  rig_expect(&r, "s,b,a\n,x,99999999999999999999\n", "", "2 range ,x,99999999999999999999");
}

Test(csv, zones_and_gaps) {
  rig r = csv("t timestamp('Europe/Berlin')");
  rig_expect(&r, "t\n2026-03-29 01:59:59\n2026-03-29 02:30:00\n2026-03-29T02:30:00Z\n",
             "2026-03-29T01:59:59+01:00\n2026-03-29T04:30:00+02:00",
             "3 zone_gap 2026-03-29 02:30:00");
}

Test(csv, epochs) {
  rig r = csv("t timestamp");
  rig_expect(&r, "t\n5\n", "", "2 type 5");
  r.options.epoch_digits = 0;
  rig_expect(&r, "t\n5\n-1.5\n1970-01-01T00:00:02Z\nx\n0.0000001\n",
             "1970-01-01T00:00:05Z\n1969-12-31T23:59:58.500Z\n1970-01-01T00:00:02Z",
             "5 type x\n6 scale 0.0000001");
  r.options.epoch_digits = 3;
  rig_expect(&r, "t\n5\n", "1970-01-01T00:00:00.005Z", "");
  r.options.epoch_digits = 6;
  rig_expect(&r, "t\n5\n", "1970-01-01T00:00:00.000005Z", "");
}

Test(csv, columns_that_nobody_needs_are_not_looked_at) {
  static const uint8_t needed[] = {1, 0};
  rig r = csv("a int64, b int64");
  r.needed = needed;
  rig_expect(&r, "a,b\n1,x\n", "1|-", "");
  r.check_all = true;
  rig_expect(&r, "a,b\n1,x\n", "", "2 type 1,x");
}

/* Keeps rows whose first column is even. */
static void keep_even(tm_batch *batch) {
  uint32_t *kept = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *kept), count = 0;
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    if (((int64_t *)batch->columns[0].data)[row] % 2 == 0) kept[count++] = row;
  }
  batch->selection = kept;
  batch->selected = count;
}

Test(csv, filters_change_nothing_about_refusals) {
  rig r = csv("a int64, s string, t string not null, b int64");
  r.filter = keep_even;
  rig_expect(&r,
             "a,s,t,b\n1,p,q,1\n2,a long enough string,q,1\n3,\xff,q,1\n5,p,,1\n7,p,q,x\n4,,r,2\n",
             "2|'a long enough string'|'q'|1\n4|null|'r'|2",
             "4 encoding 3,\xff,q,1\n5 null 5,p,,1\n6 type 7,p,q,x");
}

Test(csv, messages_say_what_is_wrong) {
  rig r = csv("a int32, b decimal(4,1) not null");
  const char *text = "a,b\nseven,1\n3000000000,1\n1,1.25\n1,\n1,2,3\n";
  static const char *const wanted[] = {
    "'seven' is no int32, in column 'a'", "'3000000000' is out of range for int32 in column 'a'",
    "'1.25' has more digits than decimal(4,1) in column 'b'",
    "null in column 'b', which is not null", "3 fields, not 2",
  };
  r.batch_rows = 1;
  rig_answer a = rig_read(&r, text, strlen(text));
  cr_assert_eq(a.messages.count, 5);
  for (size_t i = 0; i < 5; i++) {
    bool found = false;
    for (size_t k = 0; k < 5; k++) found |= strcmp(a.messages.texts[k], wanted[i]) == 0;
    cr_assert(found, "no message is '%s'", wanted[i]);
  }
  rig_clear(&a);
}
