/* tests/operator/changes.c: see changes.h. */
#include "tests/operator/changes.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/reference.h"

tm_batch *changes_pick(tm_budget *budget, const tm_batch *table, const uint32_t *rows,
                       uint32_t count) {
  tm_batch *picked = tm_batch_create(budget, table->schema, count);
  cr_assert_not_null(picked);
  for (uint32_t i = 0; i < table->schema->count; i++) {
    cr_assert_eq(tm_column_gather(picked, i, &table->columns[i], rows, count, false), 0);
  }
  tm_batch *owned = tm_batch_compact(picked, budget);
  cr_assert_not_null(owned);
  tm_batch_release(picked);
  return owned;
}

changes changes_make(tm_budget *budget, const tm_batch *base, uint32_t count, uint32_t back,
                     uint64_t seed) {
  rows_random random = rows_seed(seed);
  changes c = {.base = base};
  c.weights = calloc(count + 1, sizeof *c.weights);
  c.sources = calloc(count + 1, sizeof *c.sources);
  uint32_t *there = calloc(base->rows + 1, sizeof *there);
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = rows_below(&random, base->rows);
    bool goes = total > 0 && rows_chance(&random, back);
    while (goes && there[row] == 0) row = rows_below(&random, base->rows);
    uint32_t times = rows_chance(&random, 10) ? 2 : 1;
    if (goes && times > there[row]) times = 1;
    c.weights[i] = goes ? -(int32_t)times : (int32_t)times;
    c.sources[i] = row;
    there[row] += (uint32_t)c.weights[i];
    total += (uint64_t)c.weights[i];
  }
  c.table = changes_pick(budget, base, c.sources, count);
  free(there);
  return c;
}

void changes_clear(changes *c) {
  tm_batch_release(c->table);
  free(c->weights);
  free(c->sources);
}

static int compare_rows(const void *table, uint32_t a, uint32_t b) {
  return reference_compare_whole(table, a, b);
}

tm_batch *changes_net(tm_budget *budget, const changes *c, uint32_t upto) {
  uint32_t *rows = calloc(2 * (size_t)upto + 1, sizeof *rows), count = 0;
  int32_t *there = calloc(c->base->rows + 1, sizeof *there);
  for (uint32_t i = 0; i < upto; i++) there[c->sources[i]] += c->weights[i];
  for (uint32_t row = 0; row < c->base->rows; row++) {
    for (int32_t n = 0; n < there[row]; n++) rows[count++] = row;
  }
  reference_sort(rows, count, compare_rows, c->base);
  tm_batch *net = changes_pick(budget, c->base, rows, count);
  free(rows);
  free(there);
  return net;
}
