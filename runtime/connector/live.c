/* connector/live.c: rows that come as they happen: tm.tail, files that grow, and tm.tcp,
 * connections.
 *
 * Lane 0 alone delivers, in the order in which things came; it sleeps while nothing does. Where a
 * partition ends (a connection was closed), a batch without rows says so. What is malformed is
 * refused like any row; a connection that cannot be read at all, for its header lacks a column,
 * is refused as one row and given up, and fails the run only where no `bad` takes refused rows.
 *
 * Neither has an end: a stream may use them, a batch may not.
 *
 * Saved is where each file goes on, and the rows at hand that were not given yet. Connections do
 * not survive: those that were open end when a state is restored, and what they had sent but the
 * lane had not got is lost. */
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/log.h"
#include "format/format_options.h"
#include "io/source_files.h"
#include "io/tail.h"
#include "io/tcp_input.h"
#include "stage/end_options.h"
#include "stage/options.h"
#include "stage/parse.h"
#include "state/record.h"

/* Made by bind. */
typedef struct live_plan {
  tm_reading reading;
  tm_tail_options tail;
  tm_tcp_address address;
  bool is_tcp, listens;
} live_plan;

typedef struct live_shared {
  tm_budget *budget;
  tm_reading reading;
  uint8_t *early;
  tm_tail *tail;     /* one of the two */
  tm_tcp_input *tcp;
  tm_arena names;    /* of connections that ended with an earlier run */
} live_shared;

typedef struct live {
  tm_parse parse;
  live_shared *shared;
  bool drained;
  uint32_t number;     /* of the file whose block the parser has */
  /* Connections that rows came of and that have not ended, by partition: their names, or NULL. */
  const char **open;
  uint32_t open_capacity;
  uint32_t ending;     /* partitions below it, if open, are of an earlier run and end now */
} live;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

/* ---------------------------------------------------------------- bind */

static int bind_patterns(tm_bind *bind, live_plan *plan, tm_error *err) {
  const tm_value *path = tm_value_get(bind->options, "path");
  bool list = path != NULL && path->kind == TM_VALUE_TABLE;
  size_t count = list ? path->item_count : path != NULL && path->kind == TM_VALUE_TEXT;
  if (count == 0) {
    tm_fail(err, TM_E_VALUE, "tm.tail needs a path");
    return tm_error_help(err, "tm.tail { path = \"log/*.jsonl\", format = \"jsonl\", schema = … }");
  }
  const char **patterns = tm_arena_alloc(bind->arena, count * sizeof *patterns);
  if (patterns == NULL) return no_memory(err);
  for (size_t i = 0; i < count; i++) {
    const tm_value *one = list ? &path->items[i] : path;
    if (one->kind != TM_VALUE_TEXT || *one->text == '\0' || strcmp(one->text, "-") == 0) {
      return tm_fail(err, TM_E_VALUE, "tm.tail reads files: its path is a text or a list of texts");
    }
    patterns[i] = tm_source_files_date(bind->arena, one->text, bind->job->date);
    if (patterns[i] == NULL) return no_memory(err);
  }
  plan->tail.patterns = patterns;
  plan->tail.pattern_count = count;
  return 0;
}

static int bind_tail(tm_bind *bind, live_plan *plan, tm_error *err) {
  const char *from = tm_value_text(bind->options, "from", "start");
  plan->tail.from_end = strcmp(from, "end") == 0;
  plan->tail.by_file = strcmp(tm_value_text(bind->options, "partitions", ""), "files") == 0;
  if (!plan->tail.from_end && strcmp(from, "start") != 0) {
    tm_fail(err, TM_E_VALUE, "option 'from' of tm.tail is \"start\" or \"end\", not \"%.60s\"",
            from);
    tm_error_token(err, "from", "");
    return -1;
  }
  return bind_patterns(bind, plan, err);
}

/* "HOST:PORT" of a source or a sink. */
static int bind_tcp(tm_bind *bind, live_plan *plan, tm_error *err) {
  const char *listen = tm_value_text(bind->options, "listen", NULL);
  const char *connect = tm_value_text(bind->options, "connect", NULL);
  if ((listen == NULL) == (connect == NULL)) {
    tm_fail(err, TM_E_VALUE, "tm.tcp takes either 'listen' or 'connect'");
    return tm_error_help(err, "tm.tcp { listen = \"127.0.0.1:9000\", format = \"jsonl\", … }");
  }
  plan->is_tcp = true;
  plan->listens = listen != NULL;
  if (tm_tcp_address_parse(listen != NULL ? listen : connect, &plan->address, err) < 0) {
    tm_error_token(err, listen != NULL ? "listen" : "connect", "");
    return -1;
  }
  if (plan->listens || strcmp(plan->address.port, "0") != 0) return 0;
  return tm_fail(err, TM_E_VALUE, "nobody can connect to port 0");
}

