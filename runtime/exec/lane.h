/* exec/lane.h: one instance of every stage of the plan, and the loop that drives them.
 *
 * A lane belongs to one thread. Batches wait in short queues at the input ports; a step takes the
 * deepest stage that has work, so that rows leave before new ones come in, and a full queue stops
 * what feeds it. Only stages that share an object meet other lanes. */
#ifndef TM_EXEC_LANE_H
#define TM_EXEC_LANE_H

#include "exec/run.h"

typedef struct tm_lane tm_lane;
typedef struct tm_run tm_run;

typedef enum tm_lane_step {
  TM_LANE_FAILED = -1, /* err is written */
  TM_LANE_WORKED,
  TM_LANE_IDLE,        /* everything waits for a wake */
  TM_LANE_DONE,
} tm_lane_step;

/* Opens every stage, sinks first. NULL with err. `shared` has one entry a node. */
tm_lane *tm_lane_create(tm_run *run, uint32_t index, void *worker, void *const *shared,
                        tm_error *err);
tm_lane_step tm_lane_run_step(tm_lane *lane, tm_error *err);
/* Resumes blocked stages (and those that listen) at the next steps: call after a wake. */
void tm_lane_notice_wake(tm_lane *lane);
void tm_lane_destroy(tm_lane *lane);
const tm_ledger *tm_lane_ledger(const tm_lane *lane, uint32_t node);
/* Adds what a node has done so far; may be asked from any thread. */
void tm_lane_measure(const tm_lane *lane, uint32_t node, tm_step_progress *sum);

#endif
