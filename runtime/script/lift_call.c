/* script/lift_call.c: calls of functions that lift knows, by identity with the host's own.
 *
 * A call whose arguments are all plain constants is made once, at plan time, by the VM itself. Of
 * the others each handler below says what tree the call is, or gives up where the arguments are of
 * kinds for which the function raises, or answers with a kind that varies. */
#include <string.h>

#include "base/zone.h"
#include "kernel/decimal.h"
#include "kernel/like.h"
#include "script/lift_parts.h"

typedef struct call {
  tm_lift_ctx *ctx;
  tm_lift_state *state;
  const char *id;
  const tm_sym *args;
  int count;
  tm_sym *results;   /* room for TM_LIFT_RETURNS_MAX; result_count is 1 unless set */
  int result_count;
} call;

typedef struct handler {
  const char *id;
  tm_sym (*lift)(call *c, int64_t extra);
  int64_t extra;
} handler;

static tm_sym refuse(call *c) {
  return tm_lift_give_up(c->ctx, "calls %s with arguments that it does not compile", c->id);
}
static tm_sym refuse_typed(call *c, tm_kind kind) {
  return tm_lift_give_up_typed(c->ctx, tm_type_of(kind),
                               "calls %s with arguments that it does not compile", c->id);
}

/* ---------------------------------------------------------------- arguments */

static bool is_expr(const call *c, int nth) {
  return nth < c->count && c->args[nth].kind == TM_SYM_EXPR && !tm_sym_is_nil(c->args[nth]);
}
static bool is_absent(const call *c, int nth) {
  return nth >= c->count || tm_sym_is_nil(c->args[nth]);
}
static bool is_kind(const call *c, int nth, tm_kind kind) {
  return is_expr(c, nth) && c->args[nth].x->type.kind == kind;
}
static bool is_integer(const call *c, int nth) {
  return is_expr(c, nth) && tm_type_is_lua_integer(c->args[nth].x->type);
}
static bool is_text(const call *c, int nth) {
  return is_expr(c, nth) && tm_type_is_text(c->args[nth].x->type);
}
static const tm_expr *arg(call *c, int nth) {
  return tm_lift_require(c->ctx, c->state, c->args[nth].x);
}
static const tm_expr *int_arg(call *c, int nth) { return tm_lift_int64(c->ctx, arg(c, nth)); }
static bool is_constant_text(const call *c, int nth, const tm_str **out) {
  if (!is_text(c, nth) || !tm_expr_is_constant(c->args[nth].x)) return false;
  *out = &c->args[nth].x->value.text;
  return true;
}
static tm_sym unary(call *c, tm_expr_op op, tm_type type, const tm_expr *a) {
  return tm_sym_of(tm_expr_unary(&c->ctx->pool, op, type, a));
}
static tm_sym int_node(call *c, int64_t value) {
  return tm_sym_of(tm_expr_int(&c->ctx->pool, value));
}

/* Strings stay as good as they were where only whole characters change. */
static tm_type same_text(const tm_expr *x) { return x->type; }
static tm_type cut_text(const tm_expr *x) {
  return x->type.kind == TM_BYTES ? tm_type_of(TM_BYTES) : tm_lift_raw_text();
}

/* ---------------------------------------------------------------- string */

static tm_sym string_case(call *c, int64_t op) {
  if (!is_text(c, 0)) return refuse_typed(c, TM_STRING);
  return unary(c, (tm_expr_op)op, same_text(c->args[0].x), arg(c, 0));
}

static tm_sym string_length(call *c, int64_t extra) {
  (void)extra;
  return is_text(c, 0) ? unary(c, TM_X_LENGTH, tm_type_of(TM_INT64), arg(c, 0))
                       : refuse_typed(c, TM_INT64);
}

