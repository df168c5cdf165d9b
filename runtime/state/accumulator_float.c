/* state/accumulator_float.c: exact sums of floats, and of their products.
 *
 * Each entry is a tm_exact_sum: the same bits come out whatever the order of rows and however they
 * were spread over lanes. A product is taken as the double nearest to it and what that leaves, so
 * that a variance is right even where the mean is many times larger than the deviation; the two go
 * to sums of their own, for their digits lie too far apart for one to hold them quickly. */
#include "state/accumulator_parts.h"

#include <assert.h>
#include <math.h>

#include "kernel/exact_sum.h"

enum { AHEAD = 16 }; /* rows whose entries are asked for before their turn: many are not cached */

typedef struct float_part {
  tm_part part;
  tm_exact_sum *sums; /* an entry a group; of products two: of the nearest doubles and the rests */
} float_part;

static uint32_t sums_each(const tm_part *part) {
  return part->spec->kind == TM_PART_FLOATS ? 1 : 2;
}

static size_t entry_bytes(const tm_part *part) { return sums_each(part) * sizeof(tm_exact_sum); }

static void *exact_alloc(void *budget, size_t bytes) { return tm_alloc(budget, bytes); }
static void exact_free(void *budget, void *block, size_t bytes) { tm_free(budget, block, bytes); }

static tm_exact_memory memory_of(const tm_part *part) {
  return (tm_exact_memory){exact_alloc, exact_free, part->budget};
}

static bool float_grow(tm_part *part, uint32_t capacity) {
  float_part *p = (float_part *)part;
  return tm_part_array(part, &p->sums, entry_bytes(part), capacity);
}

/* values[i] of row number at + i, to sums[group * each]. */
static inline __attribute__((always_inline)) bool add_values(
    const float_part *p, const tm_part_rows *in, uint32_t at, uint32_t count,
    const double *restrict values, tm_exact_sum *sums, const uint32_t each) {
  const tm_exact_memory memory = memory_of(&p->part);
  const uint32_t *rows = in->rows.rows == NULL ? NULL : in->rows.rows + at;
  const uint32_t *groups = in->rows.groups == NULL ? NULL : in->rows.groups + at;
  const uint8_t *a = in->value->valid, *b = in->by == NULL ? NULL : in->by->valid;
  if (groups == NULL && a == NULL && b == NULL) {
    return tm_exact_sum_add_column(sums, values, NULL, count, &memory) == 0;
  }
  if (groups != NULL && a == NULL && b == NULL) {
    for (uint32_t i = 0; i < count; i++) {
      if (i + AHEAD < count) __builtin_prefetch(&sums[groups[i + AHEAD] * (size_t)each], 1);
      if (tm_exact_sum_add(&sums[groups[i] * (size_t)each], values[i], &memory) < 0) return false;
    }
    return true;
  }
  for (uint32_t i = 0; i < count; i++) {
    uint32_t row = rows == NULL ? at + i : rows[i];
    if ((a != NULL && !a[row]) || (b != NULL && !b[row])) continue;
    tm_exact_sum *sum = &sums[groups == NULL ? 0 : groups[i] * (size_t)each];
    if (tm_exact_sum_add(sum, values[i], &memory) < 0) return false;
  }
  return true;
}

/* Numbers of rows at … at+count-1 of `in`, converted unless they lie there as they are. */
static const double *doubles_of(const tm_part_rows *in, const tm_column *column, uint32_t at,
                                uint32_t count, double *scratch) {
  const uint32_t *rows = in->rows.rows;
  if (rows == NULL && column->type.kind == TM_FLOAT64) return (const double *)column->data + at;
  tm_column part = *column;
  if (rows == NULL) {
    part.data = (char *)part.data + at * tm_type_width(part.type);
    if (part.valid != NULL) part.valid += at;
  }
  tm_accumulate_doubles(&part, rows == NULL ? NULL : rows + at, count, scratch);
  return scratch;
}

static bool float_add(tm_part *part, const tm_part_rows *in) {
  float_part *p = (float_part *)part;
  double a_scratch[TM_PART_BLOCK], b_scratch[TM_PART_BLOCK];
  double products[TM_PART_BLOCK], rests[TM_PART_BLOCK];
  for (uint32_t at = 0; at < in->rows.count; at += TM_PART_BLOCK) {
    uint32_t left = in->rows.count - at, count = left < TM_PART_BLOCK ? left : TM_PART_BLOCK;
    const double *a = doubles_of(in, in->value, at, count, a_scratch);
    if (part->spec->kind == TM_PART_FLOATS) {
      if (!add_values(p, in, at, count, a, p->sums, 1)) return false;
      continue;
    }
    const double *b = in->by == in->value ? a : doubles_of(in, in->by, at, count, b_scratch);
    tm_accumulate_float_products(a, b, count, products, rests);
    if (!add_values(p, in, at, count, products, p->sums, 2)) return false;
    if (!add_values(p, in, at, count, rests, p->sums + 1, 2)) return false;
  }
  return true;
}

