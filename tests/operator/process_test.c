/* tests/operator/process_test.c: state, timers and emitted rows of a process step, against a plain
 * simulation that keeps everything in arrays and looks for the next timer by walking them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env_virtual.h"
#include "format/row_json.h"
#include "tests/support/fixture.h"
#include "tests/support/process_function.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(process, .init = setup, .fini = teardown);

enum { KEYS = 4, TIMERS = 3, SEEN = 5, TTL = 20 };

/* What the functions below do, on either side: n counts the rows of a key, `seen` what was seen of
 * v % 5 in the last 20 us. A row may set, move and cancel timers, and raises where v % 11 is 0. */
enum { N, SEEN_FIELD };

/* Timers in the order of their names. */
enum { LATE, SILENCE, TICK };

static tm_value options_of(process_function *f) {
  tm_value seen = v_table(&arena, (tm_value[]){v_text("map<string, int64>")}, 1,
                          (tm_pair[]){{"ttl", v_text("20us")}}, 1);
  return V_TABLE(&arena, {"keys", V_LIST(&arena, v_text("k"))},
                 {"state", V_TABLE(&arena, {"n", v_text("int64")}, {"seen", seen})},
                 {"emits", v_text("what string, value int64")},
                 {"on_row", v_function(&f->source)}, {"on_timer", v_function(&f->timer_source)});
}

/* ------------------------------------------------------------------ the functions */

static void see(process_event *e, int64_t v) {
  char text[24];
  tm_cell cell = {.word = v};
  tm_str key = tm_str_make(text, (size_t)snprintf(text, sizeof text, "v%d", (int)(v % SEEN)));
  if (tm_keyed_state_map_put(e->state, SEEN_FIELD, &key, &cell) < 0) e->no_memory = true;
}

static void on_row(process_event *e) {
  int64_t v = process_int(e, 0), at = e->call->time_us, n = process_state(e, N) + 1;
  process_set(e, N, n);
  process_emit(e, "a row of which there are some", n * 100);
  see(e, v);
  if (e->no_memory) return;
  if (v % 3 == 0) (void)process_timer(e, "silence", at + 15, false);
  if (v % 4 == 0) process_cancel(e, "silence");
  if (v % 5 == 0) (void)process_timer(e, "tick", at + v % 7 - 2, false);
  if (v % 13 == 0) (void)process_timer(e, "late", at - 30, false);
  process_emit(e, "seen", tm_keyed_state_map_count(e->state, SEEN_FIELD));
  if (v % 11 == 0) e->refuse = "eleven";
}

static void on_timer(process_event *e) {
  int64_t n = process_state(e, N), at = e->call->time_us;
  process_emit(e, "timer", n);
  if (process_is(e, "silence")) process_set(e, N, 0);
  if (process_is(e, "tick") && n % 2 == 1) {
    cr_assert_eq(process_timer(e, "tick", at, false), TM_TIMER_EARLY);
    (void)process_timer(e, "tick", at + 5, false);
    (void)process_timer(e, "late", at + 1, false);
  }
  process_emit(e, "seen", tm_keyed_state_map_count(e->state, SEEN_FIELD));
  if (process_is(e, "tick") && n % 7 == 3) e->refuse = "three";
}

/* ------------------------------------------------------------------ the simulation */

static int64_t int_at(const tm_batch *table, uint32_t column, uint32_t row) {
  return ((const int64_t *)table->columns[column].data)[row];
}

typedef struct sim_key {
  int64_t n, seen_us[SEEN];
  bool seen[SEEN];
  struct { bool set; int64_t at; } timers[TIMERS];
} sim_key;

typedef struct sim {
  sim_key keys[KEYS];
  rows_list rows, rejects;
} sim;

static void sim_emit(sim *s, const char *text, int64_t value, int64_t at) {
  char line[100];
  snprintf(line, sizeof line, "'%s'|%lld @%lld", text, (long long)value, (long long)at);
  rows_list_add(&s->rows, strdup(line));
}

