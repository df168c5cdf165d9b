/* tests/base/zone_test.c: time zones against Python's zoneinfo (zone_fixture.txt, over committed
 * zone files), against libc over whatever zone files this machine has, and against damage. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/zone.h"
#include "base/zone_file.h"

#define FILES "tests/base/zoneinfo"
#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)

static const char *const zone_names[] = {
  "Africa/Casablanca", "Africa/Cairo", "America/New_York", "America/Nuuk", "America/Santiago",
  "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Gaza", "Asia/Kathmandu",
  "Asia/Tehran", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin", "Europe/Dublin",
  "Europe/London", "Pacific/Apia", "Pacific/Chatham",
};
enum { ZONES = sizeof zone_names / sizeof *zone_names };

static void use_files(void) { setenv("TZDIR", FILES, 1); }

static uint64_t seed = 20260314;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static const tm_zone *find(const char *name) {
  tm_error err = { .code = TM_E_NONE };
  const tm_zone *zone = tm_zone_find(name, &err);
  cr_assert_not_null(zone, "%s: %s", name, err.message);
  return zone;
}

/* ---- against Python ---- */

static void check_transition(const tm_zone *z, const char *line) {
  int64_t utc;
  int before, after;
  char old[16], new[16];
  cr_assert_eq(sscanf(line, "T %" SCNd64 " %d %d %15s %15s", &utc, &before, &after, old, new), 5);
  int64_t us = utc * SECOND;
  cr_expect_eq(tm_zone_offset_at(z, us - 1), before, "%s %s", tm_zone_name(z), line);
  cr_expect_eq(tm_zone_offset_at(z, us - SECOND), before, "%s %s", tm_zone_name(z), line);
  cr_expect_eq(tm_zone_offset_at(z, us), after, "%s %s", tm_zone_name(z), line);
  cr_expect_str_eq(tm_zone_abbreviation_at(z, us - 1), old, "%s %s", tm_zone_name(z), line);
  cr_expect_str_eq(tm_zone_abbreviation_at(z, us), new, "%s %s", tm_zone_name(z), line);
  cr_expect_eq(tm_zone_next_transition(z, us - 1), us, "%s %s", tm_zone_name(z), line);
  cr_expect_gt(tm_zone_next_transition(z, us), us, "%s %s", tm_zone_name(z), line);
}

static void check_line(const tm_zone *z, const char *line) {
  int64_t a, b, got;
  int n;
  char name[16];
  switch (line[0]) {
  case 'T': check_transition(z, line); break;
  case 'I':
    cr_assert_eq(sscanf(line, "I %" SCNd64 " %d %15s", &a, &n, name), 3);
    cr_expect_eq(tm_zone_offset_at(z, a * SECOND), n, "%s %s", tm_zone_name(z), line);
    cr_expect_str_eq(tm_zone_abbreviation_at(z, a * SECOND), name);
    break;
  case 'L':
    cr_assert_eq(sscanf(line, "L %" SCNd64 " %d %" SCNd64, &a, &n, &b), 3);
    cr_expect_eq((int)tm_zone_to_utc(z, a * SECOND, &got), n, "%s %s", tm_zone_name(z), line);
    cr_expect_eq(got, b * SECOND, "%s %s got %" PRId64, tm_zone_name(z), line, got);
    break;
  case 'D':
    cr_assert_eq(sscanf(line, "D %" SCNd64 " %" SCNd64, &a, &b), 2);
    got = tm_zone_day_start(z, a);
    cr_expect_eq(got, b * SECOND, "%s %s got %" PRId64, tm_zone_name(z), line, got);
    break;
  default: cr_assert_fail("unknown line %s", line);
  }
}

