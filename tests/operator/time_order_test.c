/* tests/operator/time_order_test.c: rows in the order of event time, late ones apart, against a
 * stable sort of the whole table; memory that follows the disorder. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"
#include "tests/support/stage_driver.h"

TestSuite(time_order, .init = setup, .fini = teardown);

static const char every_type[] =
    "at timestamp not null, x float64, s string, i int32, b bool, d decimal(30,2), u int64";

/* Times that rise by `step` a row on average, each moved back by up to `disorder`. */
static tm_batch *table_of(const char *ddl, uint32_t rows, int64_t step, int64_t disorder,
                          uint64_t seed) {
  rows_random random = rows_seed(seed);
  tm_batch *table = rows_random_table(budget, rows_schema(&arena, ddl), rows, &random,
                                      (rows_flavour){.null_percent = 20, .odd = true});
  int64_t *times = table->columns[0].data;
  for (uint32_t i = 0; i < rows; i++) {
    int64_t back = disorder == 0 ? 0 : (int64_t)(rows_next(&random) % (uint64_t)(disorder + 1));
    times[i] = (int64_t)i * step - back;
  }
  return table;
}

static harness_case case_of(const tm_batch *table, int64_t out_of_order_us, bool stream) {
  return (harness_case){.verb = "time_order", .role = TM_ROLE_STEP, .input_count = 1,
                        .inputs = {table}, .times = "at", .out_of_order_us = out_of_order_us,
                        .stream = stream, .shows_times = true};
}

static void expected_rows(const harness_case *c, const uint8_t *needed, rows_list *out) {
  uint32_t *rows, count = harness_time_ordered(c, 0, needed, &rows);
  const tm_batch *table = c->inputs[0];
  for (uint32_t i = 0; i < count; i++) {
    char *text = rows_text(table, rows[i], needed), *line = malloc(strlen(text) + 40);
    int64_t time = ((const int64_t *)table->columns[0].data)[rows[i]];
    (void)snprintf(line, strlen(text) + 40, "%s @%lld", text, (long long)time);
    rows_list_add(out, line);
    free(text);
  }
  free(rows);
}

static void check(const harness_case *c, bool sweep) {
  rows_list rows = {0}, lates = {0};
  expected_rows(c, NULL, &rows);
  harness_late_rows(c, 0, &lates);
  harness_expected e = {.rows = &rows, .ordered = true, .lates = &lates, .label = "time_order"};
  if (sweep) harness_sweep(c, &e);
  else harness_check(c, &e);
  rows_list_clear(&rows);
  rows_list_clear(&lates);
}

Test(time_order, rows_leave_by_time_then_by_their_columns) {
  for (int64_t disorder = 0; disorder <= 8; disorder += 4) {
    tm_batch *table = table_of(every_type, 60, 1, disorder, (uint64_t)disorder + 1);
    harness_case c = case_of(table, disorder, true);
    check(&c, true);
    c.stream = false;
    check(&c, true);
    tm_batch_release(table);
  }
}

Test(time_order, rows_of_one_time_are_many) {
  tm_batch *table = table_of(every_type, 600, 1, 0, 9);
  int64_t *times = table->columns[0].data;
  for (uint32_t i = 0; i < table->rows; i++) times[i] /= 150;
  harness_case c = case_of(table, 0, true);
  check(&c, false);
  c.stream = false;
  check(&c, false);
  tm_batch_release(table);
}

Test(time_order, a_row_behind_its_mark_is_late) {
  tm_batch *table = table_of("at timestamp not null, i int32", 70, 2, 20, 3);
  harness_case c = case_of(table, 7, true);
  rows_list lates = {0};
  harness_late_rows(&c, 0, &lates);
  cr_assert_gt(lates.count, 5);
  rows_list_clear(&lates);
  check(&c, true);
  c.stream = false; /* in a batch nothing is */
  check(&c, true);
  tm_batch_release(table);
}

