/* tests/bench/agg_bench.c: group-bys over columns in memory, after the questions of db-benchmark.
 *
 * Prints nanoseconds a row, wall and processor time, for one lane and for two. The columns lie in
 * memory as a reader would leave them; making and reading batches is included. Not a test: nothing
 * depends on the figures. agg_bench [ROWS [WORD]]: only questions whose name holds the word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "stage/stage.h"
#include "tests/support/values.h"

enum { BATCH = 2048, LANES_MAX = 2, REPEAT = 3 };
enum { ID1, ID2, ID3, ID4, ID5, ID6, V1, V2, V3, D1, F1, COLUMNS };

static const char *const names[COLUMNS] = {"id1", "id2", "id3", "id4", "id5", "id6",
                                           "v1",  "v2",  "v3",  "d1",  "f1"};
static tm_schema schema;
static tm_field fields[COLUMNS];
static void *data[COLUMNS];
static uint32_t rows = 10000000;

/* ---------------------------------------------------------------- columns */

static uint64_t seed = 7;
static uint32_t below(uint32_t limit) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)((seed * UINT64_C(0x2545f4914f6cdd1d) >> 32) * limit >> 32);
}

static void fill_text(int column, const char *format, uint32_t distinct) {
  tm_str *out = data[column] = aligned_alloc(64, rows * sizeof *out);
  fields[column].type = tm_type_of(TM_STRING);
  for (uint32_t i = 0; i < rows; i++) {
    char text[16];
    int size = snprintf(text, sizeof text, format, below(distinct) + 1);
    out[i] = tm_str_make(text, (size_t)size);
  }
}

static void fill_int(int column, uint32_t distinct) {
  int32_t *out = data[column] = aligned_alloc(64, rows * sizeof *out + 64);
  fields[column].type = tm_type_of(TM_INT32);
  for (uint32_t i = 0; i < rows; i++) out[i] = (int32_t)below(distinct) + 1;
}

static void make_columns(void) {
  uint32_t many = rows / 100;
  fill_text(ID1, "id%03u", 100);
  fill_text(ID2, "id%03u", 100);
  fill_text(ID3, "id%010u", many);
  fill_int(ID4, 100);
  fill_int(ID5, 100);
  fill_int(ID6, many);
  fill_int(V1, 5);
  fill_int(V2, 15);
  double *v3 = data[V3] = aligned_alloc(64, rows * sizeof *v3);
  fields[V3].type = tm_type_of(TM_FLOAT64);
  for (uint32_t i = 0; i < rows; i++) v3[i] = below(100000000) / 1e6;
  int64_t *d1 = data[D1] = aligned_alloc(64, rows * sizeof *d1);
  fields[D1].type = tm_type_decimal(15, 2);
  for (uint32_t i = 0; i < rows; i++) d1[i] = below(10000000);
  fill_text(F1, "%u", 4);
  for (int i = 0; i < COLUMNS; i++) fields[i].name = names[i];
  schema = (tm_schema){COLUMNS, fields};
}

static tm_batch *batch_at(tm_budget *budget, uint32_t at) {
  uint32_t count = rows - at < BATCH ? rows - at : BATCH;
  tm_batch *batch = tm_batch_create(budget, &schema, count);
  for (int i = 0; i < COLUMNS; i++) {
    batch->columns[i].data = (char *)data[i] + at * tm_type_width(fields[i].type);
  }
  return batch;
}

/* ---------------------------------------------------------------- lanes */

typedef struct lane {
  tm_stage_env env;
  const tm_stage *stage;
  tm_ledger ledger;
  uint64_t out_rows;
  tm_arena scratch;
} lane;

static void wake(void *waker) { (void)waker; }

static void fail(const tm_error *err) {
  fprintf(stderr, "error: %s\n", err->message);
  exit(1);
}

static tm_flow take(lane *l, tm_flow flow, tm_out *out, const tm_error *err) {
  if (flow == TM_FLOW_FAILED) fail(err);
  if (out->main != NULL) {
    l->out_rows += out->main->selected;
    tm_batch_release(out->main);
    out->main = NULL;
  }
  if (flow == TM_FLOW_BLOCKED) tm_env_get()->sleep_us(20);
  return flow;
}

