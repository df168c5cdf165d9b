/* state/slide_steps.h: in which steps the rows of a batch come into sliding windows, and others
 * leave them. For slide_groups.c alone.
 *
 * A key makes a step for each different time of its rows in the batch. A row that has left the
 * window by a time leaves before the key's step to that time; if the key makes none any more, after
 * all steps. */
#ifndef TM_STATE_SLIDE_STEPS_H
#define TM_STATE_SLIDE_STEPS_H

#include "state/slide_queue.h"

#define TM_SLIDE_NO_STEP UINT32_MAX

/* What a batch knows of a key, by the key's id. */
typedef struct tm_slide_key {
  uint64_t batch;       /* its number; what another batch left here means nothing */
  int64_t time_us;      /* of the last step */
  uint32_t steps;       /* so far */
  uint32_t leaving;     /* the last row that leaves and has no step yet */
  uint32_t round, slot; /* where the aggregates of the round being read lie */
} tm_slide_key;

typedef struct tm_slide_steps {
  const tm_batch *batch;
  uint32_t count, left_count;  /* rows that come, rows that leave */
  uint32_t *rows, *ids, *step; /* that come: numbers in the batch, keys (the caller's), steps */
  uint32_t *left_ids, *left_step, *next; /* that leave, from the front of the queue on */
  uint32_t most;               /* steps of the key that has most */
  uint32_t slots;              /* steps of all keys */
} tm_slide_steps;

/* The latest instant that is in the window of that time no more. */
static inline int64_t tm_slide_start(int64_t time_us, int64_t span_us) {
  int64_t start_us;
  return __builtin_sub_overflow(time_us, span_us, &start_us) ? TM_TIME_NONE : start_us;
}

/* What is known of a key in that batch; nothing, at first. */
static inline tm_slide_key *tm_slide_key_of(tm_slide_key *keys, uint32_t id, uint64_t batch) {
  tm_slide_key *key = &keys[id];
  if (key->batch != batch) *key = (tm_slide_key){.batch = batch, .leaving = TM_SLIDE_NO_STEP};
  return key;
}

/* Lists the selected rows; the caller fills in ids. 0 or -1 (memory). */
int tm_slide_steps_open(tm_slide_steps *steps, tm_arena *arena, const tm_batch *batch);
/* The rows are at the end of the queue by now. 0 or -1 (memory). */
int tm_slide_steps_number(tm_slide_steps *steps, tm_arena *arena, const tm_slide_queue *queue,
                          int64_t span_us, tm_slide_key *keys, uint64_t batch);
/* Places of `step` by step, those without a step behind them: those of a step are starts[step] …
 * starts[step + 1]-1 of what it gives, for steps 0 … most. NULL: memory. */
uint32_t *tm_slide_steps_sort(tm_arena *arena, const uint32_t *step, uint32_t count, uint32_t most,
                              uint32_t **starts);

#endif
