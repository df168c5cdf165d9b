/* expr/tree_print.c: trees as text, the way a script would say them, for explain.
 *
 * Conversions that change no value are left out, and so are guards: what can be refused is said by
 * tm_function.may_raise. Not meant to be read back. */
#include "expr/tree.h"

#include "expr/probe.h"
#include "kernel/print.h"

enum { OR_LEVEL = 1, AND_LEVEL, COMPARE_LEVEL, BOR_LEVEL, BXOR_LEVEL, BAND_LEVEL, SHIFT_LEVEL,
       CONCAT_LEVEL, ADD_LEVEL, MUL_LEVEL, UNARY_LEVEL, POWER_LEVEL, ATOM_LEVEL };

typedef struct infix { const char *text; int level; } infix;

static const infix infixes[TM_X_COUNT] = {
  [TM_X_OR] = {"or", OR_LEVEL}, [TM_X_AND] = {"and", AND_LEVEL},
  [TM_X_EQ] = {"==", COMPARE_LEVEL}, [TM_X_NE] = {"~=", COMPARE_LEVEL},
  [TM_X_LT] = {"<", COMPARE_LEVEL}, [TM_X_LE] = {"<=", COMPARE_LEVEL},
  [TM_X_GT] = {">", COMPARE_LEVEL}, [TM_X_GE] = {">=", COMPARE_LEVEL},
  [TM_X_BOR] = {"|", BOR_LEVEL}, [TM_X_BXOR] = {"~", BXOR_LEVEL}, [TM_X_BAND] = {"&", BAND_LEVEL},
  [TM_X_SHL] = {"<<", SHIFT_LEVEL}, [TM_X_SHR] = {">>", SHIFT_LEVEL},
  [TM_X_CONCAT] = {"..", CONCAT_LEVEL},
  [TM_X_ADD] = {"+", ADD_LEVEL}, [TM_X_SUB] = {"-", ADD_LEVEL},
  [TM_X_DAYS_BETWEEN] = {"-", ADD_LEVEL},
  [TM_X_MUL] = {"*", MUL_LEVEL}, [TM_X_DIV] = {"/", MUL_LEVEL}, [TM_X_IDIV] = {"//", MUL_LEVEL},
  [TM_X_MOD] = {"%", MUL_LEVEL}, [TM_X_POW] = {"^", POWER_LEVEL},
};

static const char *const calls[TM_X_COUNT] = {
  [TM_X_TO_INT64] = "tm.int", [TM_X_TO_INT32] = "int32", [TM_X_TO_DECIMAL] = "decimal",
  [TM_X_TO_STRING] = "utf8", [TM_X_DECIMAL_FLOAT] = "tm.float", [TM_X_TRUNCATE] = "tm.int",
  [TM_X_ABS] = "math.abs", [TM_X_FLOOR] = "math.floor", [TM_X_CEIL] = "math.ceil",
  [TM_X_MIN] = "math.min",
  [TM_X_MAX] = "math.max", [TM_X_ROUND] = "tm.round", [TM_X_FORMAT_NUMBER] = "string.format",
  [TM_X_FORMAT_TIME] = "tm.format",
  [TM_X_SUBSTRING] = "string.sub", [TM_X_LOWER] = "string.lower", [TM_X_UPPER] = "string.upper",
  [TM_X_BYTE] = "string.byte", [TM_X_FIND] = "string.find", [TM_X_LIKE] = "tm.like",
  [TM_X_TEXT] = "tostring", [TM_X_YEAR] = "tm.year", [TM_X_MONTH] = "tm.month",
  [TM_X_DAY_OF_MONTH] = "tm.day_of_month", [TM_X_WEEKDAY] = "tm.weekday",
  [TM_X_HOUR] = "tm.hour", [TM_X_MINUTE] = "tm.minute", [TM_X_SECOND] = "tm.second",
  [TM_X_DAY_OF] = "tm.day_of", [TM_X_ADD_DAYS] = "add_days", [TM_X_ADD_MONTHS] = "add_months",
};

static bool print(const tm_expr *x, const tm_expr_names *names, int level, tm_bytes *out);

static bool print_column(const tm_expr *x, const tm_expr_names *names, tm_bytes *out) {
  const tm_schema *left = names->inputs[0], *right = names->inputs[1];
  if (x->column < left->count) {
    return tm_bytes_format(out, "%s%s", right == NULL ? "" : "left.",
                           left->fields[x->column].name);
  }
  return tm_bytes_format(out, "right.%s", right->fields[x->column - left->count].name);
}

