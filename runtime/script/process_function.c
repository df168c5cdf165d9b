/* script/process_function.c: binding the functions of a process step, and calling them.
 *
 * One protected call runs many calls of the functions: the step says what comes next. One that
 * raises ends it, is refused, and the next protected call goes on behind it. */
#include "script/process_function.h"

#include <stdio.h>
#include <string.h>

#include "script/process_parts.h"
#include "script/row_facts.h"
#include "script/worker.h"

/* User values of a record. */
enum { ON_ROW = 1, ON_TIMER, ROW, KEY, STATE, OUT, USER_VALUES = OUT };

/* Stack of run_calls. */
enum { AT_RUN = 1, AT_RECORD, AT_USER_VALUES = AT_RECORD };

typedef struct run {
  const tm_process_function *function;
  tm_host *host;
  tm_process_step *step;
  tm_process_call call;
  tm_process_record *record; /* lies in Lua, anchored in its registry */
  bool under_way;            /* the call has begun, and not ended */
  bool done, no_memory;
} run;

static int out_of_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "out of memory for the functions of process");
}

/* ------------------------------------------------------------------ bind */

static int place(const tm_row_source *source, int line, tm_error *err) {
  (void)snprintf(err->script, sizeof err->script, "%s", source->base.script);
  err->script_line = line;
  return -1;
}

static int check_row(const tm_row_source *source, const tm_row_use *use, const tm_schema *schema,
                     tm_error *err) {
  for (uint32_t i = 0; i < use->field_count && !use->replaced; i++) {
    if (tm_schema_find(schema, use->fields[i].name) >= 0) continue;
    (void)tm_schema_require(schema, use->fields[i].name, err);
    return place(source, use->fields[i].line, err);
  }
  return 0;
}

static int find_state(const tm_state_plan *plan, const char *name) {
  for (uint32_t i = 0; i < plan->field_count; i++) {
    if (strcmp(plan->fields[i].name, name) == 0) return (int)i;
  }
  return -1;
}

static int check_state(const tm_row_source *source, const tm_row_use *use,
                       const tm_state_plan *plan, tm_error *err) {
  for (uint32_t i = 0; i < use->field_count && !use->replaced; i++) {
    if (find_state(plan, use->fields[i].name) >= 0) continue;
    tm_process_unknown_state(plan, use->fields[i].name, err);
    return place(source, use->fields[i].line, err);
  }
  return 0;
}

/* Columns of the input that on_row reads. */
static int list_columns(tm_process_function *f, const tm_row_use *use, tm_arena *arena,
                        tm_error *err) {
  uint32_t total = f->want.input->count;
  uint8_t *read = tm_arena_zero(arena, total + 1);
  uint32_t *columns = tm_arena_alloc(arena, (total + 1) * sizeof *columns);
  if (read == NULL || columns == NULL) return out_of_memory(err);
  if (use->whole) memset(read, 1, total);
  for (uint32_t i = 0; i < use->field_count; i++) {
    int at = tm_schema_find(f->want.input, use->fields[i].name);
    if (at >= 0) read[at] = 1;
  }
  f->base.columns = columns;
  for (uint32_t i = 0; i < total; i++) {
    if (read[i]) columns[f->base.column_count++] = i;
  }
  return 0;
}

static int read_facts(const tm_row_source *source, int row, tm_arena *arena, tm_row_facts *out,
                      tm_error *err) {
  tm_host *host = source->script->main;
  lua_State *L = host->L;
  int top = lua_gettop(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, host->functions);
  lua_rawgeti(L, -1, (lua_Integer)source->number);
  int done = tm_row_facts_read_process(L, -1, source->base.script, row, arena, out, err);
  lua_settop(L, top);
  if (done < 0 && err->code == TM_E_IMPURE) {
    (void)snprintf(err->help, sizeof err->help, "what process keeps goes to its state: "
                   "state = { n = \"int64\" }, then state.n = (state.n or 0) + 1");
  }
  return done;
}

static tm_function *show(tm_process_function *f, int nth, const tm_row_source *source,
                         const tm_row_facts *facts) {
  f->shown[nth] = (tm_function){
      .source = &source->base, .shape = TM_SHAPE_ROW, .result = f->want.emits, .may_raise = true,
      .pure = !facts->reads_clock, .why = "it has a state",
  };
  return &f->shown[nth];
}

