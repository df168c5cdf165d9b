/* tests/operator/live_top_test.c: the first rows of groups in a stream: whatever came and went,
 * what is left of the changelog is what sorting and counting of the rows that are left gives. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/changes.h"
#include "tests/operator/top_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(live_top, .init = setup, .fini = teardown);

extern const tm_stage tm_stage_live_top;

static tm_batch *table_of(uint32_t rows, uint64_t seed, uint32_t distinct, bool odd) {
  rows_random random = rows_seed(seed);
  tm_schema *schema =
      rows_schema(&arena, "g string, f float64, i int32, d decimal(20,2), s string, h float64");
  return rows_random_table(budget, schema, rows, &random,
                           (rows_flavour){.distinct = distinct, .null_percent = 15, .odd = odd});
}

static harness_case case_of(const tm_batch *table, const int32_t *weights, tm_value options) {
  return (harness_case){.stage = &tm_stage_live_top, .input_count = 1, .inputs = {table},
                        .weights = {weights}, .stream = true, .ordered_input = true,
                        .changelog = true, .options = options};
}

static tm_value options_of(const top_wish *w) {
  static const char *const names[] = {"g", "f", "i", "d", "s", "h"};
  static const char *const down[] = {"-g", "-f", "-i", "-d", "-s", "-h"};
  tm_value per[4], by[4];
  for (uint32_t i = 0; i < w->per; i++) per[i] = v_text(names[w->keys[i].column]);
  for (uint32_t i = w->per; i < w->count; i++) {
    by[i - w->per] = v_text((w->keys[i].descending ? down : names)[w->keys[i].column]);
  }
  return V_TABLE(&arena, {"n", v_int(w->n)},
                 {"per", v_table(&arena, per, w->per, NULL, 0)},
                 {"by", v_table(&arena, by, w->count - w->per, NULL, 0)},
                 {"ties", w->all_ties ? v_text("all") : v_nil()},
                 {"rank", w->ranked ? v_text("place") : v_nil()});
}

typedef void (*checker)(const harness_case *c, const harness_expected *expected);

/* All four forms of a top: with ties, with ranks. */
static void check(checker run, const changes *all, bool final, int64_t n,
                  const reference_key *keys, uint32_t per, uint32_t count) {
  tm_batch *net = changes_net(budget, all, all->table->rows);
  const tm_batch *rest = final ? all->table : net;
  for (int kind = 0; kind < 4; kind++) {
    top_wish w = {.table = rest, .n = n, .keys = keys, .per = per, .count = count,
                  .all_ties = (kind & 1) != 0, .ranked = kind >> 1 != 0};
    rows_list expected = top_reference(&w);
    harness_case c = case_of(all->table, final ? NULL : all->weights, options_of(&w));
    char label[80];
    (void)snprintf(label, sizeof label, "n %d, %s, ties %d, ranks %d", (int)n,
                   final ? "final" : "changes", kind & 1, kind >> 1);
    run(&c, &(harness_expected){.rows = &expected, .label = label});
    rows_list_clear(&expected);
  }
  tm_batch_release(net);
}

static const reference_key by_f[] = {{1, true}}, of_g[] = {{0, false}, {3, true}, {2, false}},
    of_h[] = {{5, false}, {1, false}, {4, true}};

Test(live_top, in_every_way_a_lane_may_go) {
  tm_batch *table = table_of(14, 1, 4, true);
  changes all = changes_make(budget, table, 24, 40, 1);
  check(harness_sweep, &all, true, 2, of_g, 1, 3);
  check(harness_sweep, &all, false, 2, of_g, 1, 3);
  changes_clear(&all);
  tm_batch_release(table);
}

Test(live_top, any_rows_and_changes) {
  for (uint64_t seed = 1; seed < 9; seed++) {
    rows_random random = rows_seed(seed);
    uint32_t rows = 1 + rows_below(&random, 200), distinct = 2 + rows_below(&random, 8);
    tm_batch *table = table_of(rows, seed, distinct, seed % 2);
    changes all = changes_make(budget, table, rows_below(&random, 500),
                               rows_below(&random, 50), seed);
    int64_t n = 1 + rows_below(&random, seed % 3 == 0 ? 40 : 5);
    check(harness_check, &all, true, n, by_f, 0, 1);
    check(harness_check, &all, false, n, by_f, 0, 1);
    check(harness_check, &all, true, n, of_g, 1, 3);
    check(harness_check, &all, false, n, of_g, 1, 3);
    check(harness_check, &all, true, n, of_h, 1, 3);
    check(harness_check, &all, false, n, of_h, 1, 3);
    changes_clear(&all);
    tm_batch_release(table);
  }
}

static void expect_lines(const harness_case *c, uint32_t batch_rows, const char *const *lines,
                         size_t count) {
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = batch_rows};
  harness_case as_it_comes = *c;
  as_it_comes.changelog = false;
  harness_result r = harness_run(&as_it_comes, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  for (size_t i = 0; i < count && i < r.rows.count; i++) {
    cr_expect_str_eq(r.rows.texts[i], lines[i]);
  }
  cr_assert_eq(r.rows.count, count, "%zu rows", r.rows.count);
  cr_expect_eq(r.ledger.absorbed, c->inputs[0]->rows);
  cr_expect_eq(r.ledger.produced, count);
  harness_result_clear(&r);
}

