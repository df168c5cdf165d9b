/* tests/operator/row_window_reference.c: see row_window_reference.h. */
#include "tests/operator/row_window_reference.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ddl[] =
    "at timestamp not null, k string, n int32, i int32, j int64 not null, f float64, "
    "d decimal(12,2), e decimal(30,3), s string, b bool";

const agg_spec row_window_specs[] = {
  {.agg = "count"},
  {.agg = "count", .of = "f", .as = "c1"},
  {.agg = "sum", .of = "i", .as = "s1"},
  {.agg = "sum", .of = "j", .as = "s2"},
  {.agg = "sum", .of = "f", .as = "s3"},
  {.agg = "sum", .of = "d", .as = "s4"},
  {.agg = "sum", .of = "e", .as = "s5"},
  {.agg = "avg", .of = "i", .as = "a1"},
  {.agg = "avg", .of = "f", .as = "a3"},
  {.agg = "avg", .of = "d", .as = "a4"},
  {.agg = "variance", .of = "i", .as = "v1"},
  {.agg = "median", .of = "i", .as = "m1"},
  {.agg = "quantile", .of = "f", .q = 0.3, .q_given = true, .as = "m3"},
  {.agg = "min", .of = "i", .as = "min_i"}, {.agg = "max", .of = "f", .as = "max_f"},
  {.agg = "min", .of = "s", .as = "min_s"}, {.agg = "max", .of = "s", .as = "max_s"},
  {.agg = "min", .of = "e", .as = "min_e"}, {.agg = "max", .of = "b", .as = "max_b"},
  {.agg = "count_distinct", .of = "s", .as = "d_s"},
  {.agg = "count_distinct", .of = "i", .as = "d_i"},
  {.agg = "count_distinct", .of = "e", .as = "d_e"},
};
const uint32_t row_window_spec_count = sizeof row_window_specs / sizeof *row_window_specs;

const agg_spec row_window_picks[] = {
  {.agg = "first", .of = "s", .as = "f_s"}, {.agg = "last", .of = "s", .as = "l_s"},
  {.agg = "first", .of = "i", .as = "f_i"}, {.agg = "last", .of = "f", .as = "l_f"},
  {.agg = "arg_min", .of = "s", .by = "i", .as = "am"},
  {.agg = "arg_max", .of = "i", .by = "d", .as = "ax"},
};
const uint32_t row_window_pick_count = sizeof row_window_picks / sizeof *row_window_picks;

tm_batch *row_window_table(tm_budget *budget, tm_arena *arena, uint32_t rows, int64_t step,
                           int64_t disorder, uint32_t distinct, bool unique, uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_batch *table = rows_random_table(budget, rows_schema(arena, ddl), rows, &random,
                                      (rows_flavour){.distinct = distinct, .null_percent = 20});
  for (uint32_t i = 0; i < rows; i++) {
    int64_t back = (int64_t)(rows_next(&random) % (uint64_t)(disorder + 1));
    int64_t time = (int64_t)i * step + rows_below(&random, 3) * step - back;
    ((int64_t *)table->columns[0].data)[i] = unique ? time * rows + i : time;
    double *f = (double *)table->columns[5].data + i;
    *f = (*f * 37 - 111) / 8 + 1.0 / 3;
    ((int32_t *)table->columns[3].data)[i] -= (int32_t)distinct / 2;
  }
  return table;
}

static tm_value spec_value(tm_arena *arena, const agg_spec *spec) {
  tm_pair pairs[8];
  size_t count = 0;
  pairs[count++] = (tm_pair){"agg", v_text(spec->agg)};
  if (spec->of_function != NULL) pairs[count++] = (tm_pair){"of", v_function(spec->of_function)};
  else if (spec->of != NULL) pairs[count++] = (tm_pair){"of", v_text(spec->of)};
  if (spec->by != NULL) pairs[count++] = (tm_pair){"by", v_text(spec->by)};
  if (spec->as != NULL) pairs[count++] = (tm_pair){"as", v_text(spec->as)};
  if (spec->where != NULL) pairs[count++] = (tm_pair){"where", v_function(spec->where)};
  if (spec->q_given) pairs[count++] = (tm_pair){"q", v_float(spec->q)};
  return v_table(arena, NULL, 0, pairs, count);
}

tm_value row_window_options(tm_arena *arena, tm_value window, const char *const *keys,
                            uint32_t key_count, const agg_spec *specs, uint32_t spec_count) {
  tm_value names[8], *aggs = tm_arena_alloc(arena, (spec_count + 1) * sizeof *aggs);
  for (uint32_t i = 0; i < key_count; i++) names[i] = v_text(keys[i]);
  for (uint32_t i = 0; i < spec_count; i++) aggs[i] = spec_value(arena, &specs[i]);
  return V_TABLE(arena, {"keys", v_table(arena, names, key_count, NULL, 0)},
                 {"aggs", v_table(arena, aggs, spec_count, NULL, 0)}, {"window", window});
}

/* ---------------------------------------------------------------- rows in time order */

typedef struct ordered {
  uint32_t *rows, count;  /* numbers in the table */
  char **keys;            /* as text, by place */
  const int64_t *times;   /* by number */
} ordered;

