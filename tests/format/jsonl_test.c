/* tests/format/jsonl_test.c: reading JSON lines: paths, values, what is refused, templates. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/format/rig.h"

static rig jsonl(const char *ddl) { return rig_default("jsonl", ddl); }

Test(jsonl, fields_by_name_in_any_order) {
  rig r = jsonl("a int64, b string");
  rig_expect(&r,
             "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"a\":2}\n{\"c\":[1,{\"a\":9}],\"a\":3}\n{}\n",
             "1|'x'\n2|'y'\n3|null\nnull|null", "");
}

Test(jsonl, paths_into_documents) {
  rig r = jsonl("c string 'user.country', n int64 'user.address.no', d int64 'x.y'");
  rig_expect(&r,
             "{\"user\":{\"id\":1,\"country\":\"de\",\"address\":{\"no\":7}}}\n"
             "{\"user\":{\"address\":{\"no\":8},\"country\":null}}\n{\"user\":null}\n{\"user\":5}\n"
             "{\"user\":[],\"x.y\":3}\n{\"x\":{\"y\":4}}\n",
             "'de'|7|null\nnull|8|null\nnull|null|null\nnull|null|null\nnull|null|3\nnull|null|4",
                 "");
}

Test(jsonl, an_object_is_no_value) {
  rig r = jsonl("user string, c string 'user.country'");
  rig_expect(&r, "{\"user\":\"x\"}\n{\"user\":{\"country\":\"de\"}}\n{\"user\":null}\n",
             "'x'|null\nnull|null",
             "2 type {\"user\":{\"country\":\"de\"}}");
}

Test(jsonl, the_last_of_equal_names_counts) {
  rig r = jsonl("a int64, c int64 'u.c', d int64 'u.d'");
  rig_expect(&r,
             "{\"a\":1,\"a\":2}\n{\"u\":{\"c\":1,\"d\":2},\"u\":{\"c\":3}}\n"
                 "{\"u\":{\"c\":1},\"u\":7}\n"
             "{\"a\":1,\"a\":null}\n",
             "2|null|null\nnull|3|null\nnull|null|null\nnull|null|null", "");
}

Test(jsonl, spaces_and_blank_lines) {
  rig r = jsonl("a int64, b string");
  rig_expect(&r, "\n  { \"a\" : 1 , \"b\" : \"x\" }  \r\n\t\n{\"a\":2,\"b\":\"y\"}\r\n",
             "1|'x'\n2|'y'", "");
}

Test(jsonl, escapes) {
  rig r = jsonl("s string");
  rig_expect(&r,
             "{\"s\":\"a\\\"\\\\\\/\\b\\f\\r\\t\"}\n{\"s\":\"\\u00e9\\u20ac\\ud83d\\ude00\"}\n"
             "{\"\\u0073\":\"key\"}\n{\"s\":\"x\\\\\"}\n",
             "'a\"\\/\b\f\r\t'\n'\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80'\n'key'\n'x\\'", "");
}

Test(jsonl, half_a_pair_and_wrong_escapes) {
  rig r = jsonl("s string, n int64");
  rig_expect(&r,
             "{\"s\":\"\\ud800\"}\n{\"s\":\"\\ud800\\u0041\"}\n{\"s\":\"\\udc00\"}\n"
                 "{\"s\":\"\\x\"}\n"
                 "{\"s\":\"\\u12g4\"}\n{\"n\":\"\\u0031\"}\n{\"n\":\"\\u0078\"}\n",
             "null|1",
             "1 encoding {\"s\":\"\\ud800\"}\n2 encoding {\"s\":\"\\ud800\\u0041\"}\n"
             "3 encoding {\"s\":\"\\udc00\"}\n4 json {\"s\":\"\\x\"}\n5 json {\"s\":\"\\u12g4\"}\n"
             "7 type {\"n\":\"\\u0078\"}");
}

Test(jsonl, integers_from_numbers_and_texts) {
  rig r = jsonl("a int64, b int32");
  rig_expect(&r,
             "{\"a\":1.0,\"b\":1e2}\n{\"a\":\"7\",\"b\":\"-8\"}\n"
                 "{\"a\":9223372036854775807,\"b\":10E-1}\n"
             "{\"a\":9007199254740993.0}\n{\"a\":-0}\n",
             "1|100\n7|-8\n9223372036854775807|1\n9007199254740993|null\n0|null", "");
  rig_expect(&r,
             "{\"a\":1.5}\n{\"a\":\"1.0\"}\n{\"a\":true}\n{\"a\":9223372036854775808}\n"
                 "{\"b\":3e9}\n"
                 "{\"a\":\"\"}\n{\"a\":1e400}\n",
             "",
             "1 type {\"a\":1.5}\n2 type {\"a\":\"1.0\"}\n3 type {\"a\":true}\n"
             "4 range {\"a\":9223372036854775808}\n5 range {\"b\":3e9}\n6 type {\"a\":\"\"}\n"
             "7 range {\"a\":1e400}");
}

Test(jsonl, decimals_are_exact) {
  rig r = jsonl("d decimal(10,2), e decimal(30,5)");
  rig_expect(&r,
             "{\"d\":12.5,\"e\":0.1}\n{\"d\":\"12.50\",\"e\":1e3}\n"
                 "{\"d\":1.25e1,\"e\":12345678901234567890.12345}\n",
             "12.50|0.10000\n12.50|1000.00000\n12.50|12345678901234567890.12345", "");
  rig_expect(&r, "{\"d\":1.234}\n{\"d\":1e9}\n{\"d\":\"x\"}\n{\"d\":1.5e-2}\n", "",
             "1 scale {\"d\":1.234}\n2 range {\"d\":1e9}\n3 type {\"d\":\"x\"}\n"
                 "4 scale {\"d\":1.5e-2}");
}

Test(jsonl, other_types) {
  rig r = jsonl("f float64, b bool, d date, t timestamp, y bytes, s string");
  rig_expect(&r,
             "{\"f\":1,\"b\":true,\"d\":\"2024-02-29\",\"t\":\"2024-02-29T01:02:03Z\","
             "\"y\":\"AQI=\",\"s\":\"\"}\n"
             "{\"f\":\"NaN\",\"b\":false,\"y\":\"\"}\n{\"f\":\"-Infinity\",\"t\":\"2024-02-29\"}\n",
             "1.0|true|2024-02-29|2024-02-29T01:02:03Z|'\x01\x02'|''\nNaN|false|null|null|''|null\n"
             "-Infinity|null|null|2024-02-29T00:00:00Z|null|null", "");
  rig_expect(&r,
             "{\"f\":\"1.5\"}\n{\"b\":1}\n{\"b\":\"true\"}\n{\"d\":5}\n{\"t\":5}\n{\"y\":5}\n"
                 "{\"s\":5}\n{\"s\":[]}\n"
                 "{\"f\":{}}\n{\"f\":1e400}\n{\"y\":\"*\"}\n",
             "",
             "1 type {\"f\":\"1.5\"}\n2 type {\"b\":1}\n3 type {\"b\":\"true\"}\n4 type {\"d\":5}\n"
             "5 type {\"t\":5}\n6 type {\"y\":5}\n7 type {\"s\":5}\n8 type {\"s\":[]}\n"
                 "9 type {\"f\":{}}\n"
             "10 range {\"f\":1e400}\n11 type {\"y\":\"*\"}");
  r.options.epoch_digits = 3;
  rig_expect(&r, "{\"t\":1500}\n{\"t\":\"1970-01-01T00:00:02Z\"}\n",
             "null|null|null|1970-01-01T00:00:01.500Z|null|null\n"
             "null|null|null|1970-01-01T00:00:02Z|null|null", "");
}

Test(jsonl, not_null) {
  rig r = jsonl("a int64 not null, s string not null, y bytes not null");
  rig_expect(&r,
             "{\"a\":1,\"s\":\"\",\"y\":\"\"}\n{\"s\":\"x\",\"y\":\"\"}\n"
                 "{\"a\":null,\"s\":\"x\",\"y\":\"\"}\n{\"a\":1,\"y\":\"\"}\n"
             "{\"a\":1,\"s\":\"\"}\n{\"a\":\"\\u0031\",\"s\":\"\",\"y\":\"\\u0041Q==\"}\n",
             "1|''|''\n1|''|'\x01'",
             "2 null {\"s\":\"x\",\"y\":\"\"}\n3 null {\"a\":null,\"s\":\"x\",\"y\":\"\"}\n"
                 "4 null {\"a\":1,\"y\":\"\"}\n"
             "5 null {\"a\":1,\"s\":\"\"}");
}

Test(jsonl, malformed_documents) {
  static const char *const bad[] = {
    "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
    "[1]", "1", "\"x\"", "null", "{\"a\":1}x", "{\"a\":1}{}", "{\"a\":+1}", "{\"a\":01}",
        "{\"a\":.5}",
    "{\"a\":1.}", "{\"a\":1e}", "{\"a\":tru}", "{\"a\":NaN}", "{\"a\":'x'}", "{\"z\":[1,2}",
        "{\"z\":[}",
    "{\"z\":{\"y\":[1}]}", "{\"z\":\"x}", "{\"s\":\"x\ty\"}", "{\"z\":\"\x01\"}", "{\"a\":--1}",
        "{\"z\":x}",
    "{,}", "{\"a\":,}", "{\"a\":1,,\"s\":\"\"}", "}", "{\"s\":\"x\\\"}", "{\"a\":1\rx}", "\x01{}",
  };
  rig r = jsonl("a int64, s string");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char text[200];
    /* Among good ones, so that templates are tried. */
    snprintf(text, sizeof text, "{\"a\":1,\"s\":\"p\"}\n%s\n{\"a\":2,\"s\":\"q\"}\n", bad[i]);
    for (size_t bytes = 1; bytes < 60; bytes += 7) {
      r.block_bytes = bytes;
      rig_answer a = rig_read(&r, text, strlen(text));
      cr_expect_eq(a.rows.count, 2, "%s: %zu rows", bad[i], a.rows.count);
      cr_assert_eq(a.refused.count, 1, "%s: %zu refused", bad[i], a.refused.count);
      cr_expect(strncmp(a.refused.texts[0], "2 json ", 7) == 0, "%s", a.refused.texts[0]);
      rig_clear(&a);
    }
  }
}

