/* operator/clock.c: gives rows their event time, and tells how far time has come.
 *
 * The planner puts it behind every source with `time`. In a stream it has all rows of the source,
 * in source order, in one lane; in a batch it only fills in the times, in every lane.
 *
 * Each partition of the source keeps the largest time that it has shown: less out_of_order, that
 * is the partition's watermark. A row's mark is its partition's watermark just before it, so what
 * is behind does not depend on other partitions, workers or the size of batches. The source's
 * watermark is the least over its partitions; it never goes back (T. Akidau et al., "The Dataflow
 * Model", 2015).
 *
 * Live sources only: a partition silent for `idle` holds nothing back; once all are, time goes on
 * with the monotonic clock from where it was, so that windows close when traffic stops. Silence is
 * counted in ticks: while those behind hold the source back there are none, so a slow consumer
 * makes no row late. A row further ahead of the wall clock than `ahead` is refused before it moves
 * anything. Where time does not move for minutes a warning names the partition that holds it. */
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "kernel/print.h"
#include "stage/apply.h"
#include "stage/options.h"
#include "state/record.h"

enum { TICK_MIN_US = 10 * 1000, TICK_MAX_US = 1000 * 1000, PARTITIONS_MAX = 1 << 24 };
#define STALL_US (INT64_C(300) * 1000000)
#define DAY_US (INT64_C(86400) * 1000000)
#define IDLE_DEFAULT_US (INT64_C(60) * 1000000)
#define AHEAD_DEFAULT_US (INT64_C(3600) * 1000000)

static const tm_option time_options[] = {
  {"field", "text", NULL, "the column that says when a row happened", NULL},
  {"out_of_order", "text|duration", "0s", "how far a row may come behind a later one", NULL},
  {"idle", "text|duration|bool", "60s", "a partition silent for so long holds nothing back", NULL},
  {"ahead", "text|duration|bool", "1h", "a row further ahead of the clock is refused", NULL},
  {"late", "flow", NULL, "endpoint of rows that came too late", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct clock_plan {
  uint32_t column;
  bool date;            /* days, else microseconds */
  bool by_partition;    /* origin.file_index tells partitions apart; else there is one */
  bool open_ended;      /* more partitions may come at any time: nothing holds before the end */
  int64_t out_of_order_us;
  bool live;
  int64_t idle_us;      /* 0: never */
  int64_t ahead_us;     /* 0: no limit */
} clock_plan;

typedef struct partition {
  int64_t latest_us;    /* the largest time; TM_TIME_NONE: no row yet */
  int64_t heard_us;     /* when its last row came, by the clock's own time */
  const char *name;     /* of the file or connection; lives as long as the plan, or NULL */
  bool gone;
} partition;

typedef struct event_clock {
  tm_stage_env env;
  const clock_plan *plan;
  partition *partitions;
  uint32_t count, capacity;
  int64_t watermark_us; /* given last */
  int64_t moved_us;     /* when, by the clock's own time */
  int64_t now_us;       /* its own time: the monotonic clock without the time that it stood still */
  int64_t looked_us;    /* at the monotonic clock, last */
  bool warned;          /* that it stands still */
} event_clock;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "clock: out of memory"); }

/* ---------------------------------------------------------------- bind */

/* A duration; false turns it off. 0 or -1 with err. */
static int read_duration(const tm_value *time, const char *name, int64_t fallback_us, bool may_off,
                         int64_t *out, tm_error *err) {
  const tm_value *v = tm_value_get(time, name);
  *out = fallback_us;
  if (v == NULL || v->kind == TM_VALUE_NIL) return 0;
  if (v->kind == TM_VALUE_BOOL && !v->boolean && may_off) {
    *out = 0;
    return 0;
  }
  if (v->kind == TM_VALUE_DURATION) *out = v->integer;
  else if (v->kind != TM_VALUE_TEXT || tm_duration_parse(v->text, v->size, out) < 0) *out = -1;
  if (*out >= 0) return 0;
  tm_fail(err, TM_E_VALUE, "'%s' of time is a duration, as \"30s\"%s", name,
          may_off ? ", or false" : "");
  tm_error_token(err, name, "");
  return -1;
}

