/* operator/map.c: a new row from each row; a function that returns nil drops it. */
#include <string.h>

#include "stage/apply.h"
#include "stage/options.h"

static const tm_option map_options[] = {
  {"f", "function", NULL, "returns a table, or nil to drop the row", NULL},
  {"ddl", "text", NULL, "columns and types of the result; inferred where the function compiles",
   NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct map {
  tm_stage_env env;
  const tm_function *function;
} map;

static int map_bind(tm_bind *bind, tm_error *err) {
  const char *ddl = tm_value_text(bind->options, "ddl", NULL);
  tm_schema *declared = NULL;
  if (ddl != NULL && (declared = tm_schema_parse(bind->arena, ddl, err)) == NULL) return -1;
  const tm_function_source *source = tm_options_function(bind->options, "f");
  tm_function *function = tm_apply_bind(bind, source, TM_SHAPE_ROW, declared, NULL, err);
  if (function == NULL) return -1;
  if (function->result->count == 0) {
    return tm_fail(err, TM_E_COLUMNS, "map: the function returns no columns");
  }
  bind->plan = function;
  bind->output = function->result;
  bind->order = TM_ORDER_KEEPS;
  bind->rows_estimate = bind->input_rows[0];
  bind->detail = function->text;
  return 0;
}

static void map_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  (void)needed_out;
  tm_apply_need(bind->plan, in[0]);
}

static int map_open(const tm_stage_env *env, void **out, tm_error *err) {
  map *m = tm_alloc(env->budget, sizeof *m);
  if (m == NULL) return tm_fail(err, TM_E_MEMORY, "map: out of memory");
  *m = (map){.env = *env, .function = env->bind->plan};
  *out = m;
  return 0;
}

static int apply(map *m, tm_batch *in, tm_batch *batch, tm_out *out, tm_error *err) {
  uint8_t *keep = NULL;
  if (tm_apply(&m->env, m->function, in, batch->columns, &keep, &batch->arena, out, err) < 0) {
    return -1;
  }
  batch->selection = in->selection; /* refused rows have left it */
  batch->selected = in->selected;
  if (keep == NULL || batch->selected == 0) return 0;
  int64_t dropped = tm_apply_select(batch, keep, 1);
  if (dropped < 0) return tm_fail(err, TM_E_MEMORY, "map: out of memory");
  m->env.ledger->filtered += (uint64_t)dropped;
  return 0;
}

static tm_flow map_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  map *m = self;
  (void)port;
  tm_batch *in = tm_batch_own(taken, m->env.budget);
  if (in == NULL) return tm_fail(err, TM_E_MEMORY, "map: out of memory");
  tm_batch *batch = tm_batch_derive(in, m->env.budget, m->env.bind->output);
  if (batch == NULL) {
    tm_batch_release(in);
    return tm_fail(err, TM_E_MEMORY, "map: out of memory");
  }
  int done = apply(m, in, batch, out, err);
  tm_batch_release(in); /* the new batch pins it */
  if (done < 0) {
    tm_batch_release(batch);
    return TM_FLOW_FAILED;
  }
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow map_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void map_close(void *self) {
  map *m = self;
  tm_free(m->env.budget, m, sizeof *m);
}

const tm_stage tm_stage_map = {
  .size = sizeof(tm_stage),
  .name = "map",
  .summary = "a new row from each row",
  .inputs = 1,
  .options = map_options,
  .bind = map_bind,
  .need = map_need,
  .open = map_open,
  .push = map_push,
  .finish = map_finish,
  .close = map_close,
};
