/* state/time_buffer.c: see time_buffer.h. The invariant: every run is sorted and has rows. */
#include "state/time_buffer.h"

#include <assert.h>

#include "state/batch_record.h"

enum {
  RUNS_FEW = 8,          /* as many as need no joining */
  RUN_SHORT = 128,       /* single rows are put into a run that short */
  RUN_LONG = 1 << 16,    /* no joined run gets longer, so that no joining takes long */
  SMALL = 16,            /* rows sorted by insertion */
  SLICE_LOOKS = 256,     /* rows among which a batch that can go as it is may begin */
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
  return tm_time_peers_init(&b->peers, &b->segments);
}

void tm_time_buffer_deinit(tm_time_buffer *b) {
  for (uint32_t i = 0; i < b->run_count; i++) {
    tm_free(b->budget, b->runs[i].rows, b->runs[i].capacity * sizeof *b->runs[i].rows);
  }
  tm_free(b->budget, b->runs, b->run_capacity * sizeof *b->runs);
  tm_free(b->budget, b->heap, b->run_capacity * sizeof *b->heap);
  tm_free(b->budget, b->fresh, b->fresh_capacity * sizeof *b->fresh);
  tm_free(b->budget, b->scratch, b->fresh_capacity * sizeof *b->scratch);
  tm_free(b->budget, b->keys, b->fresh_capacity * sizeof *b->keys);
  tm_free(b->budget, b->ready, b->ready_capacity * sizeof *b->ready);
  tm_time_peers_deinit(&b->peers);
  tm_time_segments_deinit(&b->segments);
}

static int reserve_fresh(tm_time_buffer *b, uint32_t count) {
  if (count <= b->fresh_capacity) return 0;
  uint32_t capacity = b->fresh_capacity == 0 ? 64 : b->fresh_capacity;
  while (capacity < count) capacity *= 2;
  tm_time_row *fresh = tm_alloc(b->budget, capacity * sizeof *fresh);
  tm_time_row *scratch = tm_alloc(b->budget, capacity * sizeof *scratch);
  uint64_t *keys = tm_alloc(b->budget, capacity * sizeof *keys);
  if (fresh == NULL || scratch == NULL || keys == NULL) {
    tm_free(b->budget, fresh, capacity * sizeof *fresh);
    tm_free(b->budget, scratch, capacity * sizeof *scratch);
    tm_free(b->budget, keys, capacity * sizeof *keys);
    return -1;
  }
  tm_free(b->budget, b->fresh, b->fresh_capacity * sizeof *b->fresh);
  tm_free(b->budget, b->scratch, b->fresh_capacity * sizeof *b->scratch);
  tm_free(b->budget, b->keys, b->fresh_capacity * sizeof *b->keys);
  b->fresh = fresh;
  b->scratch = scratch;
  b->keys = keys;
  b->fresh_capacity = capacity;
  return 0;
}

/* ------------------------------------------------------------------ sorting by time */

