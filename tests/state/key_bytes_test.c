/* Bytes of keys order as keys do, come back as they were, and damaged ones are told. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "state/key_bytes.h"
#include "tests/support/fixture.h"
#include "tests/support/reference.h"
#include "tests/support/rows.h"

TestSuite(key_bytes, .init = setup, .fini = teardown);

enum { ROWS = 400 };

static const char ddl[] = "b bool, i int32, l int64, f float64, d decimal(9,2), w decimal(30,4), "
                          "s string, y bytes, day date, at timestamp";

static tm_bytes write(const tm_batch *table, const uint32_t *columns, uint32_t count,
                      uint32_t row) {
  const tm_column *at[8];
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  for (uint32_t i = 0; i < count; i++) at[i] = &table->columns[columns[i]];
  cr_assert(tm_key_bytes_write(at, count, row, &bytes));
  return bytes;
}

/* Nulls first, the rest as the reference says. */
static int compare_keys(const tm_batch *table, const uint32_t *columns, uint32_t count,
                        uint32_t a, uint32_t b) {
  for (uint32_t i = 0; i < count; i++) {
    reference_value x = reference_read(table, columns[i], a);
    reference_value y = reference_read(table, columns[i], b);
    if (x.kind == REFERENCE_NULL || y.kind == REFERENCE_NULL) {
      if (x.kind != y.kind) return x.kind == REFERENCE_NULL ? -1 : 1;
      continue;
    }
    int order = reference_compare(&x, &y);
    if (order != 0) return order < 0 ? -1 : 1;
  }
  return 0;
}

static int compare_bytes(const tm_bytes *a, const tm_bytes *b) {
  size_t size = a->size < b->size ? a->size : b->size;
  int order = size == 0 ? 0 : memcmp(a->data, b->data, size);
  if (order != 0) return order < 0 ? -1 : 1;
  return (a->size > b->size) - (a->size < b->size);
}

static void check_columns(const tm_batch *table, const uint32_t *columns, uint32_t count) {
  for (uint32_t a = 0; a < table->rows; a += 3) {
    tm_bytes left = write(table, columns, count, a);
    for (uint32_t b = 0; b < table->rows; b++) {
      tm_bytes right = write(table, columns, count, b);
      int expected = compare_keys(table, columns, count, a, b);
      cr_assert_eq(compare_bytes(&left, &right), expected, "columns %u…: rows %u and %u",
                   columns[0], a, b);
      tm_bytes_deinit(&right);
    }
    tm_bytes_deinit(&left);
  }
}

Test(key_bytes, order_as_the_values_do) {
  rows_random random = rows_seed(7);
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), ROWS, &random,
                                      (rows_flavour){.odd = true, .null_percent = 10});
  for (uint32_t c = 0; c < table->schema->count; c++) check_columns(table, &c, 1);
  const uint32_t pairs[][2] = {{6, 2}, {7, 6}, {3, 5}, {0, 9}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) check_columns(table, pairs[i], 2);
  tm_batch_release(table);
}

/* A row of `table`, read back from its bytes, has the same bytes. */
static void check_row(const tm_batch *table, uint32_t row, const tm_type *types) {
  uint32_t all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  tm_bytes once, again;
  const tm_column *in[10], *back[10];
  tm_batch *out = tm_batch_create(budget, table->schema, 1);
  tm_bytes_init(&once, budget);
  tm_bytes_init(&again, budget);
  for (uint32_t i = 0; i < 10; i++) {
    cr_assert_eq(tm_batch_column(out, i, true), 0);
    in[i] = &table->columns[all[i]];
    back[i] = &out->columns[i];
  }
  cr_assert(tm_key_bytes_write(in, 10, row, &once));
  cr_assert(tm_key_bytes_check(once.data, once.size, types, 10));
  cr_assert_eq(tm_key_bytes_read(once.data, once.size, 10, out, 0), 0);
  cr_assert(tm_key_bytes_write(back, 10, 0, &again));
  cr_assert_eq(compare_bytes(&once, &again), 0, "row %u", row);
  for (uint32_t i = 0; i < 10; i++) {
    reference_value x = reference_read(table, i, row), y = reference_read(out, i, 0);
    cr_assert_eq(x.kind, y.kind);
    if (x.kind != REFERENCE_NULL) cr_assert_eq(reference_compare(&x, &y), 0, "column %u", i);
  }
  tm_bytes_deinit(&once);
  tm_bytes_deinit(&again);
  tm_batch_release(out);
}

Test(key_bytes, come_back_as_they_were) {
  rows_random random = rows_seed(8);
  const tm_schema *schema = rows_schema(&arena, ddl);
  tm_type types[10];
  tm_batch *table = rows_random_table(budget, schema, ROWS, &random,
                                      (rows_flavour){.odd = true, .null_percent = 10});
  for (uint32_t i = 0; i < 10; i++) types[i] = schema->fields[i].type;
  for (uint32_t row = 0; row < ROWS; row++) check_row(table, row, types);
  tm_batch_release(table);
}

Test(key_bytes, what_is_no_key_is_told) {
  const tm_type string = tm_type_of(TM_STRING), boolean = tm_type_of(TM_BOOL),
                day = tm_type_of(TM_DATE), number = tm_type_of(TM_FLOAT64);
  tm_type needed = string;
  needed.not_null = 1;
  const struct { const char *bytes; size_t size; tm_type type; bool sound; } all[] = {
    {"\1a\0\0", 4, string, true},
    {"\0", 1, string, true},
    {"\0", 1, needed, false},
    {"", 0, string, false},
    {"\2a\0\0", 4, string, false},
    {"\1a\0", 3, string, false},
    {"\1a\0\1\0\0", 6, string, false},
    {"\1a\0\xff\0\0", 6, string, true},
    {"\1\xc3\0\xff\xa9\0\0", 7, string, false},
    {"\1\xc3\xa9\0\0", 5, string, true},
    {"\1a\0\0x", 5, string, false},
    {"\1\x80\0\0\0\0\0\0\1", 9, boolean, true},
    {"\1\x80\0\0\0\0\0\0\2", 9, boolean, false},
    {"\1\x80\0\0\0\0\0\0", 8, boolean, false},
    {"\1\x80\0\0\1\0\0\0\0", 9, day, false},
    {"\1\x7f\xff\xff\xff\x80\0\0\0", 9, day, true},
    {"\1\x80\0\0\0\0\0\0\0", 9, number, true},
    {"\1\x7f\xff\xff\xff\xff\xff\xff\xff", 9, number, false}, /* -0 */
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    cr_expect_eq(tm_key_bytes_check((const uint8_t *)all[i].bytes, all[i].size, &all[i].type, 1),
                 all[i].sound, "case %zu", i);
  }
  cr_expect(tm_key_bytes_check((const uint8_t *)"", 0, NULL, 0));
}