static int bind_on_row(tm_process_function *f, tm_arena *arena, tm_error *err) {
  tm_row_facts facts;
  if (read_facts(f->on_row, 0, arena, &facts, err) < 0) return -1;
  if (check_row(f->on_row, &facts.inputs[0], f->want.input, err) < 0) return -1;
  if (check_state(f->on_row, &facts.inputs[1], f->want.state, err) < 0) return -1;
  f->copies_row = facts.inputs[0].escapes;
  f->base.on_row = show(f, 0, f->on_row, &facts);
  return list_columns(f, &facts.inputs[0], arena, err);
}

static int bind_on_timer(tm_process_function *f, tm_arena *arena, tm_error *err) {
  tm_row_facts facts;
  if (f->on_timer == NULL) return 0;
  if (read_facts(f->on_timer, 1, arena, &facts, err) < 0) return -1;
  if (check_row(f->on_timer, &facts.inputs[0], f->want.key, err) < 0) return -1;
  if (check_state(f->on_timer, &facts.inputs[1], f->want.state, err) < 0) return -1;
  f->copies_key = facts.inputs[0].escapes;
  f->base.on_timer = show(f, 1, f->on_timer, &facts);
  return 0;
}

static int run_process(const tm_process *process, void *worker, tm_process_step *step,
                       tm_error *err);

int tm_process_function_bind(const tm_function_source *on_row, const tm_function_source *on_timer,
                             const tm_process_want *want, tm_arena *arena, tm_process **out,
                             tm_error *err) {
  tm_process_function *f = tm_arena_zero(arena, sizeof *f);
  if (f == NULL) return out_of_memory(err);
  f->want = *want;
  f->on_row = on_row->context;
  f->on_timer = on_timer == NULL ? NULL : on_timer->context;
  f->base.run = run_process;
  if (bind_on_row(f, arena, err) < 0 || bind_on_timer(f, arena, err) < 0) return -1;
  *out = &f->base;
  return 0;
}

/* ------------------------------------------------------------------ what a state keeps */

static void set_function(lua_State *L, const tm_row_source *source, int at) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, tm_host_of(L)->functions);
  if (source == NULL) lua_pushnil(L);
  else lua_rawgeti(L, -1, (lua_Integer)source->number);
  lua_setiuservalue(L, -3, at);
  lua_pop(L, 1);
}

static void push_record(lua_State *L, const tm_process_function *f) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, f) == LUA_TUSERDATA) return;
  lua_pop(L, 1);
  tm_process_record *record = lua_newuserdatauv(L, sizeof *record, USER_VALUES);
  memset(record, 0, sizeof *record);
  record->function = f;
  set_function(L, f->on_row, ON_ROW);
  set_function(L, f->on_timer, ON_TIMER);
  record->row = tm_row_view_push(L, f->want.input, 0);
  lua_setiuservalue(L, -2, ROW);
  record->key = tm_row_view_push(L, f->want.key, 0);
  lua_setiuservalue(L, -2, KEY);
  tm_process_state_push(L, record);
  lua_setiuservalue(L, -2, STATE);
  tm_process_out_push(L, record);
  lua_setiuservalue(L, -2, OUT);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, f);
}

/* ------------------------------------------------------------------ running */

static void push_view(lua_State *L, int at, bool copies) {
  if (copies) tm_row_view_push_copy(L, AT_USER_VALUES + at);
  else lua_pushvalue(L, AT_USER_VALUES + at);
}

static void call_on_row(lua_State *L, run *r) {
  tm_row_view *row = r->record->row;
  row->batch = r->call.batch;
  row->row = r->call.row;
  r->record->on_timer = false;
  lua_pushvalue(L, AT_USER_VALUES + ON_ROW);
  push_view(L, ROW, r->function->copies_row);
  lua_pushvalue(L, AT_USER_VALUES + STATE);
  lua_pushvalue(L, AT_USER_VALUES + OUT);
  lua_call(L, 3, 0);
}

static void call_on_timer(lua_State *L, run *r) {
  tm_row_view *key = r->record->key;
  key->batch = r->call.batch;
  key->row = r->call.row;
  r->record->on_timer = true;
  lua_pushvalue(L, AT_USER_VALUES + ON_TIMER);
  lua_pushlstring(L, r->call.timer, r->call.timer_size);
  push_view(L, KEY, r->function->copies_key);
  lua_pushvalue(L, AT_USER_VALUES + STATE);
  lua_pushvalue(L, AT_USER_VALUES + OUT);
  lua_call(L, 4, 0);
}

