/* tests/plan/explain_test.c: a plan as text and as JSON. */
#include "plan/explain.h"
#include "tests/support/graph.h"
#include "tests/support/row_function.h"

TestSuite(explain, .init = setup, .fini = teardown);

static void yes(row_call *c) { row_set_int(c, 0, 1); }

static row_function condition;

static tm_plan *small_plan(void) {
  condition = row_function_make("a", NULL, yes, true, 12);
  graph_begin(2);
  int bad = (int)graph_endpoint("out/bad.csv");
  uint32_t in = graph_csv("in.csv", "id int32 not null, a int64, c string, d date", bad);
  uint32_t kept = graph_step("filter", V_TABLE(&arena, {"f", v_function(&condition)}), in);
  tm_value taken = V_LIST(&arena, v_text("id"), v_text("c"));
  uint32_t narrow = graph_step("select", V_TABLE(&arena, {"columns", taken}), kept);
  graph_sink(
      graph_join(V_TABLE(&arena, {"on", v_text("id")}, {"kind", v_text("semi")}), narrow, in));
  return graph_plan();
}

static const char *text_of(bool (*explain)(const tm_plan *, tm_bytes *), const tm_plan *plan) {
  tm_bytes out;
  tm_bytes_init(&out, budget);
  cr_assert(explain(plan, &out));
  const char *text = tm_arena_text(&arena, (const char *)out.data, out.size);
  tm_bytes_deinit(&out);
  return text;
}

Test(explain, as_text) {
  const char *text = text_of(tm_explain_text, small_plan());
  cr_expect_str_eq(
      text,
      "job · batch · 2 workers\n"
      "  1 in (csv)   line 11\n"
      "      in.csv\n"
      "      columns  id int32 not null, a int64, c string, d date\n"
      "  2 filter <- in   line 21\n"
      "      in Lua   line 12: it is C\n"
      "  3 select <- filter   line 31\n"
      "      columns  id int32 not null, c string\n"
      "  4 join <- select (buffered), in   line 41\n"
      "      semi on 1 key, keeps the right side\n"
      "  5 exchange <- join   line 41\n"
      "  6 sort <- exchange   line 41\n"
      "  7 result (csv) <- sort   line 51\n"
      "      out/result.csv\n"
      "  8 exchange 2 <- in (refused), filter (refused)   line 1\n"
      "  9 sort 2 <- exchange 2   line 1\n"
      " 10 drop <- sort 2   line 1\n"
      "      columns  reason string, message string, source string, file string, line int64, "
      "offset "
      "int64, pipeline string, step string, script_line int64, raw string, event_time timestamp, "
      "watermark timestamp\n"
      " 11 bad (csv) <- drop   line 1\n"
      "      out/bad.csv\n");
}

/* A reader of JSON as strict as need be: the end of the value that begins at `at`, or NULL. */
static const char *json_end(const char *at) {
  if (*at == '"') {
    for (at++; *at != '"'; at++) {
      if ((unsigned char)*at < 0x20) return NULL;
      if (*at == '\\') at++;
    }
    return at + 1;
  }
  if (*at != '{' && *at != '[') {
    size_t size = strspn(at, "-+.0123456789eEtrufalsn");
    return size == 0 ? NULL : at + size;
  }
  char close = *at == '{' ? '}' : ']';
  bool object = *at++ == '{';
  if (*at == close) return at + 1;
  for (;;) {
    if (object) {
      at = *at == '"' ? json_end(at) : NULL;
      if (at == NULL || *at++ != ':') return NULL;
    }
    at = json_end(at);
    if (at == NULL) return NULL;
    if (*at == close) return at + 1;
    if (*at++ != ',') return NULL;
  }
}

static void expect_part(const char *json, const char *part) {
  cr_expect_not_null(strstr(json, part), "%s is not in %s", part, json);
}

Test(explain, as_json) {
  tm_plan *plan = small_plan();
  const char *json = text_of(tm_explain_json, plan);
  const char *end = json_end(json);
  cr_assert_not_null(end, "%s", json);
  cr_expect_str_eq(end, "\n");
  expect_part(json, "{\"job\":\"job\",\"mode\":\"batch\",\"workers\":2,\"steps\":[");
  expect_part(json, "\"name\":\"in\",\"verb\":\"csv\",\"role\":\"source\"");
  expect_part(json, "{\"name\":\"id\",\"type\":\"int32\",\"not_null\":true,\"needed\":true}");
  expect_part(json, "\"functions\":[{\"line\":12,\"compiled\":false,\"why\":\"it is C\"");
  expect_part(json, "{\"step\":\"select\",\"port\":0,\"refused\":false,\"late\":false,"
                    "\"buffered\":true}");
  expect_part(json, "{\"step\":\"filter\",\"port\":0,\"refused\":true,\"late\":false,"
                    "\"buffered\":false}");
  expect_part(json, "\"name\":\"bad\",\"verb\":\"csv\",\"role\":\"sink\"");
}

Test(explain, names_are_escaped) {
  tm_plan *plan = small_plan();
  plan->nodes[0]->name = "a \"name\"\n\\";
  const char *json = text_of(tm_explain_json, plan);
  cr_assert_not_null(json_end(json));
  expect_part(json, "\"name\":\"a \\\"name\\\"\\n\\\\\"");
}

Test(explain, no_memory_is_told) {
  tm_plan *plan = small_plan();
  for (int which = 0; which < 2; which++) {
    tm_budget *little = tm_budget_create(NULL, "little", 300);
    tm_bytes out;
    tm_bytes_init(&out, little);
    cr_expect_not(which ? tm_explain_json(plan, &out) : tm_explain_text(plan, &out));
    tm_bytes_deinit(&out);
    tm_budget_destroy(little);
  }
}