static tm_sym string_sub(call *c, int64_t extra) {
  (void)extra;
  bool to_end = is_absent(c, 2);
  if (!is_text(c, 0) || !is_integer(c, 1) || !(to_end || is_integer(c, 2))) {
    return refuse_typed(c, TM_STRING);
  }
  const tm_expr *parts[] = {arg(c, 0), int_arg(c, 1),
                            to_end ? tm_expr_int(&c->ctx->pool, -1) : int_arg(c, 2)};
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_SUBSTRING, cut_text(parts[0]), parts, 3, NULL,
                                0));
}

static tm_sym string_byte(call *c, int64_t extra) {
  (void)extra;
  if (!is_text(c, 0) || !(is_absent(c, 1) || is_integer(c, 1)) || c->count > 2) return refuse(c);
  const tm_expr *at = is_absent(c, 1) ? tm_expr_int(&c->ctx->pool, 1) : int_arg(c, 1);
  return tm_sym_of(tm_expr_binary(&c->ctx->pool, TM_X_BYTE, tm_type_of(TM_INT64), arg(c, 0), at));
}

static bool is_plain(const tm_str *pattern) {
  const char *bytes = tm_str_bytes(pattern);
  for (uint32_t i = 0; i < pattern->size; i++) {
    if (bytes[i] != '\0' && strchr("^$*+?.([%-", bytes[i]) != NULL) return false;
  }
  return true;
}

/* Start and end, or nil, of a needle without magic, or with `plain` said. */
static tm_sym string_find(call *c, int64_t extra) {
  (void)extra;
  tm_expr_pool *pool = &c->ctx->pool;
  tm_type type = tm_type_of(TM_INT64);
  const tm_str *needle = NULL;
  int64_t init = 1;
  bool known_init = is_absent(c, 2);
  if (is_integer(c, 2) && tm_expr_is_constant(c->args[2].x)) {
    init = c->args[2].x->value.i64;
    known_init = true;
  }
  bool said_plain = c->count > 3 && c->args[3].kind == TM_SYM_EXPR &&
                    tm_expr_is_bool(c->args[3].x, true);
  bool plain = said_plain || (is_absent(c, 3) && is_constant_text(c, 1, &needle) &&
                              is_plain(needle));
  if (!is_text(c, 0) || !is_text(c, 1) || !known_init || !plain) return refuse_typed(c, TM_INT64);
  const tm_expr *parts[] = {arg(c, 0), arg(c, 1)};
  const tm_expr *start = tm_expr_make(pool, TM_X_FIND, type, parts, 2, NULL, init);
  const tm_expr *length = tm_expr_unary(pool, TM_X_LENGTH, type, parts[1]);
  const tm_expr *there = tm_expr_unary(pool, TM_X_PRESENT, type, start);
  const tm_expr *behind = tm_expr_binary(pool, TM_X_ADD, type, there, length);
  const tm_expr *end = tm_expr_binary(pool, TM_X_SUB, type, behind, tm_expr_int(pool, 1));
  c->results[1] = tm_sym_of(tm_expr_if(pool, type, tm_expr_is_null(pool, start),
                                       tm_expr_null(pool, type), end));
  c->result_count = 2;
  return tm_sym_of(start);
}

/* The text of any value, as tostring has it; NULL: lift has it not. */
static const tm_expr *text_of(call *c, tm_sym value, int64_t style) {
  if (value.kind != TM_SYM_EXPR || value.x->type.kind == TM_NULLTYPE) return NULL;
  const tm_expr *x = tm_lift_require(c->ctx, c->state, value.x);
  if (tm_type_is_text(x->type)) return x;
  if (tm_type_is_lua_integer(x->type)) x = tm_lift_int64(c->ctx, x);
  tm_type type = tm_type_of(TM_STRING);
  return tm_expr_make(&c->ctx->pool, TM_X_TEXT, type, &x, 1, NULL, style);
}

static tm_sym to_string(call *c, int64_t style) {
  const tm_expr *text = c->count == 0 ? NULL : text_of(c, c->args[0], style);
  return text == NULL ? refuse_typed(c, TM_STRING) : tm_sym_of(text);
}

