/* cli/job.c: see job.h. */
#include "cli/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/env.h"

/* Sizes that tests make small, to meet every boundary. */
static uint64_t number_of(const char *variable, uint64_t fallback, uint64_t most) {
  const char *text = tm_env_get()->variable(variable);
  uint64_t value = text == NULL ? 0 : strtoull(text, NULL, 10);
  if (value == 0) return fallback;
  return value < most ? value : most;
}

static const char *stdout_format(const tm_cli_flags *flags) {
  if (flags->format != NULL) return flags->format;
  return tm_env_get()->is_terminal(1) ? "table" : "json";
}

static void complete(tm_graph *graph, const tm_cli_flags *flags) {
  tm_job_info *job = &graph->job;
  job->dry_run = flags->dry_run;
  if (flags->as != NULL) job->stream = strcmp(flags->as, "stream") == 0;
  if (flags->follow) job->stream = true;
  job->ranged = flags->has_from || flags->has_to;
  job->from_us = flags->has_from ? flags->from_us : TM_TIME_NONE;
  job->to_us = flags->has_to ? flags->to_us : TM_TIME_END;
  job->stdout_format = stdout_format(flags);
  job->workers = flags->workers != 0 ? flags->workers : tm_env_get()->cpu_count();
  job->batch_rows = (uint32_t)number_of("TIDEMILL_BATCH_ROWS", TM_BATCH_ROWS, TM_BATCH_ROWS);
  job->block_bytes = number_of("TIDEMILL_BLOCK_BYTES", UINT64_C(1) << 19, UINT64_C(1) << 26);
}

/* --follow: files are read as they grow. */
static int follow_files(tm_graph *graph, tm_error *err) {
  for (uint32_t i = 0; i < graph->count; i++) {
    tm_node *node = &graph->nodes[i];
    const tm_value *path = tm_value_get(node->options, "path");
    bool file = path != NULL && (path->kind != TM_VALUE_TEXT || strcmp(path->text, "-") != 0);
    if (node->role != TM_ROLE_SOURCE || !file || strcmp(node->verb, "tail") == 0) continue;
    const tm_value *old = node->options;
    tm_value *options = tm_arena_zero(graph->arena, sizeof *options);
    tm_pair *pairs = tm_arena_zero(graph->arena, (old->pair_count + 1) * sizeof *pairs);
    if (options == NULL || pairs == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
    size_t at = 0;
    while (at < old->pair_count && strcmp(old->pairs[at].name, "format") < 0) {
      pairs[at] = old->pairs[at];
      at++;
    }
    pairs[at] = (tm_pair){"format", {.kind = TM_VALUE_TEXT, .text = node->verb,
                                     .size = strlen(node->verb)}};
    for (; at < old->pair_count; at++) pairs[at + 1] = old->pairs[at];
    *options = *old;
    options->pairs = pairs;
    options->pair_count = old->pair_count + 1;
    node->options = options;
    node->verb = "tail";
  }
  return 0;
}

/* --from and --to want somebody who knows what time a row has. */
static int check_range(const tm_plan *plan, tm_error *err) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (strcmp(plan->nodes[i]->verb, "clock") == 0) return 0;
  }
  tm_fail(err, TM_E_USAGE, "--from and --to go by event time, and no source has one");
  return tm_error_help(err, "a source says which column it is: time = { field = \"at\" }");
}

/* Messages show lines of the script, so a text that can be read only once is kept. */
static int read_stdin(tm_cli_job *job, tm_error *err) {
  int64_t got = 1;
  while (got > 0) {
    if (!tm_bytes_reserve(&job->typed, 4096)) return tm_fail(err, TM_E_MEMORY, "out of memory");
    got = tm_env_get()->read(0, job->typed.data + job->typed.size, 4095);
    if (got > 0) job->typed.size += (size_t)got;
  }
  if (got < 0) {
    return tm_fail(err, TM_E_USAGE, "cannot read the script from stdin: %s",
                   tm_env_error_text((int)got));
  }
  job->typed.data[job->typed.size] = '\0';
  job->text = (const char *)job->typed.data;
  return 0;
}

int tm_cli_job_load(tm_cli_job *job, const tm_cli_flags *flags, const char *path, tm_error *err) {
  *job = (tm_cli_job){0};
  uint64_t limit = flags->memory_bytes;
  if (limit == 0) limit = tm_env_get()->memory_limit_bytes() / 10 * 8;
  job->budget = tm_budget_create(NULL, "process", limit);
  if (job->budget == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  tm_bytes_init(&job->typed, job->budget);
  job->text = flags->text;
  if (path != NULL && strcmp(path, "-") == 0 && read_stdin(job, err) < 0) return -1;
  tm_script_options options = {
    .path = path, .text = job->text, .params = flags->params,
    .param_count = flags->param_count, .date = flags->date, .no_lift = flags->no_lift,
    .budget = job->budget,
  };
  job->script = tm_script_open(&options, err);
  if (job->script == NULL) return -1;
  complete(tm_script_graph(job->script), flags);
  if (!flags->follow) return 0;
  if (flags->as != NULL && strcmp(flags->as, "batch") == 0) {
    return tm_fail(err, TM_E_USAGE, "--follow has no end: it cannot run --as batch");
  }
  return follow_files(tm_script_graph(job->script), err);
}

int tm_cli_job_plan(tm_cli_job *job, tm_error *err) {
  job->plan = tm_plan_create(tm_script_graph(job->script), job->budget, err);
  if (job->plan == NULL) return -1;
  return job->plan->graph->job.ranged ? check_range(job->plan, err) : 0;
}

int tm_cli_job_open(tm_cli_job *job, const tm_cli_flags *flags, const char *path, tm_error *err) {
  return tm_cli_job_load(job, flags, path, err) < 0 ? -1 : tm_cli_job_plan(job, err);
}

/* ---------------------------------------------------------------- running */

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

static int64_t timeout_of(const tm_cli_job *job) {
  const tm_value *v = tm_value_get(job->plan->graph->job_options, "timeout");
  int64_t us = 0;
  if (v != NULL && v->kind == TM_VALUE_DURATION) us = v->integer;
  if (v != NULL && v->kind == TM_VALUE_TEXT) tm_duration_parse(v->text, v->size, &us);
  return us;
}

tm_run_options tm_cli_job_run_options(const tm_cli_job *job) {
  return (tm_run_options){
    .workers = job->plan->graph->job.workers, .timeout_us = timeout_of(job),
    .worker_start = worker_start, .worker_stop = worker_stop, .host = job->script,
  };
}

/* Which step met the end of the budget is chance; what helps is the same. */
void tm_cli_job_advise(const tm_cli_job *job, tm_error *err) {
  if (err->code != TM_E_MEMORY || err->help[0] != '\0' || job->budget == NULL) return;
  uint64_t limit = tm_budget_limit(job->budget);
  tm_error_help(err, "the budget is %.1f MB: --memory gives more, fewer --workers need less",
                (double)limit / (1024 * 1024));
}

void tm_cli_job_close(tm_cli_job *job) {
  if (job->budget == NULL) return;
  tm_script_close(job->script);
  tm_bytes_deinit(&job->typed);
  tm_arena_pool_clear();
  tm_budget_destroy(job->budget);
}
