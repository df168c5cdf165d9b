/* state/key_map.h: entries found by bytes, which come and go.
 *
 * An entry lies still from insert to remove; behind its head it has room for the caller's payload
 * (zeros at first), then the bytes of its key. The table grows a few slots a call, so that no call
 * takes long. */
#ifndef TM_STATE_KEY_MAP_H
#define TM_STATE_KEY_MAP_H

#include "base/hash.h"
#include "base/memory.h"

typedef struct tm_key_entry {
  uint64_t hash;
  uint32_t size;    /* of the key's bytes */
  uint32_t payload; /* bytes between the head and the key */
} tm_key_entry;

typedef struct tm_key_slot { uint64_t hash; tm_key_entry *entry; } tm_key_slot;

typedef struct tm_key_map {
  tm_budget *budget;
  uint32_t payload;
  uint64_t count;
  tm_key_slot *slots; /* 2^bits of them; NULL: none yet */
  uint32_t bits;
  tm_key_slot *old;   /* being moved to `slots`, from old_next on; NULL: nothing to move */
  uint32_t old_bits;
  uint64_t old_next;
} tm_key_map;

/* `payload` bytes an entry, a multiple of 16. */
void tm_key_map_init(tm_key_map *map, tm_budget *budget, uint32_t payload);
/* Frees all entries; what payloads own is the caller's. */
void tm_key_map_deinit(tm_key_map *map);

/* NULL: there is none. hash is tm_hash_bytes of the key, or any other that always is the same. */
tm_key_entry *tm_key_map_find(const tm_key_map *map, const void *bytes, size_t size,
                              uint64_t hash);
/* A hash that is looked for soon, and sooner still. */
static inline void tm_key_map_expect(const tm_key_map *map, uint64_t hash) {
  if (map->slots != NULL) __builtin_prefetch(&map->slots[hash >> (64 - map->bits)]);
}
static inline void tm_key_map_expect_entry(const tm_key_map *map, uint64_t hash) {
  if (map->slots == NULL) return;
  const tm_key_entry *entry = map->slots[hash >> (64 - map->bits)].entry;
  __builtin_prefetch(entry);
  __builtin_prefetch((const char *)(entry + 1) + map->payload);
}
/* The entry of the key, made where there is none; NULL: out of memory. */
tm_key_entry *tm_key_map_insert(tm_key_map *map, const void *bytes, size_t size, uint64_t hash);
/* Frees it. */
void tm_key_map_remove(tm_key_map *map, tm_key_entry *entry);
/* All entries, in no order: begin with *at = 0; NULL: that was the last. No insert meanwhile. */
tm_key_entry *tm_key_map_next(const tm_key_map *map, uint64_t *at);

static inline void *tm_key_entry_payload(tm_key_entry *entry) { return entry + 1; }
static inline const uint8_t *tm_key_entry_bytes(const tm_key_entry *entry) {
  return (const uint8_t *)(entry + 1) + entry->payload;
}
/* By their bytes: <0, 0, >0. */
int tm_key_entry_compare(const tm_key_entry *a, const tm_key_entry *b);

#endif