Test(jsonl, two_broken_lines_make_no_good_one) {
  rig r = jsonl("a string, b int64");
  rig_expect(&r, "{\"a\":\"x\",\"b\":1}\n{\"a\":\"x\n\",\"b\":2}\n{\"a\":\"y\",\"b\":3}\n",
             "'x'|1\n'y'|3",
             "2 json {\"a\":\"x\n3 json \",\"b\":2}");
}

Test(jsonl, depth) {
  rig r = jsonl("a int64");
  char text[400];
  for (int depth = 62; depth <= 66; depth++) {
    char *at = text;
    at += sprintf(at, "{\"z\":");
    for (int i = 1; i < depth; i++) *at++ = '[';
    for (int i = 1; i < depth; i++) *at++ = ']';
    sprintf(at, ",\"a\":1}\n");
    rig_answer a = rig_read(&r, text, strlen(text));
    /* The outermost object is one, and 64 levels may be below it. */
    cr_expect_eq(a.rows.count, depth <= 65 ? 1u : 0u, "%d deep", depth);
    rig_clear(&a);
  }
}

Test(jsonl, invalid_utf8_only_refuses_strings) {
  rig r = jsonl("a int64, s string");
  rig_expect(&r,
             "{\"a\":1,\"z\":\"\xff\"}\n{\"a\":2,\"s\":\"\xff\"}\n{\"a\":3,\"s\":\"\xff\\n\"}\n",
                 "1|null",
             "2 encoding {\"a\":2,\"s\":\"\xff\"}\n3 encoding {\"a\":3,\"s\":\"\xff\\n\"}");
}

