/* state/accumulator_distinct.c: how many different values each group has.
 *
 * One key table holds the pairs (group, value) of all groups; a pair that is new counts for its
 * group. Without groups the values alone are the keys. For merging the pairs are sorted by group,
 * so that those of a group can be put into the table of another part. A part that counts what it is
 * given has a number of times a pair, so that merges can be taken back; what is there no time stays
 * in the table, until somebody starts anew (tm_part_is_stale). */
#include "state/accumulator_parts.h"
#include "state/key_table.h"

#include <assert.h>

enum { STEP = 1 << 14 }; /* pairs in one call of seal or merge */

typedef struct distinct_part {
  tm_part part;
  int64_t *counts;
  tm_key_table *pairs;   /* NULL until the first row */
  bool grouped;          /* keys are (group, value), else (value) */
  int32_t *group_of_row; /* scratch: a column of groups beside the values */
  uint32_t *rows, *ids;  /* scratch */
  uint32_t room;
  uint32_t *times;       /* by id of a pair: how often it was merged; NULL: nobody counts */
  uint32_t times_room;
  uint64_t dead;         /* pairs that are there no time */
  uint32_t *order;       /* sealed: ids of pairs by group; NULL where not grouped */
  uint32_t *offsets;     /* group g is order[offsets[g]] … */
  uint32_t group_count;
  int phase;
  uint64_t at;
} distinct_part;

static bool distinct_grow(tm_part *part, uint32_t capacity) {
  distinct_part *p = (distinct_part *)part;
  return tm_part_array(part, &p->counts, sizeof *p->counts, capacity);
}

static bool make_pairs(distinct_part *p, bool grouped) {
  if (p->pairs != NULL) {
    assert(p->grouped == grouped);
    return true;
  }
  tm_type types[] = {tm_type_of(TM_INT32), p->part.spec->type};
  p->grouped = grouped;
  p->pairs = tm_key_table_create(p->part.budget, grouped ? types : types + 1, grouped ? 2 : 1);
  return p->pairs != NULL;
}

static bool reserve_scratch(distinct_part *p, uint32_t rows) {
  if (rows <= p->room) return true;
  tm_budget *budget = p->part.budget;
  uint32_t **all[] = {&p->rows, &p->ids, (uint32_t **)&p->group_of_row};
  for (int i = 0; i < 3; i++) {
    tm_free(budget, *all[i], p->room * sizeof(uint32_t));
    *all[i] = NULL;
  }
  p->room = 0;
  for (int i = 0; i < 3; i++) {
    *all[i] = tm_alloc(budget, rows * sizeof(uint32_t));
    if (*all[i] != NULL) continue;
    while (i-- > 0) {
      tm_free(budget, *all[i], rows * sizeof(uint32_t));
      *all[i] = NULL;
    }
    return false;
  }
  p->room = rows;
  return true;
}

static bool reserve_times(distinct_part *p, uint32_t pairs) {
  if (pairs <= p->times_room) return true;
  uint32_t room = p->times_room < 64 ? 64 : p->times_room;
  while (room < pairs) room *= 2;
  uint32_t *grown = tm_realloc(p->part.budget, p->times, p->times_room * sizeof *grown,
                               room * sizeof *grown);
  if (grown == NULL) return false;
  memset(grown + p->times_room, 0, (room - p->times_room) * sizeof *grown);
  p->times = grown;
  p->times_room = room;
  return true;
}

/* Once more each pair that was inserted just now. */
static bool count_pairs(distinct_part *p, uint32_t count, uint32_t before) {
  if (!reserve_times(p, tm_key_table_count(p->pairs))) return false;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t id = p->ids[i];
    if (p->times[id]++ > 0) continue;
    p->counts[p->grouped ? p->group_of_row[p->rows[i]] : 0]++;
    p->dead -= id < before; /* it was there before */
  }
  return true;
}

/* Inserts the pairs of listed rows; group_of_row is filled in. */
static bool insert(distinct_part *p, const tm_column *values, uint32_t count) {
  tm_column groups = {.type = tm_type_of(TM_INT32), .data = p->group_of_row};
  const tm_column *both[] = {&groups, values}, **columns = p->grouped ? both : both + 1;
  uint32_t before = tm_key_table_count(p->pairs);
  if (tm_key_table_insert(p->pairs, columns, p->rows, count, NULL, p->ids) < 0) return false;
  if (p->part.counts) return count_pairs(p, count, before);
  uint32_t after = tm_key_table_count(p->pairs);
  if (!p->grouped) {
    p->counts[0] = after;
    return true;
  }
  const tm_column stored = tm_key_table_view(p->pairs, 0);
  for (uint32_t id = before; id < after; id++) p->counts[((const int64_t *)stored.data)[id]]++;
  return true;
}

