/* state/window_slices.h: the slices of open windows, and the windows put together from them.
 *
 * Time is cut into slices in which no window begins or ends; rows are aggregated once, in the table
 * of their slice, and a window is the merge of a run of slices (J. Li et al., "No Pane, No Gain",
 * 2005). Where windows overlap the merges are kept in two stacks (K. Tangwongsan et al., "General
 * Incremental Sliding-Window Aggregation", 2015): behind a cut merged ever further to the front,
 * before it merged as slices come, so that a window costs a few merges, however many slices it has.
 *
 * A row that comes when windows of its slice have fired, or are closed for it by its own
 * partition's watermark, lies in an extra slice, which only the windows that end later take in. */
#ifndef TM_STATE_WINDOW_SLICES_H
#define TM_STATE_WINDOW_SLICES_H

#include "kernel/window_grid.h"
#include "state/group_table.h"

/* How rows lie in windows. */
typedef struct tm_window_shape {
  tm_window_grid grid;
  bool instants; /* no grid: every different time is a window [t, t + 1) of its own */
} tm_window_shape;

typedef struct tm_window_slices tm_window_slices;

/* What rows of a slice meet. */
typedef enum tm_slice_answer {
  TM_SLICE_PLAIN,      /* none of its windows is closed; so are those of later slices */
  TM_SLICE_EXTRA,      /* some are, for them or for all */
  TM_SLICE_LATE,       /* all are closed by the row's own mark */
  TM_SLICE_AFTER_IDLE, /* all have fired, though its own mark would let it in */
} tm_slice_answer;

/* Plan, shape and needed live as long. NULL when out of memory. */
tm_window_slices *tm_window_slices_create(tm_budget *budget, const tm_group_plan *plan,
                                          const uint8_t *needed, const tm_window_shape *shape,
                                          tm_error *err);
void tm_window_slices_destroy(tm_window_slices *slices); /* NULL is a no-op */

/* The slice that an instant lies in. */
tm_window tm_window_slices_slice(tm_window_slices *slices, int64_t time_us);
/* Of rows of one slice, whose marks are at most mark_us. */
tm_slice_answer tm_window_slices_judge(tm_window_slices *slices, tm_window slice,
                                       int64_t mark_us);
/* The table for rows that are PLAIN with that mark, or for one that is EXTRA. Good until the next
 * call. NULL with err. */
tm_group_table *tm_window_slices_find(tm_window_slices *slices, tm_window slice, int64_t mark_us,
                                      tm_error *err);

/* Time has come to watermark_us: windows that end by then can be fired. */
void tm_window_slices_advance(tm_window_slices *slices, int64_t watermark_us);
/* Makes the next of them. 1: call again; 0: *window and *table are set, the table is sealed and can
 * be read until tm_window_slices_drop(), or *table is NULL: there is none; -1 with err. */
int tm_window_slices_fire_step(tm_window_slices *slices, tm_window *window, tm_group_table **table,
                               tm_error *err);
/* The window that was fired last is through. */
void tm_window_slices_drop(tm_window_slices *slices);

/* Between two windows, or while one is being made: it is made anew. */
void tm_window_slices_save(const tm_window_slices *slices, tm_record_writer *writer);
int tm_window_slices_restore(tm_window_slices *slices, tm_record_reader *reader, tm_error *err);

#endif
