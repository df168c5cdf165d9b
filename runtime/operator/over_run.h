/* operator/over_run.h: over, row by row: partitions, their columns, and rows that wait for others.
 *
 * Rows are pushed in order. What comes out is the same rows with more columns: at once, or, where a
 * column looks ahead (lead), once the rows have come that it looks at, or none will. */
#ifndef TM_OPERATOR_OVER_RUN_H
#define TM_OPERATOR_OVER_RUN_H

#include "operator/over_plan.h"
#include "state/batch_record.h"
#include "state/key_map.h"

typedef struct tm_over_partition tm_over_partition;
typedef struct tm_over_held tm_over_held;

typedef struct tm_over_run {
  const tm_stage_env *env;
  const tm_over_plan *plan;
  tm_key_map partitions;
  tm_over_partition *oldest, *newest; /* by their last row; only where they are forgotten */
  tm_bytes key;                  /* scratch */
  const tm_column **key_columns;
  tm_arena scratch;              /* of a push */
  int64_t rows;                  /* so far: the place of a row where there is no other */
  tm_over_held **held;           /* rows that wait, in the order in which they came */
  uint32_t held_count, held_capacity;
  uint64_t held_rows, waiting;   /* rows kept; of them those that still wait */
  tm_batch **ready;              /* to be emitted */
  uint32_t ready_count, ready_capacity;
  uint64_t emitted;
} tm_over_run;

/* `env` lies still until deinit, which is due also after a failure. 0, or -1 with err. */
int tm_over_run_init(tm_over_run *run, const tm_stage_env *env, tm_error *err);
void tm_over_run_deinit(tm_over_run *run);

/* Consumes `taken`. By number of row: `places` are times, or what else ranges go by; `peers` are
 * equal for rows that are equal in the order. NULL: the rows' event times, or where there are none
 * every row for itself. Refused rows go to `out`. 0, or -1 with err. */
int tm_over_run_push(tm_over_run *run, tm_batch *taken, const int64_t *places,
                     const int64_t *peers, tm_out *out, tm_error *err);
/* No rows come any more: what waits is ready. 0, or -1 with err. */
int tm_over_run_finish(tm_over_run *run, tm_error *err);
/* Gives the next batch that is ready; whether there are more. */
bool tm_over_run_emit(tm_over_run *run, tm_out *out);
/* Time has come to watermark_us: partitions that have nothing in any frame are forgotten. */
void tm_over_run_forget(tm_over_run *run, int64_t watermark_us);
/* The least time of the rows that wait; TM_TIME_END: none. */
int64_t tm_over_run_waits_from(const tm_over_run *run);

/* In over_record.c. Restores into a fresh one; 0, or -1 with err. */
int tm_over_run_save(tm_over_run *run, tm_record_writer *writer, tm_error *err);
int tm_over_run_restore(tm_over_run *run, tm_record_reader *reader, tm_error *err);

#endif
