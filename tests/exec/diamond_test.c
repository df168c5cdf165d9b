/* tests/exec/diamond_test.c: plans in which one step feeds several never stand still: batches of
 * one row, many more of them than any queue holds, one to four workers. */
#include <stdio.h>

#include "tests/exec/ends.h"
#include "tests/support/graph.h"
#include "tests/support/row_function.h"

TestSuite(diamond, .init = setup, .fini = teardown);

enum { ROWS = 600, TIMEOUT_US = 20 * 1000 * 1000 };

static void keep_all(row_call *c) { row_set_int(c, 0, 1); }
static void keep_even(row_call *c) { row_set_int(c, 0, row_int(c, 0) / 10 % 2 == 0); }
static void keep_odd(row_call *c) { row_set_int(c, 0, row_int(c, 0) / 10 % 2 == 1); }

static row_function functions[8];
static uint32_t function_count;

static uint32_t filtered(uint32_t input, void (*each)(row_call *)) {
  row_function *f = &functions[function_count++ % 8];
  *f = row_function_make("n", NULL, each, false, 5);
  return graph_step("filter", V_TABLE(&arena, {"f", v_function(f)}), input);
}

static tm_value on(const char *kind) {
  return V_TABLE(&arena, {"on", v_text("n")}, {"kind", v_text(kind)}, {"prefix", v_text("r_")});
}

static uint32_t sink_of(uint32_t input, const char *path) {
  return graph_add(TM_ROLE_SINK, "csv", V_TABLE(&arena, {"path", v_text(path)}), &input, 1);
}

static uint32_t source_of(const char *path) { return graph_csv(path, ENDS_DDL, GRAPH_NONE); }

typedef struct outcome { uint64_t rows[2]; } outcome;

static bool dealt; /* morsels, to lanes */

/* Runs what lies in the graph; sources "s" and "t", sinks "x" and "y" (or only some of them). */
static outcome run_graph(uint32_t workers, const char *sources, const char *sinks) {
  ends_source made[2];
  ends_sink kept[2] = {{.block_every = 5}, {.block_every = 7}};
  outcome out = {{0}};
  tm_plan *plan = graph_plan();
  for (int i = 0; sources[i] != '\0'; i++) {
    made[i] = (ends_source){.morsels = ROWS / 10, .rows_each = 10, .keys = 5, .batch_rows = 1,
                            .dealt = dealt};
    ends_set_source(plan, (char[]){sources[i], '\0'}, &made[i]);
  }
  for (int i = 0; sinks[i] != '\0'; i++) ends_set_sink(plan, (char[]){sinks[i], '\0'}, &kept[i]);
  tm_run_result result;
  tm_error err = {0};
  tm_budget *job = tm_budget_create(NULL, "run", 0);
  tm_run_options options = {.workers = workers, .timeout_us = TIMEOUT_US};
  int done = tm_run_plan(plan, job, &options, &result, &err);
  cr_assert_eq(done, 0, "%u workers: E%d %s", workers, err.code, err.message);
  for (int i = 0; i < 2; i++) {
    out.rows[i] = kept[i].rows.count;
    ends_sink_clear(&kept[i]);
  }
  cr_expect_eq(tm_budget_used(job), 0);
  tm_budget_destroy(job);
  return out;
}

Test(diamond, a_source_joined_with_itself) {
  static const char *const kinds[] = {"inner", "left", "right", "full", "semi", "anti"};
  for (uint32_t workers = 1; workers <= 4; workers++) {
    for (size_t i = 0; i < 6; i++) {
      graph_begin(workers);
      uint32_t s = source_of("s.csv");
      sink_of(graph_join(on(kinds[i]), filtered(s, keep_even), s), "x.csv");
      uint64_t rows = run_graph(workers, "s", "x").rows[0];
      uint64_t expected = i == 2 || i == 3 ? ROWS : i == 5 ? 0 : ROWS / 2;
      cr_expect_eq(rows, expected, "%s, %u workers: %llu", kinds[i], workers,
                   (unsigned long long)rows);
    }
  }
}

