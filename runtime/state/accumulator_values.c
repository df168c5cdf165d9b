/* state/accumulator_values.c: all values of every group, for quantiles.
 *
 * While rows come, values and their groups are appended to a log. Sealing sorts the log by group
 * (a counting sort), so that a group's values are one run. Merging copies nothing: the merged part
 * notes which runs of the others belong to which of its groups; of another merged part, those that
 * it notes. */
#include "state/accumulator_values.h"

#include <assert.h>

#include "state/accumulator_parts.h"

enum { STEP = 1 << 16 }; /* items in one call of seal */

typedef enum seal_phase { SEAL_START, SEAL_COUNT, SEAL_SUM, SEAL_SCATTER, SEAL_DONE } seal_phase;

typedef struct values_part values_part;

/* A group of another part whose values are a group's of this one. */
typedef struct segment {
  const values_part *from;
  uint32_t from_group, to_group;
} segment;

struct values_part {
  tm_part part;
  uint64_t count, room;   /* of the log, or of the segments */
  uint64_t *words;        /* the log; after sealing by group */
  uint32_t *groups;       /* NULL: all are group 0 */
  segment *segments;      /* merged parts have these instead */
  uint64_t *offsets;      /* sealed: group g is offsets[g] … offsets[g + 1] - 1 */
  uint32_t group_count;
  void *sorted;           /* being filled by the seal */
  seal_phase phase;
  uint64_t at;
};

static bool values_grow(tm_part *part, uint32_t capacity) {
  (void)part, (void)capacity;
  return true;
}

/* ------------------------------------------------------------------ the log */

static bool reserve_log(values_part *p, uint64_t more, bool grouped) {
  if (p->count + more <= p->room) return true;
  tm_budget *budget = p->part.budget;
  uint64_t room = p->room < 1024 ? 1024 : p->room;
  while (room < p->count + more) room *= 2;
  uint64_t *words = tm_realloc(budget, p->words, p->room * sizeof *words, room * sizeof *words);
  if (words == NULL) return false;
  p->words = words;
  if (grouped) {
    uint32_t *groups =
        tm_realloc(budget, p->groups, p->room * sizeof *groups, room * sizeof *groups);
    if (groups == NULL) { /* both have p->room: shrinking is not refused */
      p->words = tm_realloc(budget, words, room * sizeof *words, p->room * sizeof *words);
      return false;
    }
    p->groups = groups;
  }
  p->room = room;
  return true;
}

static bool values_add(tm_part *part, const tm_part_rows *in) {
  values_part *p = (values_part *)part;
  double values[TM_PART_BLOCK];
  uint32_t rows[TM_PART_BLOCK];
  assert(p->segments == NULL && !part->sealed);
  if (!reserve_log(p, in->rows.count, in->rows.groups != NULL)) return false;
  for (uint32_t at = 0; at < in->rows.count; at += TM_PART_BLOCK) {
    uint32_t left = in->rows.count - at, block = left < TM_PART_BLOCK ? left : TM_PART_BLOCK;
    for (uint32_t i = 0; i < block; i++) {
      rows[i] = in->rows.rows == NULL ? at + i : in->rows.rows[at + i];
    }
    tm_accumulate_doubles(in->value, rows, block, values);
    const uint8_t *valid = in->value->valid;
    uint64_t count = p->count;
    for (uint32_t i = 0; i < block; i++) {
      p->words[count] = tm_values_word(values[i]);
      if (in->rows.groups != NULL) p->groups[count] = in->rows.groups[at + i];
      count += valid == NULL || valid[rows[i]];
    }
    p->count = count;
  }
  return true;
}

/* ------------------------------------------------------------------ merging */

static bool add_segment(values_part *p, const segment *new) {
  if (p->count == p->room) {
    uint64_t room = p->room == 0 ? 256 : p->room * 2;
    segment *grown = tm_realloc(p->part.budget, p->segments, p->room * sizeof *grown,
                                room * sizeof *grown);
    if (grown == NULL) return false;
    p->segments = grown;
    p->room = room;
  }
  p->segments[p->count++] = *new;
  return true;
}

