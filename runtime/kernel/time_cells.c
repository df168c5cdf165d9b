/* kernel/time_cells.c: see time_cells.h.
 *
 * With a zone, offsets are constant over long intervals, and within one, boundaries are the
 * multiples of the unit on the wall clock. Only what touches a change of offset is looked for
 * boundary by boundary; a region is then one cell. */
#include "kernel/time_cells.h"

#include <stddef.h>

#include "kernel/calendar.h"

#define DAY_US TM_CALENDAR_DAY_US
#define WEEK_ORIGIN_US (4 * DAY_US) /* 1970-01-05 was a Monday */
#define REACH_US (INT64_C(1) << 50) /* of a region: quotients are exact, or one off */

#define FAR_US (INT64_C(1) << 62)

enum { BLOCK_ROWS = 256 };

/* ------------------------------------------------------------------ numbers */

static int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t rest_of(int64_t value, int64_t unit) {
  int64_t rest = value % unit;
  return rest < 0 ? rest + unit : rest;
}

static int64_t floor_to(int64_t value, int64_t unit) { return add(value, -rest_of(value, unit)); }
static int64_t ceil_to(int64_t value, int64_t unit) {
  int64_t rest = rest_of(value, unit);
  return rest == 0 ? value : add(value, unit - rest);
}

/* ------------------------------------------------------------------ one interval of a zone */

typedef struct interval {
  int64_t from_us, to_us, offset_us; /* local time is UTC + offset */
  int64_t shift_us; /* by which clocks jumped at from_us */
} interval;

static interval interval_at(const tm_zone *zone, int64_t us) {
  tm_zone_hint hint = {.zone = NULL};
  int64_t offset_us = tm_zone_offset_find(zone, us, &hint) * INT64_C(1000000);
  interval in = {hint.from_us, hint.to_us, offset_us, 0};
  if (in.from_us > INT64_MIN) {
    in.shift_us = offset_us - tm_zone_offset_at(zone, in.from_us - 1) * INT64_C(1000000);
  }
  return in;
}

static bool is_whole_days(const tm_time_cells *cells) { return cells->unit_us % DAY_US == 0; }

/* What clocks show a second time at the start of an interval is no boundary up to here. */
static int64_t counts_from(const tm_time_cells *cells, const interval *in) {
  if (in->shift_us >= 0) return in->from_us;
  bool divides = -in->shift_us % cells->unit_us == 0;
  if (divides && !cells->once && !is_whole_days(cells)) return in->from_us;
  return add(in->from_us, -in->shift_us);
}

/* ------------------------------------------------------------------ cells below a day */

/* The last multiple on the wall clock at or before a local time; the first one after it. */
static int64_t multiple_before(int64_t local_us, int64_t unit_us) {
  return add(local_us, -(rest_of(local_us, DAY_US) % unit_us));
}
static int64_t multiple_after(int64_t local_us, int64_t unit_us) {
  int64_t time = rest_of(local_us, DAY_US), next = (time / unit_us + 1) * unit_us;
  return add(local_us, (next < DAY_US ? next : DAY_US) - time);
}

static int64_t clock_start(const tm_time_cells *cells, int64_t us) {
  int64_t unit = cells->unit_us;
  for (;;) {
    interval in = interval_at(cells->zone, us);
    int64_t before = add(multiple_before(add(us, in.offset_us), unit), -in.offset_us);
    if (before >= counts_from(cells, &in) || in.from_us == INT64_MIN) return before;
    /* Clocks that jumped over a multiple, or to one, make the jump a boundary. */
    int64_t shown = add(in.from_us, in.offset_us);
    if (in.shift_us > 0 && multiple_after(add(shown, -in.shift_us - 1), unit) <= shown) {
      return in.from_us;
    }
    us = in.from_us - 1;
  }
}

static int64_t clock_end(const tm_time_cells *cells, int64_t us) {
  int64_t unit = cells->unit_us;
  for (;;) {
    interval in = interval_at(cells->zone, us);
    int64_t first = counts_from(cells, &in), local = add(us, in.offset_us);
    if (us < first) local = add(add(first, in.offset_us), -1);
    int64_t after = multiple_after(local, unit), end = add(after, -in.offset_us);
    if (end < in.to_us || in.to_us == INT64_MAX) return end;
    interval next = interval_at(cells->zone, in.to_us);
    int64_t shown = add(in.to_us, next.offset_us);
    if (next.shift_us > 0 && after <= shown) return in.to_us;
    if (counts_from(cells, &next) == in.to_us && multiple_before(shown, unit) == shown) {
      return in.to_us;
    }
    us = in.to_us;
  }
}

/* ------------------------------------------------------------------ regions */

