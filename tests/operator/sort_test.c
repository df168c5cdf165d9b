/* tests/operator/sort_test.c: sorting against sorting by insertion. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/fixture.h"
#include "tests/support/reference.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(sort, .init = setup, .fini = teardown);

typedef struct order {
  const tm_batch *table;
  const reference_key *keys;
  uint32_t count;
  bool by_columns; /* ties */
} order;

static int compare(const void *context, uint32_t a, uint32_t b) {
  const order *o = context;
  int by_keys = reference_compare_rows(o->table, a, b, o->keys, o->count);
  return by_keys != 0 || !o->by_columns ? by_keys : reference_compare_whole(o->table, a, b);
}

static rows_list expect(const order *o) {
  rows_list list = {0};
  uint32_t *rows = malloc((o->table->rows + 1) * sizeof *rows);
  for (uint32_t i = 0; i < o->table->rows; i++) rows[i] = i;
  reference_sort(rows, o->table->rows, compare, o);
  for (uint32_t i = 0; i < o->table->rows; i++) {
    rows_list_add(&list, rows_text(o->table, rows[i], NULL));
  }
  free(rows);
  return list;
}

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct,
                          bool odd) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                           (rows_flavour){.distinct = distinct, .null_percent = 20, .odd = odd});
}

static harness_case case_of(const tm_batch *table, tm_value by, bool ordered) {
  return (harness_case){
    .verb = "sort", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
    .ordered_input = ordered, .options = V_TABLE(&arena, {"by", by}),
  };
}

static const char *const every_type =
    "b bool, i int32, n int64, f float64, d decimal(12,2), w decimal(38,5), s string, "
    "y bytes, day date, at timestamp, sure int64 not null";

/* Each type alone, both directions, ties by arrival and by columns. */
Test(sort, every_type_both_ways) {
  tm_batch *table = table_of(every_type, 150, 1, 14, true);
  for (uint32_t column = 0; column < table->schema->count; column++) {
    for (int way = 0; way < 4; way++) {
      bool descending = way & 1, ordered = way >> 1;
      reference_key key = {column, descending};
      char name[32];
      (void)snprintf(name, sizeof name, "%s%s", descending ? "-" : "",
                     table->schema->fields[column].name);
      harness_case c = case_of(table, v_text(name), ordered);
      rows_list expected = expect(&(order){table, &key, 1, !ordered});
      harness_check(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = name});
      rows_list_clear(&expected);
    }
  }
  tm_batch_release(table);
}

Test(sort, several_keys_in_every_mode) {
  tm_batch *table = table_of("s string, f float64, i int32, d decimal(30,2)", 60, 2, 9, true);
  const reference_key keys[] = {{1, true}, {0, false}, {3, true}};
  tm_value by = V_LIST(&arena, v_text("-f"), v_text("s"), v_text("-d"));
  for (int ordered = 0; ordered < 2; ordered++) {
    harness_case c = case_of(table, by, ordered);
    rows_list expected = expect(&(order){table, keys, 3, !ordered});
    harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "three"});
    rows_list_clear(&expected);
  }
  tm_batch_release(table);
}

/* Long common beginnings: the first eight bytes say nothing. */
Test(sort, text_with_common_beginnings) {
  tm_schema *schema = rows_schema(&arena, "s string, n int32 not null");
  tm_batch *table = rows_blank(budget, schema, 200);
  rows_random random = rows_seed(3);
  for (uint32_t i = 0; i < 200; i++) {
    char text[64];
    uint32_t size = rows_below(&random, 40);
    for (uint32_t k = 0; k < size; k++) text[k] = rows_chance(&random, 90) ? 'a' : 'b';
    text[size] = '\0';
    rows_set(table, 0, i, rows_chance(&random, 5) ? "null" : text);
    (void)snprintf(text, sizeof text, "%u", i);
    rows_set(table, 1, i, text);
  }
  for (int descending = 0; descending < 2; descending++) {
    reference_key key = {0, descending};
    harness_case c = case_of(table, v_text(descending ? "-s" : "s"), true);
    rows_list expected = expect(&(order){table, &key, 1, false});
    harness_check(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "text"});
    rows_list_clear(&expected);
  }
  tm_batch_release(table);
}

