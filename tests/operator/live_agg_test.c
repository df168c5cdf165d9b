/* tests/operator/live_agg_test.c: aggregates of a stream: after any number of rows, and of rows that
 * are taken back, what is left of the changelog is what a batch of the rows that are left gives. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/agg_reference.h"
#include "tests/operator/changes.h"
#include "tests/support/fixture.h"
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

static harness_case case_of(const tm_batch *table, const int32_t *weights, tm_value options) {
  return (harness_case){
    .stage = &tm_stage_live_agg, .input_count = 1, .inputs = {table}, .weights = {weights},
    .options = options, .stream = true, .changelog = true, .ordered_input = true,
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
