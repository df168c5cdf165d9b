/* state/accumulator_pick.c: one value a group, picked by its place: first and last in the source's
 * order, and the value where another column is least or greatest.
 *
 * A row's place is its event time where rows have one, else (source and file, line or record
 * number), else its arrival. first and last skip nulls. Where `by` is equal the first place wins.
 * At one place (of equal time, or made of one by a join) the least value wins for first, arg_min
 * and arg_max, the greatest for last: so the pick never depends on the order in which rows or lanes
 * come. */
#include "state/accumulator_parts.h"

#include <assert.h>

#include "kernel/key_words.h"

/* `by` and `value` in a form that compares as unsigned words, see rank(); strings as they are. */
typedef struct pick {
  tm_str by, value;
  uint64_t place, ordinal;
  bool there, is_null; /* of the value */
} pick;

typedef struct pick_part {
  tm_part part;
  pick *picks;
  tm_text_heap *heap;
  uint64_t live;
} pick_part;

static bool has_by(const tm_part *part) {
  return part->spec->kind == TM_PART_ARG_LEAST || part->spec->kind == TM_PART_ARG_GREATEST;
}

static bool is_text(tm_type type) { return tm_type_physical(type) == TM_PHYSICAL_STR; }

/* ------------------------------------------------------------------ values that compare */

/* Doubles in the order -inf … -0 0 … inf NaN. */
static uint64_t rank_double(double value) {
  uint64_t bits;
  if (value != value) return UINT64_MAX;
  memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double unrank_double(uint64_t rank) {
  uint64_t bits = rank >> 63 ? rank & ~(UINT64_C(1) << 63) : ~rank;
  double value;
  if (rank == UINT64_MAX) return tm_key_to_float(UINT64_C(0x7ff8000000000000));
  memcpy(&value, &bits, sizeof value);
  return value;
}

static tm_str rank(const tm_column *column, uint32_t row) {
  const uint64_t sign = UINT64_C(1) << 63;
  tm_str out = {.words = {0, 0}};
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: out.words[0] = ((const uint8_t *)column->data)[row]; break;
    case TM_PHYSICAL_I32:
      out.words[0] = (uint64_t)(int64_t)((const int32_t *)column->data)[row] ^ sign;
      break;
    case TM_PHYSICAL_I64: out.words[0] = ((const uint64_t *)column->data)[row] ^ sign; break;
    case TM_PHYSICAL_F64: out.words[0] = rank_double(((const double *)column->data)[row]); break;
    case TM_PHYSICAL_I128:
      out = ((const tm_str *)column->data)[row];
      out.words[1] ^= sign;
      break;
    case TM_PHYSICAL_STR: out = ((const tm_str *)column->data)[row]; break;
  }
  return out;
}

/* -0 and 0 are one and the same to be least at. */
static tm_str rank_by(const tm_column *column, uint32_t row) {
  tm_str out = rank(column, row);
  if (column->type.kind == TM_FLOAT64) {
    out.words[0] = rank_double(((const double *)column->data)[row] + 0.0);
  }
  return out;
}

static void unrank(const tm_str *value, const tm_column *column, uint32_t row) {
  const uint64_t sign = UINT64_C(1) << 63;
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: ((uint8_t *)column->data)[row] = (uint8_t)value->words[0]; return;
    case TM_PHYSICAL_I32:
      ((int32_t *)column->data)[row] = (int32_t)(int64_t)(value->words[0] ^ sign);
      return;
    case TM_PHYSICAL_I64: ((uint64_t *)column->data)[row] = value->words[0] ^ sign; return;
    case TM_PHYSICAL_F64: ((double *)column->data)[row] = unrank_double(value->words[0]); return;
    case TM_PHYSICAL_I128:
      ((tm_str *)column->data)[row] = *value;
      ((tm_str *)column->data)[row].words[1] ^= sign;
      return;
    case TM_PHYSICAL_STR: ((tm_str *)column->data)[row] = *value; return;
  }
}

static int compare(tm_type type, const tm_str *a, const tm_str *b) {
  if (is_text(type)) return tm_str_compare(a, b);
  if (a->words[1] != b->words[1]) return a->words[1] < b->words[1] ? -1 : 1;
  return a->words[0] < b->words[0] ? -1 : a->words[0] > b->words[0];
}

/* ------------------------------------------------------------------ picking */

/* Null is greater than any value, so that the order of two picks is total. */
static int compare_values(tm_type type, const pick *a, const pick *b) {
  if (a->is_null || b->is_null) return (int)a->is_null - (int)b->is_null;
  return compare(type, &a->value, &b->value);
}

