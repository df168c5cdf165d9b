/* tests/kernel/window_grid_test.c: which windows an instant lies in, against lists of all windows
 * made plainly, and what sizes do not go together. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/window_grid.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

enum { WINDOWS_MAX = 20000 };

static uint64_t seed = 7;
static uint64_t random_below(uint64_t limit) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (seed * UINT64_C(0x2545f4914f6cdd1d) >> 16) % limit;
}

static const tm_zone *find_zone(const char *name) {
  tm_error err = {0};
  setenv("TZDIR", "tests/base/zoneinfo", 1);
  const tm_zone *zone = tm_zone_find(name, &err);
  cr_assert_not_null(zone, "%s", err.message);
  return zone;
}

static tm_window_grid grid_of(tm_window_kind kind, int64_t size, int64_t step,
                              const tm_zone *zone) {
  tm_window_grid grid;
  tm_error err = {0};
  cr_assert_eq(tm_window_grid_init(&grid, kind, size, step, zone, &err), 0, "%s", err.message);
  return grid;
}

/* ------------------------------------------------------------------ all windows, plainly */

static tm_window all[WINDOWS_MAX];
static size_t count;

static void add_window(int64_t start, int64_t end) {
  cr_assert_lt(count, (size_t)WINDOWS_MAX);
  all[count++] = (tm_window){start, end};
}

static bool once;

static int64_t next_boundary(int64_t unit, const tm_zone *zone, int64_t us) {
  tm_time_cells cells = {unit, zone, once};
  tm_time_region fresh = {0};
  return tm_time_cells_end(&cells, us, &fresh);
}

static int64_t hopping_end(const tm_window_grid *g, int64_t start) {
  const tm_zone *zone = g->starts.zone;
  if (zone == NULL) return start + g->size_us;
  if (g->size_us % DAY == 0 && g->step_us % DAY != 0) {
    int64_t local = start + tm_zone_offset_at(zone, start) * SECOND, end;
    (void)tm_zone_to_utc(zone, local - local % g->step_us + g->size_us, &end);
    return end;
  }
  for (int64_t n = 0; n < g->size_us / g->step_us; n++) {
    start = next_boundary(g->step_us, zone, start);
  }
  return start;
}

static void make_windows(const tm_window_grid *g, int64_t from, int64_t to) {
  const tm_zone *zone = g->starts.zone;
  count = 0;
  once = g->kind == TM_WINDOW_HOPPING && g->size_us % DAY == 0 && g->step_us % DAY != 0;
  int64_t start = next_boundary(g->starts.unit_us, zone, from);
  while (start < to) {
    int64_t next = next_boundary(g->starts.unit_us, zone, start);
    if (g->kind == TM_WINDOW_TUMBLING) {
      add_window(start, next);
    } else if (g->kind == TM_WINDOW_HOPPING) {
      add_window(start, hopping_end(g, start));
    } else {
      for (int64_t end = start; end < next;) {
        end = next_boundary(g->step_us, zone, end);
        add_window(start, end);
      }
    }
    start = next;
  }
}

static bool same(tm_window a, tm_window b) {
  return a.start_us == b.start_us && a.end_us == b.end_us;
}

static bool holds(tm_window w, int64_t us) { return w.start_us <= us && us < w.end_us; }

