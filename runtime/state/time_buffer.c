/* state/time_buffer.c: see time_buffer.h. The invariant: every run is sorted and has rows. */
#include "state/time_buffer.h"

#include <assert.h>
#include <math.h>

#include "state/batch_record.h"

enum {
  RUNS_FEW = 16,         /* merged as they are taken; of more, the shortest become one before */
  RUN_LONG = 1 << 16,    /* runs that no merge makes any longer, so that no merge takes long */
  SMALL = 12,            /* rows sorted by insertion */
  SAVED_ROWS = 2048,     /* of a record */
  RADIX_ROWS = 128, RADIX_BITS = 8, RADIX_PASSES = 4,
};

/* ------------------------------------------------------------------ life */

int tm_time_buffer_init(tm_time_buffer *b, tm_budget *budget, const tm_schema *schema,
                        const uint8_t *needed, bool weights, bool copies) {
  *b = (tm_time_buffer){.budget = budget, .least_us = TM_TIME_END};
  tm_time_segments_init(&b->segments, budget, schema, needed);
  b->segments.weights = weights;
  b->segments.copies = copies;
  b->columns = tm_alloc(budget, (schema->count + 1) * sizeof *b->columns);
  if (b->columns == NULL) return -1;
  for (uint32_t c = 0; c < schema->count; c++) {
    tm_kind kind = schema->fields[c].type.kind;
    if ((needed != NULL && !needed[c]) || kind == TM_NULLTYPE) continue;
    b->columns[b->column_count++] = c;
    b->signs |= kind == TM_FLOAT64;
  }
  return 0;
}

void tm_time_buffer_deinit(tm_time_buffer *b) {
  for (uint32_t i = 0; i < b->run_count; i++) {
    tm_free(b->budget, b->runs[i].rows, b->runs[i].capacity * sizeof *b->runs[i].rows);
  }
  tm_free(b->budget, b->runs, b->run_capacity * sizeof *b->runs);
  tm_free(b->budget, b->heap, b->run_capacity * sizeof *b->heap);
  tm_free(b->budget, b->fresh, b->fresh_capacity * sizeof *b->fresh);
  tm_free(b->budget, b->scratch, b->fresh_capacity * sizeof *b->scratch);
  if (b->columns != NULL) {
    tm_free(b->budget, b->columns, (b->segments.schema->count + 1) * sizeof *b->columns);
  }
  tm_time_segments_deinit(&b->segments);
}

