/* cli/explain.c: tidemill explain: the plan of a script as text or JSON. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "cli/job.h"
#include "cli/message.h"
#include "plan/explain.h"

static int print_plan(const tm_cli_job *job, bool json, tm_error *err) {
  tm_bytes text;
  tm_bytes_init(&text, job->budget);
  bool done = json ? tm_explain_json(job->plan, &text) : tm_explain_text(job->plan, &text);
  if (done) fwrite(text.data, 1, text.size, stdout);
  tm_bytes_deinit(&text);
  return done ? 0 : tm_fail(err, TM_E_MEMORY, "out of memory");
}

int tm_cli_explain(const tm_cli_flags *flags) {
  tm_error err = {0};
  tm_cli_job job = {0};
  const char *path = flags->script_count > 0 ? flags->scripts[0] : NULL;
  if (flags->script_count != (flags->text == NULL ? 1u : 0u)) {
    tm_fail(&err, TM_E_USAGE, "tidemill explain wants one script, - or -e 'LUA'");
    tm_cli_message_print(&err, flags->color, NULL);
    return tm_error_exit(err.code);
  }
  bool json = flags->format != NULL && strcmp(flags->format, "json") == 0;
  tm_cli_flags plain = *flags;
  plain.format = NULL; /* it says how the plan is printed, not the job's stdout */
  int done = tm_cli_job_open(&job, &plain, path, &err);
  if (done == 0) done = print_plan(&job, json, &err);
  if (done < 0) tm_cli_message_print(&err, flags->color, job.text);
  tm_cli_job_close(&job);
  return done < 0 ? tm_error_exit(err.code) : 0;
}
