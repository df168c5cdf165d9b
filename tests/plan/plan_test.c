/* tests/plan/plan_test.c: what the planner adds: exchanges, orderings, ends of refused rows; which
 * edges buffer; which columns are needed. */
#include "plan/refused.h"
#include "tests/support/graph.h"
#include "tests/support/row_function.h"

TestSuite(plan, .init = setup, .fini = teardown);

static const char *const ddl = "id int32, a int32, b string, c float64";

static void yes(row_call *c) { row_set_int(c, 0, 1); }

static row_function sure, unsure;

static tm_value condition(bool raises) {
  sure = row_function_make("a", NULL, yes, false, 5);
  unsure = row_function_make("a", NULL, yes, true, 6);
  return V_TABLE(&arena, {"f", v_function(raises ? &unsure : &sure)});
}

static tm_value by(const char *column) { return V_TABLE(&arena, {"by", v_text(column)}); }
static tm_value first(int64_t n) { return V_TABLE(&arena, {"n", v_int(n)}); }
static tm_value on(const char *column) { return V_TABLE(&arena, {"on", v_text(column)}); }

/* ---------------------------------------------------------------- order */

Test(plan, rows_in_order_meet_in_one_lane) {
  graph_begin(1);
  graph_sink(graph_step("filter", condition(false), graph_csv("in.csv", ddl, GRAPH_NONE)));
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(plan_edges(plan), "in>filter filter>result", "one lane needs no exchange");
  graph_begin(3);
  graph_sink(graph_step("filter", condition(false), graph_csv("in.csv", ddl, GRAPH_NONE)));
  plan = graph_plan();
  cr_expect_str_eq(plan_edges(plan), "in>filter filter>exchange exchange>result");
  cr_expect(plan_find(plan, "exchange", 0)->ordered_input);
  cr_expect(plan->nodes[plan->node_count - 1]->ordered_input);
}

Test(plan, an_unordered_result_comes_sorted) {
  for (uint32_t workers = 1; workers <= 2; workers++) {
    graph_begin(workers);
    uint32_t left = graph_rows("id int32, a int32"), right = graph_rows("id int32, x int32");
    graph_sink(graph_join(on("id"), left, right));
    tm_plan *plan = graph_plan();
    const tm_bind *sort = plan_find(plan, "sort", 0), *exchange = plan_find(plan, "exchange", 0);
    cr_assert_not_null(sort);
    cr_expect(tm_value_get(sort->options, "canonical")->boolean);
    cr_expect_eq(exchange != NULL, workers > 1);
    if (exchange != NULL) cr_expect_not(exchange->ordered_input);
  }
}

Test(plan, a_sorted_result_needs_nothing_more) {
  graph_begin(2);
  uint32_t sorted = graph_step("sort", by("a"), graph_rows(ddl));
  uint32_t limited = graph_step("limit", first(3), graph_step("filter", condition(false), sorted));
  graph_sink(limited);
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(plan_edges(plan), "rows>sort sort>filter filter>limit limit>result");
  cr_expect(plan_find(plan, "sort", 0)->ordered_input, "so that it can be stable");
}

Test(plan, limit_takes_the_first_of_an_unordered_result_in_order) {
  graph_begin(2);
  uint32_t left = graph_rows("id int32, a int32"), right = graph_rows("id int32");
  graph_sink(graph_step("limit", first(3), graph_join(on("id"), left, right)));
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(plan_edges(plan), "rows>join rows 2>join join>exchange exchange>sort sort>limit "
                                     "limit>result");
}

