/* operator/process_plan.h: what a process step is to do, out of its options. */
#ifndef TM_OPERATOR_PROCESS_PLAN_H
#define TM_OPERATOR_PROCESS_PLAN_H

#include "expr/process.h"
#include "stage/stage.h"
#include "state/keyed_state.h"

typedef struct tm_process_plan {
  tm_state_plan state;
  const tm_schema *key;        /* the columns of the key */
  const uint32_t *key_columns; /* of the input */
  tm_process *process;
  bool timed;                  /* rows have event time */
} tm_process_plan;

/* Fills the bind: plan, output, facts. 0, or -1 with err. */
int tm_process_plan_bind(tm_bind *bind, tm_error *err);

#endif