/* The columns of a file that is there. A connection shows nothing before the run. */
static int sniff(tm_bind *bind, live_plan *plan, tm_error *err) {
  tm_reading *r = &plan->reading;
  tm_source_files files = {0};
  tm_error missing = {0};
  const char *data;
  size_t size = 0;
  bool whole;
  const tm_input_head *head;
  tm_sniffed found;
  bool there = !plan->is_tcp &&
               tm_source_files_find(bind->arena, tm_value_get(bind->options, "path"),
                                    bind->job->date, &files, &missing) == 0;
  if (there && tm_input_sample(bind->arena, files.items[0].path, TM_SNIFF_BYTES, &data, &size,
                               &whole, &head, err) < 0) {
    return -1;
  }
  if (size == 0) {
    tm_fail(err, TM_E_SCHEMA, "tm.%s needs a schema: nothing is there yet that shows the columns",
            bind->verb);
    return tm_error_help(err, "schema = \"id int64, at timestamp, name string\"");
  }
  if (r->format->sniff(bind->arena, &r->options, NULL, files.items[0].name, data, size, whole,
                       &found, err) < 0) {
    return -1;
  }
  r->options = found.options;
  r->schema = found.schema;
  return 0;
}

static int bind_columns(tm_bind *bind, live_plan *plan, tm_error *err) {
  tm_reading *r = &plan->reading;
  const char *ddl = tm_value_text(bind->options, "schema", NULL);
  if (strcmp(r->format->name, "lines") == 0) ddl = "line string";
  if (ddl == NULL) return sniff(bind, plan, err);
  r->schema = tm_schema_parse(bind->arena, ddl, err);
  if (r->options.delimiter == 0) r->options.delimiter = ',';
  return r->schema == NULL ? -1 : 0;
}

static int bind_format(tm_bind *bind, live_plan *plan, tm_error *err) {
  tm_reading *r = &plan->reading;
  r->format = tm_end_options_format(bind, err);
  if (r->format == NULL || tm_end_options_check(bind, r->format->name, err) < 0) return -1;
  r->batch_rows = bind->job->batch_rows;
  r->block_bytes = bind->job->block_bytes;
  r->record_bytes_max = TM_RECORD_BYTES_MAX;
  const char *path = tm_value_text(bind->options, "path", NULL);
  return tm_format_options_read(bind->arena, bind->options, path, &r->options, err);
}

static int refuse_batch(const tm_bind *bind, bool is_tcp, tm_error *err) {
  tm_fail(err, TM_E_JOB, "tm.%s has no end: a batch cannot read it", bind->verb);
  return tm_error_help(err, is_tcp ? "use tm.stream { … }"
                                   : "use tm.stream { … }; tm.csv and tm.jsonl read what is there");
}

static int live_bind(tm_bind *bind, tm_error *err) {
  live_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  bool is_tcp = strcmp(bind->verb, "tcp") == 0;
  if (plan == NULL) return no_memory(err);
  if (bind_format(bind, plan, err) < 0) return -1;
  if ((is_tcp ? bind_tcp : bind_tail)(bind, plan, err) < 0) return -1;
  if (bind_columns(bind, plan, err) < 0) return -1;
  if (!bind->job->stream) return refuse_batch(bind, is_tcp, err);
  bind->plan = plan;
  bind->output = plan->reading.schema;
  bind->order = TM_ORDER_MAKES;
  bind->rejects = true;
  bind->facts_out.bounded = false;
  bind->facts_out.live = true;
  bind->detail = is_tcp ? tm_arena_format(bind->arena, "%s %s", plan->listens ? "listens on" :
                                          "connects to", plan->address.text)
                        : tm_arena_format(bind->arena, "%s, as it grows", plan->tail.patterns[0]);
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* ---------------------------------------------------------------- share */

static size_t early_bytes(const live_shared *s) { return s->reading.schema->count + 1; }

static void live_unshare(void *object) {
  live_shared *s = object;
  tm_tail_close(s->tail);
  tm_tcp_input_close(s->tcp);
  tm_arena_deinit(&s->names);
  if (s->early != NULL) tm_free(s->budget, s->early, early_bytes(s));
  tm_free(s->budget, s, sizeof *s);
}

static int live_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                      tm_error *err) {
  const live_plan *plan = bind->plan;
  live_shared *s = tm_alloc_zero(budget, sizeof *s);
  (void)lanes;
  if (s == NULL) return no_memory(err);
  s->budget = budget;
  tm_arena_init(&s->names, budget);
  s->reading = plan->reading;
  s->early = tm_alloc_zero(budget, early_bytes(s));
  if (s->early == NULL) {
    live_unshare(s);
    return no_memory(err);
  }
  tm_parse_complete(&s->reading, bind, s->early);
  if (plan->is_tcp) {
    s->tcp = tm_tcp_input_open(budget, &s->reading, &plan->address, plan->listens, err);
  } else {
    s->tail = tm_tail_open(budget, &s->reading, &plan->tail, err);
  }
  if (s->tcp == NULL && s->tail == NULL) {
    live_unshare(s);
    return -1;
  }
  if (plan->is_tcp && plan->listens) {
    tm_log(TM_LOG_NOTICE, "listening on %s", tm_tcp_input_text(s->tcp));
  }
  *out = s;
  return 0;
}

