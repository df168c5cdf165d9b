/* tests/stage/harness_test.c: the harness of stages finds what it is there to find: one sound
 * stage, which passes the sum of a column at its end, and the ways in which it could be broken. */
#include <criterion/criterion.h>
#include <string.h>

#include "state/record.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"

TestSuite(harness, .init = setup, .fini = teardown);

static enum fault {
  SOUND, WRITES_TO_SHARED, FORGETS_STATE, LOSES_BOOKS, STANDS_STILL, NEVER_ENDS,
  CHANGES_OUTPUT, WRONG_TYPE, NULL_IN_NOT_NULL, EMPTY_BATCH, DIES_OF_MEMORY, FORGETS_CHARGES,
  READS_DEAD_ROWS,
} fault;

typedef struct adder {
  tm_stage_env env;
  int64_t sum;
  tm_batch *kept;
  void *block;
} adder;

static const tm_schema *sum_schema(tm_arena *memory) {
  tm_schema *schema = tm_schema_create(memory, 1);
  schema->fields[0] = (tm_field){.name = "sum", .type = tm_type_of(TM_INT64)};
  schema->fields[0].type.not_null = fault == NULL_IN_NOT_NULL;
  return schema;
}

static int adder_bind(tm_bind *bind, tm_error *err) {
  (void)err;
  bind->output = sum_schema(bind->arena);
  return 0;
}

static int adder_open(const tm_stage_env *env, void **out, tm_error *err) {
  adder *a = tm_alloc_zero(env->budget, sizeof *a);
  if (a == NULL) return tm_fail(err, TM_E_MEMORY, "adder: out of memory");
  a->env = *env;
  a->block = tm_alloc(env->budget, 100);
  if (a->block == NULL && fault != DIES_OF_MEMORY) {
    tm_free(env->budget, a, sizeof *a);
    return tm_fail(err, TM_E_MEMORY, "adder: out of memory");
  }
  *out = a;
  if (a->block != NULL) return 0;
  tm_free(env->budget, a, sizeof *a);
  return tm_fail(err, TM_E_SYSTEM, "adder: something else");
}

static tm_flow adder_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  adder *a = self;
  (void)port, (void)out, (void)err;
  int64_t *values = taken->columns[0].data;
  uint32_t count = fault == READS_DEAD_ROWS ? taken->rows : taken->selected;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = fault == READS_DEAD_ROWS ? i : tm_batch_row(taken, i);
    a->sum = (int64_t)((uint64_t)a->sum + (uint64_t)values[row]);
  }
  if (fault == WRITES_TO_SHARED) values[tm_batch_row(taken, 0)] = 0;
  a->env.ledger->absorbed += taken->selected - (fault == LOSES_BOOKS);
  tm_batch_release(taken);
  return fault == NEVER_ENDS ? TM_FLOW_MORE : TM_FLOW_INPUT;
}

static tm_flow adder_resume(void *self, tm_out *out, tm_error *err) {
  adder *a = self;
  (void)out, (void)err;
  if (fault != CHANGES_OUTPUT) return TM_FLOW_MORE;
  ((int64_t *)a->kept->columns[0].data)[0]++;
  return TM_FLOW_FINISHED;
}

static tm_flow adder_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  adder *a = self;
  (void)port;
  if (fault == STANDS_STILL) return TM_FLOW_BLOCKED;
  tm_batch *batch = tm_batch_create(a->env.budget, a->env.bind->output, 1);
  if (batch == NULL || tm_batch_column(batch, 0, true) < 0) {
    tm_batch_release(batch);
    return tm_fail(err, TM_E_MEMORY, "adder: out of memory");
  }
  ((int64_t *)batch->columns[0].data)[0] = a->sum;
  if (fault == WRONG_TYPE) batch->columns[0].type = tm_type_of(TM_TIMESTAMP);
  if (fault == NULL_IN_NOT_NULL) batch->columns[0].valid[0] = 0;
  if (fault == EMPTY_BATCH) batch->selected = 0;
  a->env.ledger->produced++;
  if (fault == CHANGES_OUTPUT) a->kept = tm_batch_retain(batch);
  out->main = batch;
  return fault == CHANGES_OUTPUT ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

static int adder_save(void *self, tm_bytes *out, tm_error *err) {
  adder *a = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)a->sum);
  return tm_record_end(&w, err);
}

static int adder_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  adder *a = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  a->sum = (int64_t)tm_record_get(&r, UINT64_MAX);
  return tm_record_close(&r, err);
}

