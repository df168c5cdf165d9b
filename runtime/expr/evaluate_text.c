/* expr/evaluate_text.c: strings, byte by byte as Lua has them.
 *
 * Only rows of the set are touched, for a dead row's pointer leads nowhere. New bytes of a column
 * go into one piece of the arena a slice; a substring borrows from what it is cut from. */
#include "expr/loops.h"

#include "kernel/like.h"
#include "kernel/print.h"
#include "kernel/substring.h"
#include "kernel/utf8.h"

static const tm_str *str_at(const tm_vec *vec, uint32_t row) {
  return (const tm_str *)vec->data + (vec->constant ? 0 : row);
}
static int64_t int_at(const tm_vec *vec, uint32_t row) {
  return ((const int64_t *)vec->data)[vec->constant ? 0 : row];
}

/* Bytes for a slice's new strings; NULL: out of memory. */
static char *text_room(tm_eval *e, size_t bytes) {
  char *room = tm_arena_alloc(e->text, bytes + 1);
  if (room == NULL) e->failed = true;
  return room;
}

/* ---------------------------------------------------------------- parts of a string */

static int length_value(tm_eval *e, const tm_rows *set, const tm_vec *a, tm_vec *out) {
  int64_t *to = tm_vec_make(e, out, 8);
  if (to == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    to[row] = str_at(a, row)->size;
  }
  return 0;
}

/* string.sub: positions from 1, negative ones from the end, both ends clipped. */
static void clip(int64_t from, int64_t to, uint32_t size, uint32_t *out_start, uint32_t *out_size) {
  int64_t length = size;
  if (from < -length || from == 0) from = 1;
  if (from < 0) from = length + from + 1;
  if (to > length) to = length;
  if (to < -length) to = 0;
  if (to < 0) to = length + to + 1;
  *out_start = from > length ? size : (uint32_t)(from - 1);
  *out_size = from > to ? 0 : (uint32_t)(to - from + 1);
}

/* As tm_str_make; where `behind` (readable bytes from text on) allows it, by two loads and masks
 * instead of a copy of unknown length. */
TM_INLINE tm_str cut(const char *text, uint32_t size, uint32_t behind) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (size > TM_STR_INLINE || behind < TM_STR_INLINE) return tm_str_make(text, size);
  uint32_t first;
  uint64_t then;
  memcpy(&first, text, 4);
  memcpy(&then, text + 4, 8);
  uint32_t high = size < 4 ? 0 : size - 4;
  if (size < 4) first &= (UINT32_C(1) << 8 * size) - 1;
  then = high == 8 ? then : then & ((UINT64_C(1) << 8 * high) - 1);
  tm_str s;
  s.words[0] = size | (uint64_t)first << 32;
  s.words[1] = then;
  return s;
#else
  (void)behind;
  return tm_str_make(text, size);
#endif
}

static int substring_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a,
                           tm_vec *out) {
  tm_vec from = {0}, to = {0};
  if (tm_eval_value(e, x->children[1], set, &from) != 0 ||
      tm_eval_value(e, x->children[2], set, &to) != 0) {
    return -1;
  }
  tm_str *result = tm_vec_make(e, out, 16);
  if (result == NULL) return -1;
  bool borrows = false;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k), start, size;
    const tm_str *whole = str_at(a, row);
    clip(int_at(&from, row), int_at(&to, row), whole->size, &start, &size);
    result[row] = cut(tm_str_bytes(whole) + start, size, whole->size - start);
    borrows |= size > TM_STR_INLINE;
  }
  e->borrows |= borrows;
  tm_vec_release(e, &from);
  tm_vec_release(e, &to);
  return 0;
}