/* Several runs a lane: more rows than one run takes. */
Test(sort, more_rows_than_a_run) {
  tm_schema *schema = rows_schema(&arena, "n int64, i int32 not null");
  enum { ROWS = 300000 };
  tm_batch *table = rows_blank(budget, schema, ROWS);
  rows_random random = rows_seed(4);
  int64_t *n = table->columns[0].data;
  int32_t *at = table->columns[1].data;
  for (uint32_t i = 0; i < ROWS; i++) {
    n[i] = (int64_t)rows_below(&random, 1000) - 500;
    table->columns[0].valid[i] = !rows_chance(&random, 1);
    at[i] = (int32_t)i;
  }
  harness_case c = case_of(table, v_text("-n"), true);
  harness_mode mode = {.seed = 1, .lanes = 2, .batch_rows = 2048, .threads = true};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_assert_eq(r.rows.count, ROWS);
  long before = INT64_MAX, before_at = -1;
  bool null_before = false;
  for (uint32_t i = 0; i < ROWS; i++) {
    char *end;
    bool null = r.rows.texts[i][0] == 'n';
    long value = null ? 0 : strtol(r.rows.texts[i], &end, 10);
    long place = strtol(null ? r.rows.texts[i] + 5 : end + 1, NULL, 10);
    cr_assert(null || !null_before, "row %u comes behind a null", i);
    bool tie = i > 0 && null == null_before && (null || value == before);
    cr_assert(null || tie || value < before, "row %u: %s", i, r.rows.texts[i]);
    cr_assert(!tie || place > before_at, "row %u is not in order of arrival", i);
    before = value;
    before_at = place;
    null_before = null;
  }
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(sort, nothing_is_sorted_too) {
  tm_batch *table = table_of("a int32, b string", 0, 5, 3, false);
  harness_case c = case_of(table, v_text("a"), true);
  rows_list none = {0};
  harness_sweep(&c, &(harness_expected){.rows = &none, .ordered = true, .label = "none"});
  tm_batch_release(table);
}

Test(sort, by_all_columns_for_the_planner) {
  tm_batch *table = table_of("f float64, s string, w decimal(25,1)", 80, 6, 5, true);
  harness_case c = case_of(table, v_nil(), false);
  c.options = V_TABLE(&arena, {"canonical", v_bool(true)});
  rows_list expected = expect(&(order){table, NULL, 0, true});
  harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "canonical"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

/* Beyond a million rows the planner's order is given up: all rows come, none is kept. */
Test(sort, by_all_columns_gives_up_beyond_a_million) {
  enum { ROWS = 1002000 };
  tm_schema *schema = rows_schema(&arena, "n int32 not null");
  tm_batch *table = rows_blank(budget, schema, ROWS);
  for (uint32_t i = 0; i < ROWS; i++) ((int32_t *)table->columns[0].data)[i] = (int32_t)(ROWS - i);
  harness_case c = case_of(table, v_nil(), true);
  c.options = V_TABLE(&arena, {"canonical", v_bool(true)});
  for (uint32_t save = 0; save < 2; save++) {
    harness_mode mode = {.seed = 2, .lanes = 1, .batch_rows = 20000, .save = save ? 20 : 0};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    cr_assert_eq(r.rows.count, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
      cr_assert_eq(strtol(r.rows.texts[i], NULL, 10), (long)(ROWS - i), "row %u", i);
    }
    harness_result_clear(&r);
  }
  tm_batch_release(table);
}

Test(sort, needs_the_columns_by_which_it_sorts) {
  tm_batch *table = table_of("a int32, b string, c int32", 50, 7, 4, false);
  harness_case c = case_of(table, V_LIST(&arena, v_text("-b")), true);
  c.needed = "c";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "b c");
  free(needs);
  c.ordered_input = false; /* then ties go by all columns */
  needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "a b c");
  free(needs);
  c.ordered_input = true;
  reference_key key = {1, true};
  order o = {table, &key, 1, false};
  uint32_t rows[50];
  for (uint32_t i = 0; i < 50; i++) rows[i] = i;
  reference_sort(rows, 50, compare, &o);
  rows_list expected = {0};
  for (uint32_t i = 0; i < 50; i++) {
    rows_list_add(&expected, rows_text(table, rows[i], (const uint8_t[]){0, 0, 1}));
  }
  harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = true, .label = "needed"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}

static tm_error bind_error(const tm_batch *table, tm_value options) {
  harness_case c = {.verb = "sort", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .options = options};
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  return err;
}

Test(sort, refuses_what_is_no_column) {
  tm_batch *table = table_of("price int32, name string", 1, 8, 3, false);
  tm_error err = bind_error(table, V_TABLE(&arena, {"by", v_text("-prise")}));
  cr_expect_eq(err.code, TM_E_FIELD);
  cr_expect_str_eq(err.message, "unknown column 'prise' (has: price, name)");
  cr_expect_str_eq(err.note, "did you mean 'price'?");
  err = bind_error(table, V_TABLE(&arena, {"by", V_LIST(&arena, v_text("name"), v_int(3))}));
  cr_expect_eq(err.code, TM_E_VALUE);
  err = bind_error(table, V_TABLE(&arena, {"by", v_table(&arena, NULL, 0, NULL, 0)}));
  cr_expect_eq(err.code, TM_E_VALUE);
  err = bind_error(table, V_TABLE(&arena, {"bye", v_text("name")}));
  cr_expect_eq(err.code, TM_E_OPTION);
  tm_batch_release(table);
}
