/* script/lift_operators.c: Lua's operators over symbolic values.
 *
 * The static kinds of the operands decide, as the kinds of values decide in the VM; what raises
 * there for every row, or answers with a kind that varies, is not lifted. Mixing decimals with
 * floats, and comparing what can never be equal, are plan errors. */
#include "script/lift_parts.h"

typedef enum kind_class {
  CLASS_NIL, CLASS_BOOL, CLASS_INTEGER, CLASS_FLOAT, CLASS_DECIMAL, CLASS_TEXT, CLASS_DATE,
} kind_class;

static kind_class class_of(tm_type type) {
  switch ((tm_kind)type.kind) {
    case TM_BOOL: return CLASS_BOOL;
    case TM_INT32: case TM_INT64: case TM_TIMESTAMP: return CLASS_INTEGER;
    case TM_FLOAT64: return CLASS_FLOAT;
    case TM_DECIMAL: return CLASS_DECIMAL;
    case TM_STRING: case TM_BYTES: return CLASS_TEXT;
    case TM_DATE: return CLASS_DATE;
    default: return CLASS_NIL;
  }
}

static const char *const class_names[] = {
  "nil", "a boolean", "an integer", "a float", "a decimal", "a string", "a date",
};

static bool is_number(kind_class c) {
  return c == CLASS_INTEGER || c == CLASS_FLOAT || c == CLASS_DECIMAL;
}

static const char *what(tm_sym value) {
  if (value.kind != TM_SYM_EXPR) return tm_sym_name(value);
  if (value.x->type.kind == TM_TIMESTAMP) return "a timestamp";
  return class_names[class_of(value.x->type)];
}

static const tm_expr *to_float(tm_lift_ctx *ctx, const tm_expr *x) {
  if (x->type.kind == TM_FLOAT64) return x;
  return tm_expr_unary(&ctx->pool, TM_X_TO_FLOAT, tm_type_of(TM_FLOAT64), tm_lift_int64(ctx, x));
}

__attribute__((noreturn)) static void fail_decimal_float(tm_lift_ctx *ctx) {
  tm_fail(ctx->err, TM_E_TYPE, "a decimal and a float do not mix");
  tm_error_help(ctx->err, "write the constant as a decimal: tm.dec \"1.19\"; or make the decimal a "
                          "float: tm.float(x)");
  tm_lift_leave(ctx);
}

/* ---------------------------------------------------------------- arithmetic */

static tm_sym make_binary(tm_lift_ctx *ctx, tm_expr_op op, tm_type type, const tm_expr *a,
                          const tm_expr *b) {
  return tm_sym_of(tm_expr_binary(&ctx->pool, op, type, a, b));
}

static tm_sym decimal_arithmetic(tm_lift_ctx *ctx, tm_expr_op op, const tm_expr *a,
                                 const tm_expr *b) {
  if (op != TM_X_ADD && op != TM_X_SUB && op != TM_X_MUL && op != TM_X_DIV) {
    return tm_lift_give_up(ctx, "uses an operator that decimals do not have");
  }
  a = tm_lift_decimal(ctx, a);
  b = tm_lift_decimal(ctx, b);
  tm_type type;
  bool fits;
  if (!tm_expr_decimal_result(op, a->type, b->type, &type, &fits)) {
    return tm_lift_give_up(ctx, "makes a decimal of more than 38 digits behind the point");
  }
  return make_binary(ctx, op, type, a, b);
}