Test(live_top, only_what_changes_comes_out) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "g string, f int32"),
                               "a|5\na|7\na|9\na|1\nb|3\na|5");
  harness_case c = case_of(table, NULL, V_TABLE(&arena, {"n", v_int(2)}, {"per", v_text("g")},
                                                {"by", v_text("f")}));
  expect_lines(&c, 1, (const char *const[]){"+1 'a'|5", "+1 'a'|7", "+1 'a'|1", "-1 'a'|7",
                                            "+1 'b'|3"}, 5);
  expect_lines(&c, 3, (const char *const[]){"+1 'a'|5", "+1 'a'|7", "+1 'a'|1", "-1 'a'|7",
                                            "+1 'b'|3"}, 5);
  expect_lines(&c, 100, (const char *const[]){"+1 'a'|1", "+1 'a'|5", "+1 'b'|3"}, 3);
  tm_batch_release(table);
}

/* A row of the first goes, and the next one comes, with all ranks behind it. */
Test(live_top, the_next_row_takes_the_place) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "f int32"), "1\n2\n3\n4\n1");
  const int32_t weights[] = {1, 1, 1, 1, -1};
  harness_case c = case_of(table, weights, V_TABLE(&arena, {"n", v_int(3)}, {"by", v_text("f")},
                                                   {"rank", v_text("r")}));
  expect_lines(&c, 4, (const char *const[]){"+1 1|1", "+1 2|2", "+1 3|3", "-1 1|1", "-1 2|2",
                                            "+1 2|1", "-1 3|3", "+1 3|2", "+1 4|3"}, 9);
  c.options = V_TABLE(&arena, {"n", v_int(3)}, {"by", v_text("f")});
  expect_lines(&c, 4, (const char *const[]){"+1 1", "+1 2", "+1 3", "-1 1", "+1 4"}, 5);
  tm_batch_release(table);
}

/* More changes of a batch than a batch holds; saved while some still wait. */
Test(live_top, many_changes_at_once) {
  enum { ROWS = 40000 };
  tm_batch *table = rows_blank(budget, rows_schema(&arena, "g int64 not null, f int32"), ROWS);
  for (uint32_t i = 0; i < ROWS; i++) {
    ((int64_t *)table->columns[0].data)[i] = i / 2;
    ((int32_t *)table->columns[1].data)[i] = (int32_t)(i % 2);
  }
  harness_case c = case_of(table, NULL, V_TABLE(&arena, {"n", v_int(1)}, {"per", v_text("g")},
                                                {"by", v_text("f")}));
  for (int save = 0; save <= 50; save += 50) {
    harness_mode mode = {.seed = 2, .lanes = 1, .batch_rows = ROWS, .save = save};
    harness_result r = harness_run(&c, &mode);
    cr_assert_eq(r.err.code, 0, "%s", r.err.message);
    cr_assert_eq(r.rows.count, ROWS / 2);
    cr_expect_geq(r.calls, 3);
    harness_result_clear(&r);
  }
  tm_batch_release(table);
}

Test(live_top, what_never_came_cannot_be_taken_back) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "f int32"), "1\n2");
  const int32_t weights[] = {1, -1};
  harness_case c = case_of(table, weights, V_TABLE(&arena, {"n", v_int(1)}, {"by", v_text("f")}));
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 1};
  harness_result r = harness_run(&c, &mode);
  cr_expect_eq(r.err.code, TM_E_LEDGER, "%s", r.err.message);
  harness_result_clear(&r);
  tm_batch_release(table);
}

Test(live_top, what_the_plan_is_told) {
  tm_batch *table = table_of(3, 1, 3, false);
  harness_case c = case_of(table, NULL, V_TABLE(&arena, {"n", v_int(1)}, {"by", v_text("f")},
                                                {"rank", v_text("r")}));
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 100, &bind, &err), 0, "%s", err.message);
  cr_expect(bind.single && bind.chooses && bind.facts_out.changelog);
  cr_expect_eq(bind.facts_out.time.kind, TM_NULLTYPE);
  cr_expect_eq(bind.order, TM_ORDER_MAKES); /* that of its batch */
  c.needed = "g";
  char *needs = harness_needs(&c, 0);
  cr_expect_str_eq(needs, "g f i d s h");
  free(needs);
  tm_batch_release(table);
}

Test(live_top, one_stage_serves) {
  tm_batch *table = table_of(3, 1, 3, false);
  tm_job_info job = {.stream = true};
  tm_value options = V_TABLE(&arena, {"n", v_int(1)}, {"by", v_text("f")}, {"per", v_text("i")});
  tm_bind bind = {.job = &job, .input_count = 1, .inputs = {table->schema}, .options = &options};
  bind.facts_in[0] = (tm_rows_facts){.window_start = -1, .window_end = -1,
                                     .time = tm_type_of(TM_TIMESTAMP)};
  const tm_stage *live = &tm_stage_live_top;
  cr_expect_eq(tm_stage_find_for("top", TM_ROLE_STEP, &bind), live);
  bind.facts_in[0].window_end = 2;
  cr_expect_neq(tm_stage_find_for("top", TM_ROLE_STEP, &bind), live);
  bind.facts_in[0].window_end = 1;
  cr_expect_eq(tm_stage_find_for("top", TM_ROLE_STEP, &bind), live);
  bind.final_only = true;
  cr_expect_neq(tm_stage_find_for("top", TM_ROLE_STEP, &bind), live);
  bind.facts_in[0].changelog = true;
  cr_expect_eq(tm_stage_find_for("top", TM_ROLE_STEP, &bind), live);
  job.stream = bind.facts_in[0].changelog = false;
  cr_expect_neq(tm_stage_find_for("top", TM_ROLE_STEP, &bind), live);
  tm_batch_release(table);
}
