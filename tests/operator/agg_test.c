/* tests/operator/agg_test.c: every aggregate against loops over lists of rows, in every way that a
 * lane may drive the stage. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/agg_reference.h"
#include "tests/support/row_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

static tm_budget *budget;
static tm_arena arena;

static void setup(void) {
  budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&arena, budget);
}

static void teardown(void) {
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}

TestSuite(agg, .init = setup, .fini = teardown);

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

static harness_case case_of(const tm_batch *table, const char *const *keys, uint32_t key_count,
                            const agg_spec *specs, uint32_t spec_count) {
  return (harness_case){
    .verb = "agg", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table}, .ordinals = true,
    .options = options_of(keys, key_count, specs, spec_count),
  };
}

typedef void (*checker)(const harness_case *c, const harness_expected *expected);

static void check(checker run, const tm_batch *table, const char *const *keys, uint32_t key_count,
                  const agg_spec *specs, uint32_t spec_count, const char *label) {
  harness_case c = case_of(table, keys, key_count, specs, spec_count);
  rows_list expected = {0};
  agg_reference(table, keys, key_count, specs, spec_count, &expected);
  run(&c, &(harness_expected){.rows = &expected, .label = label});
  rows_list_clear(&expected);
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

/* Equal but for the last digits, so they are compared as numbers. */
static const agg_spec moments[] = {
  {.agg = "variance", .of = "d", .as = "v1"}, {.agg = "stddev", .of = "i", .as = "v2"},
  {.agg = "stddev", .of = "j", .as = "v3"}, {.agg = "stddev", .of = "f", .as = "v4"},
  {.agg = "stddev", .of = "d", .as = "v5"}, {.agg = "stddev", .of = "e", .as = "v6"},
  {.agg = "corr", .of = "i", .by = "f", .as = "r1"},
  {.agg = "corr", .of = "j", .by = "d", .as = "r2"},
  {.agg = "corr", .of = "f", .by = "e", .as = "r3"},
  {.agg = "corr", .of = "i", .by = "i", .as = "r4"},
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
Test(agg, sums_in_every_way_a_lane_may_go) {
  tm_batch *table = plain_table(14, 1, 3);
  const agg_spec some[] = {numbers[1], numbers[4], numbers[10], numbers[13]};
  check(harness_sweep, table, by_k, 1, some, COUNT(some), "by k");
  check(harness_sweep, table, no_keys, 0, some, COUNT(some), "of all");
  tm_batch_release(table);
}

Test(agg, values_in_every_way_a_lane_may_go) {
  tm_batch *table = odd_table(14, 2);
  const agg_spec some[] = {any_types[7], any_types[12], any_types[17], picks[3], picks[10]};
  check(harness_sweep, table, by_n, 1, some, COUNT(some), "by n");
  check(harness_sweep, table, no_keys, 0, some, COUNT(some), "of all");
  tm_batch_release(table);
  table = plain_table(14, 3, 4);
  const agg_spec more[] = {numbers[15], numbers[17], picks[2], picks[6]};
  check(harness_sweep, table, by_k, 1, more, COUNT(more), "quantiles");
  tm_batch_release(table);
}

Test(agg, many_rows_and_many_groups) {
  for (uint64_t seed = 10; seed < 14; seed++) {
    tm_batch *plain = plain_table(6000, seed, seed % 2 ? 12 : 400);
    check(harness_check, plain, by_n, 1, numbers, COUNT(numbers), "by n");
    check(harness_check, plain, by_many, 4, numbers, COUNT(numbers), "by four");
    check(harness_check, plain, no_keys, 0, numbers, COUNT(numbers), "of all");
    tm_batch *odd = odd_table(6000, seed);
    check(harness_check, odd, by_many, 4, any_types, COUNT(any_types), "odd by four");
    check(harness_check, odd, by_f, 1, picks, COUNT(picks), "odd picks by f");
    check(harness_check, odd, no_keys, 0, any_types, COUNT(any_types), "odd of all");
    tm_batch_release(plain);
    tm_batch_release(odd);
  }
}

/* Cells after the key within 1e-12 of each other. */
static bool near(const char *a, const char *b) {
  const char *x = strchr(a, '|'), *y = strchr(b, '|');
  if (x - a != y - b || strncmp(a, b, (size_t)(x - a)) != 0) return false;
  while (x != NULL && y != NULL) {
    char *x_end, *y_end;
    double p = strtod(x + 1, &x_end), q = strtod(y + 1, &y_end);
    bool null = x[1] == 'n' || y[1] == 'n';
    if (null ? strncmp(x, y, 5) != 0 : !(fabs(p - q) <= 1e-12 * fabs(q) + 1e-14)) return false;
    x = strchr(x + 1, '|');
    y = strchr(y + 1, '|');
  }
  return x == NULL && y == NULL;
}

Test(agg, deviations_and_correlations) {
  tm_batch *table = plain_table(5000, 20, 60);
  harness_case c = case_of(table, by_n, 1, moments, COUNT(moments));
  rows_list expected = {0}, first = {0};
  agg_reference(table, by_n, 1, moments, COUNT(moments), &expected);
  rows_list_sort(&expected);
  for (uint32_t lanes = 1; lanes <= 4; lanes++) {
    harness_mode mode = {.seed = lanes, .lanes = lanes, .batch_rows = 77, .odd_batches = true};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    rows_list_sort(&r.rows);
    cr_assert_eq(r.rows.count, expected.count);
    for (size_t i = 0; i < expected.count; i++) {
      cr_assert(near(r.rows.texts[i], expected.texts[i]), "%s, expected %s", r.rows.texts[i],
                expected.texts[i]);
    }
    if (lanes == 1) rows_list_append(&first, &r.rows);
    else rows_list_expect(&r.rows, &first, "the same bits with any number of lanes");
    harness_result_clear(&r);
  }
  rows_list_clear(&expected);
  rows_list_clear(&first);
  tm_batch_release(table);
}

/* More groups than one lane would merge alone, and long strings. */
Test(agg, more_groups_than_one_partition) {
  tm_batch *table = plain_table(20000, 3, 200000);
  static const agg_spec few[] = {{.agg = "count"}, {.agg = "sum", .of = "j", .as = "s"},
                                 {.agg = "max", .of = "s", .as = "m"},
                                 {.agg = "median", .of = "i", .as = "q"},
                                 {.agg = "count_distinct", .of = "s", .as = "d"}};
  check(harness_check, table, by_k, 1, few, COUNT(few), "by k");
  check(harness_check, table, by_many, 4, few, COUNT(few), "by four");
  tm_batch_release(table);
}

Test(agg, of_nothing_is_one_row_without_keys_and_none_with) {
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

static void never_seven(row_call *c) {
  if (!row_is_null(c, 0) && row_int(c, 0) == 7) c->refuse = "seven is not allowed";
  else twice_i(c);
}

Test(agg, where_and_functions) {
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
    {.agg = "sum", .of = "j", .as = "sj", .where = &even, .where_holds = n_is_even},
  };
  tm_batch *small = plain_table(14, 5, 4), *large = plain_table(5000, 6, 50);
  const agg_spec some[] = {specs[0], specs[3], specs[6], specs[8]};
  check(harness_sweep, small, by_k, 1, some, COUNT(some), "by k");
  check(harness_check, large, no_keys, 0, specs, COUNT(specs), "of all");
  check(harness_check, large, by_k, 1, specs, COUNT(specs), "large");
  tm_batch_release(small);
  tm_batch_release(large);
}

/* A row that is refused counts nowhere; where a function is not looked at, it cannot refuse. */
Test(agg, a_refused_row_counts_in_no_aggregate) {
  row_function even = row_function_make("n", NULL, n_is_even, false, 3);
  row_function never = row_function_make("i", "v int64", never_seven, true, 8);
  const agg_spec given[] = {
    {.agg = "count"},
    {.agg = "sum", .of_function = &never, .of_value = "i", .factor = 2, .as = "s", .where = &even,
     .where_holds = n_is_even},
    {.agg = "sum", .of = "j", .as = "t"},
  };
  tm_batch *table = plain_table(60, 7, 20);
  int32_t *i = table->columns[3].data, *n = table->columns[1].data;
  rows_list rejects = {0};
  uint32_t kept = 0, *rows = tm_arena_alloc(&arena, table->rows * sizeof *rows);
  for (uint32_t r = 0; r < table->rows; r++) {
    if (r % 5 == 0) i[r] = 7;
    bool even_row = !tm_column_is_null(&table->columns[1], r) && n[r] % 2 == 0;
    bool seven = !tm_column_is_null(&table->columns[3], r) && i[r] == 7;
    if (!even_row || !seven) rows[kept++] = r;
  }
  cr_assert_lt(kept, table->rows);
  harness_case c = case_of(table, by_k, 1, given, COUNT(given));
  uint32_t *selection = table->selection, selected = table->selected;
  table->selection = rows;
  table->selected = kept;
  rows_list expected = {0};
  agg_reference(table, by_k, 1, given, COUNT(given), &expected);
  table->selection = selection;
  table->selected = selected;
  for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
    harness_mode mode = {.seed = 3, .lanes = lanes, .batch_rows = 7, .odd_batches = true};
    harness_result result = harness_run(&c, &mode);
    cr_assert_eq(result.err.code, 0, "%s", result.err.message);
    rows_list_expect_set(&result.rows, &expected, "rows");
    cr_expect_eq(result.rejects.count, table->rows - kept);
    cr_expect_eq(result.ledger.absorbed, kept);
    cr_expect_eq(result.ledger.produced, expected.count);
    cr_expect(strstr(result.rejects.texts[0], "lua|seven is not allowed") != NULL);
    harness_result_clear(&result);
  }
  rows_list_clear(&rejects);
  rows_list_clear(&expected);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- plan */

Test(agg, types_nulls_and_needs) {
  tm_batch *table = plain_table(3, 1, 3);
  const agg_spec specs[] = {
    {.agg = "count"}, {.agg = "sum", .of = "i"}, {.agg = "sum", .of = "j"},
    {.agg = "sum", .of = "d"}, {.agg = "avg", .of = "e"}, {.agg = "avg", .of = "f"},
    {.agg = "max", .of = "u"}, {.agg = "stddev", .of = "b", .as = "x"},
  };
  harness_case c = case_of(table, by_k, 1, specs, 7);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(tm_schema_text(&arena, bind.output),
                   "k string, count int64 not null, i int64, j int64 not null, d decimal(38,2), "
                   "e decimal(38,7), f float64, u timestamp");
  cr_expect_str_eq(bind.detail,
                   "by k: count(), sum(i), sum(j), sum(d), avg(e), avg(f), max(u)");
  cr_expect_not(bind.wants_ordinals);
  c.needed = "count e";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "k e");
  free(needs);
  c = case_of(table, no_keys, 0, specs + 2, 1);
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0);
  cr_expect_str_eq(tm_schema_text(&arena, bind.output), "j int64");
  c = case_of(table, no_keys, 0, &(agg_spec){.agg = "first", .of = "k"}, 1);
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0);
  cr_expect(bind.wants_ordinals);
  tm_batch_release(table);
}