static bool is_better(const tm_part *part, const pick *new, const pick *old) {
  tm_part_kind kind = part->spec->kind;
  if (!old->there) return true;
  if (has_by(part)) {
    int order = compare(part->spec->by_type, &new->by, &old->by);
    if (order != 0) return kind == TM_PART_ARG_LEAST ? order < 0 : order > 0;
  }
  bool last = kind == TM_PART_LAST;
  if (new->place != old->place) return (new->place < old->place) != last;
  if (new->ordinal != old->ordinal) return (new->ordinal < old->ordinal) != last;
  int order = compare_values(part->spec->type, new, old);
  return last ? order > 0 : order < 0;
}

static bool replace(pick_part *p, pick *old, const pick *new) {
  const tm_part_spec *spec = p->part.spec;
  tm_str by = new->by, value = new->value;
  if (p->heap != NULL && is_text(spec->type)) {
    static const tm_str empty;
    value = old->value;
    if (!tm_part_keep_text(p->heap, &p->live, new->is_null ? &empty : &new->value, &value)) {
      return false;
    }
  }
  if (p->heap != NULL && has_by(&p->part) && is_text(spec->by_type)) {
    by = old->by;
    if (!tm_part_keep_text(p->heap, &p->live, &new->by, &by)) return false;
  }
  *old = (pick){by, value, new->place, new->ordinal, true, new->is_null};
  return true;
}

static bool offer(pick_part *p, uint32_t group, const pick *new) {
  pick *old = &p->picks[group];
  return !is_better(&p->part, new, old) || replace(p, old, new);
}

static bool compact(pick_part *p) {
  if (p->heap == NULL || !tm_part_heap_is_stale(p->heap, p->live)) return true;
  tm_text_heap *heap = tm_text_heap_create(p->part.budget);
  if (heap == NULL) return false;
  bool by = has_by(&p->part) && is_text(p->part.spec->by_type), value = is_text(p->part.spec->type);
  for (uint32_t i = 0; i < p->part.capacity; i++) {
    pick *old = &p->picks[i];
    if ((!by || tm_text_heap_keep(heap, &old->by, &old->by)) &&
        (!value || tm_text_heap_keep(heap, &old->value, &old->value))) {
      continue;
    }
    tm_text_heap_release(heap); /* only close follows, which looks at no string */
    return false;
  }
  tm_text_heap_release(p->heap);
  p->heap = heap;
  return true;
}

static bool pick_grow(tm_part *part, uint32_t capacity) {
  pick_part *p = (pick_part *)part;
  bool text = is_text(part->spec->type) || (has_by(part) && is_text(part->spec->by_type));
  if (text && p->heap == NULL && (p->heap = tm_text_heap_create(part->budget)) == NULL) {
    return false;
  }
  return tm_part_array(part, &p->picks, sizeof *p->picks, capacity);
}

/* Event times as words that compare unsigned, in `place`; without, the batch and the number in it.
 * */
static inline void set_place(pick *one, const tm_part_rows *in, uint32_t row) {
  if (in->times != NULL) {
    one->place = (uint64_t)in->times[row] ^ UINT64_C(1) << 63;
    one->ordinal = 0;
  } else {
    one->place = in->ordinals != NULL ? in->place : 0;
    one->ordinal = in->ordinals != NULL ? in->ordinals[row] : in->arrival + row;
  }
}

/* first and last: nearly every row is decided by its place alone. Rows of a batch mostly ascend, so
 * last begins with the last one: a group's value is then replaced once a batch. */
static bool add_by_place(pick_part *p, const tm_part_rows *in) {
  const bool last = p->part.spec->kind == TM_PART_LAST;
  for (uint32_t n = 0; n < in->rows.count; n++) {
    uint32_t i = last ? in->rows.count - 1 - n : n;
    uint32_t row = in->rows.rows != NULL ? in->rows.rows[i] : i;
    if (tm_column_is_null(in->value, row)) continue;
    pick *old = &p->picks[in->rows.groups != NULL ? in->rows.groups[i] : 0];
    pick new = {.there = true};
    set_place(&new, in, row);
    bool same = new.place == old->place && new.ordinal == old->ordinal;
    bool later = new.place != old->place ? new.place > old->place : new.ordinal > old->ordinal;
    if (old->there && !same && later != last) continue;
    new.value = rank(in->value, row);
    if (old->there && same && !is_better(&p->part, &new, old)) continue;
    if (!replace(p, old, &new)) return false;
  }
  return compact(p);
}

static bool pick_add(tm_part *part, const tm_part_rows *in) {
  pick_part *p = (pick_part *)part;
  if (!has_by(part)) return add_by_place(p, in);
  for (uint32_t i = 0; i < in->rows.count; i++) {
    uint32_t row = in->rows.rows != NULL ? in->rows.rows[i] : i;
    if (tm_column_is_null(in->by, row)) continue;
    pick new = {.by = rank_by(in->by, row), .there = true};
    set_place(&new, in, row);
    new.is_null = tm_column_is_null(in->value, row);
    if (!new.is_null) new.value = rank(in->value, row);
    if (!offer(p, in->rows.groups != NULL ? in->rows.groups[i] : 0, &new)) return false;
  }
  return compact(p);
}