/* Boundaries within the interval that are multiples of the unit on the wall clock. */
static bool find_even(const tm_time_cells *cells, int64_t us, tm_time_region *region) {
  int64_t unit = cells->unit_us;
  interval in = {INT64_MIN, INT64_MAX, 0, 0};
  int64_t origin = 0;
  if (cells->zone != NULL) {
    if (!is_whole_days(cells) && DAY_US % unit != 0) return false;
    in = interval_at(cells->zone, us);
    origin = unit % (7 * DAY_US) == 0 ? WEEK_ORIGIN_US : 0;
  }
  /* Boundaries are multiples of the unit, moved by so much: */
  int64_t moved = rest_of(origin - in.offset_us, unit);
  int64_t low = counts_from(cells, &in), high = in.to_us;
  int64_t reach = unit > REACH_US ? 0 : REACH_US / unit * unit;
  int64_t here = add(floor_to(add(us, -moved), unit), moved);
  int64_t from = low == INT64_MIN ? INT64_MIN : add(ceil_to(add(low, -moved), unit), moved);
  /* A multiple at the very end is none, where clocks jump just then. */
  int64_t to = high == INT64_MAX ? high : add(floor_to(add(high - 1, -moved), unit), moved);
  if (from < add(here, -reach)) from = add(here, -reach);
  if (to > add(here, reach + unit)) to = add(here, reach + unit);
  if (us < from || us >= to) return false;
  if (from == INT64_MIN || to == INT64_MAX) return false; /* the ends of time: no even spacing */
  *region = (tm_time_region){from, to, unit};
  return true;
}

/* The single cell, where it is not one of a row of equal ones. */
static void find_one(const tm_time_cells *cells, int64_t us, int64_t *from, int64_t *to) {
  int64_t unit = cells->unit_us;
  if (cells->zone == NULL) {
    *from = floor_to(us, unit);
    *to = add(us, unit - rest_of(us, unit));
  } else if (is_whole_days(cells)) {
    int64_t days = unit / DAY_US, origin = days % 7 == 0 ? 4 : 0;
    int64_t day = tm_zone_day_at(cells->zone, us);
    int64_t first = day - rest_of(day - origin, days);
    *from = tm_zone_day_start(cells->zone, first);
    *to = tm_zone_day_start(cells->zone, first + days);
  } else {
    *from = clock_start(cells, us);
    *to = clock_end(cells, us);
  }
}

void tm_time_cells_find(const tm_time_cells *cells, int64_t us, tm_time_region *region) {
  const tm_time_cells plain = {cells->unit_us, NULL, false};
  int64_t from, to;
  if (us < -FAR_US || us > FAR_US) cells = &plain;
  if (find_even(cells, us, region)) return;
  find_one(cells, us, &from, &to);
  uint64_t unit = (uint64_t)to - (uint64_t)from;
  *region = (tm_time_region){from, to, unit > INT64_MAX ? INT64_MAX : (int64_t)unit};
  if (region->unit_us <= 0) region->unit_us = INT64_MAX;
}

int64_t tm_time_cells_end(const tm_time_cells *cells, int64_t us, tm_time_region *region) {
  int64_t start = tm_time_cells_start(cells, us, region);
  int64_t end = add(start, region->unit_us);
  return end < region->to_us ? end : region->to_us;
}

/* ------------------------------------------------------------------ columns */

/* times[i] - from is below 2^52, so the quotient is right or one off. */
static void starts_even(const int64_t *restrict times, uint32_t count,
                        const tm_time_region *region, int64_t *restrict starts) {
  const int64_t from = region->from_us, unit = region->unit_us;
  const double inverse = 1.0 / (double)unit;
  for (uint32_t i = 0; i < count; i++) {
    int64_t past = times[i] - from;
    int64_t rest = past - (int64_t)((double)past * inverse) * unit;
    rest += rest < 0 ? unit : 0;
    rest -= rest >= unit ? unit : 0;
    starts[i] = times[i] - rest;
  }
}

void tm_time_cells_starts(const tm_time_cells *cells, const int64_t *times, const uint32_t *rows,
                          uint32_t count, int64_t *starts, tm_time_region *region) {
  int64_t gathered[BLOCK_ROWS];
  for (uint32_t at = 0; at < count; at += BLOCK_ROWS) {
    uint32_t block = count - at < BLOCK_ROWS ? count - at : BLOCK_ROWS;
    const int64_t *from = times + at;
    int64_t low, high;
    if (rows != NULL) {
      for (uint32_t i = 0; i < block; i++) gathered[i] = times[rows[at + i]];
      from = gathered;
    }
    tm_time_cells_range(from, NULL, block, &low, &high);
    int64_t first = tm_time_cells_start(cells, low, region);
    if (high < region->to_us && region->to_us - region->from_us <= 4 * REACH_US) {
      if (high - first < region->unit_us) {
        for (uint32_t i = 0; i < block; i++) starts[at + i] = first;
      } else {
        starts_even(from, block, region, starts + at);
      }
      continue;
    }
    for (uint32_t i = 0; i < block; i++) {
      starts[at + i] = tm_time_cells_start(cells, from[i], region);
    }
  }
}

void tm_time_cells_range(const int64_t *times, const uint32_t *rows, uint32_t count,
                         int64_t *out_min, int64_t *out_max) {
  int64_t low = INT64_MAX, high = INT64_MIN;
  if (rows == NULL) {
    for (uint32_t i = 0; i < count; i++) {
      low = times[i] < low ? times[i] : low;
      high = times[i] > high ? times[i] : high;
    }
  } else {
    for (uint32_t i = 0; i < count; i++) {
      int64_t us = times[rows[i]];
      low = us < low ? us : low;
      high = us > high ? us : high;
    }
  }
  *out_min = low;
  *out_max = high;
}
