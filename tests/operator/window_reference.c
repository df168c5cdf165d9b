/* tests/operator/window_reference.c: see window_reference.h. */
#include "tests/operator/window_reference.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/row_json.h"

#define DAY_US INT64_C(86400000000)

typedef struct placed { int64_t time; uint32_t row; tm_window window; } placed;
typedef struct list { placed *items; size_t count, room; } list;

static int64_t time_of(const tm_column *c, uint32_t row) {
  cr_assert(!tm_column_is_null(c, row));
  return c->type.kind == TM_DATE ? ((int32_t *)c->data)[row] * DAY_US : ((int64_t *)c->data)[row];
}

static int64_t floor_of(int64_t us, int64_t unit) {
  int64_t rest = us % unit;
  return us - (rest < 0 ? rest + unit : rest);
}

static void add(list *l, int64_t time, uint32_t row, int64_t start, int64_t end) {
  if (l->count == l->room) {
    l->room = l->room * 2 + 64;
    l->items = realloc(l->items, l->room * sizeof *l->items);
  }
  l->items[l->count++] = (placed){time, row, {start, end}};
}

/* All windows of an instant; those in zones by the grid itself, which has tests of its own. */
static void add_windows(list *l, const window_shape *s, int64_t time, uint32_t row) {
  if (s->zone != NULL) {
    tm_window_grid grid;
    tm_window_regions regions = {0};
    tm_error err = {0};
    cr_assert_eq(tm_window_grid_init(&grid, s->kind, s->size_us, s->step_us, s->zone, &err), 0);
    tm_window w = tm_window_grid_first(&grid, time, &regions);
    for (; w.start_us <= time; w = tm_window_grid_next(&grid, w, &regions)) {
      add(l, time, row, w.start_us, w.end_us);
    }
    return;
  }
  int64_t cell = floor_of(time, s->size_us);
  switch (s->kind) {
    case TM_WINDOW_TUMBLING: add(l, time, row, cell, cell + s->size_us); return;
    case TM_WINDOW_CUMULATE:
      for (int64_t end = cell + s->step_us; end <= cell + s->size_us; end += s->step_us) {
        if (time < end) add(l, time, row, cell, end);
      }
      return;
    case TM_WINDOW_HOPPING:
      for (int64_t start = floor_of(time, s->step_us); start + s->size_us > time;
           start -= s->step_us) {
        add(l, time, row, start, start + s->size_us);
      }
  }
}

static int compare(const void *a, const void *b) {
  const placed *x = a, *y = b;
  if (x->time != y->time) return x->time < y->time ? -1 : 1;
  return (x->row > y->row) - (x->row < y->row);
}

static bool is_word_of(const char *words, const char *word) {
  size_t size = strlen(word);
  for (const char *at = words; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " ")) {
    if (strcspn(at, " ") == size && memcmp(at, word, size) == 0) return true;
  }
  return false;
}

/* "late|time|mark|row": a row as JSON of the columns that the stage reads. */
static char *late_text(const tm_batch *table, const char *needed, uint32_t row, int64_t time,
                       int64_t mark) {
  tm_budget *budget = tm_budget_create(NULL, "late", 0);
  tm_batch *part = tm_batch_create(budget, table->schema, table->rows);
  tm_bytes json;
  tm_bytes_init(&json, budget);
  for (uint32_t c = 0; c < table->schema->count; c++) {
    if (is_word_of(needed, table->schema->fields[c].name)) part->columns[c] = table->columns[c];
  }
  cr_assert(tm_row_json(&json, part, row));
  size_t size = json.size + 64;
  char *text = malloc(size);
  (void)snprintf(text, size, "late|%" PRId64 "|%" PRId64 "|%.*s", time, mark, (int)json.size,
                 (const char *)json.data);
  tm_bytes_deinit(&json);
  tm_batch_release(part);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
  return text;
}

/* Rows and windows that are open to them. */
static void place(const tm_batch *table, const window_shape *s, list *l, const char *needed,
                  rows_list *late) {
  const tm_column *c = &table->columns[tm_schema_find(table->schema, s->time)];
  int64_t largest = TM_TIME_NONE;
  for (uint32_t row = 0; row < table->rows; row++) {
    int64_t time = time_of(c, row);
    int64_t mark = largest == TM_TIME_NONE ? TM_TIME_NONE : largest - s->out_of_order_us;
    size_t before = l->count, kept = before;
    add_windows(l, s, time, row);
    for (size_t i = before; i < l->count; i++) {
      bool closed = s->stream && l->items[i].window.end_us + s->lateness_us <= mark;
      if (!closed) l->items[kept++] = l->items[i];
    }
    l->count = kept;
    if (kept == before) rows_list_add(late, late_text(table, needed, row, time, mark));
    largest = time > largest ? time : largest;
  }
}

static void write_bounds(tm_batch *out, uint32_t column, uint32_t row, int64_t us) {
  tm_column *c = &out->columns[column];
  if (c->type.kind == TM_DATE) ((int32_t *)c->data)[row] = (int32_t)(us / DAY_US);
  else ((int64_t *)c->data)[row] = us;
}

tm_batch *window_reference_expand(const tm_batch *table, const window_shape *s, tm_arena *arena,
                                  const char *needed, rows_list *late) {
  list l = {0};
  place(table, s, &l, needed, late);
  if (l.count > 0) qsort(l.items, l.count, sizeof *l.items, compare);
  uint32_t columns = table->schema->count, count = (uint32_t)l.count;
  tm_schema *schema = tm_schema_create(arena, columns + 2);
  memcpy(schema->fields, table->schema->fields, columns * sizeof *schema->fields);
  tm_type type = table->schema->fields[tm_schema_find(table->schema, s->time)].type;
  type.not_null = 1;
  if (s->zone != NULL) type.zone = s->zone;
  schema->fields[columns] = (tm_field){.name = "window_start", .type = type};
  schema->fields[columns + 1] = (tm_field){.name = "window_end", .type = type};
  tm_batch *out = tm_batch_create(arena->budget, schema, count);
  uint32_t *rows = malloc((count + (size_t)1) * sizeof *rows);
  for (uint32_t i = 0; i < count; i++) rows[i] = l.items[i].row;
  for (uint32_t c = 0; c < columns; c++) {
    cr_assert_eq(tm_column_gather(out, c, &table->columns[c], rows, count, false), 0);
  }
  cr_assert(tm_batch_column(out, columns, false) == 0 &&
            tm_batch_column(out, columns + 1, false) == 0);
  for (uint32_t i = 0; i < count; i++) {
    write_bounds(out, columns, i, l.items[i].window.start_us);
    write_bounds(out, columns + 1, i, l.items[i].window.end_us);
  }
  free(rows);
  free(l.items);
  return out;
}
