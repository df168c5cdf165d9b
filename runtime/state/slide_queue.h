/* state/slide_queue.h: rows in the order of time, each of a state, that leave at the front. */
#ifndef TM_STATE_SLIDE_QUEUE_H
#define TM_STATE_SLIDE_QUEUE_H

#include "state/batch_record.h"
#include "state/time_segments.h"

typedef struct tm_slide_queue {
  tm_time_segments segments;
  tm_time_row *rows; /* head … count-1 are there */
  uint32_t *states;  /* beside them */
  uint32_t head, count, capacity;
} tm_slide_queue;

/* Columns of the schema are kept, all of them. */
void tm_slide_queue_init(tm_slide_queue *queue, tm_budget *budget, const tm_schema *schema);
void tm_slide_queue_deinit(tm_slide_queue *queue);

/* Copies the selected rows of the batch to the end; states[i] is of the i-th of them. 0 or -1
 * (memory). */
int tm_slide_queue_push(tm_slide_queue *queue, tm_batch *batch, const uint32_t *states);
/* How many rows at the front, behind the first `skip`, are at most of that time; at most `max`. */
uint32_t tm_slide_queue_due(const tm_slide_queue *queue, uint32_t skip, int64_t last_us,
                            uint32_t max);
/* The state of row `nth` from the front. */
static inline uint32_t tm_slide_queue_state(const tm_slide_queue *queue, uint32_t nth) {
  return queue->states[queue->head + nth];
}
static inline uint32_t tm_slide_queue_rows(const tm_slide_queue *queue) {
  return queue->count - queue->head;
}
/* Takes that many rows, more than none, from the front. NULL: out of memory. */
tm_batch *tm_slide_queue_take(tm_slide_queue *queue, uint32_t count);

void tm_slide_queue_save(tm_slide_queue *queue, tm_record_writer *writer);
/* The next batch of what was saved, to be pushed again; *out is NULL at the end. 0, or -1 with
 * err. */
int tm_slide_queue_restore(tm_slide_queue *queue, tm_record_reader *reader, tm_arena *names,
                           tm_batch **out, tm_error *err);

#endif