enum { FORMAT_PARTS_MAX = 64 };

/* %s of values, %d of integers and %% only, without width or precision. */
static tm_sym string_format(call *c, int64_t extra) {
  (void)extra;
  const tm_str *format;
  if (!is_constant_text(c, 0, &format)) return refuse_typed(c, TM_STRING);
  const char *text = tm_str_bytes(format);
  tm_sym parts[FORMAT_PARTS_MAX];
  int count = 0, next = 1;
  uint32_t from = 0;
  for (uint32_t i = 0; i <= format->size && count + 2 < FORMAT_PARTS_MAX; i++) {
    bool escape = i < format->size && text[i] == '%';
    if (i < format->size && !escape) continue;
    if (i > from) parts[count++] = tm_sym_of(tm_expr_string(&c->ctx->pool, text + from, i - from));
    if (!escape) break;
    char letter = i + 1 < format->size ? text[i + 1] : '\0';
    from = letter == '%' ? i + 1 : i + 2;
    i++;
    if (letter == '%') continue;
    const tm_expr *part = NULL;
    if (letter == 's' && next < c->count) part = text_of(c, c->args[next], 0);
    if (letter == 'd' && is_integer(c, next)) part = text_of(c, c->args[next], 0);
    if (part == NULL) return refuse_typed(c, TM_STRING);
    parts[count++] = tm_sym_of(part);
    next++;
  }
  if (count == 0 || count + 2 >= FORMAT_PARTS_MAX) return refuse_typed(c, TM_STRING);
  return tm_lift_concat(c->ctx, c->state, parts, count);
}

/* Known, but for its type alone. */
static tm_sym known_type(call *c, int64_t kind) { return refuse_typed(c, (tm_kind)kind); }

/* ---------------------------------------------------------------- math */

static const tm_expr *float_arg(call *c, int nth) {
  const tm_expr *x = arg(c, nth);
  if (x->type.kind == TM_FLOAT64) return x;
  return tm_expr_unary(&c->ctx->pool, TM_X_TO_FLOAT, tm_type_of(TM_FLOAT64), int_arg(c, nth));
}

static tm_sym math_round(call *c, int64_t op) {
  if (is_integer(c, 0)) return tm_sym_of(int_arg(c, 0));
  if (!is_kind(c, 0, TM_FLOAT64)) return refuse(c);
  return unary(c, (tm_expr_op)op, tm_type_of(TM_INT64), arg(c, 0));
}

static tm_sym math_abs(call *c, int64_t extra) {
  (void)extra;
  if (is_integer(c, 0)) return unary(c, TM_X_ABS, tm_type_of(TM_INT64), int_arg(c, 0));
  if (!is_kind(c, 0, TM_FLOAT64)) return refuse(c);
  return unary(c, TM_X_ABS, tm_type_of(TM_FLOAT64), arg(c, 0));
}

static tm_sym math_float(call *c, int64_t op) {
  if (!is_integer(c, 0) && !is_kind(c, 0, TM_FLOAT64)) return refuse_typed(c, TM_FLOAT64);
  return unary(c, (tm_expr_op)op, tm_type_of(TM_FLOAT64), float_arg(c, 0));
}

/* All integers or all floats: else the kind of the answer varies. */
static tm_sym math_extreme(call *c, int64_t op) {
  bool integers = c->count > 0, floats = c->count > 0;
  for (int i = 0; i < c->count; i++) {
    integers = integers && is_integer(c, i);
    floats = floats && is_kind(c, i, TM_FLOAT64);
  }
  if (!integers && !floats) return refuse(c);
  tm_type type = tm_type_of(integers ? TM_INT64 : TM_FLOAT64);
  const tm_expr *best = integers ? int_arg(c, 0) : arg(c, 0);
  for (int i = 1; i < c->count; i++) {
    best = tm_expr_binary(&c->ctx->pool, (tm_expr_op)op, type, best,
                          integers ? int_arg(c, i) : arg(c, i));
  }
  return tm_sym_of(best);
}