static int64_t sim_seen(const sim_key *k, int64_t now) {
  int64_t count = 0;
  for (int i = 0; i < SEEN; i++) count += k->seen[i] && k->seen_us[i] + TTL >= now;
  return count;
}

static void sim_set(sim_key *k, int timer, int64_t at, int64_t now) {
  k->timers[timer].set = true;
  k->timers[timer].at = at < now ? now : at;
}

static void sim_refuse(sim *s, const char *what, const tm_batch *table, uint32_t row) {
  tm_bytes json;
  char line[400];
  tm_bytes_init(&json, budget);
  cr_assert(tm_row_json(&json, table, row));
  snprintf(line, sizeof line, "lua|%s|%.*s", what, (int)json.size, (const char *)json.data);
  rows_list_add(&s->rejects, strdup(line));
  tm_bytes_deinit(&json);
}

static void sim_row(sim *s, int key, const tm_batch *table, uint32_t row) {
  int64_t v = int_at(table, 1, row), at = int_at(table, 2, row);
  char what[40];
  sim_key *k = &s->keys[key], before = *k;
  size_t rows = s->rows.count;
  k->n++;
  sim_emit(s, "a row of which there are some", k->n * 100, at);
  k->seen[v % SEEN] = true;
  k->seen_us[v % SEEN] = at;
  if (v % 3 == 0) sim_set(k, SILENCE, at + 15, at);
  if (v % 4 == 0) k->timers[SILENCE].set = false;
  if (v % 5 == 0) sim_set(k, TICK, at + v % 7 - 2, at);
  if (v % 13 == 0) sim_set(k, LATE, at - 30, at);
  sim_emit(s, "seen", sim_seen(k, at), at);
  if (v % 11 != 0) return;
  *k = before;
  while (s->rows.count > rows) free(s->rows.texts[--s->rows.count]);
  snprintf(what, sizeof what, "eleven|%u|7", row + 1);
  sim_refuse(s, what, table, row);
}

static void sim_timer(sim *s, int key, int timer) {
  sim_key *k = &s->keys[key];
  int64_t at = k->timers[timer].at, n = k->n;
  size_t rows = s->rows.count;
  k->timers[timer].set = false;
  sim_key before = *k;
  sim_emit(s, "timer", n, at);
  if (timer == SILENCE) k->n = 0;
  if (timer == TICK && n % 2 == 1) {
    sim_set(k, TICK, at + 5, at);
    sim_set(k, LATE, at + 1, at);
  }
  sim_emit(s, "seen", sim_seen(k, at), at);
  if (timer != TICK || n % 7 != 3) return;
  char line[200];
  *k = before;
  while (s->rows.count > rows) free(s->rows.texts[--s->rows.count]);
  snprintf(line, sizeof line, "lua|timer 'tick': three|0|8|{\"k\":\"%c\"}", 'a' + key);
  rows_list_add(&s->rejects, strdup(line));
}

static void sim_timers(sim *s, int64_t before) {
  for (;;) {
    int key = -1, timer = -1;
    for (int k = 0; k < KEYS; k++) {
      for (int t = 0; t < TIMERS; t++) {
        if (!s->keys[k].timers[t].set || s->keys[k].timers[t].at >= before) continue;
        if (key >= 0 && s->keys[k].timers[t].at >= s->keys[key].timers[timer].at) continue;
        key = k;
        timer = t;
      }
    }
    if (key < 0) return;
    sim_timer(s, key, timer);
  }
}

static void simulate(const harness_case *c, sim *s) {
  const tm_batch *table = c->inputs[0];
  uint32_t *rows, count = harness_time_ordered(c, 0, NULL, &rows);
  int64_t last = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = rows[i];
    int key = ((const tm_str *)table->columns[0].data)[row].head[0] - 'a';
    last = int_at(table, 2, row);
    sim_timers(s, last);
    sim_row(s, key, table, row);
  }
  sim_timers(s, last + 1);
  free(rows);
}

