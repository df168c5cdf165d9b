/* script/lift_call_pattern.c: calls of string.find, match and gsub whose pattern is known at plan
 * time.
 *
 * Each result is a node of its own. What a malformed pattern, a position capture or a replacement
 * by a function or table would give is left to the VM. */
#include <string.h>

#include "kernel/pattern.h"
#include "script/lift_call.h"

/* The pattern, compiled; NULL: it is not known, or not for us. */
static const tm_pattern *known_pattern(tm_call *c, tm_pattern_use use) {
  const tm_str *text;
  if (!tm_call_is_text(c, 0) || !tm_call_is_constant_text(c, 1, &text)) return NULL;
  const char *bytes = tm_str_bytes(text);
  for (uint32_t i = 0; i + 1 < text->size; i++) {
    if (bytes[i] == '(' && bytes[i + 1] == ')') return NULL; /* positions, perhaps */
  }
  const tm_pattern *pattern = tm_pattern_compile(bytes, text->size, use, c->ctx->arena);
  if (pattern == NULL) tm_lift_fail(c->ctx, TM_E_MEMORY, "out of memory");
  return tm_pattern_malformed(pattern) == NULL ? pattern : NULL;
}

static tm_type cut_text(const tm_expr *x) {
  return x->type.kind == TM_BYTES ? tm_type_of(TM_BYTES) : tm_lift_raw_text();
}

static tm_sym part(tm_call *c, const tm_pattern *pattern, tm_type type, int64_t which) {
  const tm_expr *parts[] = {tm_call_arg(c, 0), c->args[1].x};
  return tm_sym_of(tm_expr_make(&c->ctx->pool, TM_X_CAPTURE, type, parts, 2, pattern, which));
}

/* Captures into the results from `at` on. false: there are more than lift has room for. */
static bool add_captures(tm_call *c, const tm_pattern *pattern, int at) {
  uint32_t count = tm_pattern_capture_count(pattern);
  if (at + count > TM_LIFT_RETURNS_MAX) return false;
  for (uint32_t i = 0; i < count; i++) {
    c->results[at + (int)i] = part(c, pattern, cut_text(c->args[0].x), i);
  }
  c->result_count = at + (int)count;
  return true;
}

static tm_sym string_match(tm_call *c, int64_t extra) {
  (void)extra;
  const tm_pattern *pattern = tm_call_is_absent(c, 2) ? known_pattern(c, TM_PATTERN_SEARCH) : NULL;
  if (pattern == NULL) return tm_call_refuse_typed(c, TM_STRING);
  if (tm_pattern_capture_count(pattern) == 0) {
    return part(c, pattern, cut_text(c->args[0].x), TM_CAPTURE_WHOLE);
  }
  return add_captures(c, pattern, 0) ? c->results[0] : tm_call_refuse_typed(c, TM_STRING);
}

tm_sym tm_call_find_pattern(tm_call *c) {
  bool alone = tm_call_is_absent(c, 2) && tm_call_is_absent(c, 3);
  const tm_pattern *pattern = alone ? known_pattern(c, TM_PATTERN_FIND) : NULL;
  if (pattern == NULL) return tm_call_refuse_typed(c, TM_INT64);
  tm_type type = tm_type_of(TM_INT64);
  if (!add_captures(c, pattern, 2)) return tm_call_refuse_typed(c, TM_INT64);
  c->results[1] = part(c, pattern, type, TM_CAPTURE_END);
  return part(c, pattern, type, TM_CAPTURE_START);
}

/* ---------------------------------------------------------------- gsub */

/* Does every %0 … %9 name a capture that is there? */
static bool names_captures(const char *text, size_t size, uint32_t captures) {
  uint32_t most = captures > 0 ? captures : 1; /* %1 is all of a match without captures */
  for (size_t i = 0; i < size; i++) {
    if (text[i] != '%') continue;
    if (++i == size) return false;
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (text[i] != '%' && !(digit && (uint32_t)(text[i] - '0') <= most)) return false;
  }
  return true;
}

static const tm_expr_replace *known_replacement(tm_call *c, const tm_pattern *pattern) {
  const tm_str *text;
  if (!tm_call_is_constant_text(c, 2, &text)) return NULL;
  const char *bytes = tm_str_bytes(text);
  if (!names_captures(bytes, text->size, tm_pattern_capture_count(pattern))) return NULL;
  tm_expr_replace *replace = tm_arena_zero(c->ctx->arena, sizeof *replace);
  const char *copy = tm_arena_text(c->ctx->arena, bytes, text->size);
  if (replace == NULL || copy == NULL) tm_lift_fail(c->ctx, TM_E_MEMORY, "out of memory");
  *replace = (tm_expr_replace){.pattern = pattern, .text = copy, .size = text->size};
  return replace;
}

/* The text with all matches replaced, and how many there were. */
static tm_sym string_gsub(tm_call *c, int64_t extra) {
  (void)extra;
  const tm_pattern *pattern = tm_call_is_absent(c, 3) ? known_pattern(c, TM_PATTERN_SEARCH) : NULL;
  const tm_expr_replace *replace = pattern == NULL ? NULL : known_replacement(c, pattern);
  if (replace == NULL) return tm_call_refuse_typed(c, TM_STRING);
  tm_expr_pool *pool = &c->ctx->pool;
  const tm_expr *parts[] = {tm_call_arg(c, 0), c->args[1].x, c->args[2].x};
  c->results[1] = tm_sym_of(
      tm_expr_make(pool, TM_X_REPLACED, tm_type_of(TM_INT64), parts, 3, pattern, 0));
  c->result_count = 2;
  return tm_sym_of(
      tm_expr_make(pool, TM_X_REPLACE, cut_text(parts[0]), parts, 3, replace, 0));
}

const tm_call_handler tm_call_patterns[] = {
  {"string.match", string_match, 0}, {"string.gsub", string_gsub, 0}, {NULL, NULL, 0},
};
