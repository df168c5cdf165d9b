/* tests/operator/agg_reference.c: see agg_reference.h. Sums of floats are taken in 113 bits, so
 * tables must be tame where floats are summed. */
#include "tests/operator/agg_reference.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/decimal.h"

typedef struct group {
  char *key;
  uint32_t *rows, count, capacity;
} group;

/* ---------------------------------------------------------------- cells */

static char *cell_of(tm_type type, const void *value) {
  tm_column column = {.type = type, .data = (void *)value};
  return rows_cell_text(&column, 0);
}

static char *int_cell(int64_t value) { return cell_of(tm_type_of(TM_INT64), &value); }
static char *float_cell(double value) { return cell_of(tm_type_of(TM_FLOAT64), &value); }
static char *null_cell(void) { return strdup("null"); }

/* -0 is 0 as a key, and every NaN the same. */
static char *key_cell(const tm_column *column, uint32_t row) {
  char *text = rows_cell_text(column, row);
  if (column->type.kind == TM_FLOAT64 && strcmp(text, "-0.0") == 0) {
    free(text);
    text = strdup("0.0");
  }
  return text;
}

static char *joined(char *list, char *taken) {
  if (list == NULL) return taken;
  size_t size = strlen(list) + strlen(taken) + 2;
  char *out = malloc(size);
  (void)snprintf(out, size, "%s|%s", list, taken);
  free(list);
  free(taken);
  return out;
}

/* ---------------------------------------------------------------- values */

static const tm_column *column_named(const tm_batch *table, const char *name) {
  int at = tm_schema_find(table->schema, name);
  cr_assert_geq(at, 0);
  return &table->columns[at];
}

static __int128 digits_of(const tm_column *c, uint32_t row) {
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: return ((uint8_t *)c->data)[row];
    case TM_PHYSICAL_I32: return ((int32_t *)c->data)[row];
    case TM_PHYSICAL_I64: return ((int64_t *)c->data)[row];
    case TM_PHYSICAL_I128: return ((__int128 *)c->data)[row];
    default: cr_assert(false); return 0;
  }
}

static double double_of(const tm_column *c, uint32_t row) {
  if (c->type.kind == TM_FLOAT64) return ((double *)c->data)[row];
  return tm_decimal_to_double(digits_of(c, row), c->type.scale);
}

/* NaN is greatest; with `exact`, -0 is less than 0. */
static int compare_cells(const tm_column *c, uint32_t a, uint32_t b, bool exact) {
  if (tm_type_physical(c->type) == TM_PHYSICAL_STR) {
    return tm_str_compare((tm_str *)c->data + a, (tm_str *)c->data + b);
  }
  if (c->type.kind == TM_FLOAT64) {
    double x = double_of(c, a), y = double_of(c, b);
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    if (x == y) return exact ? !!signbit(y) - !!signbit(x) : 0;
    return x < y ? -1 : 1;
  }
  __int128 x = digits_of(c, a), y = digits_of(c, b);
  return x < y ? -1 : x > y;
}

/* Rows of a group that count for an aggregate: where it holds and, of a column, is not null. */
static uint32_t rows_of(const tm_batch *table, const group *g, const agg_spec *spec,
                        const tm_column *of, const tm_column *by, uint32_t *out) {
  const tm_column *n = column_named(table, "n");
  uint32_t count = 0;
  for (uint32_t i = 0; i < g->count; i++) {
    uint32_t row = g->rows[i];
    if (spec->where_holds != NULL &&
        (tm_column_is_null(n, row) || ((int32_t *)n->data)[row] % 2 != 0)) {
      continue;
    }
    bool arg = strncmp(spec->agg, "arg_", 4) == 0;
    if (of != NULL && !arg && tm_column_is_null(of, row)) continue;
    if (by != NULL && tm_column_is_null(by, row)) continue;
    out[count++] = row;
  }
  return count;
}

/* ---------------------------------------------------------------- aggregates */