/* ------------------------------------------------------------------ cases */

static tm_batch *table_of(uint32_t rows, int64_t step, int64_t disorder, uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_batch *table = rows_blank(
      budget, rows_schema(&arena, "k string not null, v int64, at timestamp not null"), rows);
  for (uint32_t i = 0; i < rows; i++) {
    char text[24];
    int64_t back = (int64_t)rows_below(&random, (uint32_t)disorder + 1);
    snprintf(text, sizeof text, "%c", 'a' + rows_below(&random, KEYS));
    rows_set(table, 0, i, text);
    snprintf(text, sizeof text, "%u", rows_below(&random, 100));
    rows_set(table, 1, i, text);
    snprintf(text, sizeof text, "%lld", (long long)(100 + i * step - back));
    rows_set(table, 2, i, text);
  }
  return table;
}

static harness_case case_of(const tm_batch *table, process_function *f, bool stream) {
  return (harness_case){.verb = "process", .role = TM_ROLE_STEP, .input_count = 1,
                        .inputs = {table}, .times = "at", .out_of_order_us = 12,
                        .stream = stream, .shows_times = true, .ordered_input = true,
                        .ordinals = true, .options = options_of(f)};
}

static void check(uint32_t rows, int64_t step, bool stream, bool sweep) {
  process_function f = process_function_make("v", on_row, on_timer, 7);
  tm_batch *table = table_of(rows, step, stream ? 25 : 200, rows + (uint64_t)step);
  harness_case c = case_of(table, &f, stream);
  sim s = {0};
  simulate(&c, &s);
  harness_expected e = {.rows = &s.rows, .ordered = true, .rejects = &s.rejects,
                        .label = stream ? "stream" : "batch"};
  if (sweep) harness_sweep(&c, &e);
  else harness_check(&c, &e);
  cr_assert_gt(s.rows.count, rows);
  rows_list_clear(&s.rows);
  rows_list_clear(&s.rejects);
  tm_batch_release(table);
}

Test(process, a_batch_is_as_the_simulation) {
  check(40, 5, false, true);
  check(3000, 2, false, false);
}

Test(process, a_stream_is_as_the_simulation) {
  check(40, 5, true, true);
  check(3000, 2, true, false);
  check(3000, 50, true, false);
}

/* ------------------------------------------------------------------ driven by hand */

typedef struct rig {
  const tm_stage *stage;
  tm_bind bind;
  tm_job_info job;
  tm_ledger ledger;
  tm_out out;
  void *self;
  int64_t wake_us; /* asked for last; -1: not */
} rig;

static void wake_at(void *waker, int64_t at_us) { ((rig *)waker)->wake_us = at_us; }

static tm_value plain_options(process_function *f) {
  return V_TABLE(&arena, {"state", V_TABLE(&arena, {"n", v_text("int64")})},
                 {"emits", v_text("what string, value int64")},
                 {"on_row", v_function(&f->source)}, {"on_timer", v_function(&f->timer_source)});
}

static int rig_bind(rig *r, tm_value options, bool timed, bool changelog, tm_error *err) {
  *r = (rig){.wake_us = -1};
  tm_value *kept = tm_arena_zero(&arena, sizeof *kept);
  *kept = options;
  r->job = (tm_job_info){.script = "test.lua", .stream = true, .workers = 1, .batch_rows = 100};
  r->bind = (tm_bind){
    .arena = &arena, .budget = budget, .job = &r->job, .options = kept, .input_count = 1,
    .verb = "process", .name = "process", .script_line = 7,
    .inputs = {rows_schema(&arena, "k string, v int64, at timestamp")},
    .facts_in = {{.time = tm_type_of(timed ? TM_TIMESTAMP : TM_NULLTYPE),
                  .changelog = changelog}},
  };
  r->bind.facts_out = r->bind.facts_in[0];
  r->stage = tm_stage_find("process", TM_ROLE_STEP);
  return r->stage->bind(&r->bind, err);
}

