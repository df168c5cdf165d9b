/* tests/kernel/cast_test.c: columns in wider types, every pair of them, value by value. */
#include <criterion/criterion.h>
#include <string.h>

#include "kernel/cast.h"

static tm_budget *budget;
static tm_arena arena;

static void setup(void) {
  budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&arena, budget);
}

static void teardown(void) {
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}

TestSuite(cast, .init = setup, .fini = teardown);

enum { ROWS = 6 };

/* Widens `rows` values; the result lives in the batch. */
static tm_batch *widen(tm_type from, tm_type to, void *data, uint8_t *valid) {
  tm_schema *schema = tm_schema_create(&arena, 1);
  schema->fields[0] = (tm_field){.name = "c", .type = to};
  tm_batch *out = tm_batch_create(budget, schema, ROWS);
  tm_column in = {.type = from, .data = data, .valid = valid};
  cr_assert_eq(tm_cast_widen(out, 0, &in), 0);
  cr_assert(tm_type_equal(out->columns[0].type, to));
  return out;
}

static tm_type of(tm_kind kind) { return tm_type_of(kind); }

Test(cast, equal_types_share_their_data) {
  int64_t data[ROWS] = {1, 2, 3};
  uint8_t valid[ROWS] = {1, 0, 1, 1, 1, 1};
  const tm_type same[] = {of(TM_INT64), tm_type_decimal(12, 2), of(TM_TIMESTAMP)};
  for (size_t i = 0; i < 3; i++) {
    tm_batch *out = widen(same[i], same[i], data, valid);
    cr_expect_eq(out->columns[0].data, data);
    cr_expect_eq(out->columns[0].valid, valid);
    tm_batch_release(out);
  }
  tm_batch *out = widen(tm_type_decimal(10, 2), tm_type_decimal(14, 2), data, NULL);
  cr_expect_eq(out->columns[0].data, data, "more digits of one scale are the same bytes");
  tm_batch_release(out);
}

Test(cast, integers_widen) {
  int32_t data[ROWS] = {0, 1, -1, INT32_MAX, INT32_MIN, 77};
  int64_t wide[ROWS] = {0, 1, -1, INT64_MAX, INT64_MIN, 1 << 30};
  tm_batch *a = widen(of(TM_INT32), of(TM_INT64), data, NULL);
  tm_batch *b = widen(of(TM_INT32), of(TM_FLOAT64), data, NULL);
  tm_batch *c = widen(of(TM_INT64), of(TM_FLOAT64), wide, NULL);
  for (int i = 0; i < ROWS; i++) {
    cr_expect_eq(((int64_t *)a->columns[0].data)[i], data[i]);
    cr_expect_eq(((double *)b->columns[0].data)[i], (double)data[i]);
    cr_expect_eq(((double *)c->columns[0].data)[i], (double)wide[i]);
  }
  tm_batch_release(a);
  tm_batch_release(b);
  tm_batch_release(c);
}

Test(cast, decimals_take_a_larger_scale) {
  int32_t small[ROWS] = {0, 1, -1, INT32_MAX, INT32_MIN, 77};
  int64_t data[ROWS] = {0, 1, -1, 1234567890, -1234567890, 99};
  tm_batch *out[] = {
    widen(of(TM_INT32), tm_type_decimal(14, 2), small, NULL),
    widen(of(TM_INT32), tm_type_decimal(30, 20), small, NULL),
    widen(of(TM_INT64), tm_type_decimal(38, 19), data, NULL),
    widen(tm_type_decimal(10, 2), tm_type_decimal(12, 4), data, NULL),
    widen(tm_type_decimal(10, 2), tm_type_decimal(38, 12), data, NULL),
    widen(tm_type_decimal(10, 2), tm_type_decimal(30, 2), data, NULL),
  };
  __int128 ten_to_19 = (__int128)INT64_C(1000000000000000000) * 10;
  for (int i = 0; i < ROWS; i++) {
    cr_expect_eq(((int64_t *)out[0]->columns[0].data)[i], (int64_t)small[i] * 100);
    cr_expect(((__int128 *)out[1]->columns[0].data)[i] == small[i] * ten_to_19 * 10);
    cr_expect(((__int128 *)out[2]->columns[0].data)[i] == data[i] * ten_to_19);
    cr_expect_eq(((int64_t *)out[3]->columns[0].data)[i], data[i] * 100);
    cr_expect(((__int128 *)out[4]->columns[0].data)[i] == (__int128)data[i] * 10000000000);
    cr_expect(((__int128 *)out[5]->columns[0].data)[i] == data[i]);
  }
  for (int i = 0; i < 6; i++) tm_batch_release(out[i]);
}

/* What has more than 38 digits is told apart from every value; dead rows may hold anything. */
Test(cast, too_many_digits_become_no_value) {
  __int128 most = 1;
  for (int i = 0; i < 37; i++) most *= 10;
  __int128 data[ROWS] = {most - 1, most, -most, 9, -((__int128)1 << 126), TM_CAST_TOO_WIDE};
  tm_batch *out = widen(tm_type_decimal(38, 2), tm_type_decimal(38, 3), data, NULL);
  const __int128 *wide = out->columns[0].data;
  cr_expect(wide[0] == (most - 1) * 10);
  cr_expect(wide[1] == TM_CAST_TOO_WIDE);
  cr_expect(wide[2] == TM_CAST_TOO_WIDE);
  cr_expect(wide[3] == 90);
  cr_expect(wide[4] == TM_CAST_TOO_WIDE && wide[5] == TM_CAST_TOO_WIDE);
  tm_batch_release(out);
  cr_expect(tm_cast_may_overflow(tm_type_decimal(38, 2), tm_type_decimal(38, 3)));
  cr_expect(tm_cast_may_overflow(of(TM_INT64), tm_type_decimal(38, 20)));
  cr_expect_not(tm_cast_may_overflow(of(TM_INT64), tm_type_decimal(38, 19)));
  cr_expect(tm_cast_may_overflow(of(TM_INT32), tm_type_decimal(38, 29)));
  cr_expect_not(tm_cast_may_overflow(tm_type_decimal(38, 3), tm_type_decimal(38, 3)));
  cr_expect_not(tm_cast_may_overflow(of(TM_INT64), of(TM_FLOAT64)));
}

Test(cast, a_lone_nil_becomes_null_of_any_type) {
  const tm_type types[] = {of(TM_INT32), of(TM_STRING), tm_type_decimal(30, 2), of(TM_BOOL)};
  for (size_t i = 0; i < 4; i++) {
    tm_batch *out = widen(of(TM_NULLTYPE), types[i], NULL, NULL);
    for (uint32_t row = 0; row < ROWS; row++) {
      cr_expect(tm_column_is_null(&out->columns[0], row));
    }
    tm_batch_release(out);
  }
}

Test(cast, no_memory_is_told) {
  tm_schema *schema = tm_schema_create(&arena, 1);
  schema->fields[0] = (tm_field){.name = "c", .type = of(TM_INT64)};
  tm_batch *out = tm_batch_create(budget, schema, 20000); /* a column gets a block of its own */
  int32_t *many = tm_batch_alloc(out, 20000 * sizeof *many);
  memset(many, 0, 20000 * sizeof *many);
  tm_column in = {.type = of(TM_INT32), .data = many};
  tm_memory_fail_at(1);
  cr_expect_lt(tm_cast_widen(out, 0, &in), 0);
  tm_memory_fail_at(0);
  tm_batch_release(out);
}