Test(zone, says_what_python_says, .init = use_files) {
  FILE *f = fopen("tests/base/zone_fixture.txt", "r");
  cr_assert_not_null(f, "run the tests from the folder of the Makefile");
  char line[128], name[64];
  const tm_zone *z = NULL;
  int lines = 0;
  for (; fgets(line, sizeof line, f) != NULL; lines++) {
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "Z %63s", name) == 1) z = find(name);
    else check_line(z, line);
  }
  fclose(f);
  cr_expect_gt(lines, 10000);
}

/* ---- against libc, over the zone files of this machine ---- */

Test(zone, says_what_libc_says) {
  FILE *f = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
  if (f == NULL) cr_skip_test("no zone files here");
  char line[256], name[64];
  int zones = 0;
  while (fgets(line, sizeof line, f) != NULL) {
    if (sscanf(line, "Z %63s", name) != 1 && sscanf(line, "L %*s %63s", name) != 1) continue;
    tm_error err = { .code = TM_E_NONE };
    const tm_zone *z = tm_zone_find(name, &err);
    if (z == NULL) continue; /* listed, not installed */
    zones++;
    setenv("TZ", name, 1);
    tzset();
    for (int i = 0; i < 300; i++) {
      int64_t utc = (int64_t)(random_u64() % (500ull * 31556952)) - 60ll * 31556952;
      time_t t = (time_t)utc;
      struct tm local;
      cr_assert_not_null(localtime_r(&t, &local));
      cr_assert_eq(tm_zone_offset_at(z, utc * SECOND), local.tm_gmtoff, "%s %" PRId64, name, utc);
      cr_assert_str_eq(tm_zone_abbreviation_at(z, utc * SECOND), local.tm_zone);
    }
  }
  fclose(f);
  cr_expect_gt(zones, 300);
}

/* ---- properties ---- */

/* The last 400 years of the table repeat for ever. */
Test(zone, repeats_after_400_years, .init = use_files) {
  for (int n = 0; n < ZONES; n++) {
    const tm_zone *z = find(zone_names[n]);
    for (int i = 0; i < 2000; i++) {
      int64_t us = 4102444800 * SECOND + (int64_t)(random_u64() % TM_ZONE_CYCLE_US);
      int64_t cycles = (int64_t)(random_u64() % 700), later = us + cycles * TM_ZONE_CYCLE_US;
      cr_assert_eq(tm_zone_offset_at(z, us), tm_zone_offset_at(z, later), "%s", zone_names[n]);
      int64_t next = tm_zone_next_transition(z, us), later_next = tm_zone_next_transition(z, later);
      if (next == INT64_MAX) cr_assert_eq(later_next, INT64_MAX);
      else cr_assert_eq(next - us, later_next - later);
      int64_t a, b;
      cr_assert_eq(tm_zone_to_utc(z, us, &a), tm_zone_to_utc(z, later, &b));
      cr_assert_eq(a - us, b - later);
    }
  }
}

static int64_t random_instant(void) {
  switch (random_u64() % 4) {
  case 0: return (int64_t)random_u64();
  case 1: return (int64_t)(random_u64() % (6000ull * 31556952)) * SECOND - 2208988800 * SECOND;
  default: return (int64_t)(random_u64() % (70ull * 31556952)) * SECOND;
  }
}

/* There and back: the local time of an instant gives that instant, or an earlier one that shows
 * the same time. Hints and columns say the same as single calls. */