/* string.byte(s, i): null beyond the ends. */
static int byte_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  tm_vec at = {0};
  if (tm_eval_value(e, x->children[1], set, &at) != 0) return -1;
  int64_t *to = tm_vec_make(e, out, 8);
  uint8_t *valid = tm_vec_make_valid(e, out);
  if (to == NULL || valid == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    const tm_str *text = str_at(a, row);
    int64_t position = int_at(&at, row), size = text->size;
    if (position < 0) position = position < -size ? 0 : size + position + 1;
    valid[row] = position >= 1 && position <= size;
    to[row] = valid[row] ? (uint8_t)tm_str_bytes(text)[position - 1] : 0;
  }
  tm_vec_release(e, &at);
  return 0;
}

/* string.find(s, needle, init, true): where it starts, null where it is not. */
static int find_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  tm_vec needle = {0};
  if (tm_eval_value(e, x->children[1], set, &needle) != 0) return -1;
  int64_t *to = tm_vec_make(e, out, 8);
  uint8_t *valid = tm_vec_make_valid(e, out);
  if (to == NULL || valid == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    const tm_str *text = str_at(a, row), *wanted = str_at(&needle, row);
    int64_t init = x->extra, size = text->size;
    if (init <= 0) init = init == 0 || init < -size ? 1 : size + init + 1;
    const char *bytes = tm_str_bytes(text), *found = NULL;
    if (init <= size + 1) {
      found = tm_substring_find(bytes + init - 1, (size_t)(size - init + 1),
                                tm_str_bytes(wanted), wanted->size);
    }
    valid[row] = found != NULL;
    to[row] = found == NULL ? 0 : found - bytes + 1;
  }
  tm_vec_release(e, &needle);
  return 0;
}

static int like_value(tm_eval *e, const tm_expr *x, const tm_rows *set, const tm_vec *a,
                      tm_vec *out) {
  uint8_t *to = tm_vec_make(e, out, 1);
  if (to == NULL) return -1;
  if (a->constant) {
    const tm_str *text = a->data;
    memset(to, tm_like_match(x->aux, tm_str_bytes(text), text->size), e->total);
    return 0;
  }
  tm_like_match_rows(x->aux, a->data, NULL, set->rows, set->count, to);
  return 0;
}

/* ---------------------------------------------------------------- new strings */

static int case_value(tm_eval *e, const tm_expr *x, const tm_rows *set, const tm_vec *a,
                      tm_vec *out) {
  size_t bytes = 0;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t size = str_at(a, tm_rows_at(set, k))->size;
    bytes += size > TM_STR_INLINE ? size : 0;
  }
  tm_str *to = tm_vec_make(e, out, 16);
  char *room = text_room(e, bytes);
  if (to == NULL || room == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    const tm_str *text = str_at(a, row);
    char head[TM_STR_INLINE];
    char *target = text->size > TM_STR_INLINE ? room : head;
    if (x->op == TM_X_LOWER) {
      tm_utf8_lower(tm_str_bytes(text), text->size, target);
    } else {
      tm_utf8_upper(tm_str_bytes(text), text->size, target);
    }
    to[row] = tm_str_make(target, text->size);
    if (target == room) room += text->size;
  }
  return 0;
}

static size_t print_value(const tm_expr *x, const tm_vec *a, uint32_t row, char *out) {
  tm_type type = x->children[0]->type;
  uint32_t i = a->constant ? 0 : row;
  switch ((tm_kind)type.kind) {
    case TM_BOOL: {
      bool value = ((const uint8_t *)a->data)[i] != 0;
      memcpy(out, value ? "true" : "false", 5);
      return value ? 4 : 5;
    }
    case TM_FLOAT64: {
      double value = ((const double *)a->data)[i];
      return x->extra == 0 ? tm_print_lua_float(out, value) : tm_print_float64(out, value);
    }
    case TM_DECIMAL: {
      __int128 value = a->wide ? ((const __int128 *)a->data)[i] : ((const int64_t *)a->data)[i];
      return tm_print_decimal(out, value, type.scale);
    }
    case TM_DATE: return tm_print_date(out, ((const int32_t *)a->data)[i]);
    default: return tm_print_int64(out, ((const int64_t *)a->data)[i]);
  }
}

