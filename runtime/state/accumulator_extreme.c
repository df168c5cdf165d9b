/* state/accumulator_extreme.c: least and greatest values: plain arrays, or strings in a heap.
 *
 * A string that is replaced leaves its bytes behind; where more than half of the heap is such
 * garbage, the strings in use move to a new one. */
#include "state/accumulator_parts.h"

#include <assert.h>

typedef struct extreme_part {
  tm_part part;
  void *values;       /* of the type's width; strings: size UINT32_MAX where there is none yet */
  tm_text_heap *heap; /* strings only */
  uint64_t live;
} extreme_part;

static bool is_greatest(const tm_part *part) { return part->spec->kind == TM_PART_GREATEST; }

static bool extreme_grow(tm_part *part, uint32_t capacity) {
  extreme_part *p = (extreme_part *)part;
  if (!tm_part_array(part, &p->values, tm_type_width(part->spec->type), capacity)) return false;
  tm_accumulate_neutral(part->spec->type, is_greatest(part), p->values, part->capacity, capacity);
  return true;
}

static bool extreme_add(tm_part *part, const tm_part_rows *in) {
  extreme_part *p = (extreme_part *)part;
  tm_accumulate_extreme(&in->rows, in->value, is_greatest(part), p->values);
  return true;
}

static int extreme_merge(tm_part *part, const tm_part *from, const uint32_t *ids,
                         const uint32_t *to, uint32_t count, uint32_t groups_before,
                         uint64_t *at) {
  extreme_part *p = (extreme_part *)part;
  tm_column values = {.type = part->spec->type, .data = ((const extreme_part *)from)->values};
  tm_grouped rows = {ids, to, count};
  (void)groups_before, (void)at;
  tm_accumulate_extreme(&rows, &values, is_greatest(part), p->values);
  return 0;
}

static int extreme_seal(tm_part *part, uint32_t groups) {
  (void)groups;
  part->sealed = true;
  return 0;
}

static void extreme_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const extreme_part *p = (const extreme_part *)part;
  tm_record_put_bytes(writer, p->values, groups * tm_type_width(part->spec->type));
}

static bool extreme_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  extreme_part *p = (extreme_part *)part;
  tm_record_get_bytes(reader, p->values, groups * tm_type_width(part->spec->type));
  return true;
}

static void extreme_close(tm_part *part) {
  extreme_part *p = (extreme_part *)part;
  tm_free(part->budget, p->values, part->capacity * tm_type_width(part->spec->type));
  tm_text_heap_release(p->heap);
}

int tm_part_read_extreme(const tm_part *part, uint32_t first, uint32_t count, const uint8_t *seen,
                         tm_batch *out, uint32_t column) {
  const extreme_part *p = (const extreme_part *)part;
  tm_column *to = &out->columns[column];
  size_t width = tm_type_width(part->spec->type);
  assert(width == tm_type_width(to->type));
  if (tm_batch_column(out, column, seen != NULL) < 0) return -1;
  memcpy(to->data, (const char *)p->values + first * width, count * width);
  if (seen != NULL) memcpy(to->valid, seen + first, count);
  if (p->heap == NULL) return 0;
  for (uint32_t i = 0; i < count; i++) {
    tm_str *text = (tm_str *)to->data + i;
    if (text->size == UINT32_MAX) *text = tm_str_make("", 0); /* null, but readable */
  }
  return tm_text_heap_pin(p->heap, out);
}

static bool extreme_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  extreme_part *p = (extreme_part *)part;
  tm_type type = part->spec->type;
  part->sealed = false;
  if (ids == NULL) tm_accumulate_neutral(type, is_greatest(part), p->values, 0, count);
  for (uint32_t i = 0; ids != NULL && i < count; i++) {
    tm_accumulate_neutral(type, is_greatest(part), p->values, ids[i], ids[i] + 1);
  }
  return true;
}

const tm_part_class tm_part_class_extreme = {
  sizeof(extreme_part), extreme_grow, extreme_add, extreme_merge, extreme_seal, extreme_save,
  extreme_restore, extreme_close, extreme_clear, NULL,
};

/* ------------------------------------------------------------------ strings */

