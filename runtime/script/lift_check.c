/* script/lift_check.c: trust in the bytecode, once a process.
 *
 * A Lua library may be newer than this program. Before the first function is lifted, a few dozen
 * that together use every instruction that lift knows are lifted, evaluated over one row, and
 * called in the VM with that row as a table. One that is not lifted, or answers otherwise, and
 * nothing is lifted in this process: slower, but right. */
#include <stdatomic.h>
#include <string.h>

#include <lauxlib.h>

#include "base/log.h"
#include "expr/evaluate.h"
#include "script/lift_parts.h"

/* Row: i = 7, j = -3, f = 2.5, s = "hello", b = true, n = nil. */
static const char probes[] =
    "local limit, word, codes, on = 5, 'x', { hello = 11, [7] = 'seven' }, true\n"
    "local function add(a, b) return a + b end\n"
    "local function sign(x) if x < 0 then return -1 elseif x > 0 then return 1 end return 0 end\n"
    "return {\n"
    "function(r) return r.i + r.j end, function(r) return r.i - 1 end,\n"
    "function(r) return 100 - r.i * 3 end, function(r) return r.i // r.j + r.i % r.j end,\n"
    "function(r) return r.i / 2 end, function(r) return r.f ^ 2 - r.f * 0.125 end,\n"
    "function(r) return r.i // 2 + r.i % 4 + r.i * 1000003 end,\n"
    "function(r) return (r.i & 6 | 24) ~ 1 end, function(r) return r.i << 3 | r.i >> 1 end,\n"
    "function(r) return 1 << r.i end, function(r) return r.i & r.j | r.i ~ r.j end,\n"
    "function(r) return ~r.i - -r.j end, function(r) return r.i << r.i >> r.i end,\n"
    "function(r) return not r.b end, function(r) return #r.s end,\n"
    "function(r) return r.s .. '-' .. r.i .. word end,\n"
    "function(r) return r.i == 7 and r.j ~= r.i end, function(r) return r.s == 'hello' end,\n"
    "function(r) return r.i < 8 and r.i <= 7 and r.i > 6 and r.i >= 7 end,\n"
    "function(r) return r.j < r.i and r.j <= r.i and not (r.i < r.j) end,\n"
    "function(r) return r.f > 2 and r.f < 3.5 and r.f ~= 2 end,\n"
    "function(r) return r.n == nil and r.b == true end,\n"
    "function(r) return r.n or r.i end, function(r) return r.n and 1 or 2 end,\n"
    "function(r) local x = r.b and r.i or r.j return x * limit end,\n"
    "function(r) if r.i > 10 then return 'a' elseif r.i > 5 then return 'b' end return 'c' end,\n"
    "function(r) local x, y = 3, 4.0 if r.b then x = 5 end return x * y end,\n"
    "function(r) local a, b, c return a == nil and c == nil and on end,\n"
    "function(r) return add(r.i, limit) end, function(r) return sign(r.j) * sign(r.i) end,\n"
    "function(r) local x = add(add(r.i, 1), 2) return x + sign(x) end,\n"
    "function(r) return codes[r.s] end, function(r) return codes[r.i] end,\n"
    "function(r) return codes.hello + limit end, function(r) return codes[7] end,\n"
    "function(r) local t = { a = r.i, b = 2 } t.c = r.j return t.a + t.b + t.c end,\n"
    "function(r) return (r.i > 3) == r.b end, function(r) return 9007199254740993 + r.i end,\n"
    "function(r) local t = r.b if not t then return 1.5 end return -0.25 end,\n"
    "}\n";

typedef struct check {
  tm_arena *arena;
  const tm_schema *schema;
  tm_batch batch;
  bool failed, no_memory;
} check;

static bool result_equals(lua_State *L, const tm_column *column) {
  if (tm_column_is_null(column, 0)) return lua_isnil(L, -1);
  size_t size;
  switch ((tm_kind)column->type.kind) {
    case TM_BOOL:
      return lua_isboolean(L, -1) && lua_toboolean(L, -1) == *(const uint8_t *)column->data;
    case TM_INT64:
      return lua_isinteger(L, -1) && lua_tointeger(L, -1) == *(const int64_t *)column->data;
    case TM_FLOAT64:
      return lua_type(L, -1) == LUA_TNUMBER && !lua_isinteger(L, -1) &&
             lua_tonumber(L, -1) == *(const double *)column->data;
    case TM_STRING: {
      const tm_str *text = column->data;
      const char *wanted = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
      return wanted != NULL && size == text->size && memcmp(wanted, tm_str_bytes(text), size) == 0;
    }
    default: return false;
  }
}

