/* state/slide_queue.c: see slide_queue.h. */
#include "state/slide_queue.h"

#include <assert.h>

enum { CAPACITY_MIN = 64, SAVED_ROWS = 2048 };

void tm_slide_queue_init(tm_slide_queue *q, tm_budget *budget, const tm_schema *schema) {
  *q = (tm_slide_queue){.head = 0};
  tm_time_segments_init(&q->segments, budget, schema, NULL);
  q->segments.copies = true;
}

void tm_slide_queue_deinit(tm_slide_queue *q) {
  tm_budget *budget = q->segments.budget;
  tm_free(budget, q->rows, q->capacity * sizeof *q->rows);
  tm_free(budget, q->states, q->capacity * sizeof *q->states);
  tm_time_segments_deinit(&q->segments);
}

/* Room for `more` rows; what was taken makes room first. */
static int reserve(tm_slide_queue *q, uint32_t more) {
  uint32_t left = q->count - q->head, capacity = q->capacity < CAPACITY_MIN ? CAPACITY_MIN
                                                                            : q->capacity;
  tm_budget *budget = q->segments.budget;
  if (q->count + more <= q->capacity) return 0;
  if (q->head < left || left + more > q->capacity) {
    while (capacity < 2 * (left + more)) capacity *= 2;
    tm_time_row *rows = tm_alloc(budget, capacity * sizeof *rows);
    uint32_t *states = tm_alloc(budget, capacity * sizeof *states);
    if (rows == NULL || states == NULL) {
      tm_free(budget, rows, capacity * sizeof *rows);
      tm_free(budget, states, capacity * sizeof *states);
      return -1;
    }
    if (left > 0) memcpy(rows, q->rows + q->head, left * sizeof *rows);
    if (left > 0) memcpy(states, q->states + q->head, left * sizeof *states);
    tm_free(budget, q->rows, q->capacity * sizeof *rows);
    tm_free(budget, q->states, q->capacity * sizeof *states);
    q->rows = rows;
    q->states = states;
    q->capacity = capacity;
  } else {
    memcpy(q->rows, q->rows + q->head, left * sizeof *q->rows);
    memcpy(q->states, q->states + q->head, left * sizeof *q->states);
  }
  q->head = 0;
  q->count = left;
  return 0;
}

int tm_slide_queue_push(tm_slide_queue *q, tm_batch *batch, const uint32_t *states) {
  uint32_t count = batch->selected, *every = NULL;
  const uint32_t *rows = batch->selection;
  if (count == 0) return 0;
  if (reserve(q, count) < 0) return -1;
  if (rows == NULL) {
    every = tm_alloc(q->segments.budget, count * sizeof *every);
    if (every == NULL) return -1;
    for (uint32_t i = 0; i < count; i++) every[i] = i;
    rows = every;
  }
  tm_time_row *to = q->rows + q->count;
  int done = tm_time_segments_add(&q->segments, batch, rows, count, to);
  for (uint32_t i = 0; done == 0 && i < count; i++) to[i].time_us = batch->times[rows[i]];
  tm_free(q->segments.budget, every, count * sizeof *every);
  if (done < 0) return -1;
  memcpy(q->states + q->count, states, count * sizeof *states);
  q->count += count;
  return 0;
}

uint32_t tm_slide_queue_due(const tm_slide_queue *q, uint32_t skip, int64_t last_us,
                            uint32_t max) {
  const tm_time_row *rows = q->rows + q->head + skip;
  uint32_t left = q->count - q->head - skip, n = 0;
  while (n < left && n < max && rows[n].time_us <= last_us) n++;
  return n;
}

tm_batch *tm_slide_queue_take(tm_slide_queue *q, uint32_t count) {
  assert(count > 0 && count <= q->count - q->head);
  tm_batch *out = tm_time_segments_gather(&q->segments, q->rows + q->head, count);
  if (out == NULL) return NULL;
  tm_time_segments_drop(&q->segments, q->rows + q->head, count);
  q->head += count;
  return out;
}

/* ------------------------------------------------------------------ saving */

void tm_slide_queue_save(tm_slide_queue *q, tm_record_writer *writer) {
  for (uint32_t at = q->head; at < q->count && !writer->failed; at += SAVED_ROWS) {
    uint32_t count = q->count - at < SAVED_ROWS ? q->count - at : SAVED_ROWS;
    tm_batch *batch = tm_time_segments_gather(&q->segments, q->rows + at, count);
    tm_record_put(writer, 1);
    if (batch != NULL) tm_batch_record_save(batch, writer);
    else writer->failed = true;
    tm_batch_release(batch);
  }
  tm_record_put(writer, 0);
}

static bool is_whole(const tm_batch *batch) {
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (batch->schema->fields[c].type.kind == TM_NULLTYPE) continue;
    if (batch->columns[c].data == NULL) return false;
  }
  for (uint32_t i = 1; batch->times != NULL && i < batch->rows; i++) {
    if (batch->times[i] < batch->times[i - 1]) return false;
  }
  return batch->times != NULL && batch->weights == NULL && batch->rows > 0;
}

int tm_slide_queue_restore(tm_slide_queue *q, tm_record_reader *reader, tm_arena *names,
                           tm_batch **out, tm_error *err) {
  *out = NULL;
  if (!tm_record_get(reader, 1)) return 0;
  *out = tm_batch_record_restore(reader, q->segments.budget, q->segments.schema, names, err);
  if (*out == NULL) return -1;
  bool first = q->head == q->count;
  if (is_whole(*out) && (first || q->rows[q->count - 1].time_us <= (*out)->times[0])) return 0;
  tm_batch_release(*out);
  *out = NULL;
  return tm_record_refuse(err);
}
