/* script/lift_call_text.c: calls of the string library, and of what makes text of other values. */
#include <string.h>

#include "kernel/like.h"
#include "script/lift_call.h"

/* Strings stay as good as they were where only whole characters change. */
static tm_type same_text(const tm_expr *x) { return x->type; }
static tm_type cut_text(const tm_expr *x) {
  return x->type.kind == TM_BYTES ? tm_type_of(TM_BYTES) : tm_lift_raw_text();
}

static tm_sym string_case(tm_call *c, int64_t op) {
  if (!tm_call_is_text(c, 0)) return tm_call_refuse_typed(c, TM_STRING);
  return tm_call_unary(c, (tm_expr_op)op, same_text(c->args[0].x), tm_call_arg(c, 0));
}

static tm_sym string_length(tm_call *c, int64_t extra) {
  (void)extra;
  if (!tm_call_is_text(c, 0)) return tm_call_refuse_typed(c, TM_INT64);
  return tm_call_unary(c, TM_X_LENGTH, tm_type_of(TM_INT64), tm_call_arg(c, 0));
}

static tm_sym string_sub(tm_call *c, int64_t extra) {
  (void)extra;
  bool to_end = tm_call_is_absent(c, 2);
  bool text = tm_call_is_text(c, 0);
  if (!text || !tm_call_is_integer(c, 1) || !(to_end || tm_call_is_integer(c, 2))) {
    return tm_call_refuse_typed(c, TM_STRING);
  }
  const tm_expr *parts[] = {tm_call_arg(c, 0), tm_call_int(c, 1),
                            to_end ? tm_expr_int(&c->ctx->pool, -1) : tm_call_int(c, 2)};
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_SUBSTRING, cut_text(parts[0]), parts, 3, NULL,
                                0));
}

static tm_sym string_byte(tm_call *c, int64_t extra) {
  (void)extra;
  bool position = tm_call_is_absent(c, 1) || tm_call_is_integer(c, 1);
  if (!tm_call_is_text(c, 0) || !position || c->count > 2) return tm_call_refuse(c);
  const tm_expr *at = tm_call_is_absent(c, 1) ? tm_expr_int(&c->ctx->pool, 1) : tm_call_int(c, 1);
  const tm_expr *text = tm_call_arg(c, 0);
  return tm_sym_of(tm_expr_binary(&c->ctx->pool, TM_X_BYTE, tm_type_of(TM_INT64), text, at));
}

static bool is_plain(const tm_str *pattern) {
  const char *bytes = tm_str_bytes(pattern);
  for (uint32_t i = 0; i < pattern->size; i++) {
    if (bytes[i] != '\0' && strchr("^$*+?.([%-", bytes[i]) != NULL) return false;
  }
  return true;
}

