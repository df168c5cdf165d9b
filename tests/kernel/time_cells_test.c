/* tests/kernel/time_cells_test.c: boundaries of cells against Python's zoneinfo
 * (time_cells_fixture.txt), against division where there is no zone, and at the ends of int64. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/time_cells.h"

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

static uint64_t seed = 20260314;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static const tm_zone *find_zone(const char *name) {
  static const char *const folders[] = {"tests/kernel/zoneinfo", "tests/base/zoneinfo"};
  const tm_zone *zone = NULL;
  for (int i = 0; i < 2 && zone == NULL; i++) {
    char path[128];
    tm_error err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", folders[i], name);
    setenv("TZDIR", folders[i], 1);
    if (strcmp(name, "UTC") == 0 || access(path, R_OK) == 0) zone = tm_zone_find(name, &err);
  }
  cr_assert_not_null(zone, "%s", name);
  return zone;
}

/* ------------------------------------------------------------------ against Python */

typedef struct list { int64_t *us; size_t count, room; } list;

static void list_add(list *l, int64_t us) {
  if (l->count == l->room) {
    l->room = l->room * 2 + 1024;
    l->us = realloc(l->us, l->room * sizeof *l->us);
  }
  l->us[l->count++] = us;
}

static void check_cell(const tm_time_cells *cells, int64_t from, int64_t to, int64_t us,
                       tm_time_region *region) {
  tm_time_region fresh = {0};
  cr_assert_eq(tm_time_cells_start(cells, us, region), from,
               "%s unit %" PRId64 ": %" PRId64 " is in %" PRId64 ", not %" PRId64,
               tm_zone_name(cells->zone), cells->unit_us, us, from,
               tm_time_cells_start(cells, us, region));
  cr_assert_eq(tm_time_cells_end(cells, us, region), to, "%s unit %" PRId64 ": end of %" PRId64,
               tm_zone_name(cells->zone), cells->unit_us, us);
  cr_assert_eq(tm_time_cells_start(cells, us, &fresh), from);
  cr_assert_eq(tm_time_cells_end(cells, us, &fresh), to);
}

/* Each cell at its first and last instant and somewhere within; then all of them as a column. */
static void check_list(const tm_time_cells *cells, const list *l) {
  enum { ROWS = 1000 };
  tm_time_region region = {0}, other = {0};
  for (size_t i = 0; i + 1 < l->count; i++) {
    int64_t from = l->us[i], to = l->us[i + 1];
    check_cell(cells, from, to, from, &region);
    check_cell(cells, from, to, to - 1, &region);
    check_cell(cells, from, to, from + (int64_t)(random_u64() % (uint64_t)(to - from)), &region);
  }
  if (l->count < 2) return;
  int64_t times[ROWS], expected[ROWS], starts[ROWS];
  uint32_t rows[ROWS];
  for (int round = 0; round < 20; round++) {
    size_t at = random_u64() % (l->count - 1), reach = round % 2 == 0 ? 8 : l->count;
    for (uint32_t i = 0; i < ROWS; i++) {
      size_t cell = at + random_u64() % reach;
      if (cell + 1 >= l->count) cell = at;
      uint64_t width = (uint64_t)(l->us[cell + 1] - l->us[cell]);
      rows[i] = ROWS - 1 - i;
      times[rows[i]] = l->us[cell] + (int64_t)(random_u64() % width);
      expected[i] = l->us[cell];
    }
    tm_time_cells_starts(cells, times, rows, ROWS, starts, &other);
    cr_assert_eq(memcmp(starts, expected, sizeof starts), 0);
    tm_time_cells_starts(cells, times, NULL, ROWS, starts, &other);
    for (uint32_t i = 0; i < ROWS; i++) cr_assert_eq(starts[rows[i]], expected[i]);
  }
}

