/* tests/kernel/int_sum_test.c: integer sums against adding one by one in 128 bits. */
#include <criterion/criterion.h>

#include "kernel/int_sum.h"
#include "tests/kernel/number_random.h"

enum { ROWS = 2051 };
static int64_t values[ROWS];
static int32_t small[ROWS];
static uint8_t valid[ROWS];

Test(int_sum, columns) {
  for (int round = 0; round < 300; round++) {
    int shift = round % 4 == 0 ? 0 : (int)(random_bits() % 63);
    for (int i = 0; i < ROWS; i++) {
      values[i] = (int64_t)random_bits() >> shift;
      if (round % 5 == 1) values[i] = i % 2 || round % 10 == 1 ? INT64_MIN : INT64_MAX;
      small[i] = (int32_t)values[i];
      valid[i] = random_bits() % 3 == 0 ? 0 : (uint8_t)(1 + random_bits() % 255);
    }
    size_t first = random_bits() % 5, rows = (size_t)(ROWS - 5) - random_bits() % 9;
    if (round < 12) rows = (size_t)round;
    for (int masked = 0; masked < 2; masked++) {
      __int128 expected = -7, expected_small = 11, sum = -7, small_sum = 11;
      for (size_t i = first; i < first + rows; i++) {
        expected += masked && !valid[i] ? 0 : values[i];
        expected_small += masked && !valid[i] ? 0 : small[i];
      }
      const uint8_t *mask = masked ? valid + first : NULL;
      tm_int_sum_add_int64(&sum, values + first, mask, rows);
      tm_int_sum_add_int32(&small_sum, small + first, mask, rows);
      cr_assert(sum == expected && small_sum == expected_small, "round %d", round);
    }
  }
}

Test(int_sum, results_that_do_not_fit_are_refused) {
  int64_t out = 5;
  cr_assert_eq(tm_int_sum_result((__int128)INT64_MAX + 1, &out), -1);
  cr_assert_eq(tm_int_sum_result((__int128)INT64_MIN - 1, &out), -1);
  cr_assert_eq(out, 5);
  cr_assert_eq(tm_int_sum_result(INT64_MAX, &out), 0);
  cr_assert_eq(out, INT64_MAX);
  cr_assert_eq(tm_int_sum_result(INT64_MIN, &out), 0);
  cr_assert_eq(out, INT64_MIN);
}