static int values_merge(tm_part *part, const tm_part *from, const uint32_t *ids,
                        const uint32_t *to, uint32_t count, uint32_t groups_before,
                        uint64_t *at) {
  values_part *p = (values_part *)part;
  const values_part *f = (const values_part *)from;
  (void)groups_before, (void)at;
  assert(p->words == NULL && from->sealed);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t first = f->offsets[ids[i]], end = f->offsets[ids[i] + 1];
    if (first == end) continue;
    if (f->segments == NULL) {
      segment new = {f, ids[i], to[i]};
      if (!add_segment(p, &new)) return -1;
    }
    for (uint64_t k = first; f->segments != NULL && k < end; k++) {
      segment new = {f->segments[k].from, f->segments[k].from_group, to[i]};
      if (!add_segment(p, &new)) return -1;
    }
  }
  return 0;
}

/* ------------------------------------------------------------------ sealing */

static uint32_t group_of(const values_part *p, uint64_t item) {
  if (p->segments != NULL) return p->segments[item].to_group;
  return p->groups == NULL ? 0 : p->groups[item];
}

static size_t item_width(const values_part *p) {
  return p->segments != NULL ? sizeof(segment) : sizeof(uint64_t);
}

/* offsets[g + 2] counts group g; summed up, offsets[g + 1] is where its next item goes; once all
 * are placed, that is where it ends. */
static size_t offsets_bytes(uint32_t groups) { return ((size_t)groups + 2) * sizeof(uint64_t); }

static int seal_start(values_part *p, uint32_t groups) {
  p->offsets = tm_alloc_zero(p->part.budget, offsets_bytes(groups));
  if (p->offsets == NULL) return -1;
  p->group_count = groups;
  p->at = 0;
  p->phase = SEAL_COUNT;
  return 1;
}

static int seal_sum(values_part *p) {
  uint64_t end = p->at + STEP, last = (uint64_t)p->group_count + 1;
  for (; p->at < end && p->at < last; p->at++) p->offsets[p->at + 1] += p->offsets[p->at];
  if (p->at < last) return 1;
  p->sorted = tm_alloc(p->part.budget, p->count * item_width(p));
  if (p->sorted == NULL) return -1;
  p->at = 0;
  p->phase = SEAL_SCATTER;
  return 1;
}

static int seal_scatter(values_part *p) {
  uint64_t end = p->at + STEP < p->count ? p->at + STEP : p->count;
  for (; p->at < end; p->at++) {
    uint64_t to = p->offsets[group_of(p, p->at) + 1]++;
    if (p->segments != NULL) ((segment *)p->sorted)[to] = p->segments[p->at];
    else ((uint64_t *)p->sorted)[to] = p->words[p->at];
  }
  if (p->at < p->count) return 1;
  tm_budget *budget = p->part.budget;
  if (p->segments != NULL) {
    tm_free(budget, p->segments, p->room * sizeof *p->segments);
    p->segments = p->sorted;
  } else {
    tm_free(budget, p->words, p->room * sizeof *p->words);
    tm_free(budget, p->groups, p->room * sizeof *p->groups);
    p->words = p->sorted;
    p->groups = NULL;
  }
  p->room = p->count;
  p->sorted = NULL;
  p->phase = SEAL_DONE;
  p->part.sealed = true;
  return 0;
}

static int values_seal(tm_part *part, uint32_t groups) {
  values_part *p = (values_part *)part;
  switch (p->phase) {
    case SEAL_START: return seal_start(p, groups);
    case SEAL_COUNT: {
      uint64_t end = p->at + STEP < p->count ? p->at + STEP : p->count;
      for (; p->at < end; p->at++) p->offsets[group_of(p, p->at) + 2]++;
      if (p->at < p->count) return 1;
      p->at = 0;
      p->phase = SEAL_SUM;
      return 1;
    }
    case SEAL_SUM: return seal_sum(p);
    case SEAL_SCATTER: return seal_scatter(p);
    case SEAL_DONE: break;
  }
  return 0;
}

