/* tests/plan/bind_test.c: names of steps, and everything that is wrong before any row. */
#include "tests/support/graph.h"
#include "tests/support/row_function.h"

TestSuite(plan_bind, .init = setup, .fini = teardown);

static tm_error fails(void) {
  tm_error err = {0};
  cr_assert_null(tm_plan_create(&graph, budget, &err));
  cr_expect_str_eq(err.script, "job.lua");
  return err;
}

static void expect_error(tm_error err, int code, const char *message, const char *note, int line) {
  cr_expect_eq(err.code, code, "E%d %s", err.code, err.message);
  cr_expect_str_eq(err.message, message);
  cr_expect_str_eq(err.note, note);
  cr_expect_eq(err.script_line, line, "line %d: %s", err.script_line, message);
}

Test(plan_bind, unknown_verbs) {
  graph_begin(1);
  graph_step("filtr", v_nil(), graph_rows("a int32"));
  expect_error(fails(), TM_E_VERB, "unknown verb 'filtr'", "did you mean 'filter'?", 11);
  graph_begin(1);
  graph_step("renam", v_nil(), graph_rows("a int32"));
  expect_error(fails(), TM_E_VERB, "unknown verb 'renam'", "did you mean 'rename'?", 11);
  graph_begin(1);
  graph_step("diff", v_nil(), graph_rows("a int32"));
  expect_error(fails(), TM_E_UNSUPPORTED, "'diff' is not in this version of tidemill yet", "", 11);
  graph_begin(1);
  graph_step("agg", V_TABLE(&arena, {"window", V_TABLE(&arena, {"kind", v_text("count")})}),
             graph_rows("a int32"));
  expect_error(fails(), TM_E_UNSUPPORTED,
               "'agg' in a window of kind 'count' is not in this version of tidemill yet", "", 11);
  graph_begin(1);
  graph_step("exchang", v_nil(), graph_rows("a int32"));
  expect_error(fails(), TM_E_UNSUPPORTED, "'exchang' is not in this version of tidemill yet", "",
               11);
}

Test(plan_bind, unknown_columns_and_options) {
  graph_begin(1);
  graph_step("sort", V_TABLE(&arena, {"by", v_text("nmae")}), graph_rows("name string, id int32"));
  tm_error err = fails();
  expect_error(err, TM_E_FIELD, "unknown column 'nmae' (has: name, id)", "did you mean 'name'?",
               11);
  cr_expect_str_eq(err.step, "sort");
  graph_begin(1);
  graph_step("limit", V_TABLE(&arena, {"rows", v_int(3)}), graph_rows("a int32"));
  err = fails();
  cr_expect_eq(err.code, TM_E_OPTION);
  cr_expect_str_eq(err.message, "unknown option 'rows' of limit");
  graph_begin(1);
  graph_csv("in.csv", "a int32", GRAPH_NONE);
  ((tm_pair *)graph.nodes[0].options->pairs)[1].name = "pathh";
  err = fails();
  cr_expect_eq(err.code, TM_E_OPTION);
  cr_expect_str_eq(err.message, "unknown option 'pathh' of tm.csv");
}

Test(plan_bind, functions_are_bound_to_the_schema_above) {
  row_function f = row_function_make("pric", NULL, NULL, false, 77);
  graph_begin(1);
  uint32_t at = graph_step("drop", V_TABLE(&arena, {"columns", V_LIST(&arena, v_text("id"))}),
                           graph_rows("id int32, price float64"));
  graph_step("filter", V_TABLE(&arena, {"f", v_function(&f)}), at);
  expect_error(fails(), TM_E_FIELD, "unknown column 'pric' (has: price)", "did you mean 'price'?",
               21);
}

