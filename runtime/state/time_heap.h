/* state/time_heap.h: rows by a time, the earliest first.
 *
 * A heap of four children a node. What is put in ascending order costs a comparison each. */
#ifndef TM_STATE_TIME_HEAP_H
#define TM_STATE_TIME_HEAP_H

#include "base/memory.h"

typedef struct tm_time_place { int64_t time_us; uint32_t id; uint32_t unused; } tm_time_place;

/* Zeros are an empty one. */
typedef struct tm_time_heap {
  tm_time_place *places;
  uint32_t count, capacity;
} tm_time_heap;

void tm_time_heap_deinit(tm_time_heap *heap, tm_budget *budget);
/* 0 or -1 (memory). */
int tm_time_heap_push(tm_time_heap *heap, tm_budget *budget, int64_t time_us, uint32_t id);
/* Takes the earliest away; there is one. */
tm_time_place tm_time_heap_pop(tm_time_heap *heap, tm_budget *budget);

#endif