/* Integers and floats; timestamps stay such where an integer is added or taken away. */
static tm_sym number_arithmetic(tm_lift_ctx *ctx, tm_expr_op op, const tm_expr *a,
                                const tm_expr *b) {
  bool bits = op >= TM_X_BAND && op <= TM_X_SHR;
  bool has_float = a->type.kind == TM_FLOAT64 || b->type.kind == TM_FLOAT64;
  if (bits && has_float) return tm_lift_give_up(ctx, "uses the bits of a float");
  if (has_float || op == TM_X_DIV || op == TM_X_POW) {
    return make_binary(ctx, op, tm_type_of(TM_FLOAT64), to_float(ctx, a), to_float(ctx, b));
  }
  tm_type type = tm_type_of(TM_INT64);
  bool sum = op == TM_X_ADD || op == TM_X_SUB;
  bool time_a = a->type.kind == TM_TIMESTAMP, time_b = b->type.kind == TM_TIMESTAMP;
  if (sum && time_a && !time_b) type = a->type;
  if (op == TM_X_ADD && time_b && !time_a) type = b->type;
  return make_binary(ctx, op, type, tm_lift_int64(ctx, a), tm_lift_int64(ctx, b));
}

enum { OVERFLOW_MISSES = 1 };

/* count times unit, in microseconds; a product that leaves int64 is the VM's to refuse. NULL: the
 * duration is of months. */
static const tm_expr *duration_us(tm_lift_ctx *ctx, tm_sym duration) {
  if (duration.unit_us == 0) return NULL;
  if (duration.unit_us == 1) return duration.x;
  const tm_expr *parts[] = {duration.x, tm_expr_int(&ctx->pool, duration.unit_us)};
  const tm_expr *us = tm_expr_make(&ctx->pool, TM_X_MUL, tm_type_of(TM_INT64), parts, 2, NULL,
                                   OVERFLOW_MISSES);
  tm_lift_effect(ctx, us);
  return us;
}

static const int64_t day_us = INT64_C(86400000000);

/* Days that a duration has; NULL: no whole number, or one that varies beyond what days do. */
static const tm_expr *duration_days(tm_lift_ctx *ctx, tm_sym duration) {
  int64_t us;
  if (duration.unit_us == day_us) return duration.x;
  if (!tm_expr_is_constant(duration.x)) return NULL;
  if (__builtin_mul_overflow(duration.x->value.i64, duration.unit_us, &us)) return NULL;
  return us % day_us == 0 ? tm_expr_int(&ctx->pool, us / day_us) : NULL;
}

static tm_sym date_and_duration(tm_lift_ctx *ctx, tm_expr_op op, const tm_expr *date,
                                tm_sym duration) {
  tm_type type = tm_type_of(TM_DATE);
  bool months = duration.unit_us == 0;
  const tm_expr *count = months ? duration.x : duration_days(ctx, duration);
  if (count == NULL) {
    return tm_lift_give_up_typed(ctx, type, "adds a duration that is no plain number of days");
  }
  if (op == TM_X_SUB) {
    count = tm_expr_unary(&ctx->pool, TM_X_NEG, tm_type_of(TM_INT64), count);
  }
  return make_binary(ctx, months ? TM_X_ADD_MONTHS : TM_X_ADD_DAYS, type, date, count);
}

static tm_sym duration_arithmetic(tm_lift_ctx *ctx, tm_lift_state *state, tm_expr_op op, tm_sym a,
                                  tm_sym b) {
  bool left = a.kind == TM_SYM_DURATION;
  tm_sym duration = left ? a : b, other = left ? b : a;
  bool sum = op == TM_X_ADD || (op == TM_X_SUB && !left);
  if (other.kind != TM_SYM_EXPR || !sum) return tm_lift_give_up(ctx, "reckons with durations");
  const tm_expr *x = tm_lift_require(ctx, state, other.x);
  if (x->type.kind == TM_DATE) return date_and_duration(ctx, op, x, duration);
  if (class_of(x->type) != CLASS_INTEGER) {
    return tm_lift_give_up(ctx, "adds a duration to %s", what(other));
  }
  const tm_expr *us = duration_us(ctx, duration);
  if (us == NULL) return tm_lift_give_up_typed(ctx, x->type, "adds months to a time");
  tm_type type = x->type.kind == TM_TIMESTAMP ? x->type : tm_type_of(TM_INT64);
  const tm_expr *parts[] = {tm_lift_int64(ctx, x), us};
  return tm_sym_of(tm_expr_make(&ctx->pool, op, type, parts, 2, NULL, OVERFLOW_MISSES));
}