/* ---------------------------------------------------------------- open, close */

static void live_close(void *self) {
  live *l = self;
  tm_budget *budget = l->parse.env.budget;
  tm_parse_close(&l->parse);
  tm_free(budget, l->open, l->open_capacity * sizeof *l->open);
  tm_free(budget, l, sizeof *l);
}

static int live_open(const tm_stage_env *env, void **out, tm_error *err) {
  live *l = tm_alloc_zero(env->budget, sizeof *l);
  if (l == NULL) return no_memory(err);
  l->shared = env->shared;
  if (tm_parse_open(&l->parse, env, &l->shared->reading, err) < 0) {
    live_close(l);
    return -1;
  }
  if (env->lane == 0 && l->shared->tcp != NULL) {
    tm_live_input_listen(tm_tcp_input_queue(l->shared->tcp), env->wake, env->waker);
  }
  *out = l;
  return 0;
}

/* ---------------------------------------------------------------- resume */

/* Notes the name of a connection that has something, NULL when it ends. 0 or -1. */
static int note_open(live *l, uint32_t partition, const char *name, tm_error *err) {
  if (l->shared->tcp == NULL) return 0;
  if (partition >= l->open_capacity) {
    uint32_t capacity = l->open_capacity == 0 ? 16 : l->open_capacity;
    while (capacity <= partition) capacity *= 2;
    const char **grown = tm_alloc_zero(l->parse.env.budget, capacity * sizeof *grown);
    if (grown == NULL) return no_memory(err);
    if (l->open_capacity > 0) memcpy(grown, l->open, l->open_capacity * sizeof *grown);
    tm_free(l->parse.env.budget, l->open, l->open_capacity * sizeof *grown);
    l->open = grown;
    l->open_capacity = capacity;
  }
  l->open[partition] = name;
  return 0;
}

/* The end of a partition, and why if it was given up. */
static int end_partition(live *l, const tm_live_item *item, tm_out *out, tm_error *err) {
  tm_batch *batch = tm_batch_create(l->parse.env.budget, l->shared->reading.schema, 0);
  if (batch == NULL) return no_memory(err);
  batch->origin = (tm_origin){.source = l->shared->reading.source, .file = item->name,
                              .file_index = item->partition};
  batch->ends_partition = true;
  tm_out_emit(out, batch);
  if (item->wrong[0] == '\0') return 0;
  tm_reject reject = {.reason = TM_REASON_RAGGED, .message = item->wrong, .file = item->name,
                      .source = l->shared->reading.source, .file_index = item->partition,
                      .offset = -1, .raw = tm_str_make("", 0), .event_time_us = TM_TIME_NONE,
                      .watermark_us = TM_TIME_NONE};
  return tm_out_reject_raw(out, &reject) < 0 ? no_memory(err) : 0;
}

/* Nothing more is read. What came over a connection already is let out. */
static bool is_over(live *l) {
  if (!__atomic_load_n(l->parse.env.draining, __ATOMIC_ACQUIRE)) return false;
  if (l->shared->tcp == NULL) return true;
  if (!l->drained) tm_tcp_input_drain(l->shared->tcp);
  l->drained = true;
  return false;
}

static tm_live_answer take(live *l, tm_live_item *out, tm_error *err) {
  if (l->shared->tcp != NULL) {
    return tm_live_input_take(tm_tcp_input_queue(l->shared->tcp), out, err);
  }
  int64_t look_us = 0;
  tm_live_answer answer = tm_tail_take(l->shared->tail, out, &look_us, err);
  if (answer == TM_LIVE_LATER) l->parse.env.wake_at(l->parse.env.waker, look_us);
  return answer;
}

