/* state/live_sums.c: counts and exact sums of live groups. What a batch adds to a group is summed
 * first, in arrays with an entry a touched group that stay in the cache; then each state is met
 * once. A row that is taken back is subtracted, exactly. */
#include "state/live_parts.h"

#include <assert.h>
#include <math.h>

enum { NARROW_WEIGHT = 1 << 15, BLOCK = 512 };

static inline uint32_t row_of(const tm_live_batch *b, uint32_t i) {
  return b->in->rows == NULL ? i : b->in->rows[i];
}

static const int32_t *weights_of(const tm_live_part *part, const tm_live_batch *b) {
  return b->weights[part->spec->filter + 1];
}

static const tm_column *value_of(const tm_live_part *part, const tm_live_batch *b) {
  return part->spec->input < 0 ? NULL : b->in->inputs[part->spec->input];
}

static size_t word_bytes(const tm_live_part *part) {
  (void)part;
  return sizeof(int64_t);
}

/* ------------------------------------------------------------------ ROWS, NULLS and SEEN */

static void count_rows(const tm_live_batch *b, const int32_t *weights, int64_t *restrict to) {
  const uint32_t *restrict local = b->local;
  if (weights == NULL) {
    for (uint32_t i = 0; i < b->count; i++) to[local[i]]++;
  } else {
    for (uint32_t i = 0; i < b->count; i++) to[local[i]] += weights[i];
  }
}

/* Rows whose value is there, or is not. */
static void count_values(const tm_live_batch *b, const int32_t *weights, const uint8_t *valid,
                         uint8_t wanted, int64_t *restrict to) {
  for (uint32_t i = 0; i < b->count; i++) {
    int32_t weight = weights == NULL ? 1 : weights[i];
    to[b->local[i]] += valid[row_of(b, i)] == wanted ? weight : 0;
  }
}

static tm_live_result counts_apply(tm_live_part *part, const tm_live_batch *b) {
  const tm_column *value = value_of(part, b);
  const int32_t *weights = weights_of(part, b);
  bool nulls = part->spec->kind == TM_PART_NULLS;
  memset(b->words, 0, b->touched * sizeof *b->words);
  if (value != NULL && value->valid != NULL) {
    count_values(b, weights, value->valid, !nulls, b->words);
  } else if (!nulls) {
    count_rows(b, weights, b->words);
  }
  for (uint32_t k = 0; k < b->touched; k++) {
    *(int64_t *)(void *)(b->states[k] + part->offset) += b->words[k];
  }
  return TM_LIVE_DONE;
}

static void counts_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  (void)part;
  tm_record_put(writer, *(const uint64_t *)state);
}

static int counts_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  (void)part;
  *(uint64_t *)state = tm_record_get(reader, INT64_MAX);
  return 0;
}

const tm_live_class tm_live_counts = {
  .size = sizeof(tm_live_part),
  .state_bytes = word_bytes,
  .apply = counts_apply,
  .save = counts_save,
  .restore = counts_restore,
};

/* ------------------------------------------------------------------ SUM of 64 bits, in 128 */

static size_t sums_bytes(const tm_live_part *part) {
  (void)part;
  return sizeof(__int128);
}

#define SUM(type_name, total_type, totals)                                                      \
  do {                                                                                          \
    const type_name *restrict values = value->data;                                             \
    for (uint32_t i = 0; i < b->count; i++) {                                                   \
      uint32_t row = row_of(b, i);                                                              \
      bool there = valid == NULL || valid[row];                                                 \
      total_type add = there ? values[row] : 0;                                                 \
      (totals)[b->local[i]] += weights == NULL ? add : add * weights[i];                        \
    }                                                                                           \
  } while (0)

