/* tests/operator/union_test.c: several inputs by column name, in order and as they come. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(union, .init = setup, .fini = teardown);

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                           (rows_flavour){.distinct = 12, .null_percent = 25});
}

static harness_case case_of(tm_batch *const *tables, uint32_t count, bool ordered) {
  harness_case c = {.verb = "union", .role = TM_ROLE_STEP, .input_count = count,
                    .ordered_input = ordered};
  for (uint32_t i = 0; i < count; i++) c.inputs[i] = tables[i];
  return c;
}

/* The cells of a table in the order and the types of the output. */
static void add_rows(rows_list *list, const tm_batch *table, const tm_schema *output) {
  tm_batch *copy = rows_blank(budget, output, table->rows);
  for (uint32_t i = 0; i < output->count; i++) {
    int from = tm_schema_find(table->schema, output->fields[i].name);
    for (uint32_t row = 0; row < table->rows; row++) {
      char *cell = rows_cell_text(&table->columns[from], row);
      rows_set(copy, i, row, cell);
      free(cell);
    }
  }
  rows_list_add_batch(list, copy, NULL);
  tm_batch_release(copy);
}

static void expect_union(tm_batch *const *tables, uint32_t count, const char *ddl, bool ordered) {
  harness_case c = case_of(tables, count, ordered);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(tm_schema_text(&arena, bind.output), ddl);
  rows_list expected = {0};
  for (uint32_t i = 0; i < count; i++) add_rows(&expected, tables[i], bind.output);
  harness_sweep(&c, &(harness_expected){.rows = &expected, .ordered = ordered, .label = ddl});
  rows_list_clear(&expected);
}

Test(union, by_name_one_after_another_and_as_they_come) {
  tm_batch *tables[] = {
    table_of("a int64, b string, f float64", 20, 1),
    table_of("f float64, a int64, b string", 15, 2),
    table_of("b string, f float64, a int64", 0, 3),
    table_of("b string, a int64, f float64", 9, 4),
  };
  expect_union(tables, 4, "a int64, b string, f float64", true);
  expect_union(tables, 4, "a int64, b string, f float64", false);
  expect_union(tables, 1, "a int64, b string, f float64", false);
  for (int i = 0; i < 4; i++) tm_batch_release(tables[i]);
}

/* A single input stays in its lanes, so its sequences must stay what they are. */
Test(union, of_one_keeps_its_sequences) {
  tm_batch *table = table_of("a int64", 200, 1);
  harness_case c = case_of(&table, 1, true);
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2};
  harness_result r = harness_run(&c, &mode); /* 100 batches of some 50 morsels */
  cr_expect_lt(r.last_sequence, 80, "%llu", (unsigned long long)r.last_sequence);
  cr_expect_gt(r.last_sequence, 33, "%llu", (unsigned long long)r.last_sequence);
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(union, widens_types) {
  tm_batch *tables[] = {
    table_of("i int32, w int64, d decimal(10,2), e int32 not null, n int64 not null", 15, 5),
    table_of("w int32, i int64, d decimal(12,4), e decimal(5,1), n int32 not null", 15, 6),
    table_of("n int64 not null, e int64, i int32, w int64, d int32", 15, 7),
  };
  expect_union(tables, 3,
               "i int64, w int64, d decimal(14,4), e decimal(20,1), n int64 not null", false);
  tm_batch *floats[] = {table_of("f float64", 20, 8), table_of("f int32", 20, 9),
                        table_of("f int64 not null", 20, 10)};
  harness_case c = case_of(floats, 3, true);
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 7, .odd_batches = true};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0);
  cr_expect_eq(r.rows.count, 60);
  for (uint32_t row = 0; row < 20; row++) {
    if (tm_column_is_null(&floats[1]->columns[0], row)) continue;
    cr_expect_eq(strtod(r.rows.texts[20 + row], NULL),
                 ((int32_t *)floats[1]->columns[0].data)[row]);
  }
  harness_result_clear(&r);
  for (int i = 0; i < 3; i++) tm_batch_release(tables[i]);
  for (int i = 0; i < 3; i++) tm_batch_release(floats[i]);
}

/* Together the types would need 39 digits: rows that need them are refused, also where nobody reads
 * the column. */
Test(union, refuses_rows_of_too_many_digits) {
  tm_batch *tables[] = {
    rows_batch(budget, rows_schema(&arena, "d decimal(38,0), n int32"),
               "1|1\n9999999999999999999999999999999999999|2\n"
               "-99999999999999999999999999999999999999|3\nnull|4"),
    rows_batch(budget, rows_schema(&arena, "n int32, d decimal(10,1)"), "5|0.5"),
  };
  harness_case c = case_of(tables, 2, false);
  rows_list rows = {0}, rejects = {0};
  rows_list_add(&rows, strdup("1.0|1"));
  rows_list_add(&rows, strdup("9999999999999999999999999999999999999.0|2"));
  rows_list_add(&rows, strdup("null|4"));
  rows_list_add(&rows, strdup("0.5|5"));
  rows_list_add(&rejects, strdup("decimal|'d' has more than 38 digits|0|7|"
                                 "{\"d\":-99999999999999999999999999999999999999,\"n\":3}"));
  harness_sweep(&c, &(harness_expected){.rows = &rows, .rejects = &rejects, .label = "digits"});
  c.needed = "n";
  c.skip_rejects = true;
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "d n");
  free(needs);
  rows_list_clear(&rows);
  rows_list_clear(&rejects);
  tm_batch_release(tables[0]);
  tm_batch_release(tables[1]);
}

static void refuse(tm_batch *const *tables, int code, const char *message) {
  harness_case c = case_of(tables, 2, false);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect_eq(err.code, code);
  cr_expect_str_eq(err.message, message);
}

Test(union, refuses_other_columns_and_types) {
  tm_batch *base = table_of("a int64, b string", 1, 1), *less = table_of("a int64", 1, 1);
  tm_batch *more = table_of("a int64, b string, c bool", 1, 1);
  tm_batch *other = table_of("a string, b string", 1, 1);
  refuse((tm_batch *[]){base, less}, TM_E_COLUMNS, "union: input 2 has no column 'b'");
  refuse((tm_batch *[]){base, more}, TM_E_COLUMNS,
         "union: input 2 has column 'c', the first has not");
  refuse((tm_batch *[]){base, other}, TM_E_TYPE,
         "union: column 'a' is int64 in the first input, string in input 2");
  tm_batch *each[] = {base, less, more, other};
  for (int i = 0; i < 4; i++) tm_batch_release(each[i]);
}

Test(union, needs_of_each_input_what_is_needed) {
  tm_batch *tables[] = {table_of("a int64, b string", 1, 1), table_of("b string, a int32", 1, 1)};
  harness_case c = case_of(tables, 2, false);
  c.needed = "a";
  for (uint32_t port = 0; port < 2; port++) {
    char *needs = harness_needs(&c, port);
    cr_expect_str_eq(needs, "a");
    free(needs);
  }
  tm_batch_release(tables[0]);
  tm_batch_release(tables[1]);
}