static inline __attribute__((always_inline)) int merge_or_take(
    tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to, uint32_t count,
    const bool take) {
  float_part *p = (float_part *)part;
  const tm_exact_memory memory = memory_of(part);
  const tm_exact_sum *sums = ((const float_part *)from)->sums;
  const size_t each = sums_each(part);
  for (uint32_t i = 0; i < count; i++) {
    for (size_t k = 0; k < each; k++) {
      tm_exact_sum *sum = &p->sums[to[i] * each + k];
      const tm_exact_sum *other = &sums[ids[i] * each + k];
      int done = take ? tm_exact_sum_unmerge(sum, other, &memory)
                      : tm_exact_sum_merge(sum, other, &memory);
      if (done < 0) return -1;
    }
  }
  return 0;
}

static int float_merge(tm_part *part, const tm_part *from, const uint32_t *ids,
                       const uint32_t *to, uint32_t count, uint32_t groups_before, uint64_t *at) {
  (void)groups_before, (void)at;
  return merge_or_take(part, from, ids, to, count, false);
}

static int float_unmerge(tm_part *part, const tm_part *from, const uint32_t *ids,
                         const uint32_t *to, uint32_t count, uint64_t *at) {
  (void)at;
  return merge_or_take(part, from, ids, to, count, true);
}

static bool float_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  float_part *p = (float_part *)part;
  const tm_exact_memory memory = memory_of(part);
  const size_t each = sums_each(part);
  part->sealed = false;
  for (uint32_t i = 0; i < count; i++) {
    tm_exact_sum *sums = &p->sums[(ids == NULL ? i : ids[i]) * each];
    for (size_t k = 0; k < each; k++) {
      if (sums[k].wide != NULL) tm_exact_sum_deinit(&sums[k], &memory);
      sums[k] = (tm_exact_sum){0};
    }
  }
  return true;
}

static int float_seal(tm_part *part, uint32_t groups) {
  (void)groups;
  part->sealed = true;
  return 0;
}

static void float_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const float_part *p = (const float_part *)part;
  uint8_t bytes[TM_EXACT_BYTES_MAX];
  for (size_t i = 0; i < (size_t)groups * sums_each(part); i++) {
    tm_record_put_bytes(writer, bytes, tm_exact_sum_write(&p->sums[i], bytes));
  }
}

static bool float_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  float_part *p = (float_part *)part;
  const tm_exact_memory memory = memory_of(part);
  for (size_t i = 0; i < (size_t)groups * sums_each(part) && !reader->failed; i++) {
    size_t size;
    const uint8_t *bytes = tm_record_view(reader, &size);
    if (reader->failed) break;
    int took = tm_exact_sum_read(&p->sums[i], bytes, size, &memory);
    if (took == -1) return false;
    if (took < 0 || (size_t)took != size) reader->failed = true;
  }
  return true;
}

static void float_close(tm_part *part) {
  float_part *p = (float_part *)part;
  const tm_exact_memory memory = memory_of(part);
  for (size_t i = 0; p->sums != NULL && i < (size_t)part->capacity * sums_each(part); i++) {
    if (p->sums[i].wide != NULL) tm_exact_sum_deinit(&p->sums[i], &memory);
  }
  tm_free(part->budget, p->sums, part->capacity * entry_bytes(part));
}

static tm_twofold pair_of(const tm_exact_sum *sum) {
  tm_twofold out;
  out.high = tm_exact_sum_result_pair(sum, &out.low);
  return out;
}

tm_twofold tm_part_float(const tm_part *part, uint32_t group) {
  assert(part->class == &tm_part_class_float);
  const tm_exact_sum *sum = ((const float_part *)part)->sums + group * (size_t)sums_each(part);
  tm_twofold out = pair_of(sum);
  return sums_each(part) == 1 ? out : tm_twofold_add(out, pair_of(sum + 1));
}

double tm_part_float_mean(const tm_part *part, uint32_t group, int64_t count) {
  tm_twofold sum = tm_part_float(part, group);
  if (!isinf(sum.high)) return tm_twofold_mean(sum, count);
  /* Infinite, or only too large to be added up as a double. */
  double small = tm_exact_sum_result_small(&((const float_part *)part)->sums[group]);
  return isinf(small) ? small : ldexp(small / (double)count, 64);
}

const tm_part_class tm_part_class_float = {
  sizeof(float_part), float_grow, float_add, float_merge, float_seal, float_save, float_restore,
  float_close, float_clear, float_unmerge,
};