static void check_instant(const tm_window_grid *g, int64_t us, tm_window_regions *regions) {
  size_t first = 0;
  while (!holds(all[first], us)) cr_assert_lt(++first, count);
  size_t last = first;
  while (last + 1 < count && holds(all[last + 1], us)) last++;
  for (size_t i = last + 1; i < count; i++) cr_assert(!holds(all[i], us));
  tm_window got = tm_window_grid_first(g, us, regions);
  cr_assert(same(got, all[first]), "%" PRId64 " begins with %" PRId64 " … %" PRId64
            ", not %" PRId64 " … %" PRId64, us, all[first].start_us, all[first].end_us,
            got.start_us, got.end_us);
  for (size_t i = first; i < last; i++) {
    got = tm_window_grid_next(g, got, regions);
    cr_assert(same(got, all[i + 1]));
  }
  got = tm_window_grid_last(g, us, regions);
  cr_assert(same(got, all[last]), "%" PRId64 " ends with %" PRId64 " … %" PRId64, us,
            got.start_us, got.end_us);
  tm_window slice = tm_window_grid_slice(g, us, regions);
  cr_assert(holds(slice, us));
  for (size_t i = 0; i < count; i++) {
    cr_assert(all[i].end_us <= slice.start_us || all[i].start_us >= slice.end_us ||
              (all[i].start_us <= slice.start_us && all[i].end_us >= slice.end_us),
              "slice %" PRId64 " … %" PRId64 " crosses %" PRId64 " … %" PRId64, slice.start_us,
              slice.end_us, all[i].start_us, all[i].end_us);
  }
}

/* Instants in [from, to), for which windows of `reach` around are made. */
static void check(tm_window_grid g, int64_t from, int64_t to, int rounds) {
  tm_window_regions regions = {0};
  int64_t reach = 3 * g.size_us + (g.starts.zone == NULL ? 0 : DAY);
  make_windows(&g, from - reach, to + reach);
  for (size_t i = 1; i < count; i++) {
    cr_assert(all[i].start_us >= all[i - 1].start_us && all[i].end_us >= all[i - 1].end_us);
    cr_assert(!same(all[i], all[i - 1]));
  }
  for (int i = 0; i < rounds; i++) {
    int64_t us = from + (int64_t)random_below((uint64_t)(to - from));
    size_t near = random_below(count);
    check_instant(&g, us, &regions);
    for (int64_t d = -1; d <= 0; d++) {
      us = (i % 2 == 0 ? all[near].start_us : all[near].end_us) + d;
      if (us >= from && us < to) check_instant(&g, us, &regions);
    }
  }
}

Test(window_grid, without_a_zone) {
  static const int64_t sizes[][2] = {
    {10, 10}, {10, 1}, {10, 3}, {7, 7}, {600, 10}, {90, 60}, {12, 8}, {1, 1},
  };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    int64_t size = sizes[i][0] * SECOND, step = sizes[i][1] * SECOND;
    int64_t from = -3 * size - 5, to = 3 * size + 17;
    check(grid_of(TM_WINDOW_HOPPING, size, step, NULL), from, to, 200);
    check(grid_of(TM_WINDOW_HOPPING, size, step, NULL), from + 1700000000 * SECOND,
          to + 1700000000 * SECOND, 200);
    check(grid_of(TM_WINDOW_TUMBLING, size, 0, NULL), from, to, 200);
    if (size % step == 0) check(grid_of(TM_WINDOW_CUMULATE, size, step, NULL), from, to, 200);
  }
}

Test(window_grid, hopping_that_share_slices_need_the_common_divisor) {
  cr_expect_eq(grid_of(TM_WINDOW_HOPPING, 90, 60, NULL).slices.unit_us, 30);
  cr_expect_eq(grid_of(TM_WINDOW_HOPPING, 600, 10, NULL).slices.unit_us, 10);
  cr_expect_eq(grid_of(TM_WINDOW_CUMULATE, 600, 10, NULL).slices.unit_us, 10);
  cr_expect_eq(grid_of(TM_WINDOW_TUMBLING, 600, 0, NULL).slices.unit_us, 600);
}

