/* tests/operator/live_agg_test.c: aggregates of a stream: after any number of rows, also of rows
 * that are taken back, what is left of the changelog is what a batch of the rows that are left
 * gives. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/agg_reference.h"
#include "tests/operator/changes.h"
#include "tests/support/fixture.h"
#include "tests/support/reference.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(live_agg, .init = setup, .fini = teardown);

extern const tm_stage tm_stage_live_agg;

/* ---------------------------------------------------------------- tables and options */

static const char *const columns =
    "k string, n int32, b bool, i int32, j int64 not null, f float64, d decimal(12,2), "
    "e decimal(30,3), s string, t date, u timestamp, y bytes";

/* Plain values, with fractions and both signs in the numbers. */
static tm_batch *plain_table(uint32_t rows, uint64_t seed, uint32_t distinct) {
  rows_random random = rows_seed(seed);
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, columns), rows, &random,
                                      (rows_flavour){.distinct = distinct, .null_percent = 20});
  for (uint32_t r = 0; r < rows; r++) {
    ((int32_t *)table->columns[3].data)[r] -= (int32_t)distinct / 2;
    ((int64_t *)table->columns[4].data)[r] *= 1000000007;
    double *f = (double *)table->columns[5].data + r;
    *f = (*f * 37 - 111) / 8 + 1.0 / 3;
    ((int64_t *)table->columns[6].data)[r] -= 1234;
    ((__int128 *)table->columns[7].data)[r] *= -((__int128)1 << 70);
  }
  return table;
}

static tm_batch *odd_table(uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, columns), rows, &random,
                           (rows_flavour){.distinct = 14, .null_percent = 20, .odd = true});
}

static tm_value spec_value(const agg_spec *spec) {
  tm_pair pairs[8];
  size_t count = 0;
  pairs[count++] = (tm_pair){"agg", v_text(spec->agg)};
  if (spec->of_function != NULL) pairs[count++] = (tm_pair){"of", v_function(spec->of_function)};
  else if (spec->of != NULL) pairs[count++] = (tm_pair){"of", v_text(spec->of)};
  if (spec->by != NULL) pairs[count++] = (tm_pair){"by", v_text(spec->by)};
  if (spec->as != NULL) pairs[count++] = (tm_pair){"as", v_text(spec->as)};
  if (spec->where != NULL) pairs[count++] = (tm_pair){"where", v_function(spec->where)};
  if (spec->q_given) pairs[count++] = (tm_pair){"q", v_float(spec->q)};
  return v_table(&arena, NULL, 0, pairs, count);
}

static tm_value options_of(const char *const *keys, uint32_t key_count, const agg_spec *specs,
                           uint32_t spec_count) {
  tm_value names[8], *aggs = tm_arena_alloc(&arena, (spec_count + 1) * sizeof *aggs);
  for (uint32_t i = 0; i < key_count; i++) names[i] = v_text(keys[i]);
  for (uint32_t i = 0; i < spec_count; i++) aggs[i] = spec_value(&specs[i]);
  return V_TABLE(&arena, {"keys", v_table(&arena, names, key_count, NULL, 0)},
                 {"aggs", v_table(&arena, aggs, spec_count, NULL, 0)});
}

/* Rows of a changelog have no order of their own. */
static harness_case case_of(const tm_batch *table, const int32_t *weights, tm_value options) {
  return (harness_case){
    .stage = &tm_stage_live_agg, .input_count = 1, .inputs = {table}, .weights = {weights},
    .options = options, .stream = true, .changelog = true, .ordered_input = weights == NULL,
  };
}

typedef void (*checker)(const harness_case *c, const harness_expected *expected);

/* Rows that only come. */
static void check(checker run, const tm_batch *table, const char *const *keys, uint32_t key_count,
                  const agg_spec *specs, uint32_t spec_count, const char *label) {
  harness_case c = case_of(table, NULL, options_of(keys, key_count, specs, spec_count));
  rows_list expected = {0};
  agg_reference(table, keys, key_count, specs, spec_count, &expected);
  run(&c, &(harness_expected){.rows = &expected, .label = label});
  rows_list_clear(&expected);
}