static ordered order_rows(const harness_case *c, const char *const *keys, uint32_t key_count) {
  const tm_batch *table = c->inputs[0];
  ordered o = {.times = table->columns[0].data};
  o.count = harness_time_ordered(c, 0, NULL, &o.rows);
  o.keys = calloc(o.count + 1, sizeof *o.keys);
  cr_assert_not_null(o.keys);
  for (uint32_t i = 0; i < o.count; i++) {
    char text[1024] = "";
    for (uint32_t k = 0; k < key_count; k++) {
      int column = tm_schema_find(table->schema, keys[k]);
      char *cell = rows_cell_text(&table->columns[column], o.rows[i]);
      size_t used = strlen(text);
      (void)snprintf(text + used, sizeof text - used, "%s|", cell);
      free(cell);
    }
    o.keys[i] = strdup(text);
  }
  return o;
}

static void free_rows(ordered *o) {
  for (uint32_t i = 0; i < o->count; i++) free(o->keys[i]);
  free(o->keys);
  free(o->rows);
}

/* ---------------------------------------------------------------- sessions */

/* Bounds of the session of each place: the rows of a key are walked one after the other. */
static void bound_sessions(const ordered *o, int64_t gap_us, int64_t max_us, int64_t *starts,
                           int64_t *ends) {
  uint8_t *done = calloc(o->count + 1, 1);
  for (uint32_t first = 0; first < o->count; first++) {
    if (done[first]) continue;
    int64_t start = o->times[o->rows[first]], last = start;
    uint32_t i = first;
    for (; i < o->count; i++) {
      int64_t time = o->times[o->rows[i]];
      if (done[i] || strcmp(o->keys[i], o->keys[first]) != 0) continue;
      if (time - last > gap_us || (max_us > 0 && time >= start + max_us)) break;
      done[i] = 1;
      starts[i] = start;
      last = time;
    }
    int64_t end = last + gap_us;
    if (max_us > 0 && end > start + max_us) end = start + max_us;
    for (uint32_t k = first; k < i; k++) {
      if (done[k] && starts[k] == start && strcmp(o->keys[k], o->keys[first]) == 0) ends[k] = end;
    }
  }
  free(done);
}

void row_window_sessions(const harness_case *c, const char *const *keys, uint32_t key_count,
                         int64_t gap_us, int64_t max_us, const agg_spec *specs,
                         uint32_t spec_count, rows_list *out) {
  const tm_batch *table = c->inputs[0];
  ordered o = order_rows(c, keys, key_count);
  tm_budget *budget = tm_budget_create(NULL, "reference", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  uint32_t columns = table->schema->count;
  tm_schema *schema = tm_schema_create(&arena, columns + 2);
  for (uint32_t i = 0; i < columns; i++) schema->fields[i] = table->schema->fields[i];
  schema->fields[columns] = (tm_field){.name = "window_start", .type = tm_type_of(TM_TIMESTAMP)};
  schema->fields[columns + 1] = (tm_field){.name = "window_end", .type = tm_type_of(TM_TIMESTAMP)};
  tm_batch *wide = tm_batch_create(budget, schema, o.count);
  for (uint32_t i = 0; i < columns; i++) {
    cr_assert_eq(tm_column_gather(wide, i, &table->columns[i], o.rows, o.count, false), 0);
  }
  for (uint32_t i = columns; i < columns + 2; i++) cr_assert_eq(tm_batch_column(wide, i, false), 0);
  bound_sessions(&o, gap_us, max_us, wide->columns[columns].data, wide->columns[columns + 1].data);
  const char *names[8];
  for (uint32_t i = 0; i < key_count; i++) names[i] = keys[i];
  names[key_count] = "window_start";
  names[key_count + 1] = "window_end";
  agg_reference(wide, names, key_count + 2, specs, spec_count, out);
  tm_batch_release(wide);
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
  free_rows(&o);
}

/* ---------------------------------------------------------------- sliding */

void row_window_slides(const harness_case *c, const char *const *keys, uint32_t key_count,
                       int64_t span_us, const agg_spec *specs, uint32_t spec_count,
                       rows_list *out) {
  const tm_batch *table = c->inputs[0];
  ordered o = order_rows(c, keys, key_count);
  uint32_t *selection = calloc(o.count + 1, sizeof *selection);
  tm_budget *budget = tm_budget_create(NULL, "reference", 0);
  tm_batch *sorted = tm_batch_create(budget, table->schema, o.count);
  cr_assert(selection != NULL && sorted != NULL);
  for (uint32_t i = 0; i < table->schema->count; i++) {
    cr_assert_eq(tm_column_gather(sorted, i, &table->columns[i], o.rows, o.count, false), 0);
  }
  const int64_t *times = sorted->columns[0].data;
  for (uint32_t i = 0; i < o.count; i++) {
    tm_batch view = *sorted;
    view.selection = selection;
    view.selected = 0;
    for (uint32_t k = 0; k < o.count; k++) {
      if (times[k] <= times[i] - span_us || times[k] > times[i]) continue;
      if (strcmp(o.keys[k], o.keys[i]) == 0) selection[view.selected++] = k;
    }
    rows_list aggregates = {0};
    agg_reference(&view, NULL, 0, specs, spec_count, &aggregates);
    char *row = rows_text(sorted, i, NULL);
    size_t room = strlen(row) + strlen(aggregates.texts[0]) + 60;
    char *line = malloc(room);
    (void)snprintf(line, room, "%s|%lld|%lld|%s", row, (long long)(times[i] - span_us),
                   (long long)times[i], aggregates.texts[0]);
    rows_list_add(out, line);
    free(row);
    rows_list_clear(&aggregates);
  }
  tm_batch_release(sorted);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
  free(selection);
  free_rows(&o);
}
