/* cli/prove.c: tidemill prove: batch and stream give the same, whatever the order of arrival.
 *
 * The script is run as a batch, then as a stream: once with its rows as they lie, then in orders
 * that they could have had (operator/shuffle.c), each time with other numbers of workers and other
 * sizes of batches. Each run loads the script anew; its outputs are caught (capture.h) and compared
 * with the batch's. A stream that counted late rows cannot be compared and says so. */
#include "cli/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/hash.h"
#include "base/log.h"
#include "cli/capture.h"
#include "cli/interrupt.h"
#include "cli/job.h"
#include "cli/message.h"

enum { ORDERS = 8, EXIT_DIFFERS = 3, SMALL_ROWS = 20000, SMALL_BATCH = 64, LATE_STEPS_SHOWN = 5 };

/* One way to run the job. */
typedef struct way {
  bool stream;
  uint32_t order;          /* of a stream: 0 is as rows lie */
  uint64_t shuffle_seed;   /* 0: not shuffled */
  uint32_t workers, batch_rows;
  uint64_t block_bytes;
} way;

typedef struct proof {
  const tm_cli_flags *flags;
  const char *path;        /* of the script; NULL: -e */
  const char *name;        /* for messages */
  tm_budget *budget;
  tm_capture capture;
  tm_capture_lines *batch; /* what the batch gave, an output each */
  uint32_t outputs;
  bool timed;              /* a source has event time, so orders differ */
  uint64_t rows_in;
} proof;

/* ---------------------------------------------------------------- ways */

static uint64_t seed_of(const proof *p) { return p->flags->seed == 0 ? 1 : p->flags->seed; }

static way way_of(const proof *p, uint32_t order) {
  static const uint32_t batches[] = {TM_BATCH_ROWS, 1, 7, 100, 3, 1024};
  static const uint64_t blocks[] = {UINT64_C(1) << 19, 64, 4096, UINT64_C(1) << 16};
  way w = {
    .stream = true, .order = order, .workers = 1 + order % 3,
    .shuffle_seed = order == 0 ? 0 : tm_hash_combine(seed_of(p), order) | 1,
    .batch_rows = batches[order % (sizeof batches / sizeof *batches)],
    .block_bytes = blocks[order % (sizeof blocks / sizeof *blocks)],
  };
  /* A row a batch takes its time. */
  if (p->rows_in > SMALL_ROWS && w.batch_rows < SMALL_BATCH) w.batch_rows = SMALL_BATCH;
  if (p->rows_in > SMALL_ROWS && w.block_bytes < 4096) w.block_bytes = 4096;
  return w;
}

static void describe(const proof *p, const way *w, char *out, size_t room) {
  if (!w->stream) {
    snprintf(out, room, "as a batch");
  } else if (w->order == 0 || !p->timed) {
    snprintf(out, room, "as a stream, rows as they lie, %u worker%s, batches of %u", w->workers,
             w->workers == 1 ? "" : "s", w->batch_rows);
  } else {
    snprintf(out, room, "as a stream, order %u of --seed %" PRIu64 ", %u worker%s, batches of %u",
             w->order, seed_of(p), w->workers, w->workers == 1 ? "" : "s", w->batch_rows);
  }
}

/* ---------------------------------------------------------------- one run */

static bool reads_stdin(const tm_node *node) {
  const tm_value *path = tm_value_get(node->options, "path");
  if (node->role != TM_ROLE_SOURCE || path == NULL) return false;
  if (path->kind == TM_VALUE_TEXT) return strcmp(path->text, "-") == 0;
  for (size_t i = 0; path->kind == TM_VALUE_TABLE && i < path->item_count; i++) {
    const tm_value *v = &path->items[i];
    if (v->kind == TM_VALUE_TEXT && strcmp(v->text, "-") == 0) return true;
  }
  return false;
}

static int refuse(const tm_graph *graph, int line, tm_error *err) {
  snprintf(err->script, sizeof err->script, "%s", graph->job.script);
  err->script_line = line;
  return -1;
}

static int check_graph(const tm_graph *graph, tm_error *err) {
  for (uint32_t i = 0; i < graph->count; i++) {
    if (!reads_stdin(&graph->nodes[i])) continue;
    tm_fail(err, TM_E_JOB, "prove reads its input again and again; stdin can be read once");
    tm_error_help(err, "give a file in its place");
    return refuse(graph, graph->nodes[i].script_line, err);
  }
  return 0;
}

static int check_plan(proof *p, const tm_plan *plan, tm_error *err) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_bind *bind = plan->nodes[i];
    p->timed |= strcmp(bind->stage->name, "clock") == 0;
    if (bind->input_count > 0 || bind->facts_out.bounded) continue;
    tm_fail(err, TM_E_JOB, "prove needs input that ends, and '%s' does not", bind->name);
    return refuse(plan->graph, bind->script_line, err);
  }
  return 0;
}

