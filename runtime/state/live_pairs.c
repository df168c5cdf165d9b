/* state/live_pairs.c: how many different values a group has, for several filters at once.
 *
 * All aggregates that count different values of one input share a set of (group, value): a row is
 * looked up once a batch, however many filters it passes. Beside a pair each of the aggregates
 * keeps how often it has met it (only whether, where rows are final); a pair that none of them
 * holds any more leaves. */
#include "state/live_parts.h"

#include <assert.h>

struct tm_live_pairs {
  tm_budget *budget;
  const tm_live_options *options;
  tm_row_set *set;       /* of (group, value) */
  struct distinct_part **parts;
  uint32_t part_count, part_capacity;
  /* of the batch */
  const uint32_t *ids;   /* of pairs, by number of the row; TM_ROW_SET_NONE: it counts nowhere */
};

typedef struct distinct_part {
  tm_live_part part;
  tm_live_pairs *pairs;
  void *counts;          /* by pair: int64_t; uint8_t where rows are final */
  uint32_t capacity;
} distinct_part;

/* ------------------------------------------------------------------ life */

tm_live_pairs *tm_live_pairs_create(tm_budget *budget, const tm_live_options *options,
                                    tm_type value) {
  tm_type types[] = {tm_type_of(TM_INT32), value};
  tm_live_pairs *pairs = tm_alloc_zero(budget, sizeof *pairs);
  if (pairs == NULL) return NULL;
  pairs->budget = budget;
  pairs->options = options;
  pairs->set = tm_row_set_create(budget, types, 2, false);
  if (pairs->set != NULL) return pairs;
  tm_live_pairs_destroy(pairs);
  return NULL;
}

void tm_live_pairs_destroy(tm_live_pairs *pairs) {
  if (pairs == NULL) return;
  tm_row_set_destroy(pairs->set);
  tm_free(pairs->budget, pairs->parts, pairs->part_capacity * sizeof *pairs->parts);
  tm_free(pairs->budget, pairs, sizeof *pairs);
}

bool tm_live_pairs_join(tm_live_pairs *pairs, tm_live_part *part) {
  if (pairs->part_count == pairs->part_capacity) {
    uint32_t capacity = pairs->part_capacity == 0 ? 4 : 2 * pairs->part_capacity;
    distinct_part **grown = tm_realloc(pairs->budget, pairs->parts,
                                       pairs->part_capacity * sizeof *grown,
                                       capacity * sizeof *grown);
    if (grown == NULL) return false;
    pairs->parts = grown;
    pairs->part_capacity = capacity;
  }
  pairs->parts[pairs->part_count++] = (distinct_part *)part;
  ((distinct_part *)part)->pairs = pairs;
  return true;
}

static size_t count_width(const distinct_part *p) {
  return p->part.options->retracts ? sizeof(int64_t) : sizeof(uint8_t);
}

/* Counts of new pairs are 0; ids that are given again were left with 0. */
static bool grow_counts(distinct_part *p, uint32_t end) {
  if (end <= p->capacity) return true;
  uint32_t capacity = p->capacity == 0 ? 64 : p->capacity;
  while (capacity < end) capacity *= 2;
  size_t width = count_width(p), bytes = p->capacity * width;
  void *grown = tm_realloc(p->part.budget, p->counts, bytes, capacity * width);
  if (grown == NULL) return false;
  memset((char *)grown + bytes, 0, capacity * width - bytes);
  p->counts = grown;
  p->capacity = capacity;
  return true;
}

static void distinct_close(tm_live_part *part) {
  distinct_part *p = (distinct_part *)part;
  tm_free(part->budget, p->counts, p->capacity * count_width(p));
}

/* ------------------------------------------------------------------ a batch */

static const int32_t *weights_of(const distinct_part *p, const tm_live_batch *b) {
  return b->weights[p->part.spec->filter + 1];
}

/* Whether some aggregate counts the row. */
static bool counts_anywhere(const tm_live_pairs *pairs, const tm_live_batch *b, uint32_t i) {
  for (uint32_t k = 0; k < pairs->part_count; k++) {
    const int32_t *weights = weights_of(pairs->parts[k], b);
    if (weights == NULL || weights[i] != 0) return true;
  }
  return false;
}

tm_live_result tm_live_pairs_begin(tm_live_pairs *pairs, const tm_live_batch *b,
                                   tm_arena *scratch) {
  const tm_column *value = b->in->inputs[pairs->parts[0]->part.spec->input];
  int32_t *groups = tm_arena_alloc(scratch, (b->in->row_count + (size_t)1) * sizeof *groups);
  uint32_t *rows = tm_arena_alloc(scratch, 3 * (b->count + (size_t)1) * sizeof *rows);
  if (groups == NULL || rows == NULL) return TM_LIVE_MEMORY;
  uint32_t *found = rows + b->count + 1, *ids = found + b->count + 1, listed = 0;
  bool all = false; /* one of them counts every row */
  for (uint32_t k = 0; k < pairs->part_count; k++) all |= weights_of(pairs->parts[k], b) == NULL;
  for (uint32_t i = 0; i < b->count; i++) {
    uint32_t row = b->in->rows == NULL ? i : b->in->rows[i];
    groups[row] = (int32_t)b->group[i];
    ids[i] = TM_ROW_SET_NONE;
    if (tm_column_is_null(value, row) || (!all && !counts_anywhere(pairs, b, i))) continue;
    ids[i] = listed;
    rows[listed++] = row;
  }
  tm_column group = {.type = tm_type_of(TM_INT32), .data = groups};
  const tm_column *columns[] = {&group, value};
  if (tm_row_set_insert(pairs->set, columns, rows, listed, found) < 0) return TM_LIVE_MEMORY;
  for (uint32_t i = 0; i < b->count; i++) {
    if (ids[i] != TM_ROW_SET_NONE) ids[i] = found[ids[i]];
  }
  pairs->ids = ids;
  for (uint32_t k = 0; k < pairs->part_count; k++) {
    if (!grow_counts(pairs->parts[k], tm_row_set_end(pairs->set))) return TM_LIVE_MEMORY;
  }
  return TM_LIVE_DONE;
}

