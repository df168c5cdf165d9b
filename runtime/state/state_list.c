/* state/state_list.c: an array with room at both ends: what expires leaves mostly in front. */
#include "state/state_list.h"

#include <assert.h>

enum { CAPACITY_MIN = 4, CAPACITY_MAX = 1 << 30 };

tm_state_list *tm_state_list_create(tm_budget *budget, tm_type type, bool timed) {
  tm_state_list *list = tm_alloc_zero(budget, sizeof *list);
  if (list == NULL) return NULL;
  list->width = (uint32_t)tm_type_width(type);
  list->timed = timed;
  return list;
}

static void free_arrays(tm_state_list *list, tm_budget *budget) {
  tm_free(budget, list->values, (size_t)list->capacity * list->width);
  if (list->timed) tm_free(budget, list->times, list->capacity * sizeof *list->times);
}

void tm_state_list_destroy(tm_state_list *list, tm_budget *budget, tm_type type) {
  if (list == NULL) return;
  for (uint32_t i = 0; i < list->count; i++) {
    tm_cell cell = tm_state_list_get(list, i);
    tm_cell_free(budget, type, &cell);
  }
  free_arrays(list, budget);
  tm_free(budget, list, sizeof *list);
}

static void move_to_front(tm_state_list *list) {
  memmove(list->values, tm_state_list_at(list, 0), (size_t)list->count * list->width);
  if (list->timed) {
    memmove(list->times, list->times + list->first, list->count * sizeof *list->times);
  }
  list->first = 0;
}

bool tm_state_list_reserve(tm_state_list *list, tm_budget *budget) {
  if (list->first + list->count < list->capacity) return true;
  if (list->first > list->capacity / 2) {
    move_to_front(list);
    return true;
  }
  if (list->capacity == CAPACITY_MAX) return false;
  uint32_t capacity = list->capacity == 0 ? CAPACITY_MIN : list->capacity * 2;
  char *values = tm_alloc(budget, (size_t)capacity * list->width);
  int64_t *times = list->timed && values != NULL ? tm_alloc(budget, capacity * sizeof *times)
                                                 : NULL;
  if (values == NULL || (list->timed && times == NULL)) {
    if (values != NULL) tm_free(budget, values, (size_t)capacity * list->width);
    return false;
  }
  if (list->count > 0) memcpy(values, tm_state_list_at(list, 0), (size_t)list->count * list->width);
  if (list->timed && list->count > 0) {
    memcpy(times, list->times + list->first, list->count * sizeof *times);
  }
  free_arrays(list, budget);
  list->values = values;
  list->times = times;
  list->capacity = capacity;
  list->first = 0;
  return true;
}

tm_cell tm_state_list_get(const tm_state_list *list, uint32_t index) {
  tm_cell cell = {.wide = 0};
  memcpy(&cell, tm_state_list_at(list, index), list->width);
  return cell;
}

void tm_state_list_set(tm_state_list *list, uint32_t index, const tm_cell *value,
                       int64_t written_us) {
  assert(list->first + index < list->capacity && index <= list->count);
  memcpy(tm_state_list_at(list, index), value, list->width);
  if (list->timed) list->times[list->first + index] = written_us;
  if (index == list->count) list->count++;
  else if (index + 1 < list->count) list->mixed = list->timed;
}

void tm_state_list_expire(tm_state_list *list, tm_budget *budget, tm_type type, int64_t from_us,
                          int64_t *least) {
  uint32_t kept = 0, dropped = 0;
  *least = INT64_MAX;
  while (dropped < list->count && tm_state_list_time(list, dropped) < from_us) {
    tm_cell cell = tm_state_list_get(list, dropped++);
    tm_cell_free(budget, type, &cell);
  }
  list->first += dropped;
  list->count -= dropped;
  if (!list->mixed) {
    if (list->count > 0) *least = tm_state_list_time(list, 0);
    return;
  }
  for (uint32_t i = 0; i < list->count; i++) {
    int64_t time = tm_state_list_time(list, i);
    tm_cell cell = tm_state_list_get(list, i);
    if (time < from_us) {
      tm_cell_free(budget, type, &cell);
      continue;
    }
    if (time < *least) *least = time;
    if (kept != i) {
      memcpy(tm_state_list_at(list, kept), &cell, list->width);
      list->times[list->first + kept] = time;
    }
    kept++;
  }
  list->count = kept;
  list->mixed = kept > 0;
}
