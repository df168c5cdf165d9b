/* state/accumulator_sum.c: exact sums of integers: values of 64 bits and products of two int32 in
 * an array of int64, long decimals and other products in one of 128 bits.
 *
 * Where an entry overflows, it wraps and the wrap is counted beside it: the sum is
 * carry * 2^64 + entry (or 2^128). Carries have an array only once there is one. Whether the total
 * fits the result's type is asked at the end, so what came in between does not matter. */
#include "state/accumulator_parts.h"

#include <assert.h>

typedef struct sum_part {
  tm_part part;
  void *sums; /* int64_t or __int128 */
  int64_t *carries;
} sum_part;

static bool is_wide(const tm_part *part) { return part->class == &tm_part_class_wide_sum; }
static size_t sum_width(const tm_part *part) { return is_wide(part) ? 16 : 8; }

static bool sum_grow(tm_part *part, uint32_t capacity) {
  sum_part *p = (sum_part *)part;
  if (p->carries != NULL && !tm_part_array(part, &p->carries, sizeof *p->carries, capacity)) {
    return false;
  }
  if (tm_part_array(part, &p->sums, sum_width(part), capacity)) return true;
  if (p->carries != NULL) {
    p->carries = tm_realloc(part->budget, p->carries, capacity * sizeof *p->carries,
                            part->capacity * sizeof *p->carries);
  }
  return false;
}

static bool make_carries(sum_part *p) {
  if (p->carries != NULL) return true;
  p->carries = tm_alloc_zero(p->part.budget, p->part.capacity * sizeof *p->carries);
  return p->carries != NULL;
}

/* Adds with a wrap. false when out of memory. */
static bool add_word(sum_part *p, uint32_t group, int64_t value, int64_t carry) {
  int64_t *sum = (int64_t *)p->sums + group;
  if (__builtin_add_overflow(*sum, value, sum)) carry += value < 0 ? -1 : 1;
  if (carry == 0) return true;
  if (!make_carries(p)) return false;
  p->carries[group] += carry;
  return true;
}

static bool add_wide(sum_part *p, uint32_t group, __int128 value, int64_t carry) {
  __int128 *sum = (__int128 *)p->sums + group;
  if (__builtin_add_overflow(*sum, value, sum)) carry += value < 0 ? -1 : 1;
  if (carry == 0) return true;
  if (!make_carries(p)) return false;
  p->carries[group] += carry;
  return true;
}

static int64_t word_of(const tm_column *column, uint32_t row) {
  return tm_type_width(column->type) == 4 ? ((const int32_t *)column->data)[row]
                                          : ((const int64_t *)column->data)[row];
}

/* The row at which a loop stopped. */
static bool add_one(sum_part *p, const tm_part_rows *in, uint32_t i) {
  uint32_t row = in->rows.rows != NULL ? in->rows.rows[i] : i;
  uint32_t group = in->rows.groups != NULL ? in->rows.groups[i] : 0;
  if (p->part.spec->kind == TM_PART_PRODUCTS) {
    __int128 product = (__int128)word_of(in->value, row) * word_of(in->by, row);
    return is_wide(&p->part) ? add_wide(p, group, product, 0)
                             : add_word(p, group, (int64_t)product, 0);
  }
  if (is_wide(&p->part)) return add_wide(p, group, ((const __int128 *)in->value->data)[row], 0);
  return add_word(p, group, word_of(in->value, row), 0);
}

static bool sum_add(tm_part *part, const tm_part_rows *in) {
  sum_part *p = (sum_part *)part;
  uint32_t done = 0;
  while (done < in->rows.count) {
    if (part->spec->kind == TM_PART_PRODUCTS && !is_wide(part)) {
      done = tm_accumulate_narrow_products(&in->rows, in->value, in->by, done, p->sums);
    } else if (part->spec->kind == TM_PART_PRODUCTS) {
      done = tm_accumulate_products(&in->rows, in->value, in->by, done, p->sums);
    } else if (is_wide(part)) {
      done = tm_accumulate_sum_wide(&in->rows, in->value, done, p->sums);
    } else {
      done = tm_accumulate_sum(&in->rows, in->value, done, p->sums);
    }
    if (done == in->rows.count) break;
    if (!add_one(p, in, done++)) return false;
  }
  return true;
}

