/* operator/limit.c: the first n rows, in the order of the input; then it wants no more. */
#include "stage/changelog.h"
#include "stage/options.h"
#include "state/record.h"

static const tm_option limit_options[] = {
  {"n", "int", NULL, "how many rows, 0 or more", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct limit {
  tm_stage_env env;
  uint64_t left;
} limit;

static int limit_bind(tm_bind *bind, tm_error *err) {
  int64_t n = tm_options_int(bind->options, "n", -1);
  if (n < 0) return tm_fail(err, TM_E_VALUE, "limit wants a number of rows, 0 or more");
  if (tm_changelog_refuse(bind, err) < 0) return -1;
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->inputs[0]->count + 1) * sizeof *passes);
  if (passes == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (uint32_t i = 0; i < bind->inputs[0]->count; i++) passes[i] = (int32_t)i;
  bind->passes[0] = passes;
  bind->output = bind->inputs[0];
  bind->order = TM_ORDER_KEEPS;
  bind->single = true;
  bind->chooses = true;
  bind->rows_estimate = (uint64_t)n;
  bind->detail = tm_arena_format(bind->arena, "%lld rows", (long long)n);
  return 0;
}

static int limit_open(const tm_stage_env *env, void **out, tm_error *err) {
  limit *l = tm_alloc(env->budget, sizeof *l);
  if (l == NULL) return tm_fail(err, TM_E_MEMORY, "limit: out of memory");
  *l = (limit){.env = *env, .left = (uint64_t)tm_options_int(env->bind->options, "n", 0)};
  *out = l;
  return 0;
}

static tm_flow limit_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  limit *l = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, l->env.budget);
  if (batch == NULL) return tm_fail(err, TM_E_MEMORY, "limit: out of memory");
  if (batch->selected > l->left) {
    l->env.ledger->filtered += batch->selected - l->left;
    batch->selected = (uint32_t)l->left;
    if (batch->selection == NULL) batch->rows = batch->selected;
  }
  l->left -= batch->selected;
  tm_out_emit(out, batch);
  return l->left == 0 ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

static int limit_save(void *self, tm_bytes *out, tm_error *err) {
  limit *l = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, l->left);
  return tm_record_end(&w, err);
}

static int limit_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  limit *l = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  l->left = tm_record_get(&r, l->left);
  return tm_record_close(&r, err);
}

static tm_flow limit_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void limit_close(void *self) {
  limit *l = self;
  tm_free(l->env.budget, l, sizeof *l);
}

const tm_stage tm_stage_limit = {
  .size = sizeof(tm_stage),
  .name = "limit",
  .summary = "the first rows, in the order of the input",
  .inputs = 1,
  .options = limit_options,
  .bind = limit_bind,
  .open = limit_open,
  .push = limit_push,
  .save = limit_save,
  .restore = limit_restore,
  .finish = limit_finish,
  .close = limit_close,
};