Test(zone, goes_there_and_back, .init = use_files) {
  enum { ROWS = 5000 };
  static int64_t utc[ROWS], local[ROWS], back[ROWS];
  static uint8_t fits[ROWS];
  for (int n = 0; n < ZONES; n++) {
    const tm_zone *z = find(zone_names[n]);
    tm_zone_hint to_local = { 0 }, to_utc = { 0 };
    for (int i = 0; i < ROWS; i++) {
      utc[i] = i < ROWS / 2 ? random_instant() : INT64_C(1700000000) * SECOND + i * 600 * SECOND;
      if (utc[i] > INT64_MAX - 2 * DAY || utc[i] < INT64_MIN + 2 * DAY) utc[i] = 0;
    }
    tm_zone_to_local_rows(z, utc, local, ROWS);
    size_t gaps = tm_zone_to_utc_rows(z, local, back, fits, ROWS);
    cr_assert_eq(gaps, 0, "%s", zone_names[n]);
    for (int i = 0; i < ROWS; i++) {
      int32_t offset_s = tm_zone_offset_at(z, utc[i]);
      cr_assert_eq(tm_zone_offset_hint(z, utc[i], &to_local), offset_s);
      cr_assert_eq(local[i], utc[i] + offset_s * SECOND);
      int64_t single, hinted;
      tm_zone_fit fit = tm_zone_to_utc(z, local[i], &single);
      cr_assert_eq(tm_zone_to_utc_hint(z, local[i], &hinted, &to_utc), fit);
      cr_assert_eq(hinted, single);
      cr_assert_eq(back[i], single);
      cr_assert_eq(fits[i], (uint8_t)fit);
      if (fit == TM_ZONE_OVERLAP) cr_assert(single <= utc[i]);
      else cr_assert(single == utc[i] && fit == TM_ZONE_OK);
      cr_assert_eq(single + tm_zone_offset_at(z, single) * SECOND, local[i]);
    }
  }
}

Test(zone, columns_tell_gaps, .init = use_files) {
  const tm_zone *z = find("Europe/Berlin");
  int64_t half_past_two = INT64_C(1774751400) * SECOND; /* 2026-03-29T02:30, which was not */
  int64_t local[3] = { half_past_two - DAY, half_past_two, half_past_two + DAY }, utc[3];
  uint8_t fits[3];
  cr_expect_eq(tm_zone_to_utc_rows(z, local, utc, fits, 3), 1);
  cr_expect_eq(fits[0], TM_ZONE_OK);
  cr_expect_eq(fits[1], TM_ZONE_GAP);
  cr_expect_eq(fits[2], TM_ZONE_OK);
  cr_expect_eq(utc[0], local[0] - 3600 * SECOND);
  cr_expect_eq(utc[1], half_past_two - 5400 * SECOND); /* the jump, at 02:00 */
  cr_expect_eq(utc[2], local[2] - 7200 * SECOND);
}

/* Days tile time: every instant is in the one day that day_at says, days never run backwards. */
Test(zone, days_tile_time, .init = use_files) {
  for (int n = 0; n < ZONES; n++) {
    const tm_zone *z = find(zone_names[n]);
    int64_t before = INT64_MIN;
    for (int64_t us = INT64_C(946684800) * SECOND; us < INT64_C(2208988800) * SECOND;
         us += 11 * 3600 * SECOND + 7 * 60 * SECOND) {
      int64_t day = tm_zone_day_at(z, us);
      cr_assert(tm_zone_day_start(z, day) <= us && us < tm_zone_day_start(z, day + 1),
                "%s %" PRId64, zone_names[n], us);
      cr_assert_geq(day, before);
      before = day;
    }
  }
  const tm_zone *apia = find("Pacific/Apia"); /* had no 2011-12-30 */
  cr_expect_eq(tm_zone_day_start(apia, 15338), tm_zone_day_start(apia, 15339));
  cr_expect_eq(tm_zone_day_start(apia, 15338), INT64_C(1325239200) * SECOND);
}

Test(zone, takes_every_int64, .init = use_files) {
  static const int64_t ends[] = { INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX, 0, -1 };
  for (int n = 0; n < ZONES; n++) {
    const tm_zone *z = find(zone_names[n]);
    for (int i = 0; i < 20000; i++) {
      int64_t us = i < 6 ? ends[i] : (int64_t)random_u64(), back;
      int32_t offset_s = tm_zone_offset_at(z, us);
      cr_assert(offset_s >= -15 * 3600 && offset_s <= 16 * 3600);
      cr_assert(tm_zone_next_transition(z, us) >= us);
      (void)tm_zone_to_utc(z, us, &back);
      cr_assert(back - 0.0 >= us - 1e11 && back - 0.0 <= us + 1e11);
      (void)tm_zone_day_start(z, us);
      (void)tm_zone_day_at(z, us);
    }
  }
}

