/* connector/write.c: rows into files and stdout: tm.csv, tm.jsonl, tm.msgpack, tm.lines, tm.stdout.
 *
 * A sink of one lane, in order. A file is written beside its target and appears, whole, when the
 * run is published; whatever happens before that leaves the target alone. Stdout streams. Refused
 * rows come here as rows of a schema of their own (plan/refused.h). */
#include <string.h>

#include "base/env.h"
#include "format/format_options.h"
#include "io/output.h"
#include "io/source_files.h"
#include "stage/end_options.h"
#include "stage/options.h"

enum { STDOUT_FILE = 1 };

typedef struct write_plan {
  tm_writing writing;
  const tm_format *format;
  const char *path;
} write_plan;

/* Lane 0 writes; publish needs the output when the lanes are gone. */
typedef struct write_shared {
  tm_budget *budget;
  tm_output *output;
  tm_writer *writer;
  const tm_format *format;
  tm_bytes text;
  bool live;     /* what is written is to be seen at once */
  bool finished; /* the writer's last words are out */
} write_shared;

typedef struct writing_end {
  tm_stage_env env;
  write_shared *shared;
} writing_end;

/* ---------------------------------------------------------------- bind */

/* The others write while they are read (live_write.c). */
static bool write_serves(const tm_bind *bind) {
  const char *path = tm_value_text(bind->options, "path", "");
  bool standard = strcmp(bind->verb, "stdout") == 0 || strcmp(path, "-") == 0;
  const tm_rows_facts *facts = &bind->facts_in[0];
  bool dated = bind->input_count > 0 && facts->time.kind != TM_NULLTYPE &&
               tm_value_get(bind->options, TM_DATED_PATH) != NULL;
  return standard || !bind->job->stream || (facts->bounded && !dated);
}

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "writing: out of memory"); }

static int bind_stdout(tm_bind *bind, write_plan *plan, tm_error *err) {
  static const tm_option none[] = {{NULL, NULL, NULL, NULL, NULL}};
  const char *format = bind->job->stdout_format;
  if (tm_options_check(none, bind->options, "tm.stdout", err) < 0) return -1;
  plan->path = "-";
  plan->format = tm_format_find(format == NULL || strcmp(format, "json") == 0 ? "jsonl" : format);
  plan->writing.options = (tm_format_options){.quote = '"', .header = true};
  return plan->format != NULL ? 0 : tm_fail(err, TM_E_VALUE, "unknown format '%s'", format);
}

static int bind_file(tm_bind *bind, write_plan *plan, tm_error *err) {
  const tm_value *path = tm_value_get(bind->options, "path");
  if (tm_end_options_check(bind, bind->verb, err) < 0) return -1;
  if (path == NULL || path->kind != TM_VALUE_TEXT) {
    return tm_fail(err, TM_E_VALUE, "tm.%s writes to one path, a text", bind->verb);
  }
  if (tm_value_get(bind->options, "partition") != NULL) {
    tm_fail(err, TM_E_UNSUPPORTED,
            "writing with 'partition' is not in this version of tidemill yet");
    tm_error_token(err, "partition", "");
    return -1;
  }
  plan->path = tm_source_files_date(bind->arena, path->text, bind->job->date);
  plan->format = tm_format_find(bind->verb);
  if (plan->path == NULL) return no_memory(err);
  return tm_format_options_read(bind->arena, bind->options, path->text, &plan->writing.options,
                                err);
}

static int write_bind(tm_bind *bind, tm_error *err) {
  write_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  bool standard = strcmp(bind->verb, "stdout") == 0;
  if ((standard ? bind_stdout(bind, plan, err) : bind_file(bind, plan, err)) < 0) return -1;
  plan->writing.schema = bind->inputs[0];
  if (plan->format->check_columns != NULL &&
      plan->format->check_columns(bind->inputs[0], err) < 0) {
    return -1;
  }
  bind->plan = plan;
  bind->single = bind->ordered = true;
  bind->detail = strcmp(plan->path, "-") == 0 ? "stdout" : plan->path;
  return 0;
}

/* ---------------------------------------------------------------- share */

static void write_unshare(void *object) {
  write_shared *s = object;
  tm_output_close(s->output);
  if (s->writer != NULL) s->format->writer_destroy(s->writer);
  tm_bytes_deinit(&s->text);
  tm_free(s->budget, s, sizeof *s);
}

