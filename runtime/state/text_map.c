/* state/text_map.c: open addressing, linear probing; a removal moves back what follows. */
#include "state/text_map.h"

#include <assert.h>

#include "base/hash.h"

enum { BITS_MIN = 2, BITS_MAX = 28 };

bool tm_cell_copy(tm_budget *budget, tm_type type, const tm_cell *in, tm_cell *out) {
  *out = *in;
  if (!tm_cell_owns(type, in)) return true;
  char *text = tm_alloc(budget, in->text.size);
  if (text == NULL) return false;
  memcpy(text, in->text.pointer, in->text.size);
  out->text.pointer = text;
  return true;
}

void tm_cell_free(tm_budget *budget, tm_type type, const tm_cell *cell) {
  if (tm_cell_owns(type, cell)) tm_free(budget, (char *)cell->text.pointer, cell->text.size);
}

static uint32_t entry_count(const tm_text_map *map) {
  return map->entries == NULL ? 0 : UINT32_C(1) << map->bits;
}

static void free_entry(tm_budget *budget, tm_type type, const tm_text_entry *entry) {
  if (entry->key.size > TM_STR_INLINE) {
    tm_free(budget, (char *)entry->key.pointer, entry->key.size);
  }
  tm_cell_free(budget, type, &entry->value);
}

void tm_text_map_free(tm_text_map *map, tm_budget *budget, tm_type type) {
  uint32_t count = entry_count(map);
  for (uint32_t i = 0; i < count; i++) {
    if (map->entries[i].used) free_entry(budget, type, &map->entries[i]);
  }
  tm_free(budget, map->entries, count * sizeof *map->entries);
  *map = (tm_text_map){0};
}

static uint32_t hash_of(const tm_str *key) {
  return (uint32_t)(tm_hash_bytes(tm_str_bytes(key), key->size) >> 32);
}

static uint32_t home(const tm_text_map *map, uint32_t hash) { return hash >> (32 - map->bits); }

tm_text_entry *tm_text_map_find(const tm_text_map *map, const tm_str *key) {
  if (map->count == 0) return NULL;
  uint32_t mask = entry_count(map) - 1, hash = hash_of(key);
  for (uint32_t at = home(map, hash); map->entries[at].used; at = (at + 1) & mask) {
    tm_text_entry *entry = &map->entries[at];
    if (entry->hash == hash && tm_str_equal(&entry->key, key)) return entry;
  }
  return NULL;
}

static tm_text_entry *place(tm_text_map *map, const tm_text_entry *entry) {
  uint32_t mask = entry_count(map) - 1, at = home(map, entry->hash);
  while (map->entries[at].used) at = (at + 1) & mask;
  map->entries[at] = *entry;
  return &map->entries[at];
}

bool tm_text_map_is_full(const tm_text_map *map) {
  return map->count + 1 > entry_count(map) / 4 * 3;
}

bool tm_text_map_reserve(tm_text_map *map, tm_budget *budget) {
  uint32_t old_count = entry_count(map);
  if (!tm_text_map_is_full(map)) return true;
  if (map->entries != NULL && map->bits == BITS_MAX) return false;
  tm_text_map grown = {.bits = map->entries == NULL ? BITS_MIN : map->bits + 1,
                       .count = map->count};
  grown.entries = tm_alloc_zero(budget, (UINT32_C(1) << grown.bits) * sizeof *grown.entries);
  if (grown.entries == NULL) return false;
  for (uint32_t i = 0; i < old_count; i++) {
    if (map->entries[i].used) place(&grown, &map->entries[i]);
  }
  tm_free(budget, map->entries, old_count * sizeof *map->entries);
  *map = grown;
  return true;
}

tm_text_entry *tm_text_map_put(tm_text_map *map, tm_str key, tm_cell value, int64_t written_us) {
  assert(map->count < entry_count(map));
  tm_text_entry entry = {.key = key, .value = value, .written_us = written_us,
                         .hash = hash_of(&key), .used = true};
  map->count++;
  return place(map, &entry);
}

void tm_text_map_take(tm_text_map *map, tm_text_entry *entry) {
  uint32_t mask = entry_count(map) - 1, hole = (uint32_t)(entry - map->entries);
  for (uint32_t at = (hole + 1) & mask; map->entries[at].used; at = (at + 1) & mask) {
    uint32_t from_home = (at - home(map, map->entries[at].hash)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    map->entries[hole] = map->entries[at];
    hole = at;
  }
  map->entries[hole].used = false;
  map->count--;
}

void tm_text_map_expire(tm_text_map *map, tm_budget *budget, tm_type type, int64_t from_us,
                        int64_t *least) {
  uint32_t count = entry_count(map);
  *least = INT64_MAX;
  for (uint32_t i = 0; i < count;) {
    tm_text_entry *entry = &map->entries[i];
    if (entry->used && entry->written_us < from_us) {
      tm_text_entry taken = *entry;
      tm_text_map_take(map, entry);
      free_entry(budget, type, &taken);
      continue; /* another may stand here now; one that went round is met again or was met */
    }
    if (entry->used && entry->written_us < *least) *least = entry->written_us;
    i++;
  }
}
