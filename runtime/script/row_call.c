/* script/row_call.c: running a row function in the VM over rows of a batch.
 *
 * One protected call runs many rows; a row that raises ends it, is refused, and the next call goes
 * on behind it. What a state keeps of a function (its views, the names of its columns) is made at
 * the first batch and found by the function's address. Nothing that C holds is lost when a row
 * raises: results lie in the arena of the batch. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "script/convert.h"
#include "script/row_function.h"
#include "script/row_view.h"
#include "script/value_parts.h"
#include "script/worker.h"

/* User values of a state's record of a function. */
enum { FUNCTION = 1, VIEW = 2, NAMES = 4, USER_VALUES = 4 };

/* Stack of run_rows. */
enum { AT_RUN = 1, AT_STATE, AT_FUNCTION, AT_VIEW, AT_NAMES = AT_VIEW + 2, AT_RESULT };

typedef struct state { tm_row_view *views[2]; } state;

typedef struct run {
  const tm_row_function *function;
  tm_host *host;
  const tm_batch *batch;
  const uint32_t *rows;
  uint32_t count, at;
  tm_result *result;
  const state *state; /* lies in Lua, anchored in its registry */
  bool no_memory;
} run;

/* ------------------------------------------------------------------ what a state keeps */

static void push_names(lua_State *L, const tm_schema *schema) {
  lua_createtable(L, (int)schema->count, 0);
  for (uint32_t i = 0; i < schema->count; i++) {
    lua_pushstring(L, schema->fields[i].name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_state(lua_State *L, const tm_row_function *f) {
  tm_host *host = tm_host_of(L);
  uint32_t first = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, f) == LUA_TUSERDATA) return;
  lua_pop(L, 1);
  state *s = lua_newuserdatauv(L, sizeof *s, USER_VALUES);
  memset(s, 0, sizeof *s);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->functions);
  lua_rawgeti(L, -1, (lua_Integer)f->source->number);
  lua_setiuservalue(L, -3, FUNCTION);
  lua_pop(L, 1);
  for (uint32_t i = 0; i < f->input_count; i++) {
    s->views[i] = tm_row_view_push(L, f->inputs[i], first);
    lua_setiuservalue(L, -2, VIEW + (int)i);
    first += f->inputs[i]->count;
  }
  push_names(L, f->base.result);
  lua_setiuservalue(L, -2, NAMES);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, f);
}

/* ------------------------------------------------------------------ results */

static void refuse(run *r, uint32_t row, tm_reason reason, int line, const char *message) {
  if (tm_result_refuse(r->result, row, reason, line, message) < 0) r->no_memory = true;
}

static void store_field(lua_State *L, run *r, uint32_t column, uint32_t row, bool *refused) {
  tm_convert_fault fault;
  int status = tm_convert_store(L, -1, &r->function->base.result->fields[column],
                                &r->result->columns[column], row, r->batch->rows,
                                r->result->arena, &fault);
  if (status == TM_CONVERT_NO_MEMORY) r->no_memory = true;
  if (status != TM_CONVERT_REFUSED) return;
  refuse(r, row, fault.reason, r->function->source->base.script_line, fault.message);
  *refused = true;
}

static void store_keep(run *r, uint32_t row, bool keeps) {
  if (r->result->keep == NULL) {
    if (keeps) return;
    r->result->keep = tm_arena_alloc(r->result->arena, r->batch->rows);
    if (r->result->keep == NULL) {
      r->no_memory = true;
      return;
    }
    memset(r->result->keep, 1, r->batch->rows);
  }
  r->result->keep[row] = keeps;
}

/* A field that no column takes is a slip of the pen, as `nmae`: `name` would be null for ever. */
static bool has_stray_field(lua_State *L, const run *r, char *message, size_t size) {
  lua_pushnil(L);
  while (lua_next(L, AT_RESULT) != 0) {
    lua_pop(L, 1);
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (name != NULL && tm_schema_find(r->function->base.result, name) >= 0) continue;
    (void)snprintf(message, size, "%s returned a field '%.60s' that is none of its columns",
                   r->function->verb, name == NULL ? luaL_typename(L, -1) : name);
    lua_pop(L, 1);
    return true;
  }
  return false;
}

/* A table, or a row that is given back as it came. */
static void store_row(lua_State *L, run *r, uint32_t row) {
  if (lua_isnil(L, AT_RESULT) || tm_values_is_null(L, AT_RESULT)) {
    store_keep(r, row, false);
    return;
  }
  bool plain = lua_istable(L, AT_RESULT), refused = false;
  char message[160];
  if (!plain && tm_row_view_at(L, AT_RESULT) == NULL) {
    (void)snprintf(message, sizeof message, "%s returns a table or nil, not %s",
                   r->function->verb, tm_values_a_type_name(L, AT_RESULT));
    refuse(r, row, TM_REASON_TYPE, r->function->source->base.script_line, message);
    return;
  }
  if (plain && lua_getmetatable(L, AT_RESULT)) {
    lua_pop(L, 1);
    plain = false;
  }
  if (plain && has_stray_field(L, r, message, sizeof message)) {
    refuse(r, row, TM_REASON_TYPE, r->function->source->base.script_line, message);
    return;
  }
  for (uint32_t i = 0; i < r->function->base.result->count && !refused; i++) {
    lua_rawgeti(L, AT_NAMES, (lua_Integer)i + 1);
    if (plain) lua_rawget(L, AT_RESULT);
    else lua_gettable(L, AT_RESULT);
    store_field(L, r, i, row, &refused);
    lua_pop(L, 1);
  }
  if (!refused) store_keep(r, row, true);
}

