/* tests/kernel/exact_sum_test.c: exact sums against chunks of 32 bits that carry only at the end.
 *
 * The reference never rounds: a result is right if no neighbour lies nearer to the reference, and
 * of two that lie as near it is the even one. Blocks come from a counting allocator, which shows
 * what stays inline and that everything is given back. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/exact_sum.h"
#include "tests/kernel/number_random.h"

/* ---- the reference */

enum { CHUNKS = 70 };
typedef struct reference {
  int64_t chunk[CHUNKS]; /* of 2^(32 * i - 1074) */
} reference;

static void reference_add(reference *to, double value, int times) {
  int exponent;
  int64_t mantissa = (int64_t)ldexp(frexp(value, &exponent), 53);
  exponent -= 53;
  for (; exponent < -1074; exponent++) mantissa /= 2; /* subnormals: those bits are 0 */
  int position = exponent + 1074;
  unsigned __int128 size = (unsigned __int128)llabs(mantissa) << (position % 32);
  int sign = mantissa < 0 ? -times : times;
  for (int i = position / 32; size != 0; i++, size >>= 32)
    to->chunk[i] += sign * (int64_t)(uint32_t)size;
}

/* Carries through; returns the sign and leaves the magnitude. */
static int reference_settle(reference *value) {
  for (int pass = 0; pass < 2; pass++) {
    int64_t carry = 0;
    for (int i = 0; i < CHUNKS; i++) {
      int64_t sum = value->chunk[i] + carry;
      carry = sum >> 32;
      value->chunk[i] = sum - carry * (INT64_C(1) << 32);
    }
    if (carry == 0) break;
    for (int i = 0; i < CHUNKS; i++) value->chunk[i] = -value->chunk[i];
    value->chunk[CHUNKS - 1] -= carry * (INT64_C(1) << 32);
    if (pass == 0) {
      reference copy = *value;
      return reference_settle(&copy), *value = copy, -1;
    }
  }
  for (int i = 0; i < CHUNKS; i++)
    if (value->chunk[i] != 0) return 1;
  return 0;
}

static int compare_settled(const reference *a, const reference *b) {
  for (int i = CHUNKS - 1; i >= 0; i--)
    if (a->chunk[i] != b->chunk[i]) return a->chunk[i] < b->chunk[i] ? -1 : 1;
  return 0;
}

/* |sum - value| as a settled number. */
static reference distance(const reference *sum, double value) {
  reference out = *sum;
  reference_add(&out, value, -1);
  reference_settle(&out);
  return out;
}

static void check_nearest(const reference *sum, double result) {
  cr_assert(isfinite(result));
  reference off = distance(sum, result);
  for (int side = 0; side < 2; side++) {
    double other = nextafter(result, side ? DBL_MAX : -DBL_MAX);
    if (other == result) continue;
    reference other_off = distance(sum, other);
    int order = compare_settled(&off, &other_off);
    cr_assert(order < 0 || (order == 0 && (bits_of(result) & 1) == 0), "%a is not the nearest",
              result);
  }
}

/* ---- memory */

static size_t blocks_held, blocks_refused_from = SIZE_MAX, blocks_asked;

static void *counting_alloc(void *context, size_t bytes) {
  cr_assert_null(context);
  if (blocks_asked++ >= blocks_refused_from) return NULL;
  blocks_held++;
  return malloc(bytes);
}

static void counting_free(void *context, void *block, size_t bytes) {
  cr_assert(context == NULL && bytes > 0);
  blocks_held--;
  free(block);
}

static const tm_exact_memory memory = {counting_alloc, counting_free, NULL};

static void add(tm_exact_sum *sum, double value) {
  cr_assert_eq(tm_exact_sum_add(sum, value, &memory), 0);
}

static void finish(tm_exact_sum *sum) { tm_exact_sum_deinit(sum, &memory); }

/* Equal as values: the same bytes, which do not depend on windows. */
static void check_same(const tm_exact_sum *a, const tm_exact_sum *b) {
  uint8_t a_bytes[TM_EXACT_BYTES_MAX], b_bytes[TM_EXACT_BYTES_MAX];
  size_t a_size = tm_exact_sum_write(a, a_bytes), b_size = tm_exact_sum_write(b, b_bytes);
  cr_assert(a_size == b_size && memcmp(a_bytes, b_bytes, a_size) == 0);
  double x = tm_exact_sum_result(a), y = tm_exact_sum_result(b);
  cr_assert(bits_of(x) == bits_of(y) || (isnan(x) && isnan(y)), "%a and %a", x, y);
}