static int reserve_fresh(tm_time_buffer *b, uint32_t count) {
  if (count <= b->fresh_capacity) return 0;
  uint32_t capacity = b->fresh_capacity == 0 ? 64 : b->fresh_capacity;
  while (capacity < count) capacity *= 2;
  tm_time_row *fresh = tm_alloc(b->budget, capacity * sizeof *fresh);
  tm_time_row *scratch = tm_alloc(b->budget, capacity * sizeof *scratch);
  if (fresh == NULL || scratch == NULL) {
    tm_free(b->budget, fresh, capacity * sizeof *fresh);
    tm_free(b->budget, scratch, capacity * sizeof *scratch);
    return -1;
  }
  tm_free(b->budget, b->fresh, b->fresh_capacity * sizeof *b->fresh);
  tm_free(b->budget, b->scratch, b->fresh_capacity * sizeof *b->scratch);
  b->fresh = fresh;
  b->scratch = scratch;
  b->fresh_capacity = capacity;
  return 0;
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

static int compare_signs(const tm_time_buffer *b, const tm_batch *x, uint32_t i, const tm_batch *y,
                         uint32_t k) {
  for (uint32_t n = 0; n < b->column_count; n++) {
    const tm_column *p = &x->columns[b->columns[n]], *q = &y->columns[b->columns[n]];
    if (p->type.kind != TM_FLOAT64 || tm_column_is_null(p, i)) continue;
    double v = ((const double *)p->data)[i], w = ((const double *)q->data)[k];
    if (v == 0 && signbit(v) != signbit(w)) return signbit(v) ? -1 : 1;
  }
  return 0;
}

/* Rows of one time. */
static int compare_rows(const tm_time_buffer *b, const tm_time_row *p, const tm_time_row *q) {
  const tm_batch *x = tm_time_segments_batch(&b->segments, p);
  const tm_batch *y = tm_time_segments_batch(&b->segments, q);
  for (uint32_t n = 0; n < b->column_count; n++) {
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

static inline bool is_before(const tm_time_buffer *b, const tm_time_row *p, const tm_time_row *q) {
  if (p->time_us != q->time_us) return p->time_us < q->time_us;
  return compare_rows(b, p, q) < 0;
}

/* ------------------------------------------------------------------ sorting fresh rows */

static void insertion_sort(const tm_time_buffer *b, tm_time_row *rows, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    tm_time_row row = rows[i];
    uint32_t at = i;
    for (; at > 0 && is_before(b, &row, &rows[at - 1]); at--) rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

static void merge_halves(const tm_time_buffer *b, const tm_time_row *left, uint32_t left_count,
                         const tm_time_row *right, uint32_t right_count, tm_time_row *out) {
  uint32_t i = 0, k = 0;
  while (i < left_count && k < right_count) {
    if (is_before(b, &right[k], &left[i])) *out++ = right[k++];
    else *out++ = left[i++];
  }
  memcpy(out, left + i, (left_count - i) * sizeof *out);
  memcpy(out + (left_count - i), right + k, (right_count - k) * sizeof *out);
}

static void merge_sort(const tm_time_buffer *b, tm_time_row *rows, tm_time_row *scratch,
                       uint32_t count) {
  if (count <= SMALL) {
    insertion_sort(b, rows, count);
    return;
  }
  uint32_t half = count / 2;
  merge_sort(b, rows, scratch, half);
  merge_sort(b, rows + half, scratch, count - half);
  if (!is_before(b, &rows[half], &rows[half - 1])) return;
  memcpy(scratch, rows, half * sizeof *rows);
  merge_halves(b, scratch, half, rows + half, count - half, rows);
}

/* By time alone, least digit first. false: the times lie too far apart for that to be worth it. */
static bool radix_sort(tm_time_row *rows, tm_time_row *scratch, uint32_t count) {
  int64_t least = TM_TIME_END, most = TM_TIME_NONE;
  for (uint32_t i = 0; i < count; i++) {
    least = rows[i].time_us < least ? rows[i].time_us : least;
    most = rows[i].time_us > most ? rows[i].time_us : most;
  }
  uint64_t span = (uint64_t)most - (uint64_t)least;
  if (span >> (RADIX_BITS * RADIX_PASSES) != 0) return false;
  tm_time_row *from = rows, *to = scratch;
  for (uint32_t shift = 0; span >> shift != 0; shift += RADIX_BITS) {
    uint32_t places[1 << RADIX_BITS] = {0}, sum = 0;
    for (uint32_t i = 0; i < count; i++) {
      places[((uint64_t)from[i].time_us - (uint64_t)least) >> shift & 255]++;
    }
    for (uint32_t d = 0; d < 1 << RADIX_BITS; d++) {
      uint32_t here = places[d];
      places[d] = sum;
      sum += here;
    }
    for (uint32_t i = 0; i < count; i++) {
      to[places[((uint64_t)from[i].time_us - (uint64_t)least) >> shift & 255]++] = from[i];
    }
    tm_time_row *swap = from;
    from = to;
    to = swap;
  }
  if (from != rows) memcpy(rows, from, count * sizeof *rows);
  return true;
}

static bool is_sorted(const tm_time_buffer *b, const tm_time_row *rows, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    if (is_before(b, &rows[i], &rows[i - 1])) return false;
  }
  return true;
}

static void sort_fresh(const tm_time_buffer *b, tm_time_row *rows, tm_time_row *scratch,
                       uint32_t count) {
  if (is_sorted(b, rows, count)) return;
  if (count < RADIX_ROWS || !radix_sort(rows, scratch, count)) {
    merge_sort(b, rows, scratch, count);
    return;
  }
  for (uint32_t i = 0; i < count;) {
    uint32_t end = i + 1;
    while (end < count && rows[end].time_us == rows[i].time_us) end++;
    if (end - i > 1) merge_sort(b, rows + i, scratch, end - i);
    i = end;
  }
}

/* ------------------------------------------------------------------ runs */

static uint32_t waiting(const tm_time_run *run) { return run->count - run->head; }

static int add_run(tm_time_buffer *b, uint32_t capacity, tm_time_run **out) {
  if (b->run_count == b->run_capacity) {
    uint32_t bigger = b->run_capacity == 0 ? 8 : 2 * b->run_capacity;
    uint32_t *heap = tm_alloc(b->budget, bigger * sizeof *heap);
    tm_time_run *runs = tm_alloc(b->budget, bigger * sizeof *runs);
    if (heap == NULL || runs == NULL) {
      tm_free(b->budget, heap, bigger * sizeof *heap);
      tm_free(b->budget, runs, bigger * sizeof *runs);
      return -1;
    }
    if (b->run_count > 0) memcpy(runs, b->runs, b->run_count * sizeof *runs);
    tm_free(b->budget, b->heap, b->run_capacity * sizeof *heap);
    tm_free(b->budget, b->runs, b->run_capacity * sizeof *runs);
    b->heap = heap;
    b->runs = runs;
    b->run_capacity = bigger;
  }
  capacity = capacity < 16 ? 16 : capacity;
  tm_time_row *rows = tm_alloc(b->budget, capacity * sizeof *rows);
  if (rows == NULL) return -1;
  *out = &b->runs[b->run_count++];
  **out = (tm_time_run){.rows = rows, .capacity = capacity};
  return 0;
}

static void remove_run(tm_time_buffer *b, uint32_t at) {
  tm_free(b->budget, b->runs[at].rows, b->runs[at].capacity * sizeof *b->runs[at].rows);
  b->runs[at] = b->runs[--b->run_count];
}

/* Room for `more` rows; what was taken makes room first. */
static int reserve_run(tm_time_buffer *b, tm_time_run *run, uint32_t more) {
  if (run->count + more <= run->capacity) return 0;
  uint32_t left = waiting(run);
  if (run->head >= left && left + more <= run->capacity) {
    memcpy(run->rows, run->rows + run->head, left * sizeof *run->rows);
  } else {
    uint32_t capacity = run->capacity;
    while (capacity < left + more) capacity *= 2;
    if (capacity == run->capacity) capacity *= 2; /* so that moving stays rare */
    tm_time_row *rows = tm_alloc(b->budget, capacity * sizeof *rows);
    if (rows == NULL) return -1;
    memcpy(rows, run->rows + run->head, left * sizeof *rows);
    tm_free(b->budget, run->rows, run->capacity * sizeof *rows);
    run->rows = rows;
    run->capacity = capacity;
  }
  run->head = 0;
  run->count = left;
  return 0;
}

/* The run whose end is the nearest before the row, if any. */
static tm_time_run *run_for(tm_time_buffer *b, const tm_time_row *row) {
  tm_time_run *best = NULL;
  for (uint32_t i = 0; i < b->run_count; i++) {
    tm_time_run *run = &b->runs[i];
    const tm_time_row *end = &run->rows[run->count - 1];
    if (is_before(b, row, end)) continue;
    if (best == NULL || is_before(b, &best->rows[best->count - 1], end)) best = run;
  }
  return best;
}

/* Where there are many, the two shortest become one. */
static int join_short_runs(tm_time_buffer *b) {
  while (b->run_count > RUNS_FEW) {
    uint32_t first = 0, second = 1;
    for (uint32_t i = 1; i < b->run_count; i++) {
      if (waiting(&b->runs[i]) < waiting(&b->runs[first])) {
        second = first;
        first = i;
      } else if (i > 1 && waiting(&b->runs[i]) < waiting(&b->runs[second])) {
        second = i;
      }
    }
    uint32_t rows = waiting(&b->runs[first]) + waiting(&b->runs[second]);
    if (rows > RUN_LONG) return 0;
    tm_time_run *joined;
    if (add_run(b, rows, &joined) < 0) return -1;
    const tm_time_run *p = &b->runs[first], *q = &b->runs[second];
    merge_halves(b, p->rows + p->head, waiting(p), q->rows + q->head, waiting(q), joined->rows);
    joined->count = rows;
    remove_run(b, first > second ? first : second);
    remove_run(b, first > second ? second : first);
  }
  return 0;
}

/* Rows of segments of which little is left move to new ones. */
static int move_thin(tm_time_buffer *b) {
  for (uint32_t i = 0; i < b->run_count; i++) {
    tm_time_run *run = &b->runs[i];
    for (uint32_t k = run->head; k < run->count; k++) {
      if (tm_time_segments_move(&b->segments, &run->rows[k]) < 0) return -1;
    }
  }
  return 0;
}

int tm_time_buffer_add(tm_time_buffer *b, tm_batch *batch, const uint32_t *rows, uint32_t count) {
  if (count == 0) return 0;
  if (reserve_fresh(b, count) < 0) return -1;
  if (tm_time_segments_add(&b->segments, batch, rows, count, b->fresh) < 0) return -1;
  for (uint32_t i = 0; i < count; i++) b->fresh[i].time_us = batch->times[rows[i]];
  sort_fresh(b, b->fresh, b->scratch, count);
  tm_time_run *run = run_for(b, &b->fresh[0]);
  if (run == NULL ? add_run(b, count, &run) < 0 : reserve_run(b, run, count) < 0) return -1;
  memcpy(run->rows + run->count, b->fresh, count * sizeof *b->fresh);
  run->count += count;
  if (b->fresh[0].time_us < b->least_us) b->least_us = b->fresh[0].time_us;
  return join_short_runs(b);
}

/* ------------------------------------------------------------------ taking */

static const tm_time_row *head_of(const tm_time_buffer *b, uint32_t run) {
  return &b->runs[run].rows[b->runs[run].head];
}

static void sift_down(tm_time_buffer *b, uint32_t at, uint32_t count) {
  uint32_t moving = b->heap[at];
  for (;;) {
    uint32_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count &&
        is_before(b, head_of(b, b->heap[child + 1]), head_of(b, b->heap[child]))) {
      child++;
    }
    if (!is_before(b, head_of(b, b->heap[child]), head_of(b, moving))) break;
    b->heap[at] = b->heap[child];
    at = child;
  }
  b->heap[at] = moving;
}

/* The row before which the run at the top of the heap may go on; NULL: it is the only one. */
static const tm_time_row *rival_of(const tm_time_buffer *b, uint32_t count) {
  if (count < 2) return NULL;
  const tm_time_row *left = head_of(b, b->heap[1]);
  if (count == 2) return left;
  const tm_time_row *right = head_of(b, b->heap[2]);
  return is_before(b, right, left) ? right : left;
}

/* Rows in order to b->scratch; their number. */
static uint32_t take_rows(tm_time_buffer *b, int64_t last_us, uint32_t max) {
  uint32_t count = 0, n = 0;
  for (uint32_t i = 0; i < b->run_count; i++) {
    if (head_of(b, i)->time_us <= last_us) b->heap[count++] = i;
  }
  for (uint32_t i = count / 2; i > 0; i--) sift_down(b, i - 1, count);
  while (count > 0 && n < max) {
    tm_time_run *run = &b->runs[b->heap[0]];
    const tm_time_row *rival = rival_of(b, count);
    do {
      b->scratch[n++] = run->rows[run->head++];
    } while (n < max && run->head < run->count && run->rows[run->head].time_us <= last_us &&
             (rival == NULL || !is_before(b, rival, &run->rows[run->head])));
    bool done = run->head == run->count || run->rows[run->head].time_us > last_us;
    if (done) b->heap[0] = b->heap[--count];
    if (count > 1) sift_down(b, 0, count);
  }
  return n;
}

static void settle_runs(tm_time_buffer *b) {
  b->least_us = TM_TIME_END;
  for (uint32_t i = b->run_count; i > 0; i--) {
    if (waiting(&b->runs[i - 1]) == 0) remove_run(b, i - 1);
  }
  for (uint32_t i = 0; i < b->run_count; i++) {
    int64_t time_us = head_of(b, i)->time_us;
    if (time_us < b->least_us) b->least_us = time_us;
  }
}

int tm_time_buffer_take(tm_time_buffer *b, int64_t last_us, uint32_t max, tm_batch **out) {
  *out = NULL;
  if (b->run_count == 0 || b->least_us > last_us) return 0;
  if (reserve_fresh(b, max) < 0) return -1;
  uint32_t count = take_rows(b, last_us, max);
  *out = tm_time_segments_gather(&b->segments, b->scratch, count);
  if (*out == NULL) return -1;
  tm_time_segments_drop(&b->segments, b->scratch, count);
  settle_runs(b);
  if (!tm_time_segments_are_thin(&b->segments) || move_thin(b) == 0) return 0;
  tm_batch_release(*out);
  *out = NULL;
  return -1;
}

/* ------------------------------------------------------------------ saving */

void tm_time_buffer_save(tm_time_buffer *b, tm_record_writer *writer) {
  uint64_t records = 0;
  for (uint32_t i = 0; i < b->run_count; i++) {
    records += (waiting(&b->runs[i]) + SAVED_ROWS - 1) / SAVED_ROWS;
  }
  tm_record_put(writer, records);
  for (uint32_t i = 0; i < b->run_count; i++) {
    const tm_time_run *run = &b->runs[i];
    for (uint32_t at = run->head; at < run->count && !writer->failed; at += SAVED_ROWS) {
      uint32_t count = run->count - at < SAVED_ROWS ? run->count - at : SAVED_ROWS;
      tm_batch *rows = tm_time_segments_gather(&b->segments, run->rows + at, count);
      if (rows != NULL) tm_batch_record_save(rows, writer);
      else writer->failed = true;
      tm_batch_release(rows);
    }
  }
}

/* A record that holds what the buffer needs of its rows. */
static bool is_whole(const tm_time_buffer *b, const tm_batch *batch) {
  for (uint32_t n = 0; n < b->column_count; n++) {
    if (batch->columns[b->columns[n]].data == NULL) return false;
  }
  return batch->times != NULL && batch->rows > 0 && batch->rows <= SAVED_ROWS &&
         (batch->weights == NULL || b->segments.weights);
}

int tm_time_buffer_restore(tm_time_buffer *b, tm_record_reader *reader, tm_arena *names,
                           tm_error *err) {
  uint32_t every[SAVED_ROWS];
  for (uint32_t i = 0; i < SAVED_ROWS; i++) every[i] = i;
  uint64_t records = tm_record_get(reader, UINT32_MAX);
  for (uint64_t i = 0; i < records; i++) {
    tm_batch *batch = tm_batch_record_restore(reader, b->budget, b->segments.schema, names, err);
    if (batch == NULL) return -1;
    bool whole = is_whole(b, batch);
    int done = whole ? tm_time_buffer_add(b, batch, every, batch->rows) : 0;
    tm_batch_release(batch);
    if (!whole) return tm_record_refuse(err);
    if (done < 0) return tm_fail(err, TM_E_MEMORY, "out of memory while restoring state");
  }
  return 0;
}
