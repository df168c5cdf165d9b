/* tests/exec/ends.h: a source and a sink for tests of runs, which stand in for those of a plan.
 *
 * A plan is made of verbs of the table; then its ends are exchanged for these. The source makes
 * rows by their number, in morsels that lanes take by a counter; the sink keeps rows as text. */
#ifndef TESTS_EXEC_ENDS_H
#define TESTS_EXEC_ENDS_H

#include "exec/run.h"
#include "tests/support/rows.h"

typedef struct ends_source {
  /* Rows have three int64 columns: their number from 0, number % keys, a scrambled number % 1000.
   */
  uint64_t morsels, rows_each, keys;
  uint32_t batch_rows;
  uint64_t file_morsels;  /* morsels of one file; 0: all are of one */
  uint64_t bad_every;     /* every so many-th row is refused; 0: none */
  int64_t pause_us;       /* between batches */
  uint64_t fail_at;       /* the morsel that cannot be read; 0: none */
  bool dealt;             /* lane i gets the morsels i, i + lanes, … whoever is faster */
  uint64_t taken;         /* morsels so far; atomic */
} ends_source;

typedef struct ends_sink {
  int64_t pause_us;       /* for each batch */
  uint64_t block_every;   /* answers BLOCKED after every so many-th batch, until a resume */
  uint64_t fail_at;       /* the batch that cannot be written; 0: none */
  uint64_t finish_at;     /* nobody reads any more after that batch; 0: never */
  bool seal_fails, publish_fails;
  rows_list rows;
  uint64_t batches, sequence;
  bool disordered;        /* a sequence went back */
  int sealed, committed, thrown;
} ends_sink;

#define ENDS_DDL "n int64 not null, k int64 not null, v int64 not null"

/* Puts the source in the place of node `name`, which must have that schema. */
void ends_set_source(tm_plan *plan, const char *name, ends_source *source);
void ends_set_sink(tm_plan *plan, const char *name, ends_sink *sink);
void ends_sink_clear(ends_sink *sink);
int64_t ends_value(const ends_source *source, uint64_t row, uint32_t column);

#endif
