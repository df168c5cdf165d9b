/* kernel/window_grid.c: see window_grid.h. Windows are found from a start by its end, and from an
 * instant by going back from the last start before it; where starts are evenly spaced, at once. */
#include "kernel/window_grid.h"

#include <assert.h>
#include <stdbool.h>

#include "kernel/calendar.h"

#define DAY_US TM_CALENDAR_DAY_US

static int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t gcd(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static bool is_days(int64_t us) { return us % DAY_US == 0; }

/* ------------------------------------------------------------------ what fits together */

static int check_zone(int64_t us, const char *what, tm_error *err) {
  if (is_days(us) || us < DAY_US) return 0;
  return tm_fail(err, TM_E_VALUE,
                 "with a time zone the %s of a window is whole days, or less than a day", what);
}

static int check_step(const tm_window_grid *grid, const tm_zone *zone, tm_error *err) {
  bool hopping = grid->kind == TM_WINDOW_HOPPING;
  const char *what = hopping ? "slide" : "step";
  if (grid->step_us <= 0) {
    return tm_fail(err, TM_E_VALUE, "the %s of a window is longer than nothing", what);
  }
  if (grid->step_us > grid->size_us) {
    return tm_fail(err, TM_E_VALUE, "the %s of a window is not longer than its size", what);
  }
  if (grid->size_us % grid->step_us != 0 && (!hopping || zone != NULL)) {
    return tm_fail(err, TM_E_VALUE, "the size of a %s window%s is a multiple of its %s",
                   hopping ? "hopping" : "cumulate",
                   hopping ? " with a time zone" : "", what);
  }
  if (zone == NULL) return 0;
  if (check_zone(grid->step_us, what, err) < 0) return -1;
  if (hopping && grid->step_us < DAY_US && DAY_US % grid->step_us != 0) {
    return tm_fail(err, TM_E_VALUE,
                   "with a time zone a day is a multiple of the slide of a window");
  }
  return 0;
}

int tm_window_grid_init(tm_window_grid *grid, tm_window_kind kind, int64_t size_us,
                        int64_t step_us, const tm_zone *zone, tm_error *err) {
  const tm_time_cells cells = {size_us, zone, false};
  *grid = (tm_window_grid){kind, size_us, step_us, cells, cells};
  if (size_us <= 0) return tm_fail(err, TM_E_VALUE, "a window is longer than nothing");
  if (zone != NULL && kind != TM_WINDOW_HOPPING && check_zone(size_us, "size", err) < 0) return -1;
  if (kind == TM_WINDOW_TUMBLING) {
    grid->step_us = size_us;
    return 0;
  }
  if (check_step(grid, zone, err) < 0) return -1;
  grid->slices.unit_us = step_us;
  if (kind == TM_WINDOW_CUMULATE) return 0;
  grid->starts.unit_us = step_us;
  /* Else a window that starts the second time would end before one that starts before it. */
  grid->slices.once = grid->starts.once = is_days(size_us);
  if (zone == NULL) grid->slices.unit_us = gcd(size_us, step_us);
  return 0;
}

/* ------------------------------------------------------------------ hopping */

/* The end of a window that starts at a boundary. */
static int64_t hopping_end(const tm_window_grid *grid, int64_t start_us, tm_time_region *region) {
  const tm_zone *zone = grid->starts.zone;
  if (zone == NULL) return add(start_us, grid->size_us);
  (void)tm_time_cells_start(&grid->starts, start_us, region);
  if (region->to_us - start_us >= grid->size_us && region->unit_us == grid->step_us) {
    return start_us + grid->size_us;
  }
  if (is_days(grid->size_us) && !is_days(grid->step_us)) {
    /* The start stands for a multiple of the slide that clocks may have jumped over. */
    int64_t local_us = add(start_us, tm_zone_offset_at(zone, start_us) * INT64_C(1000000)), end_us;
    int64_t rest = local_us % grid->step_us;
    local_us = add(local_us, -(rest < 0 ? rest + grid->step_us : rest));
    (void)tm_zone_to_utc(zone, add(local_us, grid->size_us), &end_us);
    return end_us;
  }
  int64_t end_us = start_us;
  for (int64_t n = grid->size_us / grid->step_us; n > 0; n--) {
    end_us = tm_time_cells_end(&grid->starts, end_us, region);
  }
  return end_us;
}

static tm_window hopping_at(const tm_window_grid *grid, int64_t start_us, tm_time_region *region) {
  return (tm_window){start_us, hopping_end(grid, start_us, region)};
}

static tm_window hopping_first(const tm_window_grid *grid, int64_t us, tm_time_region *region) {
  int64_t last = tm_time_cells_start(&grid->starts, us, region);
  /* Where starts are evenly spaced, so are ends. */
  if (region->unit_us == grid->step_us && region->to_us - us >= grid->size_us) {
    int64_t back = (grid->size_us - 1 - (us - last)) / grid->step_us * grid->step_us;
    if (add(last, -back) >= add(region->from_us, grid->step_us)) {
      return (tm_window){last - back, last - back + grid->size_us};
    }
  }
  tm_window window = hopping_at(grid, last, region);
  while (window.start_us > INT64_MIN + 1) {
    int64_t start = tm_time_cells_start(&grid->starts, window.start_us - 1, region);
    tm_window before = hopping_at(grid, start, region);
    if (before.end_us <= us) break;
    window = before;
  }
  return window;
}

/* ------------------------------------------------------------------ all kinds */

tm_window tm_window_grid_slice(const tm_window_grid *grid, int64_t us,
                               tm_window_regions *regions) {
  int64_t start = tm_time_cells_start(&grid->slices, us, &regions->slices);
  return (tm_window){start, tm_time_cells_end(&grid->slices, us, &regions->slices)};
}

tm_window tm_window_grid_first(const tm_window_grid *grid, int64_t us,
                               tm_window_regions *regions) {
  if (grid->kind == TM_WINDOW_HOPPING) return hopping_first(grid, us, &regions->starts);
  int64_t start = tm_time_cells_start(&grid->starts, us, &regions->starts);
  return (tm_window){start, tm_time_cells_end(&grid->slices, us, &regions->slices)};
}

tm_window tm_window_grid_last(const tm_window_grid *grid, int64_t us,
                              tm_window_regions *regions) {
  int64_t start = tm_time_cells_start(&grid->starts, us, &regions->starts);
  if (grid->kind == TM_WINDOW_HOPPING) return hopping_at(grid, start, &regions->starts);
  return (tm_window){start, tm_time_cells_end(&grid->starts, us, &regions->starts)};
}

tm_window tm_window_grid_next(const tm_window_grid *grid, tm_window window,
                              tm_window_regions *regions) {
  if (grid->kind != TM_WINDOW_HOPPING) return tm_window_grid_first(grid, window.end_us, regions);
  int64_t start = tm_time_cells_end(&grid->starts, window.start_us, &regions->starts);
  return hopping_at(grid, start, &regions->starts);
}
