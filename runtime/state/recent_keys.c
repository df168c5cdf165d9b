/* state/recent_keys.c: see recent_keys.h. */
#include "state/recent_keys.h"

#include <assert.h>

#include "state/batch_record.h"

enum { VALUES_MIN = 64, SAVED_VALUES = 4096 };

static int generation_init(tm_recent_keys *r, tm_recent_generation *g) {
  *g = (tm_recent_generation){.keys = tm_key_table_create(r->budget, r->types, r->column_count)};
  return g->keys == NULL ? -1 : 0;
}

static void generation_deinit(tm_recent_keys *r, tm_recent_generation *g) {
  tm_key_table_destroy(g->keys);
  tm_free(r->budget, g->values, g->capacity * sizeof *g->values);
  *g = (tm_recent_generation){0};
}

int tm_recent_keys_init(tm_recent_keys *r, tm_budget *budget, const tm_type *types,
                        uint32_t column_count, int64_t within_us) {
  assert(within_us >= 0);
  *r = (tm_recent_keys){.budget = budget, .types = types, .column_count = column_count,
                        .within_us = within_us, .generation = TM_TIME_NONE};
  return generation_init(r, &r->now);
}

void tm_recent_keys_deinit(tm_recent_keys *r) {
  generation_deinit(r, &r->now);
  generation_deinit(r, &r->before);
  tm_free(r->budget, r->ids, r->ids_capacity * sizeof *r->ids);
  r->ids = NULL;
  r->ids_capacity = 0;
}

/* ------------------------------------------------------------------ generations */

static int64_t generation_of(const tm_recent_keys *r, int64_t time_us) {
  if (r->within_us == TM_KEYS_FOR_EVER) return 0;
  int64_t length = r->within_us > 0 ? r->within_us : 1;
  return time_us / length - (time_us % length < 0);
}

static int go_on_to(tm_recent_keys *r, int64_t generation) {
  if (generation <= r->generation) return 0;
  bool next = r->generation != TM_TIME_NONE && generation == r->generation + 1;
  bool first = r->generation == TM_TIME_NONE;
  r->generation = generation;
  if (first) return 0;
  tm_recent_generation fresh;
  if (generation_init(r, &fresh) < 0) return -1;
  generation_deinit(r, &r->before);
  if (next) r->before = r->now;
  else generation_deinit(r, &r->now);
  r->now = fresh;
  return 0;
}

int tm_recent_keys_advance(tm_recent_keys *r, int64_t time_us) {
  return go_on_to(r, generation_of(r, time_us));
}

int64_t tm_recent_keys_open(tm_recent_keys *r, const int64_t *times, const uint32_t *rows,
                            uint32_t count) {
  if (r->within_us == TM_KEYS_FOR_EVER) return count;
  int64_t generation = generation_of(r, times[rows[0]]);
  if (go_on_to(r, generation) < 0) return -1;
  if (generation_of(r, times[rows[count - 1]]) == generation) return count;
  uint32_t same = 1;
  while (generation_of(r, times[rows[same]]) == generation) same++;
  return same;
}

/* ------------------------------------------------------------------ keys */

static int reserve_values(tm_recent_keys *r, tm_recent_generation *g, uint32_t count) {
  uint32_t capacity = g->capacity < VALUES_MIN ? VALUES_MIN : g->capacity;
  if (count <= g->capacity) return 0;
  while (capacity < count) capacity *= 2;
  int64_t *values = tm_realloc(r->budget, g->values, g->capacity * sizeof *values,
                               capacity * sizeof *values);
  if (values == NULL) return -1;
  for (uint32_t i = g->capacity; i < capacity; i++) values[i] = TM_KEYS_NONE;
  g->values = values;
  g->capacity = capacity;
  return 0;
}

static int reserve_ids(tm_recent_keys *r, uint32_t count) {
  if (count <= r->ids_capacity) return 0;
  tm_free(r->budget, r->ids, r->ids_capacity * sizeof *r->ids);
  r->ids = tm_alloc(r->budget, count * sizeof *r->ids);
  r->ids_capacity = r->ids == NULL ? 0 : count;
  return r->ids == NULL ? -1 : 0;
}

int tm_recent_keys_insert(tm_recent_keys *r, const tm_column *const *columns, const uint32_t *rows,
                          uint32_t count, uint32_t *ids) {
  uint32_t known = tm_key_table_count(r->now.keys);
  if (tm_key_table_insert(r->now.keys, columns, rows, count, NULL, ids) < 0) return -1;
  uint32_t now = tm_key_table_count(r->now.keys);
  if (now == known) return 0;
  if (reserve_values(r, &r->now, now) < 0) return -1;
  if (r->before.keys == NULL || tm_key_table_count(r->before.keys) == 0) return 0;
  if (reserve_ids(r, count) < 0) return -1;
  tm_key_table_find(r->before.keys, columns, rows, count, NULL, r->ids);
  for (uint32_t i = 0; i < count; i++) {
    if (ids[i] < known || r->ids[i] == TM_KEY_NONE) continue;
    r->now.values[ids[i]] = r->before.values[r->ids[i]];
  }
  return 0;
}

/* ------------------------------------------------------------------ saving */

static void save_generation(const tm_recent_generation *g, tm_record_writer *writer) {
  uint32_t count = tm_key_table_count(g->keys);
  tm_key_table_save(g->keys, writer);
  for (uint32_t at = 0; at < count; at += SAVED_VALUES) {
    uint32_t some = count - at < SAVED_VALUES ? count - at : SAVED_VALUES;
    tm_record_put_bytes(writer, g->values + at, some * sizeof *g->values);
  }
}

static int restore_generation(tm_recent_keys *r, tm_recent_generation *g, tm_record_reader *reader,
                              tm_error *err) {
  if (tm_key_table_restore(g->keys, reader, err) < 0) return -1;
  uint32_t count = tm_key_table_count(g->keys);
  if (reserve_values(r, g, count) < 0) {
    return tm_fail(err, TM_E_MEMORY, "out of memory while restoring state");
  }
  for (uint32_t at = 0; at < count; at += SAVED_VALUES) {
    uint32_t some = count - at < SAVED_VALUES ? count - at : SAVED_VALUES;
    tm_record_get_bytes(reader, g->values + at, some * sizeof *g->values);
  }
  return reader->failed ? tm_record_refuse(err) : 0;
}

void tm_recent_keys_save(const tm_recent_keys *r, tm_record_writer *writer) {
  tm_record_put(writer, (uint64_t)r->generation);
  tm_record_put(writer, r->before.keys != NULL);
  save_generation(&r->now, writer);
  if (r->before.keys != NULL) save_generation(&r->before, writer);
}

int tm_recent_keys_restore(tm_recent_keys *r, tm_record_reader *reader, tm_error *err) {
  r->generation = (int64_t)tm_record_get(reader, UINT64_MAX);
  bool before = tm_record_get(reader, 1);
  if (restore_generation(r, &r->now, reader, err) < 0) return -1;
  if (!before) return 0;
  if (generation_init(r, &r->before) < 0) {
    return tm_fail(err, TM_E_MEMORY, "out of memory while restoring state");
  }
  return restore_generation(r, &r->before, reader, err);
}