static int pick_merge(tm_part *part, const tm_part *from, const uint32_t *ids, const uint32_t *to,
                      uint32_t count, uint32_t groups_before, uint64_t *at) {
  pick_part *p = (pick_part *)part;
  const pick *picks = ((const pick_part *)from)->picks;
  (void)groups_before, (void)at;
  for (uint32_t i = 0; i < count; i++) {
    if (picks[ids[i]].there && !offer(p, to[i], &picks[ids[i]])) return -1;
  }
  return compact(p) ? 0 : -1;
}

static void forget_text(pick_part *p, const tm_str *text) {
  if (text->size > TM_STR_INLINE) p->live -= text->size;
}

static bool pick_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  pick_part *p = (pick_part *)part;
  bool value = is_text(part->spec->type), by = has_by(part) && is_text(part->spec->by_type);
  part->sealed = false;
  for (uint32_t i = 0; i < count; i++) {
    pick *one = &p->picks[ids == NULL ? i : ids[i]];
    if (one->there && value) forget_text(p, &one->value);
    if (one->there && by) forget_text(p, &one->by);
    *one = (pick){.there = false};
  }
  if (ids != NULL || p->heap == NULL || p->heap->bytes == 0) return true;
  assert(p->live == 0);
  return tm_part_new_heap(part->budget, &p->heap);
}

static int pick_seal(tm_part *part, uint32_t groups) {
  (void)groups;
  part->sealed = true;
  return 0;
}

static void save_value(tm_type type, const tm_str *value, tm_record_writer *writer) {
  if (is_text(type)) tm_record_put_bytes(writer, tm_str_bytes(value), value->size);
  else tm_record_put_bytes(writer, value, sizeof *value);
}

static void pick_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const pick_part *p = (const pick_part *)part;
  for (uint32_t i = 0; i < groups; i++) {
    const pick *one = &p->picks[i];
    tm_record_put(writer, (uint64_t)one->there | (uint64_t)one->is_null << 1);
    if (!one->there) continue;
    tm_record_put(writer, one->place);
    tm_record_put(writer, one->ordinal);
    save_value(part->spec->type, &one->value, writer);
    if (has_by(part)) save_value(part->spec->by_type, &one->by, writer);
  }
}

static tm_str restore_value(tm_type type, tm_record_reader *reader) {
  size_t size;
  tm_str value = {.words = {0, 0}};
  const uint8_t *bytes = tm_record_view(reader, &size);
  if (reader->failed) return value;
  if (is_text(type)) return tm_str_make((const char *)bytes, size);
  if (size == sizeof value) memcpy(&value, bytes, size);
  else reader->failed = true;
  return value;
}

static bool pick_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  pick_part *p = (pick_part *)part;
  for (uint32_t i = 0; i < groups && !reader->failed; i++) {
    uint64_t marks = tm_record_get(reader, 3);
    if ((marks & 1) == 0) continue;
    pick one = {.there = true, .is_null = marks >> 1};
    one.place = tm_record_get(reader, UINT64_MAX);
    one.ordinal = tm_record_get(reader, UINT64_MAX);
    one.value = restore_value(part->spec->type, reader);
    if (has_by(part)) one.by = restore_value(part->spec->by_type, reader);
    if (!reader->failed && !offer(p, i, &one)) return false;
  }
  return true;
}

static void pick_close(tm_part *part) {
  pick_part *p = (pick_part *)part;
  tm_free(part->budget, p->picks, part->capacity * sizeof *p->picks);
  tm_text_heap_release(p->heap);
}

int tm_part_read_pick(const tm_part *part, uint32_t first, uint32_t count, tm_batch *out,
                      uint32_t column) {
  const pick_part *p = (const pick_part *)part;
  tm_column *to = &out->columns[column];
  assert(tm_type_physical(to->type) == tm_type_physical(part->spec->type));
  if (tm_batch_column(out, column, true) < 0) return -1;
  for (uint32_t i = 0; i < count; i++) {
    const pick *one = &p->picks[first + i];
    to->valid[i] = one->there && !one->is_null;
    unrank(&one->value, to, i);
  }
  return is_text(part->spec->type) ? tm_text_heap_pin(p->heap, out) : 0;
}

const tm_part_class tm_part_class_pick = {
  sizeof(pick_part), pick_grow, pick_add, pick_merge, pick_seal, pick_save, pick_restore,
  pick_close, pick_clear, NULL,
};