static int run_calls(lua_State *L) {
  run *r = lua_touserdata(L, AT_RUN);
  luaL_checkstack(L, 2 * USER_VALUES + 8, "process");
  push_record(L, r->function);
  r->record = lua_touserdata(L, AT_RECORD);
  r->record->step = r->step;
  for (int i = 1; i <= USER_VALUES; i++) lua_getiuservalue(L, AT_RECORD, i);
  for (;;) {
    int more = r->step->next(r->step, &r->call);
    if (more <= 0) {
      r->done = true;
      r->no_memory = more < 0;
      return 0;
    }
    tm_guard_next(&r->host->guard);
    r->under_way = true;
    r->record->message[0] = '\0';
    if (r->call.timer == NULL) call_on_row(L, r);
    else if (r->function->on_timer != NULL) call_on_timer(L, r);
    r->step->commit(r->step);
    r->under_way = false;
  }
}

/* Views show nothing from here on: one that was kept all the same says so. */
static void hide_views(const run *r) {
  if (r->record == NULL) return;
  r->record->step = NULL;
  r->record->row->batch = r->record->key->batch = NULL;
}

static void refuse(run *r) {
  const tm_error *caught = &r->host->caught;
  bool known = r->record->message[0] != '\0' && strcmp(caught->message, r->record->message) == 0;
  tm_reason reason = known ? r->record->reason : TM_REASON_LUA;
  r->under_way = false;
  if (r->step->refuse(r->step, reason, caught->script_line, caught->message) < 0) {
    r->no_memory = true;
  }
}

static void describe_record(const run *r, tm_error *err) {
  if (!r->under_way || r->call.timer != NULL || err->record_file[0] != '\0') return;
  const tm_batch *batch = r->call.batch;
  if (batch->origin.file != NULL) {
    (void)snprintf(err->record_file, sizeof err->record_file, "%s", batch->origin.file);
  }
  if (batch->ordinals != NULL) err->record_line = batch->ordinals[r->call.row];
}

static int run_all(run *r, tm_error *err) {
  tm_host *host = r->host;
  int status = 0;
  while (status == 0 && !r->done && !r->no_memory) {
    if (tm_host_try(host, run_calls, r) == 0) continue;
    if (host->caught.code == TM_E_ROW_FUNCTION && r->under_way) {
      refuse(r);
      continue;
    }
    if (err->code == TM_E_NONE) *err = host->caught;
    if (err->script_line == 0) {
      bool timer = r->under_way && r->call.timer != NULL;
      const tm_row_source *source = timer ? r->function->on_timer : r->function->on_row;
      (void)place(source, source->base.script_line, err);
    }
    describe_record(r, err);
    status = -1;
  }
  hide_views(r);
  return status == 0 && r->no_memory ? out_of_memory(err) : status;
}

static int run_process(const tm_process *process, void *worker, tm_process_step *step,
                       tm_error *err) {
  const tm_process_function *f = (const tm_process_function *)process;
  tm_script *script = f->on_row->script;
  tm_host *host = worker == NULL ? script->main : tm_worker_host(worker, err);
  if (host == NULL) return -1;
  run r = {.function = f, .host = host, .step = step};
  tm_host_enter(host, TM_HOST_ROWS, script->row_us);
  int status = run_all(&r, err);
  tm_host_leave(host);
  return status;
}

/* ------------------------------------------------------------------ shared */

int tm_process_raise(lua_State *L, tm_process_record *record, tm_reason reason,
                     const char *message) {
  record->reason = reason;
  (void)snprintf(record->message, sizeof record->message, "%s", message);
  return luaL_error(L, "%s", record->message);
}

void tm_process_need_call(lua_State *L, const tm_process_record *record, const char *what) {
  if (record->step == NULL) luaL_error(L, "%s can be used only while its function runs", what);
}

void tm_process_unknown_state(const tm_state_plan *plan, const char *name, tm_error *err) {
  const char *names[64];
  size_t count = 0;
  for (uint32_t i = 0; i < plan->field_count && count < 64; i++) {
    names[count++] = plan->fields[i].name;
  }
  tm_fail(err, TM_E_FIELD, "process has no state '%.60s'", name);
  tm_error_suggest(err, name, names, count);
  tm_error_help(err, "state = { %.60s = \"int64\" } declares it", name);
}

void tm_process_function_open(lua_State *L) {
  tm_process_state_open(L);
  tm_process_out_open(L);
}
