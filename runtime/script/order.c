/* script/order.c: `next` and `pairs` in the order of keys.
 *
 * Lua's own order follows hashes and addresses, which differ from state to state. Ours: numbers by
 * value, strings by bytes, dates, false, true. Keys of other kinds have no order that two runs
 * could agree on and are refused, unless they are the table's only key.
 *
 * A traversal sorts the keys once into a list that lives in the registry: the list of the table
 * that was walked last. `next` finds its place there by position; fields may be cleared or
 * assigned meanwhile, as in Lua; a key that is no longer at its position is searched. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "script/host.h"
#include "script/lift_names.h"
#include "script/sandbox.h"

/* Registry: the table whose keys are in the list, and the list. */
static const char walked_key, list_key, place_key;

enum { RANK_NUMBER, RANK_TEXT, RANK_DATE, RANK_FALSE, RANK_TRUE, RANK_NONE };

typedef struct sort_key {
  int rank;
  bool integer;
  size_t size;
  union { lua_Integer i; lua_Number n; const char *text; };
} sort_key;

static sort_key key_at(lua_State *L, int index) {
  sort_key key = {.rank = RANK_NONE};
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
      key.rank = RANK_NUMBER;
      key.integer = lua_isinteger(L, index) != 0;
      if (key.integer) key.i = lua_tointeger(L, index);
      else key.n = lua_tonumber(L, index);
      break;
    case LUA_TSTRING:
      key.rank = RANK_TEXT;
      key.text = lua_tolstring(L, index, &key.size);
      break;
    case LUA_TBOOLEAN: key.rank = lua_toboolean(L, index) ? RANK_TRUE : RANK_FALSE; break;
    case LUA_TUSERDATA: {
      const tm_lua_date *date = luaL_testudata(L, index, TM_LUA_DATE);
      if (date == NULL) break;
      key.rank = RANK_DATE;
      key.i = date->days;
      break;
    }
    default: break;
  }
  return key;
}

static int compare_numbers(const sort_key *a, const sort_key *b) {
  if (a->integer && b->integer) return (a->i > b->i) - (a->i < b->i);
  if (!a->integer && !b->integer) return (a->n > b->n) - (a->n < b->n);
  /* A float key is never integral (Lua makes those integers), so rounding cannot tie. */
  const sort_key *whole = a->integer ? a : b;
  lua_Number n = a->integer ? b->n : a->n;
  int order;
  if (n >= 9223372036854775808.0) order = -1;
  else if (n < -9223372036854775808.0) order = 1;
  else order = whole->i <= (lua_Integer)__builtin_floor(n) ? -1 : 1;
  return a->integer ? order : -order;
}

static int compare(const void *left, const void *right) {
  const sort_key *a = left, *b = right;
  if (a->rank != b->rank) return a->rank - b->rank;
  if (a->rank == RANK_NUMBER) return compare_numbers(a, b);
  if (a->rank == RANK_DATE) return (a->i > b->i) - (a->i < b->i);
  if (a->rank != RANK_TEXT) return 0;
  int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
  if (order != 0) return order;
  return (a->size > b->size) - (a->size < b->size);
}

static void push_key(lua_State *L, const sort_key *key) {
  switch (key->rank) {
    case RANK_NUMBER:
      if (key->integer) lua_pushinteger(L, key->i);
      else lua_pushnumber(L, key->n);
      break;
    case RANK_TEXT: lua_pushlstring(L, key->text, key->size); break;
    default: lua_pushboolean(L, key->rank == RANK_TRUE); break;
  }
}

/* Dates are userdata: the sorted list must hold the very values. */
static void push_date(lua_State *L, int table, const sort_key *key) {
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    lua_pop(L, 1);
    const tm_lua_date *date = luaL_testudata(L, -1, TM_LUA_DATE);
    if (date != NULL && date->days == key->i) return;
  }
  lua_pushnil(L);
}

