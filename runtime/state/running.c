/* state/running.c: a loop for each kind of column over the rows of a batch.
 *
 * Frames that have an end keep a queue. For count, sum, avg and first it has every value in the
 * frame; for min and max only those that no later one beats, so the front is the answer (a monotone
 * wedge, D. Lemire, 2006); for lag the last `size` values, nulls too, where a place says whether
 * there is one. In frames of rows a place is the number of the row. */
#include "state/running.h"

#include <assert.h>
#include <math.h>

#include "kernel/power.h"
#include "kernel/utf8.h"
#include "state/accumulator_values.h"

enum { CAPACITY_MIN = 4, CAPACITY_MAX = 1 << 30, AHEAD = 8 };

static void *exact_alloc(void *budget, size_t bytes) { return tm_alloc(budget, bytes); }
static void exact_free(void *budget, void *block, size_t bytes) { tm_free(budget, block, bytes); }

static tm_exact_memory exact_memory(tm_budget *budget) {
  return (tm_exact_memory){exact_alloc, exact_free, budget};
}

static bool is_sum(const tm_running_spec *spec) {
  return spec->kind == TM_RUNNING_SUM || spec->kind == TM_RUNNING_AVG;
}

static bool has_queue(const tm_running_spec *spec) {
  if (spec->kind == TM_RUNNING_LAG) return true;
  return spec->frame != TM_FRAME_ALL && spec->kind >= TM_RUNNING_COUNT &&
         spec->kind != TM_RUNNING_LAST;
}

static bool has_cell(const tm_running_spec *spec) {
  return spec->kind >= TM_RUNNING_MIN && !has_queue(spec);
}

/* ------------------------------------------------------------------ queues */

static size_t width_of(const tm_running_spec *spec) {
  bool none = spec->kind == TM_RUNNING_COUNT || spec->type.kind == TM_NULLTYPE;
  return none ? 0 : tm_type_width(spec->type);
}

static uint32_t ring(const tm_running_queue *q, uint32_t nth) {
  return (q->first + nth) & (q->capacity - 1);
}

static tm_cell queue_get(const tm_running_queue *q, uint32_t nth, size_t width) {
  tm_cell cell = {.wide = 0};
  if (width > 0) memcpy(&cell, q->values + ring(q, nth) * width, width);
  return cell;
}

static size_t queue_bytes(uint32_t capacity, size_t width) {
  return capacity * (sizeof(int64_t) + width);
}

static bool queue_reserve(tm_running_queue *q, tm_budget *budget, size_t width) {
  if (q->count < q->capacity) return true;
  if (q->capacity == CAPACITY_MAX) return false;
  uint32_t capacity = q->capacity == 0 ? CAPACITY_MIN : q->capacity * 2;
  int64_t *places = tm_alloc(budget, queue_bytes(capacity, width));
  if (places == NULL) return false;
  char *values = (char *)(places + capacity);
  for (uint32_t i = 0; i < q->count; i++) {
    places[i] = q->places[ring(q, i)];
    tm_cell cell = queue_get(q, i, width);
    memcpy(values + i * width, &cell, width);
  }
  if (q->capacity > 0) tm_free(budget, q->places, queue_bytes(q->capacity, width));
  *q = (tm_running_queue){places, values, 0, q->count, capacity};
  return true;
}

/* Keeps a copy of the value. false: out of memory. */
static bool queue_push(const tm_running_spec *spec, tm_budget *budget, tm_running_queue *q,
                       const tm_cell *value, int64_t place) {
  size_t width = width_of(spec);
  tm_cell copy = {.wide = 0};
  if (!queue_reserve(q, budget, width)) return false;
  if (width > 0 && !tm_cell_copy(budget, spec->type, value, &copy)) return false;
  uint32_t at = ring(q, q->count++);
  q->places[at] = place;
  memcpy(q->values + at * width, &copy, width);
  return true;
}

static void queue_pop_front(tm_running_queue *q) {
  q->first = ring(q, 1);
  q->count--;
}