static void expect_refused(const tm_batch *table, const char *const *keys, uint32_t key_count,
                           agg_spec spec, int code, const char *message, const char *note) {
  harness_case c = case_of(table, keys, key_count, &spec, 1);
  tm_bind bind;
  tm_error err = {0};
  cr_expect_eq(harness_bind(&c, &arena, 100, &bind, &err), -1);
  cr_expect_eq(err.code, code, "%d: %s", err.code, err.message);
  cr_expect(strstr(err.message, message) != NULL, "%s", err.message);
  cr_expect(strstr(err.note, note) != NULL, "%s: %s", err.message, err.note);
}

Test(agg, what_is_wrong_is_said_before_any_row) {
  tm_batch *t = plain_table(3, 1, 3);
  const char *const twice[] = {"k", "k"}, *const missing[] = {"kk"};
  expect_refused(t, by_k, 1, (agg_spec){.agg = "sum", .of = "s"}, TM_E_TYPE,
                 "sum(s) wants numbers, not string", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "avg", .of = "t"}, TM_E_TYPE, "not date", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "sum", .of = "fr"}, TM_E_FIELD,
                 "unknown column 'fr'", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "cuont"}, TM_E_VERB, "no aggregate 'cuont'",
                 "count");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "collect", .of = "s"}, TM_E_UNSUPPORTED,
                 "tm.collect is not part of this version", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "top_k", .of = "s"}, TM_E_UNSUPPORTED, "tm.top_k",
                 "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "max", .of = "k"}, TM_E_COLUMNS,
                 "two columns 'k'", "");
  expect_refused(t, twice, 2, (agg_spec){.agg = "count"}, TM_E_COLUMNS, "two columns 'k'", "");
  expect_refused(t, missing, 1, (agg_spec){.agg = "count"}, TM_E_FIELD, "unknown column 'kk'", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "quantile", .of = "i", .q = 1.5, .q_given = true},
                 TM_E_VALUE, "from 0 to 1", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "quantile", .of = "i"}, TM_E_VALUE, "from 0 to 1",
                 "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "corr", .of = "i"}, TM_E_VALUE, "two columns", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "sum", .of = "i", .by = "j"}, TM_E_VALUE,
                 "one column", "");
  expect_refused(t, by_k, 1, (agg_spec){.agg = "sum"}, TM_E_VALUE, "takes a column", "");
  tm_batch_release(t);
}

