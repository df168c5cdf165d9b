/* tests/operator/join_reference.c: see join_reference.h. */
#include "tests/operator/join_reference.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/reference.h"
#include "tests/support/values.h"

const char *const join_kinds[KINDS] = {"inner", "left", "right", "full", "semi", "anti"};

/* ---------------------------------------------------------------- which rows match */

bool join_keys_match(const join_wish *w, uint32_t l, uint32_t r) {
  for (int i = 0; i < KEYS_MAX && w->keys[i][0] != NULL; i++) {
    int a = tm_schema_find(w->left->schema, w->keys[i][0]);
    int b = tm_schema_find(w->right->schema, w->keys[i][1]);
    reference_value x = reference_read(w->left, (uint32_t)a, l);
    reference_value y = reference_read(w->right, (uint32_t)b, r);
    if (x.kind == REFERENCE_NULL || y.kind == REFERENCE_NULL) return false;
    if (reference_compare(&x, &y) != 0) return false;
  }
  return true;
}

static bool matches(const join_wish *w, uint32_t l, uint32_t r) {
  if (!join_keys_match(w, l, r)) return false;
  if (w->also != NULL && !w->also(w, l, r)) return false;
  if (!w->where) return true;
  uint32_t n = (uint32_t)tm_schema_find(w->left->schema, "n");
  uint32_t m = (uint32_t)tm_schema_find(w->right->schema, "m");
  reference_value x = reference_read(w->left, n, l), y = reference_read(w->right, m, r);
  return x.kind != REFERENCE_NULL && y.kind != REFERENCE_NULL && x.whole < y.whole;
}

int64_t join_number(const tm_batch *table, const char *column, uint32_t row) {
  int found = tm_schema_find(table->schema, column);
  cr_assert_geq(found, 0, "no column '%s'", column);
  reference_value v = reference_read(table, (uint32_t)found, row);
  cr_assert_eq(v.kind, REFERENCE_WHOLE);
  return (int64_t)v.whole;
}

uint8_t *join_late_rows(const tm_batch *table, const char *times, int64_t out_of_order_us) {
  uint8_t *late = calloc(table->rows + 1, 1);
  int64_t largest = INT64_MIN / 2;
  for (uint32_t i = 0; i < table->rows; i++) {
    int64_t t = join_number(table, times, i);
    late[i] = t < largest - out_of_order_us;
    if (t > largest) largest = t;
  }
  return late;
}

/* ---------------------------------------------------------------- rows of the result */

typedef struct result {
  const join_wish *wish;
  tm_batch *row; /* one, made anew for each */
  rows_list list;
} result;

static bool is_shared(const join_wish *w, const char *name) {
  for (int i = 0; i < KEYS_MAX && w->keys[i][0] != NULL; i++) {
    if (strcmp(w->keys[i][0], name) == 0 && strcmp(w->keys[i][1], name) == 0) return true;
  }
  return false;
}

static bool is_right_key(const join_wish *w, const char *name) {
  for (int i = 0; i < KEYS_MAX && w->keys[i][0] != NULL; i++) {
    if (strcmp(w->keys[i][1], name) == 0) return true;
  }
  return false;
}

static void set_from(tm_batch *out, uint32_t to, const tm_batch *in, int column, uint32_t from) {
  char *cell = from == UINT32_MAX ? strdup("null") : rows_cell_text(&in->columns[column], from);
  rows_set(out, to, 0, cell);
  free(cell);
}

static int64_t time_of(const join_wish *w, const tm_batch *table, uint32_t row) {
  bool timed = row != UINT32_MAX && tm_schema_find(table->schema, w->times) >= 0;
  return timed ? join_number(table, w->times, row) : INT64_MIN;
}

static void add_row(result *out, uint32_t l, uint32_t r, const join_span *window) {
  const join_wish *w = out->wish;
  char *text = rows_text(out->row, 0, NULL);
  if (w->times == NULL) {
    rows_list_add(&out->list, text);
    return;
  }
  int64_t a = time_of(w, w->left, l), b = time_of(w, w->right, r);
  bool half = w->kind == SEMI || w->kind == ANTI;
  int64_t time = window->end > window->start ? window->end - 1 : half || a > b ? a : b;
  size_t room = strlen(text) + 32;
  char *line = malloc(room);
  (void)snprintf(line, room, "%s @%lld", text, (long long)time);
  free(text);
  rows_list_add(&out->list, line);
}

static void set_number(tm_batch *out, uint32_t to, int64_t value) {
  char cell[32];
  (void)snprintf(cell, sizeof cell, "%lld", (long long)value);
  rows_set(out, to, 0, cell);
}

