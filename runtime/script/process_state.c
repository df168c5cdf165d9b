/* script/process_state.c: the state of a key as Lua sees it.
 *
 * `state` is one userdata that shows the state of one key after the other. A value that is not
 * there is nil; lists and maps are always there, empty at first, as userdata of their own that
 * behave as tables do (`#`, ipairs, pairs in sorted order, table.insert), made once. What is
 * assigned has the declared type, or the call is refused. Values go into C's memory as they are
 * assigned; a table that is assigned is copied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/utf8.h"
#include "script/convert.h"
#include "script/process_parts.h"
#include "script/value_parts.h"

#define STATE_METATABLE "tidemill.state"
#define LIST_METATABLE "tidemill.state_list"
#define MAP_METATABLE "tidemill.state_map"

/* User value of a state: its lists and maps, by field, from 1. */
enum { COLLECTIONS = 1 };

typedef struct view {
  tm_process_record *record;
  const tm_state_plan *plan;
  uint32_t mask;       /* slots, less one */
  tm_row_slot slots[]; /* names by their address, which Lua keeps only once */
} view;

/* A list or map; user value 1 is the state. */
typedef struct collection { view *view; uint32_t field; } collection;

static tm_keyed_state *state_of(lua_State *L, const view *v) {
  tm_process_need_call(L, v->record, "a state");
  return v->record->step->state;
}

static void check_memory(lua_State *L, int done) {
  if (done < 0) tm_host_no_memory(L);
}

/* ------------------------------------------------------------------ values */

static void push_value(lua_State *L, tm_type type, const void *cell) {
  tm_column column = {.type = type, .data = (void *)(uintptr_t)cell};
  tm_row_view_push_cell(L, &column, 0);
}

static bool is_null(lua_State *L, int index) {
  return lua_isnil(L, index) || tm_values_is_null(L, index);
}

/* "state 'last' is timestamp, not a string" */
static int refuse_type(lua_State *L, const view *v, const tm_state_field *f, int index) {
  char message[sizeof v->record->message], type[TM_TYPE_TEXT_MAX];
  (void)snprintf(message, sizeof message, "%s '%.60s' is %s, not %s",
                 f->shape == TM_STATE_VALUE ? "state" : "an entry of state", f->name,
                 tm_type_text(f->type, type), tm_values_a_type_name(L, index));
  return tm_process_raise(L, v->record, TM_REASON_TYPE, message);
}

/* The value at index, which is not null; a string's bytes stay Lua's. */
static tm_cell read_cell(lua_State *L, const view *v, const tm_state_field *f, int index) {
  tm_cell cell = {.wide = 0};
  if (tm_type_physical(f->type) != TM_PHYSICAL_STR) {
    tm_field field = {.name = f->name, .type = f->type};
    tm_column column = {.type = f->type, .data = &cell};
    tm_convert_fault fault;
    if (tm_convert_store(L, index, &field, &column, 0, 1, NULL, &fault) == TM_CONVERT_OK) {
      return cell;
    }
    if (fault.reason == TM_REASON_TYPE) refuse_type(L, v, f, index);
    tm_process_raise(L, v->record, fault.reason, fault.message);
  }
  size_t size;
  if (lua_type(L, index) != LUA_TSTRING) refuse_type(L, v, f, index);
  const char *text = lua_tolstring(L, index, &size);
  if (size > UINT32_MAX) {
    tm_process_raise(L, v->record, TM_REASON_TOO_LONG, "a text longer than 4 GiB");
  }
  if (f->type.kind == TM_STRING && !tm_utf8_valid(text, size)) {
    char message[sizeof v->record->message];
    (void)snprintf(message, sizeof message, "state '%.60s' is not valid UTF-8", f->name);
    tm_process_raise(L, v->record, TM_REASON_ENCODING, message);
  }
  cell.text = tm_str_make(text, size);
  return cell;
}

/* A key of a map. */
static tm_str read_key(lua_State *L, const view *v, const tm_state_field *f, int index) {
  size_t size;
  if (lua_type(L, index) != LUA_TSTRING) {
    luaL_error(L, "keys of state '%s' are strings, not %s", f->name,
               tm_values_a_type_name(L, index));
  }
  const char *text = lua_tolstring(L, index, &size);
  if (size > UINT32_MAX || !tm_utf8_valid(text, size)) {
    tm_process_raise(L, v->record, TM_REASON_ENCODING, "a key of a map is not valid UTF-8");
  }
  return tm_str_make(text, size);
}

/* ------------------------------------------------------------------ the state */

