/* operator/changelog.c: the weights of a changelog as a last column, so that its changes are rows
 * like any others: what tm.changelog(sink) writes. A row that is final has weight 1. */
#include <string.h>

#include "stage/stage.h"

static const tm_option changelog_options[] = {{NULL, NULL, NULL, NULL, NULL}};

typedef struct changelog { tm_stage_env env; } changelog;

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "changelog: out of memory");
}

static int changelog_bind(tm_bind *bind, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  if (tm_schema_find(input, "weight") >= 0) {
    tm_fail(err, TM_E_COLUMNS, "a changelog adds the column 'weight', and the rows have one");
    tm_error_token(err, "changelog", "");
    return tm_error_help(err, "give theirs another name: rename { mass = \"weight\" }");
  }
  tm_schema *output = tm_schema_create(bind->arena, input->count + 1);
  int32_t *passes = tm_arena_alloc(bind->arena, (input->count + 2) * sizeof *passes);
  if (output == NULL || passes == NULL) return no_memory(err);
  memcpy(output->fields, input->fields, input->count * sizeof *input->fields);
  for (uint32_t i = 0; i < input->count; i++) passes[i] = (int32_t)i;
  passes[input->count] = -1;
  output->fields[input->count] =
      (tm_field){.name = "weight", .type = {.kind = TM_INT32, .not_null = 1}};
  output->count = input->count + 1;
  bind->output = output;
  bind->passes[0] = passes;
  bind->order = TM_ORDER_KEEPS;
  bind->facts_out.changelog = false;
  bind->rows_estimate = bind->input_rows[0];
  return 0;
}

static int changelog_open(const tm_stage_env *env, void **out, tm_error *err) {
  changelog *c = tm_alloc(env->budget, sizeof *c);
  if (c == NULL) return no_memory(err);
  c->env = *env;
  *out = c;
  return 0;
}

static void changelog_close(void *self) {
  changelog *c = self;
  tm_free(c->env.budget, c, sizeof *c);
}

static int set_weights(tm_batch *batch, const tm_batch *of) {
  uint32_t column = of->schema->count;
  if (tm_batch_column(batch, column, false) < 0) return -1;
  int32_t *weights = batch->columns[column].data;
  if (of->weights != NULL) memcpy(weights, of->weights, batch->rows * sizeof *weights);
  for (uint32_t i = 0; of->weights == NULL && i < batch->rows; i++) weights[i] = 1;
  batch->weights = NULL;
  return 0;
}

static tm_flow changelog_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                              tm_error *err) {
  changelog *c = self;
  (void)port;
  tm_batch *batch = tm_batch_derive(taken, c->env.budget, c->env.bind->output);
  bool done = batch != NULL && set_weights(batch, taken) == 0;
  if (done) memcpy(batch->columns, taken->columns, taken->schema->count * sizeof *batch->columns);
  tm_batch_release(taken); /* the new batch pins it */
  if (!done) {
    tm_batch_release(batch);
    return no_memory(err);
  }
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow changelog_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

const tm_stage tm_stage_changelog = {
  .size = sizeof(tm_stage),
  .name = "changelog",
  .summary = "weights as a last column",
  .inputs = 1,
  .options = changelog_options,
  .bind = changelog_bind,
  .open = changelog_open,
  .push = changelog_push,
  .finish = changelog_finish,
  .close = changelog_close,
};
