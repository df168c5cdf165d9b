/* state/time_list.h: rows of a key in order of time, by id; they come a little out of order, and
 * leave mostly at the front.
 *
 * The order is (time, id). A list is 32 bytes that lie wherever the caller wants and begin as
 * zeros; one row needs no memory besides. A row that leaves from the middle leaves a gap, and gaps
 * go before they are half of the list. */
#ifndef TM_STATE_TIME_LIST_H
#define TM_STATE_TIME_LIST_H

#include "base/memory.h"

typedef struct tm_time_entry {
  int64_t time_us;
  uint32_t id;
  uint32_t gone; /* it left, and only marks its place; the id may be another row's meanwhile */
} tm_time_entry;

typedef struct tm_time_list {
  union {
    tm_time_entry one;  /* capacity 0 */
    struct { tm_time_entry *items; uint32_t first, capacity; } many;
  };
  uint32_t count;       /* entries, gaps included; the first and the last are none */
  uint32_t gaps;
  uint32_t is_many;
  uint32_t unused;
} tm_time_list;

/* For a row that came out of order: it is set aside until the batch is through. */
typedef struct tm_time_stray { tm_time_list *list; tm_time_entry entry; } tm_time_stray;

static inline const tm_time_entry *tm_time_list_entries(const tm_time_list *list) {
  return list->is_many ? list->many.items + list->many.first : &list->one;
}
static inline uint32_t tm_time_list_rows(const tm_time_list *list) {
  return list->count - list->gaps;
}

/* Behind all others where it belongs there: 1. 0: it does not, and must be merged in. -1:
 * memory. */
int tm_time_list_append(tm_time_list *list, tm_budget *budget, int64_t time_us, uint32_t id);
/* Sorts the strays, and merges each into its list. 0 or -1 (memory). */
int tm_time_list_merge(tm_time_stray *strays, uint32_t count, tm_budget *budget);
/* A row that is there. */
void tm_time_list_remove(tm_time_list *list, tm_budget *budget, int64_t time_us, uint32_t id);
/* The first entry whose time is at least that; count where there is none. */
uint32_t tm_time_list_find(const tm_time_list *list, int64_t time_us);
void tm_time_list_deinit(tm_time_list *list, tm_budget *budget);

#endif