static tm_live_result sums_apply(tm_live_part *part, const tm_live_batch *b) {
  const tm_column *value = value_of(part, b);
  const uint8_t *valid = value->valid;
  const int32_t *weights = weights_of(part, b);
  __int128 *wide = (__int128 *)(void *)b->wide;
  bool narrow = tm_type_width(value->type) == 4;
  bool words = narrow && b->weight_most <= NARROW_WEIGHT; /* 65536 rows fit 64 bits */
  if (words) {
    memset(b->words, 0, b->touched * sizeof *b->words);
    SUM(int32_t, int64_t, b->words);
  } else {
    memset(wide, 0, b->touched * sizeof *wide);
    if (narrow) SUM(int32_t, __int128, wide);
    else SUM(int64_t, __int128, wide);
  }
  for (uint32_t k = 0; k < b->touched; k++) {
    __int128 *sum = (__int128 *)(void *)(b->states[k] + part->offset);
    *sum += words ? b->words[k] : wide[k];
  }
  return TM_LIVE_DONE;
}

static void bytes_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  tm_record_put_bytes(writer, state, part->class->state_bytes(part));
}

static int bytes_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  tm_record_get_bytes(reader, state, part->class->state_bytes(part));
  return 0;
}

const tm_live_class tm_live_sums = {
  .size = sizeof(tm_live_part),
  .state_bytes = sums_bytes,
  .apply = sums_apply,
  .save = bytes_save,
  .restore = bytes_restore,
};

/* ------------------------------------------------------------------ SUM of 128 bits, PRODUCTS */

static size_t wide_bytes(const tm_live_part *part) {
  (void)part;
  return sizeof(tm_wide_sum);
}

static inline void add_to_wide(tm_wide_sum *sum, __int128 value, int64_t high) {
  unsigned __int128 low = sum->low + (unsigned __int128)value;
  sum->high += high - (value < 0) + (low < sum->low);
  sum->low = low;
}

/* value * weight, which may need 160 bits: both halves of the value apart. */
static inline void add_wide(tm_wide_sum *sum, __int128 value, int32_t weight) {
  if (weight == 1) {
    add_to_wide(sum, value, 0);
    return;
  }
  __int128 upper = (value >> 64) * weight, lower = (__int128)(uint64_t)value * weight;
  add_to_wide(sum, lower, 0);
  add_to_wide(sum, (__int128)((unsigned __int128)upper << 64), 0);
  /* What the shift lost, beyond the sign that add_to_wide saw. */
  __int128 lost = upper >> 64, seen = ((__int128)((unsigned __int128)upper << 64) < 0) ? -1 : 0;
  sum->high += (int64_t)(lost - seen);
}

static __int128 word_at(const tm_column *column, uint32_t row) {
  switch (tm_type_width(column->type)) {
    case 4: return ((const int32_t *)column->data)[row];
    case 8: return ((const int64_t *)column->data)[row];
    default: return ((const __int128 *)column->data)[row];
  }
}

static tm_live_result wide_apply(tm_live_part *part, const tm_live_batch *b) {
  const tm_column *value = value_of(part, b);
  const tm_column *by = part->spec->by < 0 ? NULL : b->in->inputs[part->spec->by];
  const int32_t *weights = weights_of(part, b);
  memset(b->wide, 0, b->touched * sizeof *b->wide);
  for (uint32_t i = 0; i < b->count; i++) {
    uint32_t row = row_of(b, i);
    int32_t weight = weights == NULL ? 1 : weights[i];
    if (weight == 0 || tm_column_is_null(value, row)) continue;
    if (by != NULL && tm_column_is_null(by, row)) continue;
    __int128 add = word_at(value, row) * (by == NULL ? 1 : word_at(by, row));
    add_wide(&b->wide[b->local[i]], add, weight);
  }
  for (uint32_t k = 0; k < b->touched; k++) {
    tm_wide_sum *sum = (tm_wide_sum *)(void *)(b->states[k] + part->offset);
    unsigned __int128 low = sum->low + b->wide[k].low;
    sum->high += b->wide[k].high + (low < sum->low);
    sum->low = low;
  }
  return TM_LIVE_DONE;
}

/* The bytes between the numbers are not saved. */
static void wide_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  const tm_wide_sum *sum = state;
  (void)part;
  tm_record_put_bytes(writer, &sum->low, sizeof sum->low);
  tm_record_put_bytes(writer, &sum->high, sizeof sum->high);
}