static bool distinct_add(tm_part *part, const tm_part_rows *in) {
  distinct_part *p = (distinct_part *)part;
  uint32_t count = 0;
  if (!reserve_scratch(p, in->row_count) || !make_pairs(p, in->rows.groups != NULL)) return false;
  for (uint32_t i = 0; i < in->rows.count; i++) {
    uint32_t row = in->rows.rows == NULL ? i : in->rows.rows[i];
    p->rows[count] = row;
    if (p->grouped) p->group_of_row[row] = (int32_t)in->rows.groups[i];
    count += !tm_column_is_null(in->value, row);
  }
  return insert(p, in->value, count);
}

/* ------------------------------------------------------------------ sealing: a counting sort */

static int distinct_seal(tm_part *part, uint32_t groups) {
  distinct_part *p = (distinct_part *)part;
  if (p->pairs == NULL || !p->grouped || part->counts) {
    part->sealed = true;
    return 0;
  }
  uint32_t pairs = tm_key_table_count(p->pairs);
  const tm_column stored = tm_key_table_view(p->pairs, 0);
  const int64_t *group = stored.data;
  if (p->phase == 0) {
    p->order = tm_alloc(part->budget, (pairs + (size_t)1) * sizeof *p->order);
    if (p->order == NULL) return -1;
    p->offsets = tm_alloc_zero(part->budget, (groups + (size_t)2) * sizeof *p->offsets);
    if (p->offsets == NULL) {
      tm_free(part->budget, p->order, (pairs + (size_t)1) * sizeof *p->order);
      p->order = NULL;
      return -1;
    }
    p->group_count = groups;
    p->phase = 1;
  }
  if (p->phase == 1) { /* the counts are there already */
    uint64_t end = p->at + STEP < groups ? p->at + STEP : groups;
    for (; p->at < end; p->at++) {
      p->offsets[p->at + 2] = p->offsets[p->at + 1] + (uint32_t)p->counts[p->at];
    }
    if (p->at < groups) return 1;
    p->at = 0;
    p->phase = 2;
  }
  uint64_t end = p->at + STEP < pairs ? p->at + STEP : pairs;
  for (; p->at < end; p->at++) p->order[p->offsets[group[p->at] + 1]++] = (uint32_t)p->at;
  if (p->at < pairs) return 1;
  part->sealed = true;
  return 0;
}

/* ------------------------------------------------------------------ merging */

/* Once less each of those pairs, which are all there. */
static void forget(distinct_part *p, const tm_column *values, uint32_t count) {
  tm_column groups = {.type = tm_type_of(TM_INT32), .data = p->group_of_row};
  const tm_column *both[] = {&groups, values}, **columns = p->grouped ? both : both + 1;
  tm_key_table_find(p->pairs, columns, p->rows, count, NULL, p->ids);
  for (uint32_t i = 0; i < count; i++) {
    assert(p->ids[i] != TM_KEY_NONE && p->times[p->ids[i]] > 0);
    if (--p->times[p->ids[i]] > 0) continue;
    p->counts[p->grouped ? p->group_of_row[p->rows[i]] : 0]--;
    p->dead++;
  }
}

/* Pairs number `first` to first+count-1 of a group (in the order of the seal) join group `to`, or
 * leave it. */
static bool take_pairs(distinct_part *p, const distinct_part *f, uint32_t group, uint32_t first,
                       uint32_t count, uint32_t to, bool leave) {
  const tm_column values = tm_key_table_view(f->pairs, f->grouped ? 1 : 0);
  tm_str gathered[TM_PART_BLOCK];
  tm_column part = {.type = values.type, .data = gathered};
  size_t width = tm_type_width(values.type);
  assert(count <= TM_PART_BLOCK);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t id = f->grouped ? f->order[f->offsets[group] + first + i] : first + i;
    memcpy((char *)gathered + i * width, (const char *)values.data + id * width, width);
    p->rows[i] = i;
    p->group_of_row[i] = (int32_t)to;
  }
  if (!leave) return insert(p, &part, count);
  forget(p, &part, count);
  return true;
}

