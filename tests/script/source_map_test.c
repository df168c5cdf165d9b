/* tests/script/source_map_test.c: finding calls and their arguments in the text of a script. */
#include "script/source_map.h"

#include "script_fixture.h"

TestSuite(script_source_map, .init = fixture_setup, .fini = fixture_teardown);

static const tm_source_map *map_of(const char *text) {
  const tm_source_map *map = tm_source_map_create(&fixture_arena, text, strlen(text));
  cr_assert(map != NULL);
  return map;
}

static int line_of(const tm_source_map *map, const char *verb, int line, uint32_t after) {
  return tm_source_map_line(map, tm_source_map_call(map, verb, line, after));
}

Test(script_source_map, calls_of_a_chain) {
  const tm_source_map *map = map_of("local a = t\n  :filter(f)\n  :join(u:filter(g), {\n"
                                    "    on = 'x' })\n  :filter(h)\n");
  uint32_t first = tm_source_map_call(map, "filter", 1, 0);
  cr_expect_eq(tm_source_map_line(map, first), 2);
  uint32_t join = tm_source_map_call(map, "join", 1, first);
  cr_expect_eq(tm_source_map_line(map, join), 3);
  cr_expect_eq(line_of(map, "filter", 3, 0), 3, "the one within the join");
  cr_expect_eq(line_of(map, "filter", 1, join), 5, "the one behind it");
  cr_expect_eq(line_of(map, "limit", 1, 0), 0);
  cr_expect_eq(line_of(map, "filter", 6, 0), 0);
  cr_expect_eq(line_of(map, "filter", 0, 0), 0);
}

Test(script_source_map, the_last_call) {
  const tm_source_map *map = map_of("x = tm.batch\n-- tm.batch\nreturn tm.batch {\n}\n");
  cr_expect_eq(tm_source_map_line(map, tm_source_map_last(map, "batch")), 3);
  cr_expect_eq(tm_source_map_last(map, "stream"), 0);
}

Test(script_source_map, arguments) {
  const tm_source_map *map = map_of("tm.csv {\n  path = 'x',\n  delimeter = ';',\n}\n"
                                    "tm.csv 'delimeter'\ntm.env(\"delimeter\")");
  char quote = '?';
  uint32_t place = tm_source_map_call(map, "csv", 1, 0);
  cr_expect_eq(tm_source_map_argument(map, place, "delimeter", &quote), 3);
  cr_expect_eq(quote, '\0');
  cr_expect_eq(tm_source_map_argument(map, place, "x", &quote), 2);
  cr_expect_eq(quote, '\'');
  cr_expect_eq(tm_source_map_argument(map, place, "header", NULL), 0);
  place = tm_source_map_call(map, "csv", 4, 0);
  cr_expect_eq(tm_source_map_argument(map, place, "delimeter", NULL), 5);
  place = tm_source_map_call(map, "env", 1, 0);
  cr_expect_eq(tm_source_map_argument(map, place, "delimeter", &quote), 6);
  cr_expect_eq(quote, '"');
  cr_expect_eq(tm_source_map_argument(map, 0, "delimeter", NULL), 0);
}

Test(script_source_map, comments_strings_and_numbers_are_no_calls) {
  const tm_source_map *map = map_of(
      "--[[ :filter\n:filter ]] x = [==[ :filter\n]] :filter ]==] "
      "y = ':filter' .. \"\\\":filter\\\n\"\n"
      "z = 1.filter + 0x1p4 :: filter :: w = a..filter\nt:filter()");
  cr_expect_eq(line_of(map, "filter", 1, 0), 6);
}

/* Text that ends anywhere, even within a string or a comment. */
Test(script_source_map, any_prefix_is_read) {
  const char *text = "local a = [==[ x ]==] .. 'y\\'' .. \"z\" --[[ c ]] t:f({ [1] = 2 }):g()";
  for (size_t size = 0; size <= strlen(text); size++) {
    const char *copy = tm_arena_text(&fixture_arena, text, size);
    const tm_source_map *map = tm_source_map_create(&fixture_arena, copy, size);
    cr_assert(map != NULL);
    int line = line_of(map, "f", 1, 0);
    cr_expect(line == 0 || line == 1);
  }
}
