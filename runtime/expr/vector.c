/* expr/vector.c: scratch buffers, vectors and sets of rows of one evaluation.
 *
 * Buffers come from the evaluation's arena and go round through lists by width, so that a deep
 * tree needs few of them and they stay in the cache. Whoever owns a vector gives it back. */
#include "expr/vector.h"

#include "expr/loops.h"

#include <assert.h>

static int width_class(size_t width) {
  return width == 1 ? 0 : width == 4 ? 1 : width == 8 ? 2 : 3;
}

void *tm_eval_buffer(tm_eval *e, size_t width) {
  void **list = &e->spare[width_class(width)];
  void *buffer = *list;
  if (buffer != NULL) {
    memcpy(list, buffer, sizeof *list);
    return buffer;
  }
  buffer = tm_arena_alloc(e->scratch, width * e->capacity);
  if (buffer == NULL) e->failed = true;
  return buffer;
}

void tm_eval_buffer_release(tm_eval *e, size_t width, void *buffer) {
  void **list = &e->spare[width_class(width)];
  memcpy(buffer, list, sizeof *list);
  *list = buffer;
}

void *tm_vec_make(tm_eval *e, tm_vec *out, size_t width) {
  if (out->data != NULL) return out->data;
  out->data = tm_eval_buffer(e, width);
  out->data_owned = out->data == NULL ? 0 : (uint8_t)width;
  return out->data;
}

uint8_t *tm_vec_make_valid(tm_eval *e, tm_vec *out) {
  out->valid = tm_eval_buffer(e, 1);
  out->valid_owned = out->valid != NULL;
  return out->valid;
}

void tm_vec_release(tm_eval *e, tm_vec *vec) {
  if (vec->data_owned != 0) tm_eval_buffer_release(e, vec->data_owned, vec->data);
  if (vec->valid_owned) tm_eval_buffer_release(e, 1, vec->valid);
  vec->data_owned = vec->valid_owned = 0;
}

#define COPY_ROWS(NAME, T)                                                                      \
  static void NAME(const tm_rows *set, const void *from, bool constant, void *to) {             \
    const T *restrict a = from;                                                                 \
    T *restrict out = to;                                                                       \
    if (constant && set->rows == NULL) {                                                        \
      for (uint32_t i = 0; i < set->count; i++) out[i] = a[0];                                  \
    } else if (constant) {                                                                      \
      for (uint32_t k = 0; k < set->count; k++) out[set->rows[k]] = a[0];                       \
    } else if (set->rows == NULL) {                                                             \
      memcpy(out, a, set->count * sizeof *a);                                                   \
    } else {                                                                                    \
      for (uint32_t k = 0; k < set->count; k++) out[set->rows[k]] = a[set->rows[k]];            \
    }                                                                                           \
  }
COPY_ROWS(copy_1, uint8_t)
COPY_ROWS(copy_4, uint32_t)
COPY_ROWS(copy_8, uint64_t)
COPY_ROWS(copy_16, __int128)

void tm_rows_copy(const tm_rows *set, size_t width, const void *from, bool constant, void *to) {
  static void (*const copies[])(const tm_rows *, const void *, bool, void *) = {
    copy_1, copy_4, copy_8, copy_16,
  };
  if (from != to) copies[width_class(width)](set, from, constant, to);
}

int tm_vec_flatten(tm_eval *e, size_t width, const tm_rows *set, tm_vec *vec) {
  if (!vec->constant) return 0;
  const void *value = vec->data;
  vec->data = NULL;
  if (tm_vec_make(e, vec, width) == NULL) return -1;
  tm_rows_copy(set, width, value, true, vec->data);
  vec->constant = 0;
  return 0;
}

uint8_t *tm_eval_marks(tm_eval *e) {
  uint8_t *bad = tm_eval_buffer(e, 1);
  if (bad != NULL) memset(bad, 0, e->total);
  return bad;
}

int tm_eval_drop_marks(tm_eval *e, tm_rows *set, uint8_t *bad) {
  int status = tm_eval_drop(e, set, bad);
  tm_eval_buffer_release(e, 1, bad);
  return status;
}

