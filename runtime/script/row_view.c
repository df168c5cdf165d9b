/* script/row_view.c: reading columns from Lua. See the header. */
#include "script/row_view.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "script/host.h"
#include "script/values.h"

#define ROW_METATABLE "tidemill.row"

enum { NAMES = 1, COPY_METATABLE = 2 }; /* user values */

/* ------------------------------------------------------------------ values */

static void push_decimal(lua_State *L, const tm_column *column, uint32_t row) {
  bool narrow = column->type.precision <= TM_DECIMAL_SHORT;
  __int128 value = narrow ? ((const int64_t *)column->data)[row]
                          : ((const __int128 *)column->data)[row];
  tm_values_push_decimal(L, value, column->type.scale);
}

void tm_row_view_push_cell(lua_State *L, const tm_column *column, uint32_t row) {
  if (tm_column_is_null(column, row)) {
    lua_pushnil(L);
    return;
  }
  assert(column->data != NULL || column->type.kind == TM_NULLTYPE);
  switch ((tm_kind)column->type.kind) {
    case TM_NULLTYPE: lua_pushnil(L); return;
    case TM_BOOL: lua_pushboolean(L, ((const uint8_t *)column->data)[row]); return;
    case TM_INT32: lua_pushinteger(L, ((const int32_t *)column->data)[row]); return;
    case TM_INT64: case TM_TIMESTAMP:
      lua_pushinteger(L, ((const int64_t *)column->data)[row]);
      return;
    case TM_FLOAT64: lua_pushnumber(L, ((const double *)column->data)[row]); return;
    case TM_DECIMAL: push_decimal(L, column, row); return;
    case TM_STRING: case TM_BYTES: {
      const tm_str *text = &((const tm_str *)column->data)[row];
      lua_pushlstring(L, tm_str_bytes(text), text->size);
      return;
    }
    case TM_DATE: tm_values_push_date(L, ((const int32_t *)column->data)[row]); return;
  }
}

/* ------------------------------------------------------------------ fields */

static uint32_t slot_of(const char *key, uint32_t mask) {
  return (uint32_t)(((uintptr_t)key >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
}

/* The column of a name within the schema, -1: it has none. */
static int find(lua_State *L, const tm_row_view *view, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return -1;
  const char *key = lua_tostring(L, index);
  for (uint32_t at = slot_of(key, view->mask); view->slots[at].key != NULL;
       at = (at + 1) & view->mask) {
    if (view->slots[at].key == key) return (int)view->slots[at].column;
  }
  return tm_schema_find(view->schema, key); /* long names are not unique in Lua */
}

static int unknown_field(lua_State *L, const tm_schema *schema, int index) {
  const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;
  tm_error *e = tm_host_error_push(L);
  if (name != NULL) {
    (void)tm_schema_require(schema, name, e);
  } else {
    tm_fail(e, TM_E_FIELD, "a row has fields by name only, not by %s", luaL_typename(L, index));
  }
  return tm_host_throw(L);
}

static void need_row(lua_State *L, const tm_row_view *view) {
  if (view->batch != NULL) return;
  luaL_error(L, "a row can be used only while its function runs: copy the fields wanted later");
}

static int view_index(lua_State *L) {
  const tm_row_view *view = lua_touserdata(L, 1); /* scripts cannot reach the metatable */
  need_row(L, view);
  int column = find(L, view, 2);
  if (column < 0) return unknown_field(L, view->schema, 2);
  tm_row_view_push_cell(L, &view->batch->columns[view->first + (uint32_t)column], view->row);
  return 1;
}

static int read_only(lua_State *L) {
  return luaL_error(L, "a row is read-only: return a new table, or set columns by with");
}

static int view_pairs(lua_State *L) {
  const tm_row_view *view = lua_touserdata(L, 1);
  need_row(L, view);
  lua_getglobal(L, "pairs");
  tm_row_view_push_copy(L, 1);
  lua_pushnil(L); /* a plain table: what pairs gives next may not ask its metatable */
  lua_setmetatable(L, -2);
  lua_call(L, 1, 3);
  return 3;
}

static int view_text(lua_State *L) {
  lua_pushliteral(L, "row");
  return 1;
}

/* ------------------------------------------------------------------ copies */

/* Of a copy; upvalue 1: the schema. A column that is null is not in the table. */
static int copy_index(lua_State *L) {
  const tm_schema *schema = lua_touserdata(L, lua_upvalueindex(1));
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
  if (name == NULL || tm_schema_find(schema, name) < 0) return unknown_field(L, schema, 2);
  return 0;
}

static void push_copy_metatable(lua_State *L, const tm_schema *schema) {
  lua_createtable(L, 0, 4);
  lua_pushlightuserdata(L, (void *)schema);
  lua_pushcclosure(L, copy_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, read_only);
  lua_setfield(L, -2, "__newindex");
  lua_pushliteral(L, "row");
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

void tm_row_view_push_copy(lua_State *L, int index) {
  index = lua_absindex(L, index);
  const tm_row_view *view = lua_touserdata(L, index);
  need_row(L, view);
  lua_getiuservalue(L, index, NAMES);
  lua_createtable(L, 0, (int)view->schema->count);
  for (uint32_t i = 0; i < view->schema->count; i++) {
    const tm_column *column = &view->batch->columns[view->first + i];
    if (column->data == NULL && column->type.kind != TM_NULLTYPE) continue; /* nobody reads it */
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    tm_row_view_push_cell(L, column, view->row);
    lua_rawset(L, -3);
  }
  lua_getiuservalue(L, index, COPY_METATABLE);
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

/* ------------------------------------------------------------------ making */

tm_row_view *tm_row_view_at(lua_State *L, int index) {
  return luaL_testudata(L, index, ROW_METATABLE);
}

static void fill_slots(tm_row_view *view, const char *key, uint32_t column) {
  uint32_t at = slot_of(key, view->mask);
  while (view->slots[at].key != NULL) at = (at + 1) & view->mask;
  view->slots[at] = (tm_row_slot){.key = key, .column = column};
}

tm_row_view *tm_row_view_push(lua_State *L, const tm_schema *schema, uint32_t first) {
  uint32_t slots = 4;
  while (slots < schema->count * 2 + 1) slots *= 2;
  size_t size = sizeof(tm_row_view) + slots * sizeof(tm_row_slot);
  tm_row_view *view = lua_newuserdatauv(L, size, 2);
  memset(view, 0, size);
  view->schema = schema;
  view->first = first;
  view->mask = slots - 1;
  lua_createtable(L, (int)schema->count, 0);
  for (uint32_t i = 0; i < schema->count; i++) {
    fill_slots(view, lua_pushstring(L, schema->fields[i].name), i);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setiuservalue(L, -2, NAMES);
  push_copy_metatable(L, schema);
  lua_setiuservalue(L, -2, COPY_METATABLE);
  luaL_setmetatable(L, ROW_METATABLE);
  return view;
}

void tm_row_view_open(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"__index", view_index}, {"__newindex", read_only}, {"__pairs", view_pairs},
    {"__tostring", view_text}, {NULL, NULL},
  };
  luaL_newmetatable(L, ROW_METATABLE);
  luaL_setfuncs(L, functions, 0);
  lua_pushliteral(L, "row");
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}
