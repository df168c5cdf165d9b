/* state/sorter.c: see sorter.h. A row is represented by 16 bytes: the first key as an order-
 * preserving 64-bit prefix, and where the row lies. A run is sorted by the prefix with a radix
 * sort (least digit first, stable, digits that all rows share are skipped); rows of one prefix
 * are then put in order by comparing whole keys. */
#include "state/sorter.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { RUN_ROWS = 65536, RADIX = 256, SMALL_RUN = 24 };

/* ---------------------------------------------------------------- one value as 64 bits */

static uint64_t float_order(double value) {
  uint64_t bits;
  if (isnan(value)) return UINT64_MAX - 1;
  if (value == 0) value = 0; /* -0 is 0 */
  memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static uint64_t text_order(const tm_str *s) {
  uint64_t word = 0;
  size_t size = s->size < 8 ? s->size : 8;
  memcpy(&word, tm_str_bytes(s), size);
  return __builtin_bswap64(word);
}

static uint64_t value_order(const tm_column *c, uint32_t row) {
  const uint64_t flip = UINT64_C(1) << 63;
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: return ((const uint8_t *)c->data)[row];
    case TM_PHYSICAL_I32: return (uint64_t)(int64_t)((const int32_t *)c->data)[row] ^ flip;
    case TM_PHYSICAL_I64: return (uint64_t)((const int64_t *)c->data)[row] ^ flip;
    case TM_PHYSICAL_F64: return float_order(((const double *)c->data)[row]);
    case TM_PHYSICAL_I128: return (uint64_t)(((const __int128 *)c->data)[row] >> 64) ^ flip;
    case TM_PHYSICAL_STR: return text_order(&((const tm_str *)c->data)[row]);
  }
  return 0;
}

/* Nulls get the largest prefix both ways; what collides with it is told apart by comparing. */
static uint64_t prefix_of(const tm_sort_spec *spec, const tm_batch *batch, uint32_t row) {
  if (spec->key_count == 0) return 0;
  const tm_column *c = &batch->columns[spec->keys[0].column];
  if (tm_column_is_null(c, row)) return UINT64_MAX;
  uint64_t order = value_order(c, row);
  return spec->keys[0].descending ? ~order : order;
}

/* ---------------------------------------------------------------- comparing */

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

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

bool tm_sort_has_signs(const tm_schema *schema) {
  for (uint32_t i = 0; i < schema->count; i++) {
    if (schema->fields[i].type.kind == TM_FLOAT64) return true;
  }
  return false;
}

/* Rows that look different must not come in the order of the lanes. */
static int compare_signs(const tm_sort_spec *spec, tm_sort_place a, tm_sort_place b) {
  for (uint32_t n = 0; n < spec->key_count; n++) {
    const tm_column *x = &a.batch->columns[spec->keys[n].column];
    const tm_column *y = &b.batch->columns[spec->keys[n].column];
    if (tm_type_physical(x->type) != TM_PHYSICAL_F64 || tm_column_is_null(x, a.row)) continue;
    double p = ((const double *)x->data)[a.row], q = ((const double *)y->data)[b.row];
    if (p == 0 && signbit(p) != signbit(q)) return signbit(p) ? -1 : 1;
  }
  return 0;
}

int tm_sort_compare(const tm_sort_spec *spec, tm_sort_place a, tm_sort_place b, uint32_t from,
                    uint32_t to) {
  for (uint32_t n = from; n < to; n++) {
    const tm_column *x = &a.batch->columns[spec->keys[n].column];
    const tm_column *y = &b.batch->columns[spec->keys[n].column];
    bool no_x = tm_column_is_null(x, a.row), no_y = tm_column_is_null(y, b.row);
    if (no_x || no_y) {
      bool first = spec->nulls_first > 0 && n >= spec->nulls_first;
      if (no_x != no_y) return no_x == first ? -1 : 1;
      continue;
    }
    int order = compare_values(x, a.row, y, b.row);
    if (order != 0) return spec->keys[n].descending ? -order : order;
  }
  return spec->signs && to == spec->key_count ? compare_signs(spec, a, b) : 0;
}

static tm_sort_place place_of(const tm_sorter *s, const tm_sort_row *row) {
  return (tm_sort_place){s->batches[row->batch], row->row};
}