/* ---------------------------------------------------------------- overflow and exactness */

static tm_batch *table_from(const char *ddl, const char *text) {
  return rows_batch(budget, rows_schema(&arena, ddl), text);
}

static void expect_overflow(const char *ddl, const char *text, const char *agg,
                            const char *message) {
  tm_batch *table = table_from(ddl, text);
  agg_spec spec = {.agg = agg, .of = "x", .as = "total"};
  harness_case c = case_of(table, no_keys, 0, &spec, 1);
  for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
    harness_result r = harness_run(&c, &(harness_mode){.seed = 1, .lanes = lanes, .batch_rows = 2});
    cr_expect_eq(r.err.code, TM_E_OVERFLOW, "%s", r.err.message);
    cr_expect(strstr(r.err.message, message) != NULL, "%s", r.err.message);
    harness_result_clear(&r);
  }
  tm_batch_release(table);
}

Test(agg, a_sum_that_does_not_fit_is_an_error) {
  expect_overflow("x int64", "9223372036854775807\n1\n", "sum",
                  "sum(x) (column 'total') is more than int64 can hold");
  expect_overflow("x int64", "-9223372036854775808\n-9223372036854775808\n", "sum", "sum(x)");
  expect_overflow("x decimal(38,0)",
                  "99999999999999999999999999999999999999\n99999999999999999999999999999999999999\n"
                  "99999999999999999999999999999999999999\n",
                  "sum", "decimal(38,0)");
  expect_overflow("x decimal(38,2)", "999999999999999999999999999999999999.99\n", "avg",
                  "decimal(38,6)");
}

