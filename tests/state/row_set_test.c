/* tests/state/row_set_test.c: rows that come in and leave, against the texts of the rows. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/row_set.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(row_set, .init = setup, .fini = teardown);

enum { COLUMNS_MAX = 8 };

/* Rows of a table in classes of equal ones, and the id of each class that is in. */
typedef struct model {
  tm_batch *table;
  const tm_column *columns[COLUMNS_MAX];
  tm_type types[COLUMNS_MAX];
  bool exact;
  uint32_t *class_of, *ids; /* by row; by class, TM_ROW_SET_NONE: not in */
  uint32_t classes, in;
} model;

/* The text of a row; -0 is written as 0 unless all bits count. */
static char *text_of(const model *m, uint32_t row) {
  char text[2000] = "";
  for (uint32_t i = 0; i < m->table->schema->count; i++) {
    char *cell = rows_cell_text(&m->table->columns[i], row);
    bool zero = !m->exact && m->types[i].kind == TM_FLOAT64 && strcmp(cell, "-0.0") == 0;
    size_t used = strlen(text);
    (void)snprintf(text + used, sizeof text - used, "|%s", zero ? "0.0" : cell);
    free(cell);
  }
  return strdup(text);
}

typedef struct named { char *text; uint32_t row; } named;

static int compare_named(const void *a, const void *b) {
  return strcmp(((const named *)a)->text, ((const named *)b)->text);
}

static model model_make(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct,
                        bool exact) {
  rows_random random = rows_seed(seed);
  model m = {.exact = exact};
  tm_schema *schema = rows_schema(&arena, ddl);
  m.table = rows_random_table(budget, schema, rows, &random,
                              (rows_flavour){.distinct = distinct, .null_percent = 20,
                                             .odd = true});
  for (uint32_t i = 0; i < schema->count; i++) {
    m.columns[i] = &m.table->columns[i];
    m.types[i] = schema->fields[i].type;
  }
  m.class_of = calloc(rows + 1, sizeof *m.class_of);
  m.ids = malloc((rows + 1) * sizeof *m.ids);
  memset(m.ids, 0xff, (rows + 1) * sizeof *m.ids);
  named *all = calloc(rows + 1, sizeof *all);
  for (uint32_t i = 0; i < rows; i++) all[i] = (named){text_of(&m, i), i};
  qsort(all, rows, sizeof *all, compare_named);
  for (uint32_t i = 0; i < rows; i++) {
    m.classes += i == 0 || strcmp(all[i].text, all[i - 1].text) != 0;
    m.class_of[all[i].row] = m.classes - 1;
  }
  for (uint32_t i = 0; i < rows; i++) free(all[i].text);
  free(all);
  return m;
}

static void model_clear(model *m) {
  tm_batch_release(m->table);
  free(m->class_of);
  free(m->ids);
}

static tm_row_set *set_of(const model *m) {
  tm_row_set *set = tm_row_set_create(budget, m->types, m->table->schema->count, m->exact);
  cr_assert_not_null(set);
  return set;
}

static void insert_some(model *m, tm_row_set *set, rows_random *random, uint32_t count) {
  uint32_t rows[1000], ids[1000];
  cr_assert_leq(count, 1000);
  for (uint32_t i = 0; i < count; i++) rows[i] = rows_below(random, m->table->rows);
  cr_assert_eq(tm_row_set_insert(set, m->columns, rows, count, ids), 0);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t *id = &m->ids[m->class_of[rows[i]]];
    m->in += *id == TM_ROW_SET_NONE;
    if (*id == TM_ROW_SET_NONE) *id = ids[i];
    cr_assert_eq(*id, ids[i]);
  }
}

static void remove_some(model *m, tm_row_set *set, rows_random *random, uint32_t percent) {
  for (uint32_t i = 0; i < m->classes; i++) {
    if (m->ids[i] == TM_ROW_SET_NONE || !rows_chance(random, percent)) continue;
    tm_row_set_remove(set, m->ids[i]);
    cr_assert_not(tm_row_set_has(set, m->ids[i]));
    m->ids[i] = TM_ROW_SET_NONE;
    m->in--;
  }
}

/* Finds all rows, and reads back what it has found. */
static void expect_same(const model *m, tm_row_set *set) {
  uint32_t rows = m->table->rows, *ids = calloc(rows + 1, sizeof *ids);
  tm_row_set_find(set, m->columns, NULL, rows, ids);
  for (uint32_t i = 0; i < rows; i++) cr_assert_eq(ids[i], m->ids[m->class_of[i]], "row %u", i);
  cr_assert_eq(tm_row_set_count(set), m->in);
  tm_batch *out = tm_batch_create(budget, m->table->schema, rows);
  for (uint32_t c = 0; c < out->schema->count; c++) {
    cr_assert_eq(tm_row_set_read(set, c, ids, rows, true, out, c), 0);
  }
  model again = *m;
  again.table = out;
  for (uint32_t i = 0; i < rows; i++) {
    char *text = text_of(&again, i), *before = text_of(m, i);
    if (ids[i] != TM_ROW_SET_NONE) cr_assert_str_eq(text, before);
    free(text);
    free(before);
  }
  tm_batch_release(out);
  free(ids);
}

static tm_row_set *expect_restored(const model *m, tm_row_set *set) {
  tm_bytes bytes;
  tm_error err = {0};
  tm_bytes_init(&bytes, budget);
  tm_record_writer writer = {.out = &bytes};
  tm_row_set_save(set, &writer);
  cr_assert_eq(tm_record_end(&writer, &err), 0);
  tm_row_set_destroy(set);
  tm_row_set *other = set_of(m);
  tm_record_reader reader;
  tm_record_open(&reader, bytes.data, bytes.size);
  cr_assert_eq(tm_row_set_restore(other, &reader), 0);
  cr_assert_eq(tm_record_close(&reader, &err), 0, "%s", err.message);
  expect_same(m, other);
  tm_bytes_deinit(&bytes);
  return other;
}

