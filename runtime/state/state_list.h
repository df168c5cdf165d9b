/* state/state_list.h: values in a row, with the times at which they were written where the state
 * wants to know: one list of a state. Strings are owned by the list, from the budget. */
#ifndef TM_STATE_STATE_LIST_H
#define TM_STATE_STATE_LIST_H

#include "state/text_map.h"

typedef struct tm_state_list {
  char *values;    /* of the type's width */
  int64_t *times;  /* NULL: not wanted */
  uint32_t first, count, capacity;
  uint32_t width;
  bool timed;
  bool mixed;      /* times may not ascend: one within was written anew */
} tm_state_list;

/* NULL: out of memory. */
tm_state_list *tm_state_list_create(tm_budget *budget, tm_type type, bool timed);
void tm_state_list_destroy(tm_state_list *list, tm_budget *budget, tm_type type); /* NULL: no-op */
/* Room for one more. false: out of memory. */
bool tm_state_list_reserve(tm_state_list *list, tm_budget *budget);

static inline void *tm_state_list_at(const tm_state_list *list, uint32_t index) {
  return list->values + (size_t)(list->first + index) * list->width;
}
static inline int64_t tm_state_list_time(const tm_state_list *list, uint32_t index) {
  return list->timed ? list->times[list->first + index] : 0;
}
tm_cell tm_state_list_get(const tm_state_list *list, uint32_t index);
/* Takes over the cell's string; what was there is the caller's. index == count appends, after
 * reserve. */
void tm_state_list_set(tm_state_list *list, uint32_t index, const tm_cell *value,
                       int64_t written_us);
/* Frees the values written before `from_us`; *least becomes the earliest time that is left. */
void tm_state_list_expire(tm_state_list *list, tm_budget *budget, tm_type type, int64_t from_us,
                          int64_t *least);

#endif