/* ---- names ---- */

Test(zone, is_interned, .init = use_files) {
  cr_expect_eq(find("Europe/Berlin"), find("Europe/Berlin"));
  cr_expect_neq(find("Europe/Berlin"), find("Europe/London"));
  cr_expect_str_eq(tm_zone_name(find("Europe/Berlin")), "Europe/Berlin");
  cr_expect_eq(find("UTC"), tm_zone_utc());
  cr_expect_eq(tm_zone_offset_at(tm_zone_utc(), 0), 0);
  cr_expect_str_eq(tm_zone_abbreviation_at(tm_zone_utc(), 0), "UTC");
  cr_expect_eq(tm_zone_next_transition(tm_zone_utc(), 0), INT64_MAX);
}

static void expect_unknown(const char *name) {
  tm_error err = { .code = TM_E_NONE };
  cr_expect_null(tm_zone_find(name, &err));
  cr_expect_eq(err.code, TM_E_VALUE, "%s", name);
  cr_expect_not_null(strstr(err.message, "unknown time zone"), "%s", err.message);
}

Test(zone, refuses_unknown_names, .init = use_files) {
  static const char *const bad[] = {
    "", "Berlin/", "/etc/localtime", "../zoneinfo/Europe/Berlin", "Europe/../Europe/Berlin",
    "Europe", "Europe/Berlin ", "Europe\\Berlin", ".", "Europe/Berlin\n", "+02:00:00:00", "CEST",
    "A_name_that_is_much_longer_than_the_name_of_any_time_zone_that_ever_was_or_will_be",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_unknown(bad[i]);
}

Test(zone, suggests_the_nearest) {
  FILE *f = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
  if (f == NULL) cr_skip_test("no list of zones here");
  fclose(f);
  static const char *const wrong[][2] = { { "Europe/Berln", "Europe/Berlin" },
    { "europe/berlin", "Europe/Berlin" }, { "berlin", "Europe/Berlin" },
    { "New York", "America/New_York" } };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    tm_error err = { .code = TM_E_NONE };
    cr_expect_null(tm_zone_find(wrong[i][0], &err));
    cr_expect_not_null(strstr(err.note, wrong[i][1]), "%s: %s", wrong[i][0], err.note);
  }
}

Test(zone, says_that_the_files_are_missing) {
  setenv("TZDIR", "/nowhere", 1);
  tm_error err = { .code = TM_E_NONE };
  cr_expect_null(tm_zone_find("Europe/Berlin", &err));
  cr_expect_eq(err.code, TM_E_VALUE);
  cr_expect_not_null(strstr(err.help, "tzdata"), "%s", err.help);
  cr_expect_str_eq(tm_zone_version(), "unknown");
}

Test(zone, local_follows_the_variable, .init = use_files) {
  tm_error err = { .code = TM_E_NONE };
  setenv("TZ", "Australia/Sydney", 1);
  cr_expect_eq(tm_zone_local(&err), find("Australia/Sydney"));
  setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  const tm_zone *rule = tm_zone_local(&err), *berlin = find("Europe/Berlin");
  cr_assert_not_null(rule);
  for (int i = 0; i < 2000; i++) { /* the rule of Berlin since 1996 */
    int64_t us = INT64_C(852076800) * SECOND + (int64_t)(random_u64() % (99ull * 365 * DAY));
    cr_assert_eq(tm_zone_offset_at(rule, us), tm_zone_offset_at(berlin, us));
    cr_assert_str_eq(tm_zone_abbreviation_at(rule, us), tm_zone_abbreviation_at(berlin, us));
  }
  setenv("TZ", "", 1);
  cr_expect_eq(tm_zone_local(&err), tm_zone_utc());
  unsetenv("TZ");
  cr_expect_not_null(tm_zone_local(&err));
  cr_expect_eq(err.code, TM_E_NONE);
  setenv("TZ", "no zone", 1);
  cr_expect_null(tm_zone_local(&err));
  cr_expect_eq(err.code, TM_E_VALUE);
}

