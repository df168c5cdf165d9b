/* tests/state/sorter_test.c: runs, their merge, heads of groups, records; against sorting by
 * insertion. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "state/sorter.h"
#include "tests/support/fixture.h"
#include "tests/support/reference.h"
#include "tests/support/rows.h"

TestSuite(sorter, .init = setup, .fini = teardown);

enum { KEYS_MAX = 8 };

typedef struct wish {
  const tm_batch *table;
  tm_sort_key keys[KEYS_MAX];
  tm_sort_spec spec;
} wish;

static void wish_init(wish *w, const tm_batch *table, const tm_sort_key *keys, uint32_t count) {
  *w = (wish){.table = table};
  memcpy(w->keys, keys, count * sizeof *keys);
  w->spec = (tm_sort_spec){.schema = table->schema, .keys = w->keys, .key_count = count};
}

static int compare(const void *context, uint32_t a, uint32_t b) {
  const wish *w = context;
  for (uint32_t i = 0; i < w->spec.key_count; i++) {
    reference_key key = {w->keys[i].column, w->keys[i].descending};
    int order = reference_compare_rows(w->table, a, b, &key, 1);
    if (order != 0) return order;
  }
  return 0;
}

static rows_list expect(const wish *w) {
  rows_list list = {0};
  uint32_t *rows = malloc((w->table->rows + 1) * sizeof *rows);
  for (uint32_t i = 0; i < w->table->rows; i++) rows[i] = i;
  reference_sort(rows, w->table->rows, compare, w);
  for (uint32_t i = 0; i < w->table->rows; i++) {
    rows_list_add(&list, rows_text(w->table, rows[i], NULL));
  }
  free(rows);
  return list;
}

/* Rows [from, from + count) of the table, as a batch that shares its columns. */
static tm_batch *slice_of(const tm_batch *table, uint32_t from, uint32_t count) {
  tm_batch *batch = tm_batch_derive((tm_batch *)table, budget, table->schema);
  cr_assert_not_null(batch);
  memcpy(batch->columns, table->columns, table->schema->count * sizeof *batch->columns);
  batch->selection = tm_batch_alloc(batch, (count + 1) * sizeof *batch->selection);
  for (uint32_t i = 0; i < count; i++) batch->selection[i] = from + i;
  batch->selected = count;
  batch->sequence = from;
  return batch;
}

/* Deals slices to the sorters in turn. */
static void fill(const tm_batch *table, tm_sorter *sorters, uint32_t lanes, uint32_t size) {
  tm_error err = {0};
  for (uint32_t from = 0, n = 0; from < table->rows; from += size, n++) {
    uint32_t count = table->rows - from < size ? table->rows - from : size;
    cr_assert_eq(tm_sorter_add(&sorters[n % lanes], slice_of(table, from, count), &err), 0);
  }
}

static rows_list merge(tm_sorter *sorters, uint32_t lanes, const tm_sort_spec *spec) {
  tm_error err = {0};
  tm_sorter *each[8];
  tm_sort_merge m;
  rows_list list = {0};
  for (uint32_t i = 0; i < lanes; i++) {
    each[i] = &sorters[i];
    cr_assert_eq(tm_sorter_seal(each[i], &err), 0);
  }
  cr_assert_eq(tm_sort_merge_init(&m, budget, spec, each, lanes, &err), 0);
  for (;;) {
    tm_sort_place places[37];
    uint32_t count = tm_sort_merge_next(&m, places, 37);
    tm_batch *batch = tm_sort_gather(budget, spec->schema, places, count);
    cr_assert_not_null(batch);
    rows_list_add_batch(&list, batch, NULL);
    tm_batch_release(batch);
    if (count < 37) break;
  }
  tm_sort_merge_deinit(&m);
  return list;
}

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                           (rows_flavour){.distinct = distinct, .null_percent = 15, .odd = true});
}

