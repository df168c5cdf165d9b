/* state/time_list.c: see time_list.h. */
#include "state/time_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 4, SHRINK_FROM = 64 };

static bool is_less(int64_t a_us, uint32_t a, int64_t b_us, uint32_t b) {
  return a_us != b_us ? a_us < b_us : a < b;
}

static tm_time_entry *entries(tm_time_list *list) {
  return list->is_many ? list->many.items + list->many.first : &list->one;
}

void tm_time_list_deinit(tm_time_list *list, tm_budget *budget) {
  if (list->is_many) {
    tm_free(budget, list->many.items, list->many.capacity * sizeof(tm_time_entry));
  }
  *list = (tm_time_list){.count = 0};
}

/* ---------------------------------------------------------------- room */

static bool make_many(tm_time_list *list, tm_budget *budget, uint32_t wanted) {
  uint32_t capacity = wanted < FEW ? FEW : wanted;
  tm_time_entry *items = tm_alloc(budget, capacity * sizeof *items);
  if (items == NULL) return false;
  if (list->count > 0) items[0] = list->one;
  list->many.items = items;
  list->many.first = 0;
  list->many.capacity = capacity;
  list->is_many = 1;
  return true;
}

/* Room for `more` behind the last. */
static bool reserve(tm_time_list *list, tm_budget *budget, uint32_t more) {
  uint32_t wanted = list->count + more;
  if (wanted < list->count) return false;
  if (!list->is_many) return wanted <= 1 || make_many(list, budget, wanted);
  if (list->many.first + wanted <= list->many.capacity) return true;
  uint32_t capacity = list->many.capacity;
  if (wanted <= capacity / 4 * 3) { /* those that left made room at the front */
    memmove(list->many.items, entries(list), list->count * sizeof(tm_time_entry));
    list->many.first = 0;
    return true;
  }
  while (capacity < wanted) {
    if (capacity > UINT32_MAX / 2) return false;
    capacity *= 2;
  }
  if (capacity == list->many.capacity) capacity *= 2;
  tm_time_entry *items = tm_alloc(budget, capacity * sizeof *items);
  if (items == NULL) return false;
  memcpy(items, entries(list), list->count * sizeof *items);
  tm_free(budget, list->many.items, list->many.capacity * sizeof *items);
  list->many.items = items;
  list->many.first = 0;
  list->many.capacity = capacity;
  return true;
}

/* A list that is nearly empty gives memory back; where none is to be had for that, it does not. */
static void shrink(tm_time_list *list, tm_budget *budget) {
  if (!list->is_many || list->many.capacity < SHRINK_FROM) return;
  if (list->count > list->many.capacity / 8) return;
  uint32_t capacity = list->many.capacity / 4;
  tm_time_entry *items = tm_alloc(budget, capacity * sizeof *items);
  if (items == NULL) return;
  memcpy(items, entries(list), list->count * sizeof *items);
  tm_free(budget, list->many.items, list->many.capacity * sizeof *items);
  list->many.items = items;
  list->many.first = 0;
  list->many.capacity = capacity;
}

/* ---------------------------------------------------------------- rows in */

int tm_time_list_append(tm_time_list *list, tm_budget *budget, int64_t time_us, uint32_t id) {
  const tm_time_entry *last = list->count > 0 ? &entries(list)[list->count - 1] : NULL;
  if (last != NULL && is_less(time_us, id, last->time_us, last->id)) return 0;
  if (!reserve(list, budget, 1)) return -1;
  entries(list)[list->count++] = (tm_time_entry){.time_us = time_us, .id = id};
  return 1;
}

static int compare_strays(const void *left, const void *right) {
  const tm_time_stray *a = left, *b = right;
  if (a->list != b->list) return (uintptr_t)a->list < (uintptr_t)b->list ? -1 : 1;
  return is_less(a->entry.time_us, a->entry.id, b->entry.time_us, b->entry.id) ? -1 : 1;
}

/* From the back, so that only what stands behind the first of them moves. */
static bool merge(tm_time_list *list, tm_budget *budget, const tm_time_stray *strays,
                  uint32_t count) {
  if (!reserve(list, budget, count)) return false;
  tm_time_entry *items = entries(list);
  uint32_t old = list->count, new = count, to = list->count + count;
  while (new > 0) {
    const tm_time_entry *stray = &strays[new - 1].entry;
    bool goes = old > 0 && is_less(stray->time_us, stray->id, items[old - 1].time_us,
                                   items[old - 1].id);
    items[--to] = goes ? items[--old] : strays[--new].entry;
  }
  list->count += count;
  return true;
}

int tm_time_list_merge(tm_time_stray *strays, uint32_t count, tm_budget *budget) {
  if (count > 1) qsort(strays, count, sizeof *strays, compare_strays);
  for (uint32_t i = 0; i < count;) {
    uint32_t end = i + 1;
    while (end < count && strays[end].list == strays[i].list) end++;
    if (!merge(strays[i].list, budget, strays + i, end - i)) return -1;
    i = end;
  }
  return 0;
}

/* ---------------------------------------------------------------- rows out */

uint32_t tm_time_list_find(const tm_time_list *list, int64_t time_us) {
  const tm_time_entry *items = tm_time_list_entries(list);
  uint32_t from = 0, to = list->count;
  while (from < to) {
    uint32_t middle = from + (to - from) / 2;
    if (items[middle].time_us < time_us) from = middle + 1;
    else to = middle;
  }
  return from;
}

/* A gap may have the same time and id. */
static uint32_t place_of(tm_time_list *list, int64_t time_us, uint32_t id) {
  const tm_time_entry *items = entries(list);
  uint32_t from = 0, to = list->count;
  while (from < to) {
    uint32_t middle = from + (to - from) / 2;
    if (is_less(items[middle].time_us, items[middle].id, time_us, id)) from = middle + 1;
    else to = middle;
  }
  while (from < list->count && items[from].gone) from++;
  return from;
}

static void drop_gaps(tm_time_list *list) {
  tm_time_entry *items = entries(list);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < list->count; i++) {
    items[kept] = items[i];
    kept += !items[i].gone;
  }
  list->count = kept;
  list->gaps = 0;
}

/* No gap stands at either end. */
static void trim(tm_time_list *list) {
  for (; list->count > 0 && entries(list)->gone; list->count--, list->gaps--) {
    list->many.first++;
  }
  while (list->count > 0 && entries(list)[list->count - 1].gone) {
    list->count--;
    list->gaps--;
  }
}

void tm_time_list_remove(tm_time_list *list, tm_budget *budget, int64_t time_us, uint32_t id) {
  uint32_t at = place_of(list, time_us, id);
  assert(at < list->count && entries(list)[at].id == id);
  if (tm_time_list_rows(list) == 1) {
    tm_time_list_deinit(list, budget);
    return;
  }
  entries(list)[at].gone = 1; /* more than one: it is a list of many */
  list->gaps++;
  trim(list);
  if (list->gaps > list->count / 2) drop_gaps(list);
  shrink(list, budget);
}