/* ---------------------------------------------------------------- templates */

static void put_value(rows_random *random, char **at, int depth);

static void put_object(rows_random *random, char **at, int depth) {
  static const char *const names[] = {"a", "b", "s", "u", "t", "long_name_of_a_field", "x\\u0061"};
  unsigned count = rows_below(random, 5);
  *(*at)++ = '{';
  for (unsigned i = 0; i < count; i++) {
    if (i > 0) *(*at)++ = ',';
    if (rows_chance(random, 10)) *(*at)++ = ' ';
    *at += sprintf(*at, "\"%s\":", names[rows_below(random, 7)]);
    put_value(random, at, depth + 1);
    if (rows_chance(random, 10)) *(*at)++ = ' ';
  }
  *(*at)++ = '}';
}

static void put_value(rows_random *random, char **at, int depth) {
  static const char *const values[] = {"1", "-2.5", "1e3", "true", "false", "null", "\"x\"", "\"\"",
                                       "\"a\\\"b\"", "\"a string that is no short one\"", "[]",
                                           "{}",
                                       "[1,\"]\",{\"a\":[2]}]", "\"\\u00e4\"", "\"\\\\\""};
  if (depth < 3 && rows_chance(random, 30)) put_object(random, at, depth);
  else *at += sprintf(*at, "%s", values[rows_below(random, 15)]);
}

