/* state/live_read.c: values of aggregates of live groups, as aggregate_read.c has them at the end
 * of a batch: the same sums through the same roundings, so that nobody can tell the two apart. */
#include "state/live_parts.h"

#include <assert.h>
#include <math.h>

#include "kernel/power.h"

typedef tm_live_reading reading;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

static const tm_live_part *part_of(const reading *r, uint32_t nth) {
  assert(nth < r->aggregate->part_count);
  return r->parts[r->aggregate->parts[nth]];
}

static tm_column *column_of(const reading *r) { return &r->out->columns[r->column]; }

static uint32_t row_of(const reading *r, uint32_t k) { return r->first + k * r->stride; }

static void set_there(const reading *r, uint32_t row, bool there) {
  tm_column *column = column_of(r);
  if (column->valid != NULL) column->valid[row] = there;
}

static void set_null(const reading *r, uint32_t row) {
  tm_column *column = column_of(r);
  size_t width = tm_type_width(column->type);
  set_there(r, row, false);
  memset((char *)column->data + row * width, 0, width);
}

static int overflow(const reading *r, tm_error *err) {
  char text[TM_TYPE_TEXT_MAX];
  tm_type type = r->aggregate->type;
  type.not_null = 0;
  tm_fail(err, TM_E_OVERFLOW, "%s (column '%s') is more than %s can hold", r->aggregate->text,
          r->aggregate->name, tm_type_text(type, text));
  if (type.kind == TM_INT64) {
    tm_error_help(err, "sum it as a float: tm.sum { function(r) return tm.float(r.x) end, "
                       "\"float64\" }");
  }
  return -1;
}

static int64_t count_at(const tm_live_part *part, const char *state) {
  return *(const int64_t *)tm_live_state(part, state);
}

/* Values that are there, of part `nth` (ROWS) and the next (NULLS, if there is one). */
static int64_t values_counted(const reading *r, uint32_t nth, const char *state) {
  int64_t count = count_at(part_of(r, nth), state);
  if (nth + 1 < r->aggregate->part_count) count -= count_at(part_of(r, nth + 1), state);
  return count;
}

static int read_count(const reading *r) {
  int64_t *out = column_of(r)->data;
  bool distinct = r->aggregate->kind == TM_AGGREGATE_COUNT_DISTINCT;
  for (uint32_t k = 0; k < r->count; k++) {
    const char *state = r->states[k];
    out[row_of(r, k)] = distinct ? count_at(part_of(r, 0), state) : values_counted(r, 0, state);
  }
  return 0;
}

/* ------------------------------------------------------------------ sums and means */

static int read_one_sum(const reading *r, const tm_live_part *part, const char *state,
                        uint32_t row, tm_error *err) {
  void *data = column_of(r)->data;
  __int128 sum;
  if (r->aggregate->type.kind == TM_FLOAT64) {
    ((double *)data)[row] = tm_live_float(part, state).high;
    return 0;
  }
  bool fits = tm_wide_to_i128(tm_live_sum(part, state), &sum);
  if (r->aggregate->type.kind == TM_INT64) {
    if (!fits || sum != (int64_t)sum) return overflow(r, err);
    ((int64_t *)data)[row] = (int64_t)sum;
    return 0;
  }
  __int128 limit = (__int128)tm_power_u128(38);
  if (!fits || sum >= limit || sum <= -limit) return overflow(r, err);
  ((__int128 *)data)[row] = sum;
  return 0;
}

static int read_sum(const reading *r, tm_error *err) {
  const tm_live_part *part = part_of(r, 0);
  const tm_live_part *seen = r->aggregate->part_count > 1 ? part_of(r, 1) : NULL;
  for (uint32_t k = 0; k < r->count; k++) {
    uint32_t row = row_of(r, k);
    if (seen != NULL && count_at(seen, r->states[k]) == 0) {
      set_null(r, row);
      continue;
    }
    set_there(r, row, true);
    if (read_one_sum(r, part, r->states[k], row, err) < 0) return -1;
  }
  return 0;
}

/* A quotient of two whole numbers that are doubles is rounded once, as tm_wide_mean_double has it,
 * and is quicker. */
static double mean_of(tm_wide_sum sum, int64_t count) {
  const int64_t most = INT64_C(1) << 53;
  __int128 whole;
  if (tm_wide_to_i128(sum, &whole) && whole >= -most && whole <= most && count <= most &&
      whole != 0) {
    return (double)whole / (double)count;
  }
  return tm_wide_mean_double(sum, count);
}

static int read_avg(const reading *r, tm_error *err) {
  const tm_live_part *part = part_of(r, 0);
  const tm_aggregate *a = r->aggregate;
  int digits = a->type.scale - a->input_type.scale;
  void *data = column_of(r)->data;
  for (uint32_t k = 0; k < r->count; k++) {
    const char *state = r->states[k];
    uint32_t row = row_of(r, k);
    int64_t count = values_counted(r, 1, state);
    set_there(r, row, count > 0);
    if (count <= 0) {
      set_null(r, row);
    } else if (a->input_type.kind == TM_FLOAT64) {
      ((double *)data)[row] = tm_live_float_mean(part, state, count);
    } else if (a->type.kind == TM_FLOAT64) {
      ((double *)data)[row] = mean_of(tm_live_sum(part, state), count);
    } else if (!tm_wide_mean(tm_live_sum(part, state), count, digits, (__int128 *)data + row)) {
      return overflow(r, err);
    }
  }
  return 0;
}

