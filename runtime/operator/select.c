/* operator/select.c: select, drop and rename choose columns and name them; rows pass untouched.
 * The output shares the columns of the input, so a batch costs a header. */
#include <string.h>

#include "stage/options.h"

static const tm_option select_options[] = {
  {"columns", "any", NULL, "names, or { new = \"old\" }", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct chosen {
  tm_schema *schema;
  int32_t *from; /* per output column its input column */
} chosen;

typedef struct selector {
  tm_stage_env env;
  const chosen *chosen;
} selector;

static int put(chosen *c, const tm_schema *input, const char *name, uint32_t from) {
  tm_field *field = &c->schema->fields[c->schema->count];
  *field = input->fields[from];
  field->name = name;
  field->path = NULL;
  c->from[c->schema->count++] = (int32_t)from;
  return 0;
}

/* Entries are texts, or tables {name =, from =}. */
static int entry_of(tm_bind *bind, const tm_value *v, const char **name, uint32_t *from,
                    tm_error *err) {
  const char *old = v->kind == TM_VALUE_TEXT ? v->text : tm_value_text(v, "from", NULL);
  *name = v->kind == TM_VALUE_TEXT ? v->text : tm_value_text(v, "name", old);
  if (old == NULL) {
    return tm_fail(err, TM_E_VALUE, "%s wants names of columns, not a %s", bind->verb,
                   tm_value_kind_name(v->kind));
  }
  int found = tm_schema_require(bind->inputs[0], old, err);
  if (found < 0) return -1;
  *from = (uint32_t)found;
  return 0;
}

static int take_listed(tm_bind *bind, const tm_value *list, chosen *c, tm_error *err) {
  for (size_t i = 0; i < list->item_count; i++) {
    const char *name;
    uint32_t from;
    if (entry_of(bind, &list->items[i], &name, &from, err) < 0) return -1;
    put(c, bind->inputs[0], name, from);
  }
  return 0;
}

static int take_rest(tm_bind *bind, const tm_value *list, bool rename, chosen *c, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  const char **names = tm_arena_zero(bind->arena, (input->count + 1) * sizeof *names);
  bool *listed = tm_arena_zero(bind->arena, (input->count + 1) * sizeof *listed);
  if (names == NULL || listed == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (size_t i = 0; i < list->item_count; i++) {
    const char *name;
    uint32_t from;
    if (entry_of(bind, &list->items[i], &name, &from, err) < 0) return -1;
    names[from] = name;
    listed[from] = true;
  }
  for (uint32_t i = 0; i < input->count; i++) {
    if (listed[i] && !rename) continue;
    put(c, input, listed[i] ? names[i] : input->fields[i].name, i);
  }
  return 0;
}

static int select_bind(tm_bind *bind, tm_error *err) {
  const tm_value *columns = tm_value_get(bind->options, "columns");
  const tm_schema *input = bind->inputs[0];
  if (columns == NULL || columns->kind != TM_VALUE_TABLE || columns->item_count == 0) {
    return tm_fail(err, TM_E_VALUE, "%s wants names of columns", bind->verb);
  }
  chosen *c = tm_arena_zero(bind->arena, sizeof *c);
  uint32_t room = input->count + (uint32_t)columns->item_count;
  if (c != NULL) c->schema = tm_schema_create(bind->arena, room);
  if (c != NULL) c->from = tm_arena_zero(bind->arena, (room + 1) * sizeof *c->from);
  if (c == NULL || c->schema == NULL || c->from == NULL) {
    return tm_fail(err, TM_E_MEMORY, "out of memory");
  }
  c->schema->count = 0;
  bool listed = strcmp(bind->verb, "select") == 0;
  int done = listed ? take_listed(bind, columns, c, err)
                    : take_rest(bind, columns, strcmp(bind->verb, "rename") == 0, c, err);
  if (done < 0) return -1;
  if (c->schema->count == 0) {
    return tm_fail(err, TM_E_COLUMNS, "%s leaves no column", bind->verb);
  }
  bind->plan = c;
  bind->output = c->schema;
  bind->order = TM_ORDER_KEEPS;
  bind->passes[0] = c->from;
  bind->rows_estimate = bind->input_rows[0];
  return 0;
}

static int select_open(const tm_stage_env *env, void **out, tm_error *err) {
  selector *s = tm_alloc(env->budget, sizeof *s);
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "%s: out of memory", env->bind->verb);
  *s = (selector){.env = *env, .chosen = env->bind->plan};
  *out = s;
  return 0;
}

static tm_flow select_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                           tm_error *err) {
  selector *s = self;
  (void)port;
  tm_batch *batch = tm_batch_derive(taken, s->env.budget, s->env.bind->output);
  if (batch == NULL) {
    tm_batch_release(taken);
    return tm_fail(err, TM_E_MEMORY, "%s: out of memory", s->env.bind->verb);
  }
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    batch->columns[i] = taken->columns[s->chosen->from[i]];
  }
  tm_batch_release(taken); /* the derived batch pins it */
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow select_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void select_close(void *self) {
  selector *s = self;
  tm_free(s->env.budget, s, sizeof *s);
}

const tm_stage tm_stage_select = {
  .size = sizeof(tm_stage),
  .name = "select",
  .aliases = "drop rename",
  .summary = "choose columns and name them",
  .inputs = 1,
  .options = select_options,
  .bind = select_bind,
  .open = select_open,
  .push = select_push,
  .finish = select_finish,
  .close = select_close,
};