static void drop_value(const tm_running_spec *spec, tm_budget *budget, const tm_cell *value) {
  if (width_of(spec) > 0) tm_cell_free(budget, spec->type, value);
}

/* ------------------------------------------------------------------ values */

static tm_cell cell_of(const tm_column *column, uint32_t row) {
  tm_cell cell = {.wide = 0};
  size_t width = tm_type_width(column->type);
  memcpy(&cell, (const char *)column->data + row * width, width);
  return cell;
}

/* NaN greatest, -0 before 0. */
static int compare_cells(tm_type type, const tm_cell *a, const tm_cell *b) {
  switch (tm_type_physical(type)) {
    case TM_PHYSICAL_U8: return (a->bytes[0] > b->bytes[0]) - (a->bytes[0] < b->bytes[0]);
    case TM_PHYSICAL_I32: {
      int32_t x, y;
      memcpy(&x, a, sizeof x);
      memcpy(&y, b, sizeof y);
      return (x > y) - (x < y);
    }
    case TM_PHYSICAL_I64: return (a->word > b->word) - (a->word < b->word);
    case TM_PHYSICAL_F64: {
      uint64_t x = tm_values_word(a->number), y = tm_values_word(b->number);
      return (x > y) - (x < y);
    }
    case TM_PHYSICAL_I128: return (a->wide > b->wide) - (a->wide < b->wide);
    case TM_PHYSICAL_STR: return tm_str_compare(&a->text, &b->text);
  }
  return 0;
}

/* The cell becomes the value. false: out of memory. */
static bool keep_cell(const tm_running_spec *spec, tm_budget *budget, tm_running *r,
                      const tm_cell *value) {
  tm_cell copy;
  if (!tm_cell_copy(budget, spec->type, value, &copy)) return false;
  if (r->set) tm_cell_free(budget, spec->type, &r->cell);
  r->cell = copy;
  r->set = true;
  return true;
}

/* ------------------------------------------------------------------ sums */

static __int128 whole_of(tm_type type, const tm_cell *cell) {
  int32_t narrow;
  switch (tm_type_physical(type)) {
    case TM_PHYSICAL_I32: memcpy(&narrow, cell, sizeof narrow); return narrow;
    case TM_PHYSICAL_I128: return cell->wide;
    default: return cell->word;
  }
}

static void add_wide(tm_wide_sum *sum, __int128 value) {
  unsigned __int128 low = sum->low + (unsigned __int128)value;
  sum->high += (low < sum->low) - (value < 0);
  sum->low = low;
}

/* 0 or -1 (memory). */
static int add_value(const tm_running_spec *spec, tm_budget *budget, tm_running *r,
                     const tm_cell *value) {
  r->count++;
  if (!is_sum(spec)) return 0;
  if (spec->type.kind != TM_FLOAT64) {
    add_wide(&r->wide, whole_of(spec->type, value));
    return 0;
  }
  const tm_exact_memory memory = exact_memory(budget);
  return tm_exact_sum_add(&r->exact, value->number, &memory);
}

static int remove_value(const tm_running_spec *spec, tm_budget *budget, tm_running *r,
                        const tm_cell *value) {
  r->count--;
  if (!is_sum(spec)) return 0;
  if (spec->type.kind != TM_FLOAT64) {
    add_wide(&r->wide, -whole_of(spec->type, value));
    return 0;
  }
  const tm_exact_memory memory = exact_memory(budget);
  return tm_exact_sum_remove(&r->exact, value->number, &memory);
}

static double float_mean(const tm_exact_sum *sum, int64_t count) {
  tm_twofold total;
  total.high = tm_exact_sum_result_pair(sum, &total.low);
  if (!isinf(total.high)) return tm_twofold_mean(total, count);
  /* Infinite, or only too large to be added up as a double. */
  double small = tm_exact_sum_result_small(sum);
  return isinf(small) ? small : ldexp(small / (double)count, 64);
}

/* ------------------------------------------------------------------ results */

typedef struct results {
  const tm_running_spec *spec;
  tm_batch *out;
  tm_column *column;
  tm_error *err;
} results;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "over: out of memory"); }

