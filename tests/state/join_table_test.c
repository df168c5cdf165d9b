/* tests/state/join_table_test.c: probing finds exactly the rows of equal keys, however many lanes
 * built the table. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/hash_rows.h"
#include "state/join_table.h"
#include "tests/support/fixture.h"
#include "tests/support/reference.h"
#include "tests/support/rows.h"

TestSuite(join_table, .init = setup, .fini = teardown);

typedef struct sides {
  tm_batch *build, *probe;
  tm_schema *types;
  uint32_t build_columns[2], probe_columns[2];
  tm_join_keys build_keys, probe_keys;
} sides;

static void sides_init(sides *s, const char *build, const char *probe, const char *types,
                       uint32_t rows, uint64_t seed, rows_flavour flavour) {
  rows_random random = rows_seed(seed);
  *s = (sides){.build_columns = {0, 1}, .probe_columns = {0, 1}};
  s->types = rows_schema(&arena, types);
  s->build = rows_random_table(budget, rows_schema(&arena, build), rows, &random, flavour);
  s->probe = rows_random_table(budget, rows_schema(&arena, probe), rows, &random, flavour);
  s->build_keys = (tm_join_keys){s->types->count, s->build_columns, s->types};
  s->probe_keys = (tm_join_keys){s->types->count, s->probe_columns, s->types};
}

static void sides_free(sides *s) {
  tm_batch_release(s->build);
  tm_batch_release(s->probe);
}

/* Deals the rows to the lanes in slices. */
static void build(tm_join_table *t, const sides *s, uint32_t lanes, bool track) {
  tm_error err = {0};
  cr_assert_eq(tm_join_table_init(t, budget, lanes, s->build->schema, NULL, &err), 0);
  uint32_t n = 0;
  for (uint32_t from = 0; from < s->build->rows; from += 7, n++) {
    tm_batch *batch = tm_batch_derive(s->build, budget, s->build->schema);
    memcpy(batch->columns, s->build->columns, s->build->schema->count * sizeof *batch->columns);
    uint32_t selection[7];
    batch->selected = s->build->rows - from < 7 ? s->build->rows - from : 7;
    for (uint32_t i = 0; i < batch->selected; i++) selection[i] = from + i;
    batch->selection = selection;
    cr_assert_eq(tm_join_table_append(t, n % lanes, batch, &s->build_keys, &err), 0);
    tm_batch_release(batch);
  }
  cr_assert_eq(tm_join_table_gather(t, &s->build_keys, track, &err), 0);
  cr_expect_eq(t->rows, s->build->rows);
  for (uint32_t lane = 0; lane < lanes; lane++) {
    for (uint32_t chunk = 0; chunk < t->chunk_count; chunk++) {
      cr_assert_eq(tm_join_table_build(t, lane, chunk, &s->build_keys, &err), 0);
    }
  }
}

static bool equal(const sides *s, uint32_t b, uint32_t p) {
  for (uint32_t k = 0; k < s->types->count; k++) {
    reference_value x = reference_read(s->build, k, b), y = reference_read(s->probe, k, p);
    if (x.kind == REFERENCE_NULL || y.kind == REFERENCE_NULL) return false;
    if (reference_compare(&x, &y) != 0) return false;
  }
  return true;
}

/* The matches of a row of the probe side, as text, against those of a loop. */
static void check_row(const tm_join_table *t, const sides *s, uint32_t head, uint32_t row) {
  rows_list found = {0}, expected = {0};
  for (uint32_t id = head; id != TM_ROW_NONE; id = t->next[id]) {
    const tm_chunk *chunk = &t->chunks[id >> TM_CHUNK_BITS];
    rows_list_add(&found, rows_text(chunk->rows, id & (TM_CHUNK_ROWS - 1), NULL));
  }
  for (uint32_t b = 0; b < s->build->rows; b++) {
    if (equal(s, b, row)) rows_list_add(&expected, rows_text(s->build, b, NULL));
  }
  rows_list_expect_set(&found, &expected, "matches");
  rows_list_clear(&found);
  rows_list_clear(&expected);
}

static void check(sides *s) {
  for (uint32_t lanes = 1; lanes <= 3; lanes++) {
    tm_join_table t;
    tm_error err = {0};
    build(&t, s, lanes, true);
    uint32_t *heads = malloc((s->probe->rows + 1) * sizeof *heads);
    cr_assert_eq(tm_join_table_probe(&t, s->probe, &s->probe_keys, heads, &err), 0);
    for (uint32_t i = 0; i < s->probe->rows; i++) check_row(&t, s, heads[i], i);
    bool unique = true;
    for (uint32_t a = 0; a < s->build->rows; a++) {
      for (uint32_t b = 0; b < a; b++) {
        bool same = true;
        for (uint32_t k = 0; k < s->types->count && same; k++) {
          reference_value x = reference_read(s->build, k, a), y = reference_read(s->build, k, b);
          same = x.kind != REFERENCE_NULL && y.kind != REFERENCE_NULL &&
                 reference_compare(&x, &y) == 0;
        }
        unique &= !same;
      }
    }
    cr_expect_eq(tm_join_table_unique(&t), unique);
    free(heads);
    tm_join_table_deinit(&t);
  }
  sides_free(s);
}

Test(join_table, one_key) {
  sides s;
  sides_init(&s, "k int64, v string", "k int64", "k int64", 120, 1,
             (rows_flavour){.distinct = 40, .null_percent = 10});
  check(&s);
}

