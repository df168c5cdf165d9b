/* state/timer_queue.h: named timers of keys, the next one first.
 *
 * A timer belongs to an entry of a key_map and has a name; event time and processing time are two
 * queues, and a timer is in one of them. The order is (time, key, name). A timer that was cancelled
 * stays, asleep, until it is removed: so a call's changes can be taken back without memory. */
#ifndef TM_STATE_TIMER_QUEUE_H
#define TM_STATE_TIMER_QUEUE_H

#include "state/key_map.h"

typedef struct tm_timer {
  tm_key_entry *key;
  int64_t at_us;
  uint32_t place;   /* in its heap; TM_TIMER_ASLEEP: in none */
  bool processing;
  bool noted;       /* the caller's */
  uint8_t unused[10];
} tm_timer;

#define TM_TIMER_ASLEEP UINT32_MAX
enum { TM_TIMER_NAME_MAX = 256 }; /* bytes of a name */

typedef struct tm_timer_place { int64_t at_us; tm_timer *timer; } tm_timer_place;

typedef struct tm_timer_heap {
  tm_timer_place *places;
  uint32_t count, capacity;
} tm_timer_heap;

typedef struct tm_timer_queue {
  tm_budget *budget;
  tm_key_map timers;      /* by key and name */
  tm_timer_heap heaps[2]; /* event time, processing time */
} tm_timer_queue;

void tm_timer_queue_init(tm_timer_queue *queue, tm_budget *budget);
void tm_timer_queue_deinit(tm_timer_queue *queue);

/* NULL: there is none. */
tm_timer *tm_timer_queue_find(const tm_timer_queue *queue, const tm_key_entry *key,
                              const char *name, size_t size);
/* The timer of that name, made (asleep) where there is none; room to wake it is kept. NULL: out of
 * memory. */
tm_timer *tm_timer_queue_insert(tm_timer_queue *queue, tm_key_entry *key, const char *name,
                                size_t size);
/* Wakes it for a time, or puts it to sleep; neither can fail. */
void tm_timer_queue_set(tm_timer_queue *queue, tm_timer *timer, int64_t at_us, bool processing);
void tm_timer_queue_cancel(tm_timer_queue *queue, tm_timer *timer);
/* Frees it, awake or asleep. */
void tm_timer_queue_remove(tm_timer_queue *queue, tm_timer *timer);

/* The next of one queue; NULL: it is empty. */
static inline tm_timer *tm_timer_queue_first(const tm_timer_queue *queue, bool processing) {
  const tm_timer_heap *heap = &queue->heaps[processing];
  return heap->count == 0 ? NULL : heap->places[0].timer;
}
const char *tm_timer_name(const tm_timer *timer, size_t *out_size);

#endif
