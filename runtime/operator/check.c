/* operator/check.c: rows for which the function is false are refused under the check's name.
 * A row of which the function raises is refused as well, with the reason `lua`. */
#include "stage/apply.h"
#include "stage/options.h"

static const tm_option check_options[] = {
  {"name", "text", NULL, "what must hold, in words", NULL},
  {"f", "function", NULL, "true where it holds", NULL},
  {"rejects", "flow", NULL, "endpoint of the rows for which it does not hold", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct check {
  tm_stage_env env;
  const tm_function *function;
  const char *name;
} check;

static int check_bind(tm_bind *bind, tm_error *err) {
  if (tm_value_text(bind->options, "name", NULL) == NULL) {
    return tm_fail(err, TM_E_VALUE, "check wants a name first: check(\"qty is positive\", f)");
  }
  const tm_function_source *source = tm_options_function(bind->options, "f");
  tm_function *function = tm_apply_bind(bind, source, TM_SHAPE_TRUTH, NULL, NULL, err);
  if (function == NULL) return -1;
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->inputs[0]->count + 1) * sizeof *passes);
  if (passes == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (uint32_t i = 0; i < bind->inputs[0]->count; i++) passes[i] = (int32_t)i;
  bind->passes[0] = passes;
  bind->plan = function;
  bind->output = bind->inputs[0];
  bind->order = TM_ORDER_KEEPS;
  bind->rejects = true;
  bind->rows_estimate = bind->input_rows[0];
  bind->detail = tm_value_text(bind->options, "name", NULL);
  return 0;
}

static void check_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  for (uint32_t i = 0; i < bind->output->count; i++) in[0][i] |= needed_out[i];
  tm_apply_need(bind->plan, in[0]);
}

static int check_open(const tm_stage_env *env, void **out, tm_error *err) {
  check *c = tm_alloc(env->budget, sizeof *c);
  if (c == NULL) return tm_fail(err, TM_E_MEMORY, "check: out of memory");
  *c = (check){.env = *env, .function = env->bind->plan,
               .name = tm_value_text(env->bind->options, "name", "")};
  *out = c;
  return 0;
}

static int refuse_failed(check *c, tm_batch *batch, const uint8_t *truth, tm_out *out,
                         tm_error *err) {
  int line = c->function->source->script_line;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    if (truth[row]) continue;
    if (tm_out_reject(out, batch, row, TM_REASON_CHECK, line, c->name) < 0) {
      return tm_fail(err, TM_E_MEMORY, "check: out of memory");
    }
  }
  if (tm_apply_select(batch, truth, 1) < 0) return tm_fail(err, TM_E_MEMORY, "out of memory");
  return 0;
}

static tm_flow check_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  check *c = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, c->env.budget);
  if (batch == NULL) return tm_fail(err, TM_E_MEMORY, "check: out of memory");
  tm_column truth = {.type = {.kind = TM_BOOL, .not_null = 1}};
  if (tm_apply(&c->env, c->function, batch, &truth, NULL, &batch->arena, out, err) < 0 ||
      (batch->selected > 0 && refuse_failed(c, batch, truth.data, out, err) < 0)) {
    tm_batch_release(batch);
    return TM_FLOW_FAILED;
  }
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow check_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void check_close(void *self) {
  check *c = self;
  tm_free(c->env.budget, c, sizeof *c);
}

const tm_stage tm_stage_check = {
  .size = sizeof(tm_stage),
  .name = "check",
  .summary = "refuse the rows for which a condition does not hold",
  .inputs = 1,
  .options = check_options,
  .bind = check_bind,
  .need = check_need,
  .open = check_open,
  .push = check_push,
  .finish = check_finish,
  .close = check_close,
};
