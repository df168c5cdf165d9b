/* state/aggregate_read.c: values of aggregates out of their parts, a column at a time. Which part
 * is which follows the order in which aggregate.c adds them. */
#include "state/aggregate.h"

#include <assert.h>

#include "kernel/power.h"

/* One aggregate being read: its parts, groups first … first+count-1, and where they go. */
typedef struct reading {
  const tm_aggregate *a;
  tm_part *const *parts; /* of the plan */
  uint32_t first, count;
  tm_batch *out;
  uint32_t column;
  void *data;
  uint8_t *valid; /* NULL: the result is never null */
} reading;

static const tm_part *part_of(const reading *r, uint32_t nth) {
  assert(nth < r->a->part_count);
  return r->parts[r->a->parts[nth]];
}

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

static int open_column(reading *r, tm_error *err) {
  if (tm_batch_column(r->out, r->column, !r->a->type.not_null) < 0) return no_memory(err);
  r->data = r->out->columns[r->column].data;
  r->valid = r->out->columns[r->column].valid;
  return 0;
}

static int overflow(const reading *r, tm_error *err) {
  char text[TM_TYPE_TEXT_MAX];
  tm_type type = r->a->type;
  type.not_null = 0;
  tm_fail(err, TM_E_OVERFLOW, "%s (column '%s') is more than %s can hold", r->a->text, r->a->name,
          tm_type_text(type, text));
  if (type.kind == TM_INT64) {
    tm_error_help(err, "sum it as a float: tm.sum { function(r) return tm.float(r.x) end, "
                       "\"float64\" }");
  }
  return -1;
}

/* Values that were there, of part `nth` (ROWS) and the next (NULLS, if there is one). */
static int64_t values_counted(const reading *r, uint32_t nth, uint32_t group) {
  int64_t count = tm_part_counts(part_of(r, nth))[group];
  if (nth + 1 < r->a->part_count) count -= tm_part_counts(part_of(r, nth + 1))[group];
  return count;
}

/* Whether a value is there, as the parts behind part 0 tell: by having been seen, or by counts. */
static void read_seen(const reading *r, uint8_t *valid) {
  if (part_of(r, 1)->spec->kind == TM_PART_SEEN) {
    const uint8_t *seen = tm_part_seen(part_of(r, 1));
    if (seen != NULL) memcpy(valid, seen + r->first, r->count);
    return;
  }
  for (uint32_t i = 0; i < r->count; i++) valid[i] = values_counted(r, 1, r->first + i) > 0;
}

static int read_count(reading *r, tm_error *err) {
  if (open_column(r, err) < 0) return -1;
  int64_t *out = r->data;
  if (r->a->kind == TM_AGGREGATE_COUNT_DISTINCT) {
    memcpy(out, tm_part_counts(part_of(r, 0)) + r->first, r->count * sizeof *out);
    return 0;
  }
  for (uint32_t i = 0; i < r->count; i++) out[i] = values_counted(r, 0, r->first + i);
  return 0;
}

/* ------------------------------------------------------------------ sums and means */

static int read_sum(reading *r, tm_error *err) {
  if (open_column(r, err) < 0) return -1;
  const tm_part *part = part_of(r, 0);
  if (r->valid != NULL) read_seen(r, r->valid);
  for (uint32_t i = 0; i < r->count; i++) {
    uint32_t group = r->first + i;
    if (r->a->type.kind == TM_FLOAT64) {
      ((double *)r->data)[i] = tm_part_float(part, group).high;
      continue;
    }
    __int128 sum;
    bool fits = tm_wide_to_i128(tm_part_sum(part, group), &sum);
    if (r->a->type.kind == TM_INT64) {
      if (!fits || sum != (int64_t)sum) return overflow(r, err);
      ((int64_t *)r->data)[i] = (int64_t)sum;
    } else {
      __int128 limit = (__int128)tm_power_u128(38);
      if (!fits || sum >= limit || sum <= -limit) return overflow(r, err);
      ((__int128 *)r->data)[i] = sum;
    }
  }
  return 0;
}

static int read_avg(reading *r, tm_error *err) {
  if (open_column(r, err) < 0) return -1;
  const tm_part *part = part_of(r, 0);
  int digits = r->a->type.scale - r->a->input_type.scale;
  for (uint32_t i = 0; i < r->count; i++) {
    uint32_t group = r->first + i;
    int64_t count = values_counted(r, 1, group);
    if (r->valid != NULL) r->valid[i] = count > 0;
    if (count == 0) {
      memset((char *)r->data + i * tm_type_width(r->a->type), 0, tm_type_width(r->a->type));
    } else if (r->a->input_type.kind == TM_FLOAT64) {
      ((double *)r->data)[i] = tm_part_float_mean(part, group, count);
    } else if (r->a->type.kind == TM_FLOAT64) {
      ((double *)r->data)[i] = tm_wide_mean_double(tm_part_sum(part, group), count);
    } else if (!tm_wide_mean(tm_part_sum(part, group), count, digits,
                             (__int128 *)r->data + i)) {
      return overflow(r, err);
    }
  }
  return 0;
}