static bool text_grow(tm_part *part, uint32_t capacity) {
  extreme_part *p = (extreme_part *)part;
  if (p->heap == NULL && (p->heap = tm_text_heap_create(part->budget)) == NULL) return false;
  if (!tm_part_array(part, &p->values, sizeof(tm_str), capacity)) return false;
  tm_str *values = p->values;
  for (uint32_t i = part->capacity; i < capacity; i++) values[i].size = UINT32_MAX;
  return true;
}

static bool compact(extreme_part *p) {
  if (!tm_part_heap_is_stale(p->heap, p->live)) return true;
  tm_text_heap *heap = tm_text_heap_create(p->part.budget);
  if (heap == NULL) return false;
  tm_str *values = p->values;
  for (uint32_t i = 0; i < p->part.capacity; i++) {
    if (values[i].size == UINT32_MAX || tm_text_heap_keep(heap, &values[i], &values[i])) continue;
    /* Some strings lie in the heap that goes: after a failure only close follows. */
    tm_text_heap_release(heap);
    return false;
  }
  tm_text_heap_release(p->heap);
  p->heap = heap;
  return true;
}

static inline bool text_offer(extreme_part *p, uint32_t group, const tm_str *text) {
  tm_str *best = (tm_str *)p->values + group;
  if (best->size != UINT32_MAX) {
    int order = tm_str_compare(text, best);
    if (is_greatest(&p->part) ? order <= 0 : order >= 0) return true;
  }
  return tm_part_keep_text(p->heap, &p->live, text, best);
}

static bool text_add(tm_part *part, const tm_part_rows *in) {
  extreme_part *p = (extreme_part *)part;
  const tm_str *texts = in->value->data;
  for (uint32_t i = 0; i < in->rows.count; i++) {
    uint32_t row = in->rows.rows != NULL ? in->rows.rows[i] : i;
    if (tm_column_is_null(in->value, row)) continue;
    uint32_t group = in->rows.groups != NULL ? in->rows.groups[i] : 0;
    if (!text_offer(p, group, &texts[row])) return false;
  }
  return compact(p);
}

static int text_merge(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
                      uint32_t count, uint32_t groups_before, uint64_t *at) {
  extreme_part *p = (extreme_part *)part;
  const tm_str *texts = ((const extreme_part *)from)->values;
  (void)groups_before, (void)at;
  for (uint32_t i = 0; i < count; i++) {
    if (texts[ids[i]].size == UINT32_MAX) continue;
    if (!text_offer(p, to[i], &texts[ids[i]])) return -1;
  }
  return compact(p) ? 0 : -1;
}

static bool text_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  extreme_part *p = (extreme_part *)part;
  tm_str *values = p->values;
  part->sealed = false;
  for (uint32_t i = 0; i < count; i++) {
    tm_str *text = &values[ids == NULL ? i : ids[i]];
    if (text->size > TM_STR_INLINE && text->size != UINT32_MAX) p->live -= text->size;
    text->size = UINT32_MAX;
  }
  if (ids != NULL || p->heap == NULL || p->heap->bytes == 0) return true;
  assert(p->live == 0);
  return tm_part_new_heap(part->budget, &p->heap);
}

static void text_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const tm_str *values = ((const extreme_part *)part)->values;
  for (uint32_t i = 0; i < groups; i++) {
    bool there = values[i].size != UINT32_MAX;
    tm_record_put(writer, there);
    if (there) tm_record_put_bytes(writer, tm_str_bytes(&values[i]), values[i].size);
  }
}

static bool text_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  extreme_part *p = (extreme_part *)part;
  for (uint32_t i = 0; i < groups && !reader->failed; i++) {
    size_t size;
    if (tm_record_get(reader, 1) == 0) continue;
    const char *bytes = (const char *)tm_record_view(reader, &size);
    tm_str text = tm_str_make(bytes, size);
    if (!reader->failed && !text_offer(p, i, &text)) return false;
  }
  return true;
}

const tm_part_class tm_part_class_text_extreme = {
  sizeof(extreme_part), text_grow, text_add, text_merge, extreme_seal,
  text_save, text_restore, extreme_close, text_clear, NULL,
};
