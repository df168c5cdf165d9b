/* script/lift_values.c: Lua values as the plan freezes: constants, and captured tables.
 *
 * A captured table is read raw, and along __index where that is a table; nothing is called. A look
 * up with a key that varies by row becomes a probe into a copy of the table's entries. */
#include <string.h>

#include <lauxlib.h>

#include "expr/probe.h"
#include "kernel/utf8.h"
#include "script/lift_parts.h"

enum { INDEX_CHAIN_MAX = 8, PROBE_ENTRIES_MAX = 1 << 20 };

/* ---------------------------------------------------------------- constants */

static tm_sym string_value(tm_lift_ctx *ctx, const char *text, size_t size) {
  const tm_expr *x = tm_expr_string(&ctx->pool, text, size);
  if (!tm_utf8_valid(text, size)) x = tm_expr_constant(&ctx->pool, tm_lift_raw_text(), x->value);
  return tm_sym_of(x);
}

tm_sym tm_lift_constant(tm_lift_ctx *ctx, const tm_lua_constant *constant) {
  switch (constant->kind) {
    case TM_LUA_NIL: return tm_lift_nil(ctx);
    case TM_LUA_FALSE: return tm_sym_of(tm_expr_bool(&ctx->pool, false));
    case TM_LUA_TRUE: return tm_sym_of(tm_expr_bool(&ctx->pool, true));
    case TM_LUA_INTEGER: return tm_sym_of(tm_expr_int(&ctx->pool, constant->integer));
    case TM_LUA_FLOAT: return tm_sym_of(tm_expr_float(&ctx->pool, constant->number));
    case TM_LUA_STRING: break;
  }
  return string_value(ctx, constant->text, constant->size);
}

/* The number under which a value is held, the same one for the same value. Pops it. */
static int anchor(tm_lift_ctx *ctx) {
  lua_State *L = ctx->L;
  lua_pushvalue(L, -1);
  if (lua_rawget(L, ctx->anchors) == LUA_TNUMBER) {
    int index = (int)lua_tointeger(L, -1);
    lua_pop(L, 2);
    return index;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_pushinteger(L, ++ctx->anchor_count);
  lua_rawset(L, ctx->anchors);
  lua_rawseti(L, ctx->anchors, ctx->anchor_count);
  return ctx->anchor_count;
}

void tm_lift_push(tm_lift_ctx *ctx, int index) { lua_rawgeti(ctx->L, ctx->anchors, index); }

static tm_sym userdata_value(tm_lift_ctx *ctx) {
  lua_State *L = ctx->L;
  const tm_lua_decimal *decimal = luaL_testudata(L, -1, TM_LUA_DECIMAL);
  const tm_lua_date *date = luaL_testudata(L, -1, TM_LUA_DATE);
  const tm_lua_duration *duration = luaL_testudata(L, -1, TM_LUA_DURATION);
  tm_sym value = {.kind = TM_SYM_LUA};
  if (decimal != NULL) {
    value = tm_sym_of(tm_expr_decimal(&ctx->pool, decimal->value, decimal->scale));
  } else if (date != NULL) {
    tm_constant constant = {.i128 = 0};
    constant.i32 = date->days;
    value = tm_sym_of(tm_expr_constant(&ctx->pool, tm_type_of(TM_DATE), constant));
  } else if (duration != NULL) {
    value.kind = TM_SYM_DURATION;
    value.unit_us = duration->months != 0 ? 0 : 1;
    value.x = tm_expr_int(&ctx->pool, duration->months != 0 ? duration->months : duration->us);
  } else {
    value.index = anchor(ctx);
    return value;
  }
  lua_pop(L, 1);
  return value;
}

tm_sym tm_lift_value(tm_lift_ctx *ctx) {
  lua_State *L = ctx->L;
  tm_sym value = tm_lift_nil(ctx);
  size_t size;
  const char *text;
  switch (lua_type(L, -1)) {
    case LUA_TNIL: break;
    case LUA_TBOOLEAN: value = tm_sym_of(tm_expr_bool(&ctx->pool, lua_toboolean(L, -1))); break;
    case LUA_TNUMBER:
      value = tm_sym_of(lua_isinteger(L, -1) ? tm_expr_int(&ctx->pool, lua_tointeger(L, -1))
                                             : tm_expr_float(&ctx->pool, lua_tonumber(L, -1)));
      break;
    case LUA_TSTRING:
      text = lua_tolstring(L, -1, &size);
      value = string_value(ctx, text, size);
      break;
    case LUA_TUSERDATA: return userdata_value(ctx);
    default: return (tm_sym){.kind = TM_SYM_LUA, .index = anchor(ctx)};
  }
  lua_pop(L, 1);
  return value;
}

/* ---------------------------------------------------------------- constant keys */

/* Pushes a constant as a Lua value; false: lift cannot. */
static bool push_key(tm_lift_ctx *ctx, const tm_expr *key) {
  lua_State *L = ctx->L;
  switch ((tm_kind)key->type.kind) {
    case TM_BOOL: lua_pushboolean(L, key->value.boolean); return true;
    case TM_INT64: case TM_TIMESTAMP: lua_pushinteger(L, key->value.i64); return true;
    case TM_FLOAT64: lua_pushnumber(L, key->value.f64); return true;
    case TM_STRING: case TM_BYTES:
      lua_pushlstring(L, tm_str_bytes(&key->value.text), key->value.text.size);
      return true;
    default: return false;
  }
}

tm_sym tm_lift_captured_field(tm_lift_ctx *ctx, int table, const tm_expr *key) {
  lua_State *L = ctx->L;
  if (tm_expr_is_null_constant(key)) return tm_lift_nil(ctx);
  if (!push_key(ctx, key)) return tm_lift_give_up(ctx, "looks up a constant in a captured table");
  tm_lift_push(ctx, table); /* key, table */
  for (int i = 0; i < INDEX_CHAIN_MAX && lua_istable(L, -1); i++) {
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    bool found = !lua_isnil(L, -1);
    if (!found) lua_pop(L, 1);
    if (found || !lua_getmetatable(L, -1)) { /* (nil where there is no metatable) */
      if (!found) lua_pushnil(L);
      tm_sym value = tm_lift_value(ctx);
      lua_pop(L, 2);
      return value;
    }
    lua_pushliteral(L, "__index");
    lua_rawget(L, -2);
    lua_replace(L, -3); /* key, __index, metatable */
    lua_pop(L, 1);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 2);
      return tm_lift_nil(ctx);
    }
  }
  lua_pop(L, 2);
  return tm_lift_give_up(ctx, "indexes something that is no plain table");
}

