/* script/untyped.c: the message for a function whose types must be declared.
 *
 * The function is called with one made-up row without nulls, and what it returns is put into DDL.
 * That is a guess and says so; a call that raises leaves the types open, unless it shows a mistake
 * of the plan, as an unknown field. */
#include <stdio.h>
#include <string.h>

#include "script/convert.h"
#include "script/row_function.h"
#include "script/row_view.h"

enum { DDL_BYTES = 512 };

typedef struct trial {
  const tm_row_function *function;
  tm_batch *batch;
  char ddl[DDL_BYTES];
  bool guessed;
} trial;

/* ------------------------------------------------------------------ a row to try */

static void fill_cell(tm_column *column) {
  switch ((tm_kind)column->type.kind) {
    case TM_BOOL: ((uint8_t *)column->data)[0] = 1; return;
    case TM_INT32: ((int32_t *)column->data)[0] = 1; return;
    case TM_INT64: ((int64_t *)column->data)[0] = 1; return;
    case TM_FLOAT64: ((double *)column->data)[0] = 1.5; return;
    case TM_DECIMAL:
      if (column->type.precision <= TM_DECIMAL_SHORT) ((int64_t *)column->data)[0] = 1;
      else ((__int128 *)column->data)[0] = 1;
      return;
    case TM_STRING: case TM_BYTES: ((tm_str *)column->data)[0] = tm_str_make("a", 1); return;
    case TM_DATE: ((int32_t *)column->data)[0] = 20000; return;
    case TM_TIMESTAMP: ((int64_t *)column->data)[0] = INT64_C(1728000000000000); return;
    case TM_NULLTYPE: return;
  }
}

/* The columns of all inputs beside each other, with one row. NULL: no memory. */
static tm_batch *make_row(tm_schema *schema, tm_budget *budget) {
  tm_batch *batch = tm_batch_create(budget, schema, 1);
  for (uint32_t i = 0; batch != NULL && i < schema->count; i++) {
    batch->columns[i].type = schema->fields[i].type;
    if (schema->fields[i].type.kind == TM_NULLTYPE) continue;
    if (tm_batch_column(batch, i, false) < 0) {
      tm_batch_release(batch);
      return NULL;
    }
    fill_cell(&batch->columns[i]);
  }
  return batch;
}

/* ------------------------------------------------------------------ types of what came back */

static void add(trial *t, const char *name, const char *type) {
  size_t used = strlen(t->ddl);
  (void)snprintf(t->ddl + used, sizeof t->ddl - used, "%s%s%s%s", used > 0 ? ", " : "",
                 name == NULL ? "" : name, name == NULL ? "" : " ", type);
}

static const char *type_at(lua_State *L, int index, char out[TM_TYPE_TEXT_MAX]) {
  tm_type type;
  if (tm_convert_guess(L, index, &type) < 0 || type.kind == TM_NULLTYPE) return "string";
  return tm_type_text(type, out);
}

static int try_row(lua_State *L) {
  trial *t = lua_touserdata(L, 1);
  const tm_row_function *f = t->function;
  char text[TM_TYPE_TEXT_MAX];
  uint32_t first = 0;
  int view_at = lua_gettop(L) + 1;
  for (uint32_t i = 0; i < f->input_count; i++) {
    tm_row_view_push(L, f->inputs[i], first)->batch = t->batch;
    first += f->inputs[i]->count;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, tm_host_of(L)->functions);
  lua_rawgeti(L, -1, (lua_Integer)f->source->number);
  lua_call(L, tm_row_call_push(L, f, view_at, t->batch, 0), 1);
  if (f->base.shape == TM_SHAPE_VALUE) {
    add(t, NULL, type_at(L, -1, text));
    t->guessed = !lua_isnil(L, -1);
    return 0;
  }
  if (!lua_istable(L, -1)) return 0;
  int table = lua_gettop(L);
  lua_getglobal(L, "pairs");
  lua_pushvalue(L, table);
  lua_call(L, 1, 3);
  for (;;) { /* in the order of names */
    int base = lua_gettop(L) - 2;
    lua_pushvalue(L, base);
    lua_pushvalue(L, base + 1);
    lua_pushvalue(L, base + 2);
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2)) break;
    if (lua_type(L, -2) == LUA_TSTRING) add(t, lua_tostring(L, -2), type_at(L, -1, text));
    lua_pop(L, 1);
    lua_replace(L, base + 2);
  }
  t->guessed = t->ddl[0] != '\0';
  return 0;
}

/* ------------------------------------------------------------------ the message */

static void describe(const trial *t, const char *why, tm_error *err) {
  const tm_row_function *f = t->function;
  const char *ddl = t->ddl;
  const char *is = t->guessed ? "a guess, from a made-up row" : "for example";
  (void)snprintf(err->script, sizeof err->script, "%s", f->source->base.script);
  err->script_line = f->source->base.script_line;
  tm_error_help(err, "it runs in the VM: %s", why);
  if (f->by_value) {
    tm_error_help(err, "declare its columns (%s): schema = \"%s\"", is,
                  t->guessed ? ddl : "id int64, name string");
  } else if (f->base.shape == TM_SHAPE_ROW) {
    tm_error_help(err, "declare its columns (%s): %s(f, \"%s\")", is, f->verb,
                  t->guessed ? ddl : "id int64, name string");
  } else {
    tm_error_help(err, "declare its type (%s): %s%s{ f, \"%s\" }", is,
                  f->name == NULL ? "" : f->name, f->name == NULL ? "" : " = ",
                  t->guessed ? ddl : "int64");
  }
}

static tm_schema *joined_schema(const tm_row_function *f, tm_arena *arena) {
  uint32_t total = 0;
  for (uint32_t i = 0; i < f->input_count; i++) total += f->inputs[i]->count;
  tm_schema *schema = tm_schema_create(arena, total);
  if (schema == NULL) return NULL;
  schema->count = 0;
  for (uint32_t i = 0; i < f->input_count; i++) {
    memcpy(schema->fields + schema->count, f->inputs[i]->fields,
           f->inputs[i]->count * sizeof *schema->fields);
    schema->count += f->inputs[i]->count;
  }
  return schema;
}

int tm_untyped_fail(const tm_row_function *f, const char *why, tm_error *err) {
  tm_script *script = f->source->script;
  tm_arena arena;
  trial t = {.function = f};
  tm_arena_init(&arena, script->budget);
  tm_schema *schema = joined_schema(f, &arena);
  t.batch = schema == NULL ? NULL : make_row(schema, script->budget);
  if (t.batch == NULL) {
    tm_fail(err, TM_E_MEMORY, "out of memory for a row function");
  } else {
    tm_host *host = script->main;
    tm_error failure = {0};
    int failed = tm_host_call(host, TM_HOST_PLAN, script->row_us, try_row, &t, &failure);
    if (failed < 0 && (failure.code == TM_E_FIELD || failure.code == TM_E_GLOBAL)) *err = failure;
    if (f->name != NULL) {
      tm_fail(err, TM_E_UNTYPED, "the type of '%.60s' in %s is not known", f->name, f->verb);
    } else {
      tm_fail(err, TM_E_UNTYPED, "the types that the function of %s returns are not known",
              f->verb);
    }
    if (err->code == TM_E_UNTYPED) describe(&t, why, err);
    tm_batch_release(t.batch);
  }
  tm_arena_deinit(&arena);
  return -1;
}
