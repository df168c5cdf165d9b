/* state/best_rows.h: the first rows of each group in some order, as rows come and go, and what each
 * batch changed of them: the heart of a top without a window in a stream.
 *
 * A row is a tuple of all its columns: those that decide, then the others from left to right, then
 * the signs of its zeros; a group is a multiset of them. Where rows are final only those among the
 * first are kept, else all: one of the first may go. */
#ifndef TM_STATE_BEST_ROWS_H
#define TM_STATE_BEST_ROWS_H

#include "state/multiset.h"
#include "state/sorter.h"

typedef struct tm_best_rows tm_best_rows;

typedef struct tm_best_options {
  const tm_sort_spec *spec; /* keys: of the group, those that decide, then every column; head: how
                               many rows of a group; all_ties: and those that tie with the last */
  bool ranked;              /* rows come with a last column int64, their rank from 1 on */
  bool retracts;            /* rows may be taken back */
} tm_best_options;

/* The options live as long. NULL with err. */
tm_best_rows *tm_best_rows_create(tm_budget *budget, const tm_best_options *options,
                                  tm_error *err);
void tm_best_rows_destroy(tm_best_rows *best); /* NULL is a no-op */

/* Takes in the rows of a batch. 0, or -1 with err (TM_E_LEDGER: a row was taken back that never
 * came). */
int tm_best_rows_add(tm_best_rows *best, const tm_batch *batch, tm_error *err);
/* What that changed: batches of `schema` with weights, one a call, until *out is NULL. Call it so
 * far before anything else. All that changed of a group is in one batch, which gets larger than
 * rows_max if it must. 0, or -1 with err. */
int tm_best_rows_next(tm_best_rows *best, const tm_schema *schema, tm_budget *budget,
                      uint32_t rows_max, tm_batch **out, tm_error *err);
/* As tm_live_groups_settle_step. */
int tm_best_rows_settle_step(tm_best_rows *best, tm_error *err);

void tm_best_rows_save(const tm_best_rows *best, tm_record_writer *writer);
int tm_best_rows_restore(tm_best_rows *best, tm_record_reader *reader, tm_error *err);

#endif