static tm_sym math_tointeger(call *c, int64_t extra) {
  (void)extra;
  return is_integer(c, 0) ? tm_sym_of(int_arg(c, 0)) : refuse_typed(c, TM_INT64);
}

static tm_sym to_number(call *c, int64_t extra) {
  (void)extra;
  if (c->count != 1) return refuse(c);
  if (is_integer(c, 0)) return tm_sym_of(int_arg(c, 0));
  return is_kind(c, 0, TM_FLOAT64) ? tm_sym_of(arg(c, 0)) : refuse(c);
}

static tm_sym type_name(call *c, int64_t extra) {
  (void)extra;
  if (!is_expr(c, 0)) return refuse_typed(c, TM_STRING);
  tm_type type = c->args[0].x->type;
  const char *name = tm_type_is_text(type) ? "string" : type.kind == TM_BOOL ? "boolean"
                     : type.kind == TM_DECIMAL || type.kind == TM_DATE ? "userdata" : "number";
  tm_expr_pool *pool = &c->ctx->pool;
  const tm_expr *text = tm_expr_string(pool, name, strlen(name));
  const tm_expr *seen = tm_lift_seen(c->ctx, c->state, c->args[0].x);
  return tm_sym_of(tm_expr_if(pool, tm_type_of(TM_STRING), tm_expr_is_null(pool, seen),
                              tm_expr_string(pool, "nil", 3), text));
}

/* ---------------------------------------------------------------- tm: numbers and text */

static tm_sym like(call *c, int64_t extra) {
  (void)extra;
  const tm_str *pattern;
  if (!is_text(c, 0) || !is_constant_text(c, 1, &pattern)) return refuse_typed(c, TM_BOOL);
  const tm_like *compiled =
      tm_like_compile(tm_str_bytes(pattern), pattern->size, c->ctx->arena);
  if (compiled == NULL) tm_lift_fail(c->ctx, TM_E_MEMORY, "out of memory");
  const tm_expr *parts[] = {arg(c, 0), c->args[1].x};
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_LIKE, tm_type_of(TM_BOOL), parts, 2, compiled,
                                0));
}

static tm_sym to_int(call *c, int64_t extra) {
  (void)extra;
  if (is_integer(c, 0)) return tm_sym_of(int_arg(c, 0));
  if (!is_kind(c, 0, TM_FLOAT64) && !is_kind(c, 0, TM_DECIMAL)) return refuse_typed(c, TM_INT64);
  return unary(c, TM_X_TRUNCATE, tm_type_of(TM_INT64), arg(c, 0));
}

static tm_sym to_float(call *c, int64_t extra) {
  (void)extra;
  if (is_integer(c, 0) || is_kind(c, 0, TM_FLOAT64)) return tm_sym_of(float_arg(c, 0));
  if (!is_kind(c, 0, TM_DECIMAL)) return refuse_typed(c, TM_FLOAT64);
  return unary(c, TM_X_DECIMAL_FLOAT, tm_type_of(TM_FLOAT64), arg(c, 0));
}

static tm_sym to_dec(call *c, int64_t extra) {
  (void)extra;
  if (is_kind(c, 0, TM_DECIMAL)) return tm_sym_of(arg(c, 0));
  return is_integer(c, 0) ? tm_sym_of(tm_lift_decimal(c->ctx, arg(c, 0))) : refuse(c);
}