static int open_way(proof *p, tm_cli_job *job, const way *w, tm_error *err) {
  if (tm_cli_job_load(job, p->flags, p->path, err) < 0) return -1;
  tm_graph *graph = tm_script_graph(job->script);
  if (check_graph(graph, err) < 0) return -1;
  graph->job.stream = w->stream;
  graph->job.shuffle_seed = w->shuffle_seed;
  graph->job.workers = w->workers;
  graph->job.batch_rows = w->batch_rows;
  graph->job.block_bytes = w->block_bytes;
  if (tm_capture_redirect(&p->capture, graph, err) < 0) return -1;
  return tm_cli_job_plan(job, err);
}

/* Late rows, by the steps that refused them. */
static void print_late(const proof *p, const tm_plan *plan, const tm_run_result *result,
                       const way *w, uint64_t late) {
  char how[128];
  int shown = 0;
  describe(p, w, how, sizeof how);
  printf("%s: not comparable: %" PRIu64 " row%s late %s\n", p->name, late,
         late == 1 ? " is" : "s are", how);
  for (uint32_t i = 0; i < plan->node_count && shown < LATE_STEPS_SHOWN; i++) {
    if (result->nodes[i].late == 0) continue;
    printf("  %" PRIu64 " at '%s' (line %d)\n", result->nodes[i].late, plan->nodes[i]->name,
           plan->nodes[i]->script_line);
    shown++;
  }
  printf("  a source's time = { field = …, out_of_order = … } says how far its rows come out of "
         "order\n");
}

static uint64_t late_of(const tm_run_result *result) {
  uint64_t late = 0;
  for (uint32_t i = 0; i < result->node_count; i++) late += result->nodes[i].late;
  return late;
}

/* Runs, takes the outputs. 0; EXIT_DIFFERS where rows were late, which has been said; -1 with
 * err. The job stays open. */
static int run_way(proof *p, tm_cli_job *job, const way *w, tm_capture_lines *out, tm_error *err) {
  tm_run_result result = {0};
  if (open_way(p, job, w, err) < 0 || check_plan(p, job->plan, err) < 0) return -1;
  tm_run_options options = tm_cli_job_run_options(job);
  /* The first signal ends a stream, too: half of a result proves nothing. */
  options.cancel = options.cancel_again = tm_cli_interrupted;
  if (tm_run_plan(job->plan, job->budget, &options, &result, err) < 0) return -1;
  if (__atomic_load_n(tm_cli_interrupted, __ATOMIC_ACQUIRE) != 0) {
    return tm_fail(err, TM_E_INTERRUPTED, "interrupted");
  }
  if (!w->stream) p->rows_in = result.rows_in;
  uint64_t late = late_of(&result);
  if (late > 0) print_late(p, job->plan, &result, w, late);
  return late > 0 ? EXIT_DIFFERS : tm_capture_take(&p->capture, out, err);
}

/* What went wrong in a run that was not the first says in which it did. */
static void print_error(const proof *p, tm_cli_job *job, const way *w, tm_error *err) {
  char how[128];
  tm_cli_job_advise(job, err);
  describe(p, w, how, sizeof how);
  if (w->stream && err->code != TM_E_INTERRUPTED) fprintf(stderr, "%s\n", how);
  tm_cli_message_print(err, p->flags->color, job->text);
}

/* ---------------------------------------------------------------- comparing */

static void print_lines(const char *what, const tm_capture_line *lines, size_t count) {
  size_t shown = count < TM_CAPTURE_SHOWN ? count : TM_CAPTURE_SHOWN;
  if (count == 0) return;
  printf("  only %s%s:\n", what, count > shown ? ", the first ones" : "");
  for (size_t i = 0; i < shown; i++) printf("    %.*s\n", (int)lines[i].size, lines[i].text);
}

/* true: all outputs are equal; else the first that differs is shown. */
static bool compare(const proof *p, const way *w, const tm_capture_lines *stream) {
  for (uint32_t i = 0; i < p->capture.count; i++) {
    tm_capture_difference d;
    if (tm_capture_compare(&p->batch[i], &stream[i], &d)) continue;
    char how[128];
    describe(p, w, how, sizeof how);
    printf("%s: differs: output '%s' %s\n", p->name, p->capture.outputs[i].name, how);
    printf("  %zu row%s only in the batch, %zu only in the stream, %zu in both\n", d.only_a,
           d.only_a == 1 ? "" : "s", d.only_b, d.both);
    print_lines("in the batch", d.a, d.only_a);
    print_lines("in the stream", d.b, d.only_b);
    return false;
  }
  return true;
}

