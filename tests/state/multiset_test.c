/* tests/state/multiset_test.c: ordered multisets against an array that is sorted anew each time. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "state/multiset.h"
#include "tests/support/fixture.h"
#include "tests/support/reference.h"
#include "tests/support/rows.h"

TestSuite(multiset, .init = setup, .fini = teardown);

enum { PARTS_MAX = 4 };

/* Columns of a table as a tuple, and each row's count in the set, by number of the row. */
typedef struct model {
  const tm_batch *table;
  tm_tuple_spec spec;
  tm_tuple_part parts[PARTS_MAX];
  const tm_column *columns[PARTS_MAX];
  uint32_t *order;      /* rows, sorted; equal ones stand for the first of them */
  uint64_t *counts;     /* by place in `order` */
  uint32_t *place;      /* of the class of a row */
  uint32_t classes;
} model;

static int compare_part(const model *m, uint32_t part, uint32_t a, uint32_t b) {
  reference_value x = reference_read(m->table, part, a), y = reference_read(m->table, part, b);
  if (x.kind == REFERENCE_NULL || y.kind == REFERENCE_NULL) {
    return (x.kind == REFERENCE_NULL) - (y.kind == REFERENCE_NULL);
  }
  int order = reference_compare(&x, &y);
  if (order == 0 && x.kind == REFERENCE_FLOAT && !m->parts[part].folds && x.number == 0) {
    order = (signbit(y.number) != 0) - (signbit(x.number) != 0);
  }
  return m->parts[part].descending ? -order : order;
}

static int compare_rows(const void *context, uint32_t a, uint32_t b) {
  const model *m = context;
  for (uint32_t i = 0; i < m->spec.part_count; i++) {
    int order = compare_part(m, i, a, b);
    if (order != 0) return order;
  }
  return 0;
}

static model model_make(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct,
                        const char *descending, bool folds) {
  rows_random random = rows_seed(seed);
  model m = {0};
  tm_schema *schema = rows_schema(&arena, ddl);
  m.table = rows_random_table(budget, schema, rows, &random,
                              (rows_flavour){.distinct = distinct, .null_percent = 20,
                                             .odd = true});
  for (uint32_t i = 0; i < schema->count; i++) {
    m.parts[i] = (tm_tuple_part){.type = schema->fields[i].type, .descending = descending[i] == '-',
                                 .nullable = !schema->fields[i].type.not_null, .folds = folds};
    m.columns[i] = &m.table->columns[i];
  }
  m.order = calloc(rows + 1, sizeof *m.order);
  m.place = calloc(rows + 1, sizeof *m.place);
  m.counts = calloc(rows + 1, sizeof *m.counts);
  return m;
}

static void model_sort(model *m) {
  tm_tuple_init(&m->spec, m->parts, m->table->schema->count);
  uint32_t rows = m->table->rows, classes = 0;
  uint32_t *sorted = calloc(rows + 1, sizeof *sorted);
  for (uint32_t i = 0; i < rows; i++) sorted[i] = i;
  reference_sort(sorted, rows, compare_rows, m);
  for (uint32_t i = 0; i < rows; i++) {
    bool same = i > 0 && compare_rows(m, sorted[i - 1], sorted[i]) == 0;
    if (!same) m->order[classes++] = sorted[i];
    m->place[sorted[i]] = classes - 1;
  }
  m->classes = classes;
  free(sorted);
}

static void model_clear(model *m) {
  tm_batch_release((tm_batch *)m->table);
  free(m->order);
  free(m->place);
  free(m->counts);
}

static const uint64_t *tuple_of(const model *m, uint32_t row) {
  static uint64_t words[16];
  cr_assert_leq(m->spec.words, 16);
  tm_tuple_write(&m->spec, m->columns, row, words);
  return words;
}

static void expect_row(const model *m, const uint64_t *tuple, uint32_t row) {
  cr_assert_not_null(tuple);
  cr_assert_eq(tm_tuple_compare(&m->spec, tuple, tuple_of(m, row)), 0);
}

