/* script/row_function.c: binding. First what the bytecode shows (impure functions, unknown fields),
 * then lift, then, for what stays in the VM, the declared types. */
#include "script/row_function.h"

#include <stdio.h>
#include <string.h>

#include "script/lift.h"
#include "script/row_facts.h"

static int out_of_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "out of memory for a row function");
}

/* ------------------------------------------------------------------ fields of the row */

/* A field that no way of the function can find is a mistake of the plan, not of a row. */
static int check_fields(const tm_row_function *f, const tm_row_facts *facts, tm_error *err) {
  for (uint32_t i = 0; i < f->input_count; i++) {
    const tm_row_use *use = &facts->inputs[i];
    if (use->replaced) continue;
    for (uint32_t k = 0; k < use->field_count; k++) {
      if (tm_schema_find(f->inputs[i], use->fields[k].name) >= 0) continue;
      (void)tm_schema_require(f->inputs[i], use->fields[k].name, err);
      (void)snprintf(err->script, sizeof err->script, "%s", f->source->base.script);
      err->script_line = use->fields[k].line;
      return -1;
    }
  }
  return 0;
}

/* Ascending, over the columns of all inputs. */
static int list_columns(tm_row_function *f, const tm_row_facts *facts, tm_arena *arena,
                        tm_error *err) {
  uint32_t total = 0, first = 0, count = 0;
  for (uint32_t i = 0; i < f->input_count; i++) total += f->inputs[i]->count;
  uint8_t *read = tm_arena_zero(arena, total + 1);
  uint32_t *columns = tm_arena_alloc(arena, (total + 1) * sizeof *columns);
  if (read == NULL || columns == NULL) return out_of_memory(err);
  for (uint32_t i = 0; i < f->input_count; i++) {
    const tm_row_use *use = &facts->inputs[i];
    if (use->whole) memset(read + first, 1, f->inputs[i]->count);
    for (uint32_t k = 0; k < use->field_count; k++) {
      int at = tm_schema_find(f->inputs[i], use->fields[k].name);
      if (at >= 0) read[first + (uint32_t)at] = 1;
    }
    first += f->inputs[i]->count;
  }
  for (uint32_t i = 0; i < total; i++) {
    columns[count] = i;
    count += read[i];
  }
  f->base.columns = columns;
  f->base.column_count = count;
  return 0;
}

/* ------------------------------------------------------------------ types */

static const tm_schema *one_column(tm_arena *arena, const char *name, tm_type type) {
  tm_schema *schema = tm_schema_create(arena, 1);
  if (schema == NULL) return NULL;
  schema->fields[0] = (tm_field){.name = name == NULL ? "value" : name, .type = type};
  schema->count = 1;
  return schema;
}

/* Result types of a function that lift did not take. */
static int set_types(tm_row_function *f, const tm_function_want *want, const char *why,
                     tm_arena *arena, tm_error *err) {
  if (want->shape == TM_SHAPE_TRUTH) {
    tm_type truth = tm_type_of(TM_BOOL);
    truth.not_null = 1;
    f->base.result = one_column(arena, want->name, truth);
  } else if (want->declared != NULL && want->shape == TM_SHAPE_VALUE) {
    f->base.result = one_column(arena, want->name, want->declared->fields[0].type);
  } else if (want->declared != NULL) {
    f->base.result = tm_schema_copy(arena, want->declared);
  } else {
    return tm_untyped_fail(f, why, err);
  }
  return f->base.result == NULL ? out_of_memory(err) : 0;
}

/* ------------------------------------------------------------------ bind */

static int leave_in_vm(tm_row_function *f, const tm_function_want *want, const tm_row_facts *facts,
                       const char *why, tm_arena *arena, tm_error *err) {
  bool copies = false;
  f->base.trees = NULL;
  f->base.keep = NULL;
  f->base.text = NULL;
  f->base.may_raise = true;
  f->base.pure = f->base.pure && !facts->reads_clock;
  for (uint32_t i = 0; i < f->input_count; i++) copies |= f->copies[i];
  f->base.why = tm_arena_format(arena, "%s%s", why,
                                copies ? "; it keeps its row, and so gets a copy of each" : "");
  if (f->base.why == NULL) return out_of_memory(err);
  if (f->base.result == NULL && set_types(f, want, why, arena, err) < 0) return -1;
  return list_columns(f, facts, arena, err);
}

static int try_lift(tm_row_function *f, lua_State *L, const tm_function_want *want,
                    const tm_row_facts *facts, tm_arena *arena, tm_error *err) {
  char why[TM_LIFT_WHY_MAX] = "";
  const tm_script *script = f->source->script;
  int lifted = tm_lift(L, lua_gettop(L), want, arena, &f->base, why, err);
  if (lifted < 0) {
    if (err->script_line == 0) err->script_line = f->source->base.script_line;
    if (err->script[0] == '\0') {
      (void)snprintf(err->script, sizeof err->script, "%s", f->source->base.script);
    }
    return -1;
  }
  /* A row that the trees cannot decide is read by the VM, which also meets what was folded away. */
  if (lifted == 1 && !script->no_lift) {
    return f->base.may_raise ? list_columns(f, facts, arena, err) : 0;
  }
  return leave_in_vm(f, want, facts, lifted == 1 ? "lifting is off" : why, arena, err);
}

static int bind(tm_row_function *f, lua_State *L, const tm_function_want *want, tm_arena *arena,
                tm_error *err) {
  tm_row_facts facts;
  if (tm_row_facts_read(L, lua_gettop(L), f->source->base.script, arena, &facts, err) < 0) {
    return -1;
  }
  for (uint32_t i = 0; i < f->input_count; i++) {
    f->copies[i] = facts.inputs[i].escapes && !f->by_value;
    if (!f->by_value) continue;
    facts.inputs[i].whole = true; /* a value: its fields are no columns */
    facts.inputs[i].field_count = 0;
  }
  if (check_fields(f, &facts, err) < 0) return -1;
  return try_lift(f, L, want, &facts, arena, err);
}

int tm_row_function_bind(const tm_function_source *base, const tm_function_want *want,
                         tm_arena *arena, tm_function **out, tm_error *err) {
  const tm_row_source *source = base->context;
  tm_row_function *f = tm_arena_zero(arena, sizeof *f);
  if (f == NULL) return out_of_memory(err);
  f->source = source;
  f->verb = want->verb;
  f->name = want->name;
  f->input_count = want->input_count;
  f->by_value = want->by_value;
  memcpy(f->inputs, want->inputs, sizeof f->inputs);
  f->base = (tm_function){
      .source = base, .shape = want->shape, .pure = true, .call = tm_row_call,
  };
  tm_host *host = source->script->main;
  lua_State *L = host->L;
  int top = lua_gettop(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->functions);
  lua_rawgeti(L, -1, (lua_Integer)source->number);
  int status = bind(f, L, want, arena, err);
  lua_settop(L, top);
  *out = status < 0 ? NULL : &f->base;
  return status;
}
