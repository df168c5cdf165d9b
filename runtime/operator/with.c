/* operator/with.c: sets columns: those that are there in place, new ones at the end by name. A
 * field is a function of the row, or a constant; all of them see the input row. */
#include <string.h>

#include "stage/apply.h"
#include "stage/constant.h"
#include "stage/options.h"

static const tm_option with_options[] = {
  {"fields", "table", NULL, "name = function, constant, or { function, \"type\" }", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct setter {
  uint32_t column;       /* of the output */
  tm_function *function; /* NULL: a constant */
  const tm_value *constant;
} setter;

typedef struct plan {
  uint32_t count;
  setter *setters;
  int32_t *from; /* per output column the input column that it is, or -1 */
} plan;

typedef struct with {
  tm_stage_env env;
  const plan *plan;
} with;

/* { f, "decimal(12,2)" }: the type, as a schema of one field; NULL without. -1 with err. */
static int declared_type(tm_bind *bind, const tm_pair *pair, const tm_value **value,
                         tm_schema **declared, tm_error *err) {
  *value = &pair->value;
  *declared = NULL;
  if (pair->value.kind != TM_VALUE_TABLE) return 0;
  if (pair->value.item_count != 2 || pair->value.items[1].kind != TM_VALUE_TEXT) {
    return tm_fail(err, TM_E_VALUE, "with: '%s' is a table; { f, \"type\" } is what it may be",
                   pair->name);
  }
  *value = &pair->value.items[0];
  *declared = tm_schema_create(bind->arena, 1);
  if (*declared == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  (*declared)->fields[0].name = pair->name;
  return tm_type_parse(pair->value.items[1].text, &(*declared)->fields[0].type, err);
}

static int bind_field(tm_bind *bind, const tm_pair *pair, setter *s, tm_type *type,
                      tm_error *err) {
  const tm_value *value;
  tm_schema *declared;
  if (declared_type(bind, pair, &value, &declared, err) < 0) return -1;
  if (value->kind != TM_VALUE_FUNCTION) {
    s->constant = value;
    tm_type wanted = declared != NULL ? declared->fields[0].type : tm_type_of(TM_NULLTYPE);
    return tm_constant_type(value, pair->name, wanted, type, err);
  }
  s->function = tm_apply_bind(bind, value->function, TM_SHAPE_VALUE, declared, pair->name, err);
  if (s->function == NULL) return -1;
  *type = s->function->result->fields[0].type;
  return 0;
}

static int with_bind(tm_bind *bind, tm_error *err) {
  const tm_value *fields = tm_value_get(bind->options, "fields");
  const tm_schema *input = bind->inputs[0];
  if (fields == NULL || fields->pair_count == 0) {
    return tm_fail(err, TM_E_VALUE, "with wants fields: with { total = function(r) … end }");
  }
  uint32_t room = input->count + (uint32_t)fields->pair_count;
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  tm_schema *output = tm_schema_create(bind->arena, room);
  if (p != NULL) p->setters = tm_arena_zero(bind->arena, (room + 1) * sizeof *p->setters);
  if (p != NULL) p->from = tm_arena_zero(bind->arena, (room + 1) * sizeof *p->from);
  if (p == NULL || output == NULL || p->setters == NULL || p->from == NULL) {
    return tm_fail(err, TM_E_MEMORY, "out of memory");
  }
  memcpy(output->fields, input->fields, input->count * sizeof *input->fields);
  output->count = input->count;
  for (uint32_t i = 0; i < input->count; i++) p->from[i] = (int32_t)i;
  for (size_t i = 0; i < fields->pair_count; i++) {
    setter *s = &p->setters[p->count++];
    tm_type type;
    if (bind_field(bind, &fields->pairs[i], s, &type, err) < 0) return -1;
    int at = tm_schema_find(input, fields->pairs[i].name);
    s->column = at >= 0 ? (uint32_t)at : output->count++;
    output->fields[s->column] = (tm_field){.name = fields->pairs[i].name, .type = type};
    p->from[s->column] = -1;
  }
  bind->plan = p;
  bind->output = output;
  bind->order = TM_ORDER_KEEPS;
  bind->passes[0] = p->from;
  bind->rows_estimate = bind->input_rows[0];
  return 0;
}

static void with_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const plan *p = bind->plan;
  for (uint32_t i = 0; i < bind->output->count; i++) {
    if (needed_out[i] && p->from[i] >= 0) in[0][p->from[i]] = 1;
  }
  for (uint32_t i = 0; i < p->count; i++) {
    const setter *s = &p->setters[i];
    if (s->function == NULL) continue;
    if (needed_out[s->column] || s->function->may_raise) tm_apply_need(s->function, in[0]);
  }
}

static int with_open(const tm_stage_env *env, void **out, tm_error *err) {
  with *w = tm_alloc(env->budget, sizeof *w);
  if (w == NULL) return tm_fail(err, TM_E_MEMORY, "with: out of memory");
  *w = (with){.env = *env, .plan = env->bind->plan};
  *out = w;
  return 0;
}

/* A column that nobody needs is still computed where computing it may refuse the row. */
static int set_column(with *w, tm_batch *in, tm_batch *batch, const setter *s, tm_out *out,
                      tm_error *err) {
  tm_column *column = &batch->columns[s->column];
  bool needed = w->env.bind->needed == NULL || w->env.bind->needed[s->column];
  if (s->function == NULL) {
    return needed ? tm_constant_column(s->constant, batch, s->column, err) : 0;
  }
  if (!needed && !s->function->may_raise) return 0;
  return tm_apply(&w->env, s->function, in, column, NULL, &batch->arena, out, err);
}

static tm_flow with_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  with *w = self;
  (void)port;
  tm_batch *in = tm_batch_own(taken, w->env.budget);
  if (in == NULL) return tm_fail(err, TM_E_MEMORY, "with: out of memory");
  tm_batch *batch = tm_batch_derive(in, w->env.budget, w->env.bind->output);
  if (batch == NULL) {
    tm_batch_release(in);
    return tm_fail(err, TM_E_MEMORY, "with: out of memory");
  }
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    if (w->plan->from[i] >= 0) batch->columns[i] = in->columns[w->plan->from[i]];
  }
  int done = 0;
  for (uint32_t i = 0; i < w->plan->count && done == 0; i++) {
    done = set_column(w, in, batch, &w->plan->setters[i], out, err);
  }
  batch->selection = in->selection; /* refused rows have left it */
  batch->selected = in->selected;
  tm_batch_release(in); /* the new batch pins it */
  if (done < 0) {
    tm_batch_release(batch);
    return TM_FLOW_FAILED;
  }
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow with_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void with_close(void *self) {
  with *w = self;
  tm_free(w->env.budget, w, sizeof *w);
}

const tm_stage tm_stage_with = {
  .size = sizeof(tm_stage),
  .name = "with",
  .summary = "set columns from the row",
  .inputs = 1,
  .options = with_options,
  .bind = with_bind,
  .need = with_need,
  .open = with_open,
  .push = with_push,
  .finish = with_finish,
  .close = with_close,
};