tm_sym tm_lift_arithmetic(tm_lift_ctx *ctx, tm_lift_state *state, tm_expr_op op, tm_sym a,
                          tm_sym b) {
  if (a.kind == TM_SYM_UNKNOWN || b.kind == TM_SYM_UNKNOWN) return (tm_sym){.kind = TM_SYM_UNKNOWN};
  if (a.kind == TM_SYM_DURATION || b.kind == TM_SYM_DURATION) {
    return duration_arithmetic(ctx, state, op, a, b);
  }
  if (a.kind != TM_SYM_EXPR || b.kind != TM_SYM_EXPR) {
    return tm_lift_give_up(ctx, "reckons with %s", what(a.kind != TM_SYM_EXPR ? a : b));
  }
  kind_class class_a = class_of(a.x->type), class_b = class_of(b.x->type);
  bool decimals = class_a == CLASS_DECIMAL || class_b == CLASS_DECIMAL;
  if (decimals && (class_a == CLASS_FLOAT || class_b == CLASS_FLOAT)) fail_decimal_float(ctx);
  if (class_a == CLASS_DATE && class_b == CLASS_DATE && op == TM_X_SUB) {
    return make_binary(ctx, TM_X_DAYS_BETWEEN, tm_type_of(TM_INT64),
                       tm_lift_require(ctx, state, a.x), tm_lift_require(ctx, state, b.x));
  }
  if (!is_number(class_a) || !is_number(class_b)) {
    return tm_lift_give_up(ctx, "reckons with %s", what(is_number(class_a) ? b : a));
  }
  const tm_expr *x = tm_lift_require(ctx, state, a.x), *y = tm_lift_require(ctx, state, b.x);
  return decimals ? decimal_arithmetic(ctx, op, x, y) : number_arithmetic(ctx, op, x, y);
}

static tm_sym length_of(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym a) {
  if (a.kind != TM_SYM_EXPR || class_of(a.x->type) != CLASS_TEXT) {
    return tm_lift_give_up_typed(ctx, tm_type_of(TM_INT64), "takes the length of %s", what(a));
  }
  return tm_sym_of(tm_expr_unary(&ctx->pool, TM_X_LENGTH, tm_type_of(TM_INT64),
                                 tm_lift_require(ctx, state, a.x)));
}

tm_sym tm_lift_unary(tm_lift_ctx *ctx, tm_lift_state *state, tm_expr_op op, tm_sym a) {
  if (a.kind == TM_SYM_UNKNOWN) return a;
  if (op == TM_X_NOT) {
    return tm_sym_of(tm_expr_not(&ctx->pool, tm_lift_truth(ctx, state, a)));
  }
  if (op == TM_X_LENGTH) return length_of(ctx, state, a);
  kind_class kind = a.kind == TM_SYM_EXPR ? class_of(a.x->type) : CLASS_NIL;
  bool negates = op == TM_X_NEG && is_number(kind);
  if (!negates && !(op == TM_X_BNOT && kind == CLASS_INTEGER)) {
    return tm_lift_give_up(ctx, "reckons with %s", what(a));
  }
  const tm_expr *x = tm_lift_require(ctx, state, a.x);
  if (kind == CLASS_INTEGER) x = tm_lift_int64(ctx, x);
  tm_type type = kind == CLASS_INTEGER ? tm_type_of(TM_INT64) : x->type;
  return tm_sym_of(tm_expr_unary(&ctx->pool, op, type, x));
}

/* ---------------------------------------------------------------- comparisons */

/* A text beside a date or an instant: the commonest slip, and silent for ==. */
static void refuse_text_for_time(tm_lift_ctx *ctx, tm_sym a, tm_sym b) {
  bool date = a.x->type.kind == TM_DATE || b.x->type.kind == TM_DATE;
  bool instant = a.x->type.kind == TM_TIMESTAMP || b.x->type.kind == TM_TIMESTAMP;
  bool text = tm_type_is_text(a.x->type) || tm_type_is_text(b.x->type);
  if (!text || !(date || instant)) return;
  tm_fail(ctx->err, TM_E_TYPE, "%s cannot be compared with a string",
          date ? "a date" : "a timestamp");
  tm_error_help(ctx->err, "write tm.%s", date ? "day \"1998-12-01\"" : "time \"1998-12-01 12:00\"");
  tm_lift_leave(ctx);
}

