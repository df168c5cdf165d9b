/* exec/run.h: runs a plan to its end: workers, publication, the books. */
#ifndef TM_EXEC_RUN_H
#define TM_EXEC_RUN_H

#include "plan/plan.h"

/* What a step has done so far, over all lanes. */
typedef struct tm_step_progress {
  uint64_t rows_in, rows_out, late, rejected;
  int64_t busy_us;
  int64_t watermark_us;       /* of its output; TM_TIME_NONE: none yet */
  bool blocked;               /* now: those behind it do not keep up, or it waits for the world */
} tm_step_progress;

typedef struct tm_run_progress {
  const tm_plan *plan;
  const tm_step_progress *steps; /* one a node of the plan */
  uint64_t rows_in, rows_out; /* of all sources; into all sinks */
  double share;               /* of the input, 0 to 1; negative: unknown */
  int64_t elapsed_us;
} tm_run_progress;

typedef struct tm_run_options {
  uint32_t workers;           /* >= 1 */
  int64_t timeout_us;         /* 0: none */
  const int *cancel;          /* atomic; a signal number once the run shall end; may be NULL. A
                                 batch ends at once, a stream finishes what it has */
  const int *cancel_again;    /* atomic; set once a stream shall end at once, too; may be NULL */
  void (*closing)(void *context); /* a stream begins to finish; may be NULL */
  /* What every lane needs for row functions. Both may be NULL. */
  int (*worker_start)(void *host, uint32_t lane, void **out_worker, tm_error *err);
  void (*worker_stop)(void *host, void *worker);
  void *host;
  /* Called on the caller's thread about ten times a second. May be NULL. */
  void (*progress)(void *context, const tm_run_progress *progress);
  void *context;
} tm_run_options;

typedef enum tm_status {
  TM_STATUS_OK, TM_STATUS_FAILED, TM_STATUS_EXPECTATION, TM_STATUS_INTERRUPTED,
} tm_status;

typedef struct tm_run_result {
  tm_status status;
  uint32_t node_count;
  tm_ledger *nodes;           /* one a node of the plan, summed over the lanes; plan arena */
  tm_ledger total;            /* source rows up to their first absorbing or expanding step */
  uint64_t rows_in, rows_out;
  double seconds;
  uint32_t workers;
  bool unread;                /* nobody reads one of the outputs any more: a closed pipe */
} tm_run_result;

/* 0, or -1 with err (the result is filled as far as it is known). Sinks are published on success;
 * where an expectation failed, only those of refused rows are. */
int tm_run_plan(const tm_plan *plan, tm_budget *budget, const tm_run_options *options,
                tm_run_result *result, tm_error *err);

const char *tm_status_name(tm_status status);

#endif