Test(time_order, equal_to_the_mark_is_not_behind) {
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "at timestamp not null, i int32"),
                               "10|1\n20|2\n15|3\n14|4\n20|5");
  harness_case c = case_of(table, 5, true);
  rows_list lates = {0};
  harness_late_rows(&c, 0, &lates);
  cr_assert_eq(lates.count, 1);
  cr_expect_str_eq(lates.texts[0], "late|14|15|{\"at\":\"1970-01-01T00:00:00.000014Z\",\"i\":4}");
  rows_list_clear(&lates);
  check(&c, true);
  tm_batch_release(table);
}

Test(time_order, much_disorder_in_large_batches) {
  const int64_t disorders[] = {0, 3, 300, 3000, 100000};
  for (size_t i = 0; i < sizeof disorders / sizeof *disorders; i++) {
    tm_batch *table = table_of("at timestamp not null, i int32, s string", 6000, 3, disorders[i],
                               i + 20);
    harness_case c = case_of(table, disorders[i] / 2, true);
    rows_list rows = {0}, lates = {0};
    expected_rows(&c, NULL, &rows);
    harness_late_rows(&c, 0, &lates);
    const uint32_t sizes[] = {5, 300, 5000};
    for (size_t k = 0; k < 6; k++) {
      harness_mode m = {.seed = k, .lanes = 1, .batch_rows = sizes[k % 3], .odd_batches = k > 2,
                        .save = k > 2 && k < 5 ? 10 : 0};
      harness_result r = harness_run(&c, &m);
      rows_list_expect(&r.rows, &rows, "large");
      rows_list_expect_set(&r.lates, &lates, "large");
      harness_result_clear(&r);
    }
    rows_list_clear(&rows);
    rows_list_clear(&lates);
    tm_batch_release(table);
  }
}

Test(time_order, only_needed_columns_decide) {
  tm_batch *table = table_of(every_type, 80, 1, 5, 12);
  harness_case c = case_of(table, 5, true);
  uint8_t needed[7] = {0, 0, 1, 0, 1, 0, 1};
  c.needed = "s b u";
  int64_t *times = table->columns[0].data;
  for (uint32_t i = 0; i < table->rows; i++) times[i] /= 4;
  rows_list rows = {0};
  expected_rows(&c, needed, &rows);
  harness_sweep(&c, &(harness_expected){.rows = &rows, .ordered = true, .label = "needed"});
  rows_list_clear(&rows);
  char *words = harness_needs(&c, 0);
  cr_expect_str_eq(words, "s b u");
  free(words);
  tm_batch_release(table);
}

Test(time_order, weights_ride_along) {
  tm_batch *table = table_of("at timestamp not null, i int32", 50, 1, 5, 31);
  int32_t weights[50];
  for (int i = 0; i < 50; i++) weights[i] = i % 3 + 1;
  harness_case c = case_of(table, 5, true);
  c.weights[0] = weights;
  rows_list rows = {0};
  uint32_t *order, count = harness_time_ordered(&c, 0, NULL, &order);
  for (uint32_t i = 0; i < count; i++) {
    char *text = rows_text(table, order[i], NULL), line[200];
    (void)snprintf(line, sizeof line, "+%d %s @%lld", weights[order[i]], text,
                   (long long)((const int64_t *)table->columns[0].data)[order[i]]);
    rows_list_add(&rows, strdup(line));
    free(text);
  }
  free(order);
  harness_sweep(&c, &(harness_expected){.rows = &rows, .label = "weights"});
  rows_list_clear(&rows);
  tm_batch_release(table);
}

Test(time_order, says_what_it_makes) {
  tm_batch *table = table_of("at timestamp not null, i int32", 3, 1, 0, 1);
  harness_case c = case_of(table, 0, true);
  tm_bind bind;
  tm_error err = {0};
  cr_assert_eq(harness_bind(&c, &arena, 2048, &bind, &err), 0);
  cr_expect(bind.single);
  cr_expect(bind.facts_out.in_time_order);
  cr_expect_eq(bind.facts_out.time.kind, TM_TIMESTAMP);
  cr_expect_eq(bind.order, TM_ORDER_MAKES);
  cr_expect_eq(bind.passes[0][1], 1);
  tm_batch_release(table);
}

