/* tests/support/harness_time.c: event time of the rows that a case gives, and how far time has come
 * behind each of them.
 *
 * A port is one partition: the mark of a row is the largest time of the rows before it, less the
 * disorder; behind a row a watermark may be anything up to the same of all rows so far. A port that
 * comes through time_order has its rows by time, and a watermark behind a row goes up to the time
 * of the next one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/row_json.h"
#include "harness_parts.h"
#include "tests/support/reference.h"

#define DAY_US INT64_C(86400000000)

static int time_column_of(const harness_case *c, uint32_t port) {
  return c->times == NULL ? -1 : tm_schema_find(c->inputs[port]->schema, c->times);
}

static int find_or_none(const tm_schema *schema, const char *name) {
  return name == NULL ? -1 : tm_schema_find(schema, name);
}

void harness_facts(const harness_case *c, tm_bind *bind) {
  for (uint32_t p = 0; p < c->input_count; p++) {
    const tm_schema *schema = c->inputs[p]->schema;
    int column = time_column_of(c, p);
    bind->facts_in[p] = (tm_rows_facts){
      .time = column < 0 ? tm_type_of(TM_NULLTYPE) : schema->fields[column].type,
      .changelog = c->weights[p] != NULL,
      .bounded = !c->unbounded,
      .live = c->live,
      .in_time_order = c->in_time_order,
      .placed = c->ordered_input,
      .window_start = find_or_none(schema, c->window_start),
      .window_end = find_or_none(schema, c->window_end),
      .fixed_windows = c->fixed_windows,
    };
  }
  bind->facts_out = bind->facts_in[0];
  for (uint32_t p = 1; p < c->input_count; p++) {
    bind->facts_out.changelog |= bind->facts_in[p].changelog;
  }
}

static int64_t time_of(const tm_column *column, uint32_t row) {
  cr_assert_not(tm_column_is_null(column, row), "an event time that is null");
  if (column->type.kind == TM_DATE) return ((const int32_t *)column->data)[row] * DAY_US;
  cr_assert_eq(column->type.kind, TM_TIMESTAMP);
  return ((const int64_t *)column->data)[row];
}

/* ---------------------------------------------------------------- as out of time_order */

typedef struct time_rows {
  const tm_batch *table;
  const tm_column *time;
  const uint8_t *needed;
} time_rows;

static int compare_cells(const tm_batch *table, uint32_t i, uint32_t a, uint32_t b) {
  reference_value x = reference_read(table, i, a), y = reference_read(table, i, b);
  if (x.kind == REFERENCE_NULL || y.kind == REFERENCE_NULL) {
    return (y.kind == REFERENCE_NULL) - (x.kind == REFERENCE_NULL);
  }
  return reference_compare(&x, &y);
}

static int compare_in_time(const void *context, uint32_t a, uint32_t b) {
  const time_rows *r = context;
  const tm_batch *table = r->table;
  int64_t s = time_of(r->time, a), t = time_of(r->time, b);
  if (s != t) return s < t ? -1 : 1;
  for (uint32_t i = 0; i < table->schema->count; i++) {
    int order = r->needed == NULL || r->needed[i] ? compare_cells(table, i, a, b) : 0;
    if (order != 0) return order;
  }
  for (uint32_t i = 0; i < table->schema->count; i++) {
    if ((r->needed != NULL && !r->needed[i]) || table->columns[i].type.kind != TM_FLOAT64) continue;
    if (tm_column_is_null(&table->columns[i], a)) continue;
    const double *values = table->columns[i].data;
    bool minus = signbit(values[a]) != 0, other = signbit(values[b]) != 0;
    if (values[a] == 0 && values[b] == 0 && minus != other) return minus ? -1 : 1;
  }
  return 0;
}

/* Merges the halves: stable, and quick enough for tables of any size. */
static void sort_in_time(const time_rows *r, uint32_t *rows, uint32_t *scratch, uint32_t count) {
  uint32_t half = count / 2;
  if (count < 2) return;
  sort_in_time(r, rows, scratch, half);
  sort_in_time(r, rows + half, scratch, count - half);
  memcpy(scratch, rows, count * sizeof *rows);
  for (uint32_t i = 0, k = half, at = 0; at < count; at++) {
    bool left = k == count || (i < half && compare_in_time(r, scratch[i], scratch[k]) <= 0);
    rows[at] = left ? scratch[i++] : scratch[k++];
  }
}