static void expect_same(const model *m, const tm_multiset_pool *pool, const tm_multiset *set) {
  tm_multiset_cursor cursor = tm_multiset_open(pool, set);
  uint64_t total = 0, distinct = 0, count;
  const uint64_t *tuple;
  for (uint32_t i = 0; i < m->classes; i++) {
    if (m->counts[i] == 0) continue;
    tuple = tm_multiset_next(&cursor, &count);
    expect_row(m, tuple, m->order[i]);
    cr_assert_eq(count, m->counts[i]);
    if (total == 0) expect_row(m, tm_multiset_least(pool, set), m->order[i]);
    expect_row(m, tm_multiset_at(pool, set, total), m->order[i]);
    expect_row(m, tm_multiset_at(pool, set, total + count - 1), m->order[i]);
    cr_assert_eq(tm_multiset_count(pool, set, tuple_of(m, m->order[i])), count);
    total += count;
    distinct++;
    if (total == set->total) expect_row(m, tm_multiset_greatest(pool, set), m->order[i]);
  }
  cr_assert_null(tm_multiset_next(&cursor, &count));
  cr_assert_null(tm_multiset_at(pool, set, total));
  cr_assert_eq(set->total, total);
  cr_assert_eq(set->distinct, distinct);
  if (total > 0) return;
  cr_assert_null(set->root);
  cr_assert_null(tm_multiset_least(pool, set));
  cr_assert_null(tm_multiset_greatest(pool, set));
}

/* Saved, and restored into another pool. */
static void expect_restored(const model *m, const tm_multiset_pool *pool, const tm_multiset *set) {
  tm_bytes bytes;
  tm_error err = {0};
  tm_bytes_init(&bytes, budget);
  tm_record_writer writer = {.out = &bytes};
  tm_multiset_save(pool, set, &writer);
  cr_assert_eq(tm_record_end(&writer, &err), 0);
  tm_multiset_pool *other = tm_multiset_pool_create(budget, &m->spec);
  tm_multiset again = {0};
  tm_record_reader reader;
  tm_record_open(&reader, bytes.data, bytes.size);
  cr_assert_eq(tm_multiset_restore(other, &again, &reader), 0);
  cr_assert_eq(tm_record_close(&reader, &err), 0, "%s", err.message);
  expect_same(m, other, &again);
  tm_multiset_pool_destroy(other);
  tm_bytes_deinit(&bytes);
}

/* Grows, shrinks, grows: `bias` percent of the steps add. */
static void run(model *m, uint64_t seed, uint32_t steps) {
  static const uint32_t biases[] = {90, 50, 10, 70, 0};
  rows_random random = rows_seed(seed);
  model_sort(m);
  tm_multiset_pool *pool = tm_multiset_pool_create(budget, &m->spec);
  tm_multiset set = {0};
  for (uint32_t phase = 0; phase < 5; phase++) {
    for (uint32_t step = 0; step < steps; step++) {
      uint32_t row = rows_below(&random, m->table->rows), place = m->place[row];
      uint64_t count = 1 + (rows_chance(&random, 10) ? rows_below(&random, 5) : 0);
      if (rows_chance(&random, biases[phase])) {
        cr_assert_eq(tm_multiset_add(pool, &set, tuple_of(m, row), count), 0);
        m->counts[place] += count;
      } else {
        bool there = m->counts[place] >= count;
        cr_assert_eq(tm_multiset_remove(pool, &set, tuple_of(m, row), count), there);
        if (there) m->counts[place] -= count;
      }
      if (rows_below(&random, steps) < 20) expect_same(m, pool, &set);
    }
    expect_same(m, pool, &set);
    expect_restored(m, pool, &set);
  }
  for (uint32_t i = 0; i < m->classes; i++) {
    const uint64_t *tuple = tuple_of(m, m->order[i]);
    if (m->counts[i] > 0) cr_assert(tm_multiset_remove(pool, &set, tuple, m->counts[i]));
    m->counts[i] = 0;
  }
  expect_same(m, pool, &set);
  tm_multiset_pool_destroy(pool);
  model_clear(m);
}

Test(multiset, numbers) {
  model m = model_make("x int64 not null", 900, 1, 500, "+", false);
  run(&m, 11, 3000);
  m = model_make("x float64", 700, 2, 300, "-", false);
  run(&m, 12, 2000);
  m = model_make("x float64 not null", 700, 3, 300, "+", true);
  run(&m, 13, 2000);
  m = model_make("x decimal(30,4)", 700, 4, 600, "-", false);
  run(&m, 14, 2000);
  m = model_make("x bool", 10, 5, 3, "+", false);
  run(&m, 15, 200);
}

Test(multiset, strings) {
  model m = model_make("s string", 900, 6, 500, "+", false);
  run(&m, 16, 3000);
  m = model_make("s string not null", 900, 7, 500, "-", false);
  run(&m, 17, 3000);
}

Test(multiset, several_values) {
  model m = model_make("by string, at timestamp not null, x int32, d decimal(38,0)", 800, 8, 12,
                       "-++-", false);
  run(&m, 18, 3000);
  m = model_make("f float64, n date, x bool", 800, 9, 20, "+-+", true);
  run(&m, 19, 3000);
}

