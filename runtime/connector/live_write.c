/* connector/live_write.c: the files of a stream: tm.csv and its like, where input has no end, or
 * where the path holds {date}.
 *
 * Without {date} the file is written in place, under its name, from the beginning of the run; it
 * has its header at once, and rows a tenth of a second after they came. A run that ends, however
 * it ends, leaves what it wrote.
 *
 * With {date} each day of event time (in the zone of the time column, else UTC) has a file of its
 * own. Where input has no end it is NAME.part until the watermark has passed its day, or the run
 * ends; rows that come later are put behind the others, and so are those of a later run: nothing is
 * lost. Of bounded input all files appear at the end, if the run succeeds, as those of a batch. */
#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "format/format_options.h"
#include "io/live_file.h"
#include "io/rolling.h"
#include "io/source_files.h"
#include "stage/end_options.h"
#include "stage/options.h"

#define DAY_US (INT64_C(86400) * 1000000)
enum { FLUSH_US = 100 * 1000 };

typedef struct live_write_plan {
  tm_writing writing;
  const tm_format *format;
  const char *path;    /* with {date}, where files roll */
  bool rolls, bounded;
  const tm_zone *zone; /* NULL: UTC */
} live_write_plan;

typedef struct live_write_shared {
  tm_budget *budget;
  const live_write_plan *plan;
  tm_live_file *file;  /* one of the two */
  tm_rolling *rolling;
  tm_writer *writer;
  tm_bytes head, text;
} live_write_shared;

typedef struct live_write {
  tm_stage_env env;
  live_write_shared *shared;
  int64_t flush_us;    /* when what was written is to be flushed; 0: nothing was */
  int64_t day_from_us, day_to_us; /* of the day found last */
  int64_t day;
} live_write;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "writing: out of memory"); }

/* ---------------------------------------------------------------- bind */

/* Refused rows have no time of their own: {date} is the run's there, and in a flow without event
 * time that has an end. */
static bool rolls(const tm_bind *bind) {
  if (bind->input_count == 0 || tm_value_get(bind->options, TM_DATED_PATH) == NULL) return false;
  return bind->facts_in[0].time.kind != TM_NULLTYPE || !bind->facts_in[0].bounded;
}

static bool live_write_serves(const tm_bind *bind) {
  const char *path = tm_value_text(bind->options, "path", "");
  bool file = strcmp(bind->verb, "stdout") != 0 && strcmp(path, "-") != 0;
  return file && bind->job->stream && (!bind->facts_in[0].bounded || rolls(bind));
}

static int bind_path(tm_bind *bind, live_write_plan *plan, tm_error *err) {
  const tm_value *path = tm_value_get(bind->options, "path");
  if (path == NULL || path->kind != TM_VALUE_TEXT) {
    return tm_fail(err, TM_E_VALUE, "tm.%s writes to one path, a text", bind->verb);
  }
  plan->rolls = rolls(bind);
  plan->path = plan->rolls ? tm_value_text(bind->options, TM_DATED_PATH, NULL)
                           : tm_source_files_date(bind->arena, path->text, bind->job->date);
  if (plan->path == NULL) return no_memory(err);
  if (!plan->rolls || bind->facts_in[0].time.kind != TM_NULLTYPE) return 0;
  tm_fail(err, TM_E_VALUE, "{date} in the path of a stream's output is the day of each row, but "
          "rows have no event time");
  return tm_error_help(err, "give the source time = \"column\", or leave {date} out");
}

static int live_write_bind(tm_bind *bind, tm_error *err) {
  live_write_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  plan->format = tm_format_find(bind->verb);
  if (tm_end_options_check(bind, bind->verb, err) < 0 || bind_path(bind, plan, err) < 0 ||
      tm_format_options_read(bind->arena, bind->options, plan->path, &plan->writing.options,
                             err) < 0) {
    return -1;
  }
  plan->writing.schema = bind->inputs[0];
  if (plan->format->check_columns != NULL &&
      plan->format->check_columns(bind->inputs[0], err) < 0) {
    return -1;
  }
  plan->bounded = bind->facts_in[0].bounded;
  plan->zone = bind->facts_in[0].time.zone;
  bind->plan = plan;
  bind->single = bind->ordered = true;
  bind->detail = plan->path;
  return 0;
}

/* ---------------------------------------------------------------- share */

static void live_write_unshare(void *object) {
  live_write_shared *s = object;
  tm_live_file_close(s->file);
  tm_rolling_destroy(s->rolling);
  if (s->writer != NULL) s->plan->format->writer_destroy(s->writer);
  tm_bytes_deinit(&s->head);
  tm_bytes_deinit(&s->text);
  tm_free(s->budget, s, sizeof *s);
}

