/* state/window_parts.h: what window slices look like inside, for window_slices.c and window_tell.c
 * alone. */
#ifndef TM_STATE_WINDOW_PARTS_H
#define TM_STATE_WINDOW_PARTS_H

#include "state/window_slices.h"
#include "state/window_span.h"

enum { TM_WINDOW_SPARE = 4 };

typedef struct tm_slice {
  tm_span_slice in;       /* as the span knows it */
  tm_window time;
  int64_t floor_us;       /* only windows that end later take it in; TM_TIME_NONE: all */
  tm_window last;         /* of its windows */
  tm_group_table *table;
  uint64_t seal;          /* number of the round in which it was sealed; 0: it takes rows */
  bool fresh;             /* it is in the list of those */
  bool behind;            /* it may enter the span later than others of its time */
} tm_slice;

/* A window that was told and can be told anew. */
typedef struct tm_told {
  tm_window window;
  uint64_t seal;          /* it has told slices up to this round */
} tm_told;

typedef enum tm_tell_phase {
  TELL_IDLE, TELL_SEALING, TELL_LEAVING, TELL_ENTERING, TELL_SETTLING, TELL_READY,
} tm_tell_phase;

struct tm_window_slices {
  tm_budget *budget;
  const tm_group_plan *plan;
  const uint8_t *needed;
  const tm_window_shape *shape;
  tm_window_judge judge;
  tm_group_scratch *scratch;
  tm_group_table *spare[TM_WINDOW_SPARE]; /* cleared */
  uint32_t spare_count;
  bool copies;            /* tables can be merged into one: no part keeps to those it is made of */
  tm_slice **items;       /* by start, of one start as they were made: head … end-1 */
  uint32_t head, end, room;
  tm_slice *found;        /* that was asked for last */
  uint64_t seals;         /* rounds of sealing so far */
  tm_window_span *span;   /* where windows overlap */
  uint32_t behind;        /* slices that are, and not in the span */
  /* windows that can be told anew, in order */
  tm_told *told;
  uint32_t told_count, told_room;
  tm_slice **fresh;       /* slices that came for windows that were told */
  uint32_t fresh_count, fresh_room;
  int64_t ticked_us;      /* early: multiples up to here are through */
  bool ticks;             /* windows are being told early, */
  tm_window tick;         /* this one was the last; end TM_TIME_NONE: none */
  /* filling */
  tm_key_table *known;    /* groups of windows so far; NULL without */
  /* what is being told */
  tm_tell_phase phase;
  tm_window window;
  tm_slice *single;       /* its table is what is told, */
  tm_group_table *made, *old; /* or these, which were made for it, or the span's */
  bool change;            /* they are of what changed */
  bool fires;             /* else it has fired before, or is told early */
};

/* window_slices.c ---------------------------------------------------------------------------- */

int tm_window_no_memory(tm_error *err);
tm_group_table *tm_window_new_table(tm_window_slices *s, tm_error *err);
void tm_window_free_table(tm_window_slices *s, tm_group_table *taken);
/* The first item that starts at or after time_us. */
uint32_t tm_window_lower_bound(const tm_window_slices *s, int64_t time_us);
static inline bool tm_window_holds(tm_window window, const tm_slice *one) {
  return one->time.start_us >= window.start_us && one->time.start_us < window.end_us &&
         one->floor_us < window.end_us;
}
/* Takes the item out of the list and frees it; it is in no span. */
void tm_window_free_item(tm_window_slices *s, uint32_t index);

#endif