Test(time_cells, as_pythons_zoneinfo_has_them) {
  FILE *file = fopen("tests/kernel/time_cells_fixture.txt", "r");
  cr_assert_not_null(file);
  char line[128], name[64] = "";
  tm_time_cells cells = {0, NULL, false};
  list l = {0};
  int lists = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    int64_t first, step, count;
    if (line[0] == 'R') {
      cr_assert_eq(sscanf(line, "R %" SCNd64 " %" SCNd64 " %" SCNd64, &first, &step, &count), 3);
      for (int64_t i = l.count > 0; i < count; i++) list_add(&l, (first + i * step) * SECOND);
      continue;
    }
    if (l.count > 0) check_list(&cells, &l);
    lists += l.count > 0;
    l.count = 0;
    if (line[0] == 'Z') {
      cr_assert_eq(sscanf(line, "Z %63s", name), 1);
      cells.zone = find_zone(name);
    } else {
      cr_assert_eq(sscanf(line, "U %" SCNd64, &cells.unit_us), 1);
      cells.unit_us *= SECOND;
    }
  }
  check_list(&cells, &l);
  cr_expect_eq(lists + 1, 13 * 10);
  free(l.us);
  (void)fclose(file);
}

/* ------------------------------------------------------------------ without a zone */

static int64_t floor_of(int64_t us, int64_t unit) {
  __int128 rest = (__int128)us % unit;
  return (int64_t)(us - (rest < 0 ? rest + unit : rest));
}

Test(time_cells, without_a_zone_are_multiples) {
  static const int64_t units[] = {1, 7, SECOND, 10 * SECOND, 3600 * SECOND, DAY, 7 * DAY,
                                  INT64_C(3652425) * DAY};
  for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
    tm_time_cells cells = {units[u], NULL, false};
    tm_time_region region = {0};
    for (int i = 0; i < 20000; i++) {
      int64_t us = (int64_t)random_u64() >> (2 + random_u64() % 50);
      int64_t start = floor_of(us, units[u]);
      cr_assert_eq(tm_time_cells_start(&cells, us, &region), start);
      cr_assert_eq(tm_time_cells_end(&cells, us, &region), start + units[u]);
      int64_t times[64], starts[64];
      if (i % 100 != 0) continue;
      for (int k = 0; k < 64; k++) times[k] = us + ((int64_t)random_u64() >> (k % 60 + 4));
      tm_time_cells_starts(&cells, times, NULL, 64, starts, &region);
      for (int k = 0; k < 64; k++) cr_assert_eq(starts[k], floor_of(times[k], units[u]));
    }
  }
}

Test(time_cells, at_the_ends_of_time_are_cut_off) {
  static const int64_t units[] = {1, 10 * SECOND, DAY, 7 * DAY, INT64_MAX};
  const tm_zone *zones[] = {NULL, find_zone("UTC"), find_zone("America/New_York")};
  static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, INT64_MIN + DAY, INT64_MAX - DAY,
                                 INT64_MAX - 1};
  for (int z = 0; z < 3; z++) {
    for (int u = 0; u < 5; u++) {
      if (zones[z] != NULL && u == 4) continue;
      tm_time_cells cells = {units[u], zones[z], false};
      tm_time_region region = {0};
      for (int i = 0; i < 5; i++) {
        int64_t us = ends[i], start = tm_time_cells_start(&cells, us, &region);
        int64_t end = tm_time_cells_end(&cells, us, &region);
        cr_expect_leq(start, us, "unit %" PRId64 " at %" PRId64, units[u], us);
        cr_expect_gt(end, us, "unit %" PRId64 " at %" PRId64, units[u], us);
      }
    }
  }
}

Test(time_cells, once_leaves_out_what_clocks_show_a_second_time) {
  /* 2009-11-01: 02:00 -04:00 is 01:00 -05:00. */
  const tm_zone *zone = find_zone("America/New_York");
  tm_time_cells cells = {3600 * SECOND, zone, true};
  tm_time_region region = {0};
  int64_t one = INT64_C(1257051600) * SECOND;
  cr_expect_eq(tm_time_cells_end(&cells, one, &region), one + 7200 * SECOND);
  cr_expect_eq(tm_time_cells_start(&cells, one + 7199 * SECOND, &region), one);
  cells.once = false;
  region = (tm_time_region){0};
  cr_expect_eq(tm_time_cells_end(&cells, one, &region), one + 3600 * SECOND);
}

Test(time_cells, ranges) {
  int64_t times[] = {5, -3, INT64_MAX, 8, INT64_MIN, 2}, low, high;
  uint32_t rows[] = {0, 3, 5};
  tm_time_cells_range(times, NULL, 6, &low, &high);
  cr_expect_eq(low, INT64_MIN);
  cr_expect_eq(high, INT64_MAX);
  tm_time_cells_range(times, rows, 3, &low, &high);
  cr_expect_eq(low, 2);
  cr_expect_eq(high, 8);
}
