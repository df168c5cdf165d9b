/* tests/bench/window_bench.c: aggregates in fixed windows over columns in memory, as a stream: rows
 * in order of time with their marks, and the watermark behind every batch.
 *
 * Prints nanoseconds a row, wall and processor time, the windows' rows and the peak of memory.
 * Making and reading batches is included. Not a test: nothing depends on the figures.
 * window_bench [ROWS [WORD]]: only questions whose name holds the word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "stage/stage.h"
#include "tests/support/values.h"

enum { REPEAT = 5 };
enum { AT, KEY, TEXT, V1, V2, COLUMNS };

#define SECOND INT64_C(1000000)

static const char *const names[COLUMNS] = {"at", "key", "text", "v1", "v2"};
static tm_schema schema;
static tm_field fields[COLUMNS];
static void *data[COLUMNS];
static int64_t *marks;
static uint32_t rows = 10000000;
static tm_arena arena;

/* ---------------------------------------------------------------- columns */

static uint64_t seed = 7;
static uint32_t below(uint32_t limit) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)((seed * UINT64_C(0x2545f4914f6cdd1d) >> 32) * limit >> 32);
}

static void *column(int index, tm_type type) {
  fields[index] = (tm_field){.name = names[index], .type = type};
  fields[index].type.not_null = 1;
  data[index] = aligned_alloc(64, (rows * tm_type_width(type) + 127) / 64 * 64);
  return data[index];
}

/* So many rows a second of event time, and so many keys; each row up to `disorder` early. */
static void make_columns(uint32_t a_second, uint32_t keys, int64_t disorder) {
  int64_t *at = column(AT, tm_type_of(TM_TIMESTAMP));
  int32_t *key = column(KEY, tm_type_of(TM_INT32));
  tm_str *text = column(TEXT, tm_type_of(TM_STRING));
  int32_t *v1 = column(V1, tm_type_of(TM_INT32));
  double *v2 = column(V2, tm_type_of(TM_FLOAT64));
  int64_t largest = INT64_MIN / 2;
  marks = aligned_alloc(64, (rows * sizeof *marks + 127) / 64 * 64);
  for (uint32_t i = 0; i < rows; i++) {
    char name[24];
    at[i] = 1700000000 * SECOND + (int64_t)((double)i * (double)SECOND / a_second);
    if (disorder > 0) at[i] -= (int64_t)below(1000) * disorder / 1000;
    marks[i] = largest - disorder;
    if (at[i] > largest) largest = at[i];
    key[i] = (int32_t)below(keys);
    int size = snprintf(name, sizeof name, "c-%08d", key[i]);
    text[i] = tm_str_make(name, (size_t)size > TM_STR_INLINE ? TM_STR_INLINE : (size_t)size);
    v1[i] = (int32_t)below(1000);
    v2[i] = below(100000000) / 1e6;
  }
  schema = (tm_schema){COLUMNS, fields};
}

static void free_columns(void) {
  for (int i = 0; i < COLUMNS; i++) free(data[i]);
  free(marks);
}

static tm_batch *batch_at(tm_budget *budget, uint32_t at, uint32_t count) {
  tm_batch *batch = tm_batch_create(budget, &schema, count);
  for (int i = 0; i < COLUMNS; i++) {
    batch->columns[i].data = (char *)data[i] + at * tm_type_width(fields[i].type);
  }
  batch->times = (int64_t *)data[AT] + at;
  batch->marks = marks + at;
  return batch;
}

/* ---------------------------------------------------------------- a run */

typedef struct runner {
  const tm_stage *stage;
  void *self;
  tm_out out;
  tm_error err;
  uint64_t out_rows;
} runner;

static void fail(const tm_error *err) {
  fprintf(stderr, "error: %s\n", err->message);
  exit(1);
}

static tm_flow take(runner *r, tm_flow flow) {
  if (flow == TM_FLOW_FAILED) fail(&r->err);
  if (r->out.main != NULL) {
    r->out_rows += r->out.main->selected;
    tm_batch_release(r->out.main);
    r->out.main = NULL;
  }
  if (r->out.reject_count > 0) fail(&(tm_error){.message = "rows are late"});
  return flow;
}