static int read_plan(const tm_bind *bind, clock_plan *plan, tm_error *err) {
  const tm_value *time = tm_value_get(bind->options, "time");
  const tm_rows_facts *facts = &bind->facts_in[0];
  const char *field = time->kind == TM_VALUE_TEXT ? time->text : tm_value_text(time, "field", "");
  if (time->kind == TM_VALUE_TABLE && tm_options_check(time_options, time, "time", err) < 0) {
    return -1;
  }
  int column = tm_schema_require(bind->inputs[0], field, err);
  if (column < 0) return -1;
  plan->column = (uint32_t)column;
  plan->date = bind->inputs[0]->fields[column].type.kind == TM_DATE;
  const char *partitions = tm_value_text(bind->options, "partitions", "");
  plan->by_partition = facts->live || strcmp(partitions, "files") == 0;
  plan->open_ended = plan->by_partition && !facts->live;
  plan->live = facts->live;
  int64_t idle_us = facts->live ? IDLE_DEFAULT_US : 0;
  int64_t ahead_us = facts->live ? AHEAD_DEFAULT_US : 0;
  if (read_duration(time, "out_of_order", 0, false, &plan->out_of_order_us, err) < 0 ||
      read_duration(time, "idle", idle_us, true, &plan->idle_us, err) < 0 ||
      read_duration(time, "ahead", ahead_us, true, &plan->ahead_us, err) < 0) {
    return -1;
  }
  if (!facts->live) plan->ahead_us = 0; /* what was recorded is not ahead of now */
  if (facts->bounded) plan->idle_us = 0;
  return 0;
}

/* Options that only matter where rows come as time passes. */
static const char *useless_options(const tm_bind *bind) {
  const tm_value *time = tm_value_get(bind->options, "time");
  bool idle = tm_value_get(time, "idle") != NULL, ahead = tm_value_get(time, "ahead") != NULL;
  if (!idle && !ahead) return NULL;
  return tm_arena_format(bind->arena, "%s of 'time' %s no effect here: rows of a file do not come "
                         "as time passes", idle && ahead ? "'idle' and 'ahead'"
                         : idle ? "'idle'" : "'ahead'", idle && ahead ? "have" : "has");
}

static int clock_bind(tm_bind *bind, tm_error *err) {
  clock_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->inputs[0]->count + 1) * sizeof *passes);
  if (plan == NULL || passes == NULL) return no_memory(err);
  if (read_plan(bind, plan, err) < 0) return -1;
  const tm_field *field = &bind->inputs[0]->fields[plan->column];
  for (uint32_t i = 0; i < bind->inputs[0]->count; i++) passes[i] = (int32_t)i;
  bind->plan = plan;
  bind->output = bind->inputs[0];
  bind->passes[0] = passes;
  bind->order = TM_ORDER_KEEPS;
  bind->rejects = !field->type.not_null || plan->ahead_us > 0;
  bind->wants_ordinals = true;
  bind->rows_estimate = bind->input_rows[0];
  bind->facts_out.time = field->type;
  bind->disorder_us = plan->out_of_order_us;
  if (bind->job->stream && !bind->facts_in[0].live) bind->advice = useless_options(bind);
  bind->detail = tm_arena_format(bind->arena, "by %s", field->name);
  return bind->detail == NULL ? no_memory(err) : 0;
}

static void clock_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const clock_plan *plan = bind->plan;
  for (uint32_t i = 0; i < bind->output->count; i++) in[0][i] |= needed_out[i];
  in[0][plan->column] = 1;
}

/* ---------------------------------------------------------------- open, close */

static int clock_open(const tm_stage_env *env, void **out, tm_error *err) {
  event_clock *c = tm_alloc_zero(env->budget, sizeof *c);
  if (c == NULL) return no_memory(err);
  c->env = *env;
  c->plan = env->bind->plan;
  c->watermark_us = TM_TIME_NONE;
  c->looked_us = tm_env_get()->monotonic_us();
  *out = c;
  return 0;
}

static void clock_close(void *self) {
  event_clock *c = self;
  tm_free(c->env.budget, c->partitions, c->capacity * sizeof *c->partitions);
  tm_free(c->env.budget, c, sizeof *c);
}