/* Rows that come and go, `upto` of the changes. */
static void check_changes(checker run, const changes *all, uint32_t upto, const char *const *keys,
                          uint32_t key_count, const agg_spec *specs, uint32_t spec_count,
                          const char *label) {
  uint32_t *first = calloc(upto + 1, sizeof *first);
  for (uint32_t i = 0; i < upto; i++) first[i] = i;
  tm_batch *table = changes_pick(budget, all->table, first, upto);
  tm_batch *net = changes_net(budget, all, upto);
  harness_case c = case_of(table, all->weights, options_of(keys, key_count, specs, spec_count));
  rows_list expected = {0};
  agg_reference(net, keys, key_count, specs, spec_count, &expected);
  run(&c, &(harness_expected){.rows = &expected, .label = label});
  rows_list_clear(&expected);
  tm_batch_release(net);
  tm_batch_release(table);
  free(first);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---------------------------------------------------------------- aggregates of columns */

static const agg_spec numbers[] = {
  {.agg = "count"},
  {.agg = "count", .of = "f", .as = "c1"},
  {.agg = "sum", .of = "i", .as = "s1"},
  {.agg = "sum", .of = "j", .as = "s2"},
  {.agg = "sum", .of = "f", .as = "s3"},
  {.agg = "sum", .of = "d", .as = "s4"},
  {.agg = "sum", .of = "e", .as = "s5"},
  {.agg = "avg", .of = "i", .as = "a1"},
  {.agg = "avg", .of = "j", .as = "a2"},
  {.agg = "avg", .of = "f", .as = "a3"},
  {.agg = "avg", .of = "d", .as = "a4"},
  {.agg = "avg", .of = "e", .as = "a5"},
  {.agg = "variance", .of = "i", .as = "v1"},
  {.agg = "variance", .of = "f", .as = "v3"},
  {.agg = "variance", .of = "e", .as = "v5"},
  {.agg = "median", .of = "i", .as = "m1"},
  {.agg = "median", .of = "d", .as = "m2"},
  {.agg = "quantile", .of = "f", .q = 0.3, .q_given = true, .as = "m3"},
  {.agg = "quantile", .of = "f", .q = 1, .q_given = true, .as = "m4"},
};

static const agg_spec any_types[] = {
  {.agg = "count", .of = "s", .as = "c"},
  {.agg = "min", .of = "b", .as = "min_b"}, {.agg = "max", .of = "b", .as = "max_b"},
  {.agg = "min", .of = "i", .as = "min_i"}, {.agg = "max", .of = "i", .as = "max_i"},
  {.agg = "min", .of = "j", .as = "min_j"}, {.agg = "max", .of = "j", .as = "max_j"},
  {.agg = "min", .of = "f", .as = "min_f"}, {.agg = "max", .of = "f", .as = "max_f"},
  {.agg = "min", .of = "d", .as = "min_d"}, {.agg = "max", .of = "e", .as = "max_e"},
  {.agg = "min", .of = "s", .as = "min_s"}, {.agg = "max", .of = "s", .as = "max_s"},
  {.agg = "min", .of = "t", .as = "min_t"}, {.agg = "max", .of = "u", .as = "max_u"},
  {.agg = "max", .of = "y", .as = "max_y"},
  {.agg = "first", .of = "s", .as = "first_s"}, {.agg = "last", .of = "s", .as = "last_s"},
  {.agg = "first", .of = "e", .as = "first_e"}, {.agg = "last", .of = "f", .as = "last_f"},
  {.agg = "first", .of = "b", .as = "first_b"}, {.agg = "last", .of = "t", .as = "last_t"},
};

static const agg_spec picks[] = {
  {.agg = "arg_min", .of = "s", .by = "f", .as = "p1"},
  {.agg = "arg_max", .of = "s", .by = "f", .as = "p2"},
  {.agg = "arg_min", .of = "e", .by = "s", .as = "p3"},
  {.agg = "arg_max", .of = "j", .by = "e", .as = "p4"},
  {.agg = "arg_max", .of = "f", .by = "b", .as = "p5"},
  {.agg = "arg_min", .of = "i", .by = "j", .as = "p6"},
  {.agg = "count_distinct", .of = "b", .as = "d1"},
  {.agg = "count_distinct", .of = "i", .as = "d2"},
  {.agg = "count_distinct", .of = "f", .as = "d3"},
  {.agg = "count_distinct", .of = "e", .as = "d4"},
  {.agg = "count_distinct", .of = "s", .as = "d5"},
};

static const char *const no_keys[1], *const by_k[] = {"k"}, *const by_n[] = {"n"},
    *const by_many[] = {"b", "k", "f", "e"}, *const by_f[] = {"f"};

/* The sweep fails at every request for memory, so that few aggregates of few rows must do. */
Test(live_agg, rows_that_come_in_every_way_a_lane_may_go) {
  tm_batch *plain = plain_table(14, 1, 3), *odd = odd_table(14, 2);
  const agg_spec some[] = {numbers[1], numbers[4], numbers[10], numbers[13], numbers[17]};
  check(harness_sweep, plain, by_k, 1, some, COUNT(some), "by k");
  check(harness_sweep, plain, no_keys, 0, some, COUNT(some), "of all");
  const agg_spec more[] = {any_types[7], any_types[12], any_types[17], picks[3], picks[10]};
  check(harness_sweep, odd, by_n, 1, more, COUNT(more), "by n");
  tm_batch_release(plain);
  tm_batch_release(odd);
}

Test(live_agg, rows_that_go_in_every_way_a_lane_may_go) {
  tm_batch *plain = plain_table(10, 3, 3), *odd = odd_table(10, 4);
  changes a = changes_make(budget, plain, 24, 45, 1), b = changes_make(budget, odd, 24, 45, 2);
  const agg_spec some[] = {numbers[1], numbers[4], numbers[10], numbers[13], numbers[17]};
  check_changes(harness_sweep, &a, 24, by_k, 1, some, COUNT(some), "by k");
  check_changes(harness_sweep, &a, 24, no_keys, 0, some, COUNT(some), "of all");
  const agg_spec more[] = {any_types[7], any_types[12], any_types[17], picks[3], picks[10]};
  check_changes(harness_sweep, &b, 24, by_n, 1, more, COUNT(more), "by n");
  changes_clear(&a);
  changes_clear(&b);
  tm_batch_release(plain);
  tm_batch_release(odd);
}

Test(live_agg, many_rows_and_many_groups) {
  for (uint64_t seed = 10; seed < 12; seed++) {
    tm_batch *plain = plain_table(4000, seed, seed % 2 ? 12 : 400);
    check(harness_check, plain, by_n, 1, numbers, COUNT(numbers), "by n");
    check(harness_check, plain, by_many, 4, numbers, COUNT(numbers), "by four");
    check(harness_check, plain, no_keys, 0, numbers, COUNT(numbers), "of all");
    tm_batch *odd = odd_table(4000, seed);
    check(harness_check, odd, by_many, 4, any_types, COUNT(any_types), "odd by four");
    check(harness_check, odd, by_f, 1, picks, COUNT(picks), "odd picks by f");
    check(harness_check, odd, no_keys, 0, any_types, COUNT(any_types), "odd of all");
    tm_batch_release(plain);
    tm_batch_release(odd);
  }
}

/* At some place in the changes, and at their end, when all rows may have gone. */
Test(live_agg, any_changes_are_as_if_only_the_rest_had_come) {
  for (uint64_t seed = 20; seed < 28; seed++) {
    rows_random random = rows_seed(seed);
    uint32_t rows = 5 + rows_below(&random, 120), count = 200 + rows_below(&random, 2500);
    tm_batch *plain = plain_table(rows, seed, 2 + rows_below(&random, 30));
    tm_batch *odd = odd_table(rows, seed);
    changes a = changes_make(budget, plain, count, 30 + rows_below(&random, 19), seed);
    changes b = changes_make(budget, odd, count, 30 + rows_below(&random, 19), seed);
    for (int part = 0; part < 3; part++) {
      uint32_t upto = part == 0 ? count : rows_below(&random, count);
      check_changes(harness_check, &a, upto, by_n, 1, numbers, COUNT(numbers), "by n");
      check_changes(harness_check, &a, upto, no_keys, 0, numbers, COUNT(numbers), "of all");
      check_changes(harness_check, &b, upto, by_many, 4, any_types, COUNT(any_types), "any types");
      check_changes(harness_check, &b, upto, by_f, 1, picks, COUNT(picks), "picks by f");
      check_changes(harness_check, &b, upto, no_keys, 0, any_types, COUNT(any_types), "of all");
    }
    changes_clear(&a);
    changes_clear(&b);
    tm_batch_release(plain);
    tm_batch_release(odd);
  }
}

Test(live_agg, of_nothing_is_one_row_without_keys_and_none_with) {
  tm_batch *table = plain_table(0, 1, 3);
  check(harness_check, table, no_keys, 0, numbers, COUNT(numbers), "numbers");
  check(harness_check, table, no_keys, 0, any_types, COUNT(any_types), "any types");
  check(harness_check, table, no_keys, 0, picks, COUNT(picks), "picks");
  check(harness_check, table, by_k, 1, numbers, 3, "by k");
  check(harness_sweep, table, no_keys, 0, numbers, 3, "sweep");
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- functions */

static void n_is_even(row_call *c) {
  row_set_int(c, 0, !row_is_null(c, 0) && row_int(c, 0) % 2 == 0);
}

static void twice_i(row_call *c) {
  if (row_is_null(c, 0)) row_set_null(c, 0);
  else row_set_int(c, 0, 2 * row_int(c, 0));
}

Test(live_agg, where_and_functions) {
  row_function even = row_function_make("n", NULL, n_is_even, false, 3);
  row_function twice = row_function_make("i", "v int64", twice_i, false, 4);
  const agg_spec specs[] = {
    {.agg = "count", .as = "c", .where = &even, .where_holds = n_is_even},
    {.agg = "count", .of = "f", .as = "cf", .where = &even, .where_holds = n_is_even},
    {.agg = "sum", .of_function = &twice, .of_value = "i", .factor = 2, .as = "s"},
    {.agg = "sum", .of_function = &twice, .of_value = "i", .factor = 2, .as = "se", .where = &even,
     .where_holds = n_is_even},
    {.agg = "avg", .of = "d", .as = "a", .where = &even, .where_holds = n_is_even},
    {.agg = "min", .of = "s", .as = "m", .where = &even, .where_holds = n_is_even},
    {.agg = "first", .of = "s", .as = "fs", .where = &even, .where_holds = n_is_even},
    {.agg = "median", .of = "i", .as = "mi", .where = &even, .where_holds = n_is_even},
    {.agg = "count_distinct", .of = "s", .as = "ds", .where = &even, .where_holds = n_is_even},
    {.agg = "count_distinct", .of = "s", .as = "all"},
    {.agg = "sum", .of = "j", .as = "sj", .where = &even, .where_holds = n_is_even},
  };
  tm_batch *small = plain_table(14, 5, 4), *large = plain_table(3000, 6, 50);
  const agg_spec some[] = {specs[0], specs[3], specs[6], specs[8]};
  changes few = changes_make(budget, small, 20, 40, 3);
  changes many = changes_make(budget, large, 6000, 45, 4);
  check(harness_sweep, small, by_k, 1, some, COUNT(some), "by k");
  check_changes(harness_sweep, &few, 20, by_k, 1, some, COUNT(some), "changes by k");
  check(harness_check, large, no_keys, 0, specs, COUNT(specs), "of all");
  check(harness_check, large, by_k, 1, specs, COUNT(specs), "large");
  check_changes(harness_check, &many, 6000, by_k, 1, specs, COUNT(specs), "changes");
  check_changes(harness_check, &many, 5000, no_keys, 0, specs, COUNT(specs), "changes of all");
  changes_clear(&few);
  changes_clear(&many);
  tm_batch_release(small);
  tm_batch_release(large);
}

/* ---------------------------------------------------------------- event time */

static const agg_spec in_time[] = {
  {.agg = "first", .of = "s", .as = "fs"}, {.agg = "last", .of = "s", .as = "ls"},
  {.agg = "first", .of = "e", .as = "fe"}, {.agg = "last", .of = "f", .as = "lf"},
  {.agg = "arg_min", .of = "s", .by = "i", .as = "p1"},
  {.agg = "arg_max", .of = "e", .by = "b", .as = "p2"},
};

static int compare_times(const void *table, uint32_t a, uint32_t b) {
  const int64_t *times = ((const tm_batch *)table)->columns[10].data;
  return times[a] < times[b] ? -1 : times[a] > times[b];
}

static tm_batch *by_time(const tm_batch *table) {
  uint32_t *rows = calloc(table->rows + 1, sizeof *rows);
  for (uint32_t i = 0; i < table->rows; i++) rows[i] = i;
  reference_sort(rows, table->rows, compare_times, table);
  tm_batch *sorted = changes_pick(budget, table, rows, table->rows);
  free(rows);
  return sorted;
}

/* Every row has a time of its own, in no order. */
static tm_batch *timed_table(uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_batch *table = plain_table(rows, seed, 6);
  int64_t *times = table->columns[10].data;
  if (table->columns[10].valid != NULL) memset(table->columns[10].valid, 1, rows);
  for (uint32_t i = 0; i < rows; i++) {
    uint32_t k = rows_below(&random, i + 1);
    times[i] = times[k];
    times[k] = (int64_t)i * 1000;
  }
  return table;
}

Test(live_agg, first_and_last_go_by_event_time) {
  for (uint64_t seed = 40; seed < 46; seed++) {
    tm_batch *base = timed_table(400, seed), *sorted = by_time(base);
    changes all = changes_make(budget, base, 1500, 45, seed);
    tm_batch *net = changes_net(budget, &all, 1500), *net_sorted = by_time(net);
    tm_value options = options_of(by_n, 1, in_time, COUNT(in_time));
    harness_case c = case_of(base, NULL, options);
    c.times = "u";
    c.out_of_order_us = 1 << 30;
    rows_list expected = {0};
    agg_reference(sorted, by_n, 1, in_time, COUNT(in_time), &expected);
    harness_check(&c, &(harness_expected){.rows = &expected, .label = "rows that come"});
    rows_list_clear(&expected);
    agg_reference(net_sorted, by_n, 1, in_time, COUNT(in_time), &expected);
    c.inputs[0] = all.table;
    c.weights[0] = all.weights;
    harness_check(&c, &(harness_expected){.rows = &expected, .label = "rows that go"});
    rows_list_clear(&expected);
    changes_clear(&all);
    tm_batch_release(base);
    tm_batch_release(sorted);
    tm_batch_release(net);
    tm_batch_release(net_sorted);
  }
}

/* ---------------------------------------------------------------- what comes out, and when */

static void expect_lines(const harness_case *c, uint32_t batch_rows, const char *const *lines,
                         size_t count) {
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = batch_rows};
  harness_case as_it_comes = *c;
  as_it_comes.changelog = false;
  harness_result r = harness_run(&as_it_comes, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_assert_eq(r.rows.count, count, "%zu rows", r.rows.count);
  for (size_t i = 0; i < count; i++) cr_expect_str_eq(r.rows.texts[i], lines[i]);
  cr_expect_eq(r.ledger.absorbed, c->inputs[0]->rows);
  cr_expect_eq(r.ledger.produced, count);
  cr_expect_eq(r.ledger.passed, count);
  harness_result_clear(&r);
}

static const agg_spec count_and_max[] = {{.agg = "count"}, {.agg = "max", .of = "x"}};

Test(live_agg, an_update_is_the_old_row_and_the_new_one_side_by_side) {
  tm_schema *schema = rows_schema(&arena, "k string, x int32");
  tm_batch *table = rows_batch(budget, schema, "a|1\nb|5\na|3\nb|null\na|2\nc|7");
  harness_case c = case_of(table, NULL, options_of(by_k, 1, count_and_max, 2));
  expect_lines(&c, 3, (const char *const[]){"+1 'a'|2|3", "+1 'b'|1|5", "-1 'b'|1|5",
                                            "+1 'b'|2|5", "-1 'a'|2|3", "+1 'a'|3|3",
                                            "+1 'c'|1|7"}, 7);
  expect_lines(&c, 100, (const char *const[]){"+1 'a'|3|3", "+1 'b'|2|5", "+1 'c'|1|7"}, 3);
  tm_batch_release(table);
}

Test(live_agg, what_does_not_change_says_nothing) {
  tm_schema *schema = rows_schema(&arena, "k string, x int32");
  tm_batch *table = rows_batch(budget, schema, "a|4\na|1\na|4\na|9");
  harness_case c = case_of(table, NULL, options_of(by_k, 1, count_and_max + 1, 1));
  expect_lines(&c, 1, (const char *const[]){"+1 'a'|4", "-1 'a'|4", "+1 'a'|9"}, 3);
  c = case_of(table, NULL, options_of(by_k, 1, count_and_max, 2));
  c.needed = "k x";
  expect_lines(&c, 1, (const char *const[]){"+1 'a'|-|4", "-1 'a'|-|4", "+1 'a'|-|9"}, 3);
  tm_batch_release(table);
}

Test(live_agg, a_group_without_rows_is_gone) {
  tm_schema *schema = rows_schema(&arena, "k string, x int32");
  tm_batch *table = rows_batch(budget, schema, "a|1\nb|5\na|1\nb|5\na|8");
  const int32_t weights[] = {1, 1, -1, -1, 1};
  harness_case c = case_of(table, weights, options_of(by_k, 1, count_and_max, 2));
  expect_lines(&c, 2, (const char *const[]){"+1 'a'|1|1", "+1 'b'|1|5", "-1 'a'|1|1",
                                            "-1 'b'|1|5", "+1 'a'|1|8"}, 5);
  c = case_of(table, weights, options_of(no_keys, 0, count_and_max, 2));
  expect_lines(&c, 2, (const char *const[]){"+1 2|5", "-1 2|5", "+1 0|null", "-1 0|null",
                                            "+1 1|8"}, 5);
  tm_batch_release(table);
}

/* The new row may stand before the old one in a batch. */
Test(live_agg, within_a_batch_the_order_of_changes_does_not_matter) {
  tm_schema *schema = rows_schema(&arena, "k string, x int32");
  tm_batch *table = rows_batch(budget, schema, "a|1\na|1");
  const int32_t weights[] = {-1, 1};
  const agg_spec specs[] = {{.agg = "median", .of = "x", .as = "m"},
                            {.agg = "min", .of = "x"},
                            {.agg = "count_distinct", .of = "x", .as = "d"}};
  harness_case c = case_of(table, weights, options_of(by_k, 1, specs, 3));
  expect_lines(&c, 2, NULL, 0);
  tm_batch_release(table);
}

static void expect_failure(const harness_case *c, int code, const char *message) {
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 1};
  harness_result r = harness_run(c, &mode);
  cr_expect_eq(r.err.code, code, "%d %s", r.err.code, r.err.message);
  cr_expect(strstr(r.err.message, message) != NULL, "%s", r.err.message);
  harness_result_clear(&r);
}

Test(live_agg, what_never_came_cannot_be_taken_back) {
  tm_schema *schema = rows_schema(&arena, "k string, x int32");
  tm_batch *table = rows_batch(budget, schema, "a|1\na|2");
  static const char *const aggs[] = {"count", "min", "count_distinct"};
  const int32_t weights[] = {1, -1}, less[] = {1, -2};
  for (int i = 0; i < 3; i++) {
    agg_spec spec = {.agg = aggs[i], .of = "x", .as = "v"};
    harness_case c = case_of(table, i == 0 ? less : weights, options_of(by_k, 1, &spec, 1));
    expect_failure(&c, TM_E_LEDGER, "taken back that never came");
  }
  tm_batch_release(table);
}

Test(live_agg, a_sum_that_does_not_fit_fails) {
  tm_schema *schema = rows_schema(&arena, "k string, x int64");
  tm_batch *table = rows_batch(budget, schema, "a|9223372036854775807\na|1\na|-5");
  agg_spec spec = {.agg = "sum", .of = "x"};
  harness_case c = case_of(table, NULL, options_of(by_k, 1, &spec, 1));
  expect_failure(&c, TM_E_OVERFLOW, "sum(x) (column 'x') is more than int64 can hold");
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 3};
  harness_result r = harness_run(&c, &mode); /* in between does not matter */
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  cr_assert_eq(r.rows.count, 1);
  cr_expect_str_eq(r.rows.texts[0], "'a'|9223372036854775803");
  harness_result_clear(&r);
  tm_batch_release(table);
}

