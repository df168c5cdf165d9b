/* kernel/accumulate.c: see accumulate.h. Each loop is written once and compiled for every
 * combination of listed rows, nulls and groups, so that none is tested a row. */
#include "kernel/accumulate.h"

#include <assert.h>
#include <math.h>

#include "kernel/decimal.h"
#include "kernel/power.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Calls loop(rows, valid, groups, …) with each of the three either constant NULL or not. */
#define SPECIALISE_GROUPS(loop, rows, valid, groups, ...)                                       \
  ((groups) != NULL ? loop(rows, valid, groups, __VA_ARGS__) : loop(rows, valid, NULL, __VA_ARGS__))
#define SPECIALISE_VALID(loop, rows, valid, groups, ...)                                        \
  ((valid) != NULL ? SPECIALISE_GROUPS(loop, rows, valid, groups, __VA_ARGS__)                  \
                   : SPECIALISE_GROUPS(loop, rows, NULL, groups, __VA_ARGS__))
#define SPECIALISE(loop, rows, valid, groups, ...)                                              \
  ((rows) != NULL ? SPECIALISE_VALID(loop, rows, valid, groups, __VA_ARGS__)                    \
                  : SPECIALISE_VALID(loop, NULL, valid, groups, __VA_ARGS__))

#define ROW(i) (rows != NULL ? rows[i] : (i))
#define GROUP(i) (groups != NULL ? groups[i] : 0)
#define IS_NULL(row) (valid != NULL && !valid[row])

/* ------------------------------------------------------------------ counts */

void tm_accumulate_count(const tm_grouped *in, int64_t *restrict counts) {
  const uint32_t *restrict groups = in->groups;
  if (groups == NULL) {
    counts[0] += in->count;
    return;
  }
  for (uint32_t i = 0; i < in->count; i++) counts[groups[i]]++;
}

static ALWAYS_INLINE int nulls_loop(const uint32_t *rows, const uint8_t *valid,
                                    const uint32_t *groups, uint32_t count, int64_t *counts) {
  for (uint32_t i = 0; i < count; i++) {
    if (IS_NULL(ROW(i))) counts[GROUP(i)]++;
  }
  return 0;
}

void tm_accumulate_nulls(const tm_grouped *in, const uint8_t *valid, int64_t *counts) {
  if (valid != NULL) {
    (void)SPECIALISE(nulls_loop, in->rows, valid, in->groups, in->count, counts);
  }
}

static ALWAYS_INLINE int seen_loop(const uint32_t *rows, const uint8_t *valid,
                                   const uint32_t *groups, uint32_t count, uint8_t *seen) {
  for (uint32_t i = 0; i < count; i++) seen[GROUP(i)] |= !IS_NULL(ROW(i));
  return 0;
}

void tm_accumulate_seen(const tm_grouped *in, const uint8_t *valid, uint8_t *seen) {
  (void)SPECIALISE(seen_loop, in->rows, valid, in->groups, in->count, seen);
}

/* ------------------------------------------------------------------ sums */

/* No more rows than that make a sum of int32 that could overflow int64. */
enum { SAFE_ROWS = 1 << 20 };

#define DEFINE_SUM(name, value_type, sum_type)                                                  \
  static ALWAYS_INLINE uint32_t name(const uint32_t *rows, const uint8_t *valid,                \
                                     const uint32_t *groups, uint32_t from, uint32_t count,     \
                                     const value_type *restrict values,                         \
                                     sum_type *restrict sums) {                                 \
    for (uint32_t i = from; i < count; i++) {                                                   \
      uint32_t row = ROW(i), group = GROUP(i);                                                  \
      sum_type value = IS_NULL(row) ? 0 : values[row], sum;                                     \
      if (__builtin_expect(__builtin_add_overflow(sums[group], value, &sum), 0)) return i;      \
      sums[group] = sum;                                                                        \
    }                                                                                           \
    return count;                                                                               \
  }

DEFINE_SUM(sum_i32, int32_t, int64_t)
DEFINE_SUM(sum_i64, int64_t, int64_t)
DEFINE_SUM(sum_i128, __int128, __int128)

/* Ungrouped: a local sum of everything, which overflows only if the whole does or in a way that
 * adding row by row would not; then it is done row by row. */
static ALWAYS_INLINE int64_t total_i32(const uint32_t *rows, const uint8_t *valid,
                                       const uint32_t *groups, uint32_t count,
                                       const int32_t *restrict values) {
  int64_t total = 0;
  (void)groups;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = ROW(i);
    total += IS_NULL(row) ? 0 : values[row];
  }
  return total;
}

