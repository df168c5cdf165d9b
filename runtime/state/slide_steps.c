/* state/slide_steps.c: see slide_steps.h. */
#include "state/slide_steps.h"

int tm_slide_steps_open(tm_slide_steps *w, tm_arena *arena, const tm_batch *batch) {
  size_t count = batch->selected;
  *w = (tm_slide_steps){.batch = batch, .count = batch->selected};
  w->rows = tm_arena_alloc(arena, (count + 1) * sizeof *w->rows);
  w->ids = tm_arena_alloc(arena, (count + 1) * sizeof *w->ids);
  w->step = tm_arena_alloc(arena, (count + 1) * sizeof *w->step);
  if (w->rows == NULL || w->ids == NULL || w->step == NULL) return -1;
  for (uint32_t i = 0; i < count; i++) w->rows[i] = tm_batch_row(batch, i);
  return 0;
}

/* Everything that leaves before the last row of the batch. */
static int list_leaving(tm_slide_steps *w, tm_arena *arena, const tm_slide_queue *queue,
                        int64_t span_us) {
  int64_t last_us = w->batch->times[w->rows[w->count - 1]];
  size_t count = tm_slide_queue_due(queue, 0, tm_slide_start(last_us, span_us), UINT32_MAX);
  w->left_count = (uint32_t)count;
  w->left_ids = tm_arena_alloc(arena, (count + 1) * sizeof *w->left_ids);
  w->left_step = tm_arena_alloc(arena, (count + 1) * sizeof *w->left_step);
  w->next = tm_arena_alloc(arena, (count + 1) * sizeof *w->next);
  if (w->left_ids == NULL || w->left_step == NULL || w->next == NULL) return -1;
  for (uint32_t i = 0; i < count; i++) {
    w->left_ids[i] = tm_slide_queue_state(queue, i);
    w->left_step[i] = TM_SLIDE_NO_STEP;
  }
  return 0;
}

/* The key comes to another time: what has left until then leaves before this step. */
static void begin_step(tm_slide_key *key, tm_slide_steps *w, int64_t time_us) {
  key->time_us = time_us;
  for (uint32_t at = key->leaving; at != TM_SLIDE_NO_STEP; at = w->next[at]) {
    w->left_step[at] = key->steps;
  }
  key->leaving = TM_SLIDE_NO_STEP;
  key->steps++;
  w->slots++;
  if (key->steps > w->most) w->most = key->steps;
}

int tm_slide_steps_number(tm_slide_steps *w, tm_arena *arena, const tm_slide_queue *queue,
                          int64_t span_us, tm_slide_key *keys, uint64_t batch) {
  uint32_t left = 0;
  if (list_leaving(w, arena, queue, span_us) < 0) return -1;
  for (uint32_t i = 0; i < w->count; i++) {
    int64_t time_us = w->batch->times[w->rows[i]];
    int64_t start_us = tm_slide_start(time_us, span_us);
    for (uint32_t due = tm_slide_queue_due(queue, left, start_us, UINT32_MAX); due > 0; due--) {
      tm_slide_key *key = tm_slide_key_of(keys, w->left_ids[left], batch);
      w->next[left] = key->leaving;
      key->leaving = left++;
    }
    tm_slide_key *key = tm_slide_key_of(keys, w->ids[i], batch);
    if (key->steps == 0 || key->time_us != time_us) begin_step(key, w, time_us);
    w->step[i] = key->steps - 1;
  }
  return 0;
}

uint32_t *tm_slide_steps_sort(tm_arena *arena, const uint32_t *step, uint32_t count, uint32_t most,
                              uint32_t **starts) {
  uint32_t *order = tm_arena_alloc(arena, (count + (size_t)1) * sizeof *order);
  uint32_t *ends = tm_arena_zero(arena, (most + (size_t)3) * sizeof *ends);
  if (order == NULL || ends == NULL) return NULL;
  for (uint32_t i = 0; i < count; i++) ends[(step[i] < most ? step[i] : most) + 2]++;
  for (uint32_t k = 2; k < most + 3; k++) ends[k] += ends[k - 1];
  for (uint32_t i = 0; i < count; i++) {
    order[ends[(step[i] < most ? step[i] : most) + 1]++] = i;
  }
  *starts = ends;
  return order;
}