static uint32_t slot_of(const char *key, uint32_t mask) {
  return (uint32_t)(((uintptr_t)key >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
}

/* The field of a name; ends the job where there is none. */
static uint32_t find(lua_State *L, const view *v, int index) {
  const char *key = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;
  for (uint32_t at = slot_of(key, v->mask); key != NULL && v->slots[at].key != NULL;
       at = (at + 1) & v->mask) {
    if (v->slots[at].key == key) return v->slots[at].column;
  }
  for (uint32_t i = 0; key != NULL && i < v->plan->field_count; i++) {
    if (strcmp(v->plan->fields[i].name, key) == 0) return i; /* long names are not unique */
  }
  tm_error *e = tm_host_error_push(L);
  if (key != NULL) tm_process_unknown_state(v->plan, key, e);
  else tm_fail(e, TM_E_FIELD, "state has fields by name only, not by %s", luaL_typename(L, index));
  tm_host_throw(L);
  return 0;
}

static int state_index(lua_State *L) {
  view *v = lua_touserdata(L, 1); /* scripts cannot reach the metatable */
  const tm_keyed_state *s = state_of(L, v);
  uint32_t field = find(L, v, 2);
  const tm_state_field *f = &v->plan->fields[field];
  if (f->shape != TM_STATE_VALUE) {
    lua_getiuservalue(L, 1, COLLECTIONS);
    lua_rawgeti(L, -1, (lua_Integer)field + 1);
    return 1;
  }
  const tm_cell *cell = tm_keyed_state_value(s, field);
  if (cell == NULL) lua_pushnil(L);
  else push_value(L, f->type, cell);
  return 1;
}

static void assign_list(lua_State *L, const view *v, tm_keyed_state *s, uint32_t field, int index);
static void assign_map(lua_State *L, const view *v, tm_keyed_state *s, uint32_t field, int index);

static int state_newindex(lua_State *L) {
  view *v = lua_touserdata(L, 1);
  tm_keyed_state *s = state_of(L, v);
  uint32_t field = find(L, v, 2);
  const tm_state_field *f = &v->plan->fields[field];
  if (is_null(L, 3)) {
    check_memory(L, tm_keyed_state_clear(s, field));
  } else if (f->shape == TM_STATE_LIST) {
    assign_list(L, v, s, field, 3);
  } else if (f->shape == TM_STATE_MAP) {
    assign_map(L, v, s, field, 3);
  } else {
    tm_cell cell = read_cell(L, v, f, 3);
    check_memory(L, tm_keyed_state_set(s, field, &cell));
  }
  return 0;
}

static int state_text(lua_State *L) {
  lua_pushliteral(L, "state");
  return 1;
}

/* ------------------------------------------------------------------ assigning lists and maps */

/* A table that is none of ours; false: it is the very list or map, and so assigned already. */
static bool is_plain(lua_State *L, const view *v, uint32_t field, int index,
                     const char *metatable) {
  const tm_state_field *f = &v->plan->fields[field];
  const collection *c = luaL_testudata(L, index, metatable);
  if (c != NULL && c->field == field && c->view == v) return false;
  if (lua_istable(L, index)) return true;
  char message[sizeof v->record->message];
  (void)snprintf(message, sizeof message, "state '%.60s' is a %s, not %s", f->name,
                 f->shape == TM_STATE_LIST ? "list" : "map",
                 c != NULL ? "that of another state" : tm_values_a_type_name(L, index));
  tm_process_raise(L, v->record, TM_REASON_TYPE, message);
  return false;
}

static void assign_list(lua_State *L, const view *v, tm_keyed_state *s, uint32_t field,
                        int index) {
  const tm_state_field *f = &v->plan->fields[field];
  if (!is_plain(L, v, field, index, LIST_METATABLE)) return;
  lua_Integer count = (lua_Integer)lua_rawlen(L, index), entries = 0;
  lua_pushnil(L);
  for (; lua_next(L, index) != 0; lua_pop(L, 1)) entries++;
  if (entries != count) {
    char message[sizeof v->record->message];
    (void)snprintf(message, sizeof message, "state '%.60s' is a list: its table has entries 1 to "
                   "%lld and others", f->name, (long long)count);
    tm_process_raise(L, v->record, TM_REASON_TYPE, message);
  }
  for (lua_Integer i = 1; i <= count; i++) { /* all of them, before anything changes */
    lua_rawgeti(L, index, i);
    (void)read_cell(L, v, f, lua_gettop(L));
    lua_pop(L, 1);
  }
  check_memory(L, tm_keyed_state_clear(s, field));
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, index, i);
    tm_cell cell = read_cell(L, v, f, lua_gettop(L));
    check_memory(L, tm_keyed_state_list_put(s, field, (uint32_t)i - 1, &cell));
    lua_pop(L, 1);
  }
}

