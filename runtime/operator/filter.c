/* operator/filter.c: keeps the rows for which a function is true. Marks a selection, copies
 * nothing. */
#include "stage/apply.h"
#include "stage/options.h"

static const tm_option filter_options[] = {
  {"f", "function", NULL, "the condition: filter(function(r) return r.x > 0 end)", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct filter {
  tm_stage_env env;
  const tm_function *function;
} filter;

static int filter_bind(tm_bind *bind, tm_error *err) {
  const tm_function_source *source = tm_options_function(bind->options, "f");
  tm_function *function = tm_apply_bind(bind, source, TM_SHAPE_TRUTH, NULL, NULL, err);
  if (function == NULL) return -1;
  bind->plan = function;
  bind->output = bind->inputs[0];
  bind->order = TM_ORDER_KEEPS;
  bind->rows_estimate = bind->input_rows[0] / 4 + (bind->input_rows[0] > 0);
  bind->detail = function->text;
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->output->count + 1) * sizeof *passes);
  if (passes == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (uint32_t i = 0; i < bind->output->count; i++) passes[i] = (int32_t)i;
  bind->passes[0] = passes;
  return 0;
}

static void filter_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  for (uint32_t i = 0; i < bind->output->count; i++) in[0][i] |= needed_out[i];
  tm_apply_need(bind->plan, in[0]);
}

static int filter_open(const tm_stage_env *env, void **out, tm_error *err) {
  filter *f = tm_alloc(env->budget, sizeof *f);
  if (f == NULL) return tm_fail(err, TM_E_MEMORY, "filter: out of memory");
  *f = (filter){.env = *env, .function = env->bind->plan};
  *out = f;
  return 0;
}

static tm_flow filter_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                           tm_error *err) {
  filter *f = self;
  (void)port;
  if (f->env.bind->done_elsewhere) {
    tm_out_emit(out, taken);
    return TM_FLOW_INPUT;
  }
  tm_batch *batch = tm_batch_own(taken, f->env.budget);
  if (batch == NULL) return tm_fail(err, TM_E_MEMORY, "filter: out of memory");
  int64_t dropped = tm_apply_filter(&f->env, f->function, batch, out, err);
  if (dropped < 0) {
    tm_batch_release(batch);
    return TM_FLOW_FAILED;
  }
  f->env.ledger->filtered += (uint64_t)dropped;
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow filter_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void filter_close(void *self) {
  filter *f = self;
  tm_free(f->env.budget, f, sizeof *f);
}

const tm_stage tm_stage_filter = {
  .size = sizeof(tm_stage),
  .name = "filter",
  .summary = "keep the rows for which a function is true",
  .inputs = 1,
  .options = filter_options,
  .bind = filter_bind,
  .need = filter_need,
  .open = filter_open,
  .push = filter_push,
  .finish = filter_finish,
  .close = filter_close,
};
