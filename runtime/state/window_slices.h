/* state/window_slices.h: the slices of open windows, and the windows put together from them.
 *
 * Time is cut into slices in which no window begins or ends; rows are aggregated once, in the table
 * of their slice, and a window is the merge of a run of slices (J. Li et al., "No Pane, No Gain",
 * 2005). Where windows overlap a span (window_span.h) holds the slices of the window that is fired.
 *
 * What was sealed to be merged stays as it is: rows that come later for the same slice lie in
 * another one beside it. So do rows that only the later of its windows may take in, those that end
 * after a floor.
 *
 * A window that has fired can be told anew until `lateness_us` later, and before it fires where
 * windows are told early: for groups that changed, what they were and what they are. */
#ifndef TM_STATE_WINDOW_SLICES_H
#define TM_STATE_WINDOW_SLICES_H

#include "state/group_table.h"
#include "state/window_judge.h"

/* Whether the plan of such windows must be `counted`. */
bool tm_window_shape_counts(const tm_window_shape *shape);

typedef struct tm_window_slices tm_window_slices;

/* A window that is told. Where the plan is counted groups without rows say nothing, unless windows
 * are filled. */
typedef struct tm_window_told {
  tm_window window;
  tm_group_table *table; /* can be read; NULL: there is no window */
  tm_group_table *old;   /* the same groups as they were told before; NULL: never */
} tm_window_told;

/* Plan, shape and needed live as long. NULL when out of memory. */
tm_window_slices *tm_window_slices_create(tm_budget *budget, const tm_group_plan *plan,
                                          const uint8_t *needed, const tm_window_shape *shape,
                                          tm_error *err);
void tm_window_slices_destroy(tm_window_slices *slices); /* NULL is a no-op */

/* Which windows rows can be in; its watermark is moved by whoever has the slices, and then windows
 * that end by it can be told. */
tm_window_judge *tm_window_slices_judge(tm_window_slices *slices);
/* The table for rows that are PLAIN (mark_us is TM_TIME_NONE), or for one that is EXTRA. Good until
 * the next call. NULL with err. */
tm_group_table *tm_window_slices_find(tm_window_slices *slices, tm_window slice, int64_t mark_us,
                                      tm_error *err);

/* Makes the next window that can be told. 1: call again; 0: *told is set, and holds until
 * tm_window_slices_drop(); -1 with err. */
int tm_window_slices_tell_step(tm_window_slices *slices, tm_window_told *told, tm_error *err);
/* What was told last is through. 0 or -1 with err. */
int tm_window_slices_drop(tm_window_slices *slices, tm_error *err);
/* No window that is told later ends at or before it, but for those that are told anew. */
int64_t tm_window_slices_come_to(const tm_window_slices *slices);

/* Between two windows, or while one is being made: it is made anew. */
void tm_window_slices_save(const tm_window_slices *slices, tm_record_writer *writer);
int tm_window_slices_restore(tm_window_slices *slices, tm_record_reader *reader, tm_error *err);

#endif