static void assign_map(lua_State *L, const view *v, tm_keyed_state *s, uint32_t field, int index) {
  const tm_state_field *f = &v->plan->fields[field];
  if (!is_plain(L, v, field, index, MAP_METATABLE)) return;
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1) check_memory(L, tm_keyed_state_clear(s, field));
    lua_pushnil(L);
    for (; lua_next(L, index) != 0; lua_pop(L, 1)) {
      tm_str key = read_key(L, v, f, lua_gettop(L) - 1);
      tm_cell cell = read_cell(L, v, f, lua_gettop(L));
      if (pass == 1) check_memory(L, tm_keyed_state_map_put(s, field, &key, &cell));
    }
  }
}

/* ------------------------------------------------------------------ lists */

static int list_index(lua_State *L) {
  const collection *c = lua_touserdata(L, 1);
  tm_keyed_state *s = state_of(L, c->view);
  int is_integer;
  lua_Integer at = lua_tointegerx(L, 2, &is_integer);
  const tm_state_field *f = &c->view->plan->fields[c->field];
  if (!is_integer || lua_type(L, 2) != LUA_TNUMBER) {
    return luaL_error(L, "state '%s' is a list: entries are counted from 1, there is none by %s",
                      f->name, tm_values_a_type_name(L, 2));
  }
  const void *cell = NULL;
  if (at >= 1 && at <= UINT32_MAX) cell = tm_keyed_state_list_at(s, c->field, (uint32_t)at - 1);
  if (cell == NULL) lua_pushnil(L);
  else push_value(L, f->type, cell);
  return 1;
}

static int list_newindex(lua_State *L) {
  const collection *c = lua_touserdata(L, 1);
  tm_keyed_state *s = state_of(L, c->view);
  int is_integer;
  lua_Integer at = lua_tointegerx(L, 2, &is_integer);
  const tm_state_field *f = &c->view->plan->fields[c->field];
  uint32_t count = tm_keyed_state_list_count(s, c->field);
  bool nil = is_null(L, 3);
  if (nil && is_integer && (at < 1 || at > count)) return 0; /* there is nothing */
  if (!is_integer || at < 1 || at > (lua_Integer)count + 1 || (nil && at < count)) {
    return luaL_error(L, "state '%s' is a list of %d entries without gaps: entry %s cannot be %s",
                      f->name, (int)count, luaL_tolstring(L, 2, NULL), nil ? "nil" : "set");
  }
  if (nil) {
    check_memory(L, tm_keyed_state_list_pop(s, c->field));
    return 0;
  }
  tm_cell cell = read_cell(L, c->view, f, 3);
  check_memory(L, tm_keyed_state_list_put(s, c->field, (uint32_t)at - 1, &cell));
  return 0;
}

static int list_length(lua_State *L) {
  const collection *c = lua_touserdata(L, 1);
  lua_pushinteger(L, tm_keyed_state_list_count(state_of(L, c->view), c->field));
  return 1;
}

/* next of a list: the entry behind the one that was last. */
static int list_step(lua_State *L) {
  lua_Integer at = luaL_checkinteger(L, 2) + 1;
  lua_pushinteger(L, at);
  lua_pushvalue(L, -1);
  lua_gettable(L, 1);
  return lua_isnil(L, -1) ? 1 : 2;
}

static int list_pairs(lua_State *L) {
  lua_pushcfunction(L, list_step);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  return 3;
}

/* ------------------------------------------------------------------ maps */

static int map_index(lua_State *L) {
  const collection *c = lua_touserdata(L, 1);
  const tm_keyed_state *s = state_of(L, c->view);
  const tm_state_field *f = &c->view->plan->fields[c->field];
  const tm_cell *cell = NULL;
  if (!lua_isnil(L, 2)) {
    tm_str key = read_key(L, c->view, f, 2);
    cell = tm_keyed_state_map_at(s, c->field, &key);
  }
  if (cell == NULL) lua_pushnil(L);
  else push_value(L, f->type, cell);
  return 1;
}

static int map_newindex(lua_State *L) {
  const collection *c = lua_touserdata(L, 1);
  tm_keyed_state *s = state_of(L, c->view);
  const tm_state_field *f = &c->view->plan->fields[c->field];
  tm_str key = read_key(L, c->view, f, 2);
  if (is_null(L, 3)) {
    check_memory(L, tm_keyed_state_map_remove(s, c->field, &key));
    return 0;
  }
  tm_cell cell = read_cell(L, c->view, f, 3);
  check_memory(L, tm_keyed_state_map_put(s, c->field, &key, &cell));
  return 0;
}

