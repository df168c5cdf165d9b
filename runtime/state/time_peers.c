/* state/time_peers.c: see time_peers.h. */
#include "state/time_peers.h"

#include <math.h>

enum {
  SMALL = 16,     /* rows sorted by insertion */
  PEERS_FEW = 48, /* rows that are told apart by numbers */
};

int tm_time_peers_init(tm_time_peers *b, const tm_time_segments *segments) {
  const tm_schema *schema = segments->schema;
  *b = (tm_time_peers){.segments = segments};
  b->columns = tm_alloc(segments->budget, (schema->count + 1) * sizeof *b->columns);
  if (b->columns == NULL) return -1;
  for (uint32_t c = 0; c < schema->count; c++) {
    tm_kind kind = schema->fields[c].type.kind;
    if ((segments->needed != NULL && !segments->needed[c]) || kind == TM_NULLTYPE) continue;
    b->columns[b->count++] = c;
    b->signs |= kind == TM_FLOAT64;
  }
  return 0;
}

void tm_time_peers_deinit(tm_time_peers *b) {
  if (b->columns == NULL) return;
  size_t bytes = (b->segments->schema->count + 1) * sizeof *b->columns;
  tm_free(b->segments->budget, b->columns, bytes);
  b->columns = NULL;
}

/* ------------------------------------------------------------------ comparing */

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static uint64_t float_order(double value) {
  uint64_t bits;
  if (isnan(value)) return UINT64_MAX;
  value += 0.0; /* -0 is 0 */
  memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static int compare_values(const tm_column *a, uint32_t i, const tm_column *b, uint32_t k) {
  switch (tm_type_physical(a->type)) {
    case TM_PHYSICAL_U8: return ORDER(((uint8_t *)a->data)[i], ((uint8_t *)b->data)[k]);
    case TM_PHYSICAL_I32: return ORDER(((int32_t *)a->data)[i], ((int32_t *)b->data)[k]);
    case TM_PHYSICAL_I64: return ORDER(((int64_t *)a->data)[i], ((int64_t *)b->data)[k]);
    case TM_PHYSICAL_F64: {
      uint64_t x = float_order(((double *)a->data)[i]), y = float_order(((double *)b->data)[k]);
      return ORDER(x, y);
    }
    case TM_PHYSICAL_I128: return ORDER(((__int128 *)a->data)[i], ((__int128 *)b->data)[k]);
    case TM_PHYSICAL_STR:
      return tm_str_compare(&((const tm_str *)a->data)[i], &((const tm_str *)b->data)[k]);
  }
  return 0;
}

static int compare_signs(const tm_time_peers *b, const tm_batch *x, uint32_t i, const tm_batch *y,
                         uint32_t k) {
  for (uint32_t n = 0; n < b->count; n++) {
    const tm_column *p = &x->columns[b->columns[n]], *q = &y->columns[b->columns[n]];
    if (p->type.kind != TM_FLOAT64 || tm_column_is_null(p, i)) continue;
    double v = ((const double *)p->data)[i], w = ((const double *)q->data)[k];
    if (v == 0 && signbit(v) != signbit(w)) return signbit(v) ? -1 : 1;
  }
  return 0;
}

/* Rows of one time. */
static int compare_rows(const tm_time_peers *b, const tm_time_row *p, const tm_time_row *q) {
  const tm_batch *x = tm_time_segments_batch(b->segments, p);
  const tm_batch *y = tm_time_segments_batch(b->segments, q);
  for (uint32_t n = 0; n < b->count; n++) {
    const tm_column *u = &x->columns[b->columns[n]], *v = &y->columns[b->columns[n]];
    bool no_u = tm_column_is_null(u, p->row), no_v = tm_column_is_null(v, q->row);
    if (no_u || no_v) {
      if (no_u != no_v) return no_u ? -1 : 1;
      continue;
    }
    int order = compare_values(u, p->row, v, q->row);
    if (order != 0) return order;
  }
  return b->signs ? compare_signs(b, x, p->row, y, q->row) : 0;
}

/* ------------------------------------------------------------------ sorting */

/* A value as a number of the same order, nulls 0. Whether equal numbers are equal values. */
static bool key_of(const tm_column *c, uint32_t row, uint64_t *out) {
  const uint64_t flip = UINT64_C(1) << 63;
  *out = 0;
  if (tm_column_is_null(c, row)) return false;
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: *out = ((const uint8_t *)c->data)[row] + UINT64_C(1); return true;
    case TM_PHYSICAL_I32:
      *out = ((uint64_t)((const int32_t *)c->data)[row] ^ flip) + 1;
      return true;
    case TM_PHYSICAL_I64:
      *out = (uint64_t)((const int64_t *)c->data)[row] ^ flip;
      return *out != 0;
    case TM_PHYSICAL_F64: *out = float_order(((const double *)c->data)[row]); return *out != 0;
    case TM_PHYSICAL_I128:
      *out = (uint64_t)(((const __int128 *)c->data)[row] >> 64) ^ flip;
      return false;
    case TM_PHYSICAL_STR: {
      const tm_str *text = &((const tm_str *)c->data)[row];
      memcpy(out, tm_str_bytes(text), text->size < 8 ? text->size : 8);
      *out = __builtin_bswap64(*out);
      return false;
    }
  }
  return false;
}