/* Connections of an earlier run are gone. true: one was told. */
static bool end_earlier(live *l, tm_out *out, tm_error *err, int *done) {
  while (l->ending > 0) {
    uint32_t partition = --l->ending;
    const char *name = partition < l->open_capacity ? l->open[partition] : NULL;
    if (name == NULL) continue;
    l->open[partition] = NULL;
    *done = end_partition(l, &(tm_live_item){.name = name, .partition = partition}, out, err);
    return true;
  }
  return false;
}

/* INPUT: something was taken; else the word for the lane. */
static tm_flow take_item(live *l, tm_out *out, tm_error *err) {
  tm_live_item item;
  int done = 0;
  if (end_earlier(l, out, err, &done)) return done < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
  if (is_over(l)) return TM_FLOW_FINISHED;
  switch (take(l, &item, err)) {
    case TM_LIVE_FAILED: return TM_FLOW_FAILED;
    case TM_LIVE_END: return TM_FLOW_FINISHED;
    case TM_LIVE_LATER: return TM_FLOW_BLOCKED;
    case TM_LIVE_TAKEN: break;
  }
  l->number = item.number;
  if (item.block != NULL && tm_parse_begin(&l->parse, item.block, out, err) < 0) {
    return TM_FLOW_FAILED;
  }
  if (note_open(l, item.partition, item.ends ? NULL : item.name, err) < 0) return TM_FLOW_FAILED;
  if (item.ends && end_partition(l, &item, out, err) < 0) return TM_FLOW_FAILED;
  return TM_FLOW_INPUT;
}

static tm_flow live_resume(void *self, tm_out *out, tm_error *err) {
  live *l = self;
  if (l->parse.env.lane != 0) return TM_FLOW_FINISHED;
  int64_t until_us = tm_env_get()->monotonic_us() + TM_YIELD_US;
  do {
    if (!l->parse.busy) {
      tm_flow flow = take_item(l, out, err);
      if (flow != TM_FLOW_INPUT) return flow;
    } else if (tm_parse_step(&l->parse, out, err) == TM_FLOW_FAILED) {
      return TM_FLOW_FAILED;
    }
  } while (out->main == NULL && out->reject_count == 0 &&
           tm_env_get()->monotonic_us() < until_us);
  return TM_FLOW_MORE;
}

/* ---------------------------------------------------------------- save */

static int save_places(live *l, tm_record_writer *w, tm_error *err) {
  const tm_tail *tail = l->shared->tail;
  tm_tail_progress progress = tm_tail_progress_of(tail);
  const uint64_t head[] = {progress.sequence, progress.next_number, progress.file_count};
  for (size_t i = 0; i < 3; i++) tm_record_put(w, head[i]);
  for (uint32_t i = 0; i < progress.file_count; i++) {
    tm_tail_place p;
    if (tm_tail_place_of(tail, i, &p, err) < 0) return -1;
    const uint64_t fields[] = {p.device, p.inode, p.number, p.known, p.begun, p.at.offset,
                               p.at.line, p.at.skipping, p.at.state, p.at.left};
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) tm_record_put(w, fields[k]);
    tm_record_put_bytes(w, p.path, strlen(p.path));
    tm_record_put_bytes(w, p.last, p.last_size);
  }
  return 0;
}

/* What the parser has and did not give yet. */
static void save_rest(const live *l, tm_record_writer *w) {
  tm_parser_rest rest;
  const tm_format *format = l->shared->reading.format;
  const tm_block *b = l->parse.busy ? format->parser_rest(l->parse.parser, &rest) : NULL;
  bool some = b != NULL && rest.from < b->size;
  tm_record_put(w, some);
  if (!some) return;
  const uint64_t fields[] = {l->number, rest.line, b->offset + rest.from, b->sequence,
                             rest.batches, rest.told};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) tm_record_put(w, fields[i]);
  tm_record_put_bytes(w, b->data + rest.from, b->size - rest.from);
}

