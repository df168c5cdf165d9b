/* tests/state/batch_record_test.c: rows of batches as records and back; damaged records. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "state/batch_record.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(batch_record, .init = setup, .fini = teardown);

static const char *const every_type =
    "b bool, i int32, n int64, f float64, d decimal(12,2), w decimal(38,5), s string, "
    "y bytes, day date, at timestamp, sure string not null";

static tm_batch *table_of(uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, every_type), rows, &random,
                           (rows_flavour){.distinct = 20, .null_percent = 25, .odd = true});
}

static tm_bytes save(const tm_batch *batch) {
  tm_bytes bytes;
  tm_error err = {0};
  tm_bytes_init(&bytes, budget);
  tm_record_writer writer = {.out = &bytes};
  tm_batch_record_save(batch, &writer);
  cr_assert_eq(tm_record_end(&writer, &err), 0);
  return bytes;
}

static tm_batch *restore(const void *bytes, size_t size, const tm_schema *schema, tm_error *err) {
  tm_record_reader reader;
  void *exact = malloc(size + 1); /* so that a sanitizer sees what is read beyond the end */
  memcpy(exact, bytes, size);
  tm_record_open(&reader, exact, size);
  tm_batch *batch = tm_batch_record_restore(&reader, budget, schema, &arena, err);
  if (batch != NULL && tm_record_close(&reader, err) < 0) {
    tm_batch_release(batch);
    batch = NULL;
  }
  free(exact);
  return batch;
}

static void expect_same(const tm_batch *batch) {
  tm_error err = {0};
  rows_list before = {0}, after = {0};
  tm_bytes bytes = save(batch);
  tm_batch *again = restore(bytes.data, bytes.size, batch->schema, &err);
  cr_assert_not_null(again, "%s", err.message);
  cr_expect_eq(again->rows, batch->selected);
  cr_expect_eq(again->selected, batch->selected);
  cr_expect_null(again->selection);
  cr_expect_eq(again->sequence, batch->sequence);
  rows_list_add_batch(&before, batch, NULL);
  rows_list_add_batch(&after, again, NULL);
  rows_list_expect(&after, &before, "restored");
  tm_bytes twice = save(again);
  cr_expect_eq(twice.size, bytes.size);
  cr_expect_eq(memcmp(twice.data, bytes.data, bytes.size), 0, "equal rows make equal records");
  tm_batch_release(again);
  rows_list_clear(&before);
  rows_list_clear(&after);
  tm_bytes_deinit(&bytes);
  tm_bytes_deinit(&twice);
}

Test(batch_record, every_type_of_any_size) {
  const uint32_t sizes[] = {0, 1, 2, 511, 512, 513, 1500};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    tm_batch *table = table_of(sizes[i], i);
    expect_same(table);
    tm_batch_release(table);
  }
}

Test(batch_record, only_selected_rows_are_kept) {
  tm_batch *table = table_of(900, 9);
  table->selection = tm_batch_alloc(table, 900 * sizeof *table->selection);
  table->selected = 0;
  for (uint32_t row = 0; row < 900; row += 1 + row % 3) table->selection[table->selected++] = row;
  /* what dead rows hold is not looked at */
  ((tm_str *)table->columns[6].data)[2].size_ = 0xeeeeeeee;
  cr_assert_eq(table->selection[2], 3, "row 2 is dead");
  table->columns[6].valid[2] = 1;
  expect_same(table);
  tm_batch_release(table);
}

Test(batch_record, marks_and_origin_stay) {
  tm_batch *table = table_of(600, 3);
  table->sequence = UINT64_MAX - 5;
  table->origin = (tm_origin){.source = 7, .file_index = 9, .file = "folder/some file.csv"};
  table->ordinals = tm_batch_alloc(table, 600 * sizeof *table->ordinals);
  table->weights = tm_batch_alloc(table, 600 * sizeof *table->weights);
  for (uint32_t i = 0; i < 600; i++) {
    table->ordinals[i] = UINT64_C(1) << 40 | i;
    table->weights[i] = i % 2 ? 1 : -1;
  }
  tm_bytes bytes = save(table);
  tm_error err = {0};
  tm_batch *again = restore(bytes.data, bytes.size, table->schema, &err);
  cr_assert_not_null(again);
  cr_expect_eq(again->sequence, UINT64_MAX - 5);
  cr_expect_eq(again->origin.source, 7);
  cr_expect_eq(again->origin.file_index, 9);
  cr_expect_str_eq(again->origin.file, "folder/some file.csv");
  cr_expect_neq(again->origin.file, table->origin.file);
  cr_expect_eq(memcmp(again->ordinals, table->ordinals, 600 * sizeof *table->ordinals), 0);
  cr_expect_eq(memcmp(again->weights, table->weights, 600 * sizeof *table->weights), 0);
  tm_batch_release(again);
  tm_bytes_deinit(&bytes);
  tm_batch_release(table);
}

Test(batch_record, columns_without_data_come_back_without) {
  tm_batch *table = table_of(30, 4);
  table->columns[1].data = NULL;
  table->columns[6].data = NULL;
  expect_same(table);
  tm_bytes bytes = save(table);
  tm_error err = {0};
  tm_batch *again = restore(bytes.data, bytes.size, table->schema, &err);
  cr_expect_null(again->columns[1].data);
  cr_expect_null(again->columns[6].data);
  cr_expect_not_null(again->columns[2].data);
  tm_batch_release(again);
  tm_bytes_deinit(&bytes);
  tm_batch_release(table);
}

Test(batch_record, every_cut_is_refused_and_no_flip_does_harm) {
  tm_batch *table = table_of(12, 5);
  tm_bytes bytes = save(table);
  for (size_t size = 0; size < bytes.size; size++) {
    tm_error err = {0};
    cr_expect_null(restore(bytes.data, size, table->schema, &err), "%zu bytes", size);
    cr_expect_eq(err.code, TM_E_LOCKED);
  }
  for (size_t at = 0; at < bytes.size; at++) {
    for (int bit = 0; bit < 8; bit += 3) {
      bytes.data[at] ^= (uint8_t)(1 << bit);
      tm_error err = {0};
      tm_batch *batch = restore(bytes.data, bytes.size, table->schema, &err);
      cr_expect((batch == NULL) == (err.code != TM_E_NONE));
      if (batch != NULL) { /* then its rows can be looked at */
        rows_list rows = {0};
        rows_list_add_batch(&rows, batch, NULL);
        rows_list_clear(&rows);
      }
      tm_batch_release(batch);
      bytes.data[at] ^= (uint8_t)(1 << bit);
    }
  }
  tm_bytes_deinit(&bytes);
  tm_batch_release(table);
}

Test(batch_record, no_memory_is_told) {
  tm_batch *table = table_of(40, 6);
  tm_bytes bytes = save(table);
  int refused = 0;
  for (uint64_t n = 1; n < 30; n++) {
    tm_error err = {0};
    tm_memory_fail_at(n);
    tm_batch *batch = restore(bytes.data, bytes.size, table->schema, &err);
    tm_memory_fail_at(0);
    if (batch == NULL) cr_expect_eq(err.code, TM_E_MEMORY);
    refused += batch == NULL;
    tm_batch_release(batch);
  }
  cr_expect_geq(refused, 2);
  cr_expect_lt(refused, 29);
  tm_bytes_deinit(&bytes);
  tm_batch_release(table);
}