static int sum_merge(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
                     uint32_t count, uint32_t groups_before, uint64_t *at) {
  sum_part *p = (sum_part *)part;
  const sum_part *f = (const sum_part *)from;
  (void)groups_before, (void)at;
  for (uint32_t i = 0; i < count; i++) {
    int64_t carry = f->carries == NULL ? 0 : f->carries[ids[i]];
    bool added = is_wide(part) ? add_wide(p, to[i], ((__int128 *)f->sums)[ids[i]], carry)
                               : add_word(p, to[i], ((int64_t *)f->sums)[ids[i]], carry);
    if (!added) return -1;
  }
  return 0;
}

static int sum_seal(tm_part *part, uint32_t groups) {
  (void)groups;
  part->sealed = true;
  return 0;
}

static void sum_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const sum_part *p = (const sum_part *)part;
  tm_record_put_bytes(writer, p->sums, groups * sum_width(part));
  tm_record_put(writer, p->carries != NULL);
  if (p->carries != NULL) tm_record_put_bytes(writer, p->carries, groups * sizeof *p->carries);
}

static bool sum_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  sum_part *p = (sum_part *)part;
  tm_record_get_bytes(reader, p->sums, groups * sum_width(part));
  if (tm_record_get(reader, 1) == 0) return true;
  if (!make_carries(p)) return false;
  tm_record_get_bytes(reader, p->carries, groups * sizeof *p->carries);
  return true;
}

static void sum_close(tm_part *part) {
  sum_part *p = (sum_part *)part;
  tm_free(part->budget, p->sums, part->capacity * sum_width(part));
  tm_free(part->budget, p->carries, part->capacity * sizeof *p->carries);
}

static bool sum_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  sum_part *p = (sum_part *)part;
  size_t width = sum_width(part);
  part->sealed = false;
  if (ids == NULL && count > 0) {
    memset(p->sums, 0, count * width);
    if (p->carries != NULL) memset(p->carries, 0, count * sizeof *p->carries);
  }
  for (uint32_t i = 0; ids != NULL && i < count; i++) {
    memset((char *)p->sums + ids[i] * width, 0, width);
    if (p->carries != NULL) p->carries[ids[i]] = 0;
  }
  return true;
}

/* Subtracts with a wrap: as add_word with the opposite, which the least number has none of. */
static bool take_word(sum_part *p, uint32_t group, int64_t value, int64_t carry) {
  int64_t *sum = (int64_t *)p->sums + group;
  if (__builtin_sub_overflow(*sum, value, sum)) carry += value < 0 ? -1 : 1;
  if (carry == 0) return true;
  if (!make_carries(p)) return false;
  p->carries[group] -= carry;
  return true;
}

static bool take_wide(sum_part *p, uint32_t group, __int128 value, int64_t carry) {
  __int128 *sum = (__int128 *)p->sums + group;
  if (__builtin_sub_overflow(*sum, value, sum)) carry += value < 0 ? -1 : 1;
  if (carry == 0) return true;
  if (!make_carries(p)) return false;
  p->carries[group] -= carry;
  return true;
}

static int sum_unmerge(tm_part *part, const tm_part *from, const uint32_t *ids,
                       const uint32_t *to, uint32_t count, uint64_t *at) {
  sum_part *p = (sum_part *)part;
  const sum_part *f = (const sum_part *)from;
  (void)at;
  for (uint32_t i = 0; i < count; i++) {
    int64_t carry = f->carries == NULL ? 0 : f->carries[ids[i]];
    bool taken = is_wide(part) ? take_wide(p, to[i], ((__int128 *)f->sums)[ids[i]], carry)
                               : take_word(p, to[i], ((int64_t *)f->sums)[ids[i]], carry);
    if (!taken) return -1;
  }
  return 0;
}

tm_wide_sum tm_part_sum(const tm_part *part, uint32_t group) {
  const sum_part *p = (const sum_part *)part;
  int64_t carry = p->carries == NULL ? 0 : p->carries[group];
  if (is_wide(part)) {
    __int128 sum = ((const __int128 *)p->sums)[group];
    return (tm_wide_sum){(unsigned __int128)sum, carry - (sum < 0)};
  }
  assert(part->class == &tm_part_class_sum);
  __int128 sum = (__int128)carry * ((__int128)1 << 64) + ((const int64_t *)p->sums)[group];
  return (tm_wide_sum){(unsigned __int128)sum, -(sum < 0)};
}

const tm_part_class tm_part_class_sum = {
  sizeof(sum_part), sum_grow, sum_add, sum_merge, sum_seal, sum_save, sum_restore, sum_close,
  sum_clear, sum_unmerge,
};

const tm_part_class tm_part_class_wide_sum = {
  sizeof(sum_part), sum_grow, sum_add, sum_merge, sum_seal, sum_save, sum_restore, sum_close,
  sum_clear, sum_unmerge,
};