Test(zone, rules_of_every_form) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  static const char *const good[] = { "UTC0", "<+0330>-3:30", "EST5EDT", "EST5EDT4,M3.2.0,M11.1.0",
    "XXX3YYY,J60,J300/1:30:15", "XXX3YYY,0/0,J365/23", "AAA-23BBB-24,M1.1.0/-167,M12.5.6/167" };
  static const char *const bad[] = { "", "U0", "UTC", "UTC25", "<UTC0", "EST5EDT,M3.2.0",
    "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5x",
    "EST5EDT,J0,J365", "EST5EDT,366,1", "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0,M11.1.0,",
    "EST5EDT,M0.2.0,M11.1.0", "EST5EDT,M3.0.0,M11.1.0", "EST99999999999999999999" };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    tm_error err = { .code = TM_E_NONE };
    tm_zone_table *table = tm_zone_file_rule(budget, good[i], &err);
    cr_expect_not_null(table, "%s: %s", good[i], err.message);
    tm_zone_file_destroy(budget, table);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    tm_error err = { .code = TM_E_NONE };
    cr_expect_null(tm_zone_file_rule(budget, bad[i], &err), "%s", bad[i]);
    cr_expect_eq(err.code, TM_E_VALUE);
  }
  tm_budget_destroy(budget);
}

/* Rules by day of the year: 60 without a J counts 29 February, J60 never does. */
Test(zone, rules_by_day_of_year, .init = use_files) {
  tm_error err = { .code = TM_E_NONE };
  setenv("TZ", "XXX0YYY,J60/0,59/0", 1); /* from 1 March to the 60th day of the year */
  const tm_zone *z = tm_zone_local(&err);
  cr_assert_not_null(z);
  int64_t new_year_2024 = INT64_C(1704067200) * SECOND;
  cr_expect_eq(tm_zone_next_transition(z, new_year_2024 + 40 * DAY),
               new_year_2024 + 59 * DAY - 3600 * SECOND); /* 29 February, an hour ahead */
  cr_expect_eq(tm_zone_next_transition(z, new_year_2024 + 59 * DAY), new_year_2024 + 60 * DAY);
}

enum { THREADS = 8 };
static const tm_zone *seen[THREADS][ZONES];
static void *find_all(void *context) {
  const tm_zone **out = context;
  for (int n = 0; n < ZONES; n++) out[n] = find(zone_names[n]);
  return NULL;
}

Test(zone, one_zone_for_all_threads, .init = use_files) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, find_all, seen[i]);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 1; i < THREADS; i++)
    for (int n = 0; n < ZONES; n++) cr_expect_eq(seen[0][n], seen[i][n]);
}

/* ---- damage ---- */

static size_t read_file(const char *zone, uint8_t *out, size_t bytes_max) {
  char path[256];
  snprintf(path, sizeof path, FILES "/%s", zone);
  FILE *f = fopen(path, "rb");
  cr_assert_not_null(f, "%s", path);
  size_t size = fread(out, 1, bytes_max, f);
  fclose(f);
  return size;
}

/* In a block of just its size, so that a sanitizer sees a byte read too many. */
static tm_zone_table *parse(tm_budget *budget, const uint8_t *data, size_t size, tm_error *err) {
  uint8_t *exact = malloc(size == 0 ? 1 : size);
  cr_assert_not_null(exact);
  memcpy(exact, data, size);
  tm_zone_table *table = tm_zone_file_parse(budget, exact, size, err);
  free(exact);
  return table;
}