/* What a file without rows holds. */
static int make_head(live_write_shared *s, const tm_writing *writing, tm_error *err) {
  const tm_format *format = s->plan->format;
  tm_writer *writer = format->writer_create(writing, err);
  if (writer == NULL) return -1;
  int done = format->writer_finish(writer, &s->head, err);
  format->writer_destroy(writer);
  return done;
}

static int open_files(live_write_shared *s, tm_error *err) {
  const live_write_plan *plan = s->plan;
  if (plan->rolls) {
    tm_rolling_options options = {.path = plan->path, .head = s->head.data,
                                  .head_size = s->head.size, .adds = !plan->bounded};
    s->rolling = tm_rolling_create(s->budget, &options, err);
    return s->rolling == NULL ? -1 : 0;
  }
  if (tm_live_file_open(&s->file, s->budget, plan->path, plan->path, TM_LIVE_REPLACES, err) < 0 ||
      tm_live_file_write(s->file, s->head.data, s->head.size, err) < 0) {
    return -1;
  }
  return tm_live_file_flush(s->file, err);
}

static int live_write_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                            tm_error *err) {
  live_write_shared *s = tm_alloc_zero(budget, sizeof *s);
  (void)lanes;
  if (s == NULL) return no_memory(err);
  s->budget = budget;
  s->plan = bind->plan;
  tm_bytes_init(&s->head, budget);
  tm_bytes_init(&s->text, budget);
  tm_writing writing = s->plan->writing;
  writing.budget = budget;
  tm_writing rows = writing;
  rows.options.header = false;
  if (make_head(s, &writing, err) < 0 ||
      (s->writer = s->plan->format->writer_create(&rows, err)) == NULL ||
      open_files(s, err) < 0) {
    live_write_unshare(s);
    return -1;
  }
  *out = s;
  return 0;
}

/* ---------------------------------------------------------------- open, close */

static int live_write_open(const tm_stage_env *env, void **out, tm_error *err) {
  live_write *w = tm_alloc_zero(env->budget, sizeof *w);
  if (w == NULL) return no_memory(err);
  w->env = *env;
  w->shared = env->shared;
  *out = w;
  return 0;
}

static void live_write_close(void *self) {
  live_write *w = self;
  tm_free(w->env.budget, w, sizeof *w);
}

/* ---------------------------------------------------------------- rows by day */

static int64_t day_of(live_write *w, int64_t time_us) {
  if (time_us >= w->day_from_us && time_us < w->day_to_us) return w->day;
  const tm_zone *zone = w->shared->plan->zone;
  w->day = zone != NULL ? tm_zone_day_at(zone, time_us)
                        : time_us / DAY_US - (time_us % DAY_US < 0);
  w->day_from_us = zone != NULL ? tm_zone_day_start(zone, w->day) : w->day * DAY_US;
  w->day_to_us = zone != NULL ? tm_zone_day_start(zone, w->day + 1) : w->day_from_us + DAY_US;
  return w->day;
}

static int write_rows(live_write_shared *s, const tm_batch *batch, tm_error *err) {
  tm_bytes_clear(&s->text);
  return s->plan->format->writer_write(s->writer, batch, &s->text, err);
}

static int write_day(live_write_shared *s, const tm_batch *batch, int64_t day, tm_error *err) {
  if (write_rows(s, batch, err) < 0) return -1;
  return tm_rolling_write(s->rolling, (int32_t)day, s->text.data, s->text.size, err);
}

/* The rows of the first row's day; the others, in their order, to *rest. The count of the rest. */
static uint32_t split_day(live_write *w, const tm_batch *batch, uint32_t *own, uint32_t *own_count,
                          uint32_t *rest, int64_t *day) {
  uint32_t left = 0;
  *own_count = 0;
  *day = day_of(w, batch->times[tm_batch_row(batch, 0)]);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    if (day_of(w, batch->times[row]) == *day) own[(*own_count)++] = row;
    else rest[left++] = row;
  }
  return left;
}