static size_t distinct_bytes(const tm_live_part *part) {
  (void)part;
  return sizeof(int64_t);
}

static void meet_final(distinct_part *p, const tm_live_batch *b, const int32_t *weights) {
  const uint32_t *ids = p->pairs->ids;
  uint8_t *met = p->counts;
  for (uint32_t i = 0; i < b->count; i++) {
    if (ids[i] == TM_ROW_SET_NONE || (weights != NULL && weights[i] == 0)) continue;
    *(int64_t *)(void *)(b->states[b->local[i]] + p->part.offset) += !met[ids[i]];
    met[ids[i]] = 1;
  }
}

static tm_live_result distinct_apply(tm_live_part *part, const tm_live_batch *b) {
  distinct_part *p = (distinct_part *)part;
  const int32_t *weights = weights_of(p, b);
  const uint32_t *ids = p->pairs->ids;
  int64_t *counts = p->counts;
  if (!part->options->retracts) {
    meet_final(p, b, weights);
    return TM_LIVE_DONE;
  }
  for (uint32_t i = 0; i < b->count; i++) {
    int64_t weight = weights == NULL ? 1 : weights[i];
    if (ids[i] == TM_ROW_SET_NONE || weight == 0) continue;
    int64_t before = counts[ids[i]], after = before + weight;
    *(int64_t *)(void *)(b->states[b->local[i]] + part->offset) += (after > 0) - (before > 0);
    counts[ids[i]] = after;
  }
  return TM_LIVE_DONE;
}

/* A pair that nobody holds leaves; nobody holds one less than never. */
tm_live_result tm_live_pairs_end(tm_live_pairs *pairs, const tm_live_batch *b) {
  if (!pairs->options->retracts) return TM_LIVE_DONE;
  for (uint32_t i = 0; i < b->count; i++) {
    uint32_t id = pairs->ids[i];
    bool held = false;
    if (id == TM_ROW_SET_NONE || !tm_row_set_has(pairs->set, id)) continue;
    for (uint32_t k = 0; k < pairs->part_count; k++) {
      int64_t count = ((const int64_t *)pairs->parts[k]->counts)[id];
      if (count < 0) return TM_LIVE_GONE;
      held |= count > 0;
    }
    if (!held) tm_row_set_remove(pairs->set, id);
  }
  return TM_LIVE_DONE;
}

int tm_live_pairs_settle_step(tm_live_pairs *pairs) {
  return tm_row_set_settle_step(pairs->set);
}

/* ------------------------------------------------------------------ saving */

static void distinct_save(const tm_live_part *part, const void *state, tm_record_writer *writer) {
  (void)part;
  tm_record_put(writer, *(const uint64_t *)state);
}

static int distinct_restore(tm_live_part *part, void *state, tm_record_reader *reader) {
  (void)part;
  *(uint64_t *)state = tm_record_get(reader, INT64_MAX);
  return 0;
}

void tm_live_pairs_save(const tm_live_pairs *pairs, tm_record_writer *writer) {
  uint32_t end = tm_row_set_end(pairs->set);
  tm_row_set_save(pairs->set, writer);
  for (uint32_t k = 0; k < pairs->part_count; k++) {
    const distinct_part *p = pairs->parts[k];
    tm_record_put_bytes(writer, p->counts, end * count_width(p));
  }
}

/* Only a pair that is there is held, by a whole number of rows. */
static bool fits(const distinct_part *p, uint32_t end) {
  for (uint32_t id = 0; id < end; id++) {
    int64_t count = p->part.options->retracts ? ((const int64_t *)p->counts)[id]
                                              : ((const uint8_t *)p->counts)[id];
    bool there = tm_row_set_has(p->pairs->set, id);
    if (count < 0 || (!there && count != 0)) return false;
    if (!p->part.options->retracts && count > 1) return false;
  }
  return true;
}

int tm_live_pairs_restore(tm_live_pairs *pairs, tm_record_reader *reader) {
  if (tm_row_set_restore(pairs->set, reader) < 0) return -1;
  uint32_t end = tm_row_set_end(pairs->set);
  for (uint32_t k = 0; k < pairs->part_count && !reader->failed; k++) {
    distinct_part *p = pairs->parts[k];
    if (!grow_counts(p, end)) return -1;
    tm_record_get_bytes(reader, p->counts, end * count_width(p));
    if (!reader->failed && !fits(p, end)) reader->failed = true;
  }
  return 0;
}

const tm_live_class tm_live_distinct = {
  .size = sizeof(distinct_part),
  .state_bytes = distinct_bytes,
  .apply = distinct_apply,
  .save = distinct_save,
  .restore = distinct_restore,
  .close = distinct_close,
};