static char *only_result(const tm_batch *table, agg_spec spec) {
  harness_case c = case_of(table, no_keys, 0, &spec, 1);
  char *text = NULL;
  for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
    harness_result r = harness_run(&c, &(harness_mode){.seed = 5, .lanes = lanes, .batch_rows = 1});
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    cr_assert_eq(r.rows.count, 1);
    if (text != NULL) cr_expect_str_eq(r.rows.texts[0], text);
    free(text);
    text = strdup(r.rows.texts[0]);
    harness_result_clear(&r);
  }
  return text;
}

static void expect_result(const char *ddl, const char *rows, const char *agg, double q,
                          const char *expected) {
  tm_batch *table = table_from(ddl, rows);
  char *text = only_result(table, (agg_spec){.agg = agg, .of = "x", .as = "r", .q = q,
                                             .q_given = q >= 0});
  cr_expect_str_eq(text, expected, "%s of %s: %s", agg, ddl, text);
  free(text);
  tm_batch_release(table);
}

Test(agg, what_overflows_in_between_comes_back) {
  expect_result("x int64", "9223372036854775807\n1\n5\n-6\n", "sum", -1, "9223372036854775807");
  expect_result("x int64", "-9223372036854775808\n-9223372036854775808\n9223372036854775807\n"
                "9223372036854775807\n", "sum", -1, "-2");
  expect_result("x int64", "9223372036854775807\n9223372036854775807\n9223372036854775806\n",
                "avg", -1, "9.223372036854776e+18");
  expect_result(
      "x decimal(38,0)",
      "99999999999999999999999999999999999999\n99999999999999999999999999999999999999\n"
      "-99999999999999999999999999999999999998\n-99999999999999999999999999999999999999\n",
      "sum", -1, "1");
  expect_result("x decimal(3,1)", "0.1\n0.2\n0.2\n", "avg", -1, "0.16667");
  expect_result("x decimal(3,0)", "1\n0\n0\n0\n0\n0\n0\n0\n", "avg", -1, "0.1250");
}

Test(agg, floats_are_summed_exactly) {
  expect_result("x float64", "1e16\n1\n-1e16\n1e-3\n", "sum", -1, "1.001");
  expect_result("x float64", "1e300\n5e-324\n-1e300\n", "sum", -1, "5e-324");
  expect_result("x float64", "1e308\n1e308\n-1e308\n", "sum", -1, "1e+308");
  expect_result("x float64", "1e308\n1e308\n", "sum", -1, "Infinity");
  expect_result("x float64", "1e308\n1e308\n", "avg", -1, "1e+308");
  expect_result("x float64", "NaN\n1\n", "sum", -1, "NaN");
  expect_result("x float64", "Infinity\n-Infinity\n", "sum", -1, "NaN");
  expect_result("x float64", "Infinity\n1\n", "avg", -1, "Infinity");
  expect_result("x float64", "0.1\n0.2\n0.3\n", "avg", -1, "0.2");
}