static void settle(runner *r, tm_flow flow) {
  for (flow = take(r, flow); flow == TM_FLOW_MORE;) {
    flow = take(r, r->stage->resume(r->self, &r->out, &r->err));
  }
}

static uint64_t run(const tm_bind *bind, tm_budget *budget, uint32_t batch_rows) {
  tm_ledger ledger = {0};
  tm_arena scratch;
  tm_arena_init(&scratch, budget);
  runner r = {.stage = bind->stage, .out = tm_out_make(&scratch)};
  tm_stage_env env = {.bind = bind, .budget = budget, .lanes = 1, .ledger = &ledger};
  if (r.stage->share != NULL && r.stage->share(bind, 1, budget, &env.shared, &r.err) < 0) {
    fail(&r.err);
  }
  if (r.stage->open(&env, &r.self, &r.err) < 0) fail(&r.err);
  for (uint32_t at = 0; at < rows; at += batch_rows) {
    uint32_t count = rows - at < batch_rows ? rows - at : batch_rows;
    settle(&r, r.stage->push(r.self, 0, batch_at(budget, at, count), &r.out, &r.err));
    if (!bind->job->stream) continue;
    settle(&r, r.stage->advance(r.self, 0, marks[at + count - 1], &r.out, &r.err));
  }
  settle(&r, r.stage->finish(r.self, 0, &r.out, &r.err));
  r.stage->close(r.self);
  if (r.stage->unshare != NULL) r.stage->unshare(env.shared);
  tm_arena_deinit(&scratch);
  return r.out_rows;
}

/* ---------------------------------------------------------------- questions */

/* "count,sum v1" */
static tm_value aggregates_of(const char *text) {
  tm_value list[8];
  size_t count = 0;
  char copy[200];
  snprintf(copy, sizeof copy, "%s", text);
  for (char *at = copy, *word; (word = strsep(&at, ",")) != NULL;) {
    char *name = strsep(&word, " ");
    tm_value as = v_text(tm_arena_format(&arena, "a%zu", count));
    tm_value agg = v_text(tm_arena_format(&arena, "%s", name));
    list[count++] = word == NULL ? V_TABLE(&arena, {"agg", agg}, {"as", as})
                                 : V_TABLE(&arena, {"agg", agg}, {"as", as},
                                           {"of", v_text(tm_arena_format(&arena, "%s", word))});
  }
  return v_table(&arena, list, count, NULL, 0);
}

static tm_value window_of(const char *size, const char *slide) {
  if (slide == NULL) {
    return V_TABLE(&arena, {"kind", v_text("tumbling")}, {"size", v_text(size)});
  }
  if (slide[0] == '+') {
    return V_TABLE(&arena, {"kind", v_text("cumulate")}, {"size", v_text(size)},
                   {"step", v_text(slide + 1)});
  }
  return V_TABLE(&arena, {"kind", v_text("hopping")}, {"size", v_text(size)},
                 {"slide", v_text(slide)});
}

static const char *only;
static uint32_t batch_rows = 2048;

static double cpu_seconds(void) { return (double)tm_env_get()->cpu_us() * 1e-6; }
static double seconds(void) { return (double)tm_env_get()->monotonic_us() * 1e-6; }

