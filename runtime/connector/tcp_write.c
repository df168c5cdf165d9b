/* connector/tcp_write.c: rows to connections: flow:to(tm.tcp { connect | listen, format }).
 *
 * A sink of one lane, in order. Rows leave with each batch; what the sockets do not take waits in
 * io/tcp_output, and once that is full the sink is blocked, which holds its source back. At the end
 * of input it stays until everything has been taken. When the stream is asked to end, a reader that
 * takes nothing for a while is not waited for: the run fails and says so.
 *
 * What was written is written: a run that fails later cannot take rows back. */
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "format/format_options.h"
#include "io/tcp_output.h"
#include "stage/end_options.h"
#include "stage/options.h"

#define PATIENCE_US (INT64_C(5) * 1000000) /* with a reader that takes nothing, at the end */

typedef struct tcp_write_plan {
  tm_writing writing;
  const tm_format *format;
  tm_tcp_address address;
  bool listens;
} tcp_write_plan;

typedef struct tcp_write_shared {
  tm_budget *budget;
  const tcp_write_plan *plan;
  tm_tcp_output *output;
  tm_writer *writer;   /* of rows */
  tm_bytes head, text;
  tm_reading reading;  /* to find the ends of records */
  uint64_t *masks;     /* on the loop's thread */
  size_t masks_bytes;
} tcp_write_shared;

typedef struct tcp_write {
  tm_stage_env env;
  tcp_write_shared *shared;
  bool finishing;
  int64_t patient_us;  /* monotonic: until then something must have been taken; 0: not yet asked */
  uint64_t sent;       /* bytes, when that was decided */
} tcp_write;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "tcp: out of memory"); }

/* ---------------------------------------------------------------- bind */

static int bind_address(tm_bind *bind, tcp_write_plan *plan, tm_error *err) {
  const char *listen = tm_value_text(bind->options, "listen", NULL);
  const char *connect = tm_value_text(bind->options, "connect", NULL);
  if ((listen == NULL) == (connect == NULL)) {
    tm_fail(err, TM_E_VALUE, "tm.tcp takes either 'listen' or 'connect'");
    return tm_error_help(err, "tm.tcp { connect = \"127.0.0.1:9000\", format = \"jsonl\" }");
  }
  plan->listens = listen != NULL;
  if (tm_tcp_address_parse(listen != NULL ? listen : connect, &plan->address, err) < 0) {
    tm_error_token(err, listen != NULL ? "listen" : "connect", "");
    return -1;
  }
  if (plan->listens || strcmp(plan->address.port, "0") != 0) return 0;
  return tm_fail(err, TM_E_VALUE, "nobody can connect to port 0");
}

static int tcp_write_bind(tm_bind *bind, tm_error *err) {
  tcp_write_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  plan->format = tm_end_options_format(bind, err);
  if (plan->format == NULL || tm_end_options_check(bind, plan->format->name, err) < 0 ||
      bind_address(bind, plan, err) < 0 ||
      tm_format_options_read(bind->arena, bind->options, NULL, &plan->writing.options, err) < 0) {
    return -1;
  }
  plan->writing.schema = bind->inputs[0];
  if (plan->format->check_columns != NULL &&
      plan->format->check_columns(bind->inputs[0], err) < 0) {
    return -1;
  }
  bind->plan = plan;
  bind->single = bind->ordered = true;
  bind->detail = tm_arena_format(bind->arena, "%s %s", plan->listens ? "listens on" : "connects to",
                                 plan->address.text);
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* ---------------------------------------------------------------- share */

/* What every reader gets first: all that a writer without rows writes. */
static int make_head(tcp_write_shared *s, const tm_writing *writing, tm_error *err) {
  const tm_format *format = s->plan->format;
  tm_writer *writer = format->writer_create(writing, err);
  if (writer == NULL) return -1;
  int done = format->writer_finish(writer, &s->head, err);
  format->writer_destroy(writer);
  return done;
}

/* Bytes of whole records; called on the loop's thread alone. */
static size_t whole(void *context, const char *data, size_t size) {
  tcp_write_shared *s = context;
  size_t bytes = (size / 64 + 2) * 2 * sizeof *s->masks;
  if (bytes > s->masks_bytes) {
    tm_free(s->budget, s->masks, s->masks_bytes);
    s->masks_bytes = 0;
    s->masks = tm_alloc(s->budget, bytes);
    if (s->masks == NULL) return 0;
    s->masks_bytes = bytes;
  }
  tm_split split = {.masks = s->masks};
  s->reading.format->split(&s->reading, &split, data, size);
  return split.whole;
}

static void tcp_write_unshare(void *object) {
  tcp_write_shared *s = object;
  tm_tcp_output_close(s->output);
  if (s->writer != NULL) s->plan->format->writer_destroy(s->writer);
  tm_bytes_deinit(&s->head);
  tm_bytes_deinit(&s->text);
  tm_free(s->budget, s->masks, s->masks_bytes);
  tm_free(s->budget, s, sizeof *s);
}

static int tcp_write_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                           tm_error *err) {
  const tcp_write_plan *plan = bind->plan;
  tcp_write_shared *s = tm_alloc_zero(budget, sizeof *s);
  (void)lanes;
  if (s == NULL) return no_memory(err);
  s->budget = budget;
  s->plan = plan;
  tm_bytes_init(&s->head, budget);
  tm_bytes_init(&s->text, budget);
  s->reading = (tm_reading){.format = plan->format, .options = plan->writing.options,
                            .schema = plan->writing.schema};
  if (s->reading.options.delimiter == 0) s->reading.options.delimiter = ',';
  tm_writing writing = plan->writing;
  writing.budget = budget;
  tm_writing rows = writing;
  rows.options.header = false;
  tm_tcp_output_options options = {.listens = plan->listens, .whole = whole, .context = s};
  if (make_head(s, &writing, err) == 0) {
    options.head = s->head.data;
    options.head_size = s->head.size;
    s->writer = plan->format->writer_create(&rows, err);
    if (s->writer != NULL) s->output = tm_tcp_output_open(budget, &plan->address, &options, err);
  }
  if (s->output == NULL) {
    tcp_write_unshare(s);
    return -1;
  }
  if (plan->listens) tm_log(TM_LOG_NOTICE, "listening on %s", tm_tcp_output_text(s->output));
  *out = s;
  return 0;
}