Test(join_table, two_keys_of_wider_types) {
  sides s;
  sides_init(&s, "a int32, b decimal(10,2), v int32", "a int64, b int32",
             "a int64, b decimal(14,2)", 100, 2, (rows_flavour){.distinct = 8, .null_percent = 10});
  check(&s);
}

Test(join_table, odd_text_and_floats) {
  sides s;
  sides_init(&s, "a string, b float64, v int32", "a string, b float64", "a string, b float64", 150,
             3, (rows_flavour){.distinct = 12, .null_percent = 10, .odd = true});
  check(&s);
}

Test(join_table, unique_keys) {
  sides s;
  sides_init(&s, "k int64, v string", "k int64", "k int64", 90, 4, (rows_flavour){.distinct = 200});
  for (uint32_t i = 0; i < 90; i++) ((int64_t *)s.build->columns[0].data)[i] = i;
  check(&s);
}

Test(join_table, no_keys_match_everything) {
  sides s;
  sides_init(&s, "v int32", "w int32", "k int64", 1, 5, (rows_flavour){0});
  s.types->count = 0;
  s.build_keys.count = s.probe_keys.count = 0;
  check(&s);
}

Test(join_table, marks_are_seen) {
  sides s;
  tm_join_table t;
  sides_init(&s, "k int64", "k int64", "k int64", 30, 6, (rows_flavour){.distinct = 9});
  build(&t, &s, 2, true);
  tm_join_table_mark(&t, 0);
  tm_join_table_mark(&t, 0);
  tm_join_table_mark(&t, TM_CHUNK_ROWS + 3); /* the second lane's fourth row */
  cr_expect_eq(t.matched[0], 1);
  cr_expect_eq(t.matched[TM_CHUNK_ROWS + 3], 1);
  cr_expect_eq(t.matched[1], 0);
  tm_join_table_deinit(&t);
  sides_free(&s);
}

Test(join_table, no_memory_is_told_and_frees_all) {
  sides s;
  sides_init(&s, "k string", "k string", "k string", 20, 7, (rows_flavour){.distinct = 9});
  int refused = 0;
  for (uint64_t n = 1; n < 60; n++) {
    tm_join_table t;
    tm_error err = {0};
    uint32_t heads[20];
    tm_memory_fail_at(n);
    int done = tm_join_table_init(&t, budget, 2, s.build->schema, NULL, &err);
    if (done == 0) done = tm_join_table_append(&t, 0, s.build, &s.build_keys, &err);
    if (done == 0) done = tm_join_table_gather(&t, &s.build_keys, true, &err);
    for (uint32_t lane = 0; lane < 2 && done == 0; lane++) {
      done = tm_join_table_build(&t, lane, 0, &s.build_keys, &err);
    }
    if (done == 0) done = tm_join_table_probe(&t, s.probe, &s.probe_keys, heads, &err);
    tm_memory_fail_at(0);
    if (done < 0) cr_expect_eq(err.code, TM_E_MEMORY);
    refused += done < 0;
    tm_join_table_deinit(&t);
  }
  cr_expect(refused > 5 && refused < 59, "%d", refused);
  sides_free(&s);
}

static uint64_t tops[1 << 19];

static int compare_tops(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a >> 20, y = *(const uint64_t *)b >> 20;
  return (x > y) - (x < y);
}

/* Two keys (i, i) whose hashes agree in the upper 31 bits, by which slots tell keys apart. */
static void find_twins(uint32_t *first, uint32_t *second) {
  enum { KEYS = 1 << 19 };
  tm_batch *all =
      rows_blank(budget, rows_schema(&arena, "a int64 not null, b int64 not null"), KEYS);
  const tm_column *columns[] = {&all->columns[0], &all->columns[1]};
  for (int64_t i = 0; i < KEYS; i++) {
    ((int64_t *)all->columns[0].data)[i] = ((int64_t *)all->columns[1].data)[i] = i;
  }
  tm_hash_rows(columns, 2, NULL, KEYS, tops);
  for (uint64_t i = 0; i < KEYS; i++) tops[i] = tops[i] >> 33 << 20 | i;
  qsort(tops, KEYS, sizeof *tops, compare_tops);
  uint32_t at = 1;
  while (at < KEYS && tops[at] >> 20 != tops[at - 1] >> 20) at++;
  cr_assert_lt(at, KEYS, "no two keys are alike");
  *first = (uint32_t)(tops[at - 1] & ((1 << 20) - 1));
  *second = (uint32_t)(tops[at] & ((1 << 20) - 1));
  tm_batch_release(all);
}

/* Where a key of several columns looks like one that came just before, its id is not the next: the
 * chains must not go by the order of ids. */
Test(join_table, keys_whose_ids_come_out_of_order) {
  uint32_t first, second;
  find_twins(&first, &second);
  const int64_t keys[] = {first, second, -5, second, first, -5, -6};
  sides s = {.build_columns = {0, 1}, .probe_columns = {0, 1}};
  s.types = rows_schema(&arena, "a int64 not null, b int64 not null");
  s.build_keys = s.probe_keys = (tm_join_keys){2, s.build_columns, s.types};
  s.build = rows_blank(budget, s.types, 7);
  s.probe = rows_blank(budget, s.types, 7);
  for (uint32_t i = 0; i < 7; i++) {
    for (uint32_t c = 0; c < 2; c++) {
      ((int64_t *)s.build->columns[c].data)[i] = keys[i];
      ((int64_t *)s.probe->columns[c].data)[i] = keys[6 - i];
    }
  }
  check(&s);
}
