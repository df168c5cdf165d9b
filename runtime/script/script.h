/* script/script.h: a pipeline script, loaded: what the program calls.
 *
 * open() runs the script's text once and lays its job out as a graph; from then on the plan asks
 * the graph's function sources, on the thread that opened the script. Workers have Lua states of
 * their own, made when a row function first needs one. close() comes after plan and run. */
#ifndef TM_SCRIPT_SCRIPT_H
#define TM_SCRIPT_SCRIPT_H

#include "plan/graph.h"

typedef struct tm_script tm_script;
typedef struct tm_worker tm_worker;

typedef struct tm_script_param { const char *name, *value; } tm_script_param;

typedef struct tm_script_options {
  const char *path;               /* a file; "-" is stdin, read here unless `text` is given */
  const char *text;               /* the text of -e, with path NULL, or of stdin */
  const tm_script_param *params;  /* --param NAME=VALUE; copied */
  size_t param_count;
  const char *date;               /* YYYY-MM-DD; NULL: yesterday in the local zone */
  bool no_lift;                   /* every row function runs in the VM */
  uint64_t memory_bytes;          /* of one Lua state; 0: 1 GiB */
  int64_t load_us;                /* time to load; 0: 5 s */
  tm_budget *budget;              /* charged with everything */
  /* What the engine has; NULL: tm_stage_find. */
  const tm_stage *(*find_stage)(const char *verb, tm_stage_role role);
} tm_script_options;

/* NULL with err: text that does not load, a job of the wrong form, … Nothing has run. */
tm_script *tm_script_open(const tm_script_options *options, tm_error *err);
void tm_script_close(tm_script *script); /* NULL is a no-op */

/* Lives as long as the script. job.script, pipeline, date and stream are set; the program fills in
 * the rest before it makes a plan. */
tm_graph *tm_script_graph(tm_script *script);

/* The host of one lane's row functions: what tm_function.call gets as `worker`. Its Lua state is
 * made by the first row that needs the VM; a load that gives another graph ends the run. */
int tm_script_worker_start(tm_script *script, tm_worker **out, tm_error *err);
void tm_script_worker_stop(tm_worker *worker); /* NULL is a no-op */

/* What on_done learns of a run. */
typedef struct tm_script_output { const char *name, *path; uint64_t rows; } tm_script_output;
typedef struct tm_script_run {
  const char *status;             /* "ok" … */
  double seconds;
  uint64_t rows_in, rows_out, rejected;
  const tm_script_output *outputs;
  size_t output_count;
} tm_script_run;

/* Calls the job's on_done, if it has one. 0, or -1 with TM_E_HOOK. */
int tm_script_on_done(tm_script *script, const tm_script_run *run, tm_error *err);

#endif