/* As times come: in order, and out at the other end. */
Test(multiset, a_queue) {
  enum { COUNT = 20000, LONG = 3000 };
  tm_tuple_part part = {.type = tm_type_of(TM_TIMESTAMP)};
  tm_tuple_spec spec;
  tm_tuple_init(&spec, &part, 1);
  tm_multiset_pool *pool = tm_multiset_pool_create(budget, &spec);
  tm_multiset set = {0};
  for (uint64_t i = 0; i < COUNT; i++) {
    cr_assert_eq(tm_multiset_add(pool, &set, &i, 1), 0);
    if (i < LONG) continue;
    uint64_t old = i - LONG;
    cr_assert_eq(*tm_multiset_least(pool, &set), old);
    cr_assert_eq(*tm_multiset_at(pool, &set, LONG / 2), old + LONG / 2);
    cr_assert(tm_multiset_remove(pool, &set, &old, 1));
  }
  cr_assert_eq(set.total, LONG);
  cr_assert_lt(tm_budget_used(budget), 40 * LONG, "%llu bytes for %d words",
               (unsigned long long)tm_budget_used(budget), LONG);
  tm_multiset_clear(pool, &set);
  cr_assert_null(set.root);
  tm_multiset_pool_destroy(pool);
}

Test(multiset, many_sets_of_a_pool) {
  enum { SETS = 300 };
  static tm_multiset sets[SETS];
  static uint32_t sizes[SETS];
  rows_random random = rows_seed(3);
  tm_tuple_part part = {.type = tm_type_of(TM_INT64)};
  tm_tuple_spec spec;
  tm_tuple_init(&spec, &part, 1);
  tm_multiset_pool *pool = tm_multiset_pool_create(budget, &spec);
  for (uint32_t step = 0; step < 60000; step++) {
    uint32_t i = rows_below(&random, 1 + rows_below(&random, SETS));
    uint64_t value = sizes[i];
    if (rows_chance(&random, 60)) {
      cr_assert_eq(tm_multiset_add(pool, &sets[i], &value, 2), 0);
      sizes[i]++;
    } else if (sizes[i] > 0) {
      value--;
      cr_assert_eq(*tm_multiset_greatest(pool, &sets[i]), value);
      cr_assert(tm_multiset_remove(pool, &sets[i], &value, 2));
      sizes[i]--;
    }
  }
  for (uint32_t i = 0; i < SETS; i++) cr_assert_eq(sets[i].total, 2 * sizes[i]);
  tm_multiset_pool_destroy(pool);
}

/* Restoring what is not sorted, counts nothing, or ends early. */
Test(multiset, refuses_damaged_state) {
  static const uint64_t bad[][6] = {
    {2, 5, 1, 5, 1}, {2, 6, 1, 5, 1}, {1, 5, 0}, {2, 5, 1}, {2, 5, INT64_MAX, 6, 1},
    {1, 5, UINT64_MAX},
  };
  static const int sizes[] = {5, 5, 3, 3, 5, 3};
  tm_tuple_part part = {.type = tm_type_of(TM_INT64)};
  tm_tuple_spec spec;
  tm_tuple_init(&spec, &part, 1);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    tm_bytes bytes;
    tm_bytes_init(&bytes, budget);
    tm_record_writer writer = {.out = &bytes};
    for (int k = 0; k < sizes[i]; k++) tm_record_put(&writer, bad[i][k]);
    tm_multiset_pool *pool = tm_multiset_pool_create(budget, &spec);
    tm_multiset set = {0};
    tm_record_reader reader;
    tm_record_open(&reader, bytes.data, bytes.size);
    cr_assert_eq(tm_multiset_restore(pool, &set, &reader), 0);
    cr_assert(reader.failed, "case %zu", i);
    tm_multiset_pool_destroy(pool);
    tm_bytes_deinit(&bytes);
  }
}

Test(multiset, refused_memory_leaves_nothing) {
  model m = model_make("s string, x int64", 400, 21, 300, "++", false);
  model_sort(&m);
  for (uint64_t fail = 1; fail < 40; fail++) {
    tm_memory_fail_at(fail);
    tm_multiset_pool *pool = tm_multiset_pool_create(budget, &m.spec);
    tm_multiset set = {0};
    int done = pool == NULL ? -1 : 0;
    for (uint32_t row = 0; done == 0 && row < m.table->rows; row++) {
      done = tm_multiset_add(pool, &set, tuple_of(&m, row), 1);
    }
    tm_multiset_pool_destroy(pool);
    cr_assert(done < 0 || fail > 5);
  }
  tm_memory_fail_at(0);
  model_clear(&m);
}
