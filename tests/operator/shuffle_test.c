/* tests/operator/shuffle_test.c: another order of a source's rows is one that it could have had:
 * the same rows, none of them behind, the same for the same seed whatever the batches. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/rows.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(shuffle, .init = setup, .fini = teardown);

enum { ROWS = 300, FILES = 3, OUT_OF_ORDER = 40 };

/* Rows of several files, one file after another, their line as id, in no order of time. */
typedef struct input {
  uint32_t file[ROWS], line[ROWS];
  int64_t time[ROWS]; /* TM_TIME_NONE: null */
} input;

static input input_of(uint64_t seed, uint32_t files) {
  input in;
  rows_random random = rows_seed(seed);
  for (uint32_t i = 0, line = 0; i < ROWS; i++) {
    in.file[i] = i * files / ROWS;
    line = i > 0 && in.file[i] == in.file[i - 1] ? line + 1 : 1;
    in.line[i] = line;
    in.time[i] = rows_chance(&random, 5) ? TM_TIME_NONE : (int64_t)rows_below(&random, 500);
  }
  return in;
}

/* What comes out, row by row, and where batches end. */
typedef struct given {
  uint32_t count;
  uint32_t file[ROWS], line[ROWS];
  int64_t time[ROWS];
  uint64_t batches;
} given;

static tm_batch *batch_of(const input *in, const tm_schema *schema, uint32_t from, uint32_t count) {
  tm_batch *batch = rows_blank(budget, schema, count);
  batch->ordinals = tm_batch_alloc(batch, count * sizeof *batch->ordinals);
  batch->origin = (tm_origin){.file = "file", .file_index = in->file[from]};
  for (uint32_t i = 0; i < count; i++) {
    char text[32];
    snprintf(text, sizeof text, "%u", in->line[from + i]);
    rows_set(batch, 0, i, text);
    snprintf(text, sizeof text, "%lld", (long long)in->time[from + i]);
    rows_set(batch, 1, i, in->time[from + i] == TM_TIME_NONE ? "null" : text);
    snprintf(text, sizeof text, "a text that is not short: %u", in->line[from + i]);
    rows_set(batch, 2, i, text);
    batch->ordinals[i] = in->line[from + i];
  }
  return batch;
}

static void take(given *g, tm_out *out, uint32_t batch_rows) {
  const tm_batch *batch = out->main;
  if (batch == NULL) return;
  cr_assert_leq(batch->rows, batch_rows);
  cr_assert_eq(batch->sequence, g->batches++);
  for (uint32_t i = 0; i < batch->rows; i++, g->count++) {
    char text[64];
    cr_assert_lt(g->count, ROWS);
    g->file[g->count] = batch->origin.file_index;
    g->line[g->count] = (uint32_t)((const int64_t *)batch->columns[0].data)[i];
    bool none = tm_column_is_null(&batch->columns[1], i);
    g->time[g->count] = none ? TM_TIME_NONE : ((const int64_t *)batch->columns[1].data)[i];
    cr_expect_eq(batch->ordinals[i], g->line[g->count]);
    int size = snprintf(text, sizeof text, "a text that is not short: %u", g->line[g->count]);
    tm_str expected = tm_str_make(text, (size_t)size);
    cr_expect(tm_str_equal(&((const tm_str *)batch->columns[2].data)[i], &expected));
  }
  tm_batch_release(out->main);
  out->main = NULL;
}

static given run(const input *in, const char *partitions, uint64_t seed, uint32_t batch_rows) {
  given g = {0};
  tm_error err = {0};
  tm_ledger ledger = {0};
  tm_value time = V_TABLE(&arena, {"field", v_text("at")}, {"out_of_order", v_text("40us")});
  tm_value options = V_TABLE(&arena, {"time", time}, {"partitions", v_text(partitions)});
  tm_job_info job = {.script = "test.lua", .stream = true, .workers = 1,
                     .batch_rows = batch_rows, .shuffle_seed = seed};
  tm_bind bind = {.arena = &arena, .budget = budget, .job = &job, .options = &options,
                  .verb = "shuffle", .name = "shuffle", .input_count = 1,
                  .inputs = {rows_schema(&arena, "id int64, at timestamp, s string")}};
  const tm_stage *stage = tm_stage_find("shuffle", TM_ROLE_STEP);
  cr_assert_eq(stage->bind(&bind, &err), 0, "%s", err.message);
  tm_stage_env env = {.bind = &bind, .budget = budget, .lanes = 1, .ledger = &ledger};
  void *self;
  cr_assert_eq(stage->open(&env, &self, &err), 0);
  tm_out out = tm_out_make(&arena);
  for (uint32_t from = 0; from < ROWS;) {
    uint32_t count = 1;
    while (from + count < ROWS && count < batch_rows && in->file[from + count] == in->file[from]) {
      count++;
    }
    tm_batch *batch = batch_of(in, bind.inputs[0], from, count);
    cr_assert_eq(stage->push(self, 0, batch, &out, &err), TM_FLOW_INPUT);
    cr_assert_null(out.main, "nothing leaves before all rows are there");
    from += count;
  }
  tm_flow flow = stage->finish(self, 0, &out, &err);
  for (take(&g, &out, batch_rows); flow == TM_FLOW_MORE; take(&g, &out, batch_rows)) {
    flow = stage->resume(self, &out, &err);
  }
  cr_assert_eq(flow, TM_FLOW_FINISHED);
  stage->close(self);
  return g;
}

