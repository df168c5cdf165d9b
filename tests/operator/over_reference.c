/* tests/operator/over_reference.c: see over_reference.h. Values are small, so that sums of doubles
 * are exact in any order. */
#include "over_reference.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/reference.h"
#include "tests/support/values.h"

/* ------------------------------------------------------------------ options */

static tm_value words_of(tm_arena *arena, const char *words) {
  tm_value items[8];
  size_t count = 0;
  for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
    size_t size = strcspn(at, " ");
    items[count++] = v_text(tm_arena_text(arena, at, size));
    at += size;
  }
  return v_table(arena, items, count, NULL, 0);
}

static tm_value duration(int64_t us) {
  return (tm_value){.kind = TM_VALUE_DURATION, .integer = us};
}

tm_value over_options(tm_arena *arena, const over_case *o) {
  tm_value columns[OVER_COLUMNS];
  tm_pair pairs[4];
  size_t count = 0, named = 0;
  for (; o->columns[count].fn != NULL; count++) {
    const over_column *c = &o->columns[count];
    tm_pair entry[6] = {{"as", v_text(tm_arena_format(arena, "c%zu", count))},
                        {"fn", v_text(c->fn)}};
    size_t n = 2;
    if (c->of != NULL) entry[n++] = (tm_pair){"of", v_text(c->of)};
    if (c->n > 0) entry[n++] = (tm_pair){"n", v_int(c->n)};
    if (c->rows > 0) entry[n++] = (tm_pair){"rows", v_int(c->rows)};
    if (c->range_us > 0) entry[n++] = (tm_pair){"range", duration(c->range_us)};
    columns[count] = v_table(arena, NULL, 0, entry, n);
  }
  pairs[named++] = (tm_pair){"columns", v_table(arena, columns, count, NULL, 0)};
  if (o->per != NULL) pairs[named++] = (tm_pair){"per", words_of(arena, o->per)};
  if (o->by != NULL) pairs[named++] = (tm_pair){"by", words_of(arena, o->by)};
  if (o->session_us > 0) pairs[named++] = (tm_pair){"session", duration(o->session_us)};
  return v_table(arena, NULL, 0, pairs, named);
}

/* ------------------------------------------------------------------ order */

typedef struct order {
  const tm_batch *table;
  reference_key keys[8];
  uint32_t count;
} order;

static void read_keys(order *o, const char *words) {
  for (const char *at = words; words != NULL && *at != '\0'; at += strspn(at, " ")) {
    char name[32];
    size_t size = strcspn(at, " ");
    bool descending = *at == '-';
    snprintf(name, sizeof name, "%.*s", (int)(size - descending), at + descending);
    int column = tm_schema_find(o->table->schema, name);
    cr_assert_geq(column, 0, "%s", name);
    o->keys[o->count++] = (reference_key){(uint32_t)column, descending};
    at += size;
  }
}

/* By the keys, then by all columns with nulls first. */
static int compare_rows(const void *context, uint32_t a, uint32_t b) {
  const order *o = context;
  int by_keys = reference_compare_rows(o->table, a, b, o->keys, o->count);
  if (by_keys != 0) return by_keys;
  for (uint32_t i = 0; i < o->table->schema->count; i++) {
    reference_value x = reference_read(o->table, i, a), y = reference_read(o->table, i, b);
    bool no_x = x.kind == REFERENCE_NULL, no_y = y.kind == REFERENCE_NULL;
    if (no_x || no_y) {
      if (no_x != no_y) return no_x ? -1 : 1;
      continue;
    }
    int by_column = reference_compare(&x, &y);
    if (by_column != 0) return by_column;
  }
  return 0;
}

/* ------------------------------------------------------------------ one cell */

typedef struct walk {
  const tm_batch *table;
  order by, per;
  const uint32_t *rows;  /* all, in order */
  uint32_t *before;      /* of the same partition, up to the row itself */
  uint32_t count;
  const uint32_t *after;
  bool by_time;          /* places are times of column `time` */
  int time;
} walk;

static bool same_partition(const walk *w, uint32_t a, uint32_t b) {
  return reference_compare_rows(w->table, a, b, w->per.keys, w->per.count) == 0;
}