static char *sum_of(const tm_column *c, const uint32_t *rows, uint32_t count, int factor) {
  if (c->type.kind == TM_FLOAT64) {
    __float128 sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += double_of(c, rows[i]);
    return float_cell((double)sum);
  }
  __int128 sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += factor * digits_of(c, rows[i]);
  if (c->type.kind != TM_DECIMAL) return int_cell((int64_t)sum);
  return cell_of(tm_type_decimal(38, c->type.scale), &sum);
}

static char *average_of(const tm_column *c, const uint32_t *rows, uint32_t count) {
  if (c->type.kind == TM_DECIMAL) {
    __int128 sum = 0, mean;
    for (uint32_t i = 0; i < count; i++) sum += digits_of(c, rows[i]);
    cr_assert_eq(tm_decimal_divide(sum, c->type.scale, count, 0, c->type.scale + 4, &mean), 0);
    return cell_of(tm_type_decimal(38, c->type.scale + 4), &mean);
  }
  __float128 sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += double_of(c, rows[i]);
  return float_cell((double)(sum / count));
}

static __float128 covariance(const tm_column *a, const tm_column *b, const uint32_t *rows,
                             uint32_t count) {
  __float128 mean_a = 0, mean_b = 0, sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    mean_a += double_of(a, rows[i]);
    mean_b += double_of(b, rows[i]);
  }
  mean_a /= count;
  mean_b /= count;
  for (uint32_t i = 0; i < count; i++) {
    sum += (double_of(a, rows[i]) - mean_a) * (double_of(b, rows[i]) - mean_b);
  }
  return sum;
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static char *quantile_of(const tm_column *c, const uint32_t *rows, uint32_t count, double q) {
  double *values = malloc(count * sizeof *values);
  for (uint32_t i = 0; i < count; i++) values[i] = double_of(c, rows[i]);
  qsort(values, count, sizeof *values, compare_doubles);
  double place = q * (count - 1), low = floor(place);
  uint32_t at = (uint32_t)low;
  double value = values[at];
  if (place > low) value += (values[at + 1] - values[at]) * (place - low);
  free(values);
  return float_cell(value);
}

static char *distinct_of(const tm_column *c, const uint32_t *rows, uint32_t count) {
  rows_list seen = {0};
  for (uint32_t i = 0; i < count; i++) rows_list_add(&seen, key_cell(c, rows[i]));
  rows_list_sort(&seen);
  int64_t different = 0;
  for (size_t i = 0; i < seen.count; i++) {
    different += i == 0 || strcmp(seen.texts[i], seen.texts[i - 1]) != 0;
  }
  rows_list_clear(&seen);
  return int_cell(different);
}

/* The row whose `by` is least (sign 1) or greatest (-1), the first of them. */
static uint32_t extreme_of(const tm_column *by, const uint32_t *rows, uint32_t count, int sign,
                           bool exact) {
  uint32_t best = rows[0];
  for (uint32_t i = 1; i < count; i++) {
    if (sign * compare_cells(by, rows[i], best, exact) < 0) best = rows[i];
  }
  return best;
}

static char *moment_of(const char *agg, const tm_column *of, const tm_column *by,
                       const uint32_t *rows, uint32_t count) {
  if (strcmp(agg, "corr") == 0) {
    double xx = (double)covariance(of, of, rows, count),
           yy = (double)covariance(by, by, rows, count);
    if (count < 2 || xx <= 0 || yy <= 0) return null_cell();
    double r = (double)covariance(of, by, rows, count) / (sqrt(xx) * sqrt(yy));
    return float_cell(r > 1 ? 1 : r < -1 ? -1 : r);
  }
  if (count < 2) return null_cell();
  double variance = (double)(covariance(of, of, rows, count) / (count - 1));
  return float_cell(strcmp(agg, "stddev") == 0 ? sqrt(variance) : variance);
}