static int overflow(const results *res) {
  char text[TM_TYPE_TEXT_MAX];
  tm_type type = res->spec->result;
  type.not_null = 0;
  tm_fail(res->err, TM_E_OVERFLOW, "%s (column '%s') is more than %s can hold", res->spec->text,
          res->spec->name, tm_type_text(type, text));
  return -1;
}

static void put_null(const results *res, uint32_t row) {
  size_t width = tm_type_width(res->column->type);
  assert(res->column->valid != NULL);
  res->column->valid[row] = 0;
  memset((char *)res->column->data + row * width, 0, width);
}

static void put_int(const results *res, uint32_t row, int64_t value) {
  ((int64_t *)res->column->data)[row] = value;
}

/* A value of the column's own type; a long string is copied. */
static int put_cell(const results *res, uint32_t row, const tm_cell *cell) {
  tm_column *c = res->column;
  if (tm_cell_owns(c->type, cell)) {
    tm_str *to = &((tm_str *)c->data)[row];
    const tm_str *text = &cell->text;
    return tm_batch_text(res->out, text->pointer, text->size, to) ? 0 : no_memory(res->err);
  }
  size_t width = tm_type_width(c->type);
  memcpy((char *)c->data + row * width, cell, width);
  return 0;
}

static int put_sum(const results *res, uint32_t row, const tm_running *r) {
  __int128 sum;
  if (res->spec->type.kind == TM_FLOAT64) {
    ((double *)res->column->data)[row] = tm_exact_sum_result(&r->exact);
    return 0;
  }
  bool fits = tm_wide_to_i128(r->wide, &sum);
  if (res->spec->result.kind == TM_INT64) {
    if (!fits || sum != (int64_t)sum) return overflow(res);
    put_int(res, row, (int64_t)sum);
    return 0;
  }
  __int128 limit = (__int128)tm_power_u128(TM_DECIMAL_MAX);
  if (!fits || sum >= limit || sum <= -limit) return overflow(res);
  ((__int128 *)res->column->data)[row] = sum;
  return 0;
}

static int put_mean(const results *res, uint32_t row, const tm_running *r) {
  const tm_running_spec *spec = res->spec;
  int digits = spec->result.scale - spec->type.scale;
  if (spec->type.kind == TM_FLOAT64) {
    ((double *)res->column->data)[row] = float_mean(&r->exact, r->count);
  } else if (spec->result.kind == TM_FLOAT64) {
    ((double *)res->column->data)[row] = tm_wide_mean_double(r->wide, r->count);
  } else if (!tm_wide_mean(r->wide, r->count, digits, (__int128 *)res->column->data + row)) {
    return overflow(res);
  }
  return 0;
}

static int put_result(const results *res, uint32_t row, const tm_running *r) {
  const tm_running_spec *spec = res->spec;
  if (spec->kind == TM_RUNNING_COUNT) {
    put_int(res, row, r->count);
    return 0;
  }
  if (is_sum(spec)) {
    if (r->count == 0) put_null(res, row);
    else if (spec->kind == TM_RUNNING_SUM) return put_sum(res, row, r);
    else return put_mean(res, row, r);
    return 0;
  }
  if (has_cell(spec)) {
    if (r->set) return put_cell(res, row, &r->cell);
    put_null(res, row);
    return 0;
  }
  if (r->queue.count == 0) {
    put_null(res, row);
    return 0;
  }
  tm_cell front = queue_get(&r->queue, 0, width_of(spec));
  return put_cell(res, row, &front);
}

/* ------------------------------------------------------------------ the loops */

/* Partitions lie scattered: rows that come soon are asked for now. */
static void look_ahead(const tm_running_rows *in, uint32_t i) {
  if (i + 2 * AHEAD >= in->count) return;
  const tm_running *far = in->states[i + 2 * AHEAD];
  __builtin_prefetch(far, 1);
  __builtin_prefetch(&far->queue, 1);
  const tm_running_queue *near = &in->states[i + AHEAD]->queue;
  __builtin_prefetch(near->places, 1);
  __builtin_prefetch(near->values, 1);
}