static void run(model m, uint64_t seed, uint32_t rounds) {
  rows_random random = rows_seed(seed);
  tm_row_set *set = set_of(&m);
  expect_same(&m, set);
  for (uint32_t round = 0; round < rounds; round++) {
    uint32_t times = 1 + rows_below(&random, 8);
    for (uint32_t i = 0; i < times; i++) {
      insert_some(&m, set, &random, rows_below(&random, 700));
      int more;
      while ((more = tm_row_set_settle_step(set)) > 0) continue;
      cr_assert_eq(more, 0);
    }
    expect_same(&m, set);
    remove_some(&m, set, &random, rows_below(&random, 101));
    expect_same(&m, set);
    if (rows_chance(&random, 40)) set = expect_restored(&m, set);
  }
  remove_some(&m, set, &random, 100);
  expect_same(&m, set);
  tm_row_set_destroy(set);
  model_clear(&m);
}

Test(row_set, one_column_of_each_type) {
  static const char *const types[] = {"x int64", "x int32 not null", "x float64", "x string",
                                      "x decimal(30,2)", "x bool", "x timestamp", "x bytes"};
  for (uint32_t i = 0; i < sizeof types / sizeof *types; i++) {
    run(model_make(types[i], 1500, i, 900, false), i + 50, 8);
    run(model_make(types[i], 300, i + 20, 20, true), i + 80, 8);
  }
}

Test(row_set, several_columns) {
  const char *ddl = "a int32, b string, c float64, d decimal(38,4), e date not null, f bool";
  run(model_make(ddl, 2000, 1, 3, false), 1, 10);
  run(model_make(ddl, 2000, 2, 3, true), 2, 10);
  run(model_make(ddl, 1500, 3, 500, true), 3, 10);
}

Test(row_set, no_column) {
  tm_row_set *set = tm_row_set_create(budget, NULL, 0, false);
  uint32_t ids[300];
  cr_assert_eq(tm_row_set_insert(set, NULL, NULL, 300, ids), 0);
  for (uint32_t i = 0; i < 300; i++) cr_assert_eq(ids[i], 0);
  cr_assert_eq(tm_row_set_count(set), 1);
  tm_row_set_remove(set, 0);
  cr_assert_eq(tm_row_set_count(set), 0);
  tm_row_set_destroy(set);
}

/* Ids that are free are given again before new ones, and memory does not grow. */
Test(row_set, ids_stay_small) {
  enum { ROWS = 1000, ROUNDS = 300 };
  tm_type type = tm_type_of(TM_INT64);
  tm_row_set *set = tm_row_set_create(budget, &type, 1, false);
  int64_t values[ROWS];
  tm_column column = {.type = type, .data = values};
  const tm_column *columns[] = {&column};
  uint32_t ids[ROWS];
  uint64_t used = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < ROWS; i++) values[i] = (int64_t)round * ROWS + i;
    cr_assert_eq(tm_row_set_insert(set, columns, NULL, ROWS, ids), 0);
    for (int i = 0; i < ROWS; i++) cr_assert_lt(ids[i], ROWS);
    for (int i = 0; i < ROWS; i++) tm_row_set_remove(set, ids[i]);
    if (round == 0) used = tm_budget_used(budget);
  }
  cr_assert_eq(tm_budget_used(budget), used);
  tm_row_set_destroy(set);
}

Test(row_set, many_rows) {
  enum { ROWS = 400000, BATCH = 2000 };
  tm_type types[] = {tm_type_of(TM_INT64), tm_type_of(TM_INT32)};
  tm_row_set *set = tm_row_set_create(budget, types, 2, false);
  static int64_t a[BATCH];
  static int32_t b[BATCH];
  static uint32_t ids[BATCH];
  tm_column x = {.type = types[0], .data = a}, y = {.type = types[1], .data = b};
  const tm_column *columns[] = {&x, &y};
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t at = 0; at < ROWS; at += BATCH) {
      for (uint32_t i = 0; i < BATCH; i++) {
        a[i] = (int64_t)((at + i) * UINT64_C(0x9e3779b97f4a7c15));
        b[i] = (int32_t)(at + i) % 7;
      }
      cr_assert_eq(tm_row_set_insert(set, columns, NULL, BATCH, ids), 0);
      for (uint32_t i = 0; i < BATCH; i++) cr_assert_lt(ids[i], at + BATCH + pass * ROWS);
      int more;
      while ((more = tm_row_set_settle_step(set)) > 0) continue;
      cr_assert_eq(more, 0);
    }
  }
  cr_assert_eq(tm_row_set_count(set), ROWS);
  tm_row_set_destroy(set);
}

Test(row_set, refused_memory_leaves_nothing) {
  model m = model_make("s string, x int64, f float64", 900, 5, 400, true);
  bool refused = true;
  for (uint64_t fail = 1; refused; fail++) {
    uint32_t ids[900];
    tm_memory_fail_at(fail);
    tm_row_set *set = tm_row_set_create(budget, m.types, 3, true);
    refused = set == NULL || tm_row_set_insert(set, m.columns, NULL, 900, ids) < 0;
    tm_row_set_destroy(set);
    cr_assert_lt(fail, 200);
  }
  tm_memory_fail_at(0);
  model_clear(&m);
}
