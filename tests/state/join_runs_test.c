/* tests/state/join_runs_test.c: each key's rows stand next to each other, in order of a value of
 * any type, however many lanes made them; words order as values do. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "state/join_runs.h"
#include "tests/support/fixture.h"
#include "tests/support/reference.h"
#include "tests/support/rows.h"

TestSuite(join_runs, .init = setup, .fini = teardown);

/* Columns: key, value, a, b. */
typedef struct sides {
  tm_batch *table;
  tm_schema *key_type, *value_type;
  uint32_t key_column;
  tm_join_keys keys;
  tm_sort_key tie_keys[3];
  tm_sort_spec ties;
  tm_join_order order;
} sides;

static void sides_init(sides *s, const char *type, bool ties, uint64_t seed) {
  rows_random random = rows_seed(seed);
  rows_flavour flavour = {.distinct = 9, .null_percent = 15, .odd = seed % 2};
  *s = (sides){.key_column = 0};
  const char *ddl = tm_arena_format(&arena, "key int32, value %s, a int64, b string", type);
  s->table = rows_random_table(budget, rows_schema(&arena, ddl), 300, &random, flavour);
  for (uint32_t i = 0; i < 300; i++) ((int32_t *)s->table->columns[0].data)[i] %= 7;
  s->key_type = rows_schema(&arena, "key int32");
  s->value_type = rows_schema(&arena, tm_arena_format(&arena, "value %s", type));
  s->keys = (tm_join_keys){1, &s->key_column, s->key_type};
  s->tie_keys[0] = (tm_sort_key){.column = 1};
  s->tie_keys[1] = (tm_sort_key){.column = 2};
  s->tie_keys[2] = (tm_sort_key){.column = 3};
  s->ties = (tm_sort_spec){.schema = s->table->schema, .keys = s->tie_keys, .key_count = 3};
  s->order = (tm_join_order){.column = 1, .type = s->value_type, .ties = ties ? &s->ties : NULL};
}

static tm_batch *part_of(const sides *s, uint32_t from, uint32_t *selection) {
  tm_batch *batch = tm_batch_derive(s->table, budget, s->table->schema);
  memcpy(batch->columns, s->table->columns, s->table->schema->count * sizeof *batch->columns);
  batch->selected = s->table->rows - from < 7 ? s->table->rows - from : 7;
  for (uint32_t i = 0; i < batch->selected; i++) selection[i] = from + i;
  batch->selection = selection;
  return batch;
}

static void build(tm_join_table *t, tm_join_runs *runs, const sides *s, uint32_t lanes) {
  tm_error err = {0};
  cr_assert_eq(tm_join_table_init(t, budget, lanes, s->table->schema, NULL, &err), 0);
  t->order = &s->order;
  for (uint32_t from = 0, n = 0; from < s->table->rows; from += 7, n++) {
    uint32_t selection[7];
    tm_batch *batch = part_of(s, from, selection);
    cr_assert_eq(tm_join_table_append(t, n % lanes, batch, &s->keys, &err), 0);
    tm_batch_release(batch);
  }
  cr_assert_eq(tm_join_table_gather(t, &s->keys, false, &err), 0);
  cr_assert_eq(tm_join_runs_init(runs, budget, t, &s->order, &err), 0);
  for (uint32_t lane = 0; lane < lanes; lane++) {
    for (uint32_t chunk = 0; chunk < t->chunk_count; chunk++) {
      cr_assert_eq(tm_join_table_build(t, lane, chunk, &s->keys, &err), 0);
    }
    int more;
    while ((more = tm_join_runs_step(runs, lane, &err)) > 0) continue;
    cr_assert_eq(more, 0);
  }
}

/* Nulls first. */
static int compare_cells(const tm_batch *x, uint32_t a, const tm_batch *y, uint32_t b,
                         uint32_t column) {
  reference_value p = reference_read(x, column, a), q = reference_read(y, column, b);
  if (p.kind == REFERENCE_NULL || q.kind == REFERENCE_NULL) {
    return (q.kind == REFERENCE_NULL) - (p.kind == REFERENCE_NULL);
  }
  return reference_compare(&p, &q);
}