Test(diamond, a_source_joined_with_what_it_becomes) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    graph_begin(workers);
    uint32_t s = source_of("s.csv");
    uint32_t sorted =
        graph_step("sort", V_TABLE(&arena, {"by", v_text("-v")}), filtered(s, keep_odd));
    uint32_t both = graph_join(on("left"), s, sorted);
    uint32_t again = graph_join(
        on("inner"), filtered(s, keep_all),
        graph_step("select", V_TABLE(&arena, {"columns", V_LIST(&arena, v_text("n"))}), both));
    sink_of(again, "x.csv");
    cr_expect_eq(run_graph(workers, "s", "x").rows[0], ROWS);
  }
}

/* A lookup keeps the order of its rows while its table is read. */
Test(diamond, a_source_looked_up_in_itself) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    for (int turn = 0; turn < 2; turn++) {
      graph_begin(workers);
      uint32_t s = source_of("s.csv");
      tm_value options = V_TABLE(&arena, {"on", v_text("n")}, {"miss", v_text("drop")},
                                 {"prefix", v_text("r_")});
      uint32_t table = turn == 0 ? filtered(s, keep_even) : s;
      uint32_t found = graph_add(TM_ROLE_STEP, "lookup", options, (uint32_t[]){s, table}, 2);
      sink_of(found, "x.csv");
      sink_of(filtered(s, keep_odd), "y.csv");
      dealt = turn == 1;
      cr_expect_eq(run_graph(workers, "s", "xy").rows[0], turn == 0 ? ROWS / 2 : ROWS);
    }
  }
  dealt = false;
}

/* Each join builds what the other probes with. */
Test(diamond, two_joins_across) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    graph_begin(workers);
    uint32_t s = source_of("s.csv"), t = source_of("t.csv");
    sink_of(graph_join(on("inner"), s, t), "x.csv");
    sink_of(graph_join(on("inner"), t, s), "y.csv");
    outcome o = run_graph(workers, "st", "xy");
    cr_expect(o.rows[0] == ROWS && o.rows[1] == ROWS);
  }
}

Test(diamond, a_union_of_one_source) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    graph_begin(workers);
    uint32_t s = source_of("s.csv");
    uint32_t odd = filtered(s, keep_odd), even = filtered(s, keep_even);
    sink_of(graph_add(TM_ROLE_STEP, "union", v_nil(), (uint32_t[]){odd, s, even}, 3), "x.csv");
    cr_expect_eq(run_graph(workers, "s", "x").rows[0], 2 * ROWS);
  }
}

/* Two outputs, of which each takes rows that the other one drops: a lane may be held back by one of
 * them while the other waits for it. */
Test(diamond, two_outputs_of_alternating_rows) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    for (int turn = 0; turn < 4; turn++) {
      graph_begin(workers);
      uint32_t s = source_of("s.csv");
      sink_of(filtered(s, keep_even), "x.csv");
      sink_of(filtered(s, keep_odd), "y.csv");
      dealt =
          turn % 2 == 0; /* two lanes: all even ones come from one, all odd ones from the other */
      outcome o = run_graph(workers, "s", "xy");
      cr_expect(o.rows[0] == ROWS / 2 && o.rows[1] == ROWS / 2);
    }
  }
  dealt = false;
}

Test(diamond, one_output_ends_early) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    graph_begin(workers);
    uint32_t s = source_of("s.csv");
    sink_of(graph_step("limit", V_TABLE(&arena, {"n", v_int(5)}), s), "x.csv");
    sink_of(s, "y.csv");
    outcome o = run_graph(workers, "s", "xy");
    cr_expect(o.rows[0] == 5 && o.rows[1] == ROWS);
  }
}

Test(diamond, a_join_whose_probe_is_wanted_no_more) {
  for (uint32_t workers = 1; workers <= 4; workers++) {
    graph_begin(workers);
    uint32_t s = source_of("s.csv"), t = source_of("t.csv");
    uint32_t joined =
        graph_join(on("inner"), s, graph_step("limit", V_TABLE(&arena, {"n", v_int(9)}), t));
    sink_of(graph_step("limit", V_TABLE(&arena, {"n", v_int(3)}), joined), "x.csv");
    sink_of(s, "y.csv");
    outcome o = run_graph(workers, "st", "xy");
    cr_expect(o.rows[0] == 3 && o.rows[1] == ROWS);
  }
}
