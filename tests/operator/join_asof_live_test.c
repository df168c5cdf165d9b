/* tests/operator/join_asof_live_test.c: as-of joins of streams against a look at all rows: over
 * random rows that come out of order, some of them too late; and what is held over a long time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/join_asof_reference.h"
#include "tests/operator/join_driver.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(join_asof_live, .init = setup, .fini = teardown);

/* Times go on by up to `step` a row, and come up to `disorder` late. */
static tm_batch *stream_of(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct,
                           uint32_t step, uint32_t disorder) {
  rows_random random = rows_seed(seed);
  rows_flavour flavour = {.distinct = distinct, .null_percent = 12};
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
  int column = tm_schema_find(table->schema, "at");
  int64_t now = 100;
  for (uint32_t i = 0; i < rows; i++) {
    now += rows_below(&random, step + 1);
    ((int64_t *)table->columns[column].data)[i] = now - rows_below(&random, disorder + 1);
  }
  return table;
}

static harness_case case_of(const join_wish *w, int64_t out_of_order_us) {
  const asof_wish *a = w->context;
  char *tolerance = tm_arena_format(&arena, "%lldus", (long long)a->tolerance);
  return (harness_case){
    .verb = "join_asof", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {w->left, w->right},
    .times = "at", .shows_times = true, .stream = true, .out_of_order_us = out_of_order_us,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"kind", v_text(join_kinds[w->kind])},
                       {"tolerance", a->tolerance < 0 ? v_nil() : v_text(tolerance)},
                       {"prefix", v_text("r_")}),
  };
}

/* Streams of which nothing is late, and of which much is. */
static void check(join_wish w, int64_t disorder, bool sweep) {
  static const int kinds[] = {LEFT, INNER};
  w.also = join_asof_takes;
  w.times = "at";
  for (int i = 0; i < 4; i++) {
    int64_t out_of_order = i < 2 ? disorder : disorder / 3;
    w.kind = kinds[i % 2];
    w.late[0] = join_late_rows(w.left, "at", out_of_order);
    w.late[1] = join_late_rows(w.right, "at", out_of_order);
    harness_case c = case_of(&w, out_of_order);
    rows_list expected = join_expect(&w, join_output(&c, &arena));
    harness_expected e = {.rows = &expected, .label = join_kinds[w.kind]};
    if (sweep) harness_sweep(&c, &e);
    else harness_check(&c, &e);
    for (uint64_t seed = 0; seed < 4; seed++) {
      harness_mode m = {.seed = seed, .lanes = 1, .batch_rows = 1 + seed * 5, .save = 60};
      harness_result r = harness_run(&c, &m);
      cr_assert_eq(r.err.code, 0, "%s", r.err.message);
      rows_list_expect_set(&r.rows, &expected, "saved");
      harness_result_clear(&r);
    }
    rows_list_clear(&expected);
    free((void *)w.late[0]);
    free((void *)w.late[1]);
  }
}

static void release(join_wish *w) {
  tm_batch_release((tm_batch *)w->left);
  tm_batch_release((tm_batch *)w->right);
}

static const char *const lefts = "id int64, n int32, at timestamp not null, s string";
static const char *const rights = "at timestamp not null, id int64, m int32, z string";

Test(join_asof_live, in_every_mode) {
  asof_wish a = {.tolerance = -1, .by = {"at", "at"}};
  join_wish w = {.left = stream_of(lefts, 24, 1, 3, 2, 4), .keys = {{"id", "id"}},
                 .right = stream_of(rights, 22, 2, 3, 2, 4), .context = &a};
  check(w, 4, true);
  a.tolerance = 3;
  check(w, 4, true);
  release(&w);
}

Test(join_asof_live, longer_streams_of_many_shapes) {
  for (uint64_t k = 0; k < 12; k++) {
    static const uint32_t distinct[] = {1, 4, 30};
    asof_wish a = {.tolerance = k % 3 == 2 ? (int64_t)k : -1, .by = {"at", "at"}};
    join_wish w = {.left = stream_of(lefts, 160, 10 + k, distinct[k % 3], 1 + k % 4, 9),
                   .right = stream_of(rights, 170, 40 + k, distinct[k % 3], 1 + k / 4, 9),
                   .keys = {{"id", "id"}}, .context = &a};
    if (k == 5) w.keys[0][0] = NULL;
    check(w, 9, false);
    release(&w);
  }
}

