/* Loops over groups against the obvious loop, for every mixture of lists, nulls and groups. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>

#include "kernel/accumulate.h"

enum { ROWS = 700, GROUPS = 5 };

static uint64_t state = 7;
static uint32_t below(uint32_t limit) {
  state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (uint32_t)(state >> 33) % limit;
}

/* One of eight mixtures: bit 0 lists rows, bit 1 has nulls, bit 2 has groups. */
typedef struct mixture {
  tm_grouped in;
  uint32_t rows[ROWS], groups[ROWS];
  uint8_t valid[ROWS];
  const uint8_t *nulls;
} mixture;

static mixture m;

static void make(int which) {
  m.in.count = 0;
  for (uint32_t i = 0; i < ROWS; i++) {
    m.valid[i] = below(4) != 0;
    if (which & 1 && below(3) == 0) continue;
    m.rows[m.in.count] = i;
    m.groups[m.in.count++] = below(GROUPS);
  }
  m.in.rows = which & 1 ? m.rows : NULL;
  m.in.groups = which & 4 ? m.groups : NULL;
  m.nulls = which & 2 ? m.valid : NULL;
}

static uint32_t group_of(uint32_t i) { return m.in.groups == NULL ? 0 : m.groups[i]; }
static bool is_null(uint32_t i) { return m.nulls != NULL && !m.valid[m.rows[i]]; }

Test(accumulate, counts) {
  for (int which = 0; which < 8; which++) {
    make(which);
    int64_t rows[GROUPS] = {0}, nulls[GROUPS] = {0}, expected[GROUPS] = {0}, none[GROUPS] = {0};
    uint8_t seen[GROUPS] = {0}, expected_seen[GROUPS] = {0};
    for (uint32_t i = 0; i < m.in.count; i++) {
      expected[group_of(i)]++;
      none[group_of(i)] += is_null(i);
      if (!is_null(i)) expected_seen[group_of(i)] = 1;
    }
    tm_accumulate_count(&m.in, rows);
    tm_accumulate_nulls(&m.in, m.nulls, nulls);
    tm_accumulate_seen(&m.in, m.nulls, seen);
    cr_expect_arr_eq(rows, expected, sizeof rows);
    cr_expect_arr_eq(nulls, none, sizeof nulls);
    cr_expect_arr_eq(seen, expected_seen, sizeof seen);
  }
}

Test(accumulate, sums_stop_before_they_overflow) {
  static int32_t narrow[ROWS];
  static int64_t wide[ROWS];
  static __int128 widest[ROWS];
  for (int which = 0; which < 8; which++) {
    make(which);
    for (uint32_t i = 0; i < ROWS; i++) {
      narrow[i] = (int32_t)below(1000) - 500;
      wide[i] = below(50) == 0 ? INT64_MAX - 5 : (int64_t)below(1000);
      widest[i] = (__int128)wide[i] * ((__int128)1 << 60);
    }
    tm_column columns[] = {{tm_type_of(TM_INT32), (uint8_t *)m.nulls, narrow},
                           {tm_type_of(TM_INT64), (uint8_t *)m.nulls, wide},
                           {tm_type_decimal(38, 2), (uint8_t *)m.nulls, widest}};
    int64_t sums[GROUPS] = {0}, expected[GROUPS] = {0};
    for (uint32_t i = 0; i < m.in.count; i++) {
      if (!is_null(i)) expected[group_of(i)] += narrow[m.rows[i]];
    }
    cr_expect_eq(tm_accumulate_sum(&m.in, &columns[0], 0, sums), m.in.count);
    cr_expect_arr_eq(sums, expected, sizeof sums);
    /* Wide ones: as far as it goes, and no row twice. */
    __int128 exact[GROUPS] = {0}, wide_exact[GROUPS] = {0}, wide_sums[GROUPS] = {0};
    memset(sums, 0, sizeof sums);
    uint32_t done = tm_accumulate_sum(&m.in, &columns[1], 0, sums);
    for (uint32_t i = 0; i < done; i++) {
      if (!is_null(i)) exact[group_of(i)] += wide[m.rows[i]];
    }
    for (int g = 0; g < GROUPS; g++) cr_expect(exact[g] == sums[g], "group %d of %d", g, which);
    cr_assert_lt(done, m.in.count);
    cr_expect_not(is_null(done));
    cr_expect(exact[group_of(done)] + wide[m.rows[done]] > INT64_MAX);
    done = tm_accumulate_sum_wide(&m.in, &columns[2], 0, wide_sums);
    for (uint32_t i = 0; i < done; i++) {
      if (!is_null(i)) wide_exact[group_of(i)] += widest[m.rows[i]];
    }
    for (int g = 0; g < GROUPS; g++) cr_expect(wide_exact[g] == wide_sums[g]);
  }
}

