/* tests/support/reference.c: see reference.h. */
#include "reference.h"

#include <math.h>
#include <string.h>

reference_value reference_read(const tm_batch *table, uint32_t column, uint32_t row) {
  const tm_column *c = &table->columns[column];
  reference_value v = {.kind = REFERENCE_WHOLE, .scale = c->type.scale};
  if (tm_column_is_null(c, row)) return (reference_value){.kind = REFERENCE_NULL};
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: v.whole = ((const uint8_t *)c->data)[row]; break;
    case TM_PHYSICAL_I32: v.whole = ((const int32_t *)c->data)[row]; break;
    case TM_PHYSICAL_I64: v.whole = ((const int64_t *)c->data)[row]; break;
    case TM_PHYSICAL_I128: v.whole = ((const __int128 *)c->data)[row]; break;
    case TM_PHYSICAL_F64:
      v.kind = REFERENCE_FLOAT;
      v.number = ((const double *)c->data)[row];
      break;
    case TM_PHYSICAL_STR:
      v.kind = REFERENCE_TEXT;
      v.text = ((const tm_str *)c->data)[row];
      break;
  }
  return v;
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_floats(double a, double b) {
  if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
  return ORDER(a, b);
}

static int compare_text(const tm_str *a, const tm_str *b) {
  const unsigned char *x = (const unsigned char *)tm_str_bytes(a);
  const unsigned char *y = (const unsigned char *)tm_str_bytes(b);
  for (uint32_t i = 0; i < a->size && i < b->size; i++) {
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  }
  return ORDER(a->size, b->size);
}

static double as_float(const reference_value *v) {
  return v->kind == REFERENCE_FLOAT ? v->number : (double)v->whole / pow(10, v->scale);
}

int reference_compare(const reference_value *a, const reference_value *b) {
  if (a->kind == REFERENCE_TEXT) return compare_text(&a->text, &b->text);
  if (a->kind == REFERENCE_FLOAT || b->kind == REFERENCE_FLOAT) {
    return compare_floats(as_float(a), as_float(b));
  }
  __int128 x = a->whole, y = b->whole;
  for (int scale = a->scale; scale < b->scale; scale++) x *= 10;
  for (int scale = b->scale; scale < a->scale; scale++) y *= 10;
  return ORDER(x, y);
}

int reference_compare_rows(const tm_batch *table, uint32_t a, uint32_t b,
                           const reference_key *keys, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    reference_value x = reference_read(table, keys[i].column, a);
    reference_value y = reference_read(table, keys[i].column, b);
    if (x.kind == REFERENCE_NULL || y.kind == REFERENCE_NULL) {
      if (x.kind != y.kind) return x.kind == REFERENCE_NULL ? 1 : -1;
      continue;
    }
    int order = reference_compare(&x, &y);
    if (order != 0) return keys[i].descending ? -order : order;
  }
  return 0;
}

int reference_compare_whole(const tm_batch *table, uint32_t a, uint32_t b) {
  for (uint32_t i = 0; i < table->schema->count; i++) {
    reference_key key = {.column = i};
    int order = reference_compare_rows(table, a, b, &key, 1);
    if (order != 0) return order;
  }
  for (uint32_t i = 0; i < table->schema->count; i++) {
    reference_value x = reference_read(table, i, a), y = reference_read(table, i, b);
    bool zeros = x.kind == REFERENCE_FLOAT && y.kind == REFERENCE_FLOAT && x.number == 0;
    if (zeros && signbit(x.number) != signbit(y.number)) return signbit(x.number) ? -1 : 1;
  }
  return 0;
}

void reference_sort(uint32_t *rows, uint32_t count, reference_order order, const void *context) {
  for (uint32_t i = 1; i < count; i++) {
    uint32_t row = rows[i], at = i;
    for (; at > 0 && order(context, rows[at - 1], row) > 0; at--) rows[at] = rows[at - 1];
    rows[at] = row;
  }
}