static bool has_time(const walk *w, uint32_t row, int64_t *out) {
  reference_value v = reference_read(w->table, (uint32_t)w->time, row);
  int64_t unit = w->table->columns[w->time].type.kind == TM_DATE ? INT64_C(86400000000) : 1;
  *out = (int64_t)v.whole * unit;
  return v.kind != REFERENCE_NULL;
}

/* Nulls are near each other, and far from all else. */
static bool is_near(const walk *w, uint32_t a, uint32_t b, int64_t range_us) {
  int64_t x = 0, y = 0;
  bool has_x = has_time(w, a, &x), has_y = has_time(w, b, &y);
  if (!has_x || !has_y) return has_x == has_y;
  return (x > y ? x - y : y - x) <= range_us;
}

static bool are_peers(const walk *w, uint32_t a, uint32_t b) {
  if (w->by.count > 0) {
    return reference_compare_rows(w->table, a, b, w->by.keys, w->by.count) == 0;
  }
  return w->by_time ? is_near(w, a, b, 0) : a == b;
}

static char *text_of(tm_type type, __int128 whole, double number) {
  union { int64_t word; double number; __int128 wide; int32_t narrow; } cell = {.wide = whole};
  if (type.kind == TM_FLOAT64) cell.number = number;
  tm_column column = {.type = type, .data = &cell};
  return rows_cell_text(&column, 0);
}

static char *cell_at(const walk *w, const char *of, uint32_t row) {
  return rows_cell_text(&w->table->columns[tm_schema_find(w->table->schema, of)], row);
}

static char *number_of(const walk *w, const over_column *c, int64_t session_us) {
  int64_t number = 1;
  uint32_t last = w->before[w->count - 1];
  if (strcmp(c->fn, "row_number") == 0) {
    number = w->count;
  } else if (strcmp(c->fn, "rank") == 0) {
    for (uint32_t i = 0; i + 1 < w->count; i++) number += !are_peers(w, w->before[i], last);
  } else {
    for (uint32_t i = 1; i < w->count; i++) {
      number += !is_near(w, w->before[i - 1], w->before[i], session_us);
    }
  }
  return text_of(tm_type_of(TM_INT64), number, 0);
}

/* Half to even, at four more digits. */
static __int128 divide(__int128 sum, int64_t count) {
  __int128 scaled = sum * 10000, quotient = scaled / count, rest = scaled % count;
  if (rest < 0) {
    rest += count;
    quotient--;
  }
  if (2 * rest > count || (2 * rest == count && quotient % 2 != 0)) quotient++;
  return quotient;
}

static char *sum_of(const walk *w, const char *of, bool mean, const uint32_t *rows,
                    uint32_t count) {
  uint32_t column = (uint32_t)tm_schema_find(w->table->schema, of);
  tm_type type = w->table->columns[column].type;
  __int128 whole = 0;
  double number = 0;
  for (uint32_t i = 0; i < count; i++) {
    reference_value v = reference_read(w->table, column, rows[i]);
    if (v.kind == REFERENCE_FLOAT) number += v.number;
    else whole += v.whole;
  }
  if (count == 0) return strdup("null");
  if (type.kind == TM_FLOAT64) return text_of(type, 0, mean ? number / count : number);
  if (type.kind != TM_DECIMAL) {
    if (mean) return text_of(tm_type_of(TM_FLOAT64), 0, (double)whole / count);
    return text_of(tm_type_of(TM_INT64), whole, 0);
  }
  if (mean) return text_of(tm_type_decimal(38, type.scale + 4), divide(whole, count), 0);
  return text_of(tm_type_decimal(38, type.scale), whole, 0);
}