static void run_lane(void *context) {
  lane *l = context;
  tm_error err = {0};
  void *self;
  tm_out out = tm_out_make(&l->scratch);
  tm_arena_init(&l->scratch, l->env.budget);
  if (l->stage->open(&l->env, &self, &err) < 0) fail(&err);
  uint32_t first = l->env.lane * BATCH, step = l->env.lanes * BATCH;
  for (uint32_t at = first; at < rows; at += step) {
    tm_flow flow = take(l, l->stage->push(self, 0, batch_at(l->env.budget, at), &out, &err), &out,
                        &err);
    while (flow != TM_FLOW_INPUT) flow = take(l, l->stage->resume(self, &out, &err), &out, &err);
  }
  tm_flow flow = take(l, l->stage->finish(self, 0, &out, &err), &out, &err);
  while (flow != TM_FLOW_FINISHED) flow = take(l, l->stage->resume(self, &out, &err), &out, &err);
  l->stage->close(self);
  tm_arena_deinit(&l->scratch);
  tm_arena_pool_clear();
}

static uint64_t run(const tm_bind *bind, uint32_t lanes, tm_budget *budget) {
  const tm_env *env = tm_env_get();
  tm_error err = {0};
  void *shared;
  if (bind->stage->share(bind, lanes, budget, &shared, &err) < 0) fail(&err);
  lane all[LANES_MAX] = {0};
  tm_thread threads[LANES_MAX];
  uint64_t out_rows = 0;
  for (uint32_t i = 0; i < lanes; i++) {
    all[i].stage = bind->stage;
    all[i].env = (tm_stage_env){.bind = bind, .budget = budget, .lane = i, .lanes = lanes,
                                .shared = shared, .ledger = &all[i].ledger, .wake = wake};
    if (i > 0) env->thread_create(&threads[i], run_lane, &all[i]);
  }
  run_lane(&all[0]);
  for (uint32_t i = 1; i < lanes; i++) env->thread_join(&threads[i]);
  for (uint32_t i = 0; i < lanes; i++) out_rows += all[i].out_rows;
  bind->stage->unshare(shared);
  return out_rows;
}

/* ---------------------------------------------------------------- questions */

static tm_arena arena;

/* "sum v1", "corr v1 v2", "count" */
static tm_value aggregate(const char *text, int number) {
  char word[3][24] = {"", "", ""}, *as = tm_arena_format(&arena, "a%d", number);
  int words = sscanf(text, "%23s %23s %23s", word[0], word[1], word[2]);
  tm_pair pairs[4] = {{"agg", v_text(tm_arena_text(&arena, word[0], strlen(word[0])))},
                      {"as", v_text(as)}};
  for (int i = 1; i < words; i++) {
    pairs[1 + i] = (tm_pair){i == 1 ? "of" : "by",
                             v_text(tm_arena_text(&arena, word[i], strlen(word[i])))};
  }
  return v_table(&arena, NULL, 0, pairs, 1 + (size_t)words);
}

/* Both lists have commas between their entries. */
static tm_value options_of(const char *keys, const char *aggs) {
  tm_value key_list[8], agg_list[16];
  size_t key_count = 0, agg_count = 0;
  char copy[256];
  snprintf(copy, sizeof copy, "%s", keys);
  for (char *at = copy, *word; (word = strsep(&at, ",")) != NULL;) {
    if (*word != '\0') key_list[key_count++] = v_text(tm_arena_text(&arena, word, strlen(word)));
  }
  snprintf(copy, sizeof copy, "%s", aggs);
  for (char *at = copy, *word; (word = strsep(&at, ",")) != NULL;) {
    agg_list[agg_count] = aggregate(word, (int)agg_count);
    agg_count++;
  }
  return V_TABLE(&arena, {"keys", v_table(&arena, key_list, key_count, NULL, 0)},
                 {"aggs", v_table(&arena, agg_list, agg_count, NULL, 0)});
}

static double cpu_seconds(void) { return (double)tm_env_get()->cpu_us() * 1e-6; }
static double seconds(void) { return (double)tm_env_get()->monotonic_us() * 1e-6; }

