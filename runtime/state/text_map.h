/* state/text_map.h: a value and the time at which it was written, by a string: one map of a state.
 *
 * Strings of keys and values are owned by the map, from the budget. Nothing shrinks while entries
 * are removed, so what was removed can be put back without memory. */
#ifndef TM_STATE_TEXT_MAP_H
#define TM_STATE_TEXT_MAP_H

#include "base/memory.h"
#include "column/str.h"
#include "column/type.h"

/* One value of any type, at its start: int32_t, double, tm_str … */
typedef union tm_cell {
  int64_t word;
  double number;
  __int128 wide;
  tm_str text;
  uint8_t bytes[16];
} tm_cell;

/* Whether the cell's string lies outside of it, and so is owned by whoever has the cell. */
static inline bool tm_cell_owns(tm_type type, const tm_cell *cell) {
  return tm_type_physical(type) == TM_PHYSICAL_STR && cell->text.size > TM_STR_INLINE;
}
/* A copy that owns its string. false: out of memory. */
bool tm_cell_copy(tm_budget *budget, tm_type type, const tm_cell *in, tm_cell *out);
void tm_cell_free(tm_budget *budget, tm_type type, const tm_cell *cell);

typedef struct tm_text_entry {
  tm_str key;
  tm_cell value;
  int64_t written_us;
  uint32_t hash;
  bool used;
} tm_text_entry;

typedef struct tm_text_map {
  tm_text_entry *entries; /* 2^bits; NULL: none yet */
  uint32_t count, bits;
} tm_text_map;

void tm_text_map_free(tm_text_map *map, tm_budget *budget, tm_type type);
/* NULL: it is not there. */
tm_text_entry *tm_text_map_find(const tm_text_map *map, const tm_str *key);
/* Whether it must grow before one more entry. */
bool tm_text_map_is_full(const tm_text_map *map);
/* Room for one more entry. false: out of memory. */
bool tm_text_map_reserve(tm_text_map *map, tm_budget *budget);
/* Puts an entry where there was none, after reserve; takes over the strings of both. */
tm_text_entry *tm_text_map_put(tm_text_map *map, tm_str key, tm_cell value, int64_t written_us);
/* Takes an entry out; its strings are the caller's from then on. */
void tm_text_map_take(tm_text_map *map, tm_text_entry *entry);
/* Frees the entries written before `from_us`; *least becomes the earliest time that is left. */
void tm_text_map_expire(tm_text_map *map, tm_budget *budget, tm_type type, int64_t from_us,
                        int64_t *least);

#endif
