/* operator/over_plan.h: what over computes, out of its options. */
#ifndef TM_OPERATOR_OVER_PLAN_H
#define TM_OPERATOR_OVER_PLAN_H

#include "expr/function.h"
#include "stage/stage.h"
#include "state/running.h"
#include "state/sorter.h"

enum { TM_OVER_AWAY_MAX = 1 << 16 }; /* rows that lag and lead look away */

typedef struct tm_over_column {
  tm_running_spec spec;  /* of all but lead */
  uint32_t lead;         /* how many rows on; 0: it is no lead */
  int32_t input;         /* column of the row that it is of; -1: none, or a function's value */
  tm_function *function;
  tm_function *where;    /* rows that count; NULL: all */
} tm_over_column;

typedef struct tm_over_plan {
  uint32_t per_count, by_count, column_count;
  const uint32_t *per;     /* columns that tell partitions apart */
  const tm_sort_key *by;   /* a batch's order, where it is named; else by_count is 0 */
  int32_t time_column;     /* a stream's `by`: it has to be the event time; -1: not named */
  bool timed;              /* rows have event time */
  bool orders_by_time;     /* places are microseconds: ranges and sessions make sense */
  tm_over_column *columns; /* of the output, behind those of the input */
  uint32_t lead_most;      /* the furthest lead; 0: there is none */
  int64_t forgets_us;      /* a partition silent for longer has no state; -1: it always has */
} tm_over_plan;

/* Fills the bind: plan, output, facts. `by`: rows are put in that order, else they come in theirs.
 * 0, or -1 with err. */
int tm_over_plan_bind(tm_bind *bind, bool by, tm_error *err);
/* The option `by` names columns. */
bool tm_over_plan_has_order(const tm_bind *bind);
extern const tm_option tm_over_options[];
/* For a stage's need(). */
void tm_over_plan_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in);

#endif