Test(agg, a_variance_survives_a_large_mean) {
  expect_result("x float64", "1000000000\n1000000001\n1000000002\n", "variance", -1, "1.0");
  expect_result("x float64", "1e9\n1.00000000025e9\n", "variance", -1, "0.03125");
  expect_result("x int64", "9223372036854775805\n9223372036854775806\n9223372036854775807\n",
                "variance", -1, "1.0");
  expect_result("x decimal(18,2)",
                "9999999999999999.97\n9999999999999999.98\n9999999999999999.99\n", "stddev", -1,
                "0.01");
  expect_result("x int32", "5\n", "variance", -1, "null");
  expect_result("x int32", "5\n5\n", "stddev", -1, "0.0");
}

Test(agg, quantiles_interpolate) {
  expect_result("x int32", "1\n2\n5\n8\n", "quantile", 0.3, "1.9");
  expect_result("x int32", "8\n2\n1\n5\n", "median", -1, "3.5");
  expect_result("x float64", "1\nInfinity\nNaN\n", "median", -1, "Infinity");
  expect_result("x float64", "3\n", "quantile", 0.7, "3.0");
  expect_result("x float64", "-0.0\n-0.0\n", "quantile", 0, "-0.0");
}

/* ---------------------------------------------------------------- places and memory */

Test(agg, without_ordinals_rows_count_as_they_arrive) {
  tm_batch *table = table_from("x int32", "3\n1\nnull\n2\n");
  agg_spec specs[] = {{.agg = "first", .of = "x", .as = "a"},
                      {.agg = "last", .of = "x", .as = "b"}};
  harness_case c = case_of(table, no_keys, 0, specs, 2);
  c.ordinals = false;
  c.ordered_input = true;
  harness_result r = harness_run(&c, &(harness_mode){.seed = 1, .lanes = 1, .batch_rows = 2});
  cr_assert_eq(r.err.code, 0);
  cr_expect_str_eq(r.rows.texts[0], "3|2");
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(agg, beyond_the_budget_is_an_error_that_says_so) {
  tm_batch *table = plain_table(30000, 8, 1000000);
  tm_budget *small = tm_budget_create(NULL, "small", 1 << 20);
  const agg_spec specs[] = {{.agg = "count"}, {.agg = "max", .of = "s"}};
  harness_case c = case_of(table, by_k, 1, specs, 2);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  const tm_stage *stage = bind.stage;
  tm_ledger ledger = {0};
  void *shared, *self;
  cr_assert_eq(stage->share(&bind, 1, small, &shared, &err), 0);
  tm_stage_env env = {.bind = &bind, .budget = small, .lanes = 1, .shared = shared,
                      .ledger = &ledger};
  cr_assert_eq(stage->open(&env, &self, &err), 0);
  tm_arena scratch;
  tm_arena_init(&scratch, budget);
  tm_out out = tm_out_make(&scratch);
  cr_expect_eq(stage->push(self, 0, tm_batch_retain(table), &out, &err), TM_FLOW_FAILED);
  cr_expect_eq(err.code, TM_E_MEMORY);
  cr_expect(strstr(err.message, "need more than the memory budget") != NULL, "%s", err.message);
  stage->close(self);
  stage->unshare(shared);
  tm_arena_deinit(&scratch);
  cr_expect_eq(tm_budget_used(small), 0);
  tm_budget_destroy(small);
  tm_batch_release(table);
}

Test(agg, damaged_state_is_refused_or_harmless) {
  tm_batch *table = odd_table(30, 9);
  harness_case c = case_of(table, by_k, 1, any_types, COUNT(any_types));
  rows_list expected = {0};
  agg_reference(table, by_k, 1, any_types, COUNT(any_types), &expected);
  harness_damage(&c, &(harness_expected){.rows = &expected, .label = "damage"});
  rows_list_clear(&expected);
  c = case_of(table, by_n, 1, picks, COUNT(picks));
  agg_reference(table, by_n, 1, picks, COUNT(picks), &expected);
  harness_damage(&c, &(harness_expected){.rows = &expected, .label = "damage"});
  rows_list_clear(&expected);
  tm_batch_release(table);
  table = plain_table(30, 9, 5);
  c = case_of(table, by_k, 1, numbers, COUNT(numbers));
  agg_reference(table, by_k, 1, numbers, COUNT(numbers), &expected);
  harness_damage(&c, &(harness_expected){.rows = &expected, .label = "damage"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}