static bool has_value(const tm_running_rows *in, uint32_t row) {
  if (in->counts != NULL && !in->counts[row]) return false;
  return in->value == NULL || !tm_column_is_null(in->value, row);
}

/* row_number, rank, session. */
static void add_numbers(const tm_running_spec *spec, const tm_running_rows *in,
                        const results *res) {
  for (uint32_t i = 0; i < in->count; i++) {
    tm_running *r = in->states[i];
    int64_t place = in->places[i];
    look_ahead(in, i);
    r->rows++;
    bool first = r->rows == 1;
    if (spec->kind == TM_RUNNING_SESSION) {
      r->count += first || tm_running_distance(place, r->last) > spec->size;
    } else if (spec->kind == TM_RUNNING_ROW_NUMBER || first || place != r->last) {
      r->count = r->rows; /* peers have the rank of the first of them */
    }
    r->last = place;
    put_int(res, in->rows[i], r->count);
  }
}

static int add_lag(const tm_running_spec *spec, tm_budget *budget, const tm_running_rows *in,
                   const results *res) {
  size_t width = width_of(spec);
  for (uint32_t i = 0; i < in->count; i++) {
    tm_running_queue *q = &in->states[i]->queue;
    uint32_t row = in->rows[i];
    look_ahead(in, i);
    bool full = q->count == spec->size, there = !tm_column_is_null(in->value, row);
    tm_cell value = {.wide = 0}, old = {.wide = 0};
    if (there) value = cell_of(in->value, row);
    if (full) old = queue_get(q, 0, width);
    if (!full || !q->places[q->first]) put_null(res, row);
    else if (put_cell(res, row, &old) < 0) return -1;
    if (full) {
      drop_value(spec, budget, &old);
      queue_pop_front(q);
    }
    if (!queue_push(spec, budget, q, &value, there)) return no_memory(res->err);
  }
  return 0;
}

/* Frames of all rows so far. */
static int add_all(const tm_running_spec *spec, tm_budget *budget, const tm_running_rows *in,
                   const results *res) {
  for (uint32_t i = 0; i < in->count; i++) {
    tm_running *r = in->states[i];
    uint32_t row = in->rows[i];
    look_ahead(in, i);
    if (has_value(in, row)) {
      tm_cell value = {.wide = 0};
      if (in->value != NULL) value = cell_of(in->value, row);
      bool better = spec->kind == TM_RUNNING_LAST || !r->set;
      if (has_cell(spec) && !better && spec->kind != TM_RUNNING_FIRST) {
        int order = compare_cells(spec->type, &value, &r->cell);
        better = spec->kind == TM_RUNNING_MIN ? order < 0 : order > 0;
      }
      bool done = has_cell(spec) ? !better || keep_cell(spec, budget, r, &value)
                                 : add_value(spec, budget, r, &value) == 0;
      if (!done) return no_memory(res->err);
    }
    if (put_result(res, row, r) < 0) return -1;
  }
  return 0;
}

/* Whether what stands at a place has left the frame of a row at `now`. */
static bool has_left(const tm_running_spec *spec, int64_t place, int64_t now) {
  if (spec->frame == TM_FRAME_ROWS) return (uint64_t)now - (uint64_t)place >= spec->size;
  return tm_running_distance(place, now) > spec->size;
}

static int evict(const tm_running_spec *spec, tm_budget *budget, tm_running *r, int64_t now) {
  size_t width = width_of(spec);
  while (r->queue.count > 0 && has_left(spec, r->queue.places[r->queue.first], now)) {
    tm_cell value = queue_get(&r->queue, 0, width);
    bool counted = is_sum(spec) || spec->kind == TM_RUNNING_COUNT;
    if (counted && remove_value(spec, budget, r, &value) < 0) return -1;
    drop_value(spec, budget, &value);
    queue_pop_front(&r->queue);
  }
  if (r->set && has_left(spec, r->last, now)) {
    tm_cell_free(budget, spec->type, &r->cell);
    r->set = false;
  }
  return 0;
}

