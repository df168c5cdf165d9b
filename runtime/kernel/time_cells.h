/* kernel/time_cells.h: time cut into cells [boundary, next boundary).
 *
 * Without a zone boundaries are the multiples of the unit since the epoch. With one, a unit of
 * whole days gives calendar days: a day starts at its first instant, also where its midnight does
 * not exist, an ambiguous midnight is the first, a date that was skipped has no cell; n days are
 * counted from 1970-01-01, n weeks from Monday 1970-01-05. A unit below a day gives the instants
 * whose local time of day is a multiple of it: one that a gap skips is the instant at which clocks
 * jumped; of one that clocks show twice both count if the unit divides the shift, else the first.
 *
 * Invariant: every instant lies in exactly one cell. Cells at the ends of int64 are cut off, and
 * beyond 2^62, more than a hundred thousand years away, zones do not matter. */
#ifndef TM_KERNEL_TIME_CELLS_H
#define TM_KERNEL_TIME_CELLS_H

#include <stdbool.h>

#include "base/zone.h"

typedef struct tm_time_cells {
  int64_t unit_us;     /* above 0; with a zone whole days or less than a day */
  const tm_zone *zone; /* NULL: none */
  bool once;           /* a time of day that clocks show twice never counts but the first time */
} tm_time_cells;

/* A memory of where boundaries are evenly spaced: zeroed at first, one a thread and cells. From
 * from_us up to to_us they are from_us + k * unit_us; to_us is one too. */
typedef struct tm_time_region { int64_t from_us, to_us, unit_us; } tm_time_region;

/* Moves the region to the instant. */
void tm_time_cells_find(const tm_time_cells *cells, int64_t us, tm_time_region *region);

/* The cell that an instant lies in: its boundaries. */
static inline int64_t tm_time_cells_start(const tm_time_cells *cells, int64_t us,
                                          tm_time_region *region) {
  if (us < region->from_us || us >= region->to_us) tm_time_cells_find(cells, us, region);
  return us - (int64_t)(((uint64_t)us - (uint64_t)region->from_us) % (uint64_t)region->unit_us);
}
/* INT64_MAX for the last cell. */
int64_t tm_time_cells_end(const tm_time_cells *cells, int64_t us, tm_time_region *region);

/* starts[i] of times[rows[i]] (rows NULL: times[i]). */
void tm_time_cells_starts(const tm_time_cells *cells, const int64_t *times, const uint32_t *rows,
                          uint32_t count, int64_t *starts, tm_time_region *region);

/* Least and greatest of times[rows[i]] (rows NULL: times[i]); count is above 0. */
void tm_time_cells_range(const int64_t *times, const uint32_t *rows, uint32_t count,
                         int64_t *out_min, int64_t *out_max);

#endif