/* Documents of a few shapes, one of them broken now and then: read together, and each alone. */
Test(jsonl, together_is_as_alone) {
  rows_random random = rows_seed(3);
  rig r = jsonl("a int64, b float64, s string, c string 'u.s', d int64 'u.u.a', t bool");
  static char text[1 << 16];
  for (int round = 0; round < 400; round++) {
    char shapes[3][2000], *at = text;
    rows_list rows = {0}, refused = {0};
    for (int i = 0; i < 3; i++) {
      char *to = shapes[i];
      put_object(&random, &to, 0);
      *to = '\0';
    }
    for (int i = 0; i < 12; i++) {
      char *line = at;
      at += sprintf(at, "%s", shapes[rows_below(&random, 3)]);
      for (char *c = line; c < at; c++) {
        if (*c >= '0' && *c <= '9' && rows_chance(&random, 30)) *c =
            (char)('1' + rows_below(&random, 9));
      }
      if (rows_chance(&random, 15)) line[rows_below(&random, (uint32_t)(at - line))] =
          "{}[]\",:x1 "[rows_below(&random, 10)];
      *at++ = '\n';
      rig_answer alone = rig_read(&r, line, (size_t)(at - line));
      rows_list_append(&rows, &alone.rows);
      for (size_t k = 0; k < alone.refused.count; k++) {
        char *moved = malloc(strlen(alone.refused.texts[k]) + 20);
        sprintf(moved, "%d%s", i + 1, alone.refused.texts[k] + 1);
        rows_list_add(&refused, moved);
      }
      rig_clear(&alone);
    }
    *at = '\0';
    r.block_bytes = 1 + rows_below(&random, 4000);
    r.batch_rows = 1 + rows_below(&random, 20);
    rig_answer all = rig_read(&r, text, (size_t)(at - text));
    rows_list_expect(&all.rows, &rows, text);
    rows_list_expect_set(&all.refused, &refused, text);
    rig_clear(&all);
    rows_list_clear(&rows);
    rows_list_clear(&refused);
  }
}

/* ---------------------------------------------------------------- writing */

Test(jsonl, writing) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  rig r = jsonl("a int64, \"b\"\"c\" string, d decimal(5,2), f float64, t timestamp, y bytes");
  tm_batch *table = rows_batch(budget, rows_schema(&arena, r.ddl),
                               "1|'x\"\\y'|1.5|NaN|1000000|ab\nnull|null|null|null|null|null\n");
  char *text = rig_write(&r, table, NULL);
  cr_expect_str_eq(text,
                   "{\"a\":1,\"b\\\"c\":\"x\\\"\\\\y\",\"d\":1.50,\"f\":\"NaN\","
                   "\"t\":\"1970-01-01T00:00:01Z\",\"y\":\"YWI=\"}\n"
                   "{\"a\":null,\"b\\\"c\":null,\"d\":null,\"f\":null,\"t\":null,\"y\":null}\n");
  free(text);
  tm_batch_release(table);
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}
