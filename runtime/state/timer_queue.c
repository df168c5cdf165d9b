/* state/timer_queue.c: a binary heap for each kind of time, whose places carry the times, so that
 * ordering seldom looks at a timer; and a key_map that finds timers by the address of their key
 * and their name. */
#include "state/timer_queue.h"

#include <assert.h>

enum { HEAP_MIN = 16 };

_Static_assert(sizeof(tm_timer) % 16 == 0, "a payload is a multiple of 16 bytes");

void tm_timer_queue_init(tm_timer_queue *queue, tm_budget *budget) {
  *queue = (tm_timer_queue){.budget = budget};
  tm_key_map_init(&queue->timers, budget, sizeof(tm_timer));
}

void tm_timer_queue_deinit(tm_timer_queue *queue) {
  tm_key_map_deinit(&queue->timers);
  for (int i = 0; i < 2; i++) {
    tm_timer_heap *heap = &queue->heaps[i];
    tm_free(queue->budget, heap->places, heap->capacity * sizeof *heap->places);
    *heap = (tm_timer_heap){0};
  }
}

/* ------------------------------------------------------------------ names */

static tm_key_entry *entry_of(const tm_timer *timer) { return (tm_key_entry *)timer - 1; }

const char *tm_timer_name(const tm_timer *timer, size_t *out_size) {
  const tm_key_entry *entry = entry_of(timer);
  *out_size = entry->size - sizeof(tm_key_entry *);
  return (const char *)tm_key_entry_bytes(entry) + sizeof(tm_key_entry *);
}

/* The address of the key, then the name. */
static uint64_t make_id(const tm_key_entry *key, const char *name, size_t size, char *out) {
  memcpy(out, &key, sizeof(const tm_key_entry *));
  if (size > 0) memcpy(out + sizeof(const tm_key_entry *), name, size);
  return tm_hash_bytes(out, sizeof(const tm_key_entry *) + size);
}

tm_timer *tm_timer_queue_find(const tm_timer_queue *queue, const tm_key_entry *key,
                              const char *name, size_t size) {
  char id[sizeof(tm_key_entry *) + TM_TIMER_NAME_MAX];
  if (size > TM_TIMER_NAME_MAX) return NULL;
  uint64_t hash = make_id(key, name, size, id);
  tm_key_entry *entry =
      tm_key_map_find(&queue->timers, id, sizeof(tm_key_entry *) + size, hash);
  return entry == NULL ? NULL : tm_key_entry_payload(entry);
}

/* ------------------------------------------------------------------ heaps */

static int compare(const tm_timer_place *a, const tm_timer_place *b) {
  if (a->at_us != b->at_us) return a->at_us < b->at_us ? -1 : 1;
  if (a->timer->key != b->timer->key) {
    return tm_key_entry_compare(a->timer->key, b->timer->key);
  }
  size_t a_size, b_size;
  const char *a_name = tm_timer_name(a->timer, &a_size), *b_name = tm_timer_name(b->timer, &b_size);
  int order = memcmp(a_name, b_name, a_size < b_size ? a_size : b_size);
  return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

static void put(tm_timer_heap *heap, uint32_t at, tm_timer_place place) {
  heap->places[at] = place;
  place.timer->place = at;
}

/* The hole at `at` moves to where the place belongs. */
static void sift_up(tm_timer_heap *heap, uint32_t at, tm_timer_place place) {
  while (at > 0) {
    uint32_t parent = (at - 1) / 2;
    if (compare(&heap->places[parent], &place) <= 0) break;
    put(heap, at, heap->places[parent]);
    at = parent;
  }
  put(heap, at, place);
}

static void sift_down(tm_timer_heap *heap, uint32_t at, tm_timer_place place) {
  for (;;) {
    uint32_t child = 2 * at + 1;
    if (child >= heap->count) break;
    if (child + 1 < heap->count && compare(&heap->places[child + 1], &heap->places[child]) < 0) {
      child++;
    }
    if (compare(&place, &heap->places[child]) <= 0) break;
    put(heap, at, heap->places[child]);
    at = child;
  }
  put(heap, at, place);
}

static void settle(tm_timer_heap *heap, uint32_t at, tm_timer_place place) {
  if (at > 0 && compare(&place, &heap->places[(at - 1) / 2]) < 0) sift_up(heap, at, place);
  else sift_down(heap, at, place);
}

static void take_out(tm_timer_heap *heap, uint32_t at) {
  tm_timer_place last = heap->places[--heap->count];
  if (at < heap->count) settle(heap, at, last);
}

/* A place for each timer that there is, in both heaps: whichever it is set to, it finds one. */
static bool reserve(tm_timer_queue *queue, tm_timer_heap *heap) {
  if (queue->timers.count < heap->capacity) return true;
  uint32_t capacity = heap->capacity == 0 ? HEAP_MIN : heap->capacity * 2;
  if (capacity < heap->capacity) return false;
  tm_timer_place *places = tm_realloc(queue->budget, heap->places,
                                      heap->capacity * sizeof *places, capacity * sizeof *places);
  if (places == NULL) return false;
  heap->places = places;
  heap->capacity = capacity;
  return true;
}

/* ------------------------------------------------------------------ timers */

tm_timer *tm_timer_queue_insert(tm_timer_queue *queue, tm_key_entry *key, const char *name,
                                size_t size) {
  char id[sizeof(tm_key_entry *) + TM_TIMER_NAME_MAX];
  assert(size <= TM_TIMER_NAME_MAX);
  if (!reserve(queue, &queue->heaps[0]) || !reserve(queue, &queue->heaps[1])) return NULL;
  uint64_t hash = make_id(key, name, size, id);
  tm_key_entry *entry =
      tm_key_map_insert(&queue->timers, id, sizeof(tm_key_entry *) + size, hash);
  if (entry == NULL) return NULL;
  tm_timer *timer = tm_key_entry_payload(entry);
  if (timer->key == NULL) *timer = (tm_timer){.key = key, .place = TM_TIMER_ASLEEP};
  return timer;
}

void tm_timer_queue_cancel(tm_timer_queue *queue, tm_timer *timer) {
  if (timer->place == TM_TIMER_ASLEEP) return;
  take_out(&queue->heaps[timer->processing], timer->place);
  timer->place = TM_TIMER_ASLEEP;
}

void tm_timer_queue_set(tm_timer_queue *queue, tm_timer *timer, int64_t at_us, bool processing) {
  tm_timer_place place = {at_us, timer};
  tm_timer_heap *heap = &queue->heaps[processing];
  if (timer->place != TM_TIMER_ASLEEP && timer->processing != processing) {
    tm_timer_queue_cancel(queue, timer);
  }
  timer->at_us = at_us;
  timer->processing = processing;
  if (timer->place != TM_TIMER_ASLEEP) {
    settle(heap, timer->place, place);
    return;
  }
  assert(heap->count < heap->capacity);
  sift_up(heap, heap->count++, place);
}

void tm_timer_queue_remove(tm_timer_queue *queue, tm_timer *timer) {
  tm_timer_queue_cancel(queue, timer);
  tm_key_map_remove(&queue->timers, entry_of(timer));
}
