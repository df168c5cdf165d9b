/* tests/support/harness_input.c: batches as nasty as the rules allow. Dead rows and the values of
 * nulls hold bytes that nobody may look at: strings among them point nowhere. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/hash.h"
#include "harness_parts.h"

enum { GARBAGE = 0xee };

static void copy_cell(tm_batch *batch, uint32_t column, const tm_column *from, uint32_t from_row,
                      uint32_t row, bool odd) {
  tm_column *to = &batch->columns[column];
  size_t width = tm_type_width(to->type);
  bool null = tm_column_is_null(from, from_row);
  if (to->valid != NULL) to->valid[row] = !null;
  if (null && odd) return; /* garbage stays */
  const char *value = (const char *)from->data + from_row * width;
  memcpy((char *)to->data + row * width, value, width);
  if (null || tm_type_physical(to->type) != TM_PHYSICAL_STR) return;
  const tm_str *s = (const tm_str *)value;
  cr_assert(tm_batch_text(batch, tm_str_bytes(s), s->size, (tm_str *)to->data + row));
}

/* Where the live rows lie among all rows. */
static void scatter(uint32_t *places, uint32_t live, uint32_t rows, rows_random *random) {
  uint32_t at = 0;
  for (uint32_t row = 0; at < live; row++) {
    bool must = rows - row == live - at;
    if (must || rows_below(random, rows) < live) places[at++] = row;
  }
}

static bool has_null(const tm_column *column, const uint32_t *rows, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (tm_column_is_null(column, rows[i])) return true;
  }
  return false;
}

static uint64_t digest_of(const tm_batch *batch) {
  uint64_t hash = tm_hash_combine(batch->rows, batch->selected);
  hash = tm_hash_combine(hash, batch->sequence);
  hash = tm_hash_combine(hash, (uint64_t)(uintptr_t)batch->schema);
  if (batch->selection != NULL) {
    hash = tm_hash_combine(hash, tm_hash_bytes(batch->selection, batch->selected * 4));
  }
  const void *hidden[] = {batch->ordinals, batch->times, batch->marks, batch->weights};
  for (int i = 0; i < 4; i++) {
    if (hidden[i] == NULL) continue;
    size_t width = hidden[i] == batch->weights ? sizeof *batch->weights : sizeof *batch->times;
    hash = tm_hash_combine(hash, tm_hash_bytes(hidden[i], batch->rows * width));
  }
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    const tm_column *c = &batch->columns[i];
    hash = tm_hash_combine(hash, (uint64_t)(uintptr_t)c->data ^ (uint64_t)(uintptr_t)c->valid);
    hash = tm_hash_combine(hash, tm_hash_bytes(&c->type, sizeof c->type));
    if (c->data == NULL) continue;
    hash = tm_hash_combine(hash, tm_hash_bytes(c->data, batch->rows * tm_type_width(c->type)));
    if (c->valid != NULL) hash = tm_hash_combine(hash, tm_hash_bytes(c->valid, batch->rows));
  }
  return hash;
}

static void make_column(tm_batch *batch, uint32_t i, const tm_batch *table, const uint32_t *rows,
                        uint32_t count, const uint32_t *places, bool odd, rows_random *random) {
  const tm_column *in = &table->columns[i];
  bool nullable =
      has_null(in, rows, count) || (odd && in->valid != NULL && rows_chance(random, 50));
  cr_assert_eq(tm_batch_column(batch, i, nullable), 0);
  tm_column *c = &batch->columns[i];
  memset(c->data, odd ? GARBAGE : 0, batch->rows * tm_type_width(c->type));
  if (c->valid != NULL) memset(c->valid, odd ? GARBAGE : 0, batch->rows);
  for (uint32_t k = 0; k < count; k++) copy_cell(batch, i, in, rows[k], places[k], odd);
}

static void *hidden_column(tm_batch *batch, size_t width) {
  void *column = tm_batch_alloc(batch, (batch->rows + 1) * width);
  cr_assert_not_null(column);
  memset(column, GARBAGE, batch->rows * width);
  return column;
}

static int64_t *time_column(tm_batch *batch, const int64_t *values, const uint32_t *rows,
                            uint32_t count, const uint32_t *places) {
  if (values == NULL) return NULL;
  int64_t *column = hidden_column(batch, sizeof *column);
  for (uint32_t k = 0; k < count; k++) column[places[k]] = values[rows[k]];
  return column;
}

harness_input harness_input_make(tm_budget *budget, const harness_rows *in, uint32_t from,
                                 uint32_t count, const uint8_t *needed, const harness_case *c,
                                 uint32_t port, bool odd, rows_random *random) {
  const tm_batch *table = in->table;
  const uint32_t *rows = in->rows + from;
  uint32_t dead = odd && rows_chance(random, 70) ? rows_below(random, count + 3) : 0;
  tm_batch *batch = tm_batch_create(budget, table->schema, count + dead);
  cr_assert_not_null(batch);
  uint32_t *places = tm_batch_alloc(batch, (count + 1) * sizeof *places);
  cr_assert_not_null(places);
  scatter(places, count, batch->rows, random);
  for (uint32_t i = 0; i < table->schema->count; i++) {
    if (needed == NULL || needed[i]) make_column(batch, i, table, rows, count, places, odd, random);
  }
  if (dead > 0 || (odd && rows_chance(random, 30))) {
    batch->selection = places;
    batch->selected = count;
  }
  batch->origin.file = "input.csv";
  if (c->ordinals) {
    batch->ordinals = hidden_column(batch, sizeof *batch->ordinals);
    for (uint32_t k = 0; k < count; k++) batch->ordinals[places[k]] = rows[k] + 1;
  }
  if (c->weights[port] != NULL) {
    batch->weights = hidden_column(batch, sizeof *batch->weights);
    for (uint32_t k = 0; k < count; k++) batch->weights[places[k]] = c->weights[port][rows[k]];
  }
  batch->times = time_column(batch, in->times, rows, count, places);
  batch->marks = time_column(batch, in->marks, rows, count, places);
  harness_input input = {.batch = batch, .shared = odd && rows_chance(random, 40)};
  input.clock_us = in->clock == NULL ? TM_TIME_NONE : in->clock[from + count - 1];
  if (input.shared) tm_batch_retain(batch);
  return input;
}

bool harness_input_release(harness_input *input) {
  if (!input->shared) return true;
  bool same = digest_of(input->batch) == input->digest;
  tm_batch_release(input->batch);
  input->batch = NULL;
  return same;
}

void harness_input_seal(harness_input *input) {
  if (input->shared) input->digest = digest_of(input->batch);
}