static bool rounding_of(const call *c, int64_t *out_digits, tm_rounding *out_mode) {
  static const char *const modes[] = {"half_up", "half_even", "up", "down", "floor", "ceil"};
  const tm_str *name;
  *out_digits = 0;
  *out_mode = TM_ROUND_HALF_UP;
  if (!is_absent(c, 1)) {
    if (!is_kind(c, 1, TM_INT64) || !tm_expr_is_constant(c->args[1].x)) return false;
    *out_digits = c->args[1].x->value.i64;
  }
  if (*out_digits < -38 || *out_digits > 38) return false;
  if (is_absent(c, 2)) return true;
  if (!is_constant_text(c, 2, &name)) return false;
  for (int i = 0; i < 6; i++) {
    tm_str mode = tm_str_make(modes[i], strlen(modes[i]));
    *out_mode = (tm_rounding)i;
    if (tm_str_equal(&mode, name)) return true;
  }
  return false;
}

/* Decimals get the scale `digits`, integers and floats stay what they are. */
static tm_sym round_number(call *c, int64_t extra) {
  (void)extra;
  int64_t digits;
  tm_rounding mode;
  if (!rounding_of(c, &digits, &mode)) return refuse(c);
  int64_t how = (digits + 64) << 8 | mode;
  tm_type type = tm_type_of(TM_FLOAT64);
  const tm_expr *x;
  if (is_integer(c, 0)) {
    x = int_arg(c, 0);
    if (digits >= 0) return tm_sym_of(x);
    type = tm_type_of(TM_INT64);
  } else if (is_kind(c, 0, TM_FLOAT64)) {
    if (digits < 0) return refuse_typed(c, TM_FLOAT64);
    x = arg(c, 0);
  } else if (is_kind(c, 0, TM_DECIMAL)) {
    x = arg(c, 0);
    int scale = digits < 0 ? 0 : (int)digits, whole = x->type.precision - x->type.scale + 1;
    int precision = whole + scale;
    type = tm_type_decimal(precision > TM_DECIMAL_MAX ? TM_DECIMAL_MAX : precision, scale);
  } else {
    return refuse(c);
  }
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_ROUND, type, &x, 1, NULL, how));
}

/* ---------------------------------------------------------------- tm: times */

/* A zone that is absent (UTC: NULL) or constant and known. */
static bool zone_of(call *c, int nth, const tm_zone **out) {
  const tm_str *name;
  *out = NULL;
  if (is_absent(c, nth)) return true;
  if (!is_constant_text(c, nth, &name)) return false;
  char *text = tm_lift_alloc(c->ctx, name->size + 1);
  memcpy(text, tm_str_bytes(name), name->size);
  tm_error err = {0};
  *out = tm_zone_find(text, &err);
  return *out != NULL;
}

/* The date of a date or instant; NULL: it is neither. */
static const tm_expr *date_arg(call *c) {
  const tm_zone *zone;
  if (is_kind(c, 0, TM_DATE)) return arg(c, 0);
  if (!is_integer(c, 0) || !zone_of(c, 1, &zone)) return NULL;
  const tm_expr *us = int_arg(c, 0);
  return tm_expr_make(&c->ctx->pool, TM_X_DAY_OF, tm_type_of(TM_DATE), &us, 1, zone, 0);
}

static tm_sym date_part(call *c, int64_t op) {
  const tm_expr *date = date_arg(c);
  return date == NULL ? refuse_typed(c, TM_INT64)
                      : unary(c, (tm_expr_op)op, tm_type_of(TM_INT64), date);
}

static tm_sym day_of(call *c, int64_t extra) {
  (void)extra;
  const tm_expr *date = date_arg(c);
  return date == NULL ? refuse_typed(c, TM_DATE) : tm_sym_of(date);
}

/* Of a date alone the clock stands at midnight. */
static tm_sym time_part(call *c, int64_t op) {
  const tm_zone *zone;
  if (is_kind(c, 0, TM_DATE)) {
    const tm_expr *date = arg(c, 0);
    return tm_sym_of(tm_expr_guard(&c->ctx->pool, date, int_node(c, 0).x));
  }
  if (!is_integer(c, 0) || !zone_of(c, 1, &zone)) return refuse_typed(c, TM_INT64);
  const tm_expr *us = int_arg(c, 0);
  return tm_sym_of(tm_expr_make(&c->ctx->pool, (tm_expr_op)op, tm_type_of(TM_INT64), &us, 1, zone,
                                0));
}