/* NULL when out of memory. */
static partition *partition_of(event_clock *c, uint32_t index) {
  if (index >= c->capacity) {
    uint32_t capacity = c->capacity == 0 ? 4 : c->capacity;
    while (capacity <= index) capacity *= 2;
    partition *grown = tm_alloc(c->env.budget, capacity * sizeof *grown);
    if (grown == NULL) return NULL;
    if (c->count > 0) memcpy(grown, c->partitions, c->count * sizeof *grown);
    tm_free(c->env.budget, c->partitions, c->capacity * sizeof *grown);
    c->partitions = grown;
    c->capacity = capacity;
  }
  /* One that has not been heard of yet, between others, holds nothing back. */
  while (c->count <= index) {
    c->partitions[c->count++] = (partition){.latest_us = TM_TIME_NONE, .gone = true};
  }
  return &c->partitions[index];
}

/* ---------------------------------------------------------------- the times of a batch */

/* NULL when out of memory. Entries of null rows hold anything. */
static int64_t *times_of(const clock_plan *plan, tm_batch *batch) {
  const tm_column *column = &batch->columns[plan->column];
  if (!plan->date) return column->data;
  const int32_t *days = column->data;
  int64_t *times = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *times);
  for (uint32_t i = 0; times != NULL && i < batch->rows; i++) times[i] = days[i] * DAY_US;
  return times;
}

static int refuse(event_clock *c, const tm_batch *batch, uint32_t row, tm_reason reason,
                  tm_out *out, tm_error *err) {
  const char *field = batch->schema->fields[c->plan->column].name;
  char message[256], text[TM_PRINT_MAX + 1];
  if (reason == TM_REASON_NO_TIME) {
    snprintf(message, sizeof message, "'%.100s' is null: the row has no time", field);
  } else {
    text[tm_print_timestamp(text, batch->times[row], 0, true)] = '\0';
    snprintf(message, sizeof message, "'%.100s' is %s, further ahead of now than 'ahead' allows",
             field, text);
  }
  if (tm_out_reject(out, batch, row, reason, c->env.bind->script_line, message) == 0) return 0;
  return no_memory(err);
}

/* Rows without a time, or from the future, leave. */
static int refuse_rows(event_clock *c, tm_batch *batch, tm_out *out, tm_error *err) {
  const clock_plan *plan = c->plan;
  const tm_column *column = &batch->columns[plan->column];
  bool limited = plan->ahead_us > 0 && c->env.bind->job->stream;
  if (column->valid == NULL && !limited) return 0;
  int64_t limit_us = limited ? tm_env_get()->wall_us() + plan->ahead_us : TM_TIME_END;
  uint8_t *bad = NULL;
  int64_t *times = batch->times;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    bool none = tm_column_is_null(column, row);
    if (!none && times[row] <= limit_us) continue;
    if (bad == NULL) {
      if ((bad = tm_batch_alloc(batch, batch->rows + 1)) == NULL) return no_memory(err);
      memset(bad, 0, batch->rows);
    }
    if (none) batch->times = NULL;
    int done = refuse(c, batch, row, none ? TM_REASON_NO_TIME : TM_REASON_FROM_FUTURE, out, err);
    batch->times = times;
    if (done < 0) return -1;
    bad[row] = 1;
  }
  if (bad == NULL) return 0;
  return tm_apply_select(batch, bad, 0) < 0 ? no_memory(err) : 0;
}

/* --from and --to: the other rows are none of this run's. */
static int drop_outside(event_clock *c, tm_batch *batch, tm_error *err) {
  const tm_job_info *job = c->env.bind->job;
  uint8_t *inside = tm_batch_alloc(batch, batch->rows + 1);
  if (inside == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    inside[row] = batch->times[row] >= job->from_us && batch->times[row] < job->to_us;
  }
  int64_t dropped = tm_apply_select(batch, inside, 1);
  if (dropped < 0) return no_memory(err);
  c->env.ledger->filtered += (uint64_t)dropped;
  return 0;
}

/* How far time has come, for whoever has to know once all rows are in. */
static void note_latest(const event_clock *c, const tm_batch *batch) {
  int64_t latest_us = TM_TIME_NONE;
  for (uint32_t i = 0; i < batch->selected; i++) {
    int64_t time_us = batch->times[tm_batch_row(batch, i)];
    latest_us = time_us > latest_us ? time_us : latest_us;
  }
  tm_time_reach_note(c->env.bind->facts_in[0].reach, latest_us);
}