Test(sorter, merges_lanes_in_order_and_stably) {
  tm_batch *table = table_of("a int32, s string, f float64", 700, 1, 12);
  const tm_sort_key keys[] = {{1, true}, {0, false}};
  wish w;
  wish_init(&w, table, keys, 2);
  rows_list expected = expect(&w);
  for (uint32_t lanes = 1; lanes <= 4; lanes++) {
    tm_sorter sorters[4];
    for (uint32_t i = 0; i < lanes; i++) tm_sorter_init(&sorters[i], budget, &w.spec);
    fill(table, sorters, lanes, 11);
    rows_list rows = merge(sorters, lanes, &w.spec);
    rows_list_expect(&rows, &expected, "merged");
    rows_list_clear(&rows);
    for (uint32_t i = 0; i < lanes; i++) tm_sorter_deinit(&sorters[i]);
  }
  rows_list_clear(&expected);
  tm_batch_release(table);
}

Test(sorter, nothing_and_batches_without_rows) {
  tm_batch *table = table_of("a int32", 0, 1, 12);
  const tm_sort_key keys[] = {{0, true}};
  wish w;
  wish_init(&w, table, keys, 1);
  tm_sorter sorters[2];
  for (uint32_t i = 0; i < 2; i++) tm_sorter_init(&sorters[i], budget, &w.spec);
  tm_error err = {0};
  cr_assert_eq(tm_sorter_add(&sorters[1], slice_of(table, 0, 0), &err), 0);
  rows_list rows = merge(sorters, 2, &w.spec);
  cr_expect_eq(rows.count, 0);
  rows_list_clear(&rows);
  for (uint32_t i = 0; i < 2; i++) tm_sorter_deinit(&sorters[i]);
  tm_batch_release(table);
}

/* Many runs: 65,536 rows each. */
Test(sorter, fills_several_runs) {
  enum { ROWS = 200000 };
  tm_batch *table = rows_blank(budget, rows_schema(&arena, "a int64 not null"), ROWS);
  rows_random random = rows_seed(3);
  for (uint32_t i = 0; i < ROWS; i++) {
    ((int64_t *)table->columns[0].data)[i] = (int64_t)rows_next(&random);
  }
  tm_sort_key key = {0, false};
  tm_sort_spec spec = {.schema = table->schema, .keys = &key, .key_count = 1};
  tm_sorter sorter;
  tm_sorter_init(&sorter, budget, &spec);
  fill(table, &sorter, 1, 5000);
  tm_error err = {0};
  tm_sorter *each = &sorter;
  tm_sort_merge m;
  cr_assert_eq(tm_sorter_seal(&sorter, &err), 0);
  cr_expect_gt(sorter.run_count, 2);
  cr_assert_eq(tm_sort_merge_init(&m, budget, &spec, &each, 1, &err), 0);
  int64_t before = INT64_MIN;
  for (uint32_t i = 0; i < ROWS; i++) {
    tm_sort_place place;
    cr_assert_eq(tm_sort_merge_next(&m, &place, 1), 1);
    int64_t value = ((const int64_t *)place.batch->columns[0].data)[place.row];
    cr_assert(value >= before, "row %u", i);
    before = value;
  }
  tm_sort_place none;
  cr_expect_eq(tm_sort_merge_next(&m, &none, 1), 0);
  tm_sort_merge_deinit(&m);
  tm_sorter_deinit(&sorter);
  tm_batch_release(table);
}

