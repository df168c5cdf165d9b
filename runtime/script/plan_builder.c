/* script/plan_builder.c: Lua tables to values, values to nodes.
 *
 * Runs inside Lua (it raises), so everything it makes lies in the graph's arena. Named entries are
 * sorted by name; a table may have positional entries beside them. */
#include "script/plan_builder.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script/lift_names.h"
#include "script/process_function.h"
#include "script/row_function.h"
#include "script/values.h"

enum { DEPTH_MAX = 64 };

static const char flow_key; /* registry: metatable of flows */

typedef struct builder {
  lua_State *L;
  tm_host *host;
  tm_arena *arena;
  uint32_t place;     /* of the node's call in the main script; 0: unknown */
  int line;           /* of it; 0: unknown */
  uint32_t functions; /* met so far */
} builder;

void tm_plan_builder_set_flow(lua_State *L, int index) {
  lua_pushvalue(L, index);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &flow_key);
}

static int refuse(builder *b, tm_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Raises with the line of the node that is being read. */
static int refuse(builder *b, tm_error_code code, const char *format, ...) {
  tm_error *e = tm_host_error_push(b->L);
  va_list args;
  va_start(args, format);
  (void)vsnprintf(e->message, sizeof e->message, format, args);
  va_end(args);
  e->code = (int)code;
  e->script_line = b->line;
  return tm_host_throw(b->L);
}

static void *take(builder *b, size_t bytes) {
  void *memory = tm_arena_zero(b->arena, bytes == 0 ? 1 : bytes);
  if (memory == NULL) refuse(b, TM_E_MEMORY, "out of memory for the plan");
  return memory;
}

static const char *take_text(builder *b, int index, size_t *out_size) {
  size_t size;
  const char *text = lua_tolstring(b->L, index, &size);
  char *copy = tm_arena_text(b->arena, text, size);
  if (copy == NULL) refuse(b, TM_E_MEMORY, "out of memory for the plan");
  if (out_size != NULL) *out_size = size;
  return copy;
}

/* ------------------------------------------------------------------ values */

static void read_value(builder *b, int index, int depth, tm_value *out);

static void read_function(builder *b, int index, tm_value *out) {
  lua_State *L = b->L;
  lua_Debug info;
  if (lua_iscfunction(L, index)) {
    refuse(b, TM_E_VALUE, "a row function must be written in Lua: function(r) … end");
  }
  tm_row_source *source = take(b, sizeof *source);
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &info);
  const char *script = info.source[0] == '@' || info.source[0] == '=' ? info.source + 1 : "?";
  source->base.script = tm_arena_text(b->arena, script, strlen(script));
  source->base.script_line = info.linedefined;
  source->base.context = source;
  source->base.bind = tm_row_function_bind;
  source->base.bind_process = tm_process_function_bind;
  source->script = b->host->script;
  source->number = ++b->functions;
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->host->functions);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, (lua_Integer)source->number);
  lua_pop(L, 1);
  out->kind = TM_VALUE_FUNCTION;
  out->function = source;
  out->script_line = info.linedefined;
}

static bool read_flow(builder *b, int index, tm_value *out) {
  lua_State *L = b->L;
  bool is_flow = false;
  if (!lua_getmetatable(L, index)) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &flow_key);
  is_flow = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  if (!is_flow) return false;
  lua_pushliteral(L, "index");
  if (lua_rawget(L, index) != LUA_TNUMBER) {
    refuse(b, TM_E_VALUE, "a flow cannot stand here");
  }
  out->kind = TM_VALUE_NODE;
  out->integer = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return true;
}

static int compare_pairs(const void *a, const void *b) {
  return strcmp(((const tm_pair *)a)->name, ((const tm_pair *)b)->name);
}

static void read_pairs(builder *b, int index, int depth, size_t items, tm_value *out) {
  lua_State *L = b->L;
  size_t count = 0;
  lua_pushnil(L);
  for (; lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      count++;
      continue;
    }
    bool positional = lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
                      (uint64_t)lua_tointeger(L, -2) <= items;
    if (!positional) {
      refuse(b, TM_E_VALUE, "an option's table has an entry whose key is a %s",
                    luaL_typename(L, -2));
    }
  }
  tm_pair *pairs = take(b, count * sizeof *pairs);
  size_t at = 0;
  lua_pushnil(L);
  for (; lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) pairs[at++].name = take_text(b, -2, NULL);
  }
  qsort(pairs, count, sizeof *pairs, compare_pairs);
  /* Only now, in their final order: functions are numbered as they are met. */
  for (at = 0; at < count; at++) {
    lua_getfield(L, index, pairs[at].name);
    read_value(b, lua_gettop(L), depth + 1, &pairs[at].value);
    lua_pop(L, 1);
  }
  out->pairs = pairs;
  out->pair_count = count;
}

static void read_table(builder *b, int index, int depth, tm_value *out) {
  lua_State *L = b->L;
  if (depth >= DEPTH_MAX) {
    refuse(b, TM_E_VALUE, "an option's tables are nested more than %d deep", DEPTH_MAX);
  }
  luaL_checkstack(L, 8, "options");
  out->kind = TM_VALUE_TABLE;
  size_t count = (size_t)lua_rawlen(L, index);
  tm_value *items = take(b, count * sizeof *items);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    read_value(b, lua_gettop(L), depth + 1, &items[i]);
    lua_pop(L, 1);
  }
  read_pairs(b, index, depth, count, out);
  out->items = items;
  out->item_count = count;
}