/* ---------------------------------------------------------------- probes */

typedef struct entries {
  uint32_t count, capacity;
  tm_constant *keys;
  tm_sym *values; /* EXPR, or LUA tables */
} entries;

static void add_entry(tm_lift_ctx *ctx, entries *list, const tm_constant *key, tm_sym value) {
  if (list->count == list->capacity) {
    uint32_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
    tm_constant *keys = tm_lift_alloc(ctx, capacity * sizeof *keys);
    tm_sym *values = tm_lift_alloc(ctx, capacity * sizeof *values);
    if (list->count > 0) {
      memcpy(keys, list->keys, list->count * sizeof *keys);
      memcpy(values, list->values, list->count * sizeof *values);
    }
    list->keys = keys;
    list->values = values;
    list->capacity = capacity;
  }
  list->keys[list->count] = *key;
  list->values[list->count++] = value;
}

/* Whether the Lua key at the top of the stack can equal a row's key of the given kind. */
static bool key_of_kind(tm_lift_ctx *ctx, tm_type kind, tm_constant *out) {
  lua_State *L = ctx->L;
  memset(out, 0, sizeof *out);
  if (tm_type_is_text(kind)) {
    if (lua_type(L, -1) != LUA_TSTRING) return false;
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    out->text = tm_expr_string(&ctx->pool, text, size)->value.text;
    return true;
  }
  if (kind.kind == TM_DATE) {
    const tm_lua_date *date = luaL_testudata(L, -1, TM_LUA_DATE);
    if (date != NULL) out->i32 = date->days;
    return date != NULL;
  }
  out->i64 = lua_tointeger(L, -1);
  return lua_isinteger(L, -1);
}