/* ------------------------------------------------------------------ moments */

/* count * sum(xy) - sum(x) * sum(y), out of three parts. */
static tm_twofold cross(const tm_live_part *xy, const tm_live_part *x, const tm_live_part *y,
                        const char *state, int64_t count) {
  if (xy->spec->kind == TM_PART_PRODUCTS) {
    return tm_wide_cross(count, tm_live_sum(xy, state), tm_live_sum(x, state),
                         tm_live_sum(y, state));
  }
  return tm_twofold_cross(count, tm_live_float(xy, state), tm_live_float(x, state),
                          tm_live_float(y, state));
}

static int read_variance(const reading *r) {
  const tm_live_part *sum = part_of(r, 0), *squares = part_of(r, 1);
  /* Integer sums are of scaled digits; float sums of the numbers themselves. */
  bool scaled = squares->spec->kind == TM_PART_PRODUCTS;
  double unit = scaled ? tm_power_double[r->aggregate->input_type.scale] : 1;
  double *out = column_of(r)->data;
  for (uint32_t k = 0; k < r->count; k++) {
    const char *state = r->states[k];
    uint32_t row = row_of(r, k);
    int64_t count = values_counted(r, 2, state);
    out[row] = 0;
    set_there(r, row, count >= 2);
    if (count < 2) continue;
    tm_twofold square = cross(squares, sum, sum, state, count);
    out[row] = r->aggregate->kind == TM_AGGREGATE_STDDEV ? tm_moments_deviation(count, square, unit)
                                                         : tm_moments_variance(count, square, unit);
  }
  return 0;
}

static int read_corr(const reading *r) {
  const tm_live_part *xy = part_of(r, 0), *x = part_of(r, 1), *y = part_of(r, 2);
  const tm_live_part *xx = part_of(r, 3), *yy = part_of(r, 4);
  double *out = column_of(r)->data;
  for (uint32_t k = 0; k < r->count; k++) {
    const char *state = r->states[k];
    uint32_t row = row_of(r, k);
    int64_t count = count_at(part_of(r, 5), state);
    out[row] = 0;
    bool there = count >= 2 && tm_moments_correlation(cross(xy, x, y, state, count),
                                                      cross(xx, x, x, state, count),
                                                      cross(yy, y, y, state, count), &out[row]);
    set_there(r, row, there);
  }
  return 0;
}

/* ------------------------------------------------------------------ values of rows */

static int read_picks(const reading *r, tm_error *err) {
  const tm_live_part *part = part_of(r, 0);
  uint32_t value;
  const tm_tuple_spec *spec = tm_live_pick_spec(part, &value);
  for (uint32_t k = 0; k < r->count; k++) {
    r->rows[k] = row_of(r, k);
    r->tuples[k] = tm_live_pick(part, r->states[k]);
    if (r->tuples[k] == NULL) set_null(r, r->rows[k]);
    else set_there(r, r->rows[k], true);
  }
  if (tm_tuple_read(spec, value, r->tuples, r->rows, r->count, r->out, r->column) < 0) {
    return no_memory(err);
  }
  return 0;
}

/* As selection.c has it. */
static double interpolate(double low, double high, double part) {
  if (part == 0 || low == high) return low;
  if (isfinite(low) && isfinite(high) && !isfinite(high - low)) {
    return low * (1 - part) + high * part;
  }
  return low + (high - low) * part;
}

static int read_quantile(const reading *r) {
  const tm_live_part *part = part_of(r, 0);
  double *out = column_of(r)->data;
  for (uint32_t k = 0; k < r->count; k++) {
    const char *state = r->states[k];
    uint32_t row = row_of(r, k);
    uint64_t total = tm_live_total(part, state);
    out[row] = 0;
    set_there(r, row, total > 0);
    if (total == 0) continue;
    double place = r->aggregate->share * (double)(total - 1), whole = floor(place);
    uint64_t rank = (uint64_t)whole < total ? (uint64_t)whole : total - 1;
    double low = tm_live_value_at(part, state, rank);
    double high = rank + 1 == total ? low : tm_live_value_at(part, state, rank + 1);
    out[row] = interpolate(low, high, place - whole);
  }
  return 0;
}

int tm_live_read(const tm_live_reading *r, tm_error *err) {
  switch (r->aggregate->kind) {
    case TM_AGGREGATE_COUNT:
    case TM_AGGREGATE_COUNT_DISTINCT: return read_count(r);
    case TM_AGGREGATE_SUM: return read_sum(r, err);
    case TM_AGGREGATE_AVG: return read_avg(r, err);
    case TM_AGGREGATE_MIN:
    case TM_AGGREGATE_MAX:
    case TM_AGGREGATE_FIRST:
    case TM_AGGREGATE_LAST:
    case TM_AGGREGATE_ARG_MIN:
    case TM_AGGREGATE_ARG_MAX: return read_picks(r, err);
    case TM_AGGREGATE_STDDEV:
    case TM_AGGREGATE_VARIANCE: return read_variance(r);
    case TM_AGGREGATE_CORR: return read_corr(r);
    case TM_AGGREGATE_MEDIAN:
    case TM_AGGREGATE_QUANTILE: return read_quantile(r);
    default: break;
  }
  assert(!"no kind that live groups have");
  return -1;
}