__attribute__((noreturn)) static void fail_decimal_equality(tm_lift_ctx *ctx, kind_class other) {
  tm_fail(ctx->err, TM_E_TYPE, "a decimal is never equal to %s", class_names[other]);
  if (other == CLASS_INTEGER || other == CLASS_FLOAT) {
    tm_error_help(ctx->err, "write the number as a decimal: tm.dec \"%s\"",
                  other == CLASS_FLOAT ? "1.19" : "1");
  }
  tm_lift_leave(ctx);
}

static const tm_expr *compare_nodes(tm_lift_ctx *ctx, tm_expr_op op, kind_class class_a,
                                    kind_class class_b, const tm_expr *a, const tm_expr *b) {
  if (class_a == CLASS_DECIMAL || class_b == CLASS_DECIMAL) {
    a = tm_lift_decimal(ctx, a);
    b = tm_lift_decimal(ctx, b);
  } else {
    if (class_a == CLASS_INTEGER) a = tm_lift_int64(ctx, a);
    if (class_b == CLASS_INTEGER) b = tm_lift_int64(ctx, b);
  }
  return tm_expr_binary(&ctx->pool, op, tm_type_of(TM_BOOL), a, b);
}

/* Kinds that differ are equal only where both are nil. */
static const tm_expr *both_null(tm_lift_ctx *ctx, const tm_expr *a, const tm_expr *b) {
  return tm_expr_and(&ctx->pool, tm_expr_is_null(&ctx->pool, a), tm_expr_is_null(&ctx->pool, b));
}

static tm_sym equality(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym a, tm_sym b) {
  if (a.kind == TM_SYM_ENTRY || b.kind == TM_SYM_ENTRY) {
    tm_sym entry = a.kind == TM_SYM_ENTRY ? a : b, other = a.kind == TM_SYM_ENTRY ? b : a;
    if (!tm_sym_is_nil(other)) return tm_lift_give_up(ctx, "compares tables");
    return tm_lift_unary(ctx, state, TM_X_NOT, entry);
  }
  if (a.kind != TM_SYM_EXPR || b.kind != TM_SYM_EXPR) {
    bool other_kind = (a.kind == TM_SYM_EXPR) != (b.kind == TM_SYM_EXPR);
    bool plain = a.kind != TM_SYM_DURATION && b.kind != TM_SYM_DURATION;
    if (other_kind && plain) return tm_sym_of(tm_expr_bool(&ctx->pool, false));
    return tm_lift_give_up_typed(ctx, tm_type_of(TM_BOOL), "compares %s and %s", what(a), what(b));
  }
  const tm_expr *x = tm_lift_seen(ctx, state, a.x), *y = tm_lift_seen(ctx, state, b.x);
  if (tm_expr_is_null_constant(x)) return tm_sym_of(tm_expr_is_null(&ctx->pool, y));
  if (tm_expr_is_null_constant(y)) return tm_sym_of(tm_expr_is_null(&ctx->pool, x));
  kind_class class_a = class_of(x->type), class_b = class_of(y->type);
  if (class_a != class_b && (class_a == CLASS_DECIMAL || class_b == CLASS_DECIMAL)) {
    fail_decimal_equality(ctx, class_a == CLASS_DECIMAL ? class_b : class_a);
  }
  refuse_text_for_time(ctx, a, b);
  bool numbers = is_number(class_a) && is_number(class_b);
  if (class_a != class_b && !numbers) return tm_sym_of(both_null(ctx, x, y));
  return tm_sym_of(compare_nodes(ctx, TM_X_EQ, class_a, class_b, x, y));
}