/* Entries of a captured table whose keys are of the kind. false: it is no plain table. */
static bool read_entries(tm_lift_ctx *ctx, int table, tm_type key, entries *out) {
  lua_State *L = ctx->L;
  tm_lift_push(ctx, table);
  bool plain = lua_istable(L, -1);
  if (plain && lua_getmetatable(L, -1)) {
    lua_pushliteral(L, "__index");
    lua_rawget(L, -2);
    plain = lua_isnil(L, -1);
    lua_pop(L, 2);
  }
  for (lua_pushnil(L); plain && lua_next(L, -2) != 0;) {
    tm_constant constant;
    lua_insert(L, -2); /* value, key */
    bool wanted = key_of_kind(ctx, key, &constant);
    lua_insert(L, -2); /* key, value */
    if (!wanted) {
      lua_pop(L, 1);
      continue;
    }
    add_entry(ctx, out, &constant, tm_lift_value(ctx));
    if (out->count > PROBE_ENTRIES_MAX) plain = false;
  }
  lua_settop(L, ctx->anchors); /* the table, and a key where the loop was left early */
  return plain;
}

static bool values_are_tables(tm_lift_ctx *ctx, const entries *list) {
  for (uint32_t i = 0; i < list->count; i++) {
    if (list->values[i].kind != TM_SYM_LUA) return false;
    tm_lift_push(ctx, list->values[i].index);
    bool is_table = lua_istable(ctx->L, -1);
    lua_pop(ctx->L, 1);
    if (!is_table) return false;
  }
  return list->count > 0;
}

/* One type for all values; false: they are of several kinds in Lua. */
static bool value_type(const entries *list, tm_type *out) {
  for (uint32_t i = 0; i < list->count; i++) {
    if (list->values[i].kind != TM_SYM_EXPR) return false;
    tm_type type = list->values[i].x->type;
    if (i == 0) {
      *out = type;
    } else if (type.kind == TM_DECIMAL && out->kind == TM_DECIMAL && type.scale == out->scale) {
      if (type.precision > out->precision) *out = type;
    } else if (type.kind == TM_STRING && out->kind == TM_STRING) {
      out->precision |= type.precision;
    } else if (!tm_type_equal(type, *out)) {
      return false;
    }
  }
  return list->count > 0;
}

/* What was made of a captured table: of its values, of one field of theirs, or (field "") of its
 * keys alone. A look-up written twice is one probe, so that a test of it is known to be one. */
struct tm_lift_made {
  int table;
  tm_kind key;
  const char *field; /* NULL: the values themselves */
  const tm_probe *probe;
  struct tm_lift_made *next;
};

static const tm_probe *find_made(const tm_lift_ctx *ctx, int table, tm_kind key,
                                 const char *field) {
  for (const struct tm_lift_made *made = ctx->made; made != NULL; made = made->next) {
    if (made->table != table || made->key != key) continue;
    if (field == NULL ? made->field == NULL
                      : made->field != NULL && strcmp(made->field, field) == 0) {
      return made->probe;
    }
  }
  return NULL;
}

static tm_kind key_kind(const tm_expr *key) {
  return tm_type_is_text(key->type) ? TM_STRING : key->type.kind == TM_DATE ? TM_DATE : TM_INT64;
}

static const tm_expr *probe_node(tm_lift_ctx *ctx, const tm_probe *probe, const tm_expr *key) {
  return tm_expr_make(&ctx->pool, TM_X_PROBE, probe->value, &key, 1, probe, 0);
}

static const tm_expr *probe_of(tm_lift_ctx *ctx, int table, const char *field, const tm_expr *key,
                               tm_type value, uint32_t count, const tm_constant *keys,
                               const tm_constant *values) {
  value.not_null = 0;
  const char *name = table < TM_LIFT_NAMES_MAX ? ctx->anchor_names[table] : NULL;
  tm_probe *probe = tm_probe_create(ctx->arena, tm_type_of(key_kind(key)), value,
                                          name == NULL ? "table" : name, count, keys, values);
  if (probe == NULL) {
    ctx->pool.failed = true;
    return tm_expr_null(&ctx->pool, value);
  }
  if (field != NULL && *field != '\0') {
    probe->field = tm_arena_text(ctx->arena, field, strlen(field));
  }
  struct tm_lift_made *made = tm_lift_alloc(ctx, sizeof *made);
  *made = (struct tm_lift_made){table, key_kind(key), field, probe, ctx->made};
  ctx->made = made;
  return probe_node(ctx, probe, key);
}

/* A key that may be nil finds nothing then. */
static const tm_expr *with_null_key(tm_lift_ctx *ctx, const tm_expr *key, const tm_expr *found) {
  if (!key->nullable) return found;
  return tm_expr_if(&ctx->pool, found->type, tm_expr_is_null(&ctx->pool, key),
                    tm_expr_null(&ctx->pool, found->type), found);
}

