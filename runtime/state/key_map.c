/* state/key_map.c: open addressing over hashes, linear probing.
 *
 * `slots` holds no marks: a removal moves what follows back. While a table twice as large is being
 * filled, `old` is still searched; there what was moved or removed leaves a mark, so that probing
 * goes on behind it. An entry is in one of the two. */
#include "state/key_map.h"

#include <assert.h>

enum { BITS_MIN = 4, MOVES = 16 };

static tm_key_entry gone; /* its address marks a slot of `old` */

static uint64_t slot_count(uint32_t bits) { return UINT64_C(1) << bits; }
static size_t slot_bytes(uint32_t bits) { return slot_count(bits) * sizeof(tm_key_slot); }
static uint64_t home(uint64_t hash, uint32_t bits) { return hash >> (64 - bits); }

void tm_key_map_init(tm_key_map *map, tm_budget *budget, uint32_t payload) {
  assert(payload % 16 == 0);
  *map = (tm_key_map){.budget = budget, .payload = payload};
}

static size_t entry_bytes(const tm_key_entry *entry) {
  return sizeof *entry + entry->payload + entry->size;
}

static void free_entry(tm_key_map *map, tm_key_entry *entry) {
  tm_free(map->budget, entry, entry_bytes(entry));
}

static void drop_old(tm_key_map *map) {
  tm_free(map->budget, map->old, slot_bytes(map->old_bits));
  map->old = NULL;
}

void tm_key_map_deinit(tm_key_map *map) {
  uint64_t at = 0;
  for (tm_key_entry *entry; (entry = tm_key_map_next(map, &at)) != NULL;) free_entry(map, entry);
  if (map->old != NULL) drop_old(map);
  if (map->slots != NULL) tm_free(map->budget, map->slots, slot_bytes(map->bits));
  *map = (tm_key_map){.budget = map->budget, .payload = map->payload};
}

tm_key_entry *tm_key_map_next(const tm_key_map *map, uint64_t *at) {
  uint64_t here = map->slots == NULL ? 0 : slot_count(map->bits);
  uint64_t there = map->old == NULL ? 0 : slot_count(map->old_bits);
  while (*at < here + there) {
    uint64_t i = (*at)++;
    tm_key_entry *entry = i < here ? map->slots[i].entry : map->old[i - here].entry;
    if (entry != NULL && entry != &gone) return entry;
  }
  return NULL;
}

int tm_key_entry_compare(const tm_key_entry *a, const tm_key_entry *b) {
  uint32_t size = a->size < b->size ? a->size : b->size;
  int order = memcmp(tm_key_entry_bytes(a), tm_key_entry_bytes(b), size);
  return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* ------------------------------------------------------------------ finding */

/* The slot of the key, NULL: it is not there. */
static tm_key_slot *probe(tm_key_slot *slots, uint32_t bits, const void *bytes, size_t size,
                          uint64_t hash) {
  uint64_t mask = slot_count(bits) - 1;
  for (uint64_t at = home(hash, bits); slots[at].entry != NULL; at = (at + 1) & mask) {
    const tm_key_entry *entry = slots[at].entry;
    if (slots[at].hash != hash || entry == &gone || entry->size != size) continue;
    if (size == 0 || memcmp(tm_key_entry_bytes(entry), bytes, size) == 0) return &slots[at];
  }
  return NULL;
}

tm_key_entry *tm_key_map_find(const tm_key_map *map, const void *bytes, size_t size,
                              uint64_t hash) {
  tm_key_slot *slot = NULL;
  if (map->slots != NULL) slot = probe(map->slots, map->bits, bytes, size, hash);
  if (slot == NULL && map->old != NULL) slot = probe(map->old, map->old_bits, bytes, size, hash);
  return slot == NULL ? NULL : slot->entry;
}

/* ------------------------------------------------------------------ growing */

static void place(tm_key_map *map, tm_key_entry *entry) {
  uint64_t mask = slot_count(map->bits) - 1, at = home(entry->hash, map->bits);
  while (map->slots[at].entry != NULL) at = (at + 1) & mask;
  map->slots[at] = (tm_key_slot){entry->hash, entry};
}

/* Up to `moves` slots of the old table. */
static void move_some(tm_key_map *map, uint64_t moves) {
  uint64_t end = slot_count(map->old_bits);
  for (; moves > 0 && map->old_next < end; moves--) {
    tm_key_slot *slot = &map->old[map->old_next++];
    if (slot->entry == NULL || slot->entry == &gone) continue;
    place(map, slot->entry);
    slot->entry = &gone;
  }
  if (map->old_next == end) drop_old(map);
}

/* Room for one more. false: out of memory. */
static bool make_room(tm_key_map *map) {
  if (map->old != NULL) move_some(map, MOVES);
  if (map->slots != NULL && map->count + 1 <= slot_count(map->bits) / 8 * 5) return true;
  if (map->old != NULL) move_some(map, UINT64_MAX);
  uint32_t bits = map->slots == NULL ? BITS_MIN : map->bits + 1;
  tm_key_slot *slots = tm_alloc_zero(map->budget, slot_bytes(bits));
  if (slots == NULL) return false;
  map->old = map->slots;
  map->old_bits = map->bits;
  map->old_next = 0;
  map->slots = slots;
  map->bits = bits;
  return true;
}

tm_key_entry *tm_key_map_insert(tm_key_map *map, const void *bytes, size_t size, uint64_t hash) {
  tm_key_entry *entry = tm_key_map_find(map, bytes, size, hash);
  if (entry != NULL) return entry;
  if (size > UINT32_MAX || !make_room(map)) return NULL;
  entry = tm_alloc(map->budget, sizeof *entry + map->payload + size);
  if (entry == NULL) return NULL;
  *entry = (tm_key_entry){.hash = hash, .size = (uint32_t)size, .payload = map->payload};
  memset(entry + 1, 0, map->payload);
  if (size > 0) memcpy((char *)(entry + 1) + map->payload, bytes, size);
  place(map, entry);
  map->count++;
  return entry;
}

/* ------------------------------------------------------------------ removing */

static tm_key_slot *slot_of(tm_key_slot *slots, uint32_t bits, const tm_key_entry *entry) {
  uint64_t mask = slot_count(bits) - 1;
  for (uint64_t at = home(entry->hash, bits); slots[at].entry != NULL; at = (at + 1) & mask) {
    if (slots[at].entry == entry) return &slots[at];
  }
  return NULL;
}

/* What stands behind the hole moves up, where its home is not behind the hole. */
static void close_hole(tm_key_map *map, uint64_t hole) {
  uint64_t mask = slot_count(map->bits) - 1;
  for (uint64_t at = (hole + 1) & mask; map->slots[at].entry != NULL; at = (at + 1) & mask) {
    uint64_t from_home = (at - home(map->slots[at].hash, map->bits)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    map->slots[hole] = map->slots[at];
    hole = at;
  }
  map->slots[hole].entry = NULL;
}

void tm_key_map_remove(tm_key_map *map, tm_key_entry *entry) {
  tm_key_slot *slot = slot_of(map->slots, map->bits, entry);
  if (slot != NULL) {
    close_hole(map, (uint64_t)(slot - map->slots));
  } else {
    assert(map->old != NULL);
    slot = slot_of(map->old, map->old_bits, entry);
    assert(slot != NULL);
    slot->entry = &gone;
  }
  map->count--;
  free_entry(map, entry);
}