Test(plan_bind, columns_that_come_twice) {
  graph_begin(1);
  uint32_t left = graph_rows("id int32, name string"), right = graph_rows("id int32, name string");
  graph_join(V_TABLE(&arena, {"on", v_text("id")}), left, right);
  tm_error err = fails();
  expect_error(err, TM_E_COLUMNS, "join: both sides have a column 'name'", "", 21);
  cr_expect_str_eq(err.help,
                   "take = { new = \"name\" } or prefix renames columns of the right side");
  graph_begin(1);
  tm_value columns = V_LIST(&arena, v_text("a"), v_text("a"));
  graph_step("select", V_TABLE(&arena, {"columns", columns}), graph_rows("a int32"));
  expect_error(fails(), TM_E_COLUMNS, "column 'a' comes twice", "", 11);
}

Test(plan_bind, numbers_of_inputs) {
  graph_begin(1);
  uint32_t rows = graph_rows("a int32");
  graph_add(TM_ROLE_STEP, "join", v_nil(), &rows, 1);
  expect_error(fails(), TM_E_JOB, "'join' takes 2 inputs, not 1", "", 11);
  graph_begin(1);
  uint32_t sink = graph_sink(graph_rows("a int32"));
  graph_step("limit", V_TABLE(&arena, {"n", v_int(1)}), sink);
  expect_error(fails(), TM_E_JOB, "step 'result' has no output to read", "", 21);
}

Test(plan_bind, names_of_steps) {
  graph_begin(1);
  uint32_t a = graph_csv("data/2013/flights.csv.gz", "id int32", GRAPH_NONE);
  uint32_t b = graph_csv("other/flights.csv", "id int32", GRAPH_NONE);
  uint32_t c = graph_csv("data/*.csv", "id int32", GRAPH_NONE);
  uint32_t d = graph_csv("-", "id int32", GRAPH_NONE);
  uint32_t e = graph_step("limit", V_TABLE(&arena, {"n", v_int(1)}), a);
  uint32_t f = graph_step("limit", V_TABLE(&arena, {"n", v_int(1)}), b);
  graph.nodes[f].name = "the first";
  uint32_t g = graph_add(TM_ROLE_STEP, "union", v_nil(), (uint32_t[]){c, d, e, f}, 4);
  graph_sink(g);
  graph_add(TM_ROLE_SINK, "csv", V_TABLE(&arena, {"path", v_text("-")}), &g, 1);
  tm_plan *plan = graph_plan();
  const char *names[] = {"flights", "flights 2", "csv", "stdin", "limit", "the first", "union",
                         "result", "stdout"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    bool found = false;
    for (uint32_t n = 0; n < plan->node_count; n++) {
      found |= strcmp(plan->nodes[n]->name, names[i]) == 0;
    }
    cr_expect(found, "no step is called '%s'", names[i]);
  }
}

Test(plan_bind, two_steps_of_one_name) {
  graph_begin(1);
  uint32_t a = graph_rows("a int32");
  uint32_t b = graph_step("limit", V_TABLE(&arena, {"n", v_int(1)}), a);
  uint32_t c = graph_step("limit", V_TABLE(&arena, {"n", v_int(1)}), b);
  graph.nodes[b].name = graph.nodes[c].name = "same";
  expect_error(fails(), TM_E_COLUMNS, "two steps are named 'same'", "", 21);
}

Test(plan_bind, no_memory_is_told) {
  int refused = 0;
  for (uint64_t n = 1; n <= 12; n++) {
    tm_arena whole;
    tm_error err = {0};
    graph_begin(2);
    graph_sink(graph_step("sort", V_TABLE(&arena, {"by", v_text("a")}), graph_rows("a int32")));
    tm_arena_init(&whole, budget);
    graph.arena = &whole;
    tm_memory_fail_at(n);
    tm_plan *plan = tm_plan_create(&graph, budget, &err);
    tm_memory_fail_at(0);
    if (plan == NULL) cr_expect_eq(err.code, TM_E_MEMORY, "E%d %s", err.code, err.message);
    refused += plan == NULL;
    tm_arena_deinit(&whole);
  }
  cr_expect_geq(refused, 1);
}
