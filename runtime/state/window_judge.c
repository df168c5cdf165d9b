/* state/window_judge.c: see window_judge.h. */
#include "state/window_judge.h"

#include <assert.h>

void tm_window_judge_init(tm_window_judge *j, const tm_window_shape *shape) {
  *j = (tm_window_judge){.shape = shape, .watermark_us = TM_TIME_NONE,
                         .fired = {TM_TIME_NONE, TM_TIME_NONE}};
}

tm_window tm_window_judge_slice(tm_window_judge *j, int64_t time_us) {
  if (j->shape->instants) {
    return (tm_window){time_us, time_us == INT64_MAX ? time_us : time_us + 1};
  }
  return tm_window_grid_slice(&j->shape->grid, time_us, &j->regions);
}

static tm_window first_window(tm_window_judge *j, int64_t start_us, int64_t end_us) {
  if (j->shape->instants) return (tm_window){start_us, end_us};
  return tm_window_grid_first(&j->shape->grid, start_us, &j->regions);
}

tm_window tm_window_judge_last(tm_window_judge *j, tm_window slice) {
  if (j->shape->instants) return slice;
  return tm_window_grid_last(&j->shape->grid, slice.start_us, &j->regions);
}

tm_window tm_window_judge_after(tm_window_judge *j, int64_t start_us, int64_t bound_us) {
  tm_window w = first_window(j, start_us, start_us + 1);
  if (w.end_us > bound_us) return w;
  assert(tm_window_shape_overlaps(j->shape) && "else there is one window");
  /* Of windows that end together, those behind the one that fired come after it. */
  if (bound_us == j->fired.end_us) {
    tm_window next = tm_window_grid_next(&j->shape->grid, j->fired, &j->regions);
    if (next.end_us == bound_us && next.start_us <= start_us) return next;
  }
  return tm_window_grid_first(&j->shape->grid, bound_us, &j->regions);
}

tm_window tm_window_judge_next(tm_window_judge *j, tm_window w) {
  if (j->shape->instants) return (tm_window){w.end_us, w.end_us};
  return tm_window_grid_next(&j->shape->grid, w, &j->regions);
}

tm_slice_answer tm_window_judge_rows(tm_window_judge *j, tm_window slice, int64_t mark_us) {
  int64_t closed_us = tm_window_less(mark_us, j->shape->lateness_us);
  int64_t first_us = first_window(j, slice.start_us, slice.end_us).end_us;
  if (first_us > closed_us && first_us > j->watermark_us) return TM_SLICE_PLAIN;
  int64_t last_us = tm_window_judge_last(j, slice).end_us;
  if (last_us <= closed_us) return TM_SLICE_LATE;
  if (last_us <= tm_window_less(j->watermark_us, j->shape->lateness_us)) {
    return TM_SLICE_AFTER_IDLE;
  }
  return TM_SLICE_EXTRA;
}

int64_t tm_window_judge_floor(tm_window_judge *j, tm_window slice, int64_t mark_us) {
  int64_t closed_us = tm_window_less(mark_us, j->shape->lateness_us);
  if (mark_us == TM_TIME_NONE) return TM_TIME_NONE;
  if (first_window(j, slice.start_us, slice.end_us).end_us > closed_us) return TM_TIME_NONE;
  return tm_window_judge_after(j, slice.start_us, closed_us).end_us - 1;
}