static void rig_open(rig *r, process_function *f, bool timed) {
  tm_error err = {0};
  cr_assert_eq(rig_bind(r, plain_options(f), timed, false, &err), 0, "%s", err.message);
  tm_stage_env env = {.bind = &r->bind, .budget = budget, .lanes = 1, .ledger = &r->ledger,
                      .wake_at = wake_at, .waker = r};
  cr_assert_eq(r->stage->open(&env, &r->self, &err), 0);
  r->out = tm_out_make(&arena);
  r->wake_us = -1;
}

static void forget(rig *r) {
  tm_batch_release(r->out.main);
  r->out = tm_out_make(&arena);
  r->wake_us = -1;
}

static void rig_close(rig *r) {
  forget(r);
  r->stage->close(r->self);
}

static tm_flow give(rig *r, const char *text, bool timed) {
  tm_error err = {0};
  tm_batch *batch = rows_batch(budget, r->bind.inputs[0], text);
  if (timed) batch->times = batch->columns[2].data;
  forget(r);
  tm_flow flow = r->stage->push(r->self, 0, batch, &r->out, &err);
  cr_assert_neq(flow, TM_FLOW_FAILED, "%s", err.message);
  return flow;
}

static tm_flow resume(rig *r) {
  tm_error err = {0};
  forget(r);
  return r->stage->resume(r->self, &r->out, &err);
}

static const char *row_of(const rig *r) {
  if (r->out.main == NULL) return "";
  char *text = rows_text(r->out.main, 0, NULL);
  const char *kept = tm_arena_format(&arena, "%u: %s @%lld", r->out.main->selected, text,
                                     (long long)r->out.main->times[0]);
  free(text);
  return kept;
}

#define SECOND INT64_C(1000000)
#define WALL (INT64_C(1800000000) * SECOND)

static void set_processing(process_event *e) {
  process_set(e, N, process_int(e, 0));
  (void)process_timer(e, "later", WALL + process_int(e, 0) * SECOND, true);
}

static void emit_processing(process_event *e) {
  process_emit(e, "fired", process_state(e, N));
  (void)process_timer(e, "again", e->call->time_us - 5, false);
}

Test(process, timers_of_processing_time_follow_the_wall_clock) {
  process_function f = process_function_make("v", set_processing, emit_processing, 1);
  rig r;
  tm_error err = {0};
  tm_env_virtual_start(WALL, 1);
  rig_open(&r, &f, true);
  cr_expect_eq(give(&r, "a|5|100", true), TM_FLOW_INPUT);
  cr_expect_str_eq(row_of(&r), "");
  cr_expect_eq(r.wake_us, 5 * SECOND, "by the monotonic clock");
  tm_env_virtual_advance(2 * SECOND);
  cr_expect_eq(resume(&r), TM_FLOW_INPUT);
  cr_expect_str_eq(row_of(&r), "", "a wake may be early");
  cr_expect_eq(r.wake_us, 5 * SECOND, "and is asked for again");
  cr_expect_eq(give(&r, "a|4|120", true), TM_FLOW_INPUT);
  cr_expect_eq(r.wake_us, 4 * SECOND, "replaced by an earlier one");
  tm_env_virtual_advance(2 * SECOND);
  cr_expect_eq(resume(&r), TM_FLOW_INPUT);
  cr_expect_str_eq(row_of(&r), "1: 'fired'|4 @120", "at the event time that has come");
  /* What it set for a time that was over comes as soon as time moves. */
  forget(&r);
  cr_expect_eq(r.stage->advance(r.self, 0, 121, &r.out, &err), TM_FLOW_INPUT);
  cr_expect_str_eq(row_of(&r), "1: 'fired'|4 @120");
  cr_expect_eq(r.out.watermark_us, 121);
  /* At the end nobody waits. */
  cr_expect_eq(give(&r, "a|9|130", true), TM_FLOW_INPUT);
  forget(&r);
  cr_expect_eq(r.stage->finish(r.self, 0, &r.out, &err), TM_FLOW_FINISHED);
  cr_expect_str_eq(row_of(&r), "");
  rig_close(&r);
  tm_env_virtual_end();
}

