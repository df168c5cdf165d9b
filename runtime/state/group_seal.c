/* state/group_seal.c: tables that are full: sealing, and merging those of several lanes.
 *
 * After sealing with buckets the ids lie sorted by eight bits of their keys' hashes, so that each
 * lane of a merge takes keys that no other lane has. */
#include "state/group_parts.h"

#include <assert.h>

enum {
  STEP_KEYS = 1 << 14,   /* keys in one step of sealing */
  MERGE_KEYS = 2048,     /* groups that a merge takes at a time */
  BUCKET_SHIFT = 24,     /* bits of the hash that choose a bucket: not those of slot or salt */
};

/* One step of one part. */
static int seal_parts(tm_group_table *table, tm_error *err) {
  while (table->part_at < table->plan->part_count) {
    tm_part *part = table->parts[table->part_at];
    int more = part == NULL || part->sealed
                   ? 0 : part->class->seal(part, tm_group_table_count(table));
    if (more < 0) return tm_group_no_memory(table, err);
    if (more > 0) return 1;
    table->part_at++;
  }
  return 0;
}

static uint32_t bucket_of(uint64_t hash) { return (uint32_t)(hash >> BUCKET_SHIFT) & 255; }

void tm_group_buckets_free(tm_group_table *table) {
  tm_group_buckets *b = table->buckets;
  if (b == NULL) return;
  tm_free(table->budget, b->hashes, b->keys * sizeof *b->hashes);
  tm_free(table->budget, b->ids, b->keys * sizeof *b->ids);
  tm_free(table->budget, b->id_hashes, b->keys * sizeof *b->id_hashes);
  tm_free(table->budget, b, sizeof *b);
  table->buckets = NULL;
}

/* A table that adds no more needs no scratch of its own. */
static void drop_scratch(tm_group_table *table) {
  if (table->owns_scratch) tm_group_scratch_free(table->scratch);
}

static int seal_start(tm_group_table *table, tm_error *err) {
  uint32_t keys = tm_group_table_count(table);
  drop_scratch(table);
  tm_group_buckets *b = table->buckets = tm_alloc_zero(table->budget, sizeof *b);
  if (b == NULL) return tm_group_no_memory(table, err);
  b->keys = keys;
  b->hashes = tm_alloc(table->budget, keys * sizeof *b->hashes);
  b->ids = tm_alloc(table->budget, keys * sizeof *b->ids);
  b->id_hashes = tm_alloc(table->budget, keys * sizeof *b->id_hashes);
  if (b->hashes == NULL || b->ids == NULL || b->id_hashes == NULL) {
    return tm_group_no_memory(table, err);
  }
  table->at = 0;
  table->phase = SEAL_HASH;
  return 1;
}

static int seal_hash(tm_group_table *table) {
  tm_group_buckets *b = table->buckets;
  uint32_t end = b->keys - table->at < STEP_KEYS ? b->keys : table->at + STEP_KEYS;
  while (table->at < end) {
    uint32_t count = end - table->at < 256 ? end - table->at : 256;
    uint64_t *hashes = b->hashes + table->at;
    tm_key_table_hashes(table->keys, table->at, count, hashes);
    for (uint32_t i = 0; i < count; i++) b->starts[bucket_of(hashes[i]) + 1]++;
    table->at += count;
  }
  if (table->at < b->keys) return 1;
  for (uint32_t i = 0; i < TM_GROUP_BUCKETS; i++) {
    b->starts[i + 1] += b->starts[i];
    b->ends[i] = b->starts[i];
  }
  table->at = 0;
  table->phase = SEAL_PLACE;
  return 1;
}

static int seal_place(tm_group_table *table) {
  tm_group_buckets *b = table->buckets;
  uint32_t end = b->keys - table->at < STEP_KEYS ? b->keys : table->at + STEP_KEYS;
  for (; table->at < end; table->at++) {
    uint64_t hash = b->hashes[table->at];
    uint32_t to = b->ends[bucket_of(hash)]++;
    b->ids[to] = table->at;
    b->id_hashes[to] = hash;
  }
  if (table->at < b->keys) return 1;
  tm_free(table->budget, b->hashes, b->keys * sizeof *b->hashes);
  b->hashes = NULL;
  table->phase = SEAL_DONE;
  return 0;
}

int tm_group_table_seal_step(tm_group_table *table, bool buckets, tm_error *err) {
  switch (table->phase) {
    case SEAL_PARTS: {
      int more = seal_parts(table, err);
      if (more != 0) return more;
      if (buckets) return seal_start(table, err);
      drop_scratch(table);
      table->phase = SEAL_DONE;
      return 0;
    }
    case SEAL_HASH: return seal_hash(table);
    case SEAL_PLACE: return seal_place(table);
    case SEAL_DONE: break;
  }
  return 0;
}