/* ---------------------------------------------------------------- open, push, resume, finish */

static int tcp_write_open(const tm_stage_env *env, void **out, tm_error *err) {
  tcp_write *w = tm_alloc_zero(env->budget, sizeof *w);
  if (w == NULL) return no_memory(err);
  w->env = *env;
  w->shared = env->shared;
  if (env->lane == 0) tm_tcp_output_listen(w->shared->output, env->wake, env->waker);
  *out = w;
  return 0;
}

static void tcp_write_close(void *self) {
  tcp_write *w = self;
  tm_free(w->env.budget, w, sizeof *w);
}

/* While the stream is to end, patience has an end too. BLOCKED, or FAILED. */
static tm_flow wait_on(tcp_write *w, tm_error *err) {
  if (!__atomic_load_n(w->env.draining, __ATOMIC_ACQUIRE)) return TM_FLOW_BLOCKED;
  int64_t now_us = tm_env_get()->monotonic_us();
  uint64_t sent = tm_tcp_output_sent(w->shared->output);
  if (w->patient_us == 0 || sent > w->sent) {
    w->patient_us = now_us + PATIENCE_US;
    w->sent = sent;
  } else if (now_us >= w->patient_us) {
    tm_tcp_output_fail(w->shared->output, err);
    return TM_FLOW_FAILED;
  }
  w->env.wake_at(w->env.waker, w->patient_us);
  return TM_FLOW_BLOCKED;
}

static tm_flow tcp_write_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                              tm_error *err) {
  tcp_write *w = self;
  tcp_write_shared *s = w->shared;
  (void)port;
  (void)out;
  int done = s->plan->format->writer_write(s->writer, taken, &s->text, err);
  tm_batch_release(taken);
  if (done == 0) done = tm_tcp_output_write(s->output, s->text.data, s->text.size, err);
  tm_bytes_clear(&s->text);
  if (done < 0) return TM_FLOW_FAILED;
  return done > 0 ? wait_on(w, err) : TM_FLOW_INPUT;
}

static tm_flow end(tcp_write *w, tm_error *err) {
  int done = tm_tcp_output_finish(w->shared->output, err);
  if (done < 0) return TM_FLOW_FAILED;
  return done > 0 ? wait_on(w, err) : TM_FLOW_FINISHED;
}

static tm_flow tcp_write_resume(void *self, tm_out *out, tm_error *err) {
  tcp_write *w = self;
  (void)out;
  if (w->finishing) return end(w, err);
  int full = tm_tcp_output_room(w->shared->output, err);
  if (full < 0) return TM_FLOW_FAILED;
  return full > 0 ? wait_on(w, err) : TM_FLOW_INPUT;
}

static tm_flow tcp_write_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  tcp_write *w = self;
  tcp_write_shared *s = w->shared;
  (void)port;
  (void)out;
  if (w->env.lane != 0) return TM_FLOW_FINISHED;
  w->finishing = true;
  if (s->plan->format->writer_finish(s->writer, &s->text, err) < 0) return TM_FLOW_FAILED;
  if (s->text.size > 0 && tm_tcp_output_write(s->output, s->text.data, s->text.size, err) < 0) {
    return TM_FLOW_FAILED;
  }
  tm_bytes_clear(&s->text);
  return end(w, err);
}

const tm_stage tm_stage_tcp_write = {
  .size = sizeof(tm_stage),
  .name = "tcp",
  .summary = "send rows over connections",
  .inputs = 1,
  .sink = true,
  .bind = tcp_write_bind,
  .share = tcp_write_share,
  .open = tcp_write_open,
  .push = tcp_write_push,
  .resume = tcp_write_resume,
  .finish = tcp_write_finish,
  .close = tcp_write_close,
  .unshare = tcp_write_unshare,
};