/* ---------------------------------------------------------------- by hand */

Test(time_order, after_idle_time_a_row_is_late_for_the_watermark) {
  const tm_schema *schema = rows_schema(&arena, "at timestamp not null, i int32");
  tm_batch *table = rows_batch(budget, schema, "");
  harness_case c = case_of(table, 0, true);
  stage_driver *d = stage_driver_open(&c);
  stage_driver_push(d, rows_batch(d->budget, schema, "100|1\n120|2"), TM_TIME_NONE);
  cr_expect_eq(d->given, 0);
  stage_driver_advance(d, 110);
  cr_expect_eq(d->given, 1);
  cr_expect_eq(d->watermark_us, 110);
  stage_driver_restart(d);
  stage_driver_push(d, rows_batch(d->budget, schema, "109|3\n110|4\n89|5"), 90);
  cr_assert_eq(d->out.reject_count, 2);
  const tm_reject *idle = &d->out.rejects[0], *late = &d->out.rejects[1];
  cr_expect_eq(idle->reason, TM_REASON_LATE_AFTER_IDLE);
  cr_expect_eq(idle->event_time_us, 109);
  cr_expect_eq(idle->watermark_us, 110);
  cr_expect_str_eq(idle->message,
                   "its time 1970-01-01T00:00:00.000109Z is behind the watermark "
                   "1970-01-01T00:00:00.000110Z, which went on while its partition was idle");
  cr_expect_eq(late->reason, TM_REASON_LATE);
  cr_expect_eq(late->watermark_us, 90);
  cr_expect_str_eq(late->message, "its time 1970-01-01T00:00:00.000089Z is behind the "
                                  "watermark 1970-01-01T00:00:00.000090Z");
  stage_driver_finish(d);
  cr_assert_eq(d->rows.count, 3);
  cr_expect_str_eq(d->rows.texts[0], "100|1 @100");
  cr_expect_str_eq(d->rows.texts[1], "110|4 @110");
  cr_expect_str_eq(d->rows.texts[2], "120|2 @120");
  stage_driver_close(d);
  tm_batch_release(table);
}

/* A million rows go through, one of a hundred of them far ahead; what is held stays small. */
Test(time_order, memory_follows_the_disorder) {
  enum { ROWS = 1000, BATCHES = 1000 };
  const tm_schema *schema = rows_schema(&arena, "at timestamp not null, s string");
  tm_batch *table = rows_batch(budget, schema, "");
  harness_case c = case_of(table, 0, true);
  stage_driver *d = stage_driver_open(&c);
  rows_random random = rows_seed(1);
  uint64_t most = 0;
  d->quiet = true;
  for (int n = 0; n < BATCHES; n++) {
    tm_batch *batch = rows_blank(d->budget, schema, n % 2 == 0 ? ROWS : 100);
    int64_t *times = batch->columns[0].data;
    for (uint32_t i = 0; i < batch->rows; i++) {
      bool ahead = rows_chance(&random, 1);
      times[i] = (int64_t)n * ROWS + (ahead ? 50000 : rows_below(&random, ROWS));
      rows_set(batch, 1, i, "a text that is longer than twelve bytes");
    }
    stage_driver_push(d, batch, TM_TIME_NONE);
    stage_driver_advance(d, (int64_t)n * ROWS);
    most = tm_budget_used(d->budget) > most ? tm_budget_used(d->budget) : most;
  }
  cr_expect_gt(d->given, 500000);
  cr_expect_lt(most, 6 << 20, "%llu bytes", (unsigned long long)most);
  stage_driver_close(d);
  tm_batch_release(table);
}