static void tick(process_event *e) { (void)process_timer(e, "tick", e->call->time_us + 10, false); }

static void tick_on(process_event *e) {
  process_emit(e, "tick", e->call->time_us);
  tick(e);
}

Test(process, at_the_end_timers_fire_as_far_as_the_sources_have_come) {
  process_function f = process_function_make("v", tick, tick_on, 1);
  tm_time_reach first = {.latest_us = 118}, second = {.latest_us = 131},
                both = {.latest_us = TM_TIME_NONE, .parts = {&first, &second}};
  rig r;
  tm_error err = {0};
  rig_open(&r, &f, true);
  r.bind.facts_in[0].reach = &both;
  cr_expect_eq(give(&r, "a|1|100", true), TM_FLOW_INPUT);
  forget(&r);
  cr_expect_eq(r.stage->finish(r.self, 0, &r.out, &err), TM_FLOW_FINISHED);
  cr_expect_str_eq(row_of(&r), "3: 'tick'|110 @110", "110, 120, 130");
  cr_expect_eq(r.ledger.absorbed, 1);
  cr_expect_eq(r.ledger.produced, 3);
  rig_close(&r);
}

static void flood(process_event *e) {
  for (int64_t i = 0; i < process_int(e, 0) && !e->no_memory; i++) process_emit(e, "flood", i);
  if (process_int(e, 0) % 2 == 1) e->refuse = "odd";
}

Test(process, rows_without_end_come_in_batches_and_can_be_taken_back) {
  process_function f = process_function_make("v", flood, tick_on, 1);
  rig r;
  uint64_t rows = 0;
  rig_open(&r, &f, true);
  tm_flow flow = give(&r, "a|3|1\na|1000|2\na|1001|3\na|4|4", true);
  for (; flow == TM_FLOW_MORE || r.out.main != NULL; flow = resume(&r)) {
    if (r.out.main != NULL) {
      cr_expect_leq(r.out.main->selected, 100);
      rows += r.out.main->selected;
    }
    if (r.out.reject_count > 0) cr_expect_str_eq(r.out.rejects[0].message, "odd");
    if (flow != TM_FLOW_MORE) break;
  }
  cr_expect_eq(flow, TM_FLOW_INPUT);
  cr_expect_eq(rows, 1004);
  cr_expect_eq(r.ledger.absorbed, 2);
  rig_close(&r);
}

static void count(process_event *e) {
  process_set(e, N, process_state(e, N) + 1);
  process_emit(e, "n", process_state(e, N));
  cr_expect_eq(process_timer(e, "t", 5, false), TM_TIMER_UNTIMED);
}

Test(process, without_keys_and_event_time_there_is_one_state_in_source_order) {
  process_function f = process_function_make("v", count, tick_on, 1);
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "k string, v int64"),
                               "a|1\nb|2\na|3\nnull|4");
  harness_case c = {.verb = "process", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .ordered_input = true, .options = plain_options(&f)};
  rows_list rows = {0};
  for (int i = 1; i <= 4; i++) {
    char line[40];
    snprintf(line, sizeof line, "'n'|%d", i);
    rows_list_add(&rows, strdup(line));
  }
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2, .save = 100, .odd_batches = true};
  harness_result result = harness_run(&c, &mode);
  cr_expect_eq(result.err.code, TM_E_NONE, "%s", result.err.message);
  rows_list_expect(&result.rows, &rows, "one state");
  harness_result_clear(&result);
  rows_list_clear(&rows);
  tm_batch_release(table);
}