/* Durations whose count varies by row: only days and months, which dates take. */
static tm_sym duration(call *c, int64_t unit_us) {
  if (!is_integer(c, 0)) return refuse(c);
  return (tm_sym){.kind = TM_SYM_DURATION, .unit_us = unit_us, .x = int_arg(c, 0)};
}

static tm_sym now(call *c, int64_t extra) {
  (void)extra;
  c->ctx->not_pure = true;
  return tm_lift_give_up_typed(c->ctx, tm_type_of(TM_TIMESTAMP), "calls tm.now");
}

static const handler handlers[] = {
  {"string.lower", string_case, TM_X_LOWER}, {"string.upper", string_case, TM_X_UPPER},
  {"string.len", string_length, 0}, {"string.sub", string_sub, 0},
  {"string.byte", string_byte, 0}, {"string.find", string_find, 0},
  {"string.format", string_format, 0}, {"string.rep", known_type, TM_STRING},
  {"string.reverse", known_type, TM_STRING}, {"string.gsub", known_type, TM_STRING},
  {"math.floor", math_round, TM_X_FLOOR}, {"math.ceil", math_round, TM_X_CEIL},
  {"math.abs", math_abs, 0}, {"math.min", math_extreme, TM_X_MIN},
  {"math.max", math_extreme, TM_X_MAX}, {"math.tointeger", math_tointeger, 0},
  {"math.sqrt", math_float, TM_X_SQRT}, {"math.exp", known_type, TM_FLOAT64},
  {"math.log", known_type, TM_FLOAT64}, {"math.sin", known_type, TM_FLOAT64},
  {"math.cos", known_type, TM_FLOAT64}, {"math.tan", known_type, TM_FLOAT64},
  {"tonumber", to_number, 0}, {"tostring", to_string, 0}, {"type", type_name, 0},
  {"tm.like", like, 0}, {"tm.int", to_int, 0}, {"tm.float", to_float, 0}, {"tm.dec", to_dec, 0},
  {"tm.text", to_string, 1}, {"tm.round", round_number, 0},
  {"tm.year", date_part, TM_X_YEAR}, {"tm.month", date_part, TM_X_MONTH},
  {"tm.day_of_month", date_part, TM_X_DAY_OF_MONTH}, {"tm.weekday", date_part, TM_X_WEEKDAY},
  {"tm.day_of", day_of, 0}, {"tm.hour", time_part, TM_X_HOUR},
  {"tm.minute", time_part, TM_X_MINUTE}, {"tm.second", time_part, TM_X_SECOND},
  {"tm.format", known_type, TM_STRING}, {"tm.time", known_type, TM_TIMESTAMP},
  {"tm.day", known_type, TM_DATE}, {"tm.microseconds", duration, 1},
  {"tm.days", duration, INT64_C(86400000000)}, {"tm.months", duration, 0}, {"tm.now", now, 0},
};

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
static bool fold(call *c, tm_sym callee) {
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

int tm_lift_call_known(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym callee, const tm_sym *args,
                       int arg_count, tm_sym *results) {
  call c = {.ctx = ctx, .state = state, .args = args, .count = arg_count, .results = results};
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
  for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
    if (strcmp(handlers[i].id, c.id) != 0) continue;
    for (int k = 0; k < arg_count; k++) {
      if (args[k].kind != TM_SYM_UNKNOWN) continue;
      results[0] = tm_lift_give_up(ctx, "calls %s", c.id); /* (why has been said already) */
      return 1;
    }
    c.result_count = 1;
    results[0] = handlers[i].lift(&c, handlers[i].extra);
    return c.result_count;
  }
  results[0] = tm_lift_give_up(ctx, "calls %s", c.id);
  return 1;
}