/* Pushes the list of the keys of the table at `table`, sorted. */
static void push_sorted(lua_State *L, int table) {
  lua_Integer count = 0;
  lua_pushnil(L);
  for (; lua_next(L, table) != 0; lua_pop(L, 1)) count++;
  lua_createtable(L, count < 64 ? (int)count : 64, 0);
  if (count == 0) return;
  if (count == 1) {
    lua_pushnil(L);
    lua_next(L, table);
    lua_pop(L, 1);
    lua_rawseti(L, -2, 1);
    return;
  }
  sort_key *keys = lua_newuserdatauv(L, (size_t)count * sizeof *keys, 0);
  lua_Integer at = 0;
  lua_pushnil(L);
  for (; lua_next(L, table) != 0; lua_pop(L, 1)) {
    keys[at] = key_at(L, -2);
    if (keys[at].rank == RANK_NONE) {
      luaL_error(L, "keys of type %s have no order to go through them in", luaL_typename(L, -2));
    }
    at++;
  }
  qsort(keys, (size_t)count, sizeof *keys, compare);
  for (lua_Integer i = 0; i < count; i++) {
    if (keys[i].rank == RANK_DATE) push_date(L, table, &keys[i]);
    else push_key(L, &keys[i]);
    lua_rawseti(L, -3, i + 1);
  }
  lua_pop(L, 1);
}

/* Pushes the first key from position `at` of the list that still has a value, and the value. */
static int push_from(lua_State *L, int table, int list, lua_Integer at) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (; at <= count; at++) {
    lua_rawgeti(L, list, at);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, table) != LUA_TNIL) {
      lua_pushinteger(L, at);
      lua_rawsetp(L, LUA_REGISTRYINDEX, &place_key);
      return 2;
    }
    lua_pop(L, 2);
  }
  lua_pushnil(L);
  return 1;
}

/* The position of the key at index 2 in the list, 0 where it is not there. */
static lua_Integer position(lua_State *L, int list) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &place_key);
  lua_Integer at = lua_tointeger(L, -1);
  lua_rawgeti(L, list, at);
  bool same = lua_rawequal(L, -1, 2) != 0;
  lua_pop(L, 2);
  if (same) return at;
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  for (at = 1; at <= count; at++) {
    lua_rawgeti(L, list, at);
    same = lua_rawequal(L, -1, 2) != 0;
    lua_pop(L, 1);
    if (same) return at;
  }
  return 0;
}

static int sorted_next(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    push_sorted(L, 1);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &walked_key);
    lua_pushvalue(L, 3);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &list_key);
    return push_from(L, 1, 3, 1);
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &walked_key);
  bool same = lua_rawequal(L, 1, 3) != 0;
  lua_settop(L, 2);
  if (same) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &list_key);
  } else {
    push_sorted(L, 1);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &walked_key);
    lua_pushvalue(L, 3);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &list_key);
  }
  lua_Integer at = position(L, 3);
  if (at == 0) return luaL_error(L, "invalid key to 'next'");
  return push_from(L, 1, 3, at + 1);
}

/* Upvalues: the list, the position. */
static int sorted_step(lua_State *L) {
  lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
  lua_Integer count = (lua_Integer)lua_rawlen(L, lua_upvalueindex(1));
  for (at++; at <= count; at++) {
    lua_rawgeti(L, lua_upvalueindex(1), at);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, 1) != LUA_TNIL) {
      lua_pushinteger(L, at);
      lua_copy(L, -1, lua_upvalueindex(2));
      lua_pop(L, 1);
      return 2;
    }
    lua_pop(L, 2);
  }
  lua_pushnil(L);
  return 1;
}

static int sorted_pairs(lua_State *L) {
  luaL_checkany(L, 1);
  if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 3);
    return 3;
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  push_sorted(L, 1);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, sorted_step, 2);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

void tm_order_open(lua_State *L) {
  lua_pushcfunction(L, sorted_next);
  lua_setglobal(L, "next");
  lua_pushcfunction(L, sorted_pairs);
  lua_setglobal(L, "pairs");
}