static void check_run(const tm_join_table *t, const sides *s, const tm_join_run *rows,
                      uint32_t count, int32_t key) {
  uint32_t expected = 0;
  for (uint32_t i = 0; i < s->table->rows; i++) {
    bool same = !tm_column_is_null(&s->table->columns[0], i) &&
                ((const int32_t *)s->table->columns[0].data)[i] == key;
    expected += same && !tm_column_is_null(&s->table->columns[1], i);
  }
  cr_assert_eq(count, expected, "key %d: %u of %u rows", key, count, expected);
  bool exact = tm_join_words_exact(s->value_type->fields[0].type);
  for (uint32_t i = 0; i < count; i++) {
    const tm_batch *here = t->chunks[rows[i].id >> TM_CHUNK_BITS].rows;
    uint32_t row = rows[i].id & (TM_CHUNK_ROWS - 1);
    cr_assert_eq(((const int32_t *)here->columns[0].data)[row], key);
    cr_assert_leq(tm_join_runs_below(rows, count, rows[i].word), i);
    if (i == 0) continue;
    const tm_batch *before = t->chunks[rows[i - 1].id >> TM_CHUNK_BITS].rows;
    uint32_t other = rows[i - 1].id & (TM_CHUNK_ROWS - 1);
    int order = compare_cells(before, other, here, row, 1);
    if (exact || s->order.ties != NULL) cr_assert_leq(order, 0);
    if (exact) cr_assert_eq(order == 0, rows[i - 1].word == rows[i].word);
    else cr_assert_leq(rows[i - 1].word, rows[i].word);
    if (order != 0 || s->order.ties == NULL) continue;
    int a = compare_cells(before, other, here, row, 2);
    int b = compare_cells(before, other, here, row, 3);
    cr_assert(a < 0 || (a == 0 && b <= 0), "ties go by the columns");
  }
}

static void check(sides *s) {
  for (uint32_t lanes = 1; lanes <= 3; lanes++) {
    tm_join_table t;
    tm_join_runs runs;
    tm_error err = {0};
    build(&t, &runs, s, lanes);
    uint32_t parts[300], ids[300], seen = 0;
    cr_assert_eq(tm_join_table_find(&t, s->table, &s->keys, parts, ids, &err), 0);
    for (uint32_t i = 0; i < s->table->rows; i++) {
      bool null = tm_column_is_null(&s->table->columns[0], i);
      cr_assert_eq(null, ids[i] == TM_KEY_NONE);
      if (null) continue;
      uint32_t count;
      const tm_join_run *rows = tm_join_runs_of(&runs, parts[i], ids[i], &count);
      check_run(&t, s, rows, count, ((const int32_t *)s->table->columns[0].data)[i]);
      seen++;
    }
    cr_assert_gt(seen, 100);
    tm_join_runs_deinit(&runs);
    tm_join_table_deinit(&t);
  }
  tm_batch_release(s->table);
}

Test(join_runs, values_of_every_type) {
  static const char *const types[] = {"int32", "int64", "float64", "string", "date", "timestamp",
                                      "decimal(12,2)", "decimal(38,4)", "bool", "bytes"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    for (uint64_t seed = 0; seed < 4; seed++) {
      sides s;
      sides_init(&s, types[i], seed < 2, 10 * i + seed);
      check(&s);
    }
  }
}

/* By event time, which rides beside the rows. */
Test(join_runs, event_time) {
  sides s;
  sides_init(&s, "timestamp not null", false, 77);
  s.table->times = s.table->columns[1].data;
  s.order.column = -1;
  check(&s);
}

/* Many rows of one key, in order, in reverse, and neither. */
Test(join_runs, one_key_of_many_rows) {
  enum { ROWS = 60000 };
  for (int shape = 0; shape < 3; shape++) {
    tm_batch *table = rows_blank(budget, rows_schema(&arena, "key int32 not null, value int64 not "
                                                             "null"), ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
      ((int32_t *)table->columns[0].data)[i] = 1;
      ((int64_t *)table->columns[1].data)[i] =
          shape == 0 ? i : shape == 1 ? ROWS - i : i * INT64_C(48271) % 65537;
    }
    tm_error err = {0};
    uint32_t column = 0, count;
    tm_join_keys keys = {1, &column, rows_schema(&arena, "key int32")};
    tm_join_order order = {.column = 1, .type = rows_schema(&arena, "value int64")};
    tm_join_table t;
    tm_join_runs runs;
    cr_assert_eq(tm_join_table_init(&t, budget, 1, table->schema, NULL, &err), 0);
    t.order = &order;
    cr_assert_eq(tm_join_table_append(&t, 0, table, &keys, &err), 0);
    cr_assert_eq(tm_join_table_gather(&t, &keys, false, &err), 0);
    for (uint32_t c = 0; c < t.chunk_count; c++) tm_join_table_build(&t, 0, c, &keys, &err);
    cr_assert_eq(tm_join_runs_init(&runs, budget, &t, &order, &err), 0);
    while (tm_join_runs_step(&runs, 0, &err) > 0) continue;
    const tm_join_run *rows = tm_join_runs_of(&runs, 0, 0, &count);
    cr_assert_eq(count, ROWS);
    for (uint32_t i = 1; i < ROWS; i++) cr_assert_lt(rows[i - 1].word, rows[i].word);
    cr_expect_eq(tm_join_runs_below(rows, count, rows[777].word), 777);
    tm_join_runs_deinit(&runs);
    tm_join_table_deinit(&t);
    tm_batch_release(table);
  }
}