static void sort_by_rows(const tm_time_peers *b, tm_time_row *rows, tm_time_row *scratch,
                         uint32_t count) {
  if (count <= SMALL) {
    for (uint32_t i = 1; i < count; i++) {
      tm_time_row row = rows[i];
      uint32_t at = i;
      for (; at > 0 && compare_rows(b, &row, &rows[at - 1]) < 0; at--) rows[at] = rows[at - 1];
      rows[at] = row;
    }
    return;
  }
  uint32_t half = count / 2;
  sort_by_rows(b, rows, scratch, half);
  sort_by_rows(b, rows + half, scratch, count - half);
  memcpy(scratch, rows, half * sizeof *rows);
  for (uint32_t i = 0, k = half, at = 0; i < half; at++) {
    bool right = k < count && compare_rows(b, &rows[k], &scratch[i]) < 0;
    rows[at] = right ? rows[k++] : scratch[i++];
  }
}

/* By b->keys alone, which move along. */
static void sort_by_keys(tm_time_row *rows, uint64_t *keys, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    tm_time_row row = rows[i];
    uint64_t key = keys[i];
    uint32_t at = i;
    for (; at > 0 && key < keys[at - 1]; at--) {
      rows[at] = rows[at - 1];
      keys[at] = keys[at - 1];
    }
    rows[at] = row;
    keys[at] = key;
  }
}

/* Rows of one time that are equal in the columns before `from`. A few rows are sorted by the first
 * column in which they differ, as numbers; many, or those that the numbers do not tell apart, by
 * comparing whole rows. */
static void sort_peers(const tm_time_peers *b, tm_time_row *rows, uint64_t *keys,
                       tm_time_row *scratch, uint32_t count, uint32_t from) {
  bool same = true, exact = true;
  for (; same && exact && count <= PEERS_FEW && from < b->count; from++) {
    for (uint32_t i = 0; i < count; i++) {
      const tm_batch *batch = tm_time_segments_batch(b->segments, &rows[i]);
      exact &= key_of(&batch->columns[b->columns[from]], rows[i].row, &keys[i]);
      same &= keys[i] == keys[0];
    }
  }
  if (same) {
    if (count > PEERS_FEW || !exact || b->signs) sort_by_rows(b, rows, scratch, count);
    return;
  }
  sort_by_keys(rows, keys, count);
  for (uint32_t i = 0; i < count;) {
    uint32_t end = i + 1;
    while (end < count && keys[end] == keys[i]) end++;
    if (end - i > 1 && exact) sort_peers(b, rows + i, keys + i, scratch, end - i, from);
    else if (end - i > 1) sort_by_rows(b, rows + i, scratch, end - i);
    i = end;
  }
}

void tm_time_peers_sort(const tm_time_peers *b, tm_time_row *rows, uint64_t *keys,
                        tm_time_row *scratch, uint32_t count) {
  sort_peers(b, rows, keys, scratch, count, 0);
}