/* With a head each run keeps what can be among the first of its group, no more. */
Test(sorter, drops_what_is_not_among_the_first) {
  tm_batch *table = table_of("g int32, v int32", 3000, 4, 9);
  const tm_sort_key keys[] = {{0, false}, {1, true}};
  wish w;
  wish_init(&w, table, keys, 2);
  w.spec.group_keys = 1;
  w.spec.rank_keys = 2;
  w.spec.head = 3;
  tm_sorter sorter;
  tm_error err = {0};
  tm_sorter_init(&sorter, budget, &w.spec);
  fill(table, &sorter, 1, 500);
  cr_assert_eq(tm_sorter_seal(&sorter, &err), 0);
  cr_expect_eq(sorter.rows, 10 * 3, "nine values and null, three rows each: %llu",
               (unsigned long long)sorter.rows);
  cr_expect_eq(sorter.dropped, 3000 - 30);
  cr_expect_lt(tm_batch_bytes(sorter.batches[0]), 10000, "what was dropped is freed");
  tm_sorter_deinit(&sorter);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- records */

static void restore_from(const tm_sorter *from, tm_sorter *to, tm_error *err, int *done) {
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  tm_record_writer writer = {.out = &bytes};
  tm_sorter_save(from, &writer);
  *done = tm_record_end(&writer, err);
  tm_record_reader reader;
  tm_record_open(&reader, bytes.data, bytes.size);
  if (*done == 0) *done = tm_sorter_restore(to, &reader, &arena, err);
  if (*done == 0) *done = tm_record_close(&reader, err);
  tm_bytes_deinit(&bytes);
}

static void expect_restored(const tm_batch *table, const tm_sort_spec *spec, bool sealed) {
  tm_sorter first, second;
  tm_error err = {0};
  int done;
  tm_sorter_init(&first, budget, spec);
  tm_sorter_init(&second, budget, spec);
  fill(table, &first, 1, 40);
  if (sealed) cr_assert_eq(tm_sorter_seal(&first, &err), 0);
  restore_from(&first, &second, &err, &done);
  cr_assert_eq(done, 0, "%s", err.message);
  cr_expect_eq(second.rows, first.rows);
  cr_expect_eq(second.dropped, first.dropped);
  cr_expect_eq(second.run_count, first.run_count);
  cr_expect_eq(second.run_batch == second.batch_count, first.run_batch == first.batch_count);
  fill(table, &first, 1, 30); /* both go on */
  fill(table, &second, 1, 30);
  rows_list a = merge(&first, 1, spec), b = merge(&second, 1, spec);
  rows_list_expect(&b, &a, "restored");
  rows_list_clear(&a);
  rows_list_clear(&b);
  tm_sorter_deinit(&first);
  tm_sorter_deinit(&second);
}

Test(sorter, goes_on_after_a_restore) {
  tm_batch *table = table_of("g int32, v float64, s string", 500, 5, 9);
  const tm_sort_key keys[] = {{0, false}, {1, true}, {2, false}};
  wish w;
  wish_init(&w, table, keys, 3);
  expect_restored(table, &w.spec, false);
  expect_restored(table, &w.spec, true);
  w.spec.group_keys = 1;
  w.spec.rank_keys = 2;
  w.spec.head = 4;
  expect_restored(table, &w.spec, false);
  expect_restored(table, &w.spec, true);
  w.spec.all_ties = true;
  expect_restored(table, &w.spec, true);
  w.spec.group_keys = 0;
  expect_restored(table, &w.spec, true);
  tm_batch_release(table);
}

Test(sorter, no_memory_is_told_and_frees_all) {
  tm_batch *table = table_of("g int32, s string", 200, 6, 9);
  const tm_sort_key keys[] = {{1, false}};
  wish w;
  wish_init(&w, table, keys, 1);
  int refused = 0;
  for (uint64_t n = 1; n < 60; n++) {
    tm_sorter first, second;
    tm_error err = {0};
    int done = 0;
    tm_sorter_init(&first, budget, &w.spec);
    tm_sorter_init(&second, budget, &w.spec);
    fill(table, &first, 1, 50);
    tm_memory_fail_at(n);
    restore_from(&first, &second, &err, &done);
    if (done == 0) done = tm_sorter_seal(&second, &err);
    tm_memory_fail_at(0);
    if (done < 0) cr_expect_eq(err.code, TM_E_MEMORY, "%s", err.message);
    refused += done < 0;
    tm_sorter_deinit(&first);
    tm_sorter_deinit(&second);
  }
  cr_expect(refused > 3 && refused < 59, "%d", refused);
  tm_batch_release(table);
}
