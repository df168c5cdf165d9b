/* tests/support/stage_driver.c: see stage_driver.h. */
#include "tests/support/stage_driver.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "harness_parts.h"

static void open_instance(stage_driver *d) {
  tm_error err = {0};
  d->env = (tm_stage_env){.bind = &d->bind, .budget = d->budget, .lanes = 1, .ledger = &d->ledger,
                          .worker = d->c->worker};
  cr_assert_eq(d->bind.stage->open(&d->env, &d->self, &err), 0, "%s", err.message);
}

stage_driver *stage_driver_open(const harness_case *c) {
  tm_error err = {0};
  stage_driver *d = calloc(1, sizeof *d);
  cr_assert_not_null(d);
  d->c = c;
  d->watermark_us = TM_TIME_NONE;
  d->budget = tm_budget_create(NULL, "driver", 0);
  tm_arena_init(&d->arena, d->budget);
  tm_arena_init(&d->scratch, d->budget);
  cr_assert_eq(harness_bind(c, &d->arena, 2048, &d->bind, &err), 0, "%s", err.message);
  open_instance(d);
  return d;
}

static void take(stage_driver *d) {
  tm_batch *batch = d->out.main;
  if (d->out.watermark_us != TM_TIME_NONE) {
    cr_assert_geq(d->out.watermark_us, d->watermark_us, "the watermark goes back");
    d->watermark_us = d->out.watermark_us;
  }
  if (batch == NULL) return;
  d->given += batch->selected;
  if (!d->quiet) harness_output_add(d->c, batch, d->bind.needed, &d->rows);
  tm_batch_release(batch);
}

static void begin(stage_driver *d) {
  tm_arena_reset(&d->scratch);
  d->out = tm_out_make(&d->scratch);
}

static void go_on(stage_driver *d, tm_flow flow, tm_flow wanted, tm_error *err) {
  for (;;) {
    cr_assert_neq(flow, TM_FLOW_FAILED, "%s", err->message);
    take(d);
    if (flow != TM_FLOW_MORE) break;
    d->out.main = NULL;
    d->out.watermark_us = TM_TIME_NONE;
    flow = d->bind.stage->resume(d->self, &d->out, err);
  }
  cr_assert_eq(flow, wanted);
}

void stage_driver_push(stage_driver *d, tm_batch *taken, int64_t mark_us) {
  tm_error err = {0};
  int column = d->c->times == NULL ? -1 : tm_schema_find(taken->schema, d->c->times);
  if (column >= 0) {
    taken->times = taken->columns[column].data;
    taken->marks = tm_batch_alloc(taken, (taken->rows + 1) * sizeof *taken->marks);
    cr_assert_not_null(taken->marks);
    for (uint32_t i = 0; i < taken->rows; i++) taken->marks[i] = mark_us;
    if (d->bind.time_order != 0) taken->marks = NULL;
  }
  begin(d);
  go_on(d, d->bind.stage->push(d->self, 0, taken, &d->out, &err), TM_FLOW_INPUT, &err);
}

void stage_driver_advance(stage_driver *d, int64_t watermark_us) {
  tm_error err = {0};
  begin(d);
  go_on(d, d->bind.stage->advance(d->self, 0, watermark_us, &d->out, &err), TM_FLOW_INPUT, &err);
}

void stage_driver_finish(stage_driver *d) {
  tm_error err = {0};
  begin(d);
  go_on(d, d->bind.stage->finish(d->self, 0, &d->out, &err), TM_FLOW_FINISHED, &err);
}

void stage_driver_restart(stage_driver *d) {
  tm_error err = {0};
  tm_bytes saved;
  tm_bytes_init(&saved, d->budget);
  cr_assert_eq(d->bind.stage->save(d->self, &saved, &err), 0, "%s", err.message);
  d->bind.stage->close(d->self);
  open_instance(d);
  int done = d->bind.stage->restore(d->self, saved.data, saved.size, &err);
  cr_assert_eq(done, 0, "%s", err.message);
  tm_bytes_deinit(&saved);
}

void stage_driver_close(stage_driver *d) {
  d->bind.stage->close(d->self);
  rows_list_clear(&d->rows);
  tm_arena_deinit(&d->scratch);
  tm_arena_deinit(&d->arena);
  tm_arena_pool_clear();
  tm_budget_destroy(d->budget);
  free(d);
}