Test(plan, a_union_comes_one_input_after_another_where_that_shows) {
  graph_begin(2);
  uint32_t a = graph_csv("a.csv", ddl, GRAPH_NONE), b = graph_csv("b.csv", ddl, GRAPH_NONE);
  uint32_t both = graph_add(TM_ROLE_STEP, "union", v_nil(), (uint32_t[]){a, b}, 2);
  graph_sink(both);
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(plan_edges(plan), "a>exchange b>exchange 2 exchange>union exchange 2>union "
                                     "union>result");
  const tm_bind *all = plan_find(plan, "union", 0);
  cr_expect(all->ordered_input);
  cr_expect(all->waits[0] == 0 && all->waits[1] == 1);
  graph_begin(2);
  a = graph_csv("a.csv", "id int32, x int32", GRAPH_NONE);
  b = graph_csv("b.csv", "id int32, x int32", GRAPH_NONE);
  both = graph_add(TM_ROLE_STEP, "union", v_nil(), (uint32_t[]){a, b}, 2);
  graph_sink(graph_join(on("id"), both, graph_csv("c.csv", "id int32, y int32", GRAPH_NONE)));
  plan = graph_plan();
  all = plan_find(plan, "union", 0);
  cr_expect_not(all->ordered_input, "nobody below depends on its order");
  cr_expect_eq(all->waits[1], 0);
  cr_expect_eq(plan->edges[0].to, all->node, "no exchange before it");
}

/* ---------------------------------------------------------------- refused rows */

static tm_value check_of(const char *name, int rejects) {
  unsure = row_function_make("a", NULL, yes, true, 6);
  return V_TABLE(&arena, {"name", v_text(name)}, {"f", v_function(&unsure)},
                 {"rejects", rejects == GRAPH_NONE ? v_nil() : v_node(rejects)});
}

static const char *endpoint_of(const tm_plan *plan, const char *stage) {
  const tm_bind *bind = plan_find(plan, stage, 0);
  return bind->rejects_to == NULL ? "none" : bind->rejects_to->name;
}

Test(plan, refused_rows_go_to_the_nearest_endpoint_above) {
  graph_begin(1);
  int bad = (int)graph_endpoint("bad.csv"), poor = (int)graph_endpoint("poor.csv");
  uint32_t at = graph_csv("in.csv", ddl, bad);
  at = graph_step("filter", condition(true), at);
  at = graph_step("check", check_of("fine", poor), at);
  row_function f = row_function_make("a", "d int32", yes, true, 8);
  at = graph_step("with", V_TABLE(&arena, {"fields", V_TABLE(&arena, {"d", v_function(&f)})}), at);
  graph_sink(at);
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(plan->nodes[0]->rejects_to->name, "bad");
  cr_expect_str_eq(endpoint_of(plan, "filter"), "bad", "the source's");
  cr_expect_str_eq(endpoint_of(plan, "check"), "poor", "its own");
  cr_expect_str_eq(endpoint_of(plan, "with"), "poor", "that of the step above");
}

Test(plan, refused_rows_are_put_in_source_order) {
  graph_begin(2);
  int bad = (int)graph_endpoint("bad.csv");
  graph_sink(graph_step("filter", condition(true), graph_csv("in.csv", ddl, bad)));
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(plan_edges(plan), "in>filter filter>exchange exchange>result in>exchange 2! "
                                     "filter>exchange 2! exchange 2>sort sort>drop drop>bad");
  const tm_bind *end = plan->nodes[plan->node_count - 1];
  cr_expect(tm_schema_equal(end->inputs[0], &tm_refused_visible_schema));
  const tm_bind *drop = plan->nodes[plan->node_count - 2];
  cr_expect(tm_schema_equal(drop->output, &tm_refused_visible_schema));
  const tm_value *order = tm_value_get(plan->nodes[plan->node_count - 3]->options, "by");
  cr_assert_eq(order->item_count, 4);
  cr_expect_str_eq(order->items[2].text, "line");
}

Test(plan, an_endpoint_that_nobody_needs_still_ends) {
  graph_begin(1);
  int bad = (int)graph_endpoint("bad.csv");
  graph_sink(graph_step("check", check_of("fine", bad), graph_rows(ddl)));
  graph_endpoint("unused.csv");
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(plan->nodes[plan->node_count - 1]->name, "unused");
}

