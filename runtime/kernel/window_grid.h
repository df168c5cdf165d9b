/* kernel/window_grid.h: fixed windows: tumbling, hopping, cumulate; half-open, aligned to the epoch
 * or to the wall clock of a zone (kernel/time_cells.h).
 *
 * Time is cut into slices in which no window begins or ends, so that a window is a run of slices.
 * Windows come in one order: neither start nor end ever goes back. With a zone a hopping window
 * ends so many slides after its start; where its size is whole days and the slide is not, it ends
 * at the same time of day, as many days later, and what clocks show twice starts one window. */
#ifndef TM_KERNEL_WINDOW_GRID_H
#define TM_KERNEL_WINDOW_GRID_H

#include "kernel/time_cells.h"

typedef enum tm_window_kind {
  TM_WINDOW_TUMBLING, /* each instant is in one */
  TM_WINDOW_HOPPING,  /* of one size, a new one every step */
  TM_WINDOW_CUMULATE, /* each cell of one size has windows from its start that grow by a step */
} tm_window_kind;

typedef struct tm_window { int64_t start_us, end_us; } tm_window;

/* Read-only; regions are the caller's memory, one a thread and grid, zeroed at first. */
typedef struct tm_window_grid {
  tm_window_kind kind;
  int64_t size_us, step_us;
  tm_time_cells slices;
  tm_time_cells starts; /* a window starts at each boundary */
} tm_window_grid;

typedef struct tm_window_regions { tm_time_region slices, starts; } tm_window_regions;

/* step_us is nothing where the kind is tumbling; zone NULL: none. 0, or -1 and TM_E_VALUE. */
int tm_window_grid_init(tm_window_grid *grid, tm_window_kind kind, int64_t size_us,
                        int64_t step_us, const tm_zone *zone, tm_error *err);

/* Windows that an instant lies in are a run in their order: its first and its last. */
tm_window tm_window_grid_first(const tm_window_grid *grid, int64_t us, tm_window_regions *regions);
tm_window tm_window_grid_last(const tm_window_grid *grid, int64_t us, tm_window_regions *regions);
/* The one that follows in their order. */
tm_window tm_window_grid_next(const tm_window_grid *grid, tm_window window,
                              tm_window_regions *regions);
/* The slice that an instant lies in. */
tm_window tm_window_grid_slice(const tm_window_grid *grid, int64_t us, tm_window_regions *regions);

#endif