static char *value_of(const tm_batch *table, const group *g, const agg_spec *spec) {
  const char *agg = spec->agg;
  const char *name = spec->of_value != NULL ? spec->of_value : spec->of;
  const tm_column *of = name == NULL ? NULL : column_named(table, name);
  const tm_column *by = spec->by == NULL ? NULL : column_named(table, spec->by);
  uint32_t *rows = malloc((g->count + 1) * sizeof *rows);
  uint32_t count = rows_of(table, g, spec, of, by, rows);
  char *out;
  if (strcmp(agg, "count") == 0) out = int_cell(count);
  else if (strcmp(agg, "count_distinct") == 0) out = distinct_of(of, rows, count);
  else if (count == 0) out = null_cell();
  else if (strcmp(agg, "sum") == 0) out = sum_of(of, rows, count, spec->factor ? spec->factor : 1);
  else if (strcmp(agg, "avg") == 0) out = average_of(of, rows, count);
  else if (strcmp(agg, "min") == 0) out = rows_cell_text(of, extreme_of(of, rows, count, 1, true));
  else if (strcmp(agg, "max") == 0) out = rows_cell_text(of, extreme_of(of, rows, count, -1, true));
  else if (strcmp(agg, "first") == 0) out = rows_cell_text(of, rows[0]);
  else if (strcmp(agg, "last") == 0) out = rows_cell_text(of, rows[count - 1]);
  else if (strcmp(agg, "arg_min") == 0) out = rows_cell_text(of, extreme_of(by, rows, count, 1, 0));
  else if (strcmp(agg, "arg_max") == 0)
    out = rows_cell_text(of, extreme_of(by, rows, count, -1, 0));
  else if (strcmp(agg, "median") == 0) out = quantile_of(of, rows, count, 0.5);
  else if (strcmp(agg, "quantile") == 0) out = quantile_of(of, rows, count, spec->q);
  else out = moment_of(agg, of, by, rows, count);
  free(rows);
  return out;
}

/* ---------------------------------------------------------------- groups */

typedef struct keyed { char *key; uint32_t row; } keyed;

static int compare_keyed(const void *a, const void *b) {
  const keyed *x = a, *y = b;
  int order = strcmp(x->key, y->key);
  return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static void emit(const tm_batch *table, const group *g, const agg_spec *specs, uint32_t count,
                 rows_list *out) {
  char *text = g->key == NULL ? NULL : strdup(g->key);
  for (uint32_t i = 0; i < count; i++) text = joined(text, value_of(table, g, &specs[i]));
  rows_list_add(out, text);
}

void agg_reference(const tm_batch *table, const char *const *keys, uint32_t key_count,
                   const agg_spec *specs, uint32_t spec_count, rows_list *out) {
  keyed *all = malloc((table->selected + 1) * sizeof *all);
  uint32_t *rows = malloc((table->selected + 1) * sizeof *rows);
  for (uint32_t i = 0; i < table->selected; i++) {
    uint32_t row = tm_batch_row(table, i);
    all[i] = (keyed){key_count == 0 ? strdup("") : NULL, row};
    for (uint32_t k = 0; k < key_count; k++) {
      all[i].key = joined(all[i].key, key_cell(column_named(table, keys[k]), row));
    }
  }
  qsort(all, table->selected, sizeof *all, compare_keyed);
  for (uint32_t i = 0; i < table->selected;) {
    group g = {.key = key_count == 0 ? NULL : all[i].key, .rows = rows};
    const char *key = all[i].key;
    while (i < table->selected && strcmp(all[i].key, key) == 0) rows[g.count++] = all[i++].row;
    emit(table, &g, specs, spec_count, out);
  }
  if (table->selected == 0 && key_count == 0) {
    emit(table, &(group){.rows = rows}, specs, spec_count, out);
  }
  for (uint32_t i = 0; i < table->selected; i++) free(all[i].key);
  free(all);
  free(rows);
}
