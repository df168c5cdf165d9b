/* tests/expr/expr_fixture.h: a pool, and a batch of a few known columns, for tests of trees.
 *
 * Columns: 0 k int64 not null, 1 i int64, 2 g float64 not null, 3 s string, 4 b bool,
 * 5 p decimal(12,2) not null, 6 n int32 not null. Values are set by the tests. */
#ifndef TESTS_EXPR_EXPR_FIXTURE_H
#define TESTS_EXPR_EXPR_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "expr/evaluate.h"

enum { COLUMN_K, COLUMN_I, COLUMN_G, COLUMN_S, COLUMN_B, COLUMN_P, COLUMN_N };

typedef struct expr_fixture {
  tm_budget *budget;
  tm_arena arena;
  tm_expr_pool pool;
  tm_schema *schema;
} expr_fixture;

static inline void expr_fixture_open(expr_fixture *f) {
  tm_error err = {0};
  f->budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&f->arena, f->budget);
  tm_expr_pool_init(&f->pool, &f->arena);
  f->schema = tm_schema_parse(&f->arena, "k int64 not null, i int64, g float64 not null, s string,"
                              "b bool, p decimal(12,2) not null, n int32 not null", &err);
  cr_assert_not_null(f->schema, "%s", err.message);
}

static inline void expr_fixture_close(expr_fixture *f) {
  tm_arena_deinit(&f->arena);
  tm_budget_destroy(f->budget);
}

static inline const tm_expr *column(expr_fixture *f, uint32_t index) {
  return tm_expr_column(&f->pool, index, f->schema->fields[index].type);
}

static inline const tm_expr *binary(expr_fixture *f, tm_expr_op op, tm_kind kind,
                                    const tm_expr *a, const tm_expr *b) {
  return tm_expr_binary(&f->pool, op, tm_type_of(kind), a, b);
}

/* k, i and n count up from 0 (i null where a multiple of 5), g is k / 2, s the text of k (null
 * where a multiple of 7), b whether k is odd (null where a multiple of 3), p is k hundredths. */
static inline tm_batch *expr_fixture_batch(expr_fixture *f, uint32_t rows) {
  tm_batch *batch = tm_batch_create(f->budget, f->schema, rows);
  cr_assert_not_null(batch);
  for (uint32_t c = 0; c < f->schema->count; c++) {
    cr_assert_eq(tm_batch_column(batch, c, !f->schema->fields[c].type.not_null), 0);
  }
  tm_column *columns = batch->columns;
  for (uint32_t r = 0; r < rows; r++) {
    char text[32];
    int size = snprintf(text, sizeof text, "the number %u", r);
    ((int64_t *)columns[COLUMN_K].data)[r] = r;
    ((int64_t *)columns[COLUMN_I].data)[r] = r;
    ((double *)columns[COLUMN_G].data)[r] = r / 2.0;
    ((uint8_t *)columns[COLUMN_B].data)[r] = r & 1;
    ((int64_t *)columns[COLUMN_P].data)[r] = r;
    ((int32_t *)columns[COLUMN_N].data)[r] = (int32_t)r;
    cr_assert(tm_batch_text(batch, text, (size_t)size, (tm_str *)columns[COLUMN_S].data + r));
    columns[COLUMN_I].valid[r] = r % 5 != 0;
    columns[COLUMN_S].valid[r] = r % 7 != 0;
    columns[COLUMN_B].valid[r] = r % 3 != 0;
  }
  return batch;
}

/* Leaves every `step`th row in the selection. */
static inline void select_every(tm_batch *batch, uint32_t step) {
  batch->selection = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *batch->selection);
  batch->selected = 0;
  for (uint32_t r = 0; r < batch->rows; r += step) batch->selection[batch->selected++] = r;
}

#endif
