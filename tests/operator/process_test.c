/* tests/operator/process_test.c: state, timers and emitted rows of a process step, against a plain
 * simulation that keeps everything in arrays and looks for the next timer by walking them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