Test(accumulate, products) {
  static int32_t a[ROWS];
  static int64_t b[ROWS];
  for (int which = 0; which < 8; which++) {
    make(which);
    for (uint32_t i = 0; i < ROWS; i++) {
      a[i] = (int32_t)below(UINT32_MAX);
      b[i] = (int64_t)below(UINT32_MAX) * 1000003;
    }
    tm_column x = {tm_type_of(TM_INT32), (uint8_t *)m.nulls, a};
    tm_column y = {tm_type_decimal(12, 3), NULL, b};
    __int128 sums[GROUPS] = {0}, expected[GROUPS] = {0};
    for (uint32_t i = 0; i < m.in.count; i++) {
      if (!is_null(i)) expected[group_of(i)] += (__int128)a[m.rows[i]] * b[m.rows[i]];
    }
    cr_expect_eq(tm_accumulate_products(&m.in, &x, &y, 0, sums), m.in.count);
    for (int g = 0; g < GROUPS; g++) cr_expect(sums[g] == expected[g]);
  }
}

Test(accumulate, extremes_do_not_depend_on_order) {
  const double odd[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 1.5, -1.5, 5e-324};
  double values[8], forward[2], backward[2];
  uint32_t up[8], down[8];
  for (uint32_t subset = 1; subset < 256; subset++) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < 8; i++) {
      if (subset >> i & 1) values[count++] = odd[i];
    }
    for (uint32_t i = 0; i < count; i++) {
      up[i] = i;
      down[i] = count - 1 - i;
    }
    tm_column column = {tm_type_of(TM_FLOAT64), NULL, values};
    for (int greatest = 0; greatest < 2; greatest++) {
      tm_accumulate_neutral(column.type, greatest, forward, 0, 1);
      tm_accumulate_neutral(column.type, greatest, backward, 0, 1);
      tm_accumulate_extreme(&(tm_grouped){up, NULL, count}, &column, greatest, forward);
      tm_accumulate_extreme(&(tm_grouped){down, NULL, count}, &column, greatest, backward);
      cr_expect_arr_eq(forward, backward, sizeof(double), "subset %x", subset);
      bool nan = subset & 4, other = subset & ~4u;
      cr_expect_eq(isnan(forward[0]) != 0, greatest ? nan : !other);
      if ((subset & 3) == 3 && !(subset & ~3u)) cr_expect_eq(!!signbit(forward[0]), !greatest);
    }
  }
}

Test(accumulate, extremes_of_each_type) {
  static uint8_t u8[ROWS];
  static int32_t i32[ROWS];
  static int64_t i64[ROWS];
  static __int128 i128[ROWS];
  tm_column columns[] = {{.type = tm_type_of(TM_BOOL), .data = u8},
                         {.type = tm_type_of(TM_DATE), .data = i32},
                         {.type = tm_type_of(TM_TIMESTAMP), .data = i64},
                         {.type = tm_type_decimal(30, 1), .data = i128}};
  for (int which = 0; which < 8; which++) {
    make(which);
    for (uint32_t i = 0; i < ROWS; i++) {
      u8[i] = below(2);
      i32[i] = i == 3 ? INT32_MIN : (int32_t)below(900) - 450;
      i64[i] = i == 4 ? INT64_MAX : (int64_t)below(900) - 450;
      i128[i] = ((__int128)below(900) - 450) * ((__int128)1 << 70);
    }
    for (int c = 0; c < 4; c++) {
      for (int greatest = 0; greatest < 2; greatest++) {
        __int128 got[GROUPS], best[GROUPS];
        bool there[GROUPS] = {false};
        columns[c].valid = (uint8_t *)m.nulls;
        tm_accumulate_neutral(columns[c].type, greatest, got, 0, GROUPS);
        tm_accumulate_extreme(&m.in, &columns[c], greatest, got);
        for (uint32_t i = 0; i < m.in.count; i++) {
          uint32_t row = m.rows[i], g = group_of(i);
          if (is_null(i)) continue;
          __int128 v = c == 0 ? u8[row] : c == 1 ? i32[row] : c == 2 ? i64[row] : i128[row];
          if (!there[g] || (greatest ? v > best[g] : v < best[g])) best[g] = v;
          there[g] = true;
        }
        for (int g = 0; g < GROUPS; g++) {
          if (!there[g]) continue;
          __int128 v = c == 0 ? ((uint8_t *)got)[g] : c == 1 ? ((int32_t *)got)[g]
                     : c == 2 ? ((int64_t *)got)[g] : got[g];
          cr_expect(v == best[g], "type %d, mixture %d", c, which);
        }
      }
    }
  }
}

Test(accumulate, numbers_as_doubles) {
  int64_t digits[] = {12345, -1, INT64_C(999999999999999999)};
  uint32_t rows[] = {2, 0};
  double out[2];
  tm_column column = {tm_type_decimal(18, 2), NULL, digits};
  tm_accumulate_doubles(&column, rows, 2, out);
  cr_expect_eq(out[0], 9999999999999999.99);
  cr_expect_eq(out[1], 123.45);
}

Test(accumulate, a_product_and_its_rest_are_exact) {
  double a[64], b[64], products[64], rests[64];
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 64; i++) {
      a[i] = ldexp((double)below(UINT32_MAX) * 1048576 + below(1048576), (int)below(200) - 150);
      b[i] = -ldexp((double)below(UINT32_MAX) * 1048576 + below(1048576), (int)below(200) - 150);
    }
    tm_accumulate_float_products(a, b, 64, products, rests);
    for (int i = 0; i < 64; i++) {
      cr_expect_eq(products[i], a[i] * b[i]);
      cr_expect_eq(rests[i], fma(a[i], b[i], -products[i]));
    }
  }
}
