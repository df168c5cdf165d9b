/* Normal form and hashes of keys: equal keys are equal bits and hash alike, whatever their width.
 * */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/hash_rows.h"

static tm_column column_of(tm_kind kind, void *data, uint8_t *valid) {
  return (tm_column){.type = tm_type_of(kind), .valid = valid, .data = data};
}

static uint64_t hash_one(const tm_column *column, uint32_t row) {
  uint64_t hash;
  tm_hash_column(column, &row, 1, true, &hash);
  return hash;
}

Test(hash_rows, an_integer_hashes_alike_in_every_width) {
  int32_t narrow[] = {5, -1, INT32_MIN, 0};
  int64_t wide[] = {5, -1, INT32_MIN, 0};
  __int128 widest[] = {5, -1, INT32_MIN, 0};
  uint8_t valid[] = {1, 1, 1, 0};
  tm_column a = column_of(TM_INT32, narrow, valid), b = column_of(TM_INT64, wide, valid);
  tm_column c = {.type = tm_type_decimal(30, 2), .valid = valid, .data = widest};
  tm_column d = {.type = tm_type_decimal(10, 2), .valid = valid, .data = wide};
  for (uint32_t i = 0; i < 4; i++) {
    cr_expect_eq(hash_one(&a, i), hash_one(&b, i));
    cr_expect_eq(hash_one(&c, i), hash_one(&d, i));
    cr_expect_eq(hash_one(&a, i), hash_one(&d, i));
  }
  cr_expect_neq(hash_one(&a, 0), hash_one(&a, 1));
}

Test(hash_rows, floats_that_are_one_key_are_one_word) {
  double nan2;
  uint64_t odd_nan = UINT64_C(0xfff8000000000123);
  memcpy(&nan2, &odd_nan, 8);
  double values[] = {0.0, -0.0, NAN, nan2, 1.5, INFINITY, -INFINITY};
  uint64_t scratch[7];
  tm_column column = column_of(TM_FLOAT64, values, NULL);
  const uint64_t *words = tm_key_words(&column, NULL, 7, scratch);
  cr_expect_eq(words[0], words[1]);
  cr_expect_eq(words[2], words[3]);
  for (int i = 4; i < 7; i++) cr_expect_eq(tm_key_to_float(words[i]), values[i]);
  cr_expect_eq(hash_one(&column, 0), hash_one(&column, 1));
  cr_expect_eq(hash_one(&column, 2), hash_one(&column, 3));
}

Test(hash_rows, a_null_has_the_word_zero_whatever_lies_there) {
  int32_t values[] = {7, 8, 9};
  uint8_t valid[] = {1, 0, 1};
  tm_column column = column_of(TM_INT32, values, valid);
  uint32_t rows[] = {1, 2};
  uint64_t scratch[3];
  uint8_t there[3];
  const uint64_t *words = tm_key_words(&column, rows, 2, scratch);
  cr_expect_eq(words[0], 0);
  cr_expect_eq(words[1], 9);
  const uint8_t *v = tm_key_valid(&column, rows, 2, there);
  cr_assert_not_null(v);
  cr_expect(v[0] == 0 && v[1] == 1);
  cr_expect_null(tm_key_valid(&column, rows + 1, 1, there), "no null among the rows");
  int64_t wide[] = {1, 2};
  tm_column plain = column_of(TM_INT64, wide, NULL);
  cr_expect_eq((const void *)tm_key_words(&plain, NULL, 2, scratch), (const void *)wide,
               "normal form already: not copied");
}

Test(hash_rows, strings_hash_by_their_bytes_wherever_they_lie) {
  const char *texts[] = {"", "a", "twelve bytes", "thirteen byte", "a much longer string indeed"};
  for (int i = 0; i < 5; i++) {
    char copy[64] = {0};
    memcpy(copy, texts[i], strlen(texts[i]));
    tm_str a = tm_str_make(texts[i], strlen(texts[i])), b = tm_str_make(copy, strlen(copy));
    cr_expect_eq(tm_hash_str(&a), tm_hash_str(&b));
    for (int k = 0; k < i; k++) {
      tm_str other = tm_str_make(texts[k], strlen(texts[k]));
      cr_expect_neq(tm_hash_str(&a), tm_hash_str(&other));
    }
  }
}

Test(hash_rows, columns_combine_in_order_and_pieces_do_not_matter) {
  enum { ROWS = 1500 };
  static int32_t a[ROWS];
  static tm_str b[ROWS];
  static uint8_t valid[ROWS];
  static uint32_t rows[ROWS];
  for (uint32_t i = 0; i < ROWS; i++) {
    a[i] = (int32_t)(i % 7);
    b[i] = tm_str_make("xyzxyzxyz", i % 5);
    valid[i] = i % 3 != 0;
    rows[i] = i;
  }
  tm_column ca = column_of(TM_INT32, a, NULL), cb = column_of(TM_STRING, b, valid);
  const tm_column *both[] = {&ca, &cb}, *swapped[] = {&cb, &ca};
  static uint64_t dense[ROWS], listed[ROWS], other[ROWS];
  tm_hash_rows(both, 2, NULL, ROWS, dense);
  tm_hash_rows(both, 2, rows, ROWS, listed);
  tm_hash_rows(swapped, 2, NULL, ROWS, other);
  for (uint32_t i = 0; i < ROWS; i++) {
    cr_assert_eq(dense[i], listed[i]);
    cr_assert_neq(dense[i], other[i]);
    for (uint32_t k = 0; k < 105 && k < i; k++) { /* the pattern repeats after 105 rows */
      bool same = a[i] == a[k] && valid[i] == valid[k] && (!valid[i] || tm_str_equal(&b[i], &b[k]));
      cr_assert_eq(dense[i] == dense[k], same);
    }
  }
  tm_hash_rows(NULL, 0, NULL, 3, dense);
  cr_expect(dense[0] == dense[1] && dense[1] == dense[2]);
}

/* Sums of squares of bucket sizes, for keys as people have them: no worse than chance by much. */
Test(hash_rows, ordinary_keys_spread) {
  enum { BITS = 12, KEYS = 8192 };
  for (int kind = 0; kind < 3; kind++) {
    static uint32_t high[1 << BITS], low[1 << BITS];
    memset(high, 0, sizeof high);
    memset(low, 0, sizeof low);
    for (uint32_t i = 0; i < KEYS; i++) {
      char text[32];
      int size = snprintf(text, sizeof text, kind == 0 ? "id%05u" : "customer-%08u", i);
      tm_str s = tm_str_make(text, (size_t)size);
      uint64_t hash = kind == 2 ? tm_hash_u64(i * 1000) : tm_hash_str(&s);
      high[hash >> (64 - BITS)]++;
      low[hash & ((1 << BITS) - 1)]++;
    }
    double squares_high = 0, squares_low = 0, expected = KEYS + (double)KEYS * KEYS / (1 << BITS);
    for (int i = 0; i < 1 << BITS; i++) {
      squares_high += (double)high[i] * high[i];
      squares_low += (double)low[i] * low[i];
    }
    cr_expect_lt(squares_high, expected * 1.15);
    cr_expect_lt(squares_low, expected * 1.15);
  }
}