static void ask(const char *name, const char *key, const char *size, const char *slide,
                const char *aggs, bool stream) {
  if (only != NULL && strstr(name, only) == NULL) return;
  tm_budget *budget = tm_budget_create(NULL, "bench", 0);
  tm_job_info job = {.batch_rows = 2048, .workers = 1, .stream = stream};
  tm_value options =
      V_TABLE(&arena, {"aggs", aggregates_of(aggs)}, {"window", window_of(size, slide)},
              {"keys", key == NULL ? V_LIST(&arena, v_nil()) : V_LIST(&arena, v_text(key))});
  if (key == NULL) options = V_TABLE(&arena, {"aggs", aggregates_of(aggs)},
                                     {"window", window_of(size, slide)});
  tm_bind bind = {.arena = &arena, .budget = budget, .job = &job, .verb = "agg", .name = "agg",
                  .options = &options, .input_count = 1, .inputs = {&schema},
                  .input_rows = {rows}};
  bind.facts_in[0] = (tm_rows_facts){.time = fields[AT].type, .window_start = -1,
                                     .window_end = -1, .bounded = true};
  bind.facts_out = bind.facts_in[0];
  bind.stage = tm_stage_find_for("agg", TM_ROLE_STEP, &bind);
  tm_error err = {0};
  if (bind.stage->bind(&bind, &err) < 0) fail(&err);
  double best = 1e9, best_cpu = 1e9;
  uint64_t groups = 0;
  for (int i = 0; i < REPEAT; i++) {
    double wall = seconds(), cpu = cpu_seconds();
    groups = run(&bind, budget, batch_rows);
    wall = seconds() - wall;
    cpu = cpu_seconds() - cpu;
    if (wall < best) best = wall;
    if (cpu < best_cpu) best_cpu = cpu;
  }
  printf("%-44s %9llu rows out  %8.2f wall %8.2f cpu  %6.1f M rows/s %6.0f MB\n", name,
         (unsigned long long)groups, best * 1e9 / rows, best_cpu * 1e9 / rows,
         rows / best_cpu * 1e-6, (double)tm_budget_peak(budget) / 1e6);
  fflush(stdout);
  tm_budget_destroy(budget);
}

int main(int argc, char **argv) {
  if (argc > 1) rows = (uint32_t)strtoul(argv[1], NULL, 10);
  only = argc > 2 ? argv[2] : NULL;
  tm_budget *budget = tm_budget_create(NULL, "options", 0);
  tm_arena_init(&arena, budget);
  printf("%u rows, nanoseconds a row\n", rows);
  make_columns(100000, 10000, 0);
  ask("t1 tumbling 10s count by 10k ints", "key", "10s", NULL, "count", true);
  ask("t2 tumbling 10s sum v1 avg v2 by 10k ints", "key", "10s", NULL, "sum v1,avg v2", true);
  ask("t3 tumbling 10s count by 10k texts", "text", "10s", NULL, "count", true);
  ask("t4 tumbling 1s count by 10k ints", "key", "1s", NULL, "count", true);
  ask("t5 tumbling 10s count of all", NULL, "10s", NULL, "count", true);
  ask("b1 batch tumbling 10s count by 10k ints", "key", "10s", NULL, "count", false);
  ask("b2 batch tumbling 1h count by 10k ints", "key", "1h", NULL, "count", false);
  ask("b3 batch hopping 1m by 10s count by 10k ints", "key", "1m", "10s", "count", false);
  batch_rows = 8;
  ask("s1 batches of 8: tumbling 10s, 10k ints", "key", "10s", NULL, "count", true);
  batch_rows = 2048;
  free_columns();
  make_columns(100000, 10000, 5 * SECOND);
  ask("d1 5s of disorder: tumbling 10s, 10k ints", "key", "10s", NULL, "count", true);
  ask("d2 5s of disorder: tumbling 1s, 10k ints", "key", "1s", NULL, "count", true);
  free_columns();
  static const uint32_t rates[] = {100, 1000, 10000};
  for (int i = 0; i < 3; i++) {
    char name[80];
    make_columns(rates[i], 100, 0);
#define ASK(what, key, size, slide, aggs)                                                       \
    snprintf(name, sizeof name, "h %u rows/s, 100 keys: " what, rates[i]);                      \
    ask(name, key, size, slide, aggs, true)
    ASK("tumbling 10s count", "key", "10s", NULL, "count");
    ASK("hopping 10m by 10s count", "key", "10m", "10s", "count");
    ASK("cumulate 10m by 10s count", "key", "10m", "+10s", "count");
    ASK("tumbling 10s text max", "text", "10s", NULL, "max v1");
    ASK("hopping 10m by 10s text max", "text", "10m", "10s", "max v1");
    ASK("tumbling 10s avg v2", "key", "10s", NULL, "avg v2");
    ASK("hopping 10m by 10s avg v2", "key", "10m", "10s", "avg v2");
    free_columns();
  }
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
  return 0;
}