uint32_t tm_accumulate_sum(const tm_grouped *in, const tm_column *values, uint32_t from,
                           int64_t *sums) {
  bool narrow = tm_type_physical(values->type) == TM_PHYSICAL_I32;
  assert(narrow || tm_type_physical(values->type) == TM_PHYSICAL_I64);
  if (narrow && in->groups == NULL && from == 0 && in->count < SAFE_ROWS) {
    int64_t total = in->rows == NULL && values->valid == NULL
                        ? total_i32(NULL, NULL, NULL, in->count, values->data)
                        : SPECIALISE(total_i32, in->rows, values->valid, in->groups, in->count,
                                     values->data);
    if (!__builtin_add_overflow(sums[0], total, &total)) {
      sums[0] = total;
      return in->count;
    }
  }
  if (narrow) {
    return SPECIALISE(sum_i32, in->rows, values->valid, in->groups, from, in->count,
                      values->data, sums);
  }
  return SPECIALISE(sum_i64, in->rows, values->valid, in->groups, from, in->count, values->data,
                    sums);
}

uint32_t tm_accumulate_sum_wide(const tm_grouped *in, const tm_column *values, uint32_t from,
                                __int128 *sums) {
  assert(tm_type_physical(values->type) == TM_PHYSICAL_I128);
  return SPECIALISE(sum_i128, in->rows, values->valid, in->groups, from, in->count, values->data,
                    sums);
}

static ALWAYS_INLINE int64_t word_at(const tm_column *column, uint32_t row, bool narrow) {
  return narrow ? ((const int32_t *)column->data)[row] : ((const int64_t *)column->data)[row];
}

static ALWAYS_INLINE uint32_t products_loop(const tm_grouped *in, const tm_column *a,
                                            const tm_column *b, uint32_t from, __int128 *sums,
                                            const bool narrow_a, const bool narrow_b) {
  for (uint32_t i = from; i < in->count; i++) {
    uint32_t row = in->rows != NULL ? in->rows[i] : i;
    uint32_t group = in->groups != NULL ? in->groups[i] : 0;
    if (tm_column_is_null(a, row) || tm_column_is_null(b, row)) continue;
    __int128 product = (__int128)word_at(a, row, narrow_a) * word_at(b, row, narrow_b), sum;
    if (__builtin_expect(__builtin_add_overflow(sums[group], product, &sum), 0)) return i;
    sums[group] = sum;
  }
  return in->count;
}

uint32_t tm_accumulate_narrow_products(const tm_grouped *in, const tm_column *a,
                                       const tm_column *b, uint32_t from, int64_t *restrict sums) {
  const int32_t *restrict x = a->data, *restrict y = b->data;
  assert(tm_type_width(a->type) == 4 && tm_type_width(b->type) == 4);
  for (uint32_t i = from; i < in->count; i++) {
    uint32_t row = in->rows != NULL ? in->rows[i] : i;
    uint32_t group = in->groups != NULL ? in->groups[i] : 0;
    if (tm_column_is_null(a, row) || tm_column_is_null(b, row)) continue;
    int64_t sum;
    if (__builtin_add_overflow(sums[group], (int64_t)x[row] * y[row], &sum)) return i;
    sums[group] = sum;
  }
  return in->count;
}

uint32_t tm_accumulate_products(const tm_grouped *in, const tm_column *a, const tm_column *b,
                                uint32_t from, __int128 *sums) {
  bool narrow_a = tm_type_width(a->type) == 4, narrow_b = tm_type_width(b->type) == 4;
  assert(narrow_a || tm_type_physical(a->type) == TM_PHYSICAL_I64);
  assert(narrow_b || tm_type_physical(b->type) == TM_PHYSICAL_I64);
  if (narrow_a && narrow_b) return products_loop(in, a, b, from, sums, true, true);
  if (narrow_a) return products_loop(in, a, b, from, sums, true, false);
  if (narrow_b) return products_loop(in, a, b, from, sums, false, true);
  return products_loop(in, a, b, from, sums, false, false);
}

/* ------------------------------------------------------------------ least and greatest */

/* -0 before 0 and NaN last: what of two different bit patterns is taken never depends on order. */
static ALWAYS_INLINE bool float_less(double a, double b) {
  if (a < b) return true;
  if (a > b) return false;
  if (a == b) return signbit(a) && !signbit(b);
  return b != b && a == a;
}

#define LESS(a, b) ((a) < (b))
#define DEFINE_EXTREME(name, value_type, less)                                                  \
  static ALWAYS_INLINE int name(const uint32_t *rows, const uint8_t *valid,                     \
                                const uint32_t *groups, uint32_t count,                         \
                                const value_type *restrict values,                              \
                                value_type *restrict state, const bool greatest) {              \
    value_type best = groups == NULL ? state[0] : 0;                                            \
    for (uint32_t i = 0; i < count; i++) {                                                      \
      uint32_t row = ROW(i);                                                                    \
      if (IS_NULL(row)) continue;                                                               \
      value_type value = values[row], old = groups == NULL ? best : state[groups[i]];           \
      bool better = greatest ? less(old, value) : less(value, old);                             \
      if (groups == NULL) best = better ? value : old;                                          \
      else state[groups[i]] = better ? value : old;                                             \
    }                                                                                           \
    if (groups == NULL) state[0] = best;                                                        \
    return 0;                                                                                   \
  }