static void ask(const char *name, const char *verb, tm_value options) {
  tm_budget *budget = tm_budget_create(NULL, "bench", 0);
  tm_job_info job = {.batch_rows = BATCH, .workers = LANES_MAX};
  tm_bind bind = {.stage = tm_stage_find(verb, TM_ROLE_STEP), .arena = &arena, .budget = budget,
                  .job = &job, .verb = verb, .name = verb, .options = &options, .input_count = 1,
                  .inputs = {&schema}, .input_rows = {rows}};
  tm_error err = {0};
  if (bind.stage->bind(&bind, &err) < 0) fail(&err);
  printf("%-34s", name);
  for (uint32_t lanes = 1; lanes <= LANES_MAX; lanes++) {
    double best = 1e9, best_cpu = 1e9;
    uint64_t groups = 0;
    for (int i = 0; i < REPEAT; i++) {
      double wall = seconds(), cpu = cpu_seconds();
      groups = run(&bind, lanes, budget);
      wall = seconds() - wall;
      cpu = cpu_seconds() - cpu;
      if (wall < best) best = wall;
      if (cpu < best_cpu) best_cpu = cpu;
    }
    if (lanes == 1) printf("%9llu groups", (unsigned long long)groups);
    printf("  %7.2f wall %7.2f cpu", best * 1e9 / rows, best_cpu * 1e9 / rows);
    fflush(stdout);
  }
  printf("  %6.0f MB\n", (double)tm_budget_peak(budget) / 1e6);
  tm_budget_destroy(budget);
}

static void ask_agg(const char *only, const char *name, const char *keys, const char *aggs) {
  if (only == NULL || strstr(name, only) != NULL) ask(name, "agg", options_of(keys, aggs));
}

int main(int argc, char **argv) {
  if (argc > 1) rows = (uint32_t)strtoul(argv[1], NULL, 10);
  const char *only = argc > 2 ? argv[2] : NULL;
  tm_budget *budget = tm_budget_create(NULL, "options", 0);
  tm_arena_init(&arena, budget);
  make_columns();
  printf("%u rows, nanoseconds a row; one lane, then two\n", rows);
  ask_agg(only, "q1 sum v1 by id1", "id1", "sum v1");
  ask_agg(only, "q2 sum v1 by id1 id2", "id1,id2", "sum v1");
  ask_agg(only, "q3 sum v1 avg v3 by id3", "id3", "sum v1,avg v3");
  ask_agg(only, "q4 avg v1 v2 v3 by id4", "id4", "avg v1,avg v2,avg v3");
  ask_agg(only, "q5 sum v1 v2 v3 by id6", "id6", "sum v1,sum v2,sum v3");
  ask_agg(only, "q6 median stddev v3 by id4 id5", "id4,id5", "median v3,stddev v3");
  ask_agg(only, "q7 max v1 min v2 by id3", "id3", "max v1,min v2");
  ask_agg(only, "q9 corr v1 v2 by id2 id4", "id2,id4", "corr v1 v2");
  ask_agg(only, "q10 sum v3 count by six", "id1,id2,id3,id4,id5,id6", "sum v3,count");
  ask_agg(only, "t1 decimals by f1 (4 groups)", "f1",
          "sum d1,sum v1,avg d1,avg v1,sum v2,count");
  ask_agg(only, "u1 sum min max of all", "", "sum v1,sum v3,min v3,max v2,count");
  ask_agg(only, "u2 count_distinct of all", "", "count_distinct id6,count_distinct id3");
  ask_agg(only, "c1 count_distinct id6 by id4", "id4", "count_distinct id6");
  ask_agg(only, "f1 first last id3 by id4", "id4", "first id3,last id3");
  ask_agg(only, "m1 median of all", "", "median v3");
  tm_value column = V_TABLE(&arena, {"columns", v_text("id3")});
  if (only == NULL || strstr("d1 distinct id3", only) != NULL) {
    ask("d1 distinct id3", "distinct", column);
  }
  for (int i = 0; i < COLUMNS; i++) free(data[i]);
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
  return 0;
}
