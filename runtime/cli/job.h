/* cli/job.h: a script, loaded and planned: what run, check and explain have in common. */
#ifndef TM_CLI_JOB_H
#define TM_CLI_JOB_H

#include "base/bytes.h"
#include "cli/flags.h"
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
void tm_cli_job_close(tm_cli_job *job);

#endif