/* Weights beyond 1, of every kind of sum. */
Test(live_agg, weights_count_as_often_as_they_say) {
  tm_schema *schema = rows_schema(&arena, "k string, i int32, f float64, d decimal(30,2)");
  tm_batch *table = rows_batch(budget, schema,
                               "a|3|0.1|-7.25\na|3|0.1|-7.25\na|2147483647|1e300|1\nb|1|NaN|1\n"
                               "b|1|NaN|1\nb|1|2.5|1");
  const int32_t weights[] = {2000000000, -1999999997, 100000, 70000, -70000, 3};
  const agg_spec specs[] = {{.agg = "count"}, {.agg = "sum", .of = "i"}, {.agg = "sum", .of = "f"},
                            {.agg = "sum", .of = "d"}};
  harness_case c = case_of(table, weights, options_of(by_k, 1, specs, 4));
  const char *const lines[] = {
    "+1 'a'|100003|214748364700009|1.0000000000000001e+305|99978.25",
    "+1 'b'|3|3|7.5|3.00",
  };
  expect_lines(&c, 100, lines, 2);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- plan */

Test(live_agg, what_the_plan_is_told) {
  tm_batch *table = plain_table(3, 1, 3);
  const int32_t weights[] = {1, 1, 1};
  harness_case c = case_of(table, NULL, options_of(by_k, 1, in_time, COUNT(in_time)));
  c.times = "t";
  tm_bind bind;
  tm_error err = {0};
  if (table->columns[9].valid != NULL) memset(table->columns[9].valid, 1, 3);
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect(bind.single && bind.facts_out.changelog);
  cr_expect_eq(bind.facts_out.time.kind, TM_NULLTYPE);
  cr_expect_eq(bind.order, TM_ORDER_NONE);
  c.needed = "fs";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "k s");
  free(needs);
  c.weights[0] = weights; /* by time still */
  c.ordered_input = false;
  needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "k s");
  free(needs);
  c.times = NULL; /* by all columns */
  needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "k n b i j f d e s t u y");
  free(needs);
  tm_batch_release(table);
}

