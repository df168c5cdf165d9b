/* kernel/cast.c: see cast.h. One loop a pair of physical types; dead rows are converted too, for
 * a loop without a test is faster and nobody looks. */
#include "kernel/cast.h"

#include <assert.h>

#define LOOP(from_type, to_type, expression)                                                    \
  do {                                                                                          \
    const from_type *restrict from = in->data;                                                  \
    to_type *restrict to = c->data;                                                             \
    for (uint32_t i = 0; i < rows; i++) to[i] = (expression);                                   \
  } while (0)

static __int128 power_of_ten(int exponent) {
  __int128 power = 1;
  for (int i = 0; i < exponent; i++) power *= 10;
  return power;
}

/* Dead rows may hold anything, so this must be able to take anything. */
static inline __int128 scaled(__int128 value, __int128 factor, __int128 limit) {
  __int128 product;
  if (__builtin_mul_overflow(value, factor, &product)) return TM_CAST_TOO_WIDE;
  return product >= limit || product <= -limit ? TM_CAST_TOO_WIDE : product;
}

static void to_decimal(const tm_column *in, tm_column *c, uint32_t rows) {
  int scale = in->type.kind == TM_DECIMAL ? in->type.scale : 0;
  __int128 factor = power_of_ten(c->type.scale - scale);
  tm_physical from = tm_type_physical(in->type), to = tm_type_physical(c->type);
  if (to == TM_PHYSICAL_I64) {
    int64_t short_factor = (int64_t)factor;
    if (from == TM_PHYSICAL_I32) LOOP(int32_t, int64_t, from[i] * short_factor);
    else LOOP(int64_t, int64_t, (int64_t)((uint64_t)from[i] * (uint64_t)short_factor));
    return;
  }
  __int128 limit = power_of_ten(TM_DECIMAL_MAX);
  if (from == TM_PHYSICAL_I32) LOOP(int32_t, __int128, scaled(from[i], factor, limit));
  else if (from == TM_PHYSICAL_I64) LOOP(int64_t, __int128, scaled(from[i], factor, limit));
  else LOOP(__int128, __int128, scaled(from[i], factor, limit));
}

bool tm_cast_may_overflow(tm_type from, tm_type to) {
  if (to.kind != TM_DECIMAL) return false;
  int whole = from.kind == TM_DECIMAL ? from.precision - from.scale
              : from.kind == TM_INT32 ? 10
              : from.kind == TM_INT64 ? 19
                                      : 0;
  return whole + to.scale > TM_DECIMAL_MAX;
}

int tm_cast_widen(tm_batch *out, uint32_t column, const tm_column *in) {
  tm_column *c = &out->columns[column];
  uint32_t rows = out->rows;
  tm_physical from = tm_type_physical(in->type), to = tm_type_physical(c->type);
  bool rescale = c->type.kind == TM_DECIMAL &&
                 (in->type.kind != TM_DECIMAL || in->type.scale != c->type.scale || from != to);
  if (in->type.kind == TM_NULLTYPE && c->type.kind != TM_NULLTYPE) {
    if (tm_batch_column(out, column, true) < 0) return -1;
    memset(c->valid, 0, rows);
    memset(c->data, 0, rows * tm_type_width(c->type));
    return 0;
  }
  if (from == to && !rescale) {
    c->data = in->data;
    c->valid = in->valid;
    return 0;
  }
  if (tm_batch_column(out, column, false) < 0) return -1;
  c->valid = in->valid;
  if (rescale) {
    to_decimal(in, c, rows);
  } else if (to == TM_PHYSICAL_I64) {
    assert(from == TM_PHYSICAL_I32);
    LOOP(int32_t, int64_t, from[i]);
  } else {
    assert(to == TM_PHYSICAL_F64);
    if (from == TM_PHYSICAL_I32) LOOP(int32_t, double, from[i]);
    else LOOP(int64_t, double, (double)from[i]);
  }
  return 0;
}
