/* cli/job.h: a script, loaded and planned: what run, prove, check and explain have in common. */
#ifndef TM_CLI_JOB_H
#define TM_CLI_JOB_H

#include "base/bytes.h"
#include "cli/flags.h"
#include "exec/run.h"
#include "plan/plan.h"
#include "script/script.h"

typedef struct tm_cli_job {
  tm_budget *budget;
  tm_script *script;
  tm_plan *plan;
  const char *text; /* of -e or stdin, for messages; NULL: a file */
  tm_bytes typed;   /* what stdin gave */
} tm_cli_job;

/* path is "-" for stdin; NULL where flags->text is the script. 0, or -1 with err. */
int tm_cli_job_open(tm_cli_job *job, const tm_cli_flags *flags, const char *path, tm_error *err);
/* The same in two steps: in between, the graph may be changed. */
int tm_cli_job_load(tm_cli_job *job, const tm_cli_flags *flags, const char *path, tm_error *err);
int tm_cli_job_plan(tm_cli_job *job, tm_error *err);
/* What a run of a planned job is given: workers, its timeout, hosts of row functions. */
tm_run_options tm_cli_job_run_options(const tm_cli_job *job);
/* Adds what helps to an error that says that memory ran out. */
void tm_cli_job_advise(const tm_cli_job *job, tm_error *err);
void tm_cli_job_close(tm_cli_job *job);

#endif