Test(plan, on_error_skip_holds_below) {
  graph_begin(1);
  uint32_t at = graph_add(TM_ROLE_SOURCE, "csv",
                          V_TABLE(&arena, {"path", v_text("in.csv")}, {"schema", v_text(ddl)},
                                  {"on_error", v_text("skip")}),
                          NULL, 0);
  graph_sink(graph_step("filter", condition(true), at));
  tm_plan *plan = graph_plan();
  cr_expect(plan->nodes[0]->skip_rejects);
  cr_expect(plan_find(plan, "filter", 0)->skip_rejects);
}

Test(plan, who_may_refuse_rows_wants_to_know_their_place) {
  graph_begin(1);
  graph_sink(graph_step("filter", condition(true), graph_csv("in.csv", ddl, GRAPH_NONE)));
  cr_expect(graph_plan()->nodes[0]->emits_ordinals);
  graph_begin(1);
  graph_sink(graph_step("filter", condition(false), graph_csv("in.csv", ddl, GRAPH_NONE)));
  cr_expect_not(graph_plan()->nodes[0]->emits_ordinals);
}

/* ---------------------------------------------------------------- diamonds */

/* The names of the inputs of buffering edges. */
static const char *buffered(const tm_plan *plan) {
  char *text = tm_arena_text(&arena, "", 0);
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    if (!plan->edges[i].buffering) continue;
    text = tm_arena_format(&arena, "%s%s%s", text, *text == '\0' ? "" : " ",
                           plan->nodes[plan->edges[i].from]->name);
  }
  return text;
}

static tm_value renamed(const char *name, const char *from) {
  tm_value entry = V_TABLE(&arena, {"name", v_text(name)}, {"from", v_text(from)});
  return V_TABLE(&arena, {"columns", V_LIST(&arena, entry)});
}

Test(plan, a_join_with_itself_buffers_the_side_that_waits) {
  graph_begin(1);
  uint32_t rows = graph_rows("id int32, a int32");
  uint32_t left = graph_step("filter", condition(false), rows);
  uint32_t right = graph_step("rename", renamed("other", "a"), rows);
  graph_sink(graph_join(on("id"), left, right));
  cr_expect_str_eq(buffered(graph_plan()), "filter");
}

Test(plan, joins_of_different_sources_buffer_nothing) {
  graph_begin(2);
  uint32_t joined = graph_join(on("id"), graph_rows("id int32, a int32"), graph_rows("id int32"));
  graph_sink(graph_join(on("id"), joined, graph_rows("id int32, c int32")));
  cr_expect_str_eq(buffered(graph_plan()), "");
}

/* One source is built here and probes there, the other the other way round: each join waits for
 * what the other holds back, though neither sees a common ancestor. */
Test(plan, two_joins_that_wait_for_each_other_buffer) {
  graph_begin(1);
  uint32_t s = graph_rows("id int32, a int32"), t = graph_rows("id int32, b int32");
  graph_sink(graph_join(on("id"), s, t));
  uint32_t other = graph_join(on("id"), t, s);
  graph_add(TM_ROLE_SINK, "discard", v_nil(), &other, 1);
  cr_expect_str_eq(buffered(graph_plan()), "rows rows 2");
}

/* The same source probes two joins: it is held back by both, but neither waits for it. */
Test(plan, a_source_that_probes_twice_buffers_nothing) {
  graph_begin(1);
  uint32_t s = graph_rows("id int32, a int32");
  graph_sink(graph_join(on("id"), s, graph_rows("id int32, b int32")));
  uint32_t other = graph_join(on("id"), s, graph_rows("id int32, c int32"));
  graph_add(TM_ROLE_SINK, "discard", v_nil(), &other, 1);
  cr_expect_str_eq(buffered(graph_plan()), "");
}