enum { STRING_ROOM = 4096 };

bool tm_eval_string(tm_eval *e, const char *text, size_t size, tm_str *out) {
  if (size > TM_STR_INLINE) {
    if (e->string_left < size) {
      e->string_left = size > STRING_ROOM ? size : STRING_ROOM;
      e->string_at = tm_arena_alloc(e->text, e->string_left);
      if (e->string_at == NULL) {
        e->string_left = 0;
        e->failed = true;
        return false;
      }
    }
    memcpy(e->string_at, text, size);
    text = e->string_at;
    e->string_at += size;
    e->string_left -= size;
  }
  *out = tm_str_make(text, size);
  return true;
}

/* ---------------------------------------------------------------- sets of rows */

void tm_rows_release(tm_eval *e, tm_rows *set) {
  if (set->storage != NULL) tm_eval_buffer_release(e, 4, set->storage);
  *set = (tm_rows){0};
}

uint32_t *tm_rows_storage(tm_eval *e, tm_rows *set) {
  if (set->storage == NULL) set->storage = tm_eval_buffer(e, 4);
  return set->storage;
}

int tm_rows_clone(tm_eval *e, const tm_rows *set, tm_rows *out) {
  *out = (tm_rows){.count = set->count};
  if (set->rows == NULL) return 0;
  if (tm_rows_storage(e, out) == NULL) return -1;
  memcpy(out->storage, set->rows, set->count * sizeof *set->rows);
  out->rows = out->storage;
  return 0;
}

int tm_rows_subtract(tm_eval *e, const tm_rows *set, const tm_rows *without, tm_rows *out) {
  *out = (tm_rows){0};
  if (tm_rows_storage(e, out) == NULL) return -1;
  out->rows = out->storage;
  if (without->rows == NULL && without->count == e->total) return 0; /* nothing is left */
  uint32_t left = 0, skip = 0;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    if (skip < without->count && tm_rows_at(without, skip) == row) {
      skip++;
    } else if (e->missed == NULL || !e->missed[row]) {
      out->storage[left++] = row;
    }
  }
  out->count = left;
  return 0;
}

int tm_rows_union(tm_eval *e, const tm_rows *a, const tm_rows *b, tm_rows *out) {
  if (a->count == 0 || b->count == 0) return tm_rows_clone(e, a->count == 0 ? b : a, out);
  *out = (tm_rows){.count = a->count + b->count};
  if (out->count == e->total) return 0; /* they are disjoint, so these are all */
  if (tm_rows_storage(e, out) == NULL) return -1;
  out->rows = out->storage;
  uint32_t i = 0, j = 0;
  for (uint32_t k = 0; k < out->count; k++) {
    bool from_a = j == b->count || (i < a->count && tm_rows_at(a, i) < tm_rows_at(b, j));
    out->rows[k] = from_a ? tm_rows_at(a, i++) : tm_rows_at(b, j++);
  }
  return 0;
}

/* Which of eight rows hold: their numbers one behind the other, a byte each, for every pattern. */
#define BIT(m, k) ((uint64_t)((m) >> (k) & 1))
#define UP1(m) (8 * BIT(m, 0))
#define UP2(m) (UP1(m) + 8 * BIT(m, 1))
#define UP3(m) (UP2(m) + 8 * BIT(m, 2))
#define UP4(m) (UP3(m) + 8 * BIT(m, 3))
#define UP5(m) (UP4(m) + 8 * BIT(m, 4))
#define UP6(m) (UP5(m) + 8 * BIT(m, 5))
#define UP7(m) (UP6(m) + 8 * BIT(m, 6))
#define PACKED(m)                                                                                \
  (BIT(m, 1) << UP1(m) | 2 * BIT(m, 2) << UP2(m) | 3 * BIT(m, 3) << UP3(m) |                     \
   4 * BIT(m, 4) << UP4(m) | 5 * BIT(m, 5) << UP5(m) | 6 * BIT(m, 6) << UP6(m) |                 \
   7 * BIT(m, 7) << UP7(m))