void tm_group_table_reopen(tm_group_table *table) {
  assert(table->phase == SEAL_DONE && !table->merging);
  tm_group_buckets_free(table);
  table->part_at = table->at = 0;
  table->phase = SEAL_PARTS;
}

uint32_t tm_group_table_bucket_count(const tm_group_table *table, uint32_t first, uint32_t end) {
  assert(table->phase == SEAL_DONE && table->buckets != NULL && first <= end);
  return table->buckets->starts[end] - table->buckets->starts[first];
}

/* ------------------------------------------------------------------ merging */

static int merge_parts(tm_group_table *table, const tm_group_table *from, const uint32_t *ids,
                       uint32_t count, tm_error *err) {
  for (; table->merge_part < table->plan->part_count; table->merge_part++) {
    tm_part *part = table->parts[table->merge_part];
    if (part == NULL) continue;
    int more = part->class->merge(part, from->parts[table->merge_part], ids, table->merge_to,
                                  count, table->merge_before, &table->merge_part_at);
    if (more < 0) return tm_group_no_memory(table, err);
    if (more > 0) return 1;
    table->merge_part_at = 0;
  }
  return 0;
}

void tm_group_merge_free(tm_group_table *table) {
  tm_free(table->budget, table->merge_to, MERGE_KEYS * sizeof *table->merge_to);
}

int tm_group_table_merge_step(tm_group_table *table, const tm_group_table *from, uint32_t first,
                              uint32_t end, tm_error *err) {
  const tm_group_buckets *buckets = from->buckets;
  assert(from->phase == SEAL_DONE && buckets != NULL && first < end);
  if (table->merge_to == NULL) {
    table->merge_to = tm_alloc(table->budget, MERGE_KEYS * sizeof *table->merge_to);
    if (table->merge_to == NULL) return tm_group_no_memory(table, err);
  }
  if (tm_key_table_wants_growth(table->keys)) {
    int more = tm_key_table_grow_step(table->keys);
    if (more != 0) return more < 0 ? tm_group_no_memory(table, err) : 1;
  }
  if (!table->merging) table->merge_at = buckets->starts[first];
  table->merging = true;
  uint32_t last = buckets->starts[end], left = last - table->merge_at;
  uint32_t count = left < MERGE_KEYS ? left : MERGE_KEYS;
  const uint32_t *ids = buckets->ids + table->merge_at;
  if (!table->merge_inserted && count > 0) {
    table->merge_before = tm_group_table_count(table);
    if (tm_key_table_insert_from(table->keys, from->keys, ids, count,
                                 buckets->id_hashes + table->merge_at, table->merge_to) < 0 ||
        !tm_group_grow_parts(table)) {
      return tm_group_no_memory(table, err);
    }
    table->merge_inserted = true;
    table->merge_part = 0;
  }
  if (count > 0) {
    int more = merge_parts(table, from, ids, count, err);
    if (more != 0) return more;
  }
  table->merge_inserted = false;
  table->merge_at += count;
  if (table->merge_at < last) return 1;
  table->merging = false;
  return 0;
}

int tm_group_table_join(tm_group_table *table, const tm_key_table *from, const uint32_t *ids,
                        uint32_t count, uint32_t *to, tm_error *err) {
  if (tm_key_table_insert_from(table->keys, from, ids, count, NULL, to) == 0 &&
      tm_group_grow_parts(table)) {
    return 0;
  }
  return tm_group_no_memory(table, err);
}

int tm_group_table_take_in(tm_group_table *table, const tm_group_table *from, const uint32_t *ids,
                           const uint32_t *to, uint32_t count, tm_error *err) {
  assert(table->plan->counted);
  for (uint32_t i = 0; i < table->plan->part_count; i++) {
    tm_part *part = table->parts[i];
    uint64_t at = 0;
    int more = part == NULL ? 0 : 1;
    while (more > 0) more = part->class->merge(part, from->parts[i], ids, to, count, 0, &at);
    if (more < 0) return tm_group_no_memory(table, err);
  }
  return 0;
}

const tm_key_table *tm_group_table_keys(const tm_group_table *table) { return table->keys; }
tm_part *const *tm_group_table_parts(const tm_group_table *table) { return table->parts; }

const int64_t *tm_group_table_rows(const tm_group_table *table) {
  assert(table->plan->counted);
  return tm_part_counts(table->parts[table->plan->rows]);
}
