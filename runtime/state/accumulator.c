/* state/accumulator.c: making parts, and the plainest of them: counts, and whether there was one.
 *
 * SEEN has no array as long as every row had a value: then a group has one because it exists. The
 * first batch with a null, or a filter, makes the array. */
#include "state/accumulator_parts.h"

#include <assert.h>

static const tm_part_class *class_of(const tm_part_spec *spec) {
  bool text = tm_type_physical(spec->type) == TM_PHYSICAL_STR;
  switch (spec->kind) {
    case TM_PART_ROWS:
    case TM_PART_NULLS: return &tm_part_class_count;
    case TM_PART_SEEN: return &tm_part_class_seen;
    case TM_PART_SUM:
      return tm_type_physical(spec->type) == TM_PHYSICAL_I128 ? &tm_part_class_wide_sum
                                                              : &tm_part_class_sum;
    case TM_PART_PRODUCTS:
      return tm_type_width(spec->type) == 4 && tm_type_width(spec->by_type) == 4
                 ? &tm_part_class_sum : &tm_part_class_wide_sum;
    case TM_PART_FLOATS:
    case TM_PART_FLOAT_PRODUCTS: return &tm_part_class_float;
    case TM_PART_LEAST:
    case TM_PART_GREATEST: return text ? &tm_part_class_text_extreme : &tm_part_class_extreme;
    case TM_PART_FIRST:
    case TM_PART_LAST:
    case TM_PART_ARG_LEAST:
    case TM_PART_ARG_GREATEST: return &tm_part_class_pick;
    case TM_PART_VALUES: return &tm_part_class_values;
    case TM_PART_DISTINCT: return &tm_part_class_distinct;
  }
  assert(!"unknown kind of part");
  return NULL;
}

tm_part *tm_part_create(tm_budget *budget, const tm_part_spec *spec) {
  const tm_part_class *class = class_of(spec);
  tm_part *part = tm_alloc_zero(budget, class->size);
  if (part == NULL) return NULL;
  part->class = class;
  part->spec = spec;
  part->budget = budget;
  return part;
}

void tm_part_destroy(tm_part *part) {
  if (part == NULL) return;
  part->class->close(part);
  tm_free(part->budget, part, part->class->size);
}

bool tm_part_array(const tm_part *part, void *array, size_t width, uint32_t capacity) {
  void *old, *grown;
  size_t old_bytes = part->capacity * width, bytes = capacity * width;
  memcpy(&old, array, sizeof old);
  grown = tm_realloc(part->budget, old, old == NULL ? 0 : old_bytes, bytes);
  if (grown == NULL) return false;
  memset((char *)grown + old_bytes, 0, bytes - old_bytes);
  memcpy(array, &grown, sizeof grown);
  return true;
}

int tm_part_read(const tm_part *part, uint32_t first, uint32_t count, const uint8_t *seen,
                 tm_batch *out, uint32_t column) {
  if (part->class == &tm_part_class_pick) {
    return tm_part_read_pick(part, first, count, out, column);
  }
  return tm_part_read_extreme(part, first, count, seen, out, column);
}

/* ------------------------------------------------------------------ ROWS and NULLS */

typedef struct count_part {
  tm_part part;
  int64_t *counts;
} count_part;

static bool count_grow(tm_part *part, uint32_t capacity) {
  count_part *p = (count_part *)part;
  return tm_part_array(part, &p->counts, sizeof *p->counts, capacity);
}

static bool count_add(tm_part *part, const tm_part_rows *in) {
  count_part *p = (count_part *)part;
  if (part->spec->kind == TM_PART_ROWS) tm_accumulate_count(&in->rows, p->counts);
  else tm_accumulate_nulls(&in->rows, in->value->valid, p->counts);
  return true;
}

static int count_merge(tm_part *part, const tm_part *from, const uint32_t *ids,
                       const uint32_t *to, uint32_t count, uint32_t groups_before, uint64_t *at) {
  count_part *p = (count_part *)part;
  const count_part *f = (const count_part *)from;
  (void)groups_before, (void)at;
  for (uint32_t i = 0; i < count; i++) p->counts[to[i]] += f->counts[ids[i]];
  return 0;
}

static int count_seal(tm_part *part, uint32_t groups) {
  (void)groups;
  part->sealed = true;
  return 0;
}

static void count_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const count_part *p = (const count_part *)part;
  tm_record_put_bytes(writer, p->counts, groups * sizeof *p->counts);
}

static bool count_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  count_part *p = (count_part *)part;
  tm_record_get_bytes(reader, p->counts, groups * sizeof *p->counts);
  return true;
}

static void count_close(tm_part *part) {
  count_part *p = (count_part *)part;
  tm_free(part->budget, p->counts, part->capacity * sizeof *p->counts);
}

static bool count_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  count_part *p = (count_part *)part;
  part->sealed = false;
  if (ids == NULL && count > 0) memset(p->counts, 0, count * sizeof *p->counts);
  for (uint32_t i = 0; ids != NULL && i < count; i++) p->counts[ids[i]] = 0;
  return true;
}