Test(plan, a_union_in_order_buffers_what_comes_later) {
  graph_begin(1);
  uint32_t rows = graph_rows("id int32, a int32");
  uint32_t b = graph_step("filter", condition(false), rows);
  graph_sink(graph_add(TM_ROLE_STEP, "union", v_nil(), (uint32_t[]){rows, b, rows}, 3));
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(buffered(plan), "filter rows");
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    if (plan->edges[i].port == 0) cr_expect_not(plan->edges[i].buffering);
  }
}

Test(plan, exchanges_below_a_branch_buffer) {
  graph_begin(2);
  uint32_t rows = graph_csv("in.csv", "id int32, a int32", GRAPH_NONE);
  graph_sink(graph_step("filter", condition(false), rows));
  uint32_t other = graph_step("limit", first(3), rows);
  graph_add(TM_ROLE_SINK, "discard", v_nil(), &other, 1);
  tm_plan *plan = graph_plan();
  cr_expect(plan_find(plan, "exchange", 0)->buffers);
  cr_expect(plan_find(plan, "exchange", 1)->buffers);
  graph_begin(2);
  graph_sink(graph_csv("in.csv", "id int32", GRAPH_NONE));
  cr_expect_not(plan_find(graph_plan(), "exchange", 0)->buffers);
}

/* ---------------------------------------------------------------- needed columns */

static const char *needed_of(const tm_bind *bind) {
  char *text = tm_arena_text(&arena, "", 0);
  for (uint32_t i = 0; i < bind->output->count; i++) {
    if (!bind->needed[i]) continue;
    text = tm_arena_format(&arena, "%s%s%s", text, *text == '\0' ? "" : " ",
                           bind->output->fields[i].name);
  }
  return text;
}

Test(plan, sources_make_only_what_somebody_reads) {
  graph_begin(1);
  tm_value columns = V_LIST(&arena, v_text("b"));
  uint32_t at = graph_step("filter", condition(false), graph_csv("in.csv", ddl, GRAPH_NONE));
  graph_sink(graph_step("select", V_TABLE(&arena, {"columns", columns}), at));
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(needed_of(plan->nodes[0]), "a b", "a is what the filter reads");
  cr_expect_str_eq(needed_of(plan_find(plan, "filter", 0)), "b");
}

Test(plan, needs_of_branches_add_up) {
  graph_begin(1);
  uint32_t rows = graph_csv("in.csv", ddl, GRAPH_NONE);
  for (int i = 0; i < 2; i++) {
    tm_value columns = V_LIST(&arena, v_text(i == 0 ? "id" : "c"));
    uint32_t at = graph_step("select", V_TABLE(&arena, {"columns", columns}), rows);
    graph_add(TM_ROLE_SINK, "discard", v_nil(), &at, 1);
  }
  cr_expect_str_eq(needed_of(graph_plan()->nodes[0]), "id c");
}

Test(plan, rows_that_may_be_refused_are_needed_whole) {
  graph_begin(1);
  int bad = (int)graph_endpoint("bad.csv");
  tm_value columns = V_LIST(&arena, v_text("b"));
  uint32_t at = graph_step("filter", condition(true), graph_csv("in.csv", ddl, bad));
  graph_sink(graph_step("select", V_TABLE(&arena, {"columns", columns}), at));
  cr_expect_str_eq(needed_of(graph_plan()->nodes[0]), "id a b c");
}

Test(plan, a_join_needs_its_keys_of_both_sides) {
  graph_begin(1);
  uint32_t left = graph_csv("a.csv", ddl, GRAPH_NONE);
  uint32_t right = graph_csv("b.csv", "id int32, x int32, y int32", GRAPH_NONE);
  tm_value columns = V_LIST(&arena, v_text("y"));
  uint32_t joined = graph_join(on("id"), left, right);
  graph_sink(graph_step("select", V_TABLE(&arena, {"columns", columns}), joined));
  tm_plan *plan = graph_plan();
  cr_expect_str_eq(needed_of(plan->nodes[0]), "id");
  cr_expect_str_eq(needed_of(plan->nodes[1]), "id y");
}