Test(process, binds_what_makes_sense) {
  process_function f = process_function_make("v", count, tick_on, 1);
  const tm_value on_row = v_function(&f.source), emits = v_text("what string");
  const struct { tm_value options; bool timed, changelog; const char *message, *help; } all[] = {
    {V_TABLE(&arena, {"on_row", on_row}), true, false,
     "process needs emits, the columns and types of what it emits", "emits ="},
    {V_TABLE(&arena, {"emits", emits}), true, false, "process needs on_row", "on_row ="},
    {V_TABLE(&arena, {"emits", emits}, {"on_row", on_row}), true, true,
     "process: its input takes rows back, and process cannot undo what it has done",
     "put process before"},
    {V_TABLE(&arena, {"emits", emits}, {"on_row", on_row}, {"keys", V_LIST(&arena, v_text("kk"))}),
     true, false, "unknown column 'kk' (has: k, v, at)", ""},
    {V_TABLE(&arena, {"emits", emits}, {"on_row", on_row},
             {"keys", V_LIST(&arena, v_text("k"), v_text("k"))}),
     true, false, "'k' is twice in group_by", ""},
    {V_TABLE(&arena, {"emits", emits}, {"on_row", on_row},
             {"state", V_TABLE(&arena, {"s", v_int(5)})}),
     true, false, "process: the type of state 's' is text, not integer", "list<type>"},
    {V_TABLE(&arena, {"emits", emits}, {"on_row", on_row},
             {"state", V_TABLE(&arena, {"s", v_text("map<int64,string>")})}),
     true, false, "schema: columns of type map are not in this version of tidemill yet", ""},
    {V_TABLE(&arena, {"emits", emits}, {"on_row", on_row},
             {"state", V_TABLE(&arena, {"s", v_table(&arena, (tm_value[]){v_text("int64")}, 1,
                                                     (tm_pair[]){{"ttl", v_text("1h")}}, 1)})}),
     false, false, "process: the ttl of state 's' counts in event time, and the rows have none",
     "time ="},
    {V_TABLE(&arena, {"emits", emits}, {"on_row", on_row},
             {"state", V_TABLE(&arena, {"s", v_table(&arena, (tm_value[]){v_text("int64")}, 1,
                                                     (tm_pair[]){{"ttl", v_text("0s")}}, 1)})}),
     true, false, "process: the ttl of state 's' is no duration above 0", "ttl ="},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    rig r;
    tm_error err = {0};
    cr_expect_eq(rig_bind(&r, all[i].options, all[i].timed, all[i].changelog, &err), -1);
    cr_expect_str_eq(err.message, all[i].message);
    cr_expect(strstr(err.help, all[i].help) != NULL, "%s: %s", err.message, err.help);
  }
}

Test(process, types_of_state_may_be_written_in_any_way) {
  process_function f = process_function_make("v", count, tick_on, 1);
  const char *types[] = {"List< int64 >", "MAP<string , timestamp('Europe/Berlin')>",
                         " map <string,decimal(9, 2)> ", "decimal(9,2) not null", "Float64"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    rig r;
    tm_error err = {0};
    tm_value options = V_TABLE(&arena, {"emits", v_text("what string")},
                               {"on_row", v_function(&f.source)},
                               {"state", V_TABLE(&arena, {"s", v_text(types[i])})});
    cr_expect_eq(rig_bind(&r, options, true, false, &err), 0, "%s: %s", types[i], err.message);
  }
}

Test(process, needs_its_key_and_what_on_row_reads) {
  process_function f = process_function_make("v", count, tick_on, 1);
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "a int64, k string, v int64, b int64"),
                               "1|x|2|3");
  tm_value options = V_TABLE(&arena, {"keys", v_text("k")}, {"emits", v_text("what string")},
                             {"on_row", v_function(&f.source)});
  /* Beside what a refused row is told with. */
  harness_case c = {.verb = "process", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
                    .options = options, .skip_rejects = true};
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "k v");
  free(needs);
  tm_batch_release(table);
}
