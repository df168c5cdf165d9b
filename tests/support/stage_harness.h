/* tests/support/stage_harness.h: drives one stage through everything that a lane may do to it.
 *
 * A case is a stage, its options and a table for each input port. It runs in a mode: so many lanes
 * (interleaved at random on one thread, or on threads), batches so large, with dead rows that hold
 * garbage and batches that somebody else holds too, saved and restored between any two calls,
 * closed early, or with a planted failure of memory. Every run asserts that
 *   - output batches agree with bind->output, are sound, and do not change while they are held;
 *   - batches that somebody else holds are not written to;
 *   - the books balance, and nothing stays charged to the budget;
 *   - the stage never stands still before it has finished.
 *   - the watermark never goes back nor runs ahead of the inputs', and no row is behind it but
 *     those that are behind already as they come (`old_rows`: of stages that give such rows);
 *   - weights come only where facts_out says changelog, no row is taken back before it was given.
 * What came out is given back as text, for the test to compare with a reference of its own.
 * With `times`, rows have event time. In a stream all rows come to lane 0 in the order of the
 * table, with marks and watermarks as of a clock (harness_time.c), and other lanes just end.
 * A port in bind->time_order gets its rows as out of time_order: sorted, late ones left out.
 * A stage without save() is opened afresh all the same: one that has state gives wrong rows then.
 * */
#ifndef TESTS_SUPPORT_STAGE_HARNESS_H
#define TESTS_SUPPORT_STAGE_HARNESS_H

#include "expr/function.h"
#include "stage/stage.h"
#include "tests/support/rows.h"

enum { HARNESS_PORTS = 4, HARNESS_LANES = 4 };

typedef struct harness_case {
  const char *verb;              /* finds the stage, in `role` */
  tm_stage_role role;            /* 0 is TM_ROLE_SOURCE */
  const tm_stage *stage;         /* or it is given; verb may then be NULL */
  tm_value options;              /* a table, or nil */
  uint32_t input_count;
  const tm_batch *inputs[HARNESS_PORTS]; /* tables (rows.h) */
  uint64_t input_rows[HARNESS_PORTS];    /* estimates that bind() sees; 0: unknown */
  bool ordered_input;            /* as bind->ordered_input: batches come in order of `sequence` */
  bool ordinals;                 /* rows carry their number in the table, 1 for the first */
  bool buffers;                  /* as bind->buffers */
  bool skip_rejects;
  const char *needed;            /* "a b": the only columns that somebody reads; NULL: all */
  void *worker;                  /* for row functions */
  const char *times;             /* name of the column that is event time, in every input that has
                                    it; no nulls. NULL: rows have none */
  int64_t out_of_order_us;
  bool stream;                   /* else a batch: no marks, no advance() */
  bool final_only, unbounded, live, in_time_order; /* of facts_in; so are these: */
  const char *window_start, *window_end;           /* names of columns; NULL: none */
  bool fixed_windows;
  const int32_t *weights[HARNESS_PORTS]; /* a weight a row: the input is a changelog; NULL: none */
  bool changelog;                /* result.rows are the net rows; else a row with a weight is
                                    written "+1 row" */
  bool old_rows;                 /* it gives rows behind its watermark, as an outer join does */
  bool shows_times;              /* rows are written "row @time" */
} harness_case;

typedef struct harness_mode {
  uint64_t seed;
  uint32_t lanes;                /* 1 to HARNESS_LANES */
  uint32_t batch_rows;           /* of inputs (at most) and outputs */
  bool odd_batches;              /* dead rows, garbage under nulls, held by others */
  bool threads;
  uint32_t save;                 /* percent of the calls before which everything is saved, closed,
                                    opened and restored */
  bool damage; /* with save: restores damaged states too, each in a life of its own */
  uint64_t close_at;             /* closes instead of that call (1 is the first); 0: never */
  uint64_t fail_at;              /* the nth request for memory fails; 0: none */
  bool tells; /* what is wrong goes to result.failure, instead of failing the test */
} harness_mode;

typedef struct harness_result {
  tm_error err;                  /* code 0: it ran to its end, or was closed early */
  rows_list rows;                /* lane 0's first */
  rows_list rejects;             /* "reason|message|ordinal|script line", in order of lanes */
  rows_list lates;               /* "reason|event time|watermark|row as JSON" */
  int64_t watermark_us;          /* that lane 0 gave last; TM_TIME_NONE: never */
  tm_ledger ledger;              /* of all lanes */
  uint64_t calls;
  uint64_t last_sequence;        /* the greatest of the batches given last */
  char failure[600];
  tm_bind bind;                  /* as the stage completed it: of the case's arena, gone by now,
                                    but for flags */
} harness_result;

/* Binds and runs. A failure of bind() or of the run is in result.err. */
harness_result harness_run(const harness_case *c, const harness_mode *mode);
void harness_result_clear(harness_result *result);

/* Only binds, in the test's arena: for tests of types, errors and needs. 0, or -1 with err. */
int harness_bind(const harness_case *c, tm_arena *arena, uint32_t batch_rows, tm_bind *out,
                 tm_error *err);
/* What the rows of a port look like once they have come through time_order, of which columns
 * `needed` (a byte a column; NULL: all) decide ties: numbers of rows of the table in *out (from
 * malloc), late ones of a stream left out. The count. */
uint32_t harness_time_ordered(const harness_case *c, uint32_t port, const uint8_t *needed,
                              uint32_t **out);
/* What a stage that refuses each row that is behind its mark refuses of a port in a stream, as
 * result.lates has them. */
void harness_late_rows(const harness_case *c, uint32_t port, rows_list *out);
/* The columns of port `port` that the stage needs, "a b", for needed outputs as in the case. */
char *harness_needs(const harness_case *c, uint32_t port); /* from malloc */

typedef struct harness_expected {
  const rows_list *rows;
  bool ordered;                  /* in that order; else as a set */
  const rows_list *rejects;      /* as a set; NULL: none */
  const rows_list *lates;        /* as a set; NULL: none */
  const char *label;
} harness_expected;

/* Every mode, lanes 1 and 3, several sizes of batches: each run must give what is expected. Small
 * tables only: it closes at every call and fails at every request for memory. */
void harness_sweep(const harness_case *c, const harness_expected *expected);
/* A few modes, for tables of any size. */
void harness_check(const harness_case *c, const harness_expected *expected);
/* Saved states with flipped bytes or cut ends are refused, or at least do no harm; what is whole is
 * then restored, and the run must give what is expected. */
void harness_damage(const harness_case *c, const harness_expected *expected);

#endif