static int wide_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  tm_wide_sum *sum = state;
  (void)part;
  tm_record_get_bytes(reader, &sum->low, sizeof sum->low);
  tm_record_get_bytes(reader, &sum->high, sizeof sum->high);
  return 0;
}

const tm_live_class tm_live_wide_sums = {
  .size = sizeof(tm_live_part),
  .state_bytes = wide_bytes,
  .apply = wide_apply,
  .save = wide_save,
  .restore = wide_restore,
};

tm_wide_sum tm_live_sum(const tm_live_part *part, const char *state) {
  const void *at = tm_live_state(part, state);
  if (part->class == &tm_live_wide_sums) return *(const tm_wide_sum *)at;
  assert(part->class == &tm_live_sums);
  __int128 sum = *(const __int128 *)at;
  return (tm_wide_sum){(unsigned __int128)sum, -(sum < 0)};
}

/* ------------------------------------------------------------------ FLOATS */

typedef struct float_part {
  tm_live_part part;
  tm_slab slab; /* of sums that are wide */
} float_part;

static size_t floats_bytes(const tm_live_part *part) {
  return (part->class == &tm_live_floats ? 1 : 2) * sizeof(tm_exact_sum);
}

static bool floats_open(tm_live_part *part) {
  tm_slab_init(&((float_part *)part)->slab, part->budget);
  return true;
}

static void floats_close(tm_live_part *part) { tm_slab_deinit(&((float_part *)part)->slab); }

static void *slab_alloc(void *slab, size_t bytes) { return tm_slab_alloc(slab, bytes); }
static void slab_free(void *slab, void *block, size_t bytes) { tm_slab_free(slab, block, bytes); }

static tm_exact_memory memory_of(const tm_live_part *part) {
  return (tm_exact_memory){slab_alloc, slab_free, &((float_part *)(uintptr_t)part)->slab};
}

static int change(tm_exact_sum *sum, double value, bool remove, const tm_exact_memory *memory) {
  return remove ? tm_exact_sum_remove(sum, value, memory) : tm_exact_sum_add(sum, value, memory);
}

/* `weight` times: as powers of two of the value where these are exact. */
static int add_weighted(tm_exact_sum *sum, double value, int32_t weight,
                        const tm_exact_memory *memory) {
  uint32_t times = weight < 0 ? 0 - (uint32_t)weight : (uint32_t)weight;
  if (times == 1) return change(sum, value, weight < 0, memory);
  bool doubles = isfinite(value) && fabs(value) < 0x1p900;
  for (uint32_t power = 0; doubles && times != 0; power++, times >>= 1) {
    if ((times & 1) == 0) continue;
    if (change(sum, ldexp(value, (int)power), weight < 0, memory) < 0) return -1;
  }
  for (; times > 0; times--) {
    if (change(sum, value, weight < 0, memory) < 0) return -1;
  }
  return 0;
}

static tm_live_result floats_apply(tm_live_part *part, const tm_live_batch *b) {
  const tm_exact_memory memory = memory_of(part);
  const tm_column *value = value_of(part, b);
  const int32_t *weights = weights_of(part, b);
  double scratch[BLOCK];
  for (uint32_t at = 0; at < b->count; at += BLOCK) {
    uint32_t count = b->count - at < BLOCK ? b->count - at : BLOCK;
    uint32_t listed[BLOCK];
    for (uint32_t i = 0; i < count; i++) listed[i] = row_of(b, at + i);
    tm_accumulate_doubles(value, listed, count, scratch);
    for (uint32_t i = 0; i < count; i++) {
      int32_t weight = weights == NULL ? 1 : weights[at + i];
      if (weight == 0 || tm_column_is_null(value, listed[i])) continue;
      void *state = b->states[b->local[at + i]] + part->offset;
      if (add_weighted(state, scratch[i], weight, &memory) < 0) return TM_LIVE_MEMORY;
    }
  }
  return TM_LIVE_DONE;
}

