/* cli/run.c: tidemill run. The first Ctrl-C asks the run to end; a batch then publishes nothing. */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "cli/interrupt.h"
#include "cli/job.h"
#include "cli/message.h"
#include "cli/report.h"
#include "exec/run.h"

static void show(void *context, const tm_run_progress *progress) {
  (void)context;
  tm_cli_report_progress(progress);
}

static void tell_closing(void *context) {
  (void)context;
  tm_cli_report_end();
  fputs("finishing… (again to kill)\n", stderr);
}

/* What the engine has to say, past the lines of progress. */
static void warn(void *context, tm_log_level level, const char *text) {
  (void)context;
  tm_cli_report_end();
  bool code = text[0] == 'W' && strspn(text + 1, "0123456789") == 3 && text[4] == ' ';
  if (level == TM_LOG_NOTICE) fprintf(stderr, "%s\n", text);
  else if (code) fprintf(stderr, "%s[%.4s]: %s\n", tm_log_level_name(level), text, text + 5);
  else fprintf(stderr, "%s: %s\n", tm_log_level_name(level), text);
}

static int call_on_done(tm_cli_job *job, const tm_run_result *r, tm_error *err) {
  tm_script_output *outputs = tm_arena_zero(job->plan->arena,
                                            (r->node_count + 1) * sizeof *outputs);
  if (outputs == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  tm_script_run run = {
    .status = tm_status_name(r->status), .seconds = r->seconds, .rows_in = r->rows_in,
    .rows_out = r->rows_out, .rejected = r->total.rejected, .outputs = outputs,
  };
  for (uint32_t i = 0; i < r->node_count; i++) {
    if (!tm_cli_report_is_output(job->plan, i)) continue;
    const tm_bind *bind = job->plan->nodes[i];
    outputs[run.output_count++] =
        (tm_script_output){bind->name, tm_cli_report_path(bind), r->nodes[i].in};
  }
  if (tm_script_on_done(job->script, &run, err) == 0) return 0;
  snprintf(err->kept, sizeof err->kept, "all outputs were published");
  return -1;
}

static int run_job(tm_cli_job *job, const tm_cli_flags *flags, tm_error *err) {
  if (flags->dry_run) {
    fprintf(stderr, "%s: fine; nothing was run (--dry-run)\n", job->plan->graph->job.script);
    return 0;
  }
  tm_run_options options = tm_cli_job_run_options(job);
  options.cancel = tm_cli_interrupted;
  options.cancel_again = tm_cli_interrupted_again;
  options.progress = show;
  options.closing = tell_closing;
  tm_run_result result = {0};
  int done = tm_run_plan(job->plan, job->budget, &options, &result, err);
  tm_cli_report_end();
  if (done == 0) done = call_on_done(job, &result, err);
  if (done == 0 && !result.unread) {
    tm_cli_report_done(job->plan, &result, tm_env_get()->is_terminal(2));
  }
  tm_error summary_error = {0};
  if (flags->summary != NULL && tm_cli_report_summary(flags->summary, job->plan, &result,
                                                   job->budget, &summary_error) < 0) {
    if (done == 0) {
      *err = summary_error;
      snprintf(err->kept, sizeof err->kept, "all outputs were published");
    }
    done = -1;
  }
  return done;
}

int tm_cli_run(const tm_cli_flags *flags) {
  tm_error err = {0};
  tm_cli_job job = {0};
  const char *path = flags->script_count > 0 ? flags->scripts[0] : NULL;
  if (flags->script_count != (flags->text == NULL ? 1u : 0u)) {
    tm_fail(&err, TM_E_USAGE, "tidemill run wants one script, - or -e 'LUA'");
    tm_cli_message_print(&err, flags->color, NULL);
    return tm_error_exit(err.code);
  }
  tm_log_configure(TM_LOG_WARNING, warn, NULL);
  tm_cli_interrupt_catch();
  int done = tm_cli_job_open(&job, flags, path, &err);
  if (done == 0) done = run_job(&job, flags, &err);
  if (done < 0) {
    tm_cli_job_advise(&job, &err);
    tm_cli_message_print(&err, flags->color, job.text);
  }
  tm_cli_job_close(&job);
  return done < 0 ? tm_cli_interrupt_exit(&err) : 0;
}