/* One side long before the other; an empty one. */
Test(join_asof_live, sides_that_do_not_meet) {
  asof_wish a = {.tolerance = -1, .by = {"at", "at"}};
  for (int turn = 0; turn < 4; turn++) {
    join_wish w = {.left = stream_of(lefts, turn == 2 ? 0 : 40, 80, 3, 3, 2),
                   .right = stream_of(rights, turn == 3 ? 0 : 40, 81, 3, 3, 2),
                   .keys = {{"id", "id"}}, .context = &a};
    const tm_batch *later = turn == 0 ? w.left : w.right;
    int column = tm_schema_find(later->schema, "at");
    for (uint32_t i = 0; i < later->rows; i++) {
      ((int64_t *)later->columns[column].data)[i] += 1000;
    }
    check(w, 2, turn < 2);
    release(&w);
  }
}

/* `by` may name the event time, and nothing else. */
Test(join_asof_live, by_the_event_time_alone) {
  asof_wish a = {.tolerance = -1, .by = {"at", "at"}};
  join_wish w = {.left = stream_of("id int64, at timestamp not null, n int64", 30, 90, 3, 3, 0),
                 .right = stream_of("id int64, at timestamp not null, m int64", 30, 91, 3, 3, 0),
                 .keys = {{"id", "id"}}, .context = &a, .kind = LEFT, .times = "at",
                 .also = join_asof_takes};
  harness_case c = case_of(&w, 0);
  rows_list expected = join_expect(&w, join_output(&c, &arena));
  c.options = V_TABLE(&arena, {"on", v_text("id")}, {"by", v_text("at")}, {"prefix", v_text("r_")});
  harness_check(&c, &(harness_expected){.rows = &expected, .label = "by at"});
  rows_list_clear(&expected);
  c.options = V_TABLE(&arena, {"on", v_text("id")}, {"prefix", v_text("r_")},
                      {"by", V_TABLE(&arena, {"left", v_text("n")}, {"right", v_text("m")})});
  harness_result r = harness_run(&c, &(harness_mode){.seed = 1, .lanes = 1, .batch_rows = 9});
  cr_expect_eq(r.err.code, TM_E_JOB);
  cr_expect(strncmp(r.err.message, "join_asof: in a stream rows go by event time", 44) == 0, "%s",
            r.err.message);
  harness_result_clear(&r);
  release(&w);
}

/* ---------------------------------------------------------------- memory */

enum { ROWS = 500, KEYS = 2000, MIB = 1 << 20 };
typedef struct feed { int64_t now; bool new_keys; int64_t next; rows_random random; } feed;

static void fill(tm_batch *b, uint32_t row, void *context) {
  feed *f = context;
  ((int64_t *)b->columns[0].data)[row] = f->new_keys ? f->next++ / 2 : rows_below(&f->random, KEYS);
  ((int64_t *)b->columns[1].data)[row] = f->now + row * 2;
  rows_set(b, 2, row, row % 7 == 0 ? "a name that is long enough for a block" : "short");
}

/* A thousand steps of 500 rows a side. */
static void run_long(const char *tolerance, bool new_keys) {
  const char *ddl = "id int64 not null, at timestamp not null, s string";
  tm_batch *left = rows_blank(budget, rows_schema(&arena, ddl), 0);
  tm_batch *right = rows_blank(budget, rows_schema(&arena, ddl), 0);
  harness_case c = {
    .verb = "join_asof", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {left, right},
    .times = "at", .stream = true, .unbounded = true, .shows_times = true,
    .options = V_TABLE(&arena, {"on", v_text("id")}, {"prefix", v_text("r_")},
                       {"tolerance", tolerance == NULL ? v_nil() : v_text(tolerance)}),
  };
  join_driver d;
  feed f = {.new_keys = new_keys, .random = rows_seed(3)};
  join_driver_open(&d, &c, &arena);
  uint64_t most = 0, early = 0;
  for (int step = 0; step < 1000; step++, f.now += 1000) {
    join_driver_push(&d, 0, ROWS, fill, &f, TM_TIME_NONE, f.now + 999);
    join_driver_push(&d, 1, ROWS, fill, &f, TM_TIME_NONE, f.now + 999);
    uint64_t used = tm_budget_used(d.budget);
    if (step == 100) early = used;
    if (step > 100 && used > most) most = used;
  }
  cr_expect_lt(most, early + early / 4, "%llu bytes early on, then %llu",
               (unsigned long long)early, (unsigned long long)most);
  cr_expect_lt(most, 2 * MIB, "%llu bytes", (unsigned long long)most);
  cr_expect_geq(d.rows, 999 * ROWS);
  join_driver_finish(&d);
  tm_batch_release(left);
  tm_batch_release(right);
}

Test(join_asof_live, holds_a_row_a_key) { run_long(NULL, false); }
Test(join_asof_live, holds_nothing_beyond_the_tolerance) { run_long("3ms", true); }