/* Start and end, or nil, of a needle without magic, or with `plain` said. */
static tm_sym string_find(tm_call *c, int64_t extra) {
  (void)extra;
  tm_expr_pool *pool = &c->ctx->pool;
  tm_type type = tm_type_of(TM_INT64);
  const tm_str *needle = NULL;
  int64_t init = 1;
  bool known_init = tm_call_is_absent(c, 2);
  if (tm_call_is_integer(c, 2) && tm_expr_is_constant(c->args[2].x)) {
    init = c->args[2].x->value.i64;
    known_init = true;
  }
  bool said_plain = c->count > 3 && c->args[3].kind == TM_SYM_EXPR &&
                    tm_expr_is_bool(c->args[3].x, true);
  bool plain = said_plain || (tm_call_is_absent(c, 3) && tm_call_is_constant_text(c, 1, &needle) &&
                              is_plain(needle));
  if (!plain) return tm_call_find_pattern(c);
  if (!tm_call_is_text(c, 0) || !tm_call_is_text(c, 1) || !known_init) {
    return tm_call_refuse_typed(c, TM_INT64);
  }
  const tm_expr *parts[] = {tm_call_arg(c, 0), tm_call_arg(c, 1)};
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
static const tm_expr *text_of(tm_call *c, tm_sym value, int64_t style) {
  if (value.kind != TM_SYM_EXPR || value.x->type.kind == TM_NULLTYPE) return NULL;
  const tm_expr *x = tm_lift_require(c->ctx, c->state, value.x);
  if (tm_type_is_text(x->type)) return x;
  if (tm_type_is_lua_integer(x->type)) x = tm_lift_int64(c->ctx, x);
  tm_type type = tm_type_of(TM_STRING);
  return tm_expr_make(&c->ctx->pool, TM_X_TEXT, type, &x, 1, NULL, style);
}

static tm_sym to_string(tm_call *c, int64_t style) {
  const tm_expr *text = c->count == 0 ? NULL : text_of(c, c->args[0], style);
  return text == NULL ? tm_call_refuse_typed(c, TM_STRING) : tm_sym_of(text);
}

enum { FORMAT_PARTS_MAX = 64, DIRECTIVE_MAX = 24 };

/* Flags, width and precision of a directive; false: longer than Lua allows, or lift knows. */
static bool read_directive(const char *text, uint32_t size, uint32_t *at, char out[DIRECTIVE_MAX]) {
  uint32_t length = 0, digits = 0;
  out[length++] = '%';
  for (; *at < size && strchr("-+ #0", text[*at]) != NULL && length < 6; ++*at) {
    out[length++] = text[*at];
  }
  for (int part = 0; part < 2; part++) {
    for (digits = 0; *at < size && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
      if (++digits > 2) return false;
      out[length++] = text[*at];
    }
    if (part == 1 || *at == size || text[*at] != '.') break;
    out[length++] = '.';
    ++*at;
  }
  if (*at == size || text[*at] == '\0') return false;
  bool integer = strchr("dixXo", text[*at]) != NULL;
  if (integer) out[length++] = 'l', out[length++] = 'l';
  out[length++] = text[(*at)++];
  out[length] = '\0';
  return true;
}

/* One value as a directive has it; NULL: lift has it not. */
static const tm_expr *format_value(tm_call *c, int nth, const char *directive) {
  char letter = directive[strlen(directive) - 1];
  if (strcmp(directive, "%s") == 0) return nth < c->count ? text_of(c, c->args[nth], 0) : NULL;
  if (strcmp(directive, "%lld") == 0 && tm_call_is_integer(c, nth)) {
    return text_of(c, c->args[nth], 0);
  }
  const tm_expr *x = NULL;
  if (strchr("dixXo", letter) != NULL && tm_call_is_integer(c, nth)) x = tm_call_int(c, nth);
  bool number = tm_call_is_integer(c, nth) || tm_call_is_kind(c, nth, TM_FLOAT64);
  if (strchr("aAeEfFgG", letter) != NULL && number) x = tm_call_float(c, nth);
  if (x == NULL) return NULL;
  const char *copy = tm_arena_text(c->ctx->arena, directive, strlen(directive));
  if (copy == NULL) tm_lift_fail(c->ctx, TM_E_MEMORY, "out of memory");
  return tm_expr_make(&c->ctx->pool, TM_X_FORMAT_NUMBER, tm_type_of(TM_STRING), &x, 1, copy, 0);
}

/* %s of values, %d %x %f and their like of numbers, %%. */
static tm_sym string_format(tm_call *c, int64_t extra) {
  (void)extra;
  const tm_str *format;
  if (!tm_call_is_constant_text(c, 0, &format)) return tm_call_refuse_typed(c, TM_STRING);
  const char *text = tm_str_bytes(format);
  tm_sym parts[FORMAT_PARTS_MAX];
  int count = 0, next = 1;
  for (uint32_t at = 0, from = 0; count + 2 < FORMAT_PARTS_MAX;) {
    while (at < format->size && text[at] != '%') at++;
    if (at > from) {
      parts[count++] = tm_sym_of(tm_expr_string(&c->ctx->pool, text + from, at - from));
    }
    if (at == format->size) {
      return count == 0 ? tm_call_refuse_typed(c, TM_STRING)
                        : tm_lift_concat(c->ctx, c->state, parts, count);
    }
    char directive[DIRECTIVE_MAX];
    from = ++at;
    if (at < format->size && text[at] == '%') { /* the second one is text */
      at++;
      continue;
    }
    const tm_expr *part = NULL;
    if (read_directive(text, format->size, &at, directive)) {
      part = format_value(c, next++, directive);
    }
    if (part == NULL) return tm_call_refuse_typed(c, TM_STRING);
    parts[count++] = tm_sym_of(part);
    from = at;
  }
  return tm_call_refuse_typed(c, TM_STRING);
}

static tm_sym type_name(tm_call *c, int64_t extra) {
  (void)extra;
  if (!tm_call_is_expr(c, 0)) return tm_call_refuse_typed(c, TM_STRING);
  tm_type type = c->args[0].x->type;
  const char *name = tm_type_is_text(type) ? "string" : type.kind == TM_BOOL ? "boolean"
                     : type.kind == TM_DECIMAL || type.kind == TM_DATE ? "userdata" : "number";
  tm_expr_pool *pool = &c->ctx->pool;
  const tm_expr *text = tm_expr_string(pool, name, strlen(name));
  const tm_expr *seen = tm_lift_seen(c->ctx, c->state, c->args[0].x);
  return tm_sym_of(tm_expr_if(pool, tm_type_of(TM_STRING), tm_expr_is_null(pool, seen),
                              tm_expr_string(pool, "nil", 3), text));
}

static tm_sym like(tm_call *c, int64_t extra) {
  (void)extra;
  const tm_str *pattern;
  if (!tm_call_is_text(c, 0) || !tm_call_is_constant_text(c, 1, &pattern)) {
    return tm_call_refuse_typed(c, TM_BOOL);
  }
  const tm_like *compiled =
      tm_like_compile(tm_str_bytes(pattern), pattern->size, c->ctx->arena);
  if (compiled == NULL) tm_lift_fail(c->ctx, TM_E_MEMORY, "out of memory");
  const tm_expr *parts[] = {tm_call_arg(c, 0), c->args[1].x};
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_LIKE, tm_type_of(TM_BOOL), parts, 2, compiled,
                                0));
}

const tm_call_handler tm_call_strings[] = {
  {"string.lower", string_case, TM_X_LOWER}, {"string.upper", string_case, TM_X_UPPER},
  {"string.len", string_length, 0}, {"string.sub", string_sub, 0},
  {"string.byte", string_byte, 0}, {"string.find", string_find, 0},
  {"string.format", string_format, 0}, {"string.rep", tm_call_known_type, TM_STRING},
  {"string.reverse", tm_call_known_type, TM_STRING}, {"tostring", to_string, 0},
  {"type", type_name, 0}, {"tm.like", like, 0}, {"tm.text", to_string, 1},
  {NULL, NULL, 0},
};