/* Rows of one prefix; where the prefix is the whole first key, that need not be looked at. */
static int compare_rows(const tm_sorter *s, const tm_sort_row *a, const tm_sort_row *b) {
  uint32_t from = s->prefix_is_exact && a->prefix != UINT64_MAX;
  return tm_sort_compare(s->spec, place_of(s, a), place_of(s, b), from, s->spec->key_count);
}

/* ---------------------------------------------------------------- sorting a run */

/* Least digit first; the result is in `rows` again. */
static void radix_sort(tm_sort_row *rows, tm_sort_row *other, uint32_t count) {
  uint64_t any = 0, all = UINT64_MAX;
  for (uint32_t i = 0; i < count; i++) {
    any |= rows[i].prefix;
    all &= rows[i].prefix;
  }
  tm_sort_row *from = rows, *to = other;
  for (int shift = 0; shift < 64; shift += 8) {
    if (((any ^ all) >> shift & (RADIX - 1)) == 0) continue;
    uint32_t places[RADIX] = {0};
    for (uint32_t i = 0; i < count; i++) places[from[i].prefix >> shift & (RADIX - 1)]++;
    uint32_t sum = 0;
    for (int d = 0; d < RADIX; d++) {
      uint32_t here = places[d];
      places[d] = sum;
      sum += here;
    }
    for (uint32_t i = 0; i < count; i++) {
      to[places[from[i].prefix >> shift & (RADIX - 1)]++] = from[i];
    }
    tm_sort_row *swap = from;
    from = to;
    to = swap;
  }
  if (from != rows) memcpy(rows, from, count * sizeof *rows);
}

static void insertion_sort(const tm_sorter *s, tm_sort_row *rows, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    tm_sort_row row = rows[i];
    uint32_t at = i;
    for (; at > 0 && compare_rows(s, &rows[at - 1], &row) > 0; at--) rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

/* Stable, by whole keys, bottom up. */
static void merge_sort(const tm_sorter *s, tm_sort_row *rows, tm_sort_row *other, uint32_t count) {
  for (uint32_t i = 0; i < count; i += SMALL_RUN) {
    insertion_sort(s, rows + i, count - i < SMALL_RUN ? count - i : SMALL_RUN);
  }
  for (uint32_t width = SMALL_RUN; width < count; width *= 2) {
    for (uint32_t i = 0; i < count; i += 2 * width) {
      uint32_t middle = i + width < count ? i + width : count;
      uint32_t end = i + 2 * width < count ? i + 2 * width : count;
      uint32_t a = i, b = middle;
      for (uint32_t at = i; at < end; at++) {
        bool left = a < middle && (b >= end || compare_rows(s, &rows[a], &rows[b]) <= 0);
        other[at] = left ? rows[a++] : rows[b++];
      }
    }
    memcpy(rows, other, count * sizeof *rows);
  }
}

/* The prefix says all there is to say about the first key, nulls aside. */
static bool prefix_is_exact(const tm_sort_spec *spec) {
  if (spec->key_count == 0) return true;
  tm_physical physical = tm_type_physical(spec->schema->fields[spec->keys[0].column].type);
  return physical != TM_PHYSICAL_STR && physical != TM_PHYSICAL_I128;
}

static void sort_run(const tm_sorter *s, tm_sort_run *run, tm_sort_row *other) {
  radix_sort(run->rows, other, run->count);
  bool final = s->prefix_is_exact && s->spec->key_count <= 1 && !s->spec->signs;
  for (uint32_t i = 0; i < run->count;) {
    uint32_t end = i + 1;
    while (end < run->count && run->rows[end].prefix == run->rows[i].prefix) end++;
    if (end - i > 1 && (!final || run->rows[i].prefix == UINT64_MAX)) {
      merge_sort(s, run->rows + i, other, end - i);
    }
    i = end;
  }
}

/* ---------------------------------------------------------------- the head of each group */

/* keep[i] says whether row i of the sorted run can be among the first of its group. */
static void mark_head(const tm_sorter *s, const tm_sort_run *run, uint8_t *keep) {
  const tm_sort_spec *spec = s->spec;
  uint64_t in_group = 0, rank = 0;
  for (uint32_t i = 0; i < run->count; i++) {
    tm_sort_place here = place_of(s, &run->rows[i]);
    tm_sort_place before = i > 0 ? place_of(s, &run->rows[i - 1]) : here;
    bool same = i > 0 && tm_sort_compare(spec, before, here, 0, spec->group_keys) == 0;
    in_group = same ? in_group + 1 : 1;
    bool tie = same && tm_sort_compare(spec, before, here, spec->group_keys, spec->rank_keys) == 0;
    if (!tie) rank = in_group;
    keep[i] = (spec->all_ties ? rank : in_group) <= spec->head;
  }
}

static void prune_run(tm_sorter *s, tm_sort_run *run, uint8_t *keep) {
  mark_head(s, run, keep);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < run->count; i++) {
    run->rows[kept] = run->rows[i];
    kept += keep[i];
  }
  s->dropped += run->count - kept;
  s->rows -= run->count - kept;
  run->count = kept;
}

