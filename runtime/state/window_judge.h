/* state/window_judge.h: which windows a row can be in: those that are not closed, by its own mark
 * or because they were told. */
#ifndef TM_STATE_WINDOW_JUDGE_H
#define TM_STATE_WINDOW_JUDGE_H

#include "column/batch.h"
#include "kernel/window_grid.h"

/* How rows lie in windows, and when these are told. */
typedef struct tm_window_shape {
  tm_window_grid grid;
  bool instants;       /* no grid: every different time is a window [t, t + 1) of its own */
  int64_t lateness_us; /* windows that have fired can be told anew for so long; 0: never */
  int64_t early_us;    /* windows are told whenever time passes a multiple of it; 0: never */
  bool fill;           /* a group comes in every window from its first one up to the last one of
                          all; then there is neither lateness nor telling early */
  bool fill_idle;      /* and up to the watermark, too */
} tm_window_shape;

static inline bool tm_window_shape_overlaps(const tm_window_shape *shape) {
  return !shape->instants && shape->grid.kind != TM_WINDOW_TUMBLING;
}

/* What rows of a slice meet. */
typedef enum tm_slice_answer {
  TM_SLICE_PLAIN,      /* none of its windows has fired; so it is for later slices */
  TM_SLICE_EXTRA,      /* some have, or are closed for the row */
  TM_SLICE_LATE,       /* all are closed by the row's own mark */
  TM_SLICE_AFTER_IDLE, /* all are closed, though its own mark would let it in */
} tm_slice_answer;

typedef struct tm_window_judge {
  const tm_window_shape *shape;
  tm_window_regions regions;
  int64_t watermark_us;
  tm_window fired;        /* the last one; end TM_TIME_NONE: none */
} tm_window_judge;

void tm_window_judge_init(tm_window_judge *judge, const tm_window_shape *shape);

/* Time has come to watermark_us. */
static inline void tm_window_judge_advance(tm_window_judge *judge, int64_t watermark_us) {
  if (watermark_us > judge->watermark_us) judge->watermark_us = watermark_us;
}
/* The slice that an instant lies in. */
tm_window tm_window_judge_slice(tm_window_judge *judge, int64_t time_us);
/* Of rows of one slice, whose marks are at most mark_us. */
tm_slice_answer tm_window_judge_rows(tm_window_judge *judge, tm_window slice, int64_t mark_us);
/* Windows that end later take in a row of the slice with that mark; TM_TIME_NONE: all do. The same
 * for marks that tell the same windows. */
int64_t tm_window_judge_floor(tm_window_judge *judge, tm_window slice, int64_t mark_us);

/* The last window of a slice, and the first one that ends after bound_us, of a slice that starts
 * there and has one. */
tm_window tm_window_judge_last(tm_window_judge *judge, tm_window slice);
tm_window tm_window_judge_after(tm_window_judge *judge, int64_t start_us, int64_t bound_us);
/* The window behind one. */
tm_window tm_window_judge_next(tm_window_judge *judge, tm_window window);

/* Their order is that of their ends, of equal ends that of their starts. */
static inline bool tm_window_is_after(tm_window a, tm_window b) {
  return a.end_us != b.end_us ? a.end_us > b.end_us : a.start_us > b.start_us;
}
/* us - by_us, INT64_MIN at least. */
static inline int64_t tm_window_less(int64_t us, int64_t by_us) {
  return us < INT64_MIN + by_us ? INT64_MIN : us - by_us;
}

#endif