tm_sym tm_lift_compare(tm_lift_ctx *ctx, tm_lift_state *state, tm_expr_op op, tm_sym a, tm_sym b) {
  if (a.kind == TM_SYM_UNKNOWN || b.kind == TM_SYM_UNKNOWN) {
    return tm_lift_unknown(ctx, tm_type_of(TM_BOOL));
  }
  if (op == TM_X_EQ) return equality(ctx, state, a, b);
  bool values = a.kind == TM_SYM_EXPR && b.kind == TM_SYM_EXPR;
  kind_class class_a = values ? class_of(a.x->type) : CLASS_NIL;
  kind_class class_b = values ? class_of(b.x->type) : CLASS_NIL;
  bool decimals = class_a == CLASS_DECIMAL || class_b == CLASS_DECIMAL;
  if (decimals && (class_a == CLASS_FLOAT || class_b == CLASS_FLOAT)) fail_decimal_float(ctx);
  if (values) refuse_text_for_time(ctx, a, b);
  bool ordered = class_a == class_b && class_a != CLASS_NIL && class_a != CLASS_BOOL;
  if (!ordered && !(is_number(class_a) && is_number(class_b))) {
    return tm_lift_give_up_typed(ctx, tm_type_of(TM_BOOL), "compares %s with %s", what(a), what(b));
  }
  const tm_expr *x = tm_lift_require(ctx, state, a.x), *y = tm_lift_require(ctx, state, b.x);
  return tm_sym_of(compare_nodes(ctx, op, class_a, class_b, x, y));
}

/* ---------------------------------------------------------------- strings and truth */

static const tm_expr *concat_part(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym part) {
  if (part.kind != TM_SYM_EXPR) return NULL;
  kind_class kind = class_of(part.x->type);
  if (kind == CLASS_TEXT) return tm_lift_require(ctx, state, part.x);
  if (kind == CLASS_NIL || kind == CLASS_BOOL) return NULL;
  const tm_expr *x = tm_lift_require(ctx, state, part.x);
  if (kind == CLASS_INTEGER) x = tm_lift_int64(ctx, x);
  return tm_expr_unary(&ctx->pool, TM_X_TEXT, tm_type_of(TM_STRING), x);
}

tm_sym tm_lift_concat(tm_lift_ctx *ctx, tm_lift_state *state, const tm_sym *parts, int count) {
  const tm_expr *children[UINT8_MAX];
  tm_type type = tm_type_of(TM_STRING);
  for (int i = 0; i < count; i++) {
    if (parts[i].kind == TM_SYM_UNKNOWN) return tm_lift_unknown(ctx, type);
    children[i] = concat_part(ctx, state, parts[i]);
    if (children[i] == NULL) {
      return tm_lift_give_up_typed(ctx, type, "concatenates %s", what(parts[i]));
    }
    if (children[i]->type.precision) type.precision = 1;
    if (children[i]->type.kind == TM_BYTES) type.kind = TM_BYTES;
  }
  if (type.kind == TM_BYTES) type.precision = 0;
  if (count == 1) return tm_sym_of(children[0]);
  return tm_sym_of(tm_expr_make(&ctx->pool, TM_X_CONCAT, type, children, (uint32_t)count, NULL, 0));
}

const tm_expr *tm_lift_truth(tm_lift_ctx *ctx, const tm_lift_state *state, tm_sym value) {
  if (value.kind == TM_SYM_UNKNOWN) return tm_lift_unknown(ctx, tm_type_of(TM_BOOL)).x;
  const tm_expr *x = value.x;
  if (value.kind == TM_SYM_ENTRY) {
    x = tm_lift_entry_there(ctx, value);
  } else if (value.kind != TM_SYM_EXPR) {
    return tm_expr_bool(&ctx->pool, true);
  }
  x = tm_expr_truth(&ctx->pool, tm_lift_seen(ctx, state, x));
  for (const tm_fact *fact = state->facts; fact != NULL; fact = fact->next) {
    if (fact->x == x) return tm_expr_bool(&ctx->pool, fact->present);
  }
  return x;
}