static void check_table(const tm_zone_table *t) {
  cr_assert_eq(t->starts_us[0], INT64_MIN);
  for (size_t i = 0; i < t->count; i++) {
    cr_assert(i == 0 || t->starts_us[i] > t->starts_us[i - 1]);
    cr_assert(t->offsets_s[i] >= t->offset_min_s && t->offsets_s[i] <= t->offset_max_s);
    cr_assert(strlen(t->abbreviations + t->names[i]) < 512);
  }
  cr_assert(t->offset_min_s >= -26 * 3600 && t->offset_max_s <= 26 * 3600);
}

Test(zone, refuses_every_truncation) {
  uint8_t data[8192];
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  for (int n = 0; n < ZONES; n++) {
    size_t size = read_file(zone_names[n], data, sizeof data);
    for (size_t cut = 0; cut < size; cut++) {
      tm_error err = { .code = TM_E_NONE };
      cr_assert_null(parse(budget, data, cut, &err), "%s cut to %zu", zone_names[n], cut);
      cr_assert_eq(err.code, TM_E_CORRUPT);
    }
    tm_error err = { .code = TM_E_NONE };
    tm_zone_table *table = parse(budget, data, size, &err);
    cr_assert_not_null(table);
    check_table(table);
    tm_zone_file_destroy(budget, table);
  }
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}

Test(zone, survives_random_damage) {
  uint8_t data[8192];
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  int refused = 0, taken = 0;
  for (int n = 0; n < ZONES; n++) {
    size_t size = read_file(zone_names[n], data, sizeof data);
    for (int round = 0; round < 1500; round++) {
      uint8_t copy[8192];
      memcpy(copy, data, size);
      for (uint64_t flips = 1 + random_u64() % 4; flips > 0; flips--) {
        size_t at = random_u64() % (random_u64() % 2 ? size : 120);
        copy[at % size] = random_u64() % 2 ? (uint8_t)random_u64() : copy[at % size] ^ 0x80;
      }
      tm_error err = { .code = TM_E_NONE };
      tm_zone_table *table = parse(budget, copy, size, &err);
      if (table != NULL) check_table(table);
      else cr_assert_neq(err.code, TM_E_NONE);
      *(table != NULL ? &taken : &refused) += 1;
      tm_zone_file_destroy(budget, table);
    }
  }
  cr_expect(refused > 1000 && taken > 1000, "%d refused, %d taken", refused, taken);
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}

/* Damaged files that still read as zones answer every question in some way. */
Test(zone, damaged_zones_answer) {
  char folder[] = "/tmp/zone_test_XXXXXX", path[64], name[16];
  cr_assert_not_null(mkdtemp(folder));
  setenv("TZDIR", folder, 1);
  uint8_t data[8192];
  for (int n = 0; n < 600; n++) {
    size_t size = read_file(zone_names[n % ZONES], data, sizeof data);
    for (int flips = 0; flips < 3; flips++) data[60 + random_u64() % (size - 60)] ^= 0x40;
    snprintf(name, sizeof name, "z%d", n);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    cr_assert(f != NULL && fwrite(data, 1, size, f) == size);
    fclose(f);
    tm_error err = { .code = TM_E_NONE };
    const tm_zone *z = tm_zone_find(name, &err);
    cr_assert(z != NULL || err.code == TM_E_CORRUPT || err.code == TM_E_UNSUPPORTED);
    unlink(path);
    for (int i = 0; z != NULL && i < 300; i++) {
      int64_t us = random_instant(), back;
      int64_t local = us / 2 + tm_zone_offset_at(z, us / 2) * SECOND;
      cr_assert(tm_zone_to_utc(z, local, &back) != TM_ZONE_GAP);
      (void)tm_zone_to_utc(z, us, &back);
      (void)tm_zone_day_at(z, us);
    }
  }
  rmdir(folder);
}