static int count_unmerge(tm_part *part, const tm_part *from, const uint32_t *ids,
                         const uint32_t *to, uint32_t count, uint64_t *at) {
  count_part *p = (count_part *)part;
  const count_part *f = (const count_part *)from;
  (void)at;
  for (uint32_t i = 0; i < count; i++) p->counts[to[i]] -= f->counts[ids[i]];
  return 0;
}

const int64_t *tm_part_counts(const tm_part *part) {
  if (part->class == &tm_part_class_distinct) return tm_part_distinct_counts(part);
  assert(part->class == &tm_part_class_count);
  return ((const count_part *)part)->counts;
}

const tm_part_class tm_part_class_count = {
  sizeof(count_part), count_grow, count_add, count_merge, count_seal, count_save, count_restore,
  count_close, count_clear, count_unmerge,
};

/* ------------------------------------------------------------------ SEEN */

typedef struct seen_part {
  tm_part part;
  uint8_t *seen; /* NULL: every group has a value */
} seen_part;

/* The groups that there were had values, all of them, or there would be an array. */
static bool seen_make(seen_part *p, uint32_t groups_before) {
  if (p->seen != NULL) return true;
  p->seen = tm_alloc_zero(p->part.budget, p->part.capacity);
  if (p->seen == NULL) return false;
  memset(p->seen, 1, groups_before);
  return true;
}

static bool seen_grow(tm_part *part, uint32_t capacity) {
  seen_part *p = (seen_part *)part;
  return p->seen == NULL || tm_part_array(part, &p->seen, 1, capacity);
}

static bool seen_add(tm_part *part, const tm_part_rows *in) {
  seen_part *p = (seen_part *)part;
  bool all = in->value->valid == NULL && part->spec->filter < 0;
  if (p->seen == NULL && all) return true;
  if (!seen_make(p, in->groups_before)) return false;
  tm_accumulate_seen(&in->rows, in->value->valid, p->seen);
  return true;
}

static int seen_merge(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
                      uint32_t count, uint32_t groups_before, uint64_t *at) {
  seen_part *p = (seen_part *)part;
  const seen_part *f = (const seen_part *)from;
  (void)at;
  if (p->seen == NULL && f->seen == NULL) return 0;
  if (!seen_make(p, groups_before)) return -1;
  for (uint32_t i = 0; i < count; i++) p->seen[to[i]] |= f->seen == NULL ? 1 : f->seen[ids[i]];
  return 0;
}

static void seen_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const seen_part *p = (const seen_part *)part;
  tm_record_put(writer, p->seen != NULL);
  if (p->seen != NULL) tm_record_put_bytes(writer, p->seen, groups);
}

static bool seen_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  seen_part *p = (seen_part *)part;
  if (tm_record_get(reader, 1) == 0) return true;
  if (!seen_make(p, groups)) return false;
  tm_record_get_bytes(reader, p->seen, groups);
  return true;
}

static void seen_close(tm_part *part) {
  tm_free(part->budget, ((seen_part *)part)->seen, part->capacity);
}

static bool seen_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  seen_part *p = (seen_part *)part;
  part->sealed = false;
  if (ids == NULL) { /* without an array, as at first */
    tm_free(part->budget, p->seen, part->capacity);
    p->seen = NULL;
    return true;
  }
  if (!seen_make(p, part->capacity)) return false;
  for (uint32_t i = 0; i < count; i++) p->seen[ids[i]] = 0;
  return true;
}

const uint8_t *tm_part_seen(const tm_part *part) {
  assert(part->class == &tm_part_class_seen);
  return ((const seen_part *)part)->seen;
}

bool tm_part_seen_none(tm_part *part) { return seen_make((seen_part *)part, 0); }

const tm_part_class tm_part_class_seen = {
  sizeof(seen_part), seen_grow, seen_add, seen_merge, count_seal, seen_save, seen_restore,
  seen_close, seen_clear, NULL,
};

/* ------------------------------------------------------------------ strings that are replaced */

bool tm_part_keep_text(tm_text_heap *heap, uint64_t *live, const tm_str *text, tm_str *old) {
  tm_str kept;
  if (!tm_text_heap_keep(heap, text, &kept)) return false;
  if (old->size > TM_STR_INLINE && old->size != UINT32_MAX) *live -= old->size;
  if (kept.size > TM_STR_INLINE) *live += kept.size;
  *old = kept;
  return true;
}

bool tm_part_new_heap(tm_budget *budget, tm_text_heap **heap) {
  tm_text_heap *new = tm_text_heap_create(budget);
  if (new == NULL) return false;
  tm_text_heap_release(*heap);
  *heap = new;
  return true;
}

bool tm_part_heap_is_stale(const tm_text_heap *heap, uint64_t live) {
  return heap->bytes > 2 * live + (1 << 20);
}
