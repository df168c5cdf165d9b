/* script/lift_call.c: calls of functions that lift knows, by identity with the host's own.
 *
 * A call whose arguments are all plain constants is made once, at plan time, by the VM itself. Of
 * the others a handler says what tree the call is, or gives up where the arguments are of kinds for
 * which the function raises, or answers with a kind that varies. */
#include "script/lift_call.h"

#include <string.h>

tm_sym tm_call_refuse(tm_call *c) {
  return tm_lift_give_up(c->ctx, "calls %s with arguments that it does not compile", c->id);
}
tm_sym tm_call_refuse_typed(tm_call *c, tm_kind kind) {
  return tm_lift_give_up_typed(c->ctx, tm_type_of(kind),
                               "calls %s with arguments that it does not compile", c->id);
}

/* ---------------------------------------------------------------- arguments */

bool tm_call_is_expr(const tm_call *c, int nth) {
  return nth < c->count && c->args[nth].kind == TM_SYM_EXPR && !tm_sym_is_nil(c->args[nth]);
}
bool tm_call_is_absent(const tm_call *c, int nth) {
  return nth >= c->count || tm_sym_is_nil(c->args[nth]);
}
bool tm_call_is_kind(const tm_call *c, int nth, tm_kind kind) {
  return tm_call_is_expr(c, nth) && c->args[nth].x->type.kind == kind;
}
bool tm_call_is_integer(const tm_call *c, int nth) {
  return tm_call_is_expr(c, nth) && tm_type_is_lua_integer(c->args[nth].x->type);
}
bool tm_call_is_text(const tm_call *c, int nth) {
  return tm_call_is_expr(c, nth) && tm_type_is_text(c->args[nth].x->type);
}
const tm_expr *tm_call_arg(tm_call *c, int nth) {
  return tm_lift_require(c->ctx, c->state, c->args[nth].x);
}
const tm_expr *tm_call_int(tm_call *c, int nth) {
  return tm_lift_int64(c->ctx, tm_call_arg(c, nth));
}
bool tm_call_is_constant_text(const tm_call *c, int nth, const tm_str **out) {
  if (!tm_call_is_text(c, nth) || !tm_expr_is_constant(c->args[nth].x)) return false;
  *out = &c->args[nth].x->value.text;
  return true;
}
tm_sym tm_call_unary(tm_call *c, tm_expr_op op, tm_type type, const tm_expr *a) {
  return tm_sym_of(tm_expr_unary(&c->ctx->pool, op, type, a));
}
const tm_expr *tm_call_float(tm_call *c, int nth) {
  const tm_expr *x = tm_call_arg(c, nth);
  if (x->type.kind == TM_FLOAT64) return x;
  return tm_expr_unary(&c->ctx->pool, TM_X_TO_FLOAT, tm_type_of(TM_FLOAT64), tm_call_int(c, nth));
}

tm_sym tm_call_known_type(tm_call *c, int64_t kind) {
  return tm_call_refuse_typed(c, (tm_kind)kind);
}

/* (What is no such text is the VM's to refuse.) */
tm_sym tm_call_parse(tm_call *c, tm_type type, const tm_zone *zone) {
  const tm_expr *text = tm_call_arg(c, 0);
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_PARSE, type, &text, 1, zone, 0));
}


/* ---------------------------------------------------------------- folding */

static bool push_constant(tm_lift_ctx *ctx, tm_sym value) {
  lua_State *L = ctx->L;
  if (value.kind != TM_SYM_EXPR || !tm_expr_is_constant(value.x)) return false;
  if (value.x->nullable) {
    lua_pushnil(L);
    return true;
  }
  switch ((tm_kind)value.x->type.kind) {
    case TM_BOOL: lua_pushboolean(L, value.x->value.boolean); return true;
    case TM_INT64: case TM_TIMESTAMP: lua_pushinteger(L, value.x->value.i64); return true;
    case TM_FLOAT64: lua_pushnumber(L, value.x->value.f64); return true;
    case TM_STRING: case TM_BYTES:
      lua_pushlstring(L, tm_str_bytes(&value.x->value.text), value.x->value.text.size);
      return true;
    default: return false;
  }
}

/* Makes the call where all arguments are plain constants. false: some are not. */
static bool fold(tm_call *c, tm_sym callee) {
  lua_State *L = c->ctx->L;
  int top = lua_gettop(L);
  tm_lift_push(c->ctx, callee.index);
  for (int i = 0; i < c->count; i++) {
    if (!push_constant(c->ctx, c->args[i])) {
      lua_settop(L, top);
      return false;
    }
  }
  if (lua_pcall(L, c->count, TM_LIFT_RETURNS_MAX, 0) != LUA_OK) {
    lua_settop(L, top);
    c->results[0] = tm_lift_give_up(c->ctx, "calls %s, which raises here", c->id);
    return true;
  }
  c->result_count = 1;
  for (int i = TM_LIFT_RETURNS_MAX - 1; i >= 0; i--) {
    c->results[i] = tm_lift_value(c->ctx);
    if (!tm_sym_is_nil(c->results[i]) && c->result_count <= i) c->result_count = i + 1;
  }
  return true;
}

static const char *known_id(tm_lift_ctx *ctx, tm_sym callee) {
  lua_State *L = ctx->L;
  if (callee.kind != TM_SYM_LUA) return NULL;
  tm_lift_push(ctx, callee.index);
  lua_rawget(L, ctx->names);
  const char *id = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1); /* the table of names keeps the text */
  return id;
}

static const tm_call_handler *find_handler(const char *id) {
  const tm_call_handler *const lists[] = {
    tm_call_strings, tm_call_patterns, tm_call_numbers, tm_call_times,
  };
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    for (const tm_call_handler *h = lists[i]; h->id != NULL; h++) {
      if (strcmp(h->id, id) == 0) return h;
    }
  }
  return NULL;
}

int tm_lift_call_known(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym callee, const tm_sym *args,
                       int arg_count, tm_sym *results) {
  tm_call c = {.ctx = ctx, .state = state, .args = args, .count = arg_count, .results = results};
  c.id = known_id(ctx, callee);
  if (c.id == NULL) return 0;
  for (int i = 0; i < arg_count; i++) {
    if (args[i].kind == TM_SYM_ROW) {
      results[0] = tm_lift_give_up(ctx, "passes its row to %s", c.id);
      return 1;
    }
  }
  bool clock = strcmp(c.id, "tm.now") == 0;
  if (!clock && fold(&c, callee)) return c.result_count == 0 ? 1 : c.result_count;
  const tm_call_handler *handler = find_handler(c.id);
  bool unknown = handler == NULL;
  for (int i = 0; i < arg_count; i++) unknown = unknown || args[i].kind == TM_SYM_UNKNOWN;
  if (unknown) {
    results[0] = tm_lift_give_up(ctx, "calls %s", c.id);
    return 1;
  }
  c.result_count = 1;
  results[0] = handler->lift(&c, handler->extra);
  return c.result_count;
}
