/* tests/plan/graph_test.c: graphs grow, and are told apart by their hash. */
#include "tests/support/graph.h"

TestSuite(graph, .init = setup, .fini = teardown);

static uint64_t hash_of(const char *verb, tm_value options, const char *name, int line,
                        uint32_t input) {
  graph_begin(1);
  graph_rows("a int32");
  graph_rows("a int32");
  uint32_t at = graph_step(verb, options, input);
  graph.nodes[at].name = name;
  graph.nodes[at].script_line = line;
  return tm_graph_hash(&graph);
}

static tm_value decimal(__int128 digits, int scale) {
  return (tm_value){.kind = TM_VALUE_DECIMAL, .decimal = digits, .scale = scale};
}

Test(graph, equal_graphs_have_equal_hashes) {
  int one = 1, two = 2;
  tm_value a = V_TABLE(&arena, {"n", v_int(3)}, {"f", v_function(&one)},
                       {"l", V_LIST(&arena, v_text("x"), v_float(0.5))});
  tm_value b = V_TABLE(&arena, {"n", v_int(3)}, {"f", v_function(&two)},
                       {"l", V_LIST(&arena, v_text("x"), v_float(0.5))});
  cr_expect_eq(hash_of("limit", a, "first", 4, 0), hash_of("limit", b, "first", 4, 0),
               "functions are not told apart");
}

Test(graph, whatever_differs_shows_in_the_hash) {
  const tm_value options[] = {
    v_nil(), V_TABLE(&arena, {"n", v_int(3)}), V_TABLE(&arena, {"n", v_int(4)}),
    V_TABLE(&arena, {"m", v_int(3)}), V_TABLE(&arena, {"n", v_float(3)}),
    V_TABLE(&arena, {"n", v_text("3")}), V_TABLE(&arena, {"n", v_bool(true)}),
    V_TABLE(&arena, {"n", v_bool(false)}), V_TABLE(&arena, {"n", decimal(3, 0)}),
    V_TABLE(&arena, {"n", decimal(30, 1)}), V_TABLE(&arena, {"n", v_nil()}),
    V_TABLE(&arena, {"n", V_LIST(&arena, v_int(3))}),
    V_TABLE(&arena, {"n", V_LIST(&arena, v_int(3), v_int(3))}),
    V_TABLE(&arena, {"n", V_TABLE(&arena, {"n", v_int(3)})}), V_TABLE(&arena, {"n", v_node(3)}),
    V_TABLE(&arena, {"n", v_int(3)}, {"o", v_int(3)}),
  };
  enum { OPTIONS = sizeof options / sizeof *options, OTHERS = 4 };
  uint64_t hashes[OPTIONS + OTHERS];
  for (size_t i = 0; i < OPTIONS; i++) hashes[i] = hash_of("limit", options[i], "x", 4, 0);
  hashes[OPTIONS] = hash_of("top", options[1], "x", 4, 0);
  hashes[OPTIONS + 1] = hash_of("limit", options[1], "y", 4, 0);
  hashes[OPTIONS + 2] = hash_of("limit", options[1], NULL, 4, 0);
  hashes[OPTIONS + 3] = hash_of("limit", options[1], "x", 4, 1);
  for (size_t a = 0; a < OPTIONS + OTHERS; a++) {
    for (size_t b = 0; b < a; b++) cr_expect_neq(hashes[a], hashes[b], "%zu and %zu", a, b);
  }
}

Test(graph, grows) {
  graph_begin(1);
  uint32_t at = graph_rows("a int32");
  for (uint32_t i = 0; i < 1000; i++)
    at = graph_step("limit", V_TABLE(&arena, {"n", v_int(i)}), at);
  cr_expect_eq(graph.count, 1001);
  for (uint32_t i = 1; i <= 1000; i++) {
    cr_assert_eq(graph.nodes[i].inputs[0], i - 1);
    cr_assert_eq(tm_value_get(graph.nodes[i].options, "n")->integer, i - 1);
  }
}

Test(graph, refuses_more_inputs_than_there_are_ports) {
  graph_begin(1);
  tm_error err = {0};
  tm_node node = {.role = TM_ROLE_STEP, .verb = "union", .input_count = TM_PORTS_MAX + 1};
  cr_expect_lt(tm_graph_add(&graph, &node, &err), 0);
  cr_expect_eq(err.code, TM_E_JOB);
  node.input_count = TM_PORTS_MAX;
  cr_expect_eq(tm_graph_add(&graph, &node, &err), 0);
}
