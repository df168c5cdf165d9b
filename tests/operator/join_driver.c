/* tests/operator/join_driver.c: see join_driver.h. */
#include "tests/operator/join_driver.h"

#include <criterion/criterion.h>

static const int never_draining = 0;

static void wake(void *object) { (void)object; }

void join_driver_open(join_driver *d, const harness_case *c, tm_arena *arena) {
  tm_error err = {0};
  *d = (join_driver){.arena = arena, .watermark_us = TM_TIME_NONE};
  cr_assert_eq(harness_bind(c, arena, 2048, &d->bind, &err), 0, "%s", err.message);
  uint8_t *in[2];
  for (int p = 0; p < 2; p++) in[p] = tm_arena_zero(arena, d->bind.inputs[p]->count + 1);
  d->bind.stage->need(&d->bind, d->bind.needed, in);
  d->budget = tm_budget_create(NULL, "stage", 0);
  tm_arena_init(&d->scratch, arena->budget);
  d->env = (tm_stage_env){.bind = &d->bind, .budget = d->budget, .lanes = 1,
                          .ledger = &d->ledger, .draining = &never_draining, .wake = wake};
  cr_assert_eq(d->bind.stage->open(&d->env, &d->self, &err), 0, "%s", err.message);
}

static void settle(join_driver *d, tm_flow flow, tm_out *out, const tm_error *err) {
  cr_assert_neq(flow, TM_FLOW_FAILED, "%s", err->message);
  if (out->main != NULL) {
    const int64_t *times = out->main->times;
    for (uint32_t n = 0; times != NULL && n < out->main->selected; n++) {
      cr_assert_geq(times[tm_batch_row(out->main, n)], d->watermark_us, "behind its own watermark");
    }
    d->rows += out->main->selected;
    d->ledger.passed += out->main->selected;
    tm_batch_release(out->main);
  }
  d->ledger.late += out->reject_count;
  if (out->watermark_us != TM_TIME_NONE) {
    cr_assert_geq(out->watermark_us, d->watermark_us, "the watermark goes back");
    d->watermark_us = out->watermark_us;
  }
  tm_arena_reset(&d->scratch);
  d->flow = flow;
}

static void go_on(join_driver *d) {
  while (d->flow == TM_FLOW_MORE) {
    tm_error err = {0};
    tm_out out = tm_out_make(&d->scratch);
    settle(d, d->bind.stage->resume(d->self, &out, &err), &out, &err);
  }
}

void join_driver_push(join_driver *d, uint32_t port, uint32_t count, join_driver_fill fill,
                      void *context, int64_t mark_us, int64_t watermark_us) {
  tm_error err = {0};
  const tm_schema *schema = d->bind.inputs[port];
  tm_batch *batch = rows_blank(d->arena->budget, schema, count);
  batch->times = tm_batch_alloc(batch, (count + 1) * sizeof *batch->times);
  batch->marks = tm_batch_alloc(batch, (count + 1) * sizeof *batch->marks);
  int at = tm_schema_find(schema, "at");
  for (uint32_t row = 0; row < count; row++) {
    fill(batch, row, context);
    batch->times[row] = ((const int64_t *)batch->columns[at].data)[row];
    batch->marks[row] = mark_us;
  }
  d->ledger.in += count;
  tm_out out = tm_out_make(&d->scratch);
  settle(d, d->bind.stage->push(d->self, port, batch, &out, &err), &out, &err);
  go_on(d);
  out = tm_out_make(&d->scratch);
  settle(d, d->bind.stage->advance(d->self, port, watermark_us, &out, &err), &out, &err);
  go_on(d);
}

void join_driver_finish(join_driver *d) {
  for (uint32_t port = 0; port < 2; port++) {
    tm_error err = {0};
    tm_out out = tm_out_make(&d->scratch);
    settle(d, d->bind.stage->finish(d->self, port, &out, &err), &out, &err);
    go_on(d);
  }
  cr_expect_eq(d->flow, TM_FLOW_FINISHED);
  cr_expect_eq(d->ledger.held, 0);
  cr_expect(tm_ledger_balances(&d->ledger));
  d->bind.stage->close(d->self);
  tm_arena_deinit(&d->scratch);
  tm_arena_pool_clear();
  cr_expect_eq(tm_budget_used(d->budget), 0);
  tm_budget_destroy(d->budget);
}