DEFINE_EXTREME(extreme_u8, uint8_t, LESS)
DEFINE_EXTREME(extreme_i32, int32_t, LESS)
DEFINE_EXTREME(extreme_i64, int64_t, LESS)
DEFINE_EXTREME(extreme_f64, double, float_less)
DEFINE_EXTREME(extreme_i128, __int128, LESS)

#define EXTREME(loop)                                                                           \
  (greatest ? SPECIALISE(loop, in->rows, values->valid, in->groups, in->count, values->data,    \
                         state, true)                                                           \
            : SPECIALISE(loop, in->rows, values->valid, in->groups, in->count, values->data,    \
                         state, false))

void tm_accumulate_extreme(const tm_grouped *in, const tm_column *values, bool greatest,
                           void *state) {
  switch (tm_type_physical(values->type)) {
    case TM_PHYSICAL_U8: (void)EXTREME(extreme_u8); return;
    case TM_PHYSICAL_I32: (void)EXTREME(extreme_i32); return;
    case TM_PHYSICAL_I64: (void)EXTREME(extreme_i64); return;
    case TM_PHYSICAL_F64: (void)EXTREME(extreme_f64); return;
    case TM_PHYSICAL_I128: (void)EXTREME(extreme_i128); return;
    case TM_PHYSICAL_STR: break;
  }
  assert(!"strings are not kept in a plain array");
}

#define FILL(value_type, low, high)                                                             \
  do {                                                                                          \
    value_type neutral = greatest ? (low) : (high);                                             \
    for (uint32_t i = from; i < to; i++) ((value_type *)state)[i] = neutral;                    \
  } while (0)

void tm_accumulate_neutral(tm_type type, bool greatest, void *state, uint32_t from,
                           uint32_t to) {
  const __int128 least = (__int128)((unsigned __int128)1 << 127);
  switch (tm_type_physical(type)) {
    case TM_PHYSICAL_U8: FILL(uint8_t, 0, UINT8_MAX); return;
    case TM_PHYSICAL_I32: FILL(int32_t, INT32_MIN, INT32_MAX); return;
    case TM_PHYSICAL_I64: FILL(int64_t, INT64_MIN, INT64_MAX); return;
    case TM_PHYSICAL_F64: FILL(double, -INFINITY, NAN); return;
    case TM_PHYSICAL_I128: FILL(__int128, least, ~least); return;
    case TM_PHYSICAL_STR: break;
  }
  assert(!"strings are not kept in a plain array");
}

/* ------------------------------------------------------------------ numbers as doubles */

static double short_decimal(int64_t value, int scale) {
  const int64_t exact = INT64_C(1) << 53;
  if (value > -exact && value < exact) return (double)value / tm_power_double[scale];
  return tm_decimal_to_double(value, scale);
}

#define AS_DOUBLE(value_type, convert)                                                          \
  do {                                                                                          \
    const value_type *restrict in = values->data;                                               \
    for (uint32_t i = 0; i < count; i++) {                                                      \
      uint32_t row = ROW(i);                                                                    \
      out[i] = IS_NULL(row) ? 0 : (convert);                                                    \
    }                                                                                           \
  } while (0)

void tm_accumulate_doubles(const tm_column *values, const uint32_t *rows, uint32_t count,
                           double *restrict out) {
  const uint8_t *valid = values->valid;
  const int scale = values->type.scale;
  switch (tm_type_physical(values->type)) {
    case TM_PHYSICAL_F64: AS_DOUBLE(double, in[row]); return;
    case TM_PHYSICAL_I32: AS_DOUBLE(int32_t, in[row]); return;
    case TM_PHYSICAL_I64:
      if (scale == 0) AS_DOUBLE(int64_t, (double)in[row]);
      else AS_DOUBLE(int64_t, short_decimal(in[row], scale));
      return;
    case TM_PHYSICAL_I128: AS_DOUBLE(__int128, tm_decimal_to_double(in[row], scale)); return;
    case TM_PHYSICAL_U8: AS_DOUBLE(uint8_t, in[row]); return;
    case TM_PHYSICAL_STR: break;
  }
  assert(!"a string is no number");
}

/* A double as the sum of two of 26 bits. */
static ALWAYS_INLINE double upper_half(double value) {
  double scaled = value * 134217729.0; /* 2^27 + 1 */
  return scaled - (scaled - value);
}

/* T. J. Dekker, "A floating-point technique for extending the available precision", 1971. */
void tm_accumulate_float_products(const double *restrict a, const double *restrict b,
                                  uint32_t count, double *restrict products,
                                  double *restrict rests) {
  const double huge = 0x1p480; /* squares and halves of what is below cannot overflow */
  for (uint32_t i = 0; i < count; i++) {
    double product = a[i] * b[i];
    double ah = upper_half(a[i]), al = a[i] - ah, bh = upper_half(b[i]), bl = b[i] - bh;
    double rest = ((ah * bh - product) + ah * bl + al * bh) + al * bl;
    bool tame = fabs(a[i]) < huge && fabs(b[i]) < huge;
    products[i] = product;
    rests[i] = tame ? rest : 0;
  }
}
