/* script/lift_call_number.c: calls of the math library, and of tm's functions on numbers. */
#include <string.h>

#include "kernel/decimal.h"
#include "script/lift_call.h"

static tm_sym math_round(tm_call *c, int64_t op) {
  if (tm_call_is_integer(c, 0)) return tm_sym_of(tm_call_int(c, 0));
  if (!tm_call_is_kind(c, 0, TM_FLOAT64)) return tm_call_refuse(c);
  return tm_call_unary(c, (tm_expr_op)op, tm_type_of(TM_INT64), tm_call_arg(c, 0));
}

static tm_sym math_abs(tm_call *c, int64_t extra) {
  (void)extra;
  if (tm_call_is_integer(c, 0)) {
    return tm_call_unary(c, TM_X_ABS, tm_type_of(TM_INT64), tm_call_int(c, 0));
  }
  if (!tm_call_is_kind(c, 0, TM_FLOAT64)) return tm_call_refuse(c);
  return tm_call_unary(c, TM_X_ABS, tm_type_of(TM_FLOAT64), tm_call_arg(c, 0));
}

static tm_sym math_float(tm_call *c, int64_t function) {
  bool number = tm_call_is_integer(c, 0) || tm_call_is_kind(c, 0, TM_FLOAT64);
  if (!number || c->count != 1) return tm_call_refuse_typed(c, TM_FLOAT64);
  const tm_expr *x = tm_call_float(c, 0);
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_MATH, tm_type_of(TM_FLOAT64), &x, 1, NULL,
                                function));
}

/* All integers or all floats: else the kind of the answer varies. */
static tm_sym math_extreme(tm_call *c, int64_t op) {
  bool integers = c->count > 0, floats = c->count > 0;
  for (int i = 0; i < c->count; i++) {
    integers = integers && tm_call_is_integer(c, i);
    floats = floats && tm_call_is_kind(c, i, TM_FLOAT64);
  }
  if (!integers && !floats) return tm_call_refuse(c);
  tm_type type = tm_type_of(integers ? TM_INT64 : TM_FLOAT64);
  const tm_expr *best = integers ? tm_call_int(c, 0) : tm_call_arg(c, 0);
  for (int i = 1; i < c->count; i++) {
    best = tm_expr_binary(&c->ctx->pool, (tm_expr_op)op, type, best,
                          integers ? tm_call_int(c, i) : tm_call_arg(c, i));
  }
  return tm_sym_of(best);
}

static tm_sym math_tointeger(tm_call *c, int64_t extra) {
  (void)extra;
  if (!tm_call_is_integer(c, 0)) return tm_call_refuse_typed(c, TM_INT64);
  return tm_sym_of(tm_call_int(c, 0));
}

static tm_sym to_number(tm_call *c, int64_t extra) {
  (void)extra;
  if (c->count != 1) return tm_call_refuse(c);
  if (tm_call_is_integer(c, 0)) return tm_sym_of(tm_call_int(c, 0));
  return tm_call_is_kind(c, 0, TM_FLOAT64) ? tm_sym_of(tm_call_arg(c, 0)) : tm_call_refuse(c);
}

static tm_sym to_int(tm_call *c, int64_t extra) {
  (void)extra;
  if (tm_call_is_integer(c, 0)) return tm_sym_of(tm_call_int(c, 0));
  if (tm_call_is_text(c, 0)) return tm_call_parse(c, tm_type_of(TM_INT64), NULL);
  if (!tm_call_is_kind(c, 0, TM_FLOAT64) && !tm_call_is_kind(c, 0, TM_DECIMAL)) {
    return tm_call_refuse_typed(c, TM_INT64);
  }
  return tm_call_unary(c, TM_X_TRUNCATE, tm_type_of(TM_INT64), tm_call_arg(c, 0));
}

