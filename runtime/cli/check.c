/* cli/check.c: tidemill check: everything that can be known before a row is read. */
#include "cli/commands.h"

#include <stdio.h>

#include "cli/job.h"
#include "cli/message.h"
#include "cli/report.h"
#include "plan/latency.h"

/* "1m30s" */
static void print_duration(int64_t us) {
  static const struct { const char *unit; int64_t us; } units[] = {
    {"d", INT64_C(86400000000)}, {"h", INT64_C(3600000000)}, {"m", 60000000}, {"s", 1000000},
    {"ms", 1000}, {"us", 1},
  };
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (us < units[i].us) continue;
    printf("%lld%s", (long long)(us / units[i].us), units[i].unit);
    us %= units[i].us;
  }
}

/* When rows of an output come, in a stream. */
static void print_latency(const tm_plan *plan, uint32_t node) {
  tm_latency latency = tm_latency_of(plan, node);
  const char *from = latency.windows ? "the end of its window" : "a row";
  printf("  %s: ", plan->nodes[node]->name);
  if (latency.at_end) printf("at the end of input");
  else if (latency.wait_us == 0) printf("%s", latency.windows ? "as windows end" : "as rows come");
  else print_duration(latency.wait_us);
  if (!latency.at_end && latency.wait_us > 0) printf(" after %s", from);
  printf("\n");
}

static void print_advice(const tm_plan *plan) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_bind *bind = plan->nodes[i];
    if (bind->advice == NULL) continue;
    fprintf(stderr, "warning[W420]: %s\n  --> %s:%d in step '%s'\n", bind->advice,
            plan->graph->job.script, bind->script_line, bind->name);
  }
}

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
    for (uint32_t i = 0; job.plan->graph->job.stream && i < job.plan->node_count; i++) {
      if (tm_cli_report_is_output(job.plan, i)) print_latency(job.plan, i);
    }
    print_advice(job.plan);
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
