/* expr/probe.c: hash probes into constant tables.
 *
 * Open addressing with a load of at most a half; integers that lie close together index an array
 * instead, which costs one load a row. */
#include "expr/probe.h"

#include "base/hash.h"
#include "expr/vector.h"

enum { DENSE_SPAN_MAX = 4096 };

static uint64_t hash_text(const tm_str *s) {
  if (s->size > TM_STR_INLINE) return tm_hash_bytes(s->pointer, s->size);
  return tm_hash_fold(s->words[0] ^ TM_HASH_A, s->words[1] ^ TM_HASH_B);
}

static int64_t key_word(tm_type key, const tm_constant *value) {
  return key.kind == TM_DATE ? value->i32 : value->i64;
}

/* An array in physical form, behind `skip` zeros. */
static void *copy_values(tm_arena *arena, tm_type type, uint32_t skip, uint32_t count,
                         const tm_constant *from) {
  size_t width = tm_type_width(type);
  char *values = tm_arena_zero(arena, (skip + count) * width + 1);
  for (uint32_t i = 0; i < count && values != NULL; i++) {
    memcpy(values + (skip + i) * width, &from[i], width);
  }
  return values;
}

static bool fill_slots(tm_probe *probe, tm_arena *arena) {
  uint32_t slots = 8;
  while (slots < 2 * probe->count) slots *= 2;
  uint32_t *slot_of = tm_arena_zero(arena, slots * sizeof *slot_of);
  if (slot_of == NULL) return false;
  probe->mask = slots - 1;
  for (uint32_t i = 0; i < probe->count; i++) {
    uint64_t hash = probe->texts != NULL ? hash_text(&probe->texts[i])
                                         : tm_hash_u64(probe->words[i]);
    uint64_t at = hash & probe->mask;
    while (slot_of[at] != 0) at = (at + 1) & probe->mask;
    slot_of[at] = i + 1;
  }
  probe->slot_of = slot_of;
  return true;
}

static bool fill_span(tm_probe *probe, tm_arena *arena, int64_t least, uint32_t span) {
  uint32_t *slot_of = tm_arena_zero(arena, span * sizeof *slot_of);
  if (slot_of == NULL) return false;
  for (uint32_t i = 0; i < probe->count; i++) slot_of[(int64_t)probe->words[i] - least] = i + 1;
  probe->slot_of = slot_of;
  probe->least = least;
  probe->span = span;
  return true;
}

tm_probe *tm_probe_create(tm_arena *arena, tm_type key, tm_type value, const char *name,
                                uint32_t count, const tm_constant *keys,
                                const tm_constant *values) {
  tm_probe *probe = tm_arena_zero(arena, sizeof *probe);
  if (probe == NULL) return NULL;
  *probe = (tm_probe){.key = key, .value = value, .name = name, .count = count};
  probe->values = copy_values(arena, value, 1, count, values);
  if (probe->values == NULL) return NULL;
  if (key.kind == TM_STRING) {
    probe->texts = copy_values(arena, key, 0, count, keys);
    return probe->texts != NULL && fill_slots(probe, arena) ? probe : NULL;
  }
  uint64_t *words = tm_arena_alloc(arena, count * sizeof *words + 1);
  if (words == NULL) return NULL;
  int64_t least = INT64_MAX, most = INT64_MIN;
  for (uint32_t i = 0; i < count; i++) {
    int64_t word = key_word(key, &keys[i]);
    words[i] = (uint64_t)word;
    if (word < least) least = word;
    if (word > most) most = word;
  }
  probe->words = words;
  uint64_t span = count == 0 ? 0 : (uint64_t)most - (uint64_t)least;
  bool dense = count > 0 && span < DENSE_SPAN_MAX;
  if (dense ? !fill_span(probe, arena, least, (uint32_t)span + 1) : !fill_slots(probe, arena)) {
    return NULL;
  }
  return probe;
}

/* ---------------------------------------------------------------- evaluation */