/* ---- values */

typedef double (*maker)(void);

static double any_double(void) {
  double value = from_bits(random_bits());
  return isfinite(value) ? value / 4 : 1; /* so that a few of them stay finite */
}
static double money(void) { return (double)(int64_t)(random_bits() % 2000000000) / 100 - 3e6; }
static double unit_interval(void) { return (double)(random_bits() >> 11) * 0x1p-53; }
static double wide_money(void) {
  return ldexp(unit_interval() + 0.5, (int)(random_bits() % 60) - 20);
}
static double tiny(void) { return unit_interval() * 1e-300 * (random_bits() & 1 ? 1 : -1); }
static double subnormal(void) { return from_bits(random_bits() & (UINT64_C(0x800fffff) << 32)); }
static double large(void) { return (unit_interval() - 0.5) * 1e300; }
static double around_zero(void) { return (double)((int64_t)(random_bits() % 3) - 1) * 0.1; }
static double mixed(void) {
  static const maker makers[] = {money, unit_interval, tiny, large, subnormal, any_double};
  return makers[random_bits() % 6]();
}
static double outliers(void) { return random_bits() % 50 == 0 ? mixed() : money(); }

static const maker makers[] = {any_double, money, unit_interval, wide_money, tiny, subnormal,
                               large, around_zero, mixed, outliers};
enum { MAKERS = sizeof makers / sizeof *makers, ROWS = 5003 };

static double values[ROWS];
static uint8_t valid[ROWS];

static void fill(maker make) {
  for (int i = 0; i < ROWS; i++) values[i] = make();
}

/* ---- tests */

