/* tests/operator/join_interval_live_test.c: what join_interval holds over a long time: rows
 * within reach of each other, whatever went by; and what is refused before any row. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/operator/join_driver.h"
#include "tests/operator/join_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(join_interval_memory, .init = setup, .fini = teardown);

enum { ROWS = 500, MIB = 1 << 20 };

typedef struct feed { int64_t now, next_id; int64_t reach; rows_random random; } feed;

/* id, at, expires, s: new keys for ever, a row lives a while. */
static void fill_left(tm_batch *b, uint32_t row, void *context) {
  feed *f = context;
  ((int64_t *)b->columns[0].data)[row] = f->next_id++;
  ((int64_t *)b->columns[1].data)[row] = f->now + rows_below(&f->random, 1000);
  ((int64_t *)b->columns[2].data)[row] = f->now + rows_below(&f->random, (uint32_t)f->reach);
  b->columns[2].valid[row] = 1;
  rows_set(b, 3, row, row % 7 == 0 ? "a name that is long enough for a block" : "short");
}

static void fill_right(tm_batch *b, uint32_t row, void *context) {
  feed *f = context;
  int64_t back = rows_below(&f->random, 3000);
  ((int64_t *)b->columns[0].data)[row] = f->next_id > back ? f->next_id - back : 0;
  ((int64_t *)b->columns[1].data)[row] = f->now + rows_below(&f->random, 1000);
  rows_set(b, 2, row, row % 9 == 0 ? "another one that does not fit in a view" : "x");
}

static harness_case case_of(tm_batch *left, tm_batch *right, const char *kind, const char *from,
                            const char *to) {
  return (harness_case){
    .verb = "join_interval", .role = TM_ROLE_STEP, .input_count = 2, .inputs = {left, right},
    .times = "at", .stream = true, .unbounded = true, .shows_times = true,
    .options = V_TABLE(&arena, {"on", v_text("id")}, {"kind", v_text(kind)},
                       {"from", v_text(from)}, {"to", v_text(to)}, {"prefix", v_text("r_")}),
  };
}

/* A thousand time steps of 500 rows a side; the most that is held after the first hundred. */
static void run_long(const char *kind, const char *from, const char *to, uint64_t limit) {
  tm_batch *left = rows_blank(budget, rows_schema(&arena, "id int64 not null, at timestamp not "
                                                          "null, expires timestamp, s string"), 0);
  tm_batch *right = rows_blank(
      budget, rows_schema(&arena, "id int64 not null, at timestamp not null, z string"), 0);
  harness_case c = case_of(left, right, kind, from, to);
  join_driver d;
  feed f = {.reach = 9000, .random = rows_seed(3)};
  join_driver_open(&d, &c, &arena);
  uint64_t most = 0, early = 0;
  for (int step = 0; step < 1000; step++, f.now += 1000) {
    int64_t watermark = f.now - 2000;
    join_driver_push(&d, 0, ROWS, fill_left, &f, watermark, watermark);
    join_driver_push(&d, 1, ROWS, fill_right, &f, watermark, watermark);
    uint64_t used = tm_budget_used(d.budget);
    if (step == 100) early = used;
    if (step > 100 && used > most) most = used;
  }
  cr_expect_lt(most, early + early / 2, "%s: %llu bytes early on, then %llu", kind,
               (unsigned long long)early, (unsigned long long)most);
  cr_expect_lt(most, limit, "%s: %llu bytes", kind, (unsigned long long)most);
  cr_expect_gt(d.rows, 1000, "%s: %llu rows", kind, (unsigned long long)d.rows);
  cr_expect_geq(d.watermark_us, f.now - 15000, "time went on, at %lld of %lld",
                (long long)d.watermark_us, (long long)f.now);
  join_driver_finish(&d);
  tm_batch_release(left);
  tm_batch_release(right);
}

/* A half million rows a side; some five thousand of them are within reach. */
Test(join_interval_memory, is_bounded_by_durations) {
  for (int kind = 0; kind < KINDS; kind++) {
    run_long(join_kinds[kind], "-2ms", "4ms", 3 * MIB);
  }
}

Test(join_interval_memory, is_bounded_by_what_a_column_says) {
  for (int kind = 0; kind < KINDS; kind++) {
    run_long(join_kinds[kind], "0s", "expires", 3 * MIB);
  }
}

/* ---------------------------------------------------------------- what is refused */

static void refuse(const harness_case *c, int code, const char *message) {
  tm_bind bind;
  tm_error err = {0};
  cr_assert_lt(harness_bind(c, &arena, 2048, &bind, &err), 0, "%s", message);
  cr_expect_eq(err.code, code);
  cr_expect_str_eq(err.message, message);
}

Test(join_interval_memory, refuses_what_it_cannot_do) {
  static const int32_t weights[1] = {1};
  tm_batch *left = rows_blank(budget, rows_schema(&arena, "id int64, at timestamp not null, "
                                                          "starts timestamp, n int32"), 0);
  tm_batch *right = rows_blank(budget, rows_schema(&arena, "id int64, at timestamp not null"), 0);
  harness_case c = case_of(left, right, "inner", "-1s", "1s");
  tm_bind bind;
  tm_error err = {0};
  cr_expect_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  cr_expect_str_eq(bind.detail, "on 1 key, from -1s to 1s");
  c = case_of(left, right, "inner", "1s", "-1s");
  refuse(&c, TM_E_VALUE, "join_interval: 'from' is later than 'to'");
  c = case_of(left, right, "inner", "strts", "1s");
  refuse(&c, TM_E_FIELD, "unknown column 'strts' (has: id, at, starts, n)");
  c = case_of(left, right, "inner", "n", "1s");
  refuse(&c, TM_E_TYPE, "join_interval: 'n' is int32, not a time");
  c = case_of(left, right, "innner", "1s", "1s");
  refuse(&c, TM_E_VALUE, "join_interval: unknown kind 'innner'");
  c = case_of(left, right, "inner", "starts", "1s");
  refuse(&c, TM_E_JOB, "join_interval: with 'from' by column, a left row may match right rows of "
                       "any age, and the left side has no end");
  c.unbounded = false;
  cr_expect_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  c.weights[1] = weights;
  refuse(&c, TM_E_JOB, "join_interval: rows of the right side are taken back later");
  c.weights[1] = NULL;
  c.times = "starts";
  refuse(&c, TM_E_JOB, "join_interval: rows of the right side have no event time");
  c.options = V_TABLE(&arena, {"on", v_text("id")}, {"to", v_text("1s")});
  c.times = "at";
  refuse(&c, TM_E_VALUE, "join_interval needs its bounds: 'from' is missing");
  tm_batch_release(left);
  tm_batch_release(right);
}
