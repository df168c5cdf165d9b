/* tests/operator/join_asof_reference.c: see join_asof_reference.h. */
#include "tests/operator/join_asof_reference.h"

#include <criterion/criterion.h>
#include <math.h>

#include "tests/support/reference.h"

/* Nulls first. */
static int compare_cells(const tm_batch *table, uint32_t column, uint32_t a, uint32_t b) {
  reference_value x = reference_read(table, column, a), y = reference_read(table, column, b);
  if (x.kind == REFERENCE_NULL || y.kind == REFERENCE_NULL) {
    return (y.kind == REFERENCE_NULL) - (x.kind == REFERENCE_NULL);
  }
  return reference_compare(&x, &y);
}

static int compare_signs(const tm_batch *table, uint32_t column, uint32_t a, uint32_t b) {
  const tm_column *c = &table->columns[column];
  if (c->type.kind != TM_FLOAT64 || tm_column_is_null(c, a)) return 0;
  double x = ((const double *)c->data)[a], y = ((const double *)c->data)[b];
  if (x != 0 || y != 0) return 0;
  return (signbit(y) != 0) - (signbit(x) != 0);
}

/* Rows of one value, as time_order would have them. */
static int compare_ties(const tm_batch *table, const uint8_t *needed, uint32_t a, uint32_t b) {
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t i = 0; i < table->schema->count; i++) {
      if (needed != NULL && !needed[i]) continue;
      int order = pass == 0 ? compare_cells(table, i, a, b) : compare_signs(table, i, a, b);
      if (order != 0) return order;
    }
  }
  return 0;
}

/* At or before, and not further back than the tolerance. */
static bool is_candidate(const join_wish *w, uint32_t l, uint32_t r) {
  const asof_wish *a = w->context;
  int x = tm_schema_find(w->left->schema, a->by[0]), y = tm_schema_find(w->right->schema, a->by[1]);
  if (w->late[1] != NULL && w->late[1][r]) return false;
  if (!join_keys_match(w, l, r)) return false;
  reference_value p = reference_read(w->left, (uint32_t)x, l);
  reference_value q = reference_read(w->right, (uint32_t)y, r);
  if (p.kind == REFERENCE_NULL || q.kind == REFERENCE_NULL) return false;
  if (reference_compare(&q, &p) > 0) return false;
  return a->tolerance < 0 || p.whole - q.whole <= a->tolerance;
}

bool join_asof_takes(const join_wish *w, uint32_t l, uint32_t right) {
  const asof_wish *a = w->context;
  uint32_t y = (uint32_t)tm_schema_find(w->right->schema, a->by[1]), best = UINT32_MAX;
  for (uint32_t r = 0; r < w->right->rows; r++) {
    if (!is_candidate(w, l, r)) continue;
    int order = best == UINT32_MAX ? 1 : compare_cells(w->right, y, r, best);
    if (order == 0) order = compare_ties(w->right, a->needed, r, best);
    if (order > 0) best = r;
  }
  return best == right;
}