/* Days around changes of the clock: of an hour, half an hour, two hours, over a date. */
Test(window_grid, in_zones) {
  static const struct { const char *zone; int64_t around_s; } places[] = {
    {"America/New_York", 1236495600}, {"America/New_York", 1257055200},
    {"America/Sao_Paulo", 1319338800}, {"America/Sao_Paulo", 1361066400},
    {"Australia/Lord_Howe", 1270306800}, {"Australia/Lord_Howe", 1286033400},
    {"Antarctica/Troll", 1269738000}, {"Antarctica/Troll", 1288486800},
    {"Pacific/Apia", 1325239200}, {"America/St_Johns", 1300001460},
    {"Africa/Cairo", 1285880400}, {"Asia/Kathmandu", 1300000000},
  };
  static const struct { tm_window_kind kind; int64_t size, step; } shapes[] = {
    {TM_WINDOW_TUMBLING, DAY, 0}, {TM_WINDOW_TUMBLING, 3 * HOUR, 0},
    {TM_WINDOW_TUMBLING, 7 * DAY, 0}, {TM_WINDOW_TUMBLING, 7 * HOUR, 0},
    {TM_WINDOW_HOPPING, DAY, HOUR}, {TM_WINDOW_HOPPING, DAY, HOUR / 4},
    {TM_WINDOW_HOPPING, 6 * HOUR, HOUR}, {TM_WINDOW_HOPPING, 3 * DAY, DAY},
    {TM_WINDOW_HOPPING, 36 * HOUR, 12 * HOUR}, {TM_WINDOW_HOPPING, 2 * HOUR, 2 * HOUR},
    {TM_WINDOW_CUMULATE, DAY, HOUR}, {TM_WINDOW_CUMULATE, DAY, HOUR / 2},
    {TM_WINDOW_CUMULATE, 6 * HOUR, 2 * HOUR}, {TM_WINDOW_CUMULATE, 7 * DAY, DAY},
  };
  for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
    const tm_zone *zone = find_zone(places[p].zone);
    int64_t at = places[p].around_s * SECOND;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      check(grid_of(shapes[s].kind, shapes[s].size, shapes[s].step, zone), at - 2 * DAY,
            at + 2 * DAY, 60);
    }
  }
}

Test(window_grid, a_day_of_23_hours) {
  const tm_zone *zone = find_zone("America/New_York");
  tm_window_grid grid = grid_of(TM_WINDOW_TUMBLING, DAY, 0, zone);
  tm_window_regions regions = {0};
  tm_window w = tm_window_grid_first(&grid, INT64_C(1236495600) * SECOND, &regions);
  cr_expect_eq(w.start_us, INT64_C(1236488400) * SECOND); /* 2009-03-08 00:00 -05:00 */
  cr_expect_eq(w.end_us - w.start_us, 23 * HOUR);
}

/* ------------------------------------------------------------------ what is refused */

static void expect_refused(tm_window_kind kind, int64_t size, int64_t step, bool zoned,
                           const char *text) {
  tm_window_grid grid;
  tm_error err = {0};
  const tm_zone *zone = zoned ? find_zone("Europe/Berlin") : NULL;
  cr_expect_eq(tm_window_grid_init(&grid, kind, size, step, zone, &err), -1);
  cr_expect_eq(err.code, TM_E_VALUE);
  cr_expect(strstr(err.message, text) != NULL, "'%s' lacks '%s'", err.message, text);
}

Test(window_grid, what_does_not_go_together_is_refused) {
  expect_refused(TM_WINDOW_TUMBLING, 0, 0, false, "longer than nothing");
  expect_refused(TM_WINDOW_HOPPING, 10, 0, false, "the slide of a window is longer than nothing");
  expect_refused(TM_WINDOW_HOPPING, 10, 11, false, "the slide of a window is not longer");
  expect_refused(TM_WINDOW_CUMULATE, 10, 3, false, "a cumulate window is a multiple of its step");
  expect_refused(TM_WINDOW_CUMULATE, 10, 0, false, "the step of a window is longer than nothing");
  expect_refused(TM_WINDOW_TUMBLING, 36 * HOUR, 0, true, "whole days, or less than a day");
  expect_refused(TM_WINDOW_HOPPING, 5 * HOUR, 2 * HOUR, true, "a hopping window with a time zone");
  expect_refused(TM_WINDOW_HOPPING, 14 * HOUR, 7 * HOUR, true, "a day is a multiple of the slide");
  expect_refused(TM_WINDOW_HOPPING, 72 * HOUR, 36 * HOUR, true, "the slide of a window is whole");
}