/* Rows that come in no order are first and last as a batch would have them. */
Test(live_agg, rows_in_no_order_go_by_their_columns) {
  for (uint64_t seed = 60; seed < 64; seed++) {
    tm_batch *base = plain_table(300, seed, 5);
    changes all = changes_make(budget, base, 300, 0, seed);
    for (uint32_t i = 0; i < 300; i++) all.weights[i] = 1;
    tm_batch *net = changes_net(budget, &all, 300);
    harness_case c = case_of(all.table, NULL, options_of(by_n, 1, in_time, COUNT(in_time)));
    c.ordered_input = false;
    rows_list expected = {0};
    agg_reference(net, by_n, 1, in_time, COUNT(in_time), &expected);
    harness_check(&c, &(harness_expected){.rows = &expected, .label = "by columns"});
    rows_list_clear(&expected);
    changes_clear(&all);
    tm_batch_release(base);
    tm_batch_release(net);
  }
}

Test(live_agg, the_order_of_a_top_is_not_known_while_it_changes) {
  tm_batch *table = plain_table(3, 1, 3);
  const int32_t weights[] = {1, 1, 1};
  harness_case c = case_of(table, weights, options_of(by_k, 1, in_time, 1));
  tm_bind bind;
  tm_error err = {0};
  c.ordered_input = true;
  cr_expect_eq(harness_bind(&c, &arena, 100, &bind, &err), -1);
  cr_expect_eq(err.code, TM_E_JOB);
  cr_expect(strstr(err.message, "not known of a top") != NULL, "%s", err.message);
  tm_batch_release(table);
}

