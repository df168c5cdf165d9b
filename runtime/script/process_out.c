/* script/process_out.c: `out`: emitting rows, setting and cancelling timers.
 *
 * Its methods are closures over the record and the names of the columns, so that a call looks up
 * nothing. A row is written into the step's batch field by field; it counts once it is whole. */
#include <stdio.h>
#include <string.h>

#include "script/convert.h"
#include "script/process_parts.h"
#include "script/value_parts.h"

#define OUT_METATABLE "tidemill.out"

/* Upvalues of the methods. */
enum { RECORD = 1, SELF, NAMES };

static tm_process_record *record_of(lua_State *L, const char *method) {
  tm_process_record *record = lua_touserdata(L, lua_upvalueindex(RECORD));
  if (lua_touserdata(L, 1) != lua_touserdata(L, lua_upvalueindex(SELF))) {
    luaL_error(L, "call it with a colon: out:%s", method);
  }
  tm_process_need_call(L, record, "out");
  return record;
}

/* ------------------------------------------------------------------ emit */

/* A field that no column takes is a slip of the pen. */
static void refuse_stray(lua_State *L, tm_process_record *record) {
  const tm_schema *schema = record->function->want.emits;
  char message[sizeof record->message];
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    lua_pop(L, 1);
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (name != NULL && tm_schema_find(schema, name) >= 0) continue;
    (void)snprintf(message, sizeof message, "out:emit got a field '%.60s' that is none of the "
                   "columns of emits", name == NULL ? luaL_typename(L, -1) : name);
    tm_process_raise(L, record, TM_REASON_TYPE, message);
  }
}

static void store_field(lua_State *L, tm_process_record *record, tm_batch *batch, uint32_t row,
                        uint32_t column) {
  tm_convert_fault fault;
  int status = tm_convert_store(L, -1, &batch->schema->fields[column], &batch->columns[column],
                                row, batch->rows, &batch->arena, &fault);
  if (status == TM_CONVERT_NO_MEMORY) tm_host_no_memory(L);
  if (status == TM_CONVERT_REFUSED) {
    tm_process_raise(L, record, fault.reason, fault.message);
  }
}

/* out:emit(row): a table, or a row that is given on. */
static int emit(lua_State *L) {
  tm_process_record *record = record_of(L, "emit(row)");
  bool plain = lua_istable(L, 2);
  lua_Integer fields = 0, known = 0;
  if (!plain && tm_row_view_at(L, 2) == NULL) {
    char message[sizeof record->message];
    (void)snprintf(message, sizeof message, "out:emit takes a table, not %s",
                   tm_values_a_type_name(L, 2));
    return tm_process_raise(L, record, TM_REASON_TYPE, message);
  }
  if (plain && lua_getmetatable(L, 2)) plain = false;
  lua_settop(L, 2);
  uint32_t row;
  tm_batch *batch = record->step->open_row(record->step, &row);
  if (batch == NULL) return tm_host_no_memory(L);
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    lua_rawgeti(L, lua_upvalueindex(NAMES), (lua_Integer)i + 1);
    int type = plain ? lua_rawget(L, 2) : lua_gettable(L, 2);
    known += type != LUA_TNIL;
    store_field(L, record, batch, row, i);
    lua_settop(L, 2);
  }
  if (plain) {
    lua_pushnil(L);
    for (; lua_next(L, 2) != 0; lua_pop(L, 1)) fields++;
    if (fields != known) refuse_stray(L, record);
  }
  record->step->keep_row(record->step);
  return 0;
}

/* ------------------------------------------------------------------ timers */

static const char *timer_name(lua_State *L, size_t *out_size) {
  if (lua_type(L, 2) != LUA_TSTRING) {
    luaL_error(L, "the name of a timer is a string, not %s", tm_values_a_type_name(L, 2));
  }
  const char *name = lua_tolstring(L, 2, out_size);
  if (*out_size > TM_TIMER_NAME_MAX) {
    luaL_error(L, "the name of a timer has at most %d bytes", TM_TIMER_NAME_MAX);
  }
  return name;
}

static int64_t timer_time(lua_State *L) {
  const tm_lua_date *date = tm_values_date(L, 3);
  int is_integer = 0;
  if (date != NULL) return date->days * INT64_C(86400000000);
  lua_Integer at_us = lua_type(L, 3) == LUA_TNUMBER ? lua_tointegerx(L, 3, &is_integer) : 0;
  if (!is_integer) {
    luaL_error(L, "the time of a timer is a timestamp or a date, not %s",
               tm_values_a_type_name(L, 3));
  }
  return at_us;
}

/* out:timer(name, at[, "processing"]) */
static int timer(lua_State *L) {
  tm_process_record *record = record_of(L, "timer(name, at)");
  size_t size;
  const char *name = timer_name(L, &size);
  int64_t at_us = timer_time(L);
  bool processing = !lua_isnoneornil(L, 4);
  if (processing && strcmp(luaL_checkstring(L, 4), "processing") != 0) {
    return luaL_error(L, "a timer goes by event time, or by \"processing\" time");
  }
  if (record->function->on_timer == NULL) {
    return tm_host_raise(L, TM_E_VALUE, "process sets a timer, but has no on_timer");
  }
  switch (record->step->set_timer(record->step, name, size, at_us, processing)) {
    case 0: return 0;
    case TM_TIMER_UNTIMED:
      return tm_host_raise(L, TM_E_VALUE, "timers go by event time, and the rows have none: give "
                           "the source its time = \"column\"");
    case TM_TIMER_EARLY:
      return luaL_error(L, "timer '%s' is set by a timer that is not earlier", name);
    default: return tm_host_no_memory(L);
  }
}

/* out:cancel(name) */
static int cancel(lua_State *L) {
  tm_process_record *record = record_of(L, "cancel(name)");
  size_t size;
  const char *name = timer_name(L, &size);
  if (tm_keyed_state_cancel(record->step->state, name, size) < 0) return tm_host_no_memory(L);
  return 0;
}

/* ------------------------------------------------------------------ making */

static int text(lua_State *L) {
  lua_pushliteral(L, "out");
  return 1;
}

static int unknown(lua_State *L) {
  return tm_host_raise(L, TM_E_FIELD, "out has emit, timer and cancel, but no '%s'",
                       luaL_tolstring(L, 2, NULL));
}

static int read_only(lua_State *L) { return luaL_error(L, "out cannot be changed"); }

static void push_names(lua_State *L, const tm_schema *schema) {
  lua_createtable(L, (int)schema->count, 0);
  for (uint32_t i = 0; i < schema->count; i++) {
    lua_pushstring(L, schema->fields[i].name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* A userdata with a metatable of its own, whose __index is the table of the methods. */
void tm_process_out_push(lua_State *L, tm_process_record *record) {
  static const luaL_Reg methods[] = {
    {"emit", emit}, {"timer", timer}, {"cancel", cancel}, {NULL, NULL},
  };
  void *self = lua_newuserdatauv(L, 1, 0);
  lua_createtable(L, 0, 4);
  lua_createtable(L, 0, 3);
  lua_pushlightuserdata(L, record);
  lua_pushlightuserdata(L, self);
  push_names(L, record->function->want.emits);
  luaL_setfuncs(L, methods, 3);
  luaL_setmetatable(L, OUT_METATABLE);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, read_only);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, text);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
}

/* Of the table of methods. */
void tm_process_out_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"__index", unknown}, {NULL, NULL}};
  tm_values_metatable(L, OUT_METATABLE, functions);
  lua_pop(L, 1);
}