/* The watermark before each row; *latest becomes that after the last. */
static void mark_rows(const tm_batch *batch, int64_t out_of_order_us, int64_t *latest) {
  const int64_t *times = batch->times;
  int64_t *marks = batch->marks, largest = *latest;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    marks[row] = largest == TM_TIME_NONE ? TM_TIME_NONE : largest - out_of_order_us;
    largest = times[row] > largest ? times[row] : largest;
  }
  *latest = largest;
}

/* ---------------------------------------------------------------- watermarks */

static int64_t partition_watermark(const event_clock *c, const partition *p) {
  return p->latest_us == TM_TIME_NONE ? TM_TIME_NONE : p->latest_us - c->plan->out_of_order_us;
}

static bool is_idle(const event_clock *c, const partition *p, int64_t now_us) {
  return c->plan->idle_us > 0 && now_us - p->heard_us >= c->plan->idle_us;
}

/* All are silent: the furthest partition's time, and what the clock has gone since the last of them
 * fell silent. */
static int64_t idle_watermark(const event_clock *c, int64_t now_us) {
  int64_t furthest = TM_TIME_NONE, since_us = INT64_MIN;
  for (uint32_t i = 0; i < c->count; i++) {
    const partition *p = &c->partitions[i];
    int64_t watermark = partition_watermark(c, p);
    furthest = watermark > furthest ? watermark : furthest;
    since_us = p->heard_us > since_us ? p->heard_us : since_us;
  }
  if (furthest == TM_TIME_NONE) return TM_TIME_NONE;
  return furthest + (now_us - since_us - c->plan->idle_us);
}

/* How often it wants to look. */
static int64_t tick_us(const clock_plan *plan) {
  int64_t us = plan->idle_us / 20;
  return us < TICK_MIN_US ? TICK_MIN_US : us > TICK_MAX_US ? TICK_MAX_US : us;
}

/* A look at the monotonic clock. What is more than two ticks was not silence: nobody could come. */
static void look(event_clock *c) {
  int64_t now_us = tm_env_get()->monotonic_us(), passed_us = now_us - c->looked_us;
  int64_t most_us = 2 * tick_us(c->plan);
  c->now_us += passed_us < most_us ? passed_us : most_us;
  c->looked_us = now_us;
}

static int64_t source_watermark(const event_clock *c) {
  int64_t now_us = c->now_us, least = TM_TIME_END;
  for (uint32_t i = 0; i < c->count; i++) {
    const partition *p = &c->partitions[i];
    if (p->gone || is_idle(c, p, now_us)) continue;
    int64_t watermark = partition_watermark(c, p);
    least = watermark < least ? watermark : least;
  }
  if (least != TM_TIME_END) return least;
  return c->plan->idle_us > 0 ? idle_watermark(c, now_us) : TM_TIME_NONE;
}

/* The partition that is furthest behind. */
static const partition *holder(const event_clock *c) {
  const partition *least = NULL;
  for (uint32_t i = 0; i < c->count; i++) {
    const partition *p = &c->partitions[i];
    if (!p->gone && (least == NULL || p->latest_us < least->latest_us)) least = p;
  }
  return least;
}

/* Time stands still: said once, until it moves again. */
static void watch_stall(event_clock *c) {
  int64_t now_us = c->now_us;
  const partition *p = holder(c);
  if (c->warned || p == NULL || now_us - c->moved_us < STALL_US) return;
  c->warned = true;
  tm_log(TM_LOG_WARNING,
         "W412 the watermark of '%s' has not moved for %lld min: partition '%s' %s; windows wait, "
         "and state grows. time = { …, idle = \"30s\" } goes on without it",
         c->env.bind->name, (long long)((now_us - c->moved_us) / 60000000),
         p->name != NULL ? p->name : "0",
         now_us - p->heard_us >= STALL_US ? "is silent" : "is far behind");
}

static void tell(event_clock *c, tm_out *out) {
  if (c->plan->open_ended) return;
  if (c->plan->live && c->count > 0) {
    c->env.wake_at(c->env.waker, c->looked_us + tick_us(c->plan));
  }
  int64_t watermark_us = source_watermark(c);
  if (watermark_us > c->watermark_us) {
    c->watermark_us = watermark_us;
    out->watermark_us = watermark_us;
    c->moved_us = c->now_us;
    c->warned = false;
  }
  if (c->plan->live) watch_stall(c);
}