Test(exact_sum, by_hand) {
  tm_exact_sum sum = {0};
  cr_assert_eq(bits_of(tm_exact_sum_result(&sum)), 0);
  add(&sum, -0.0);
  cr_assert_eq(bits_of(tm_exact_sum_result(&sum)), 0);
  add(&sum, 1e16);
  add(&sum, 1);
  add(&sum, -1e16);
  cr_assert_eq(tm_exact_sum_result(&sum), 1.0);
  add(&sum, 1e100);
  add(&sum, 1);
  add(&sum, -1e100);
  cr_assert_eq(tm_exact_sum_result(&sum), 2.0);
  add(&sum, 5e-324);
  add(&sum, -2);
  cr_assert_eq(tm_exact_sum_result(&sum), 5e-324);
  finish(&sum);
  for (int i = 0; i < 10; i++) add(&sum, 0.1);
  cr_assert_eq(tm_exact_sum_result(&sum), 1.0);
  cr_assert_null(sum.wide);
  add(&sum, -1); /* ten times what 0.1 is more than a tenth */
  cr_assert_eq(tm_exact_sum_result(&sum), 0x1p-54);
  finish(&sum);
  add(&sum, 9007199254740992.0);
  add(&sum, 1);
  cr_assert_eq(tm_exact_sum_result(&sum), 9007199254740992.0); /* a tie, to even */
  add(&sum, 0x1p-60);
  cr_assert_eq(tm_exact_sum_result(&sum), 9007199254740994.0);
  add(&sum, -0x1p-60);
  add(&sum, 2);
  cr_assert_eq(tm_exact_sum_result(&sum), 9007199254740996.0);
  finish(&sum);
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, beyond_the_largest_double) {
  tm_exact_sum sum = {0};
  for (int i = 0; i < 3; i++) add(&sum, DBL_MAX);
  cr_assert_eq(tm_exact_sum_result(&sum), (double)INFINITY);
  for (int i = 0; i < 2; i++) cr_assert_eq(tm_exact_sum_remove(&sum, DBL_MAX, &memory), 0);
  cr_assert_eq(tm_exact_sum_result(&sum), DBL_MAX);
  add(&sum, 0x1p969); /* a quarter of the last place: not yet at the tie with infinity */
  cr_assert_eq(tm_exact_sum_result(&sum), DBL_MAX);
  add(&sum, 0x1p969);
  cr_assert_eq(tm_exact_sum_result(&sum), (double)INFINITY); /* the tie */
  add(&sum, -5e-324);
  cr_assert_eq(tm_exact_sum_result(&sum), DBL_MAX);
  for (int i = 0; i < 5; i++) add(&sum, -DBL_MAX);
  cr_assert_eq(tm_exact_sum_result(&sum), -(double)INFINITY);
  finish(&sum);
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, nan_and_infinities) {
  double inf = (double)INFINITY;
  tm_exact_sum sum = {0};
  add(&sum, 3);
  add(&sum, inf);
  add(&sum, inf);
  cr_assert_eq(tm_exact_sum_result(&sum), inf);
  add(&sum, -inf);
  cr_assert(isnan(tm_exact_sum_result(&sum)));
  cr_assert_eq(tm_exact_sum_remove(&sum, inf, &memory), 0);
  cr_assert(isnan(tm_exact_sum_result(&sum)));
  cr_assert_eq(tm_exact_sum_remove(&sum, inf, &memory), 0);
  cr_assert_eq(tm_exact_sum_result(&sum), -inf);
  add(&sum, (double)NAN);
  cr_assert(isnan(tm_exact_sum_result(&sum)));
  tm_exact_sum copy = {0};
  uint8_t bytes[TM_EXACT_BYTES_MAX];
  size_t size = tm_exact_sum_write(&sum, bytes);
  cr_assert_eq(tm_exact_sum_read(&copy, bytes, size, &memory), (int)size);
  check_same(&sum, &copy);
  cr_assert_eq(tm_exact_sum_remove(&copy, (double)NAN, &memory), 0);
  cr_assert_eq(tm_exact_sum_remove(&copy, -inf, &memory), 0);
  cr_assert_eq(tm_exact_sum_result(&copy), 3.0);
  double column[] = {1, inf, 2, (double)NAN, 3};
  uint8_t all_but_nan[] = {1, 1, 1, 0, 1};
  cr_assert_eq(tm_exact_sum_add_column(&copy, column, all_but_nan, 5, &memory), 0);
  cr_assert_eq(tm_exact_sum_result(&copy), inf);
  cr_assert_eq(tm_exact_sum_remove(&copy, inf, &memory), 0);
  cr_assert_eq(tm_exact_sum_result(&copy), 9.0);
  finish(&sum);
  finish(&copy);
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, results_are_nearest) {
  for (int round = 0; round < 400 * MAKERS; round++) {
    maker make = makers[round % MAKERS];
    int count = 1 + (int)(random_bits() % (round % 3 ? 4 : 200));
    tm_exact_sum sum = {0};
    reference exact = {{0}};
    for (int i = 0; i < count; i++) {
      double value = make();
      if (round % 2 && i % 2) value = -values[i - 1] * (1 + 0x1p-52 * (double)(random_bits() % 3));
      values[i] = value;
      add(&sum, value);
      reference_add(&exact, value, 1);
      if (i % 8 == 0 && isfinite(tm_exact_sum_result(&sum)))
        check_nearest(&exact, tm_exact_sum_result(&sum));
    }
    double result = tm_exact_sum_result(&sum), low;
    if (isfinite(result)) {
      check_nearest(&exact, result);
      cr_assert_eq(tm_exact_sum_result_pair(&sum, &low), result);
      reference_add(&exact, result, -1);
      check_nearest(&exact, low);
    }
    finish(&sum);
  }
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, order_and_sharing_do_not_matter) {
  for (int round = 0; round < 4 * MAKERS; round++) {
    fill(makers[round % MAKERS]);
    tm_exact_sum whole = {0}, parts[7] = {{0}}, merged = {0};
    for (int i = 0; i < ROWS; i++) add(&whole, values[i]);
    for (int i = ROWS - 1; i > 0; i--) { /* shuffled */
      int j = (int)(random_bits() % (uint64_t)(i + 1));
      double value = values[i];
      values[i] = values[j], values[j] = value;
    }
    for (int i = 0; i < ROWS; i++) add(&parts[random_bits() % 7], values[i]);
    for (int i = 0; i < 7; i++) cr_assert_eq(tm_exact_sum_merge(&merged, &parts[i], &memory), 0);
    check_same(&whole, &merged);
    tm_exact_sum rest = {0};
    cr_assert_eq(tm_exact_sum_merge(&rest, &whole, &memory), 0);
    for (int i = 6; i >= 3; i--) cr_assert_eq(tm_exact_sum_unmerge(&rest, &parts[i], &memory), 0);
    for (int i = 0; i < 3; i++) cr_assert_eq(tm_exact_sum_unmerge(&rest, &parts[i], &memory), 0);
    check_same(&rest, &(tm_exact_sum){0});
    cr_assert_eq(tm_exact_sum_unmerge(&rest, &whole, &memory), 0);
    cr_assert_eq(tm_exact_sum_merge(&rest, &merged, &memory), 0);
    check_same(&rest, &(tm_exact_sum){0});
    finish(&rest);
    for (int i = 0; i < ROWS; i++) /* and taken away again, in yet another order */
      cr_assert_eq(tm_exact_sum_remove(&merged, values[(i * 17) % ROWS], &memory), 0);
    tm_exact_sum nothing = {0};
    check_same(&merged, &nothing);
    for (int i = 0; i < 7; i++) finish(&parts[i]);
    finish(&whole);
    finish(&merged);
  }
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, columns_are_their_rows) {
  for (int round = 0; round < 6 * MAKERS; round++) {
    fill(makers[round % MAKERS]);
    size_t first = random_bits() % 9, rows = ROWS - first - random_bits() % (round % 4 ? 9 : 5000);
    bool masked = round / MAKERS % 2;
    for (int i = 0; i < ROWS; i++) {
      valid[i] = random_bits() % 3 != 0;
      if (masked && !valid[i] && i % 2) values[i] = (double)NAN; /* whatever lies in a null */
    }
    tm_exact_sum column = {0}, single = {0};
    for (int part = 0; part < 2; part++) {
      const double *from = values + first;
      cr_assert_eq(tm_exact_sum_add_column(&column, from, masked ? valid + first : NULL, rows,
                                           &memory), 0);
      for (size_t i = 0; i < rows; i++)
        if (!masked || valid[first + i]) add(&single, from[i]);
      check_same(&column, &single);
    }
    finish(&column);
    finish(&single);
  }
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, the_least_fixed_part_can_be_taken_back) {
  tm_exact_sum least = {.fixed = (__int128)((unsigned __int128)1 << 127)}, sum = {0};
  cr_assert_eq(tm_exact_sum_unmerge(&sum, &least, &memory), 0);
  cr_expect_eq(tm_exact_sum_result(&sum), 0x1p55); /* 2^127 units of 2^-72 */
  cr_assert_eq(tm_exact_sum_merge(&sum, &least, &memory), 0);
  cr_expect_eq(tm_exact_sum_result(&sum), 0);
  finish(&sum);
}