static tm_sym to_float(tm_call *c, int64_t extra) {
  (void)extra;
  if (tm_call_is_integer(c, 0) || tm_call_is_kind(c, 0, TM_FLOAT64)) {
    return tm_sym_of(tm_call_float(c, 0));
  }
  if (tm_call_is_text(c, 0)) return tm_call_parse(c, tm_type_of(TM_FLOAT64), NULL);
  if (!tm_call_is_kind(c, 0, TM_DECIMAL)) return tm_call_refuse_typed(c, TM_FLOAT64);
  return tm_call_unary(c, TM_X_DECIMAL_FLOAT, tm_type_of(TM_FLOAT64), tm_call_arg(c, 0));
}

static tm_sym to_dec(tm_call *c, int64_t extra) {
  (void)extra;
  if (tm_call_is_kind(c, 0, TM_DECIMAL)) return tm_sym_of(tm_call_arg(c, 0));
  if (!tm_call_is_integer(c, 0)) return tm_call_refuse(c);
  return tm_sym_of(tm_lift_decimal(c->ctx, tm_call_arg(c, 0)));
}

static bool rounding_of(const tm_call *c, int64_t *out_digits, tm_rounding *out_mode) {
  static const char *const modes[] = {"half_up", "half_even", "up", "down", "floor", "ceil"};
  const tm_str *name;
  *out_digits = 0;
  *out_mode = TM_ROUND_HALF_UP;
  if (!tm_call_is_absent(c, 1)) {
    if (!tm_call_is_kind(c, 1, TM_INT64) || !tm_expr_is_constant(c->args[1].x)) return false;
    *out_digits = c->args[1].x->value.i64;
  }
  if (*out_digits < -38 || *out_digits > 38) return false;
  if (tm_call_is_absent(c, 2)) return true;
  if (!tm_call_is_constant_text(c, 2, &name)) return false;
  for (int i = 0; i < 6; i++) {
    tm_str mode = tm_str_make(modes[i], strlen(modes[i]));
    *out_mode = (tm_rounding)i;
    if (tm_str_equal(&mode, name)) return true;
  }
  return false;
}

/* Decimals get the scale `digits`, integers and floats stay what they are. */
static tm_sym round_number(tm_call *c, int64_t extra) {
  (void)extra;
  int64_t digits;
  tm_rounding mode;
  if (!rounding_of(c, &digits, &mode)) return tm_call_refuse(c);
  int64_t how = (digits + 64) << 8 | mode;
  tm_type type = tm_type_of(TM_FLOAT64);
  const tm_expr *x;
  if (tm_call_is_integer(c, 0)) {
    x = tm_call_int(c, 0);
    if (digits >= 0) return tm_sym_of(x);
    type = tm_type_of(TM_INT64);
  } else if (tm_call_is_kind(c, 0, TM_FLOAT64)) {
    if (digits < 0) return tm_call_refuse_typed(c, TM_FLOAT64);
    x = tm_call_arg(c, 0);
  } else if (tm_call_is_kind(c, 0, TM_DECIMAL)) {
    x = tm_call_arg(c, 0);
    int scale = digits < 0 ? 0 : (int)digits, whole = x->type.precision - x->type.scale + 1;
    int precision = whole + scale;
    type = tm_type_decimal(precision > TM_DECIMAL_MAX ? TM_DECIMAL_MAX : precision, scale);
  } else {
    return tm_call_refuse(c);
  }
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_ROUND, type, &x, 1, NULL, how));
}

const tm_call_handler tm_call_numbers[] = {
  {"math.floor", math_round, TM_X_FLOOR}, {"math.ceil", math_round, TM_X_CEIL},
  {"math.abs", math_abs, 0}, {"math.min", math_extreme, TM_X_MIN},
  {"math.max", math_extreme, TM_X_MAX}, {"math.tointeger", math_tointeger, 0},
  {"math.sqrt", math_float, TM_MATH_SQRT}, {"math.exp", math_float, TM_MATH_EXP},
  {"math.log", math_float, TM_MATH_LOG}, {"math.sin", math_float, TM_MATH_SIN},
  {"math.cos", math_float, TM_MATH_COS}, {"math.tan", math_float, TM_MATH_TAN},
  {"tonumber", to_number, 0}, {"tm.int", to_int, 0}, {"tm.float", to_float, 0},
  {"tm.dec", to_dec, 0}, {"tm.round", round_number, 0},
  {NULL, NULL, 0},
};
