/* cli/check.c: tidemill check: everything that can be known before a row is read. */
#include "cli/commands.h"

#include <stdio.h>

#include "cli/job.h"
#include "cli/message.h"
#include "cli/report.h"

static int check_one(const tm_cli_flags *flags, const char *path) {
  tm_error err = {0};
  tm_cli_job job = {0};
  int done = tm_cli_job_open(&job, flags, path, &err);
  if (done < 0) {
    tm_cli_message_print(&err, flags->color, job.text);
  } else {
    uint32_t sources = 0, sinks = 0;
    for (uint32_t i = 0; i < job.plan->node_count; i++) {
      sources += job.plan->nodes[i]->input_count == 0;
      sinks += tm_cli_report_is_output(job.plan, i);
    }
    printf("%s: fine: %s '%s', %u source%s, %u output%s\n", path != NULL ? path : "-e",
           job.plan->graph->job.stream ? "stream" : "batch", job.plan->graph->job.pipeline, sources,
           sources == 1 ? "" : "s", sinks, sinks == 1 ? "" : "s");
  }
  tm_cli_job_close(&job);
  return done < 0 ? tm_error_exit(err.code) : 0;
}

int tm_cli_check(const tm_cli_flags *flags) {
  int worst = 0;
  if (flags->text != NULL && flags->script_count == 0) return check_one(flags, NULL);
  if (flags->script_count == 0) {
    tm_error err = {0};
    tm_fail(&err, TM_E_USAGE, "tidemill check wants scripts");
    tm_cli_message_print(&err, flags->color, NULL);
    return tm_error_exit(err.code);
  }
  for (size_t i = 0; i < flags->script_count; i++) {
    int status = check_one(flags, flags->scripts[i]);
    if (status > worst) worst = status;
  }
  return worst;
}