static void expect_all_rows(const given *g, const input *in, uint32_t files) {
  bool seen[FILES][ROWS + 1] = {{false}};
  cr_assert_eq(g->count, ROWS);
  for (uint32_t i = 0; i < ROWS; i++) {
    cr_assert_lt(g->file[i], files);
    cr_expect_not(seen[g->file[i]][g->line[i]], "twice: %u of %u", g->line[i], g->file[i]);
    seen[g->file[i]][g->line[i]] = true;
  }
  for (uint32_t i = 0; i < ROWS; i++) cr_expect(seen[in->file[i]][in->line[i]]);
}

/* Rows behind the largest time before them, of one file or (file < 0) of all. */
static void expect_none_behind(const given *g, int file, uint64_t seed) {
  int64_t largest = TM_TIME_NONE;
  for (uint32_t i = 0; i < g->count; i++) {
    if (g->time[i] == TM_TIME_NONE || (file >= 0 && g->file[i] != (uint32_t)file)) continue;
    bool behind = largest != TM_TIME_NONE && g->time[i] < largest - OUT_OF_ORDER;
    cr_assert_not(behind, "seed %llu: row %u at %lld is behind %lld", (unsigned long long)seed, i,
                  (long long)g->time[i], (long long)largest);
    if (g->time[i] > largest) largest = g->time[i];
  }
}

static bool same(const given *a, const given *b) {
  return memcmp(a->file, b->file, sizeof a->file) == 0 &&
         memcmp(a->line, b->line, sizeof a->line) == 0;
}

Test(shuffle, orders_that_could_have_been) {
  input in = input_of(1, FILES);
  given before = {0};
  uint32_t widest = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    given g = run(&in, "", seed, 16), other = run(&in, "", seed, 7);
    expect_all_rows(&g, &in, FILES);
    expect_none_behind(&g, -1, seed);
    cr_expect(same(&g, &other), "seed %llu: the size of batches plays no part",
              (unsigned long long)seed);
    cr_expect_not(same(&g, &before), "seed %llu gives the order of the one before",
                  (unsigned long long)seed);
    for (uint32_t i = 1; i < ROWS; i++) {
      if (g.time[i] == TM_TIME_NONE || g.time[i - 1] == TM_TIME_NONE) continue;
      int64_t back = g.time[i - 1] - g.time[i];
      if (back > (int64_t)widest) widest = (uint32_t)back;
    }
    before = g;
  }
  cr_expect_gt(widest, OUT_OF_ORDER * 3 / 4, "the declared disorder is used: %u", widest);
}

Test(shuffle, files_with_clocks_of_their_own) {
  input in = input_of(2, FILES);
  bool mixed = false, ahead = false;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    given g = run(&in, "files", seed, 16);
    int64_t largest = TM_TIME_NONE;
    expect_all_rows(&g, &in, FILES);
    for (int file = 0; file < FILES; file++) expect_none_behind(&g, file, seed);
    for (uint32_t i = 1; i < ROWS; i++) {
      mixed |= g.file[i] < g.file[i - 1];
      if (g.time[i] == TM_TIME_NONE) continue;
      ahead |= largest != TM_TIME_NONE && g.time[i] < largest - OUT_OF_ORDER;
      if (g.time[i] > largest) largest = g.time[i];
    }
  }
  cr_expect(mixed, "files take turns");
  cr_expect(ahead, "one file may run ahead of another");
}

/* The protocol: saved and restored at any call, closed anywhere, short of memory. */
Test(shuffle, whatever_a_lane_does) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "id int64, at timestamp, s string"),
                               "1|50|one\n2|null|two\n3|10|a longer text, the third\n4|60|null\n"
                               "5|20|five\n6|55|\n7|15|seven\n8|58|eight");
  tm_value time = V_TABLE(&arena, {"field", v_text("at")}, {"out_of_order", v_text("40us")});
  harness_case c = {
    .verb = "shuffle", .role = TM_ROLE_STEP, .input_count = 1, .inputs = {table},
    .ordered_input = true, .options = V_TABLE(&arena, {"time", time}),
  };
  rows_list expected = {0};
  rows_list_add_batch(&expected, table, NULL);
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "shuffle"});
  harness_damage(&c, &(harness_expected){.rows = &expected, .label = "shuffle, damaged"});
  rows_list_clear(&expected);
  tm_batch_release(table);
}