/* A header of its own, whose selection goes over the days. */
static int write_by_day(live_write *w, tm_batch *batch, tm_error *err) {
  live_write_shared *s = w->shared;
  uint32_t *own = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *own);
  uint32_t *rest = tm_batch_alloc(batch, 2 * (batch->rows + 1) * sizeof *rest);
  uint32_t *other = rest + batch->rows + 1, own_count;
  int64_t day;
  if (own == NULL || rest == NULL) return no_memory(err);
  while (batch->selected > 0) {
    uint32_t left = split_day(w, batch, own, &own_count, rest, &day);
    batch->selection = own;
    batch->selected = own_count;
    if (write_day(s, batch, day, err) < 0) return -1;
    batch->selection = rest;
    batch->selected = left;
    uint32_t *swap = rest;
    rest = other;
    other = swap;
  }
  return 0;
}

static int write_batch(live_write *w, tm_batch *taken, tm_error *err) {
  live_write_shared *s = w->shared;
  if (s->file != NULL) {
    int done = write_rows(s, taken, err);
    tm_batch_release(taken);
    return done < 0 ? -1 : tm_live_file_write(s->file, s->text.data, s->text.size, err);
  }
  tm_batch *batch = tm_batch_own(taken, w->env.budget);
  if (batch == NULL) return no_memory(err);
  assert(batch->times != NULL || batch->selected == 0);
  int done = write_by_day(w, batch, err);
  tm_batch_release(batch);
  return done;
}

/* ---------------------------------------------------------------- push, advance, resume, finish */

static int flush(live_write_shared *s, tm_error *err) {
  return s->file != NULL ? tm_live_file_flush(s->file, err) : tm_rolling_flush(s->rolling, err);
}

static bool waits(const live_write_shared *s) {
  if (s->plan->bounded) return false; /* nobody looks before the end */
  return s->file != NULL ? tm_live_file_waits(s->file) : tm_rolling_waits(s->rolling);
}

static tm_flow live_write_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                               tm_error *err) {
  live_write *w = self;
  (void)port;
  (void)out;
  if (write_batch(w, taken, err) < 0) return TM_FLOW_FAILED;
  if (w->flush_us == 0 && waits(w->shared)) {
    w->flush_us = tm_env_get()->monotonic_us() + FLUSH_US;
    w->env.wake_at(w->env.waker, w->flush_us);
  }
  return TM_FLOW_INPUT;
}

/* After a wake, whosever it was. */
static tm_flow live_write_resume(void *self, tm_out *out, tm_error *err) {
  live_write *w = self;
  (void)out;
  if (w->flush_us == 0) return TM_FLOW_INPUT;
  if (tm_env_get()->monotonic_us() < w->flush_us) {
    w->env.wake_at(w->env.waker, w->flush_us);
    return TM_FLOW_INPUT;
  }
  w->flush_us = 0;
  return flush(w->shared, err) < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

static tm_flow live_write_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                                  tm_error *err) {
  live_write *w = self;
  live_write_shared *s = w->shared;
  (void)port;
  (void)out;
  if (s->rolling == NULL || s->plan->bounded) return TM_FLOW_INPUT;
  int64_t day = day_of(w, watermark_us);
  return tm_rolling_publish(s->rolling, day, err) < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

static tm_flow live_write_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  live_write *w = self;
  (void)port;
  (void)out;
  if (w->env.lane != 0) return TM_FLOW_FINISHED;
  return flush(w->shared, err) < 0 ? TM_FLOW_FAILED : TM_FLOW_FINISHED;
}

/* ---------------------------------------------------------------- publish */

static int live_write_seal(void *shared, tm_error *err) {
  live_write_shared *s = shared;
  return s->file != NULL ? tm_live_file_seal(s->file, err)
                         : tm_rolling_seal(s->rolling, INT64_MAX, err);
}

/* Without end nothing is taken back: what came is there, whatever became of the run. */
static int live_write_publish(void *shared, bool commit, tm_error *err) {
  live_write_shared *s = shared;
  if (s->file != NULL) return commit ? 0 : tm_live_file_seal(s->file, err);
  if (commit || !s->plan->bounded) return tm_rolling_publish(s->rolling, INT64_MAX, err);
  tm_rolling_discard(s->rolling);
  return 0;
}

const tm_stage tm_stage_live_write = {
  .size = sizeof(tm_stage),
  .name = "csv",
  .aliases = "jsonl msgpack lines",
  .summary = "write a file while it is read",
  .inputs = 1,
  .sink = true,
  .listens = true,
  .serves = live_write_serves,
  .bind = live_write_bind,
  .share = live_write_share,
  .open = live_write_open,
  .push = live_write_push,
  .resume = live_write_resume,
  .advance = live_write_advance,
  .finish = live_write_finish,
  .close = live_write_close,
  .unshare = live_write_unshare,
  .seal = live_write_seal,
  .publish = live_write_publish,
};