static void adder_close(void *self) {
  adder *a = self;
  if (fault == CHANGES_OUTPUT) tm_batch_release(a->kept);
  if (fault == FORGETS_CHARGES) cr_assert(tm_budget_charge(a->env.budget, 100));
  tm_free(a->env.budget, a->block, 100);
  tm_free(a->env.budget, a, sizeof *a);
}

static tm_stage stage_with(bool saves) {
  return (tm_stage){
    .size = sizeof(tm_stage), .name = "adder", .inputs = 1, .bind = adder_bind,
    .open = adder_open, .push = adder_push, .resume = adder_resume, .finish = adder_finish,
    .save = saves ? adder_save : NULL, .restore = saves ? adder_restore : NULL,
    .close = adder_close,
  };
}

static harness_result run_with(enum fault wanted, const harness_mode *mode) {
  fault = wanted;
  tm_stage stage = stage_with(wanted != FORGETS_STATE);
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "n int64 not null"),
                               "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12");
  harness_case c = {.stage = &stage, .input_count = 1, .inputs = {table}};
  harness_result r = harness_run(&c, mode);
  tm_batch_release(table);
  return r;
}

static const harness_mode odd = {.seed = 2, .lanes = 1, .batch_rows = 3, .odd_batches = true,
                                 .tells = true};

static void expect_failure(enum fault wanted, const char *words) {
  harness_result r = run_with(wanted, &odd);
  cr_expect_not_null(strstr(r.failure, words), "fault %d: '%s'", wanted, r.failure);
  harness_result_clear(&r);
}

Test(harness, a_sound_stage_passes_every_mode) {
  fault = SOUND;
  tm_stage stage = stage_with(true);
  tm_batch *table = rows_batch(budget, rows_schema(&arena, "n int64 not null"), "1\n2\n3\n4");
  harness_case c = {.stage = &stage, .input_count = 1, .inputs = {table}};
  harness_mode mode = {.seed = 1, .lanes = 1, .batch_rows = 1, .save = 100, .odd_batches = true};
  harness_result r = harness_run(&c, &mode);
  cr_expect_eq(r.rows.count, 1);
  cr_expect_str_eq(r.rows.texts[0], "10");
  cr_expect_eq(r.calls, 5);
  cr_expect_str_empty(r.failure);
  harness_result_clear(&r);
  mode.save = 0;
  for (mode.fail_at = 1; mode.fail_at < 20; mode.fail_at++) {
    r = harness_run(&c, &mode);
    cr_expect(r.err.code == TM_E_MEMORY || r.rows.count == 1);
    cr_expect(mode.fail_at > 1 || r.err.code == TM_E_MEMORY);
    harness_result_clear(&r);
  }
  tm_batch_release(table);
}

Test(harness, finds_a_stage_that_writes_to_what_others_hold) {
  expect_failure(WRITES_TO_SHARED, "that others hold was written to");
}

Test(harness, finds_state_that_is_not_saved) {
  harness_mode mode = odd;
  mode.save = 100;
  harness_result r = run_with(FORGETS_STATE, &mode);
  cr_assert_eq(r.rows.count, 1);
  cr_expect_str_neq(r.rows.texts[0], "78");
  harness_result_clear(&r);
  r = run_with(SOUND, &mode);
  cr_expect_str_eq(r.rows.texts[0], "78");
  harness_result_clear(&r);
}

Test(harness, finds_dead_rows_that_are_read) {
  harness_result r = run_with(READS_DEAD_ROWS, &odd);
  cr_expect_str_neq(r.rows.texts[0], "78");
  harness_result_clear(&r);
}

Test(harness, finds_books_that_do_not_balance) {
  expect_failure(LOSES_BOOKS, "in 12 + produced 1 is not passed 1");
}

Test(harness, finds_a_stage_that_stands_still_or_never_ends) {
  expect_failure(STANDS_STILL, "every lane stands still");
  expect_failure(NEVER_ENDS, "does not come to an end");
}

Test(harness, finds_batches_that_are_not_sound) {
  expect_failure(WRONG_TYPE, "column 'sum' is timestamp, not int64");
  expect_failure(NULL_IN_NOT_NULL, "column 'sum' is not null, row 0 is");
  expect_failure(EMPTY_BATCH, "a batch without rows");
  expect_failure(CHANGES_OUTPUT, "a batch changed after it was given");
}

Test(harness, finds_what_stays_charged) {
  expect_failure(FORGETS_CHARGES, "100 bytes stay charged");
}

Test(harness, an_error_in_place_of_out_of_memory_shows) {
  harness_mode mode = odd;
  mode.fail_at = 2;
  harness_result r = run_with(DIES_OF_MEMORY, &mode);
  cr_expect_eq(r.err.code, TM_E_SYSTEM);
  harness_result_clear(&r);
}