/* ---------------------------------------------------------------- push, resume, finish */

static int take_rows(event_clock *c, tm_batch *batch, tm_out *out, tm_error *err) {
  if (batch->selected == 0) return 0;
  batch->times = times_of(c->plan, batch);
  if (batch->times == NULL) return no_memory(err);
  if (refuse_rows(c, batch, out, err) < 0) return -1;
  if (c->env.bind->job->ranged && drop_outside(c, batch, err) < 0) return -1;
  note_latest(c, batch);
  if (!c->env.bind->job->stream) return 0;
  batch->marks = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *batch->marks);
  partition *p = partition_of(c, c->plan->by_partition ? batch->origin.file_index : 0);
  if (batch->marks == NULL || p == NULL) return no_memory(err);
  if (p->gone) p->latest_us = TM_TIME_NONE; /* another one, under a number that was free again */
  mark_rows(batch, c->plan->out_of_order_us, &p->latest_us);
  p->gone = false;
  p->name = batch->origin.file;
  p->heard_us = c->now_us;
  return 0;
}

static tm_flow clock_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  event_clock *c = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, c->env.budget);
  if (batch == NULL) return no_memory(err);
  if (c->plan->live) look(c);
  if (take_rows(c, batch, out, err) < 0) {
    tm_batch_release(batch);
    return TM_FLOW_FAILED;
  }
  if (batch->ends_partition && c->plan->by_partition && batch->origin.file_index < c->count) {
    c->partitions[batch->origin.file_index].gone = true;
  }
  batch->ends_partition = false;
  tm_out_emit(out, batch);
  if (c->env.bind->job->stream) tell(c, out);
  return TM_FLOW_INPUT;
}

/* After a wake: somebody may have become idle. */
static tm_flow clock_resume(void *self, tm_out *out, tm_error *err) {
  event_clock *c = self;
  (void)err;
  if (c->plan->live) look(c);
  if (c->env.bind->job->stream) tell(c, out);
  return TM_FLOW_INPUT;
}

static tm_flow clock_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  const tm_bind *bind = ((event_clock *)self)->env.bind;
  (void)port;
  (void)out;
  (void)err;
  bool to = bind->job->ranged && bind->job->to_us != TM_TIME_END;
  if (to) tm_time_reach_note(bind->facts_in[0].reach, bind->job->to_us);
  return TM_FLOW_FINISHED;
}

/* ---------------------------------------------------------------- save, restore */

static int clock_save(void *self, tm_bytes *out, tm_error *err) {
  event_clock *c = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)c->watermark_us);
  tm_record_put(&w, c->count);
  for (uint32_t i = 0; i < c->count; i++) {
    const partition *p = &c->partitions[i];
    tm_record_put(&w, (uint64_t)p->latest_us);
    tm_record_put(&w, (uint64_t)(c->now_us - p->heard_us)); /* clocks differ from run to run */
    tm_record_put(&w, p->gone);
  }
  return tm_record_end(&w, err);
}

static int clock_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  event_clock *c = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  c->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  uint64_t count = tm_record_get(&r, PARTITIONS_MAX);
  for (uint32_t i = 0; i < count && !r.failed; i++) {
    partition *p = partition_of(c, i);
    if (p == NULL) return no_memory(err);
    p->latest_us = (int64_t)tm_record_get(&r, UINT64_MAX);
    p->heard_us = c->now_us - (int64_t)tm_record_get(&r, INT64_MAX);
    p->gone = tm_record_get(&r, 1);
    tm_time_reach_note(c->env.bind->facts_in[0].reach, p->latest_us);
  }
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_clock = {
  .size = sizeof(tm_stage),
  .name = "clock",
  .summary = "the event time of rows, and how far it has come",
  .inputs = 1,
  .listens = true,
  .bind = clock_bind,
  .need = clock_need,
  .open = clock_open,
  .restore = clock_restore,
  .push = clock_push,
  .resume = clock_resume,
  .save = clock_save,
  .finish = clock_finish,
  .close = clock_close,
};