static int64_t less_disorder(const harness_case *c, int64_t largest) {
  return largest == TM_TIME_NONE ? TM_TIME_NONE : largest - c->out_of_order_us;
}

uint32_t harness_time_ordered(const harness_case *c, uint32_t port, const uint8_t *needed,
                              uint32_t **out) {
  const tm_batch *table = c->inputs[port];
  int column = time_column_of(c, port);
  uint32_t *rows = malloc((2 * (size_t)table->rows + 1) * sizeof *rows), count = 0;
  int64_t largest = TM_TIME_NONE;
  cr_assert_not_null(rows);
  for (uint32_t i = 0; i < table->rows; i++) {
    int64_t t = column < 0 ? 0 : time_of(&table->columns[column], i);
    bool behind = c->stream && !c->in_time_order && column >= 0 && t < less_disorder(c, largest);
    if (t > largest) largest = t;
    if (!behind) rows[count++] = i;
  }
  time_rows r = {table, column < 0 ? NULL : &table->columns[column], needed};
  if (column >= 0) sort_in_time(&r, rows, rows + table->rows, count);
  *out = rows;
  return count;
}

void harness_late_rows(const harness_case *c, uint32_t port, rows_list *out) {
  const tm_batch *table = c->inputs[port];
  int column = time_column_of(c, port);
  int64_t largest = TM_TIME_NONE;
  for (uint32_t i = 0; c->stream && column >= 0 && i < table->rows; i++) {
    int64_t t = time_of(&table->columns[column], i), mark = less_disorder(c, largest);
    if (t > largest) largest = t;
    if (t >= mark) continue;
    tm_bytes json;
    tm_bytes_init(&json, table->arena.budget);
    cr_assert(tm_row_json(&json, table, i));
    size_t room = json.size + 100;
    char *line = malloc(room);
    cr_assert_not_null(line);
    (void)snprintf(line, room, "late|%lld|%lld|%.*s", (long long)t, (long long)mark,
                   (int)json.size, (const char *)json.data);
    rows_list_add(out, line);
    tm_bytes_deinit(&json);
  }
}

/* ---------------------------------------------------------------- all rows of a port */

static void *arena_array(tm_arena *arena, uint32_t count) {
  int64_t *array = tm_arena_alloc(arena, (count + 1) * sizeof *array);
  cr_assert_not_null(array);
  return array;
}

static void set_clock(harness_rows *r, const harness_case *c, bool sorted) {
  int64_t largest = TM_TIME_NONE;
  for (uint32_t i = 0; i < r->count; i++) {
    int64_t t = r->times[r->rows[i]];
    if (!sorted) r->marks[r->rows[i]] = less_disorder(c, largest);
    if (t > largest) largest = t;
    r->clock[i] = less_disorder(c, largest);
  }
  int64_t last = less_disorder(c, largest);
  for (uint32_t i = 0; sorted && i < r->count; i++) {
    int64_t next = i + 1 < r->count ? r->times[r->rows[i + 1]] : TM_TIME_END;
    r->clock[i] = next < last ? next : last;
  }
}

harness_rows harness_rows_of(const tm_bind *bind, const harness_case *c, uint32_t port,
                             const uint8_t *needed, tm_arena *arena) {
  harness_rows r = {.table = c->inputs[port]};
  const tm_batch *table = r.table;
  int column = time_column_of(c, port);
  bool sorted = column >= 0 && ((bind->time_order >> port & 1) != 0 || c->in_time_order);
  r.rows = arena_array(arena, table->rows);
  r.count = table->rows;
  for (uint32_t i = 0; i < table->rows; i++) r.rows[i] = i;
  if (column < 0) return r;
  if (sorted) {
    uint32_t *rows;
    r.count = harness_time_ordered(c, port, needed, &rows);
    memcpy(r.rows, rows, r.count * sizeof *rows);
    free(rows);
  }
  r.times = arena_array(arena, table->rows);
  for (uint32_t i = 0; i < table->rows; i++) r.times[i] = time_of(&table->columns[column], i);
  if (!c->stream) return r;
  r.clock = arena_array(arena, table->rows);
  if (!sorted) r.marks = arena_array(arena, table->rows);
  set_clock(&r, c, sorted);
  return r;
}