static bool print_text(const tm_str *text, tm_bytes *out) {
  const char *bytes = tm_str_bytes(text);
  if (!tm_bytes_append_byte(out, '"')) return false;
  for (uint32_t i = 0; i < text->size; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    if (byte == '"' || byte == '\\') {
      if (!tm_bytes_append_byte(out, '\\') || !tm_bytes_append_byte(out, byte)) return false;
    } else if (byte < ' ' || byte == 127) {
      if (!tm_bytes_format(out, "\\x%02x", byte)) return false;
    } else if (!tm_bytes_append_byte(out, byte)) {
      return false;
    }
  }
  return tm_bytes_append_byte(out, '"');
}

/* 1.000 is as good as 1. */
static size_t print_decimal(const tm_expr *x, char *out) {
  bool wide = tm_type_physical(x->type) == TM_PHYSICAL_I128;
  size_t size = tm_print_decimal(out, wide ? x->value.i128 : x->value.i64, x->type.scale);
  if (x->type.scale == 0) return size;
  while (out[size - 1] == '0') size--;
  return out[size - 1] == '.' ? size - 1 : size;
}

static bool print_constant(const tm_expr *x, tm_bytes *out) {
  char text[TM_PRINT_MAX];
  size_t size;
  if (x->nullable) return tm_bytes_append_text(out, "nil");
  switch ((tm_kind)x->type.kind) {
    case TM_BOOL: return tm_bytes_append_text(out, x->value.boolean ? "true" : "false");
    case TM_STRING:
    case TM_BYTES: return print_text(&x->value.text, out);
    case TM_DATE: size = tm_print_date(text, x->value.i32); break;
    case TM_TIMESTAMP: size = tm_print_timestamp(text, x->value.i64, 0, true); break;
    case TM_FLOAT64: size = tm_print_float64(text, x->value.f64); break;
    case TM_INT32: size = tm_print_int64(text, x->value.i32); break;
    case TM_DECIMAL: size = print_decimal(x, text); break;
    default: size = tm_print_int64(text, x->value.i64); break;
  }
  return tm_bytes_append(out, text, size);
}

static bool print_infix(const tm_expr *x, const tm_expr_names *names, int level, tm_bytes *out) {
  infix sign = infixes[x->op];
  bool parens = sign.level < level;
  if (parens && !tm_bytes_append_byte(out, '(')) return false;
  for (uint32_t i = 0; i < x->child_count; i++) {
    if (i > 0 && !tm_bytes_format(out, " %s ", sign.text)) return false;
    bool chains = x->op == TM_X_AND || x->op == TM_X_OR; /* they lean to the right */
    int inner = sign.level + (i > 0 && !chains ? 1 : 0);
    if (!print(x->children[i], names, inner, out)) return false;
  }
  return !parens || tm_bytes_append_byte(out, ')');
}

static bool print_rounding(const tm_expr *x, tm_bytes *out) {
  static const char *const modes[] = {"half_up", "half_even", "up", "down", "floor", "ceil"};
  if (!tm_bytes_format(out, ", %d", (int)(x->extra >> 8) - 64)) return false;
  int mode = (int)(x->extra & 0xff);
  return mode == 0 || tm_bytes_format(out, ", \"%s\"", modes[mode]);
}

static bool print_call(const tm_expr *x, const char *name, const tm_expr_names *names,
                       tm_bytes *out) {
  if (!tm_bytes_format(out, "%s(", name)) return false;
  for (uint32_t i = 0; i < x->child_count; i++) {
    if (i > 0 && !tm_bytes_append_text(out, ", ")) return false;
    if (!print(x->children[i], names, 0, out)) return false;
  }
  bool has_zone = (x->op >= TM_X_HOUR && x->op <= TM_X_DAY_OF) && x->aux != NULL;
  if (has_zone && !tm_bytes_format(out, ", \"%s\"", tm_zone_name(x->aux))) return false;
  if (x->op == TM_X_ROUND && !print_rounding(x, out)) return false;
  return tm_bytes_append_byte(out, ')');
}

/* A call, and which of its results the node is where that is not the first. */
static bool print_pattern(const tm_expr *x, const tm_expr_names *names, tm_bytes *out) {
  int64_t nth = 1;
  const char *name = "string.gsub";
  if (x->op == TM_X_REPLACED) nth = 2;
  if (x->op == TM_X_CAPTURE) {
    name = x->extra <= TM_CAPTURE_START ? "string.find" : "string.match";
    if (x->extra > 0) nth = x->extra + 1;
    if (x->extra == TM_CAPTURE_END) nth = 2;
  }
  if (!print_call(x, name, names, out)) return false;
  return nth == 1 || tm_bytes_format(out, "[%d]", (int)nth);
}