static char *aggregate_of(const walk *w, const over_column *c) {
  uint32_t *rows = malloc((w->count + 1) * sizeof *rows), count = 0, last = w->count - 1;
  int column = c->of == NULL ? -1 : tm_schema_find(w->table->schema, c->of);
  for (uint32_t i = 0; i < w->count; i++) {
    if (c->rows > 0 && last - i >= (uint32_t)c->rows) continue;
    if (c->range_us > 0 && !is_near(w, w->before[i], w->before[last], c->range_us)) continue;
    if (column >= 0 && tm_column_is_null(&w->table->columns[column], w->before[i])) continue;
    rows[count++] = w->before[i];
  }
  char *text = NULL;
  if (strcmp(c->fn, "count") == 0) {
    text = text_of(tm_type_of(TM_INT64), count, 0);
  } else if (strcmp(c->fn, "sum") == 0 || strcmp(c->fn, "avg") == 0) {
    text = sum_of(w, c->of, c->fn[0] == 'a', rows, count);
  } else if (count == 0) {
    text = strdup("null");
  } else if (strcmp(c->fn, "first") == 0 || strcmp(c->fn, "last") == 0) {
    text = cell_at(w, c->of, rows[c->fn[0] == 'f' ? 0 : count - 1]);
  } else {
    uint32_t best = rows[0];
    for (uint32_t i = 1; i < count; i++) {
      reference_value x = reference_read(w->table, (uint32_t)column, rows[i]);
      reference_value y = reference_read(w->table, (uint32_t)column, best);
      int ordered = reference_compare(&x, &y);
      if (c->fn[1] == 'i' ? ordered < 0 : ordered > 0) best = rows[i];
    }
    text = cell_at(w, c->of, best);
  }
  free(rows);
  return text;
}

static char *cell_of(const walk *w, const over_column *c, uint32_t left) {
  if (strcmp(c->fn, "row_number") == 0 || strcmp(c->fn, "rank") == 0) return number_of(w, c, 0);
  if (strcmp(c->fn, "lag") == 0) {
    bool there = w->count > (uint32_t)c->n;
    return there ? cell_at(w, c->of, w->before[w->count - 1 - (uint32_t)c->n]) : strdup("null");
  }
  if (strcmp(c->fn, "lead") != 0) return aggregate_of(w, c);
  int n = c->n;
  for (uint32_t i = 0; i < left; i++) {
    if (same_partition(w, w->after[i], w->before[w->count - 1]) && --n == 0) {
      return cell_at(w, c->of, w->after[i]);
    }
  }
  return strdup("null");
}

/* ------------------------------------------------------------------ all rows */

static void add_cell(char **line, char *cell) {
  size_t size = strlen(*line), more = strlen(cell);
  *line = realloc(*line, size + more + 2);
  cr_assert_not_null(*line);
  (*line)[size] = '|';
  memcpy(*line + size + 1, cell, more + 1);
  free(cell);
}

static char *line_of(const walk *w, const over_case *o, uint32_t left) {
  static const over_column session = {.fn = "session"};
  char *line = rows_text(w->table, w->before[w->count - 1], NULL);
  if (o->session_us > 0) add_cell(&line, number_of(w, &session, o->session_us));
  for (int i = 0; o->columns[i].fn != NULL; i++) add_cell(&line, cell_of(w, &o->columns[i], left));
  return line;
}

void over_expect(const harness_case *c, const over_case *o, rows_list *out) {
  const tm_batch *table = c->inputs[0];
  walk w = {.table = table, .by = {.table = table}, .per = {.table = table}};
  uint32_t *rows, count = harness_time_ordered(c, 0, NULL, &rows);
  w.time = c->times == NULL ? -1 : tm_schema_find(table->schema, c->times);
  read_keys(&w.per, o->per);
  if (!c->stream) read_keys(&w.by, o->by);
  if (w.by.count > 0) {
    for (uint32_t i = 0; i < count; i++) rows[i] = i;
    reference_sort(rows, count, compare_rows, &w.by);
    w.time = (int)w.by.keys[0].column;
  }
  w.by_time = w.by.count == 0 && w.time >= 0;
  w.before = malloc((count + 1) * sizeof *w.before);
  for (uint32_t i = 0; i < count; i++) {
    w.count = 0;
    for (uint32_t k = 0; k <= i; k++) {
      if (same_partition(&w, rows[k], rows[i])) w.before[w.count++] = rows[k];
    }
    w.after = rows + i + 1;
    rows_list_add(out, line_of(&w, o, count - i - 1));
  }
  free(w.before);
  free(rows);
}