static void store(lua_State *L, run *r, uint32_t row) {
  bool refused = false;
  switch (r->function->base.shape) {
    case TM_SHAPE_TRUTH:
      ((uint8_t *)r->result->columns[0].data)[row] = lua_toboolean(L, AT_RESULT) != 0;
      return;
    case TM_SHAPE_VALUE: store_field(L, r, 0, row, &refused); return;
    case TM_SHAPE_ROW: store_row(L, r, row); return;
  }
}

/* ------------------------------------------------------------------ running */

int tm_row_call_push(lua_State *L, const tm_row_function *f, int view, const tm_batch *batch,
                     uint32_t row) {
  if (f->by_value) {
    uint32_t count = f->inputs[0]->count;
    luaL_checkstack(L, (int)count, "too many arguments");
    for (uint32_t i = 0; i < count; i++) tm_row_view_push_cell(L, &batch->columns[i], row);
    return (int)count;
  }
  for (uint32_t i = 0; i < f->input_count; i++) {
    if (f->copies[i]) tm_row_view_push_copy(L, view + (int)i);
    else lua_pushvalue(L, view + (int)i);
  }
  return (int)f->input_count;
}

static int run_rows(lua_State *L) {
  run *r = lua_touserdata(L, AT_RUN);
  const tm_row_function *f = r->function;
  push_state(L, f);
  const state *s = r->state = lua_touserdata(L, AT_STATE);
  lua_getiuservalue(L, AT_STATE, FUNCTION);
  lua_getiuservalue(L, AT_STATE, VIEW);
  lua_getiuservalue(L, AT_STATE, VIEW + 1);
  lua_getiuservalue(L, AT_STATE, NAMES);
  for (uint32_t i = 0; i < f->input_count; i++) s->views[i]->batch = r->batch;
  for (; r->at < r->count && !r->no_memory; r->at++) {
    uint32_t row = r->rows[r->at];
    tm_guard_next(&r->host->guard);
    for (uint32_t i = 0; i < f->input_count; i++) s->views[i]->row = row;
    lua_pushvalue(L, AT_FUNCTION);
    lua_call(L, tm_row_call_push(L, f, AT_VIEW, r->batch, row), 1);
    store(L, r, row);
    lua_settop(L, AT_RESULT - 1);
  }
  return 0;
}

/* Views show nothing from here on: a row that was kept all the same says so. */
static void hide_rows(const run *r) {
  if (r->state == NULL) return;
  for (uint32_t i = 0; i < r->function->input_count; i++) r->state->views[i]->batch = NULL;
}

static void describe_record(const run *r, tm_error *err) {
  if (r->at >= r->count || err->record_file[0] != '\0') return;
  uint32_t row = r->rows[r->at];
  if (r->batch->origin.file != NULL) {
    (void)snprintf(err->record_file, sizeof err->record_file, "%s", r->batch->origin.file);
  }
  if (r->batch->ordinals != NULL) err->record_line = r->batch->ordinals[row];
}

static int run_all(run *r, tm_error *err) {
  tm_host *host = r->host;
  int status = 0;
  while (status == 0 && r->at < r->count && !r->no_memory) {
    if (tm_host_try(host, run_rows, r) == 0) continue;
    if (host->caught.code == TM_E_ROW_FUNCTION) {
      refuse(r, r->rows[r->at], TM_REASON_LUA, host->caught.script_line, host->caught.message);
      r->at++;
      continue;
    }
    if (err->code == TM_E_NONE) *err = host->caught;
    if (err->script_line == 0) {
      (void)snprintf(err->script, sizeof err->script, "%s", r->function->source->base.script);
      err->script_line = r->function->source->base.script_line;
    }
    describe_record(r, err);
    status = -1;
  }
  hide_rows(r);
  if (status == 0 && r->no_memory) {
    status = tm_fail(err, TM_E_MEMORY, "out of memory for the results of a row function");
  }
  return status;
}

int tm_row_call(const tm_function *function, void *worker, const tm_batch *batch,
                const uint32_t *rows, uint32_t count, tm_result *result, tm_error *err) {
  const tm_row_function *f = (const tm_row_function *)function;
  tm_script *script = f->source->script;
  for (uint32_t i = 0; i < function->result->count; i++) {
    if (tm_convert_allocate(&result->columns[i], function->result->fields[i].type, batch->rows,
                            result->arena)) {
      continue;
    }
    return tm_fail(err, TM_E_MEMORY, "out of memory for the results of a row function");
  }
  if (count == 0) return 0;
  tm_host *host = worker == NULL ? script->main : tm_worker_host(worker, err);
  if (host == NULL) return -1;
  run r = {
      .function = f, .host = host, .batch = batch, .rows = rows, .count = count,
      .result = result,
  };
  tm_host_enter(host, TM_HOST_ROWS, script->row_us);
  int status = run_all(&r, err);
  tm_host_leave(host);
  return status;
}
