/* tests/state/row_store_test.c: rows copied in, addressed by id, gathered out. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "state/row_store.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(row_store, .init = setup, .fini = teardown);

static const char *const ddl = "b bool, i int32, n int64 not null, w decimal(30,2), s string";

static tm_batch *table_of(uint32_t rows, uint64_t seed) {
  rows_random random = rows_seed(seed);
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                           (rows_flavour){.distinct = 30, .null_percent = 20, .odd = true});
}

static void append(tm_row_store *store, const tm_batch *batch) {
  uint64_t *hashes = malloc((batch->selected + 1) * sizeof *hashes);
  uint8_t *usable = malloc(batch->selected + 1);
  for (uint32_t i = 0; i < batch->selected; i++) {
    hashes[i] = tm_batch_row(batch, i) * UINT64_C(77);
    usable[i] = i % 3 != 0;
  }
  tm_error err = {0};
  cr_assert_eq(tm_row_store_append(store, batch, hashes, usable, &err), 0);
  free(hashes);
  free(usable);
}

static uint32_t id_of(uint32_t nth) {
  return nth / TM_CHUNK_ROWS << TM_CHUNK_BITS | nth % TM_CHUNK_ROWS;
}

/* The rows of the store by their ids are the rows that were put in, over several chunks. */
Test(row_store, gives_back_what_was_put_in) {
  enum { ROWS = 40000, PICKED = 3000 };
  tm_batch *table = table_of(ROWS, 1);
  tm_row_store store;
  tm_row_store_init(&store, budget, table->schema, NULL);
  append(&store, table);
  cr_expect_eq(store.rows, ROWS);
  cr_expect_eq(store.chunk_count, 3);
  uint32_t ids[PICKED], picked[PICKED];
  rows_random random = rows_seed(2);
  tm_batch *out = tm_batch_create(budget, table->schema, PICKED);
  for (uint32_t i = 0; i < PICKED; i++) ids[i] = id_of(picked[i] = rows_below(&random, ROWS));
  for (uint32_t c = 0; c < table->schema->count; c++) {
    cr_assert_eq(tm_row_store_gather(store.chunks, c, ids, NULL, PICKED, false, out, c), 0);
  }
  for (uint32_t i = 0; i < PICKED; i++) {
    char *is = rows_text(out, i, NULL), *was = rows_text(table, picked[i], NULL);
    cr_assert_str_eq(is, was);
    const tm_chunk *chunk = &store.chunks[ids[i] >> TM_CHUNK_BITS];
    cr_assert_eq(chunk->hashes[ids[i] & (TM_CHUNK_ROWS - 1)], picked[i] * UINT64_C(77));
    cr_assert_eq(chunk->usable[ids[i] & (TM_CHUNK_ROWS - 1)], picked[i] % 3 != 0);
    free(is);
    free(was);
  }
  tm_batch_release(out);
  tm_row_store_deinit(&store);
  tm_batch_release(table);
}

Test(row_store, holds_nothing_of_the_batch) {
  tm_batch *table = table_of(500, 3);
  rows_list before = {0}, after = {0};
  tm_row_store store;
  tm_row_store_init(&store, budget, table->schema, NULL);
  table->selection = tm_batch_alloc(table, 500 * sizeof(uint32_t));
  table->selected = 0;
  for (uint32_t row = 1; row < 500; row += 2) table->selection[table->selected++] = row;
  append(&store, table);
  rows_list_add_batch(&before, table, NULL);
  const tm_schema *schema = table->schema;
  tm_batch_release(table); /* its memory is poisoned under a sanitizer */
  tm_batch *out = tm_batch_create(budget, schema, 250);
  uint32_t ids[250];
  for (uint32_t i = 0; i < 250; i++) ids[i] = i;
  for (uint32_t c = 0; c < schema->count; c++) {
    cr_assert_eq(tm_row_store_gather(store.chunks, c, ids, NULL, 250, false, out, c), 0);
  }
  rows_list_add_batch(&after, out, NULL);
  rows_list_expect(&after, &before, "stored");
  rows_list_clear(&before);
  rows_list_clear(&after);
  tm_batch_release(out);
  tm_row_store_deinit(&store);
}

Test(row_store, missing_rows_are_null_and_places_can_be_given) {
  tm_batch *table = table_of(10, 4);
  tm_row_store store;
  tm_row_store_init(&store, budget, table->schema, NULL);
  append(&store, table);
  const uint32_t ids[] = {3, TM_ROW_NONE, 7}, at[] = {2, 0, 1};
  tm_batch *out = tm_batch_create(budget, table->schema, 3);
  for (uint32_t c = 0; c < table->schema->count; c++) {
    cr_assert_eq(tm_row_store_gather(store.chunks, c, ids, at, 3, true, out, c), 0);
  }
  char *rows[] = {rows_text(out, 0, NULL), rows_text(out, 1, NULL), rows_text(out, 2, NULL)};
  char *three = rows_text(table, 3, NULL), *seven = rows_text(table, 7, NULL);
  cr_expect_str_eq(rows[0], "null|null|null|null|null");
  cr_expect_str_eq(rows[1], seven);
  cr_expect_str_eq(rows[2], three);
  for (int i = 0; i < 3; i++) free(rows[i]);
  free(three);
  free(seven);
  tm_batch_release(out);
  tm_row_store_deinit(&store);
  tm_batch_release(table);
}

Test(row_store, keeps_only_needed_columns) {
  tm_batch *table = table_of(10, 5);
  const uint8_t needed[] = {0, 1, 0, 0, 1};
  tm_row_store store;
  tm_row_store_init(&store, budget, table->schema, needed);
  append(&store, table);
  for (uint32_t c = 0; c < 5; c++) {
    cr_expect_eq(store.chunks[0].rows->columns[c].data != NULL, needed[c]);
  }
  tm_row_store_deinit(&store);
  tm_batch_release(table);
}

Test(row_store, no_memory_is_told) {
  tm_batch *table = table_of(30, 6);
  uint64_t hashes[30] = {0};
  uint8_t usable[30] = {0};
  int refused = 0;
  for (uint64_t n = 1; n < 25; n++) {
    tm_row_store store;
    tm_error err = {0};
    tm_row_store_init(&store, budget, table->schema, NULL);
    tm_memory_fail_at(n);
    int done = tm_row_store_append(&store, table, hashes, usable, &err);
    tm_memory_fail_at(0);
    if (done < 0) cr_expect_eq(err.code, TM_E_MEMORY);
    refused += done < 0;
    tm_row_store_deinit(&store);
  }
  cr_expect(refused > 3 && refused < 24, "%d", refused);
  tm_batch_release(table);
}
