/* tests/operator/join_interval_test.c: joins in time against two nested loops, over random rows
 * that come out of order, in batches and streams: every kind, bounds of both sorts, late rows,
 * memory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/operator/join_reference.h"
#include "tests/support/fixture.h"
#include "tests/support/values.h"

TestSuite(join_interval, .init = setup, .fini = teardown);

/* Bounds: a column of the left side, else a number of microseconds. */
typedef struct range { const char *from_column, *to_column; int64_t from, to; } range;

static bool bound(const join_wish *w, const char *column, int64_t us, uint32_t l, int64_t *out) {
  *out = join_number(w->left, "at", l) + us;
  if (column == NULL) return true;
  int index = tm_schema_find(w->left->schema, column);
  if (tm_column_is_null(&w->left->columns[index], l)) return false;
  *out = join_number(w->left, column, l);
  return true;
}

static bool in_range(const join_wish *w, uint32_t l, uint32_t r) {
  const range *g = w->context;
  int64_t low, high, t = join_number(w->right, "at", r);
  return bound(w, g->from_column, g->from, l, &low) && bound(w, g->to_column, g->to, l, &high) &&
         low <= t && t <= high;
}

static tm_value bound_value(const char *column, int64_t us) {
  if (column != NULL) return v_text(column);
  return v_text(tm_arena_format(&arena, "%lldus", (long long)us));
}

static harness_case case_of(const join_wish *w, int64_t out_of_order_us, bool stream,
                            bool left_built) {
  const range *g = w->context;
  return (harness_case){
    .verb = "join_interval", .role = TM_ROLE_STEP, .input_count = 2,
    .inputs = {w->left, w->right}, .input_rows = {10, left_built ? 100 : 10},
    .times = "at", .out_of_order_us = out_of_order_us, .stream = stream, .shows_times = true,
    .ordinals = true,
    .options = V_TABLE(&arena, {"on", join_on(w, &arena)}, {"kind", v_text(join_kinds[w->kind])},
                       {"from", bound_value(g->from_column, g->from)},
                       {"to", bound_value(g->to_column, g->to)}, {"where", join_where(w)},
                       {"prefix", v_text("r_")}),
  };
}

/* Times go on by up to `step` a row, and come up to `disorder` late. */
static tm_batch *stream_of(const char *ddl, uint32_t rows, uint64_t seed, uint32_t distinct,
                           uint32_t step, uint32_t disorder) {
  rows_random random = rows_seed(seed);
  rows_flavour flavour = {.distinct = distinct, .null_percent = 12};
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), rows, &random, flavour);
  int64_t now = 100;
  for (uint32_t i = 0; i < rows; i++) {
    now += rows_below(&random, step + 1);
    int64_t t = now - rows_below(&random, disorder + 1);
    for (uint32_t c = 0; c < table->schema->count; c++) {
      const char *name = table->schema->fields[c].name;
      int64_t *values = table->columns[c].data;
      if (strcmp(name, "at") == 0) values[i] = t;
      if (strcmp(name, "starts") == 0) values[i] = t - 3 + rows_below(&random, 5);
      if (strcmp(name, "expires") == 0) values[i] = t + rows_below(&random, 20) - 2;
    }
  }
  return table;
}

static rows_list lates_of(const join_wish *w, int64_t out_of_order_us) {
  rows_list list = {0};
  for (int side = 0; side < 2; side++) {
    const tm_batch *table = side == 0 ? w->left : w->right;
    int64_t largest = INT64_MIN / 2;
    for (uint32_t i = 0; i < table->rows; i++) {
      int64_t t = join_number(table, "at", i);
      if (w->late[side][i]) {
        rows_list_add(&list, strdup(tm_arena_format(&arena, "late|%lld|%lld|", (long long)t,
                                                    (long long)(largest - out_of_order_us))));
      }
      if (t > largest) largest = t;
    }
  }
  return list;
}

/* Late rows are compared without the row's text. */
static void check_lates(const harness_case *c, const rows_list *expected) {
  harness_mode mode = {.seed = 5, .lanes = 1, .batch_rows = 9};
  harness_result r = harness_run(c, &mode);
  for (size_t i = 0; i < r.lates.count; i++) *strchr(r.lates.texts[i], '{') = '\0';
  rows_list_expect_set(&r.lates, expected, "late rows");
  cr_expect_eq(r.ledger.late, expected->count);
  harness_result_clear(&r);
}

typedef enum how { SWEEP, CHECK } how;