/* tostring shows the sign of a NaN, which is whatever the processor made of it in the VM. */
static int miss_nans(tm_eval *e, tm_rows *set, const tm_vec *a) {
  const double *values = a->data;
  uint8_t *bad = tm_eval_marks(e);
  if (bad == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    double value = values[a->constant ? 0 : row];
    bad[row] = value != value;
  }
  return tm_eval_drop_marks(e, set, bad);
}

static int text_value(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *a, tm_vec *out) {
  if (x->misses && miss_nans(e, set, a) != 0) return -1;
  tm_str *to = tm_vec_make(e, out, 16);
  if (to == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    char text[TM_PRINT_MAX];
    size_t size = print_value(x, a, row, text);
    if (!tm_eval_string(e, text, size, &to[row])) return -1;
  }
  return 0;
}

enum { PARTS_FEW = 16 };

static int join_rows(tm_eval *e, const tm_expr *x, tm_rows *set, const tm_vec *parts,
                     uint8_t *bad, tm_vec *out) {
  size_t bytes = 0;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    size_t size = 0;
    for (uint32_t i = 0; i < x->child_count; i++) size += str_at(&parts[i], row)->size;
    bad[row] = size > UINT32_MAX;
    bytes += size > TM_STR_INLINE && !bad[row] ? size : 0;
  }
  if (tm_eval_drop(e, set, bad) != 0) return -1;
  tm_str *to = tm_vec_make(e, out, 16);
  char *room = text_room(e, bytes);
  if (to == NULL || room == NULL) return -1;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    size_t size = 0;
    char head[TM_STR_INLINE];
    for (uint32_t i = 0; i < x->child_count; i++) size += str_at(&parts[i], row)->size;
    char *start = size > TM_STR_INLINE ? room : head, *at = start;
    for (uint32_t i = 0; i < x->child_count; i++) {
      const tm_str *part = str_at(&parts[i], row);
      memcpy(at, tm_str_bytes(part), part->size);
      at += part->size;
    }
    to[row] = tm_str_make(start, size);
    if (start == room) room = at;
  }
  return 0;
}

static int concat_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  tm_vec few[PARTS_FEW], *parts = few;
  if (x->child_count > PARTS_FEW) {
    parts = tm_arena_alloc(e->scratch, x->child_count * sizeof *parts);
    if (parts == NULL) return -1;
  }
  uint8_t *bad = tm_eval_marks(e);
  if (bad == NULL) return -1;
  for (uint32_t i = 0; i < x->child_count; i++) {
    parts[i] = (tm_vec){0};
    if (tm_eval_value(e, x->children[i], set, &parts[i]) != 0) return -1;
  }
  int status = join_rows(e, x, set, parts, bad, out);
  for (uint32_t i = 0; i < x->child_count; i++) tm_vec_release(e, &parts[i]);
  tm_eval_buffer_release(e, 1, bad);
  return status;
}

int tm_eval_text(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  if (x->op == TM_X_CONCAT) return concat_value(e, x, set, out);
  tm_vec a = {0};
  if (tm_eval_value(e, x->children[0], set, &a) != 0) return -1;
  int status = -1;
  switch ((tm_expr_op)x->op) {
    case TM_X_LENGTH: status = length_value(e, set, &a, out); break;
    case TM_X_SUBSTRING: status = substring_value(e, x, set, &a, out); break;
    case TM_X_BYTE: status = byte_value(e, x, set, &a, out); break;
    case TM_X_FIND: status = find_value(e, x, set, &a, out); break;
    case TM_X_LIKE: status = like_value(e, x, set, &a, out); break;
    case TM_X_LOWER: case TM_X_UPPER: status = case_value(e, x, set, &a, out); break;
    case TM_X_TEXT: status = text_value(e, x, set, &a, out); break;
    default: break;
  }
  tm_vec_release(e, &a);
  return status;
}