#define PACKED4(m) PACKED(m), PACKED((m) + 1), PACKED((m) + 2), PACKED((m) + 3)
#define PACKED16(m) PACKED4(m), PACKED4((m) + 4), PACKED4((m) + 8), PACKED4((m) + 12)
#define PACKED64(m) PACKED16(m), PACKED16((m) + 16), PACKED16((m) + 32), PACKED16((m) + 48)
static const uint64_t packed_rows[256] = {PACKED64(0), PACKED64(64), PACKED64(128), PACKED64(192)};

/* `out` has room for n rounded up to 8: what is written behind the result is overwritten next. */
TM_CLONES static uint32_t compress_all(const uint8_t *restrict mask, uint32_t n,
                                       uint32_t *restrict out) {
  uint32_t kept = 0, i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t eight;
    memcpy(&eight, mask + i, sizeof eight);
    if (eight == 0) continue;
    /* gathers the low bits of the bytes, the first row's lowest */
    uint32_t bits = (uint32_t)(eight * UINT64_C(0x0102040810204080) >> 56);
    uint64_t rows = packed_rows[bits];
    uint32_t *to = out + kept;
    for (uint32_t k = 0; k < 8; k++) to[k] = i + (uint32_t)(rows >> 8 * k & 0xff);
    kept += (uint32_t)__builtin_popcount(bits);
  }
  for (; i < n; i++) {
    out[kept] = i;
    kept += mask[i];
  }
  return kept;
}

int tm_rows_of_mask(tm_eval *e, const tm_rows *set, const uint8_t *mask, tm_rows *out) {
  *out = (tm_rows){0};
  if (tm_rows_storage(e, out) == NULL) return -1;
  if (set->rows == NULL) {
    out->count = compress_all(mask, set->count, out->storage);
    out->rows = out->count == e->total ? NULL : out->storage;
    return 0;
  }
  uint32_t kept = 0;
  for (uint32_t k = 0; k < set->count; k++) {
    out->storage[kept] = set->rows[k];
    kept += mask[set->rows[k]];
  }
  out->rows = out->storage;
  out->count = kept;
  return 0;
}

void tm_rows_refresh(tm_eval *e, tm_rows *set) {
  if (e->missed == NULL) return;
  if (tm_rows_storage(e, set) == NULL) return; /* e->failed is set and met by the caller */
  uint32_t kept = 0;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    set->storage[kept] = row;
    kept += !e->missed[row];
  }
  set->rows = set->storage;
  set->count = kept;
}

/* ---------------------------------------------------------------- loops */

int tm_eval_binary_loop(tm_eval *e, tm_binary_loop *loop, size_t width_in, size_t width_out,
                        const tm_rows *set, tm_vec *a, tm_vec *b, tm_vec *out) {
  bool dense = tm_rows_dense(e, set);
  tm_rows all = {.count = e->total};
  if (a->constant && b->constant && tm_vec_flatten(e, width_in, dense ? &all : set, a) != 0) {
    return -1;
  }
  if (tm_vec_make(e, out, width_out) == NULL) return -1;
  loop(a->data, a->constant, b->data, b->constant, out->data, dense ? NULL : set->rows,
       dense ? e->total : set->count);
  return 0;
}

int tm_eval_unary_loop(tm_eval *e, tm_unary_loop *loop, size_t width_out, const tm_rows *set,
                       const tm_vec *a, tm_vec *out) {
  bool dense = tm_rows_dense(e, set);
  if (tm_vec_make(e, out, width_out) == NULL) return -1;
  if (a->constant) { /* only a constant that could not be folded */
    loop(a->data, out->data, NULL, 1);
    for (uint32_t k = 1; k < e->total; k++) {
      memcpy((char *)out->data + k * width_out, out->data, width_out);
    }
    return 0;
  }
  loop(a->data, out->data, dense ? NULL : set->rows, dense ? e->total : set->count);
  return 0;
}