static tm_flow hand_over(write_shared *s, tm_error *err) {
  int done = tm_output_write(s->output, s->text.data, s->text.size, err);
  tm_bytes_clear(&s->text);
  if (done == 0 && s->live) done = tm_output_flush(s->output, err);
  if (done < 0) return TM_FLOW_FAILED;
  return done == TM_OUTPUT_CLOSED ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

/* Stdout of a stream without end: others may write to it as well, and the header is there at once.
 */
static int begin_live(write_shared *s, const tm_schema *schema, tm_error *err) {
  tm_output_go_live(s->output);
  tm_batch *nothing = tm_batch_create(s->budget, schema, 0);
  if (nothing == NULL) return no_memory(err);
  int done = s->format->writer_write(s->writer, nothing, &s->text, err);
  tm_batch_release(nothing);
  return done < 0 || hand_over(s, err) == TM_FLOW_FAILED ? -1 : 0;
}

static int write_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                       tm_error *err) {
  const write_plan *plan = bind->plan;
  write_shared *s = tm_alloc_zero(budget, sizeof *s);
  (void)lanes;
  if (s == NULL) return no_memory(err);
  s->budget = budget;
  s->format = plan->format;
  tm_bytes_init(&s->text, budget);
  tm_writing writing = plan->writing;
  writing.budget = budget;
  if (strcmp(plan->path, "-") == 0) {
    const tm_env *env = tm_env_get();
    writing.width_max = (uint32_t)env->terminal_columns(STDOUT_FILE);
    s->live = bind->job->stream;
    writing.live = s->live && (!bind->facts_in[0].bounded || env->is_terminal(STDOUT_FILE));
  }
  s->writer = plan->format->writer_create(&writing, err);
  if (s->writer == NULL || tm_output_open(&s->output, budget, plan->path, err) < 0) {
    write_unshare(s);
    return -1;
  }
  if (s->live && !bind->facts_in[0].bounded && begin_live(s, plan->writing.schema, err) < 0) {
    write_unshare(s);
    return -1;
  }
  *out = s;
  return 0;
}

/* ---------------------------------------------------------------- open, push, finish, close */

static int write_open(const tm_stage_env *env, void **out, tm_error *err) {
  writing_end *w = tm_alloc_zero(env->budget, sizeof *w);
  if (w == NULL) return no_memory(err);
  w->env = *env;
  w->shared = env->shared;
  *out = w;
  return 0;
}

static tm_flow write_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                          tm_error *err) {
  writing_end *w = self;
  write_shared *s = w->shared;
  (void)port;
  (void)out;
  int done = s->format->writer_write(s->writer, taken, &s->text, err);
  tm_batch_release(taken);
  return done < 0 ? TM_FLOW_FAILED : hand_over(s, err);
}

static int finish(write_shared *s, tm_error *err) {
  if (s->finished) return 0;
  s->finished = true;
  if (s->format->writer_finish(s->writer, &s->text, err) < 0) return -1;
  if (hand_over(s, err) == TM_FLOW_FAILED) return -1;
  return tm_output_flush(s->output, err) < 0 ? -1 : 0;
}

static tm_flow write_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  writing_end *w = self;
  write_shared *s = w->shared;
  (void)port;
  (void)out;
  if (w->env.lane != 0) return TM_FLOW_FINISHED;
  return finish(s, err) < 0 ? TM_FLOW_FAILED : TM_FLOW_FINISHED;
}

static void write_close(void *self) {
  writing_end *w = self;
  tm_free(w->env.budget, w, sizeof *w);
}

/* ---------------------------------------------------------------- publish */

static int write_seal(void *shared, tm_error *err) {
  write_shared *s = shared;
  return finish(s, err) < 0 || tm_output_seal(s->output, err) < 0 ? -1 : 0;
}

static int write_publish(void *shared, bool commit, tm_error *err) {
  write_shared *s = shared;
  return commit ? tm_output_publish(s->output, err) : 0;
}

const tm_stage tm_stage_write = {
  .size = sizeof(tm_stage),
  .name = "csv",
  .aliases = "jsonl msgpack lines stdout",
  .summary = "write a file, or stdout",
  .inputs = 1,
  .sink = true,
  .serves = write_serves,
  .bind = write_bind,
  .share = write_share,
  .open = write_open,
  .push = write_push,
  .finish = write_finish,
  .close = write_close,
  .unshare = write_unshare,
  .seal = write_seal,
  .publish = write_publish,
};