static int map_length(lua_State *L) {
  const collection *c = lua_touserdata(L, 1);
  lua_pushinteger(L, tm_keyed_state_map_count(state_of(L, c->view), c->field));
  return 1;
}

static int compare_keys(const void *a, const void *b) { return tm_str_compare(a, b); }

/* Upvalues: the list of keys, the position. Entries may be cleared or set meanwhile. */
static int map_step(lua_State *L) {
  lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
  lua_Integer count = (lua_Integer)lua_rawlen(L, lua_upvalueindex(1));
  for (at++; at <= count; at++) {
    lua_rawgeti(L, lua_upvalueindex(1), at);
    lua_pushvalue(L, -1);
    if (lua_gettable(L, 1) != LUA_TNIL) {
      lua_pushinteger(L, at);
      lua_replace(L, lua_upvalueindex(2));
      return 2;
    }
    lua_pop(L, 2);
  }
  lua_pushnil(L);
  return 1;
}

static int map_pairs(lua_State *L) {
  const collection *c = lua_touserdata(L, 1);
  tm_keyed_state *s = state_of(L, c->view);
  uint32_t count = tm_keyed_state_map_count(s, c->field), at = 0, n = 0;
  tm_str *keys = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *keys, 0);
  while (n < count) {
    const tm_text_entry *entry = tm_keyed_state_map_next(s, c->field, &at);
    if (entry == NULL) break;
    keys[n++] = entry->key;
  }
  if (n > 1) qsort(keys, n, sizeof *keys, compare_keys);
  lua_createtable(L, n < 64 ? (int)n : 64, 0);
  for (uint32_t i = 0; i < n; i++) {
    lua_pushlstring(L, tm_str_bytes(&keys[i]), keys[i].size);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, map_step, 2);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* ------------------------------------------------------------------ making */

/* The list or map of a field, into the table on top; the state lies below it. */
static void add_collection(lua_State *L, view *v, uint32_t field) {
  const tm_state_field *f = &v->plan->fields[field];
  if (f->shape == TM_STATE_VALUE) {
    lua_pushboolean(L, 0);
  } else {
    collection *c = lua_newuserdatauv(L, sizeof *c, 1);
    *c = (collection){v, field};
    lua_pushvalue(L, -3);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, f->shape == TM_STATE_LIST ? LIST_METATABLE : MAP_METATABLE);
  }
  lua_rawseti(L, -2, (lua_Integer)field + 1);
}

void tm_process_state_push(lua_State *L, tm_process_record *record) {
  const tm_state_plan *plan = record->function->want.state;
  uint32_t slots = 4;
  while (slots < plan->field_count * 2 + 1) slots *= 2;
  size_t size = sizeof(view) + slots * sizeof(tm_row_slot);
  view *v = lua_newuserdatauv(L, size, 2);
  memset(v, 0, size);
  v->record = record;
  v->plan = plan;
  v->mask = slots - 1;
  lua_createtable(L, (int)plan->field_count, 0);
  for (uint32_t i = 0; i < plan->field_count; i++) add_collection(L, v, i);
  lua_setiuservalue(L, -2, COLLECTIONS);
  lua_createtable(L, (int)plan->field_count, 0); /* keeps the names */
  for (uint32_t i = 0; i < plan->field_count; i++) {
    const char *key = lua_pushstring(L, plan->fields[i].name);
    uint32_t at = slot_of(key, v->mask);
    while (v->slots[at].key != NULL) at = (at + 1) & v->mask;
    v->slots[at] = (tm_row_slot){.key = key, .column = i};
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setiuservalue(L, -2, COLLECTIONS + 1);
  luaL_setmetatable(L, STATE_METATABLE);
}

void tm_process_state_open(lua_State *L) {
  static const luaL_Reg state[] = {
    {"__index", state_index}, {"__newindex", state_newindex}, {"__tostring", state_text},
    {NULL, NULL},
  };
  static const luaL_Reg list[] = {
    {"__index", list_index}, {"__newindex", list_newindex}, {"__len", list_length},
    {"__pairs", list_pairs}, {NULL, NULL},
  };
  static const luaL_Reg map[] = {
    {"__index", map_index}, {"__newindex", map_newindex}, {"__len", map_length},
    {"__pairs", map_pairs}, {NULL, NULL},
  };
  tm_values_metatable(L, STATE_METATABLE, state);
  tm_values_metatable(L, LIST_METATABLE, list);
  tm_values_metatable(L, MAP_METATABLE, map);
  lua_pop(L, 3);
}