static int live_save(void *self, tm_bytes *out, tm_error *err) {
  live *l = self;
  tm_record_writer w = {.out = out};
  if (l->parse.env.lane != 0) return 0;
  if (l->shared->tail != NULL) {
    if (save_places(l, &w, err) < 0) return -1;
    save_rest(l, &w);
    return tm_record_end(&w, err);
  }
  uint32_t count = l->open_capacity;
  while (count > 0 && l->open[count - 1] == NULL) count--;
  tm_record_put(&w, count);
  for (uint32_t i = 0; i < count; i++) {
    const char *name = l->open[i] == NULL ? "" : l->open[i];
    tm_record_put_bytes(&w, name, strlen(name));
  }
  return tm_record_end(&w, err);
}

/* ---------------------------------------------------------------- restore */

static int restore_place(live *l, tm_record_reader *r, tm_error *err) {
  tm_tail_place p = {.device = tm_record_get(r, UINT64_MAX)};
  p.inode = tm_record_get(r, UINT64_MAX);
  p.number = (uint32_t)tm_record_get(r, UINT32_MAX);
  p.known = tm_record_get(r, 1);
  p.begun = tm_record_get(r, 1);
  uint64_t *const at[] = {&p.at.offset, &p.at.line, &p.at.skipping, &p.at.state, &p.at.left};
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) *at[i] = tm_record_get(r, INT64_MAX);
  size_t path_size, last_size;
  const uint8_t *path = tm_record_view(r, &path_size);
  const uint8_t *last = tm_record_view(r, &last_size);
  if (r->failed || last_size > TM_TAIL_LAST || last_size > p.at.offset) {
    return tm_fail(err, TM_E_LOCKED, "saved state does not fit");
  }
  p.path = tm_arena_text(&l->shared->names, (const char *)path, path_size);
  if (p.path == NULL) return no_memory(err);
  if (last_size > 0) memcpy(p.last, last, last_size);
  p.last_size = last_size;
  return tm_tail_seek(l->shared->tail, &p, err) < 0 ? -1 : 0;
}

static int restore_rest(live *l, tm_record_reader *r, tm_error *err) {
  tm_block like = {0};
  if (tm_record_get(r, 1) == 0) return tm_record_close(r, err);
  l->number = (uint32_t)tm_record_get(r, UINT32_MAX);
  like.first_line = tm_record_get(r, UINT64_MAX);
  like.offset = tm_record_get(r, UINT64_MAX);
  like.sequence = tm_record_get(r, UINT64_MAX);
  like.first_batch = (uint32_t)tm_record_get(r, UINT32_MAX);
  like.told = tm_record_get(r, 1) != 0;
  size_t size;
  const uint8_t *bytes = tm_record_view(r, &size);
  if (tm_record_close(r, err) < 0) return -1;
  bool text = l->shared->reading.format->ends_lines;
  if (size == 0 || size > UINT32_MAX || (text && bytes[size - 1] != '\n')) {
    return tm_fail(err, TM_E_LOCKED, "saved state does not fit");
  }
  tm_block *b = tm_tail_block(l->shared->tail, l->number, &like, bytes, size, err);
  if (b == NULL) return err->code == TM_E_NONE ? 0 : -1; /* its file has gone: that was told */
  return tm_parse_begin(&l->parse, b, NULL, err);
}

static int live_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  live *l = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  if (l->parse.env.lane != 0) return tm_record_close(&r, err);
  if (l->shared->tail != NULL) {
    tm_tail_progress progress = {.sequence = tm_record_get(&r, UINT64_MAX / 2)};
    progress.next_number = (uint32_t)tm_record_get(&r, UINT32_MAX);
    progress.file_count = (uint32_t)tm_record_get(&r, UINT32_MAX);
    tm_tail_go_on(l->shared->tail, &progress);
    for (uint32_t i = 0; i < progress.file_count && !r.failed; i++) {
      if (restore_place(l, &r, err) < 0) return -1;
    }
    return restore_rest(l, &r, err);
  }
  l->ending = (uint32_t)tm_record_get(&r, 1 << 24);
  for (uint32_t i = 0; i < l->ending && !r.failed; i++) {
    size_t name_size;
    const uint8_t *name = tm_record_view(&r, &name_size);
    if (name_size == 0) continue;
    const char *kept = tm_arena_text(&l->shared->names, (const char *)name, name_size);
    if (kept == NULL || note_open(l, i, kept, err) < 0) return no_memory(err);
  }
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_live = {
  .size = sizeof(tm_stage),
  .name = "tail",
  .aliases = "tcp",
  .summary = "read files that grow, or connections",
  .inputs = 0,
  .takes_filters = true,
  .bind = live_bind,
  .share = live_share,
  .open = live_open,
  .restore = live_restore,
  .resume = live_resume,
  .save = live_save,
  .close = live_close,
  .unshare = live_unshare,
};