static bool read_userdata(builder *b, int index, tm_value *out) {
  lua_State *L = b->L;
  const tm_lua_decimal *decimal = luaL_testudata(L, index, TM_LUA_DECIMAL);
  if (decimal != NULL) {
    out->kind = TM_VALUE_DECIMAL;
    out->decimal = decimal->value;
    out->scale = decimal->scale;
    return true;
  }
  const tm_lua_date *date = luaL_testudata(L, index, TM_LUA_DATE);
  if (date != NULL) {
    out->kind = TM_VALUE_DATE;
    out->integer = date->days;
    return true;
  }
  const tm_lua_duration *duration = luaL_testudata(L, index, TM_LUA_DURATION);
  if (duration != NULL) {
    if (duration->months != 0) {
      refuse(b, TM_E_VALUE, "months have no fixed length; an option needs one");
    }
    out->kind = TM_VALUE_DURATION;
    out->integer = duration->us;
    return true;
  }
  if (luaL_testudata(L, index, TM_LUA_SECRET) == NULL) return false;
  lua_getiuservalue(L, index, 1);
  out->kind = TM_VALUE_SECRET;
  if (lua_isstring(L, -1)) out->text = take_text(b, -1, &out->size);
  lua_pop(L, 1);
  return true;
}

static void read_value(builder *b, int index, int depth, tm_value *out) {
  lua_State *L = b->L;
  switch (lua_type(L, index)) {
    case LUA_TNIL: out->kind = TM_VALUE_NIL; return;
    case LUA_TBOOLEAN:
      out->kind = TM_VALUE_BOOL;
      out->boolean = lua_toboolean(L, index) != 0;
      return;
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) {
        out->kind = TM_VALUE_INT;
        out->integer = lua_tointeger(L, index);
      } else {
        out->kind = TM_VALUE_FLOAT;
        out->number = lua_tonumber(L, index);
      }
      return;
    case LUA_TSTRING:
      out->kind = TM_VALUE_TEXT;
      out->text = take_text(b, index, &out->size);
      return;
    case LUA_TFUNCTION: read_function(b, index, out); return;
    case LUA_TTABLE:
      if (!read_flow(b, index, out)) read_table(b, index, depth, out);
      return;
    case LUA_TUSERDATA:
      if (read_userdata(b, index, out)) return;
      break;
    case LUA_TLIGHTUSERDATA:
      if (tm_values_is_null(L, index)) {
        out->kind = TM_VALUE_NIL;
        return;
      }
      break;
    default: break;
  }
  refuse(b, TM_E_VALUE, "a %s cannot be an option", luaL_typename(L, index));
}

/* ------------------------------------------------------------------ nodes */

static const char *field_text(builder *b, const char *name) {
  lua_State *L = b->L;
  const char *text = NULL;
  if (lua_getfield(L, -1, name) == LUA_TSTRING) text = take_text(b, -1, NULL);
  lua_pop(L, 1);
  return text;
}

static lua_Integer field_int(builder *b, const char *name) {
  lua_getfield(b->L, -1, name);
  lua_Integer value = lua_tointeger(b->L, -1);
  lua_pop(b->L, 1);
  return value;
}

static bool field_bool(builder *b, const char *name) {
  lua_getfield(b->L, -1, name);
  bool value = lua_toboolean(b->L, -1) != 0;
  lua_pop(b->L, 1);
  return value;
}

/* Options learn their lines, so that the plan's messages point at them. */
static const tm_value *read_options(builder *b, const char *field, bool lines) {
  lua_State *L = b->L;
  tm_value *options = take(b, sizeof *options);
  lua_getfield(L, -1, field);
  read_table(b, lua_gettop(L), 0, options);
  lua_pop(L, 1);
  if (!lines || b->place == 0) return options;
  tm_pair *pairs = (tm_pair *)options->pairs; /* of our own making */
  for (size_t i = 0; i < options->pair_count; i++) {
    int line =
        tm_source_map_argument(b->host->script->map, b->place, pairs[i].name, NULL);
    if (line > 0) pairs[i].value.script_line = line;
  }
  return options;
}

static void read_node(builder *b, tm_graph *graph) {
  lua_State *L = b->L;
  tm_error failure = {0};
  tm_node node = {
      .role = (tm_stage_role)field_int(b, "role"),
      .verb = field_text(b, "verb"),
      .name = field_text(b, "name"),
      .script_line = (int)field_int(b, "line"),
  };
  b->place = (uint32_t)field_int(b, "place");
  b->line = node.script_line;
  node.options = read_options(b, "options", true);
  lua_getfield(L, -1, "inputs");
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  if (count > TM_PORTS_MAX) {
    refuse(b, TM_E_VALUE, "%s takes at most %d flows", node.verb, TM_PORTS_MAX);
  }
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    node.inputs[node.input_count++] = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  if (tm_graph_add(graph, &node, &failure) < 0) {
    *tm_host_error_push(L) = failure;
    tm_host_throw(L);
  }
}

uint32_t tm_plan_builder_build(lua_State *L, tm_graph *graph) {
  builder b = {.L = L, .host = tm_host_of(L), .arena = graph->arena};
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_newtable(L);
  b.host->functions = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_getfield(L, -1, "nodes");
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    read_node(&b, graph);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  graph->job.pipeline = field_text(&b, "name");
  graph->job.stream = field_bool(&b, "stream");
  graph->job_line = (int)field_int(&b, "line");
  b.place = (uint32_t)field_int(&b, "place");
  b.line = graph->job_line;
  graph->job_options = read_options(&b, "options", true);
  return b.functions;
}