/* ------------------------------------------------------------------ moments */

/* count * sum(xy) - sum(x) * sum(y), out of three parts. */
static tm_twofold cross(const tm_part *xy, const tm_part *x, const tm_part *y, uint32_t group,
                    int64_t count) {
  if (xy->spec->kind == TM_PART_PRODUCTS) {
    return tm_wide_cross(count, tm_part_sum(xy, group), tm_part_sum(x, group),
                         tm_part_sum(y, group));
  }
  return tm_twofold_cross(count, tm_part_float(xy, group), tm_part_float(x, group),
                          tm_part_float(y, group));
}

static int read_variance(reading *r, tm_error *err) {
  if (open_column(r, err) < 0) return -1;
  const tm_part *sum = part_of(r, 0), *squares = part_of(r, 1);
  /* Integer sums are of scaled digits; float sums of the numbers themselves. */
  bool scaled = squares->spec->kind == TM_PART_PRODUCTS;
  double unit = scaled ? tm_power_double[r->a->input_type.scale] : 1;
  double *out = r->data;
  for (uint32_t i = 0; i < r->count; i++) {
    uint32_t group = r->first + i;
    int64_t count = values_counted(r, 2, group);
    out[i] = 0;
    r->valid[i] = count >= 2;
    if (count < 2) continue;
    tm_twofold square = cross(squares, sum, sum, group, count);
    out[i] = r->a->kind == TM_AGGREGATE_STDDEV ? tm_moments_deviation(count, square, unit)
                                               : tm_moments_variance(count, square, unit);
  }
  return 0;
}

static int read_corr(reading *r, tm_error *err) {
  if (open_column(r, err) < 0) return -1;
  const tm_part *xy = part_of(r, 0), *x = part_of(r, 1), *y = part_of(r, 2);
  const tm_part *xx = part_of(r, 3), *yy = part_of(r, 4);
  double *out = r->data;
  for (uint32_t i = 0; i < r->count; i++) {
    uint32_t group = r->first + i;
    int64_t count = tm_part_counts(part_of(r, 5))[group];
    out[i] = 0;
    r->valid[i] = count >= 2 && tm_moments_correlation(cross(xy, x, y, group, count),
                                                       cross(xx, x, x, group, count),
                                                       cross(yy, y, y, group, count), &out[i]);
  }
  return 0;
}

/* ------------------------------------------------------------------ values of rows */

static int read_values(reading *r, tm_error *err) {
  const uint8_t *seen = NULL;
  bool counted = r->a->part_count > 1 && part_of(r, 1)->spec->kind != TM_PART_SEEN;
  if (r->a->part_count > 1 && !counted) seen = tm_part_seen(part_of(r, 1));
  if (tm_part_read(part_of(r, 0), r->first, r->count, seen, r->out, r->column) < 0) {
    return no_memory(err);
  }
  if (!counted) return 0;
  uint8_t *valid = tm_batch_alloc(r->out, r->out->rows + 64); /* as tm_batch_column makes it */
  if (valid == NULL) return no_memory(err);
  read_seen(r, valid);
  r->out->columns[r->column].valid = valid;
  return 0;
}

static int read_quantile(reading *r, const double *quantiles, const uint8_t *there,
                         tm_error *err) {
  if (open_column(r, err) < 0) return -1;
  memcpy(r->data, quantiles, r->count * sizeof *quantiles);
  if (r->valid != NULL) memcpy(r->valid, there, r->count);
  return 0;
}

int tm_aggregate_read(const tm_aggregate *a, tm_part *const *parts, uint32_t first,
                      uint32_t count, const double *quantiles, const uint8_t *there,
                      tm_batch *out, uint32_t column, tm_error *err) {
  reading r = {.a = a, .parts = parts, .first = first, .count = count, .out = out,
               .column = column};
  switch (a->kind) {
    case TM_AGGREGATE_COUNT:
    case TM_AGGREGATE_COUNT_DISTINCT: return read_count(&r, err);
    case TM_AGGREGATE_SUM: return read_sum(&r, err);
    case TM_AGGREGATE_AVG: return read_avg(&r, err);
    case TM_AGGREGATE_MIN:
    case TM_AGGREGATE_MAX:
    case TM_AGGREGATE_FIRST:
    case TM_AGGREGATE_LAST:
    case TM_AGGREGATE_ARG_MIN:
    case TM_AGGREGATE_ARG_MAX: return read_values(&r, err);
    case TM_AGGREGATE_STDDEV:
    case TM_AGGREGATE_VARIANCE: return read_variance(&r, err);
    case TM_AGGREGATE_CORR: return read_corr(&r, err);
    case TM_AGGREGATE_MEDIAN:
    case TM_AGGREGATE_QUANTILE: return read_quantile(&r, quantiles, there, err);
    case TM_AGGREGATE_KINDS: break;
  }
  assert(!"no kind");
  return -1;
}