/* The rows that are left move into one batch, the batches of the run go. */
static int shrink_run(tm_sorter *s, tm_sort_run *run, tm_error *err) {
  size_t bytes = (run->count + 1) * sizeof(tm_sort_place);
  tm_sort_place *places = tm_alloc(s->budget, bytes);
  if (places == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  for (uint32_t i = 0; i < run->count; i++) places[i] = place_of(s, &run->rows[i]);
  tm_batch *views = tm_sort_gather(s->budget, s->spec->schema, places, run->count);
  tm_batch *whole = views == NULL ? NULL : tm_batch_compact(views, s->budget);
  if (views != NULL && whole != NULL) {
    whole->sequence = run->count > 0 ? places[0].batch->sequence : 0;
  }
  tm_batch_release(views);
  tm_free(s->budget, places, bytes);
  if (whole == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  for (uint32_t i = s->run_batch; i < s->batch_count; i++) tm_batch_release(s->batches[i]);
  s->batch_count = s->run_batch;
  s->batches[s->batch_count] = whole;
  for (uint32_t i = 0; i < run->count; i++) {
    run->rows[i].batch = s->batch_count;
    run->rows[i].row = i;
  }
  s->batch_count++;
  return 0;
}

/* ---------------------------------------------------------------- filling */

void tm_sorter_init(tm_sorter *sorter, tm_budget *budget, const tm_sort_spec *spec) {
  *sorter = (tm_sorter){
    .budget = budget, .spec = spec, .prefix_is_exact = prefix_is_exact(spec),
  };
}

/* The last row that stays of a pruned run: what comes behind it can never be among the first. */
static void note_bound(tm_sorter *s, const tm_sort_run *run) {
  const tm_sort_spec *spec = s->spec;
  if (spec->group_keys > 0 || run->count < spec->head) return;
  tm_sort_place last = place_of(s, &run->rows[spec->head - 1]);
  if (s->bound.batch == NULL || tm_sort_compare(spec, last, s->bound, 0, spec->key_count) < 0) {
    s->bound = last;
    s->bound_prefix = run->rows[spec->head - 1].prefix;
  }
}

/* Drops the rows of a batch that lie beyond the bound. */
static tm_batch *drop_beyond(tm_sorter *s, tm_batch *taken, tm_error *err) {
  uint32_t keys = s->spec->all_ties ? s->spec->rank_keys : s->spec->key_count;
  tm_batch *batch = tm_batch_own(taken, s->budget);
  uint32_t *rows = batch == NULL
                       ? NULL
                       : tm_batch_alloc(batch, (batch->selected + 1) * sizeof *rows);
  if (rows == NULL) {
    tm_batch_release(batch);
    tm_fail(err, TM_E_MEMORY, "sort: out of memory");
    return NULL;
  }
  uint32_t count = 0;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    uint64_t prefix = prefix_of(s->spec, batch, row);
    if (prefix > s->bound_prefix) continue;
    tm_sort_place place = {batch, row};
    if (prefix == s->bound_prefix && tm_sort_compare(s->spec, place, s->bound, 0, keys) > 0) {
      continue;
    }
    rows[count++] = row;
  }
  s->dropped += batch->selected - count;
  batch->selection = rows;
  batch->selected = count;
  return batch;
}

/* Room for one more element of an array that doubles; false when refused. */
static bool grow(tm_budget *budget, void **array, uint32_t *capacity, uint32_t count,
                 size_t element) {
  if (count < *capacity) return true;
  uint32_t bigger = *capacity == 0 ? 16 : *capacity * 2;
  void *grown = tm_realloc(budget, *array, *capacity * element, bigger * element);
  if (grown == NULL) return false;
  *array = grown;
  *capacity = bigger;
  return true;
}

/* A run of which little stays is short, so that the bound is found early. */
static uint32_t run_rows(const tm_sort_spec *spec) {
  bool small = spec->head > 0 && spec->group_keys == 0 && spec->head < RUN_ROWS / 16;
  return small ? RUN_ROWS / 8 : RUN_ROWS;
}

static tm_sort_run *open_run(tm_sorter *s, uint32_t more) {
  tm_sort_run *run = s->run_count > 0 ? &s->runs[s->run_count - 1] : NULL;
  if (run != NULL && s->run_batch < s->batch_count && run->count + more <= run->capacity) {
    return run;
  }
  if (!grow(s->budget, (void **)&s->runs, &s->run_capacity, s->run_count, sizeof *s->runs)) {
    return NULL;
  }
  uint32_t capacity = more > run_rows(s->spec) ? more : run_rows(s->spec);
  tm_sort_row *rows = tm_alloc(s->budget, capacity * sizeof *rows);
  if (rows == NULL) return NULL;
  run = &s->runs[s->run_count++];
  *run = (tm_sort_run){.rows = rows, .capacity = capacity, .first_batch = s->batch_count};
  s->run_batch = s->batch_count;
  return run;
}

int tm_sorter_add(tm_sorter *s, tm_batch *taken, tm_error *err) {
  if (s->bound.batch != NULL) {
    taken = drop_beyond(s, taken, err);
    if (taken == NULL) return -1;
    if (taken->selected == 0) {
      tm_batch_release(taken);
      return 0;
    }
  }
  tm_batch *batch = tm_batch_compact(taken, s->budget);
  tm_batch_release(taken);
  if (batch == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  return tm_sorter_adopt(s, batch, err);
}

int tm_sorter_adopt(tm_sorter *s, tm_batch *batch, tm_error *err) {
  assert(batch->selection == NULL);
  bool full = s->run_count > 0 && s->run_batch < s->batch_count &&
              s->runs[s->run_count - 1].count + batch->rows > run_rows(s->spec);
  if (full && tm_sorter_seal(s, err) < 0) {
    tm_batch_release(batch);
    return -1;
  }
  tm_sort_run *run = open_run(s, batch->rows);
  if (run == NULL || !grow(s->budget, (void **)&s->batches, &s->batch_capacity, s->batch_count,
                           sizeof *s->batches)) {
    tm_batch_release(batch);
    return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  }
  for (uint32_t i = 0; i < batch->rows; i++) {
    run->rows[run->count++] = (tm_sort_row){prefix_of(s->spec, batch, i), s->batch_count, i};
  }
  s->rows += batch->rows;
  s->batches[s->batch_count++] = batch;
  return 0;
}

int tm_sorter_seal(tm_sorter *s, tm_error *err) {
  if (s->run_count == 0 || s->run_batch == s->batch_count) return 0;
  tm_sort_run *run = &s->runs[s->run_count - 1];
  size_t bytes = (run->count + 1) * sizeof *run->rows;
  tm_sort_row *other = tm_alloc(s->budget, bytes);
  if (other == NULL) return tm_fail(err, TM_E_MEMORY, "sort: out of memory");
  sort_run(s, run, other);
  uint32_t before = run->count;
  if (s->spec->head > 0) prune_run(s, run, (uint8_t *)other);
  tm_free(s->budget, other, bytes);
  if (run->count < before / 2 && shrink_run(s, run, err) < 0) return -1;
  if (s->spec->head > 0) note_bound(s, run);
  tm_sort_row *fitted = tm_realloc(s->budget, run->rows, run->capacity * sizeof *run->rows,
                                   (run->count + 1) * sizeof *run->rows);
  if (fitted != NULL) {
    run->rows = fitted;
    run->capacity = run->count + 1;
  }
  s->run_batch = s->batch_count; /* no open run */
  return 0;
}

void tm_sorter_deinit(tm_sorter *s) {
  for (uint32_t i = 0; i < s->batch_count; i++) tm_batch_release(s->batches[i]);
  for (uint32_t i = 0; i < s->run_count; i++) {
    tm_free(s->budget, s->runs[i].rows, s->runs[i].capacity * sizeof *s->runs[i].rows);
  }
  tm_free(s->budget, s->batches, s->batch_capacity * sizeof *s->batches);
  tm_free(s->budget, s->runs, s->run_capacity * sizeof *s->runs);
  tm_sorter_init(s, s->budget, s->spec);
}