/* By time alone, stable. */
static void insertion_sort(tm_time_row *rows, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    tm_time_row row = rows[i];
    uint32_t at = i;
    for (; at > 0 && row.time_us < rows[at - 1].time_us; at--) rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

static void merge_halves(const tm_time_row *left, uint32_t left_count, const tm_time_row *right,
                         uint32_t right_count, tm_time_row *out) {
  uint32_t i = 0, k = 0;
  while (i < left_count && k < right_count) {
    bool from_right = right[k].time_us < left[i].time_us;
    *out++ = from_right ? right[k] : left[i];
    k += from_right;
    i += !from_right;
  }
  memcpy(out, left + i, (left_count - i) * sizeof *out);
  memcpy(out + (left_count - i), right + k, (right_count - k) * sizeof *out);
}

static void merge_sort(tm_time_row *rows, tm_time_row *scratch, uint32_t count) {
  if (count <= SMALL) {
    insertion_sort(rows, count);
    return;
  }
  uint32_t half = count / 2;
  merge_sort(rows, scratch, half);
  merge_sort(rows + half, scratch, count - half);
  if (rows[half - 1].time_us <= rows[half].time_us) return;
  memcpy(scratch, rows, half * sizeof *rows);
  merge_halves(scratch, half, rows + half, count - half, rows);
}

/* Least digit first. false: the times lie too far apart for that to be worth it. */
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

static void sort_fresh(tm_time_row *rows, tm_time_row *scratch, uint32_t count) {
  uint32_t i = 1;
  while (i < count && rows[i - 1].time_us <= rows[i].time_us) i++;
  if (i >= count) return;
  if (count < RADIX_ROWS || !radix_sort(rows, scratch, count)) merge_sort(rows, scratch, count);
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

/* The run whose end is the nearest at or before the time, if any. */
static tm_time_run *run_before(tm_time_buffer *b, int64_t time_us) {
  tm_time_run *best = NULL;
  for (uint32_t i = 0; i < b->run_count; i++) {
    tm_time_run *run = &b->runs[i];
    int64_t end_us = run->rows[run->count - 1].time_us;
    if (end_us > time_us) continue;
    if (best == NULL || end_us > best->rows[best->count - 1].time_us) best = run;
  }
  return best;
}

static tm_time_run *short_run(tm_time_buffer *b) {
  for (uint32_t i = b->run_count; i > 0; i--) {
    if (waiting(&b->runs[i - 1]) < RUN_SHORT) return &b->runs[i - 1];
  }
  return NULL;
}

/* A few rows into a short run, from the back. */
static int put_into(tm_time_buffer *b, tm_time_run *run, const tm_time_row *rows, uint32_t count) {
  if (reserve_run(b, run, count) < 0) return -1;
  uint32_t to = run->count + count, from = run->count;
  while (count > 0) {
    bool old = from > run->head && run->rows[from - 1].time_us > rows[count - 1].time_us;
    run->rows[--to] = old ? run->rows[--from] : rows[--count];
  }
  return 0;
}

/* The two shortest become one, unless that is little of the other, or too long. 1: they did. */
static int join_shortest(tm_time_buffer *b) {
  uint32_t first = 0, second = UINT32_MAX;
  for (uint32_t i = 1; i < b->run_count; i++) {
    if (waiting(&b->runs[i]) < waiting(&b->runs[first])) {
      second = first;
      first = i;
    } else if (second == UINT32_MAX || waiting(&b->runs[i]) < waiting(&b->runs[second])) {
      second = i;
    }
  }
  uint32_t few = waiting(&b->runs[first]), more = waiting(&b->runs[second]);
  if (few + more > RUN_LONG || few < more / 2) return 0;
  tm_time_run *joined;
  if (add_run(b, few + more, &joined) < 0) return -1;
  const tm_time_run *p = &b->runs[first], *q = &b->runs[second];
  merge_halves(p->rows + p->head, few, q->rows + q->head, more, joined->rows);
  joined->count = few + more;
  remove_run(b, first > second ? first : second);
  remove_run(b, first > second ? second : first);
  return 1;
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
  assert(b->ready_at == b->ready_count && "what is ready is taken first");
  if (count == 0) return 0;
  if (reserve_fresh(b, count) < 0) return -1;
  if (tm_time_segments_add(&b->segments, batch, rows, count, b->fresh) < 0) return -1;
  for (uint32_t i = 0; i < count; i++) b->fresh[i].time_us = batch->times[rows[i]];
  sort_fresh(b->fresh, b->scratch, count);
  if (b->fresh[0].time_us < b->least_us) b->least_us = b->fresh[0].time_us;
  tm_time_run *run = run_before(b, b->fresh[0].time_us);
  if (run == NULL && count < SMALL && (run = short_run(b)) != NULL) {
    if (put_into(b, run, b->fresh, count) < 0) return -1;
  } else {
    if (run == NULL ? add_run(b, count, &run) < 0 : reserve_run(b, run, count) < 0) return -1;
    memcpy(run->rows + run->count, b->fresh, count * sizeof *b->fresh);
  }
  run->count += count;
  while (b->run_count > RUNS_FEW) {
    int joined = join_shortest(b);
    if (joined <= 0) return joined;
  }
  return 0;
}

/* ------------------------------------------------------------------ taking */

static void sort_ready(tm_time_buffer *b) {
  for (uint32_t i = b->ready_at; i < b->ready_count;) {
    uint32_t end = i + 1;
    while (end < b->ready_count && b->ready[end].time_us == b->ready[i].time_us) end++;
    if (end - i > 1) tm_time_peers_sort(&b->peers, b->ready + i, b->keys, b->scratch, end - i);
    i = end;
  }
}

static int64_t head_of(const tm_time_buffer *b, uint32_t run) {
  return b->runs[run].rows[b->runs[run].head].time_us;
}

static void sift_down(tm_time_buffer *b, uint32_t at, uint32_t count) {
  uint32_t moving = b->heap[at];
  int64_t time_us = head_of(b, moving);
  for (;;) {
    uint32_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && head_of(b, b->heap[child + 1]) < head_of(b, b->heap[child])) child++;
    if (head_of(b, b->heap[child]) >= time_us) break;
    b->heap[at] = b->heap[child];
    at = child;
  }
  b->heap[at] = moving;
}

/* Up to which time the run at the top of the heap may go on. */
static int64_t rival_of(const tm_time_buffer *b, uint32_t count, int64_t last_us) {
  for (uint32_t i = 1; i < 3 && i < count; i++) {
    int64_t head_us = head_of(b, b->heap[i]);
    if (head_us < last_us) last_us = head_us;
  }
  return last_us;
}

static int reserve_ready(tm_time_buffer *b, uint32_t more) {
  uint32_t capacity = b->ready_capacity == 0 ? 64 : b->ready_capacity;
  if (b->ready_count + more <= b->ready_capacity) return 0;
  while (capacity < b->ready_count + more) capacity *= 2;
  void *grown = tm_realloc(b->budget, b->ready, b->ready_capacity * sizeof *b->ready,
                           capacity * sizeof *b->ready);
  if (grown == NULL) return -1;
  b->ready = grown;
  b->ready_capacity = capacity;
  return 0;
}

/* About `max` rows in order of time out of the runs, the last of them with all of its time. */
static int merge_runs(tm_time_buffer *b, int64_t last_us, uint32_t max) {
  uint32_t count = 0;
  b->ready_at = b->ready_count = 0;
  for (uint32_t i = 0; i < b->run_count; i++) {
    if (head_of(b, i) <= last_us) b->heap[count++] = i;
  }
  for (uint32_t i = count / 2; i > 0; i--) sift_down(b, i - 1, count);
  while (count > 0) {
    tm_time_run *run = &b->runs[b->heap[0]];
    int64_t limit_us = rival_of(b, count, last_us);
    if (b->ready_count >= max) {
      if (head_of(b, b->heap[0]) != b->ready[b->ready_count - 1].time_us) break;
      limit_us = head_of(b, b->heap[0]);
    }
    uint32_t end = run->head + 1, room = b->ready_count < max ? max - b->ready_count : max;
    uint32_t stop = waiting(run) < room ? run->count : run->head + room;
    while (end < stop && run->rows[end].time_us <= limit_us) end++;
    if (reserve_ready(b, end - run->head) < 0) return -1;
    memcpy(b->ready + b->ready_count, run->rows + run->head,
           (end - run->head) * sizeof *run->rows);
    b->ready_count += end - run->head;
    run->head = end;
    if (end == run->count || run->rows[end].time_us > last_us) b->heap[0] = b->heap[--count];
    if (count > 1) sift_down(b, 0, count);
  }
  if (reserve_fresh(b, b->ready_count) < 0) return -1;
  sort_ready(b);
  return 0;
}

static void settle(tm_time_buffer *b) {
  b->least_us = TM_TIME_END;
  for (uint32_t i = b->run_count; i > 0; i--) {
    if (waiting(&b->runs[i - 1]) == 0) remove_run(b, i - 1);
  }
  for (uint32_t i = 0; i < b->run_count; i++) {
    if (head_of(b, i) < b->least_us) b->least_us = head_of(b, i);
  }
  if (b->ready_at < b->ready_count) b->least_us = b->ready[b->ready_at].time_us;
}

/* How many of the rows that are ready go out as one batch: those that need no copying by
 * themselves, and those before them. */
static uint32_t cut(const tm_time_buffer *b, uint32_t max) {
  const tm_time_row *rows = b->ready + b->ready_at;
  uint32_t left = b->ready_count - b->ready_at, count = left < max ? left : max;
  uint32_t whole = tm_time_segments_slice(&b->segments, rows, count);
  if (whole > 0) return whole;
  for (uint32_t i = 1; i < count && i < SLICE_LOOKS; i++) {
    if (rows[i].segment == rows[i - 1].segment) continue;
    if (tm_time_segments_slice(&b->segments, rows + i, left - i) > 0) return i;
  }
  return count;
}

int tm_time_buffer_take(tm_time_buffer *b, int64_t last_us, uint32_t max, tm_batch **out) {
  *out = NULL;
  if (b->least_us > last_us || tm_time_buffer_rows(b) == 0) return 0;
  if (b->ready_at == b->ready_count && merge_runs(b, last_us, max) < 0) return -1;
  const tm_time_row *rows = b->ready + b->ready_at;
  uint32_t count = cut(b, max);
  *out = tm_time_segments_gather(&b->segments, rows, count);
  if (*out == NULL) return -1;
  tm_time_segments_drop(&b->segments, rows, count);
  b->ready_at += count;
  settle(b);
  if (b->ready_at < b->ready_count || !tm_time_segments_are_thin(&b->segments)) return 0;
  if (move_thin(b) == 0) return 0;
  tm_batch_release(*out);
  *out = NULL;
  return -1;
}

/* ------------------------------------------------------------------ saving */

static uint64_t record_count(uint32_t rows) { return (rows + SAVED_ROWS - 1) / SAVED_ROWS; }

static void save_rows(tm_time_buffer *b, const tm_time_row *rows, uint32_t count,
                      tm_record_writer *writer) {
  for (uint32_t at = 0; at < count && !writer->failed; at += SAVED_ROWS) {
    uint32_t some = count - at < SAVED_ROWS ? count - at : SAVED_ROWS;
    tm_batch *batch = tm_time_segments_gather(&b->segments, rows + at, some);
    if (batch != NULL) tm_batch_record_save(batch, writer);
    else writer->failed = true;
    tm_batch_release(batch);
  }
}

void tm_time_buffer_save(tm_time_buffer *b, tm_record_writer *writer) {
  uint64_t records = record_count(b->ready_count - b->ready_at);
  for (uint32_t i = 0; i < b->run_count; i++) records += record_count(waiting(&b->runs[i]));
  tm_record_put(writer, records);
  save_rows(b, b->ready + b->ready_at, b->ready_count - b->ready_at, writer);
  for (uint32_t i = 0; i < b->run_count; i++) {
    save_rows(b, b->runs[i].rows + b->runs[i].head, waiting(&b->runs[i]), writer);
  }
}

/* A record that holds what the buffer needs of its rows. */
static bool is_whole(const tm_time_buffer *b, const tm_batch *batch) {
  for (uint32_t n = 0; n < b->peers.count; n++) {
    if (batch->columns[b->peers.columns[n]].data == NULL) return false;
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