/* One stream against the batch. 0 equal, EXIT_DIFFERS, else the status of what was printed. */
static int prove_way(proof *p, const way *w) {
  tm_error err = {0};
  tm_cli_job job = {0};
  tm_capture_lines *lines = tm_alloc_zero(p->budget, (p->outputs + 1) * sizeof *lines);
  int done = lines == NULL ? tm_fail(&err, TM_E_MEMORY, "out of memory")
                           : run_way(p, &job, w, lines, &err);
  if (done < 0) print_error(p, &job, w, &err);
  if (done == 0 && !compare(p, w, lines)) done = EXIT_DIFFERS;
  tm_cli_job_close(&job);
  if (lines != NULL) tm_capture_clear(&p->capture, lines);
  tm_free(p->budget, lines, (p->outputs + 1) * sizeof *lines);
  return done < 0 ? tm_cli_interrupt_exit(&err) : done;
}

/* ---------------------------------------------------------------- the whole */

static int count_outputs(proof *p, tm_error *err) {
  tm_cli_job job = {0};
  int done = tm_cli_job_load(&job, p->flags, p->path, err);
  const tm_graph *graph = done == 0 ? tm_script_graph(job.script) : NULL;
  for (uint32_t i = 0; done == 0 && i < graph->count; i++) {
    p->outputs += graph->nodes[i].role == TM_ROLE_SINK;
  }
  if (done < 0) tm_cli_message_print(err, p->flags->color, job.text);
  tm_cli_job_close(&job);
  return done;
}

/* As a batch, which all streams are held against. 0 or an exit status. */
static int run_batch(proof *p) {
  tm_error err = {0};
  tm_cli_job job = {0};
  way w = {.workers = tm_env_get()->cpu_count(), .batch_rows = TM_BATCH_ROWS,
           .block_bytes = UINT64_C(1) << 19};
  if (count_outputs(p, &err) < 0) return tm_error_exit(err.code);
  p->batch = tm_alloc_zero(p->budget, (p->outputs + 1) * sizeof *p->batch);
  int done = p->batch == NULL ? tm_fail(&err, TM_E_MEMORY, "out of memory")
                              : tm_capture_open(&p->capture, p->budget, &err);
  if (done == 0) done = run_way(p, &job, &w, p->batch, &err);
  if (done < 0) print_error(p, &job, &w, &err);
  tm_cli_job_close(&job);
  return done < 0 ? tm_cli_interrupt_exit(&err) : done;
}

static void print_equal(const proof *p, uint32_t runs) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < p->capture.count; i++) rows += p->batch[i].count;
  printf("%s: equal: batch and stream, %u time%s%s: %" PRIu64 " row%s in %u output%s\n", p->name,
         runs, runs == 1 ? "" : "s", p->timed ? " in other orders" : "", rows,
         rows == 1 ? "" : "s", p->outputs, p->outputs == 1 ? "" : "s");
  if (!p->timed) printf("  no source has event time, so rows came in one order\n");
}

static int prove(proof *p) {
  uint32_t orders = p->flags->orders == 0 ? ORDERS : p->flags->orders, order = 0;
  int status = run_batch(p);
  for (; status == 0 && order <= orders; order++) {
    way w = way_of(p, order);
    status = prove_way(p, &w);
  }
  if (status == 0) print_equal(p, order);
  return status;
}

static void close_proof(proof *p) {
  if (p->batch != NULL) tm_capture_clear(&p->capture, p->batch);
  tm_free(p->budget, p->batch, (p->outputs + 1) * sizeof *p->batch);
  tm_capture_close(&p->capture);
  tm_budget_destroy(p->budget);
}

int tm_cli_prove(const tm_cli_flags *flags) {
  tm_error err = {0};
  bool is_inline = flags->text != NULL;
  if (flags->script_count != (is_inline ? 0u : 1u) ||
      (!is_inline && strcmp(flags->scripts[0], "-") == 0)) {
    tm_fail(&err, TM_E_USAGE, "tidemill prove wants one script or -e 'LUA'");
    tm_cli_message_print(&err, flags->color, NULL);
    return tm_error_exit(err.code);
  }
  tm_log_configure(TM_LOG_ERROR, NULL, NULL); /* what it warns of is said here in full */
  tm_cli_interrupt_catch();
  proof p = {.flags = flags, .path = is_inline ? NULL : flags->scripts[0],
             .name = is_inline ? "-e" : flags->scripts[0],
             .budget = tm_budget_create(NULL, "prove", 0)};
  if (p.budget == NULL) {
    tm_fail(&err, TM_E_MEMORY, "out of memory");
    tm_cli_message_print(&err, flags->color, NULL);
    return tm_error_exit(err.code);
  }
  int status = prove(&p);
  close_proof(&p);
  return status;
}