/* ------------------------------------------------------------------ the rest of a part's life */

static void values_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const values_part *p = (const values_part *)part;
  (void)groups;
  assert(p->segments == NULL && "merged parts are made again, not saved");
  bool sealed = part->sealed;
  tm_record_put(writer, sealed ? 2 : p->groups != NULL);
  tm_record_put(writer, p->count);
  tm_record_put_bytes(writer, p->words, p->count * sizeof *p->words);
  if (sealed) { /* as a log again: its groups by their lengths */
    tm_record_put_bytes(writer, p->offsets, offsets_bytes(p->group_count) - sizeof *p->offsets);
  } else if (p->groups != NULL) {
    tm_record_put_bytes(writer, p->groups, p->count * sizeof *p->groups);
  }
}

/* The groups of a log out of the offsets of a sealed part. */
static bool restore_offsets(values_part *p, uint32_t groups, tm_record_reader *reader) {
  size_t bytes = ((size_t)groups + 1) * sizeof(uint64_t);
  uint64_t *offsets = tm_alloc(p->part.budget, bytes);
  if (offsets == NULL) return false;
  tm_record_get_bytes(reader, offsets, bytes);
  uint64_t at = 0;
  for (uint32_t g = 0; g < groups; g++) {
    if (offsets[g] != at || offsets[g + 1] < at || offsets[g + 1] > p->count) break;
    while (at < offsets[g + 1]) p->groups[at++] = g;
  }
  if (at != p->count) reader->failed = true;
  tm_free(p->part.budget, offsets, bytes);
  return true;
}

static bool values_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  values_part *p = (values_part *)part;
  uint64_t how = tm_record_get(reader, 2);
  uint64_t count = tm_record_get(reader, (uint64_t)(reader->end - reader->at) / sizeof *p->words);
  if (!reserve_log(p, count, how > 0)) return false;
  tm_record_get_bytes(reader, p->words, count * sizeof *p->words);
  p->count = count;
  if (how == 2) return restore_offsets(p, groups, reader);
  if (how == 0) return true;
  tm_record_get_bytes(reader, p->groups, count * sizeof *p->groups);
  for (uint64_t i = 0; i < count; i++) reader->failed |= p->groups[i] >= groups;
  return true;
}

static void values_close(tm_part *part) {
  values_part *p = (values_part *)part;
  tm_budget *budget = part->budget;
  tm_free(budget, p->sorted, p->count * item_width(p));
  tm_free(budget, p->words, p->room * sizeof *p->words);
  tm_free(budget, p->groups, p->room * sizeof *p->groups);
  tm_free(budget, p->segments, p->room * sizeof *p->segments);
  tm_free(budget, p->offsets, offsets_bytes(p->group_count));
}

static bool values_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  (void)count;
  assert(ids == NULL && "values of all groups go, or none");
  values_close(part);
  *(values_part *)part = (values_part){
    .part = {part->class, part->spec, part->budget, part->capacity, false, part->counts}};
  return true;
}

bool tm_values_run(const tm_part *part, uint32_t group, uint32_t nth, const uint64_t **out,
                   uint64_t *count) {
  const values_part *p = (const values_part *)part;
  assert(part->sealed && group < p->group_count);
  uint64_t first = p->offsets[group], last = p->offsets[group + 1];
  if (p->segments == NULL) {
    *out = p->words + first;
    *count = last - first;
    return nth == 0 && first < last;
  }
  if (first + nth >= last) return false;
  const segment *s = &p->segments[first + nth];
  return tm_values_run(&s->from->part, s->from_group, 0, out, count);
}

const tm_part_class tm_part_class_values = {
  sizeof(values_part), values_grow, values_add, values_merge, values_seal, values_save,
  values_restore, values_close, values_clear, NULL,
};
