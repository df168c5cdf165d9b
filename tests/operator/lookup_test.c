/* tests/operator/lookup_test.c: lookups against two nested loops; rows that find nothing; keys that
 * come twice. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/join_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(lookup, .init = setup, .fini = teardown);

static tm_batch *table_of(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct) {
  rows_random random = rows_seed(seed);
  rows_flavour flavour = {.distinct = distinct, .null_percent = 10};
  return rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
}

/* Keys 0, 2, 4 … each once, and two nulls. */
static tm_batch *keyed_table(const char *ddl, uint32_t rows, uint64_t seed) {
  tm_batch *table = table_of(ddl, rows, seed, 50);
  for (uint32_t i = 0; i < rows; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "%u", i * 2);
    rows_set(table, 0, i, i < 2 ? "null" : key);
  }
  return table;
}

static harness_case case_of(const join_wish *w, const char *miss) {
  return (harness_case){
    .verb = "lookup", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {w->left, w->right},
    .ordinals = true,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)},
                       {"miss", miss == NULL ? v_nil() : v_text(miss)}),
  };
}

static void release(join_wish *w) {
  tm_batch_release((tm_batch *)w->left);
  tm_batch_release((tm_batch *)w->right);
}

/* "no_match|…|ordinal|line|json" of each left row without a match. */
static rows_list rejects_of(join_wish w, const char *json_names[2]) {
  rows_list list = {0};
  for (uint32_t l = 0; l < w.left->rows; l++) {
    bool found = false;
    const int64_t *keys = w.left->columns[0].data;
    bool null = tm_column_is_null(&w.left->columns[0], l);
    for (uint32_t r = 0; r < w.right->rows && !null; r++) {
      found |= !tm_column_is_null(&w.right->columns[0], r) &&
               ((const int64_t *)w.right->columns[0].data)[r] == keys[l];
    }
    if (found) continue;
    char key[32], n[32], line[256];
    (void)snprintf(key, sizeof key, "%lld", (long long)keys[l]);
    bool no_n = tm_column_is_null(&w.left->columns[1], l);
    (void)snprintf(n, sizeof n, "%d", ((const int32_t *)w.left->columns[1].data)[l]);
    (void)snprintf(line, sizeof line,
                   "no_match|no row of the table has id = %s|%u|7|{\"%s\":%s,\"%s\":%s}",
                   null ? "null" : key, l + 1, json_names[0], null ? "null" : key, json_names[1],
                   no_n ? "null" : n);
    rows_list_add(&list, strdup(line));
  }
  return list;
}

Test(lookup, keeps_drops_or_refuses_what_finds_nothing) {
  join_wish w = {.left = table_of("id int64, n int32", 40, 1, 12), .keys = {{"id", "id"}},
                 .right = keyed_table("id int64, m int32, s string", 9, 2)};
  w.kind = LEFT;
  harness_case c = case_of(&w, "keep");
  rows_list expected = join_expect(&w, join_output(&c, &arena));
  cr_assert_eq(expected.count, 40);
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "keep"});
  rows_list_clear(&expected);
  w.kind = INNER;
  c = case_of(&w, "drop");
  expected = join_expect(&w, join_output(&c, &arena));
  cr_assert(expected.count > 5 && expected.count < 35);
  harness_sweep(&c, &(harness_expected){.rows = &expected, .label = "drop"});
  c = case_of(&w, NULL);
  rows_list rejects = rejects_of(w, (const char *[]){"id", "n"});
  harness_sweep(&c, &(harness_expected){.rows = &expected, .rejects = &rejects,
                                        .label = "refuse"});
  rows_list_clear(&rejects);
  rows_list_clear(&expected);
  release(&w);
}

/* Rows stay in their order, with what rides beside them. */
Test(lookup, order_times_and_weights_stay) {
  join_wish w = {.left = table_of("at timestamp not null, id int64, n int32", 60, 3, 12),
                 .keys = {{"id", "id"}}, .right = keyed_table("id int64, s string", 9, 4),
                 .times = "at", .kind = LEFT};
  harness_case c = case_of(&w, "keep");
  c.times = "at";
  c.ordered_input = true;
  c.shows_times = true;
  rows_list expected = join_expect(&w, join_output(&c, &arena));
  for (int stream = 0; stream < 2; stream++) {
    c.stream = stream;
    c.unbounded = false;
    c.out_of_order_us = 3;
    for (uint32_t rows = 1; rows < 100; rows *= 3) {
      harness_mode mode = {.seed = rows, .lanes = 1, .batch_rows = rows, .odd_batches = true,
                           .save = 30};
      harness_result r = harness_run(&c, &mode);
      cr_assert_eq(r.err.code, 0, "%s", r.err.message);
      rows_list_expect(&r.rows, &expected, "in order");
      cr_expect(!stream || r.watermark_us > 0);
      harness_result_clear(&r);
    }
  }
  rows_list_clear(&expected);
  int32_t weights[60];
  for (int i = 0; i < 60; i++) weights[i] = i % 4 == 3 ? 2 : 1;
  c = case_of(&w, "keep");
  c.weights[0] = weights;
  c.changelog = true;
  w.times = NULL;
  rows_list net = join_expect(&w, join_output(&c, &arena));
  for (int i = 3; i < 60; i += 4) rows_list_add(&net, strdup(net.texts[i]));
  harness_check(&c, &(harness_expected){.rows = &net, .label = "weights"});
  rows_list_clear(&net);
  release(&w);
}