static bool print_prefix(const tm_expr *x, const char *sign, const tm_expr_names *names,
                         tm_bytes *out) {
  return tm_bytes_append_text(out, sign) && print(x->children[0], names, UNARY_LEVEL, out);
}

static bool print_if(const tm_expr *x, const tm_expr_names *names, tm_bytes *out) {
  return tm_bytes_append_text(out, "(if ") && print(x->children[0], names, 0, out) &&
         tm_bytes_append_text(out, " then ") && print(x->children[1], names, 0, out) &&
         tm_bytes_append_text(out, " else ") && print(x->children[2], names, 0, out) &&
         tm_bytes_append_byte(out, ')');
}

static bool print_null_test(const tm_expr *x, const char *sign, const tm_expr_names *names,
                            int level, tm_bytes *out) {
  bool parens = level > COMPARE_LEVEL;
  if (parens && !tm_bytes_append_byte(out, '(')) return false;
  if (!print(x->children[0], names, COMPARE_LEVEL + 1, out)) return false;
  if (!tm_bytes_format(out, " %s nil", sign)) return false;
  return !parens || tm_bytes_append_byte(out, ')');
}

static const char *parse_name(const tm_expr *x) {
  return x->type.kind == TM_DATE ? "tm.day" : x->type.kind == TM_TIMESTAMP ? "tm.time"
         : x->type.kind == TM_FLOAT64 ? "tm.float" : "tm.int";
}

static const char *probe_field(const tm_expr *x) { return ((const tm_probe *)x->aux)->field; }

static bool print(const tm_expr *x, const tm_expr_names *names, int level, tm_bytes *out) {
  if (out->size >= TM_EXPR_PRINT_MAX) return true; /* shared parts could make it endless */
  switch ((tm_expr_op)x->op) {
    case TM_X_CONSTANT: return print_constant(x, out);
    case TM_X_COLUMN: return print_column(x, names, out);
    case TM_X_LEAF: case TM_X_OPAQUE: return tm_bytes_append_text(out, "?");
    case TM_X_GUARD: return print(x->children[1], names, level, out);
    case TM_X_REQUIRE: case TM_X_PRESENT: case TM_X_RETYPE: case TM_X_TRUTH: case TM_X_TO_FLOAT:
      return print(x->children[0], names, level, out);
    case TM_X_TO_INT64:
      if (x->children[0]->type.kind == TM_INT32) return print(x->children[0], names, level, out);
      break;
    case TM_X_TO_DECIMAL:
      if (x->children[0]->type.kind != TM_DECIMAL) return print(x->children[0], names, level, out);
      break;
    case TM_X_NOT:
      if (x->children[0]->op == TM_X_IS_NULL) {
        return print_null_test(x->children[0], "~=", names, level, out);
      }
      return print_prefix(x, "not ", names, out);
    case TM_X_NEG: return print_prefix(x, "-", names, out);
    case TM_X_BNOT: return print_prefix(x, "~", names, out);
    case TM_X_LENGTH: return print_prefix(x, "#", names, out);
    case TM_X_IS_NULL: return print_null_test(x, "==", names, level, out);
    case TM_X_IF: return print_if(x, names, out);
    case TM_X_PROBE:
      return tm_bytes_format(out, "%s[", ((const tm_probe *)x->aux)->name) &&
             print(x->children[0], names, 0, out) &&
             tm_bytes_format(out, "]%s%s", probe_field(x) == NULL ? "" : ".",
                             probe_field(x) == NULL ? "" : probe_field(x));
    case TM_X_CAPTURE: case TM_X_REPLACE: case TM_X_REPLACED: return print_pattern(x, names, out);
    default: break;
  }
  if (x->op == TM_X_MATH) {
    static const char *const names_of[] = {"math.sqrt", "math.exp", "math.log", "math.sin",
                                           "math.cos", "math.tan", "math.asin", "math.acos",
                                           "math.atan"};
    return print_call(x, names_of[x->extra], names, out);
  }
  if (x->op == TM_X_PARSE) return print_call(x, parse_name(x), names, out);
  if (infixes[x->op].text != NULL) return print_infix(x, names, level, out);
  return print_call(x, calls[x->op] == NULL ? "?" : calls[x->op], names, out);
}

bool tm_expr_print(const tm_expr *tree, const tm_expr_names *names, tm_bytes *out) {
  bool was_full = out->size >= TM_EXPR_PRINT_MAX;
  if (!print(tree, names, 0, out)) return false;
  return was_full || out->size < TM_EXPR_PRINT_MAX || tm_bytes_append_text(out, " …");
}
