/* tests/plan/latency_test.c: what check promises of each output of a stream. */
#include "plan/latency.h"

#include "tests/support/graph.h"

TestSuite(latency, .init = setup, .fini = teardown);

static uint32_t timed(const char *out_of_order) {
  return graph_add(TM_ROLE_SOURCE, "rows",
                   V_TABLE(&arena, {"schema", v_text("k string, at timestamp not null")},
                           {"time", V_TABLE(&arena, {"field", v_text("at")},
                                            {"out_of_order", v_text(out_of_order)})}),
                   NULL, 0);
}

static tm_value aggregates(tm_value window) {
  return V_TABLE(&arena, {"keys", V_LIST(&arena, v_text("k"))}, {"window", window},
                 {"aggs", V_LIST(&arena, V_TABLE(&arena, {"agg", v_text("count")},
                                                 {"as", v_text("n")}))});
}

static tm_latency of_sink(void) {
  tm_plan *plan = graph_plan();
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (plan->nodes[i]->stage->sink) return tm_latency_of(plan, i);
  }
  cr_assert_fail("no sink");
  return (tm_latency){0};
}

Test(latency, rows_that_only_pass_do_not_wait) {
  graph_begin(2);
  graph.job.stream = true;
  graph_sink(timed("5s"));
  tm_latency latency = of_sink();
  cr_expect_eq(latency.wait_us, 0);
  cr_expect_eq(latency.disorder_us, 5000000);
  cr_expect(!latency.windows && !latency.at_end);
}

Test(latency, windows_wait_for_rows_out_of_order) {
  graph_begin(2);
  graph.job.stream = true;
  uint32_t inputs[] = {timed("5s"), timed("9s")};
  uint32_t both = graph_add(TM_ROLE_STEP, "union", v_nil(), inputs, 2);
  tm_value window = V_TABLE(&arena, {"kind", v_text("tumbling")}, {"size", v_text("1m")});
  graph_sink(graph_step("agg", aggregates(window), both));
  tm_latency latency = of_sink();
  cr_expect_eq(latency.wait_us, 9000000, "the longest way");
  cr_expect(latency.windows && !latency.at_end);
}

Test(latency, what_has_no_window_comes_at_the_end) {
  graph_begin(2);
  graph.job.stream = true;
  graph_sink(graph_step("agg", aggregates(v_nil()), timed("5s")));
  cr_expect(of_sink().at_end);
}