/* What a new value beats can never be the answer. */
static void drop_beaten(const tm_running_spec *spec, tm_budget *budget, tm_running_queue *q,
                        const tm_cell *value) {
  size_t width = width_of(spec);
  while (q->count > 0) {
    tm_cell back = queue_get(q, q->count - 1, width);
    int order = compare_cells(spec->type, &back, value);
    if (spec->kind == TM_RUNNING_MIN ? order < 0 : order > 0) return;
    drop_value(spec, budget, &back);
    q->count--;
  }
}

static int add_to_frame(const tm_running_spec *spec, tm_budget *budget, tm_running *r,
                        const tm_cell *value, int64_t place) {
  if (spec->kind == TM_RUNNING_LAST) {
    r->last = place;
    return keep_cell(spec, budget, r, value) ? 0 : -1;
  }
  bool wedge = spec->kind == TM_RUNNING_MIN || spec->kind == TM_RUNNING_MAX;
  if (wedge) drop_beaten(spec, budget, &r->queue, value);
  if (!queue_push(spec, budget, &r->queue, value, place)) return -1;
  return wedge || spec->kind == TM_RUNNING_FIRST ? 0 : add_value(spec, budget, r, value);
}

static int add_frames(const tm_running_spec *spec, tm_budget *budget, const tm_running_rows *in,
                      const results *res) {
  for (uint32_t i = 0; i < in->count; i++) {
    tm_running *r = in->states[i];
    uint32_t row = in->rows[i];
    int64_t place = spec->frame == TM_FRAME_ROWS ? r->rows++ : in->places[i];
    look_ahead(in, i);
    if (evict(spec, budget, r, place) < 0) return no_memory(res->err);
    if (has_value(in, row)) {
      tm_cell value = {.wide = 0};
      if (in->value != NULL) value = cell_of(in->value, row);
      if (add_to_frame(spec, budget, r, &value, place) < 0) return no_memory(res->err);
    }
    if (put_result(res, row, r) < 0) return -1;
  }
  return 0;
}

int tm_running_add(const tm_running_spec *spec, tm_budget *budget, const tm_running_rows *in,
                   tm_batch *out, uint32_t column, tm_error *err) {
  if (tm_batch_column(out, column, !spec->result.not_null) < 0) return no_memory(err);
  results res = {spec, out, &out->columns[column], err};
  if (spec->kind == TM_RUNNING_LAG) return add_lag(spec, budget, in, &res);
  if (spec->kind < TM_RUNNING_LAG) {
    add_numbers(spec, in, &res);
    return 0;
  }
  return spec->frame == TM_FRAME_ALL ? add_all(spec, budget, in, &res)
                                     : add_frames(spec, budget, in, &res);
}

/* ------------------------------------------------------------------ end, save, restore */

void tm_running_deinit(const tm_running_spec *spec, tm_budget *budget, tm_running *r) {
  size_t width = width_of(spec);
  for (uint32_t i = 0; i < r->queue.count; i++) {
    tm_cell value = queue_get(&r->queue, i, width);
    drop_value(spec, budget, &value);
  }
  if (r->queue.capacity > 0) {
    tm_free(budget, r->queue.places, queue_bytes(r->queue.capacity, width));
  }
  if (has_cell(spec) && r->set) tm_cell_free(budget, spec->type, &r->cell);
  if (is_sum(spec) && spec->type.kind == TM_FLOAT64 && r->exact.wide != NULL) {
    const tm_exact_memory memory = exact_memory(budget);
    tm_exact_sum_deinit(&r->exact, &memory);
  }
  *r = (tm_running){0};
}

static void save_cell(tm_type type, const tm_cell *cell, tm_record_writer *w) {
  if (tm_type_physical(type) == TM_PHYSICAL_STR) {
    tm_record_put_bytes(w, tm_str_bytes(&cell->text), cell->text.size);
  } else {
    tm_record_put_bytes(w, cell, tm_type_width(type));
  }
}