/* Data of one kind stays in its 32 bytes, wherever it lies. */
Test(exact_sum, common_data_needs_no_memory) {
  static const maker inline_makers[] = {money, unit_interval, around_zero, tiny, large};
  for (size_t m = 0; m < sizeof inline_makers / sizeof *inline_makers; m++) {
    tm_exact_sum sum = {0}, other = {0};
    for (int round = 0; round < 40; round++) {
      fill(inline_makers[m]);
      for (int i = 0; i < ROWS; i++) {
        /* Digits far below the usual are what the wide part is for. */
        double value = fabs(values[i]) < 1e290 && m == 4 ? 1e299 : values[i];
        if (m == 3) value = copysign(fabs(value) + 1e-301, value);
        add(round % 2 ? &sum : &other, value);
      }
    }
    cr_assert_eq(tm_exact_sum_merge(&sum, &other, &memory), 0);
    cr_assert_eq(blocks_asked, 0, "kind %zu", m);
  }
  double prices[1000];
  tm_exact_sum sum = {0};
  for (int i = 0; i < 1000; i++) prices[i] = (double)(i % 100 + 1) * 1e-6 + (double)i * 1e9;
  for (int i = 0; i < 10; i++)
    cr_assert_eq(tm_exact_sum_add_column(&sum, prices, NULL, 1000, &memory), 0);
  cr_assert_eq(blocks_asked, 0);
}

