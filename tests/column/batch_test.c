/* tests/column/batch_test.c: references, pins, derived headers, gathering, compacting. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "column/batch.h"

static tm_budget *budget;
static tm_arena arena;
static tm_schema *schema;

static void setup(void) {
  tm_error err = {0};
  budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&arena, budget);
  schema = tm_schema_parse(&arena, "id int64, name string, ok bool, big decimal(30,2)", &err);
  cr_assert_not_null(schema);
}

/* Every batch must be gone, or the budget asserts. */
static void teardown(void) {
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}

TestSuite(batch, .init = setup, .fini = teardown);

static tm_batch *make(uint32_t rows) {
  tm_batch *batch = tm_batch_create(budget, schema, rows);
  for (uint32_t c = 0; c < schema->count; c++) cr_assert_eq(tm_batch_column(batch, c, true), 0);
  for (uint32_t i = 0; i < rows; i++) {
    char text[64];
    int size = snprintf(text, sizeof text, i % 2 == 0 ? "n%u" : "a name that is long: %u", i);
    ((int64_t *)batch->columns[0].data)[i] = i * 10;
    cr_assert(tm_batch_text(batch, text, (size_t)size, &((tm_str *)batch->columns[1].data)[i]));
    ((uint8_t *)batch->columns[2].data)[i] = i % 3 == 0;
    ((__int128 *)batch->columns[3].data)[i] = (__int128)i << 70;
    batch->columns[0].valid[i] = i % 5 != 4;
  }
  return batch;
}

Test(batch, columns_are_aligned_and_all_rows_are_selected) {
  tm_batch *batch = make(100);
  cr_assert_eq(batch->selected, 100);
  cr_assert_null(batch->selection);
  for (uint32_t c = 0; c < 4; c++) cr_assert_eq((uintptr_t)batch->columns[c].data % 16, 0);
  tm_batch_release(batch);
}

Test(batch, own_gives_the_same_batch_to_the_only_holder) {
  tm_batch *batch = make(4);
  cr_assert_eq(tm_batch_own(batch, budget), batch);
  tm_batch_retain(batch);
  tm_batch *own = tm_batch_own(batch, budget);
  cr_assert_neq(own, batch);
  cr_assert_eq(own->columns[1].data, batch->columns[1].data, "columns are shared");
  own->selected = 1;
  cr_assert_eq(batch->selected, 4);
  tm_batch_release(own);
  tm_batch_release(batch);
}

static void count_release(void *object) { ++*(int *)object; }

Test(batch, pins_live_as_long_as_the_last_holder) {
  int released = 0;
  tm_batch *base = make(4);
  cr_assert_eq(tm_batch_pin(base, &released, count_release), 0);
  tm_batch *derived = tm_batch_derive(base, budget, schema);
  tm_batch_release(base);
  cr_assert_eq(released, 0, "the derived batch pins its base");
  tm_batch_release(derived);
  cr_assert_eq(released, 1);
}

Test(batch, many_pins) {
  int released = 0;
  tm_batch *batch = make(1);
  for (int i = 0; i < 100; i++) cr_assert_eq(tm_batch_pin(batch, &released, count_release), 0);
  tm_batch_release(batch);
  cr_assert_eq(released, 100);
}

Test(batch, compact_copies_the_selected_rows_and_their_strings) {
  tm_batch *batch = make(10);
  uint32_t rows[] = {1, 4, 9};
  uint64_t ordinals[10] = {0, 11, 0, 0, 44, 0, 0, 0, 0, 99};
  batch->selection = rows;
  batch->selected = 3;
  batch->ordinals = ordinals;
  tm_batch *copy = tm_batch_compact(batch, budget);
  memset(tm_batch_alloc(batch, 8), 0xff, 8);
  tm_batch_release(batch);
  cr_assert_eq(copy->rows, 3);
  cr_assert_null(copy->selection);
  cr_assert_eq(((int64_t *)copy->columns[0].data)[0], 10);
  cr_assert(tm_column_is_null(&copy->columns[0], 1), "row 4 was null");
  const tm_str *names = copy->columns[1].data;
  cr_assert_eq(memcmp(tm_str_bytes(&names[2]), "a name that is long: 9", names[2].size), 0);
  cr_assert(((__int128 *)copy->columns[3].data)[2] == (__int128)9 << 70);
  cr_assert_eq(copy->ordinals[2], 99);
  cr_assert_eq(copy->pin_count, 0);
  tm_batch_release(copy);
}

Test(batch, gather_with_missing_rows) {
  tm_batch *batch = make(6);
  uint32_t rows[] = {5, UINT32_MAX, 0};
  tm_batch *out = tm_batch_create(budget, schema, 3);
  for (uint32_t c = 0; c < 4; c++) {
    cr_assert_eq(tm_column_gather(out, c, &batch->columns[c], rows, 3, true), 0);
    cr_assert(tm_column_is_null(&out->columns[c], 1));
  }
  cr_assert_eq(((int64_t *)out->columns[0].data)[0], 50);
  cr_assert_eq(((int64_t *)out->columns[0].data)[2], 0);
  tm_batch_release(out);
  tm_batch_release(batch);
}

Test(batch, columns_that_nobody_reads_stay_without_data) {
  tm_batch *batch = make(3);
  batch->columns[1].data = NULL;
  tm_batch *copy = tm_batch_compact(batch, budget);
  cr_assert_null(copy->columns[1].data);
  cr_assert_not_null(copy->columns[0].data);
  tm_batch_release(copy);
  tm_batch_release(batch);
}

Test(batch, strings_compare_by_bytes_the_shorter_first) {
  tm_str a = tm_str_make("abc", 3), b = tm_str_make("abcd", 4);
  tm_str c = tm_str_make("abcdefghijklmnop", 16), d = tm_str_make("abcdefghijklmnoq", 16);
  tm_str same = tm_str_make("abcdefghijklmnop", 16);
  cr_assert_lt(tm_str_compare(&a, &b), 0);
  cr_assert_lt(tm_str_compare(&c, &d), 0);
  cr_assert_eq(tm_str_compare(&c, &same), 0);
  cr_assert(tm_str_equal(&c, &same));
  cr_assert_not(tm_str_equal(&c, &d));
  cr_assert_not(tm_str_equal(&a, &b));
  tm_str zero = tm_str_make("ab\0", 3), two = tm_str_make("ab", 2);
  cr_assert_not(tm_str_equal(&zero, &two));
  tm_str high = tm_str_make("\xff", 1), low = tm_str_make("a", 1);
  cr_assert_gt(tm_str_compare(&high, &low), 0, "bytes are unsigned");
}

Test(batch, a_budget_that_is_too_small_gives_null_and_leaks_nothing) {
  tm_budget *small = tm_budget_create(budget, "small", 100);
  cr_assert_null(tm_batch_create(small, schema, 1000));
  tm_budget_destroy(small);
}
