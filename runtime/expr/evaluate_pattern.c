/* expr/evaluate_pattern.c: Lua's patterns over a column: what string.find, match and gsub give.
 *
 * The pattern is compiled and has no malformed part, but a search can still be too much work, and
 * then the row misses, for the VM to raise. A capture borrows from what it is cut from. Several
 * values of one call are nodes of their own, and each searches again. */
#include "expr/loops.h"

#include "kernel/pattern.h"

#define STEPS_MAX UINT64_C(10000000) /* as in the VM */

static const tm_str *str_at(const tm_vec *vec, uint32_t row) {
  return (const tm_str *)vec->data + (vec->constant ? 0 : row);
}

/* The span that a node asks for; false: there is no match. *bad: the row misses. */
TM_INLINE bool span_of(const tm_expr *x, const tm_str *text, tm_pattern_capture *out, bool *bad) {
  tm_pattern_match match;
  tm_pattern_status status =
      tm_pattern_find(x->aux, tm_str_bytes(text), text->size, 0, STEPS_MAX, &match);
  *bad = status < 0;
  if (status != TM_PATTERN_FOUND) return false;
  *out = (tm_pattern_capture){match.start, match.end - match.start};
  if (x->extra >= 0) *out = match.captures[x->extra];
  return true;
}

static int capture_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a,
                         tm_vec *out) {
  tm_str *to = tm_vec_make(e, out, 16);
  uint8_t *valid = tm_vec_make_valid(e, out), *bad = tm_eval_marks(e);
  if (to == NULL || valid == NULL || bad == NULL) return -1;
  bool borrows = false;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    const tm_str *text = str_at(a, row);
    tm_pattern_capture span = {0, 0};
    bool miss;
    valid[row] = span_of(x, text, &span, &miss);
    bad[row] = miss;
    to[row] = tm_str_make(tm_str_bytes(text) + span.start, span.size);
    borrows |= span.size > TM_STR_INLINE;
  }
  e->borrows |= borrows;
  return tm_eval_drop_marks(e, set, bad);
}

static int place_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  int64_t *to = tm_vec_make(e, out, 8);
  uint8_t *valid = tm_vec_make_valid(e, out), *bad = tm_eval_marks(e);
  if (to == NULL || valid == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    tm_pattern_capture span = {0, 0};
    bool miss;
    valid[row] = span_of(x, str_at(a, row), &span, &miss);
    bad[row] = miss;
    to[row] = (int64_t)(x->extra == TM_CAPTURE_START ? span.start + 1 : span.start + span.size);
  }
  return tm_eval_drop_marks(e, set, bad);
}

/* ---------------------------------------------------------------- gsub */

static int64_t count_byte(const tm_str *text, char byte) {
  const char *bytes = tm_str_bytes(text);
  uint32_t count = 0;
  for (uint32_t i = 0; i < text->size; i++) count += bytes[i] == byte;
  return count;
}

/* How many matches there are, which is how many gsub replaces. -1: too much work. */
static int64_t count_matches(const tm_pattern *pattern, const tm_str *text) {
  tm_pattern_cursor cursor;
  tm_pattern_match match;
  int64_t count = 0;
  tm_pattern_status status;
  tm_pattern_cursor_init(&cursor, pattern, tm_str_bytes(text), text->size, 0, STEPS_MAX);
  while ((status = tm_pattern_next(&cursor, &match)) == TM_PATTERN_FOUND) count++;
  return status < 0 ? -1 : count;
}

static int count_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  int64_t *to = tm_vec_make(e, out, 8);
  uint8_t *bad = tm_eval_marks(e);
  size_t size = 0;
  const char *literal = tm_pattern_literal(x->aux, &size);
  if (to == NULL || bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    const tm_str *text = str_at(a, row);
    to[row] = literal != NULL && size == 1 ? count_byte(text, *literal)
                                           : count_matches(x->aux, text);
    bad[row] = to[row] < 0;
  }
  return tm_eval_drop_marks(e, set, bad);
}

static int replace_rows(tm_eval *e, const tm_expr *x, const tm_rows *set, const tm_vec *a,
                        tm_bytes *scratch, tm_str *to, uint8_t *bad) {
  const tm_expr_replace *replace = x->aux;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    const tm_str *text = str_at(a, row);
    const char *error;
    int64_t count;
    tm_bytes_clear(scratch);
    tm_pattern_status status =
        tm_pattern_replace(replace->pattern, tm_str_bytes(text), text->size, replace->text,
                           replace->size, -1, STEPS_MAX, scratch, &count, &error);
    bad[row] = status == TM_PATTERN_LIMIT || status == TM_PATTERN_ERROR ||
               scratch->size > UINT32_MAX;
    e->failed |= status == TM_PATTERN_MEMORY;
    if (e->failed) return -1;
    if (bad[row]) continue;
    const char *made = scratch->size == 0 ? "" : (const char *)scratch->data;
    if (!tm_eval_string(e, made, scratch->size, &to[row])) return -1;
  }
  return 0;
}

static int replace_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a,
                         tm_vec *out) {
  tm_str *to = tm_vec_make(e, out, 16);
  uint8_t *bad = tm_eval_marks(e);
  tm_bytes scratch;
  if (to == NULL || bad == NULL) return -1;
  tm_bytes_init(&scratch, e->text->budget);
  int status = replace_rows(e, x, set, a, &scratch, to, bad);
  tm_bytes_deinit(&scratch);
  return status < 0 ? -1 : tm_eval_drop_marks(e, set, bad);
}

int tm_eval_pattern(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec a = {0};
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  int status = -1;
  switch ((tm_expr_op)x->op) {
    case TM_X_CAPTURE:
      status = x->extra == TM_CAPTURE_START || x->extra == TM_CAPTURE_END
                   ? place_value(e, x, set, &a, out)
                   : capture_value(e, x, set, &a, out);
      break;
    case TM_X_REPLACED: status = count_value(e, x, set, &a, out); break;
    case TM_X_REPLACE: status = replace_value(e, x, set, &a, out); break;
    default: break;
  }
  tm_vec_release(e, &a);
  return status;
}