Test(exact_sum, fixed_part_overflows_into_the_wide_one) {
  tm_exact_sum sum = {0}, column = {0};
  double big = 0x1.fffffffffffffp53;
  for (int i = 0; i < ROWS; i++) values[i] = i % 2500 < 2000 ? big : -big;
  reference exact = {{0}};
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < ROWS; i++) add(&sum, values[i]), reference_add(&exact, values[i], 1);
    cr_assert_eq(tm_exact_sum_add_column(&column, values, NULL, ROWS, &memory), 0);
    check_same(&sum, &column);
    check_nearest(&exact, tm_exact_sum_result(&sum));
  }
  cr_assert_not_null(sum.wide);
  finish(&sum);
  finish(&column);
}

/* Refuses the nth block, for every n that is asked for: the sum is as before, or says so. */
Test(exact_sum, out_of_memory) {
  tm_exact_sum sum = {0}, before = {0}, other = {0};
  add(&sum, 1);
  add(&before, 1);
  blocks_refused_from = 0;
  double nan = (double)NAN, outliers_column[] = {1e300};
  cr_assert_eq(tm_exact_sum_add(&sum, 1e300, &memory), -1);
  cr_assert_eq(tm_exact_sum_add(&sum, nan, &memory), -1);
  cr_assert_eq(tm_exact_sum_remove(&sum, 1e-300, &memory), -1);
  cr_assert_eq(tm_exact_sum_add_column(&sum, outliers_column, NULL, 1, &memory), -1);
  add(&other, 1e200);
  cr_assert_eq(tm_exact_sum_merge(&sum, &other, &memory), -1);
  check_same(&sum, &before);
  blocks_refused_from = SIZE_MAX;
  add(&other, nan);
  uint8_t bytes[TM_EXACT_BYTES_MAX];
  size_t size = tm_exact_sum_write(&other, bytes);
  blocks_refused_from = 0;
  cr_assert_eq(tm_exact_sum_merge(&sum, &other, &memory), -1);
  check_same(&sum, &before);
  tm_exact_sum copy = {0};
  cr_assert_eq(tm_exact_sum_read(&copy, bytes, size, &memory), -1);
  cr_assert_null(copy.wide);
  finish(&other);
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, bytes_read_back) {
  uint8_t bytes[TM_EXACT_BYTES_MAX + 1];
  for (int round = 0; round < 200 * MAKERS; round++) {
    tm_exact_sum sum = {0}, copy = {0};
    int count = (int)(random_bits() % 30);
    for (int i = 0; i < count; i++) add(&sum, makers[round % MAKERS]());
    if (round % 7 == 0) add(&sum, round % 2 ? (double)INFINITY : (double)NAN);
    size_t size = tm_exact_sum_write(&sum, bytes);
    cr_assert_leq(size, TM_EXACT_BYTES_MAX);
    bytes[size] = 0x55;
    cr_assert_eq(tm_exact_sum_read(&copy, bytes, size + 1, &memory), (int)size);
    check_same(&sum, &copy);
    double more = makers[round % MAKERS]();
    add(&sum, more);
    add(&copy, more);
    check_same(&sum, &copy);
    finish(&copy);
    for (size_t less = 0; less < size; less++)
      cr_assert_eq(tm_exact_sum_read(&copy, bytes, less, &memory), -2);
    finish(&sum);
  }
  cr_assert_eq(blocks_held, 0);
}

Test(exact_sum, bytes_that_are_no_sum) {
  static const uint8_t heads[][5] = {{2, 0, 0, 1, 0}, {0, 0, 0, 17, 1}, {0, 16, 1, 1, 0},
                                     {0, 255, 255, 255, 255}};
  uint8_t bytes[400] = {0};
  tm_exact_sum sum = {0};
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    memcpy(bytes, heads[i], 5);
    cr_assert_eq(tm_exact_sum_read(&sum, bytes, sizeof bytes, &memory), -2, "head %zu", i);
  }
  cr_assert_eq(blocks_asked, 0);
}

Test(exact_sum, small_common_sums_have_few_bytes) {
  uint8_t bytes[TM_EXACT_BYTES_MAX];
  tm_exact_sum sum = {0};
  cr_assert_eq(tm_exact_sum_write(&sum, bytes), 5);
  add(&sum, 1);
  cr_assert_leq(tm_exact_sum_write(&sum, bytes), 7);
  for (int i = 0; i < 1000; i++) add(&sum, money());
  cr_assert_leq(tm_exact_sum_write(&sum, bytes), 20);
}

Test(exact_sum, the_size_that_slots_count_on) { cr_assert_eq(sizeof(tm_exact_sum), 32); }