static const tm_expr *probe_key(tm_lift_ctx *ctx, const tm_expr *key) {
  if (tm_type_is_lua_integer(key->type)) key = tm_lift_int64(ctx, key);
  return tm_expr_unary(&ctx->pool, TM_X_PRESENT, key->type, key);
}

static tm_sym probe_scalars(tm_lift_ctx *ctx, int table, const char *field, const tm_expr *key,
                            const entries *list) {
  tm_type type;
  if (!value_type(list, &type)) {
    return tm_lift_give_up(ctx, "looks up a table whose values are of several kinds");
  }
  tm_constant *values = tm_lift_alloc(ctx, list->count * sizeof *values);
  for (uint32_t i = 0; i < list->count; i++) {
    tm_type own = list->values[i].x->type;
    values[i] = list->values[i].x->value;
    if (tm_type_physical(own) == TM_PHYSICAL_I64 && tm_type_physical(type) == TM_PHYSICAL_I128) {
      values[i].i128 = list->values[i].x->value.i64;
    }
  }
  const tm_expr *found = probe_of(ctx, table, field, probe_key(ctx, key), type, list->count,
                                  list->keys, values);
  return tm_sym_of(with_null_key(ctx, key, found));
}

/* One probe for a table and a key, however often a function writes it. */
tm_sym tm_lift_probe(tm_lift_ctx *ctx, tm_lift_state *state, int table, const tm_expr *key) {
  key = tm_lift_seen(ctx, state, key);
  bool kind_is_known = tm_type_is_text(key->type) || tm_type_is_lua_integer(key->type) ||
                       key->type.kind == TM_DATE;
  if (!kind_is_known) {
    return tm_lift_give_up(ctx, "looks up a table by a key that is no string, integer or date");
  }
  const tm_probe *made = find_made(ctx, table, key_kind(key), NULL);
  if (made != NULL) {
    return tm_sym_of(with_null_key(ctx, key, probe_node(ctx, made, probe_key(ctx, key))));
  }
  entries list = {0};
  if (!read_entries(ctx, table, key->type, &list)) {
    return tm_lift_give_up(ctx, "looks up something that is no plain table");
  }
  if (list.count == 0) return tm_lift_nil(ctx);
  if (values_are_tables(ctx, &list)) {
    return (tm_sym){.kind = TM_SYM_ENTRY, .index = table, .x = key};
  }
  return probe_scalars(ctx, table, NULL, key, &list);
}

const tm_expr *tm_lift_entry_there(tm_lift_ctx *ctx, tm_sym entry) {
  const tm_expr *key = probe_key(ctx, entry.x);
  const tm_probe *made = find_made(ctx, entry.index, key_kind(key), "");
  if (made != NULL) return with_null_key(ctx, entry.x, probe_node(ctx, made, key));
  entries list = {0};
  (void)read_entries(ctx, entry.index, entry.x->type, &list);
  tm_constant *values = tm_lift_alloc(ctx, (list.count + 1) * sizeof *values);
  for (uint32_t i = 0; i < list.count; i++) values[i].boolean = 1;
  const tm_expr *found = probe_of(ctx, entry.index, "", key, tm_type_of(TM_BOOL), list.count,
                                  list.keys, values);
  return with_null_key(ctx, entry.x, found);
}

tm_sym tm_lift_entry_field(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym entry,
                           const char *name) {
  entries list = {0}, fields = {0};
  (void)tm_lift_require(ctx, state, tm_lift_entry_there(ctx, entry));
  const tm_probe *made = find_made(ctx, entry.index, key_kind(entry.x), name);
  if (made != NULL) {
    const tm_expr *found = probe_node(ctx, made, probe_key(ctx, entry.x));
    return tm_sym_of(with_null_key(ctx, entry.x, found));
  }
  (void)read_entries(ctx, entry.index, entry.x->type, &list);
  const tm_expr *key = tm_expr_string(&ctx->pool, name, strlen(name));
  for (uint32_t i = 0; i < list.count; i++) {
    tm_sym value = tm_lift_captured_field(ctx, list.values[i].index, key);
    if (!tm_sym_is_nil(value)) add_entry(ctx, &fields, &list.keys[i], value);
  }
  if (fields.count == 0) return tm_lift_nil(ctx);
  return probe_scalars(ctx, entry.index, name, entry.x, &fields);
}
