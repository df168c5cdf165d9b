/* expr/evaluate.h: values of expression trees, a batch at a time.
 *
 * Rows that a tree could not decide are handed back, ascending, and are part of no result: the
 * caller runs them in the VM. How it works is told in evaluate.c. */
#ifndef TM_EXPR_EVALUATE_H
#define TM_EXPR_EVALUATE_H

#include "column/batch.h"
#include "expr/tree.h"

/* One evaluation over one batch. */
typedef struct tm_expr_run {
  const tm_batch *batch;
  tm_arena *arena;      /* where columns, strings and lists of rows are allocated */
  const tm_expr *keep;  /* trees are evaluated only where it is true; NULL: for every row */
  uint8_t *kept;        /* out, with keep: a byte a row of the batch, set for decided rows */
  uint32_t *missed;     /* out: rows of the selection that some tree could not decide */
  uint32_t missed_count;
  bool borrows;         /* out: a column, or a string in one, is borrowed from the batch */
} tm_expr_run;

/* columns[i] becomes the value of trees[i] (of trees[i]->type, or NULL: left alone) for the
 * selected rows; data NULL is allocated, or is the batch's own. All trees see the same rows: one
 * that misses in any is missed. 0, or -1 with err (memory). */
int tm_expr_evaluate(tm_expr_run *run, const tm_expr *const *trees, uint32_t tree_count,
                     tm_column *columns, tm_error *err);
/* The selected rows for which a bool tree is true, ascending, into rows_out (room for
 * batch->selected). 0, or -1 with err (memory). */
int tm_expr_select(tm_expr_run *run, const tm_expr *tree, uint32_t *rows_out,
                   uint32_t *out_count, tm_error *err);

/* The value of a tree without columns. Text is in the arena. 0, 1: it misses, -1: no memory. */
int tm_expr_evaluate_constant(const tm_expr *tree, tm_arena *arena, tm_constant *out,
                              bool *out_null);

#endif
