/* state/window_span.h: the groups of a run of slices that moves on: slices come, the oldest go.
 *
 * What a slice costs goes by its own groups, not by how many slices there are. Sums and counts of
 * a slice are added when it comes and subtracted when it goes, which is exact. What cannot be taken
 * back, as a maximum, lies in two stacks (K. Tangwongsan et al., "General Incremental
 * Sliding-Window Aggregation", 2015), kept per group: `front` is the merge of the older slices, and
 * each of them knows what its groups are once it has gone; `back` is that of the newer ones. Once
 * the front is empty all slices become it. Values for quantiles are gathered for each result.
 *
 * Invariant: a group of the span has rows in it as long as some slice has it, and its number stays
 * until the span is made anew, which is when half of the groups have no rows any more. Nothing of a
 * span is saved: slices that are restored enter it again. */
#ifndef TM_STATE_WINDOW_SPAN_H
#define TM_STATE_WINDOW_SPAN_H

#include "state/group_table.h"

typedef struct tm_window_span tm_window_span;

/* A slice as a span knows it; the caller's memory, zeroed but for what is given. */
typedef struct tm_span_slice {
  /* given */
  const tm_group_table *table; /* sealed; perhaps frozen */
  const uint32_t *ids;     /* its groups; NULL: all */
  uint32_t count;
  int64_t order;           /* slices go in this order */
  /* the span's */
  uint32_t *to;            /* groups of the span, by number of the group */
  tm_part **after;         /* what these are without it and older slices; NULL: not in front */
  uint32_t at;             /* groups that are done */
  bool in;
} tm_span_slice;

/* The plan is `counted`. keeps_groups: those without rows stay for ever. NULL with err. */
tm_window_span *tm_window_span_create(tm_budget *budget, const tm_group_plan *plan,
                                      const uint8_t *needed, bool keeps_groups, tm_error *err);
/* Slices that are still in it must have been forgotten, or are forgotten then. */
void tm_window_span_destroy(tm_window_span *span); /* NULL is a no-op */

/* Each: 1: call again with the same arguments; 0: done; -1 with err. A slice that goes is the
 * oldest that is in. */
int tm_window_span_enter_step(tm_window_span *span, tm_span_slice *slice, tm_error *err);
int tm_window_span_leave_step(tm_window_span *span, tm_span_slice *slice, tm_error *err);
/* Makes ready what read_step reads. */
int tm_window_span_settle_step(tm_window_span *span, tm_error *err);

/* The slice that is in and goes first, and last; NULL: none is in. */
tm_span_slice *tm_window_span_oldest(const tm_window_span *span);
tm_span_slice *tm_window_span_newest(const tm_window_span *span);
/* Groups of all keys of a table, without rows where they are new. 0 or -1 with err. */
int tm_window_span_join(tm_window_span *span, const tm_key_table *keys, tm_error *err);

/* Sealed after settle: groups with rows are those of the slices that are in. */
tm_group_table *tm_window_span_table(tm_window_span *span);

/* Frees what the span keeps of a slice, which is not in any more, or is about to go with it. */
void tm_window_span_forget(tm_window_span *span, tm_span_slice *slice);
/* All slices are out at once; they are forgotten. */
int tm_window_span_clear(tm_window_span *span, tm_error *err);

#endif