/* The columns of the result are the left ones, then the right ones but shared keys. */
static void add_pair(result *out, uint32_t l, uint32_t r, const join_span *window) {
  const join_wish *w = out->wish;
  uint32_t to = 0;
  for (uint32_t i = 0; i < w->left->schema->count; i++, to++) {
    const char *name = w->left->schema->fields[i].name;
    int other = tm_schema_find(w->right->schema, name);
    if (l == UINT32_MAX && is_shared(w, name)) set_from(out->row, to, w->right, other, r);
    else set_from(out->row, to, w->left, (int)i, l);
  }
  bool both = w->kind != SEMI && w->kind != ANTI;
  for (uint32_t i = 0; both && i < w->right->schema->count; i++) {
    const char *name = w->right->schema->fields[i].name;
    if (is_shared(w, name) || (w->keys_once && is_right_key(w, name))) continue;
    set_from(out->row, to++, w->right, (int)i, r);
  }
  if (w->windows != NULL) {
    bool days = out->row->schema->fields[to].type.kind == TM_DATE;
    int64_t unit = days ? INT64_C(86400000000) : 1;
    set_number(out->row, to, window->start / unit);
    set_number(out->row, to + 1, window->end / unit);
  }
  add_row(out, l, r, window);
}

static bool is_late(const join_wish *w, int side, uint32_t row) {
  return w->late[side] != NULL && w->late[side][row];
}

/* Without windows, one that all rows are in. */
static uint32_t windows_of(const join_wish *w, int side, uint32_t row, join_span *out) {
  if (is_late(w, side, row)) return 0;
  out[0] = (join_span){0, 0};
  return w->windows == NULL ? 1 : w->windows(w, side, row, out);
}

static int find_window(const join_span *windows, uint32_t count, const join_span *wanted) {
  for (uint32_t i = 0; i < count; i++) {
    if (windows[i].start == wanted->start && windows[i].end == wanted->end) return (int)i;
  }
  return -1;
}

static void expect_left(result *out, uint32_t l, const join_span *window, uint8_t *met) {
  const join_wish *w = out->wish;
  join_span theirs[JOIN_WINDOWS_MAX];
  bool any = false;
  for (uint32_t r = 0; r < w->right->rows; r++) {
    int at = find_window(theirs, windows_of(w, 1, r, theirs), window);
    if (at < 0 || !matches(w, l, r)) continue;
    any = true;
    met[r * JOIN_WINDOWS_MAX + (uint32_t)at] = 1;
    if (w->kind < SEMI) add_pair(out, l, r, window);
  }
  bool alone = w->kind == LEFT || w->kind == FULL || w->kind == ANTI;
  if (w->kind == SEMI ? any : !any && alone) add_pair(out, l, UINT32_MAX, window);
}

rows_list join_expect(const join_wish *w, const tm_schema *output) {
  tm_budget *budget = tm_budget_create(NULL, "reference", 0);
  result out = {.wish = w, .row = rows_blank(budget, output, 1)};
  uint8_t *met = calloc(w->right->rows + 1, JOIN_WINDOWS_MAX);
  join_span windows[JOIN_WINDOWS_MAX];
  for (uint32_t l = 0; l < w->left->rows; l++) {
    uint32_t count = windows_of(w, 0, l, windows);
    for (uint32_t i = 0; i < count; i++) expect_left(&out, l, &windows[i], met);
  }
  for (uint32_t r = 0; r < w->right->rows && (w->kind == RIGHT || w->kind == FULL); r++) {
    uint32_t count = windows_of(w, 1, r, windows);
    for (uint32_t i = 0; i < count; i++) {
      if (!met[r * JOIN_WINDOWS_MAX + i]) add_pair(&out, UINT32_MAX, r, &windows[i]);
    }
  }
  free(met);
  tm_batch_release(out.row);
  tm_budget_destroy(budget);
  return out.list;
}

/* ---------------------------------------------------------------- options */

static row_function condition;

static void below(row_call *c) {
  bool known = !row_is_null(c, 0) && !row_is_null(c, 1);
  row_set_int(c, 0, known && row_int(c, 0) < row_int(c, 1));
}

tm_value join_on(const join_wish *w, tm_arena *arena) {
  tm_value items[KEYS_MAX];
  size_t count = 0;
  for (; count < KEYS_MAX && w->keys[count][0] != NULL; count++) {
    bool same = strcmp(w->keys[count][0], w->keys[count][1]) == 0;
    items[count] = same ? v_text(w->keys[count][0])
                        : V_TABLE(arena, {"left", v_text(w->keys[count][0])},
                                  {"right", v_text(w->keys[count][1])});
  }
  return v_table(arena, items, count, NULL, 0);
}

tm_value join_where(const join_wish *w) {
  condition = row_function_make("n, r.m", NULL, below, false, 12);
  return w->where ? v_function(&condition) : v_nil();
}

const tm_schema *join_output(const harness_case *c, tm_arena *arena) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(c, arena, 2048, &bind, &err), 0, "%s", err.message);
  return bind.output;
}