Test(live_agg, serves_streams_without_windows) {
  tm_batch *table = plain_table(3, 1, 3);
  tm_value options = options_of(by_n, 1, numbers, 1);
  tm_job_info job = {.stream = true};
  tm_bind bind = {.job = &job, .options = &options, .input_count = 1, .inputs = {table->schema}};
  bind.facts_in[0].window_start = bind.facts_in[0].window_end = -1;
  bind.facts_in[0].time = tm_type_of(TM_TIMESTAMP);
  bool (*serves)(const tm_bind *) = tm_stage_live_agg.serves;
  cr_expect(serves(&bind));
  bind.final_only = true;
  cr_expect_not(serves(&bind));
  bind.facts_in[0].changelog = true;
  cr_expect(serves(&bind));
  bind.final_only = bind.facts_in[0].changelog = job.stream = false;
  cr_expect_not(serves(&bind));
  job.stream = true;
  bind.facts_in[0].window_end = 1; /* n */
  cr_expect_not(serves(&bind));
  bind.facts_in[0].window_end = 2;
  bind.facts_in[0].window_start = 1; /* of windows that may differ in their end */
  cr_expect(serves(&bind));
  bind.facts_in[0].fixed_windows = true;
  cr_expect_not(serves(&bind));
  bind.facts_in[0].window_start = 3;
  cr_expect(serves(&bind));
  tm_value windowed = V_TABLE(&arena, {"window", V_TABLE(&arena, {"kind", v_text("hopping")})});
  bind.options = &windowed;
  cr_expect_not(serves(&bind));
  tm_batch_release(table);
}