/* Index of the entry + 1; 0: none. */
static uint32_t find_word(const tm_probe *probe, int64_t word) {
  if (probe->span != 0) {
    uint64_t at = (uint64_t)word - (uint64_t)probe->least;
    return at < probe->span ? probe->slot_of[at] : 0;
  }
  uint64_t at = tm_hash_u64((uint64_t)word) & probe->mask;
  while (probe->slot_of[at] != 0 && probe->words[probe->slot_of[at] - 1] != (uint64_t)word) {
    at = (at + 1) & probe->mask;
  }
  return probe->slot_of[at];
}

static uint32_t find_text(const tm_probe *probe, const tm_str *text) {
  uint64_t at = hash_text(text) & probe->mask;
  while (probe->slot_of[at] != 0 && !tm_str_equal(&probe->texts[probe->slot_of[at] - 1], text)) {
    at = (at + 1) & probe->mask;
  }
  return probe->slot_of[at];
}

/* A load a row, whatever the key: what lies outside reads the first slot for nothing. */
static void find_in_span(const tm_probe *probe, const tm_rows *set, const int64_t *restrict keys,
                         uint32_t *restrict found) {
  const uint32_t *restrict slot_of = probe->slot_of;
  uint64_t least = (uint64_t)probe->least, span = probe->span;
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k);
    uint64_t at = (uint64_t)keys[row] - least;
    uint32_t inside = at < span;
    found[row] = slot_of[inside ? at : 0] & (0 - inside);
  }
}

static void find_rows(const tm_probe *probe, const tm_rows *set, const tm_vec *keys,
                      uint32_t *found) {
  if (probe->span != 0 && probe->key.kind == TM_INT64 && !keys->constant) {
    find_in_span(probe, set, keys->data, found);
    return;
  }
  for (uint32_t k = 0; k < set->count; k++) {
    uint32_t row = tm_rows_at(set, k), i = keys->constant ? 0 : row;
    if (probe->key.kind == TM_STRING) {
      found[row] = find_text(probe, (const tm_str *)keys->data + i);
    } else if (probe->key.kind == TM_DATE) {
      found[row] = find_word(probe, ((const int32_t *)keys->data)[i]);
    } else {
      found[row] = find_word(probe, ((const int64_t *)keys->data)[i]);
    }
  }
}

#define FETCH(NAME, T)                                                                      \
  static void NAME(const tm_rows *set, const uint32_t *restrict found, const void *values,  \
                   uint8_t *restrict valid, void *out) {                                    \
    const T *restrict from = values;                                                        \
    T *restrict to = out;                                                                   \
    for (uint32_t k = 0; k < set->count; k++) {                                             \
      uint32_t row = tm_rows_at(set, k), entry = found[row];                                \
      valid[row] = entry != 0;                                                              \
      to[row] = from[entry]; /* of 0 the zero in front */                                   \
    }                                                                                       \
  }
FETCH(fetch_1, uint8_t)
FETCH(fetch_4, uint32_t)
FETCH(fetch_8, uint64_t)
FETCH(fetch_16, __int128)

int tm_eval_probe(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out) {
  const tm_probe *probe = x->aux;
  tm_vec keys = {0};
  if (tm_eval_value(e, x->children[0], set, &keys) != 0) return -1;
  size_t width = tm_type_width(probe->value);
  uint32_t *found = tm_eval_buffer(e, 4);
  void *to = tm_vec_make(e, out, width);
  uint8_t *valid = tm_vec_make_valid(e, out);
  if (found == NULL || to == NULL || valid == NULL) return -1;
  find_rows(probe, set, &keys, found);
  if (width == 1) fetch_1(set, found, probe->values, valid, to);
  if (width == 4) fetch_4(set, found, probe->values, valid, to);
  if (width == 8) fetch_8(set, found, probe->values, valid, to);
  if (width == 16) fetch_16(set, found, probe->values, valid, to);
  out->wide = tm_type_physical(probe->value) == TM_PHYSICAL_I128;
  out->bits = out->wide ? 127 : (uint8_t)(probe->value.precision * 3322 / 1000 + 1);
  tm_eval_buffer_release(e, 4, found);
  tm_vec_release(e, &keys);
  return 0;
}