/* One stream of which nothing is late, one of which much is, and batches. */
static void check_kinds(join_wish w, int64_t disorder, how how) {
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    for (int mode = 0; mode < 4; mode++) {
      static const char *const names[] = {"a batch", "a stream", "a stream with late rows",
                                          "a batch, left built"};
      int64_t out_of_order = mode == 2 ? disorder / 2 : disorder;
      bool stream = mode == 1 || mode == 2;
      char label[80];
      (void)snprintf(label, sizeof label, "%s, %s", join_kinds[w.kind], names[mode]);
      harness_case c = case_of(&w, out_of_order, stream, mode == 3);
      w.late[0] = w.late[1] = NULL;
      rows_list lates = {0};
      if (mode == 2) {
        w.late[0] = join_late_rows(w.left, "at", out_of_order);
        w.late[1] = join_late_rows(w.right, "at", out_of_order);
        lates = lates_of(&w, out_of_order);
        check_lates(&c, &lates);
      }
      w.times = "at";
      rows_list expected = join_expect(&w, join_output(&c, &arena));
      harness_expected e = {.rows = &expected, .label = label};
      if (mode != 2 && how == SWEEP) harness_sweep(&c, &e);
      else if (mode != 2) harness_check(&c, &e);
      for (uint64_t seed = 0; mode == 2 && seed < 6; seed++) {
        harness_mode m = {.seed = seed, .lanes = 1 + seed % 2, .batch_rows = 1 + seed * 3,
                          .odd_batches = true, .save = seed % 3 * 40};
        harness_result r = harness_run(&c, &m);
        cr_assert_eq(r.err.code, 0, "%s", r.err.message);
        rows_list_expect_set(&r.rows, &expected, label);
        harness_result_clear(&r);
      }
      rows_list_clear(&expected);
      rows_list_clear(&lates);
      free((void *)w.late[0]);
      free((void *)w.late[1]);
    }
  }
}

static void release(join_wish *w) {
  tm_batch_release((tm_batch *)w->left);
  tm_batch_release((tm_batch *)w->right);
}

static const char *const lefts = "id int64, n int32, at timestamp not null, s string";
static const char *const rights = "at timestamp not null, id int64, m int32, z string";
static const char *const bounded = "id int64, n int32, at timestamp not null, starts timestamp, "
                                   "expires timestamp";

/* ---------------------------------------------------------------- tests */

Test(join_interval, every_kind_in_every_mode) {
  range g = {.from = -3, .to = 5};
  join_wish w = {.left = stream_of(lefts, 22, 1, 4, 2, 4), .keys = {{"id", "id"}},
                 .right = stream_of(rights, 20, 2, 4, 2, 4), .also = in_range, .context = &g};
  check_kinds(w, 4, SWEEP);
  release(&w);
}

Test(join_interval, bounds_by_column_in_every_mode) {
  range g = {.from = 0, .to_column = "expires"};
  join_wish w = {.left = stream_of(bounded, 16, 3, 3, 2, 3), .keys = {{"id", "id"}},
                 .right = stream_of(rights, 20, 4, 3, 2, 3), .also = in_range, .context = &g};
  check_kinds(w, 3, SWEEP);
  g = (range){.from_column = "starts", .to_column = "expires"};
  w.where = true;
  check_kinds(w, 3, SWEEP);
  release(&w);
}

Test(join_interval, longer_streams_of_many_shapes) {
  static const range ranges[] = {
    {.from = -3, .to = 5}, {.from = 2, .to = 9}, {.from = -20, .to = -4}, {.from = 0, .to = 0},
    {.from = 0, .to_column = "expires"}, {.from_column = "starts", .to = 4},
    {.from_column = "starts", .to_column = "expires"}, {.from = -1000, .to = 1000},
  };
  for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
    for (uint32_t distinct = 1; distinct < 100; distinct *= 9) {
      join_wish w = {.left = stream_of(bounded, 130, 10 + k, distinct, 3, 6),
                     .right = stream_of(rights, 140, 30 + k, distinct, 3, 6),
                     .keys = {{"id", "id"}}, .also = in_range, .context = &ranges[k],
                     .where = k % 3 == 1};
      check_kinds(w, 6, CHECK);
      release(&w);
    }
  }
}

/* Keys of several columns and wider types; no keys at all: every row within the time. */
Test(join_interval, many_keys_and_none) {
  range g = {.from = -4, .to = 4};
  join_wish w = {.left = stream_of("a int32, b string, n int32, at timestamp not null", 90, 50, 3,
                                   2, 3),
                 .right = stream_of("b string, a int64, at timestamp not null, m int32", 90, 51, 3,
                                    2, 3),
                 .keys = {{"a", "a"}, {"b", "b"}}, .also = in_range, .context = &g};
  check_kinds(w, 3, CHECK);
  w.keys[0][0] = w.keys[0][1] = NULL;
  check_kinds(w, 3, CHECK);
  release(&w);
}

/* Times that lie as far out as they can. */
Test(join_interval, the_ends_of_time) {
  range g = {.from = -(INT64_C(1) << 40), .to = INT64_C(1) << 40};
  tm_schema *schema = rows_schema(&arena, "id int64, n int32, at timestamp not null");
  char text[200];
  long long far = INT64_MAX - 9;
  (void)snprintf(text, sizeof text, "1|1|%lld\n1|2|-100\n1|3|0\n1|4|%lld", -far, far);
  join_wish w = {.left = rows_batch(budget, schema, text), .keys = {{"id", "id"}},
                 .right = rows_batch(budget, schema, text), .context = &g};
  for (w.kind = 0; w.kind < KINDS; w.kind++) {
    harness_case c = case_of(&w, 0, true, false);
    harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 2, .save = 50};
    harness_result r = harness_run(&c, &mode);
    cr_expect_eq(r.err.code, 0);
    static const size_t counts[] = {6, 6, 6, 6, 4, 0}; /* the two in the middle match each other */
    cr_expect_eq(r.rows.count, counts[w.kind], "%s: %zu", join_kinds[w.kind], r.rows.count);
    harness_result_clear(&r);
  }
  release(&w);
}