/* *at: number of the entry << 32 | pairs of it that are done. */
static int merge_or_leave(tm_part *part, const tm_part *from, const uint32_t *ids,
                          const uint32_t *to, uint32_t count, bool leave, uint64_t *at) {
  distinct_part *p = (distinct_part *)part;
  const distinct_part *f = (const distinct_part *)from;
  uint32_t left = STEP;
  if (f->pairs == NULL) return 0;
  if (!make_pairs(p, f->grouped) || !reserve_scratch(p, TM_PART_BLOCK)) return -1;
  uint32_t entry = (uint32_t)(*at >> 32), done = (uint32_t)*at;
  while (entry < count) {
    uint32_t group = ids[entry], size = (uint32_t)f->counts[group];
    while (done < size) {
      uint32_t block = size - done < TM_PART_BLOCK ? size - done : TM_PART_BLOCK;
      if (!take_pairs(p, f, group, done, block, to[entry], leave)) return -1;
      done += block;
      left -= block < left ? block : left;
      if (left > 0) continue;
      *at = (uint64_t)entry << 32 | done;
      return 1;
    }
    entry++;
    done = 0;
  }
  return 0;
}

static int distinct_merge(tm_part *part, const tm_part *from, const uint32_t *ids,
                          const uint32_t *to, uint32_t count, uint32_t groups_before,
                          uint64_t *at) {
  (void)groups_before;
  return merge_or_leave(part, from, ids, to, count, false, at);
}

static int distinct_unmerge(tm_part *part, const tm_part *from, const uint32_t *ids,
                            const uint32_t *to, uint32_t count, uint64_t *at) {
  assert(part->counts);
  return merge_or_leave(part, from, ids, to, count, true, at);
}

bool tm_part_is_stale(const tm_part *part) {
  if (part->class != &tm_part_class_distinct) return false;
  const distinct_part *p = (const distinct_part *)part;
  return p->pairs != NULL && p->dead > STEP && p->dead > tm_key_table_count(p->pairs) / 2;
}

/* ------------------------------------------------------------------ the rest of a part's life */

static void distinct_save(const tm_part *part, uint32_t groups, tm_record_writer *writer) {
  const distinct_part *p = (const distinct_part *)part;
  (void)groups;
  tm_record_put(writer, p->pairs == NULL ? 0 : p->grouped ? 2 : 1);
  if (p->pairs != NULL) tm_key_table_save(p->pairs, writer);
}

static bool distinct_restore(tm_part *part, uint32_t groups, tm_record_reader *reader) {
  distinct_part *p = (distinct_part *)part;
  tm_error err = {0};
  uint64_t how = tm_record_get(reader, 2);
  if (how == 0) return true;
  if (!make_pairs(p, how == 2)) return false;
  if (tm_key_table_restore(p->pairs, reader, &err) < 0) {
    reader->failed |= err.code != TM_E_MEMORY;
    return err.code != TM_E_MEMORY;
  }
  uint32_t pairs = tm_key_table_count(p->pairs);
  const tm_column stored = tm_key_table_view(p->pairs, 0);
  if (!p->grouped && groups > 0) p->counts[0] = pairs;
  for (uint32_t id = 0; id < pairs && p->grouped; id++) {
    uint64_t group = ((const uint64_t *)stored.data)[id];
    if (group >= groups) reader->failed = true;
    else p->counts[group]++;
  }
  return true;
}

static void distinct_close(tm_part *part) {
  distinct_part *p = (distinct_part *)part;
  tm_budget *budget = part->budget;
  uint32_t pairs = p->pairs == NULL ? 0 : tm_key_table_count(p->pairs);
  tm_free(budget, p->counts, part->capacity * sizeof *p->counts);
  tm_free(budget, p->rows, p->room * sizeof *p->rows);
  tm_free(budget, p->ids, p->room * sizeof *p->ids);
  tm_free(budget, p->group_of_row, p->room * sizeof *p->group_of_row);
  tm_free(budget, p->times, p->times_room * sizeof *p->times);
  tm_free(budget, p->order, (pairs + (size_t)1) * sizeof *p->order);
  tm_free(budget, p->offsets, (p->group_count + (size_t)2) * sizeof *p->offsets);
  tm_key_table_destroy(p->pairs);
}

static bool distinct_clear(tm_part *part, const uint32_t *ids, uint32_t count) {
  assert(ids == NULL && "values of all groups go, or none");
  bool counts = part->counts;
  uint32_t capacity = part->capacity;
  int64_t *kept = ((distinct_part *)part)->counts;
  if (count > 0) memset(kept, 0, count * sizeof *kept);
  ((distinct_part *)part)->counts = NULL;
  distinct_close(part);
  *(distinct_part *)part = (distinct_part){
    .part = {part->class, part->spec, part->budget, capacity, false, counts}, .counts = kept};
  return true;
}

const int64_t *tm_part_distinct_counts(const tm_part *part) {
  return ((const distinct_part *)part)->counts;
}

const tm_part_class tm_part_class_distinct = {
  sizeof(distinct_part), distinct_grow, distinct_add, distinct_merge, distinct_seal,
  distinct_save, distinct_restore, distinct_close, distinct_clear, distinct_unmerge,
};
