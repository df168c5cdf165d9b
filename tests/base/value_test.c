/* Looking into script values; durations and sizes as text, against printf and plain arithmetic. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"

static tm_value text(const char *s) {
  return (tm_value){.kind = TM_VALUE_TEXT, .text = s, .size = strlen(s)};
}

Test(value, entries_are_found_by_name) {
  const tm_pair pairs[] = {
    {"alpha", text("1")}, {"beta", text("2")}, {"gamma", {.kind = TM_VALUE_INT, .integer = 3}},
    {"zeta", text("4")},
  };
  for (size_t count = 0; count <= 4; count++) {
    tm_value table = {.kind = TM_VALUE_TABLE, .pairs = pairs, .pair_count = count};
    for (size_t i = 0; i < 4; i++) {
      const tm_value *found = tm_value_get(&table, pairs[i].name);
      cr_expect_eq(found, i < count ? &pairs[i].value : NULL);
    }
    cr_expect_null(tm_value_get(&table, "delta"));
    cr_expect_null(tm_value_get(&table, ""));
  }
  tm_value table = {.kind = TM_VALUE_TABLE, .pairs = pairs, .pair_count = 4}, nil = {0};
  cr_expect_null(tm_value_get(NULL, "alpha"));
  cr_expect_null(tm_value_get(&nil, "alpha"));
  cr_expect_str_eq(tm_value_text(&table, "beta", "?"), "2");
  cr_expect_str_eq(tm_value_text(&table, "gamma", "?"), "?", "no text");
  cr_expect_str_eq(tm_value_text(&table, "none", "?"), "?");
}

Test(value, every_kind_has_a_word) {
  for (int kind = TM_VALUE_NIL; kind <= TM_VALUE_SECRET; kind++) {
    const char *name = tm_value_kind_name((tm_value_kind)kind);
    cr_expect_str_neq(name, "value");
    for (int other = 0; other < kind; other++) {
      cr_expect_str_neq(name, tm_value_kind_name((tm_value_kind)other));
    }
  }
}

static int64_t duration(const char *s) {
  int64_t us = -777;
  return tm_duration_parse(s, strlen(s), &us) == 0 ? us : INT64_MIN;
}

Test(duration, texts) {
  const int64_t s = 1000000, h = 3600 * s;
  cr_expect_eq(duration("0s"), 0);
  cr_expect_eq(duration("7us"), 7);
  cr_expect_eq(duration("7ms"), 7000);
  cr_expect_eq(duration("90s"), 90 * s);
  cr_expect_eq(duration("5m"), 300 * s);
  cr_expect_eq(duration("1h30m"), h + 1800 * s);
  cr_expect_eq(duration("1d"), 24 * h);
  cr_expect_eq(duration("2w"), 14 * 24 * h);
  cr_expect_eq(duration("-5s"), -5 * s);
  cr_expect_eq(duration("1m1ms"), 60 * s + 1000);
  const char *const wrong[] = {
    "", "-", "5", "s", "5 s", " 5s", "5s ", "1.5h", "+5s", "5S", "5sec", "--5s", "5s-", "1h-5m",
    "99999999999999999999s", "9223372036854775807w", "9223372036854775807us1us", "5\xc2\xb5s",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    cr_expect_eq(duration(wrong[i]), INT64_MIN, "'%s' is no duration", wrong[i]);
  }
  int64_t us;
  cr_expect_eq(tm_duration_parse("5sXX", 2, &us), 0, "no byte beyond size counts");
  cr_expect_eq(us, 5 * s);
}

Test(duration, random_ones_add_up) {
  const struct { const char *unit; int64_t us; } units[] = {
    {"w", INT64_C(604800000000)}, {"d", INT64_C(86400000000)}, {"h", INT64_C(3600000000)},
    {"m", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1},
  };
  uint64_t seed = 42;
  for (int round = 0; round < 2000; round++) {
    char out[256] = "";
    int64_t sum = 0;
    for (size_t i = 0; i < 7; i++) {
      seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
      if ((seed >> 40) % 3 == 0 && (i < 6 || out[0] != '\0')) continue;
      int64_t number = (int64_t)(seed >> 50);
      size_t used = strlen(out);
      snprintf(out + used, sizeof out - used, "%" PRId64 "%s", number, units[i].unit);
      sum += number * units[i].us;
    }
    cr_assert_eq(duration(out), sum, "%s", out);
  }
}

static uint64_t size_of(const char *s) {
  uint64_t bytes;
  return tm_size_parse(s, strlen(s), &bytes) == 0 ? bytes : UINT64_MAX;
}

Test(size, texts) {
  cr_expect_eq(size_of("0"), 0);
  cr_expect_eq(size_of("4096"), 4096);
  cr_expect_eq(size_of("1K"), 1024);
  cr_expect_eq(size_of("64M"), 64u << 20);
  cr_expect_eq(size_of("64m"), 64u << 20);
  cr_expect_eq(size_of("1.5G"), UINT64_C(1610612736));
  cr_expect_eq(size_of("0.5K"), 512);
  cr_expect_eq(size_of("2T"), UINT64_C(2) << 40);
  cr_expect_eq(size_of("7.0"), 7);
  cr_expect_eq(size_of("16777215T"), UINT64_C(16777215) << 40);
  const char *const wrong[] = {
    "", "K", "1.5", "-1", "+1", "1 K", "1KB", "1.K", ".5K", "1e3", "0x10", "16777216T",
    "18446744073709551616", "99999999999999999999999", "1.0000000001K", "1K ", "1,5K",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    cr_expect_eq(size_of(wrong[i]), UINT64_MAX, "'%s' is no size", wrong[i]);
  }
}
