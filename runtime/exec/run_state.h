/* exec/run_state.h: what the lanes of a run share: the wake-up, the failure, the cancel. */
#ifndef TM_EXEC_RUN_STATE_H
#define TM_EXEC_RUN_STATE_H

#include "base/env.h"
#include "exec/run.h"

struct tm_run {
  const tm_plan *plan;
  tm_budget *budget;
  uint32_t lanes;
  const tm_run_options *options;
  void **shared;        /* of the stages, per node */
  tm_mutex mutex;
  tm_cond cond;
  uint32_t generation;  /* of wakes; under the mutex */
  uint32_t sleepers;    /* atomic: lanes that wait on cond */
  uint32_t lanes_left;  /* under the mutex; the main thread waits for 0 */
  uint32_t settled;     /* under the mutex: lanes that sleep since the last wake */
  tm_cond done;
  int draining;         /* atomic: a row failed the run; sources stop, the rest is let out */
  int closing;          /* atomic: sources take nothing new and finish */
  int stop;             /* atomic: end now */
  int64_t wake_us;      /* atomic: of the monotonic clock, when somebody wants a wake; or END */
  uint8_t *cancelled;   /* atomic, per node: nobody wanted its output any more, in some lane */
  int unread;           /* atomic: a sink ended before its input */
  tm_step_progress *steps; /* of the main thread, per node */
  /* The first failure, under the mutex. A failure of a row gives way to one of an earlier row. */
  tm_error failure;
  bool failed, row_failure;
  uint32_t failed_source, failed_file;
  uint64_t failed_ordinal;
};

void tm_run_wake(void *run);
void tm_run_wake_at(void *run, int64_t monotonic_us);
/* A refused row without endpoint: the run fails with the least (source, file, line). */
void tm_run_refuse(tm_run *run, const tm_bind *bind, const tm_reject *rejects, uint32_t count);
/* Any other failure: everything stops. */
void tm_run_fail(tm_run *run, const tm_error *err);

#endif
