/* state/time_heap.c: see time_heap.h. */
#include "state/time_heap.h"

#include <assert.h>
#include <string.h>

enum { CHILDREN = 4, CAPACITY_MIN = 64 };

void tm_time_heap_deinit(tm_time_heap *heap, tm_budget *budget) {
  tm_free(budget, heap->places, heap->capacity * sizeof *heap->places);
  *heap = (tm_time_heap){.places = NULL};
}

static bool resize(tm_time_heap *heap, tm_budget *budget, uint32_t capacity) {
  tm_time_place *places = tm_realloc(budget, heap->places, heap->capacity * sizeof *places,
                                     capacity * sizeof *places);
  if (places == NULL) return false;
  heap->places = places;
  heap->capacity = capacity;
  return true;
}

int tm_time_heap_push(tm_time_heap *heap, tm_budget *budget, int64_t time_us, uint32_t id) {
  if (heap->count == heap->capacity) {
    if (heap->capacity > UINT32_MAX / 2) return -1;
    uint32_t capacity = heap->capacity == 0 ? CAPACITY_MIN : heap->capacity * 2;
    if (!resize(heap, budget, capacity)) return -1;
  }
  uint32_t at = heap->count++;
  while (at > 0 && heap->places[(at - 1) / CHILDREN].time_us > time_us) {
    heap->places[at] = heap->places[(at - 1) / CHILDREN];
    at = (at - 1) / CHILDREN;
  }
  heap->places[at] = (tm_time_place){.time_us = time_us, .id = id};
  return 0;
}

static uint32_t earliest_child(const tm_time_heap *heap, uint32_t at) {
  uint32_t first = at * CHILDREN + 1, best = first;
  uint32_t end = first + CHILDREN < heap->count ? first + CHILDREN : heap->count;
  for (uint32_t i = first + 1; i < end; i++) {
    if (heap->places[i].time_us < heap->places[best].time_us) best = i;
  }
  return best;
}

tm_time_place tm_time_heap_pop(tm_time_heap *heap, tm_budget *budget) {
  assert(heap->count > 0);
  tm_time_place first = heap->places[0], last = heap->places[--heap->count];
  uint32_t at = 0;
  while (at * CHILDREN + 1 < heap->count) {
    uint32_t child = earliest_child(heap, at);
    if (heap->places[child].time_us >= last.time_us) break;
    heap->places[at] = heap->places[child];
    at = child;
  }
  heap->places[at] = last;
  /* Memory that is not to be had for a smaller one does no harm. */
  if (heap->count < heap->capacity / 8 && heap->capacity > CAPACITY_MIN) {
    (void)resize(heap, budget, heap->capacity / 4);
  }
  return first;
}
