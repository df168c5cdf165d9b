/* state/time_buffer.h: rows that wait until time has passed them, and leave in its order.
 *
 * The order is by event time, then by the needed columns in schema order, nulls first, -0 before 0:
 * it depends on the rows alone, not on how they came. What waits costs memory; what leaves is
 * forgotten. Adding and taking cost what the rows at hand cost, not what is held:
 *   - rows are kept as runs, sorted by time, of 16 bytes a row; rows that come in order prolong a
 *     run, others start one (B. Chandramouli, J. Goldstein, "Patience is a Virtue", 2014);
 *   - short runs of like length become one, so that there are few, unless long;
 *   - taking merges the heads of the runs as far as time has come, and puts rows of one time in
 *     order only then, all of them at once. */
#ifndef TM_STATE_TIME_BUFFER_H
#define TM_STATE_TIME_BUFFER_H

#include "state/record.h"
#include "state/time_peers.h"

typedef struct tm_time_run {
  tm_time_row *rows;
  uint32_t head, count, capacity; /* rows head … count-1 wait */
} tm_time_run;

typedef struct tm_time_buffer {
  tm_budget *budget;
  tm_time_segments segments;
  tm_time_peers peers;
  tm_time_run *runs;
  uint32_t *heap;        /* of runs, while taking; of run_capacity */
  uint32_t run_count, run_capacity;
  tm_time_row *fresh, *scratch; /* a batch being added or sorted; of fresh_capacity */
  uint64_t *keys;        /* of rows of one time; of fresh_capacity */
  uint32_t fresh_capacity;
  tm_time_row *ready;    /* rows in their final order, out of the runs, but not taken yet */
  uint32_t ready_at, ready_count, ready_capacity;
  int64_t least_us;      /* of all rows; TM_TIME_END: there are none */
} tm_time_buffer;

/* weights: rows have them. copies: large batches are copied, so that nothing they pin is held.
 * 0 or -1 (memory; deinit is still due). */
int tm_time_buffer_init(tm_time_buffer *buffer, tm_budget *budget, const tm_schema *schema,
                        const uint8_t *needed, bool weights, bool copies);
void tm_time_buffer_deinit(tm_time_buffer *buffer);

/* Keeps the rows of the batch (borrowed) whose numbers are `rows`; their time is in batch->times.
 * 0, or -1 (memory): it can then only be closed. */
int tm_time_buffer_add(tm_time_buffer *buffer, tm_batch *batch, const uint32_t *rows,
                       uint32_t count);
/* The next rows, at most `max`, whose time is at most last_us, as a batch with times in order and
 * without marks; *out is NULL where there are none. It may be fewer although there are more, where
 * that saves copying. 0 or -1 (memory). */
int tm_time_buffer_take(tm_time_buffer *buffer, int64_t last_us, uint32_t max, tm_batch **out);

static inline uint64_t tm_time_buffer_rows(const tm_time_buffer *buffer) {
  return buffer->segments.live;
}

void tm_time_buffer_save(tm_time_buffer *buffer, tm_record_writer *writer);
/* Into an empty one. 0, or -1 with err. */
int tm_time_buffer_restore(tm_time_buffer *buffer, tm_record_reader *reader, tm_arena *names,
                           tm_error *err);

#endif
