/* operator/window_split.h: the rows of a batch by the slices of their windows, late ones out; for
 * steps with fixed windows. */
#ifndef TM_OPERATOR_WINDOW_SPLIT_H
#define TM_OPERATOR_WINDOW_SPLIT_H

#include "operator/window_plan.h"
#include "state/window_judge.h"

typedef struct tm_window_split {
  const tm_stage_env *env;
  tm_window_judge *judge;
  int64_t wait_us;          /* windows close so much later, instead of being told anew */
  tm_time_region region;
} tm_window_split;

/* How windows of the plan are told in a job; instants: there is none, each time is one. */
tm_window_shape tm_window_split_shape(const tm_bind *bind, const tm_window_plan *plan,
                                      bool instants);
tm_window_split tm_window_split_make(const tm_stage_env *env, const tm_window_plan *plan,
                                     tm_window_judge *judge);
/* A mark or watermark, less what windows wait. */
int64_t tm_window_split_waited(const tm_window_split *split, int64_t us);

/* The wall clock becomes the time of all rows. 0 or -1 (memory). */
int tm_window_split_set_times(tm_batch *batch, int64_t now_us);

/* Late rows leave the selection of the batch (owned) and go to `out`. *extra: in the arena, a byte
 * a row, 1 where only some of its windows take it; NULL: there is no such row. watermark_us is the
 * step's, for messages. 0 or -1 with err. */
int tm_window_split_drop_late(tm_window_split *split, tm_batch *batch, int64_t watermark_us,
                              tm_arena *arena, uint8_t **extra, tm_out *out, tm_error *err);

/* Takes rows of one slice and one mark; while it does, they are the batch's selection. 0 or -1. */
typedef int (*tm_window_take)(void *context, tm_batch *batch, tm_window slice, int64_t mark_us,
                              tm_error *err);
/* Gives each of the selected rows to `take`: those of a slice together, in their order, with
 * TM_TIME_NONE as mark; those of `extra` one by one. */
int tm_window_split_rows(tm_window_split *split, tm_batch *batch, const uint8_t *extra,
                         tm_arena *arena, tm_window_take take, void *context, tm_error *err);

#endif