static tm_live_result products_apply(tm_live_part *part, const tm_live_batch *b) {
  const tm_exact_memory memory = memory_of(part);
  const tm_column *value = value_of(part, b), *by = b->in->inputs[part->spec->by];
  const int32_t *weights = weights_of(part, b);
  double x[BLOCK], y[BLOCK], products[BLOCK], rests[BLOCK];
  uint32_t listed[BLOCK];
  for (uint32_t at = 0; at < b->count; at += BLOCK) {
    uint32_t count = b->count - at < BLOCK ? b->count - at : BLOCK;
    for (uint32_t i = 0; i < count; i++) listed[i] = row_of(b, at + i);
    tm_accumulate_doubles(value, listed, count, x);
    tm_accumulate_doubles(by, listed, count, y);
    tm_accumulate_float_products(x, y, count, products, rests);
    for (uint32_t i = 0; i < count; i++) {
      int32_t weight = weights == NULL ? 1 : weights[at + i];
      if (weight == 0 || tm_column_is_null(value, listed[i])) continue;
      if (tm_column_is_null(by, listed[i])) continue;
      tm_exact_sum *sums =
          (tm_exact_sum *)(void *)(b->states[b->local[at + i]] + part->offset);
      if (add_weighted(&sums[0], products[i], weight, &memory) < 0 ||
          add_weighted(&sums[1], rests[i], weight, &memory) < 0) {
        return TM_LIVE_MEMORY;
      }
    }
  }
  return TM_LIVE_DONE;
}

static void floats_drop(tm_live_part *part, void *state) {
  const tm_exact_memory memory = memory_of(part);
  tm_exact_sum *sums = state;
  for (size_t i = 0; i < floats_bytes(part) / sizeof *sums; i++) {
    if (sums[i].wide != NULL) tm_exact_sum_deinit(&sums[i], &memory);
  }
}

static void floats_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  uint8_t bytes[TM_EXACT_BYTES_MAX];
  const tm_exact_sum *sums = state;
  for (size_t i = 0; i < floats_bytes(part) / sizeof *sums; i++) {
    tm_record_put_bytes(writer, bytes, tm_exact_sum_write(&sums[i], bytes));
  }
}

static int floats_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  const tm_exact_memory memory = memory_of(part);
  tm_exact_sum *sums = state;
  for (size_t i = 0; i < floats_bytes(part) / sizeof *sums && !reader->failed; i++) {
    size_t size = 0;
    const uint8_t *bytes = tm_record_view(reader, &size);
    if (reader->failed) break;
    int took = tm_exact_sum_read(&sums[i], bytes, size, &memory);
    if (took == -1) return -1;
    if (took < 0 || (size_t)took != size) reader->failed = true;
  }
  return 0;
}

const tm_live_class tm_live_floats = {
  .size = sizeof(float_part),
  .state_bytes = floats_bytes,
  .open = floats_open,
  .apply = floats_apply,
  .drop = floats_drop,
  .save = floats_save,
  .restore = floats_restore,
  .close = floats_close,
};

const tm_live_class tm_live_float_products = {
  .size = sizeof(float_part),
  .state_bytes = floats_bytes,
  .open = floats_open,
  .apply = products_apply,
  .drop = floats_drop,
  .save = floats_save,
  .restore = floats_restore,
  .close = floats_close,
};

static tm_twofold pair_of(const tm_exact_sum *sum) {
  tm_twofold out;
  out.high = tm_exact_sum_result_pair(sum, &out.low);
  return out;
}

tm_twofold tm_live_float(const tm_live_part *part, const char *state) {
  const tm_exact_sum *sums = tm_live_state(part, state);
  tm_twofold out = pair_of(sums);
  return part->class == &tm_live_floats ? out : tm_twofold_add(out, pair_of(sums + 1));
}

double tm_live_float_mean(const tm_live_part *part, const char *state, int64_t count) {
  tm_twofold sum = tm_live_float(part, state);
  if (!isinf(sum.high)) return tm_twofold_mean(sum, count);
  /* Infinite, or only too large to be added up as a double. */
  double small = tm_exact_sum_result_small(tm_live_state(part, state));
  return isinf(small) ? small : ldexp(small / (double)count, 64);
}