void tm_running_save(const tm_running_spec *spec, const tm_running *r, tm_record_writer *w) {
  tm_record_put(w, (uint64_t)r->rows);
  tm_record_put(w, (uint64_t)r->count);
  tm_record_put(w, (uint64_t)r->last);
  if (is_sum(spec) && spec->type.kind == TM_FLOAT64) {
    uint8_t bytes[TM_EXACT_BYTES_MAX];
    tm_record_put_bytes(w, bytes, tm_exact_sum_write(&r->exact, bytes));
  } else if (is_sum(spec)) {
    tm_record_put_bytes(w, &r->wide.low, sizeof r->wide.low);
    tm_record_put(w, (uint64_t)r->wide.high);
  } else if (has_cell(spec)) {
    tm_record_put(w, r->set);
    if (r->set) save_cell(spec->type, &r->cell, w);
  }
  if (!has_queue(spec)) return;
  size_t width = width_of(spec);
  tm_record_put(w, r->queue.count);
  for (uint32_t i = 0; i < r->queue.count; i++) {
    tm_cell value = queue_get(&r->queue, i, width);
    tm_record_put(w, (uint64_t)r->queue.places[ring(&r->queue, i)]);
    if (width > 0) save_cell(spec->type, &value, w);
  }
}

/* Owns nothing: a string is the record's. */
static tm_cell restore_cell(tm_type type, tm_record_reader *reader) {
  tm_cell cell = {.wide = 0};
  if (tm_type_physical(type) == TM_PHYSICAL_STR) {
    size_t size;
    const char *bytes = (const char *)tm_record_view(reader, &size);
    if (type.kind == TM_STRING && !reader->failed && !tm_utf8_valid(bytes, size)) {
      reader->failed = true;
    }
    if (!reader->failed) cell.text = tm_str_make(bytes, size);
    return cell;
  }
  tm_record_get_bytes(reader, &cell, tm_type_width(type));
  if (type.kind == TM_BOOL && cell.bytes[0] > 1) reader->failed = true;
  return cell;
}

static int restore_exact(tm_budget *budget, tm_running *r, tm_record_reader *reader) {
  const tm_exact_memory memory = exact_memory(budget);
  size_t size;
  const uint8_t *bytes = tm_record_view(reader, &size);
  if (reader->failed) return 0;
  int took = tm_exact_sum_read(&r->exact, bytes, size, &memory);
  if (took == -1) return -1;
  if (took < 0 || (size_t)took != size) reader->failed = true;
  return 0;
}

static int restore_queue(const tm_running_spec *spec, tm_budget *budget, tm_running *r,
                         tm_record_reader *reader) {
  uint32_t count = (uint32_t)tm_record_get(reader, UINT32_MAX);
  size_t width = width_of(spec);
  if (spec->kind == TM_RUNNING_LAG && count > spec->size) reader->failed = true;
  for (uint32_t i = 0; i < count && !reader->failed; i++) {
    tm_cell value = {.wide = 0};
    int64_t place = (int64_t)tm_record_get(reader, UINT64_MAX);
    if (width > 0) value = restore_cell(spec->type, reader);
    if (!reader->failed && !queue_push(spec, budget, &r->queue, &value, place)) return -1;
  }
  return 0;
}

int tm_running_restore(const tm_running_spec *spec, tm_budget *budget, tm_running *r,
                       tm_record_reader *reader) {
  r->rows = (int64_t)tm_record_get(reader, INT64_MAX / 2);
  r->count = (int64_t)tm_record_get(reader, INT64_MAX / 2);
  r->last = (int64_t)tm_record_get(reader, UINT64_MAX);
  if (is_sum(spec) && spec->type.kind == TM_FLOAT64) {
    if (restore_exact(budget, r, reader) < 0) return -1;
  } else if (is_sum(spec)) {
    tm_record_get_bytes(reader, &r->wide.low, sizeof r->wide.low);
    r->wide.high = (int64_t)tm_record_get(reader, UINT64_MAX);
  } else if (has_cell(spec) && tm_record_get(reader, 1)) {
    tm_cell value = restore_cell(spec->type, reader);
    if (reader->failed) return 0;
    if (!keep_cell(spec, budget, r, &value)) return -1;
  }
  return has_queue(spec) && !reader->failed ? restore_queue(spec, budget, r, reader) : 0;
}
