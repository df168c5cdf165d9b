/* cli/run.c: tidemill run. The first Ctrl-C asks the run to end; a batch then publishes nothing. */
#include "cli/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "cli/job.h"
#include "cli/message.h"
#include "cli/report.h"
#include "exec/run.h"

static int interrupted; /* the signal, once it came; atomic */
static int interrupted_again; /* and once more; atomic */

static void on_signal(int signal_number) {
  if (__atomic_load_n(&interrupted, __ATOMIC_ACQUIRE) != 0) {
    __atomic_store_n(&interrupted_again, 1, __ATOMIC_RELEASE);
  }
  __atomic_store_n(&interrupted, signal_number, __ATOMIC_RELEASE);
}

static int worker_start(void *host, uint32_t lane, void **out, tm_error *err) {
  (void)lane;
  tm_worker *worker = NULL;
  int done = tm_script_worker_start(host, &worker, err);
  *out = worker;
  return done;
}

static void worker_stop(void *host, void *worker) {
  (void)host;
  tm_script_worker_stop(worker);
}

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
  if (code) fprintf(stderr, "%s[%.4s]: %s\n", tm_log_level_name(level), text, text + 5);
  else fprintf(stderr, "%s: %s\n", tm_log_level_name(level), text);
}

static int64_t timeout_of(const tm_cli_job *job) {
  const tm_value *v = tm_value_get(job->plan->graph->job_options, "timeout");
  int64_t us = 0;
  if (v != NULL && v->kind == TM_VALUE_DURATION) us = v->integer;
  if (v != NULL && v->kind == TM_VALUE_TEXT) tm_duration_parse(v->text, v->size, &us);
  return us;
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

static int status_of(const tm_error *err) {
  int signal_number = __atomic_load_n(&interrupted, __ATOMIC_ACQUIRE);
  if (err->code == TM_E_INTERRUPTED) return signal_number == SIGTERM ? 143 : 130;
  return tm_error_exit(err->code);
}

/* Which step met the end of the budget is chance; what helps is the same. */
static void advise_memory(const tm_cli_job *job, tm_error *err) {
  if (err->code != TM_E_MEMORY || err->help[0] != '\0' || job->budget == NULL) return;
  uint64_t limit = tm_budget_limit(job->budget);
  tm_error_help(err, "the budget is %.1f MB: --memory gives more, fewer --workers need less",
                (double)limit / (1024 * 1024));
}

static int run_job(tm_cli_job *job, const tm_cli_flags *flags, tm_error *err) {
  if (flags->dry_run) {
    fprintf(stderr, "%s: fine; nothing was run (--dry-run)\n", job->plan->graph->job.script);
    return 0;
  }
  tm_run_options options = {
    .workers = job->plan->graph->job.workers, .timeout_us = timeout_of(job),
    .cancel = &interrupted, .cancel_again = &interrupted_again,
    .worker_start = worker_start, .worker_stop = worker_stop,
    .host = job->script, .progress = show,
    .closing = tell_closing,
  };
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
    return status_of(&err);
  }
  tm_log_configure(TM_LOG_WARNING, warn, NULL);
  tm_env_get()->signal_handle(SIGINT, on_signal);
  tm_env_get()->signal_handle(SIGTERM, on_signal);
  int done = tm_cli_job_open(&job, flags, path, &err);
  if (done == 0) done = run_job(&job, flags, &err);
  if (done < 0) {
    advise_memory(&job, &err);
    tm_cli_message_print(&err, flags->color, job.text);
  }
  tm_cli_job_close(&job);
  return done < 0 ? status_of(&err) : 0;
}