static void push_row(lua_State *L) {
  lua_createtable(L, 0, 6);
  lua_pushinteger(L, 7), lua_setfield(L, -2, "i");
  lua_pushinteger(L, -3), lua_setfield(L, -2, "j");
  lua_pushnumber(L, 2.5), lua_setfield(L, -2, "f");
  lua_pushliteral(L, "hello"), lua_setfield(L, -2, "s");
  lua_pushboolean(L, 1), lua_setfield(L, -2, "b");
}

/* The probe on top of the stack, which stays. */
static bool probe_holds(lua_State *L, check *c) {
  tm_function_want want = {
    .shape = TM_SHAPE_VALUE, .input_count = 1, .inputs = {c->schema}, .verb = "with",
  };
  tm_function function = {.shape = TM_SHAPE_VALUE};
  char why[TM_LIFT_WHY_MAX];
  tm_error err = {0};
  tm_expr_run run = {.batch = &c->batch, .arena = c->arena};
  tm_column column = {0};
  int lifted = tm_lift_any(L, -1, &want, c->arena, &function, why, &err);
  if (lifted == 1 && tm_expr_evaluate(&run, function.trees, 1, &column, &err) != 0) lifted = -1;
  c->no_memory = c->no_memory || lifted < 0;
  if (lifted != 1) return false;
  lua_pushvalue(L, -1);
  push_row(L);
  if (run.missed_count > 0 || lua_pcall(L, 1, 1, 0) != LUA_OK) {
    lua_settop(L, -2);
    return false;
  }
  bool same = result_equals(L, &column);
  lua_pop(L, 1);
  return same;
}

static int run_probes(lua_State *L) {
  check *c = lua_touserdata(L, 1);
  luaL_checkstack(L, 16, NULL);
  if (luaL_loadbufferx(L, probes, sizeof probes - 1, "=probes", "t") != LUA_OK) return lua_error(L);
  lua_call(L, 0, 1);
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    if (!probe_holds(L, c)) return 0;
    lua_pop(L, 1);
  }
  c->failed = count == 0;
  return 0;
}

enum { UNCHECKED, TRUSTED, REFUSED };

/* UNCHECKED: memory ran out. */
static int check_state(lua_State *L, tm_arena *arena) {
  int64_t i = 7, j = -3, n = 0;
  double f = 2.5;
  uint8_t b = 1, null = 0;
  tm_str s = tm_str_make("hello", 5);
  tm_column columns[] = {
    {.type = tm_type_of(TM_INT64), .data = &i}, {.type = tm_type_of(TM_INT64), .data = &j},
    {.type = tm_type_of(TM_FLOAT64), .data = &f}, {.type = tm_type_of(TM_STRING), .data = &s},
    {.type = tm_type_of(TM_BOOL), .data = &b},
    {.type = tm_type_of(TM_INT64), .data = &n, .valid = &null},
  };
  tm_error err = {0};
  check c = {.arena = arena};
  c.schema = tm_schema_parse(arena, "i int64 not null, j int64 not null, f float64 not null,"
                                    "s string not null, b bool not null, n int64", &err);
  c.batch = (tm_batch){.schema = c.schema, .rows = 1, .selected = 1, .columns = columns};
  c.failed = true;
  if (c.schema == NULL) return UNCHECKED;
  lua_pushcfunction(L, run_probes);
  lua_pushlightuserdata(L, &c);
  int status = lua_pcall(L, 1, 0, 0);
  if (status != LUA_OK) lua_pop(L, 1);
  if (status == LUA_ERRMEM || c.no_memory) return UNCHECKED;
  return status == LUA_OK && !c.failed ? TRUSTED : REFUSED;
}

/* Two threads that ask at once both check, and find the same. */
static _Atomic int verdict = UNCHECKED;

int tm_lift_is_trusted(lua_State *L, tm_budget *budget) {
  if (atomic_load(&verdict) == UNCHECKED) {
    tm_arena arena;
    tm_arena_init(&arena, budget);
    int found = check_state(L, &arena);
    tm_arena_deinit(&arena);
    atomic_store(&verdict, found);
    if (found == REFUSED) {
      tm_log(TM_LOG_WARNING, "the Lua library's bytecode is not what tidemill knows: row functions "
                             "are not compiled");
    }
  }
  int found = atomic_load(&verdict);
  return found == UNCHECKED ? -1 : found == TRUSTED;
}