Test(lookup, columns_of_the_table_but_its_keys) {
  join_wish w = {.left = table_of("a int32, id int64", 30, 5, 12), .keys = {{"id", "key"}},
                 .right = keyed_table("key int64, m int32 not null, s string", 9, 6),
                 .kind = INNER, .keys_once = true};
  harness_case c = case_of(&w, "drop");
  const tm_schema *output = join_output(&c, &arena);
  cr_expect_str_eq(tm_schema_text(&arena, output), "a int32, id int64, m int32 not null, s string");
  rows_list expected = join_expect(&w, output);
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "keys go"});
  rows_list_clear(&expected);
  c = case_of(&w, "keep");
  cr_expect_str_eq(tm_schema_text(&arena, join_output(&c, &arena)),
                   "a int32, id int64, m int32, s string");
  tm_value renamed = V_TABLE(&arena, {"name", v_text("theirs")}, {"from", v_text("key")});
  c.options = V_TABLE(&arena, {"on", join_on(&w, &arena)}, {"miss", v_text("drop")},
                      {"take", V_LIST(&arena, v_text("s"), renamed)}, {"prefix", v_text("t_")});
  cr_expect_str_eq(tm_schema_text(&arena, join_output(&c, &arena)),
                   "a int32, id int64, t_s string, t_theirs int64");
  c.needed = "t_s";
  char *needs = harness_needs(&c, 1);
  cr_expect_str_eq(needs, "key s");
  free(needs);
  release(&w);
}

/* A table of one row, without keys. */
Test(lookup, a_table_of_one_row) {
  join_wish w = {.left = table_of("a int32", 20, 7, 12), .kind = INNER,
                 .right = rows_batch(budget, rows_schema(&arena, "rate int32"), "7")};
  harness_case c = case_of(&w, NULL);
  rows_list expected = join_expect(&w, join_output(&c, &arena));
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "one row"});
  rows_list_clear(&expected);
  tm_batch_release((tm_batch *)w.right);
  w.right = rows_batch(budget, rows_schema(&arena, "rate int32"), "7\n8");
  c = case_of(&w, NULL);
  harness_result r = harness_run(&c, &(harness_mode){.seed = 1, .lanes = 2, .batch_rows = 3});
  cr_expect_eq(r.err.code, TM_E_SCALAR);
  cr_expect_str_eq(r.err.message,
                   "lookup with on = {} wants at most one row on the right, it has 2");
  harness_result_clear(&r);
  release(&w);
}

/* The least of them is named, whatever the lanes. */
Test(lookup, a_key_twice_is_an_error) {
  tm_schema *schema = rows_schema(&arena, "id int64, store string, s string");
  join_wish w = {
    .left = table_of("id int64, store string", 5, 8, 12), .kind = INNER,
    .keys = {{"id", "id"}, {"store", "store"}},
    .right = rows_batch(budget, schema, "9|b|1\n3|z|2\n9|b|3\n3|c|4\n3|z|5\n1|a|6\n1|b|7\n3|z|8\n"
                                        "null|a|9\nnull|a|10"),
  };
  harness_case c = case_of(&w, NULL);
  for (uint32_t lanes = 1; lanes <= 4; lanes++) {
    for (uint64_t seed = 0; seed < 5; seed++) {
      harness_mode mode = {.seed = seed, .lanes = lanes, .batch_rows = 1, .save = 20};
      harness_result r = harness_run(&c, &mode);
      cr_expect_eq(r.err.code, TM_E_SCALAR);
      cr_expect_str_eq(r.err.message, "lookup: two rows of the table have id = 3, store = z");
      harness_result_clear(&r);
    }
  }
  release(&w);
}

Test(lookup, refuses_what_it_cannot_do) {
  join_wish w = {.left = table_of("id int64", 1, 1, 1), .right = table_of("id int64", 1, 1, 1),
                 .keys = {{"id", "id"}}};
  static const int32_t weights[1] = {1};
  tm_bind bind;
  tm_error err = {0};
  harness_case c = case_of(&w, "kep");
  cr_expect_lt(harness_bind(&c, &arena, 10, &bind, &err), 0);
  cr_expect_str_eq(err.message, "lookup: 'miss' is \"keep\", \"drop\" or an endpoint");
  cr_expect_str_eq(err.note, "did you mean 'keep'?");
  tm_error_clear(&err);
  c = case_of(&w, "keep");
  c.stream = c.unbounded = true;
  cr_expect_lt(harness_bind(&c, &arena, 10, &bind, &err), 0);
  cr_expect_eq(err.code, TM_E_JOB);
  tm_error_clear(&err);
  c.unbounded = false;
  c.weights[1] = weights;
  cr_expect_lt(harness_bind(&c, &arena, 10, &bind, &err), 0);
  cr_expect_eq(err.code, TM_E_JOB);
  tm_error_clear(&err);
  c = case_of(&w, NULL);
  c.options = V_TABLE(&arena, {"on", v_text("id")}, {"miss", v_node(3)});
  cr_assert_eq(harness_bind(&c, &arena, 10, &bind, &err), 0);
  cr_expect(bind.rejects && bind.order == TM_ORDER_KEEPS && bind.waits[0] == 2);
  release(&w);
}
