/* state/recent_keys.h: a number a key, forgotten once the key has not been heard of for a while.
 *
 * For rows in time order. Time is cut into generations as long as `within`; the keys of the latest
 * one and of the one before are kept, older ones go all at once. So a number that a row of time t
 * set is found by every row up to t + within, and memory is that of the keys of two generations,
 * without a timer a key. Without an end (TM_KEYS_FOR_EVER) there is one generation. */
#ifndef TM_STATE_RECENT_KEYS_H
#define TM_STATE_RECENT_KEYS_H

#include "state/key_table.h"

#define TM_KEYS_FOR_EVER INT64_MAX
#define TM_KEYS_NONE INT64_MIN /* the number of a key that has none */

typedef struct tm_recent_generation {
  tm_key_table *keys;
  int64_t *values; /* by id */
  uint32_t capacity;
} tm_recent_generation;

typedef struct tm_recent_keys {
  tm_budget *budget;
  const tm_type *types; /* borrowed */
  uint32_t column_count;
  int64_t within_us;
  int64_t generation;   /* number of `now`; TM_TIME_NONE: no row yet */
  tm_recent_generation now, before; /* before.keys NULL: there is none */
  uint32_t *ids;        /* scratch, in `before` */
  uint32_t ids_capacity;
} tm_recent_keys;

/* 0, or -1 (memory; deinit is still due). */
int tm_recent_keys_init(tm_recent_keys *recent, tm_budget *budget, const tm_type *types,
                        uint32_t column_count, int64_t within_us);
void tm_recent_keys_deinit(tm_recent_keys *recent);

/* Time has come there: forgets what no row can find any more. 0 or -1 (memory). */
int tm_recent_keys_advance(tm_recent_keys *recent, int64_t time_us);
/* How many of the first rows, whose times ascend, belong to one generation, and goes on to that;
 * at least one. times is by row, NULL only where keys last for ever. -1: memory. */
int64_t tm_recent_keys_open(tm_recent_keys *recent, const int64_t *times, const uint32_t *rows,
                            uint32_t count);
/* ids[i] of those rows: recent->now.values[ids[i]] is their number, to be read and written until
 * the next call. 0 or -1 (memory). */
int tm_recent_keys_insert(tm_recent_keys *recent, const tm_column *const *columns,
                          const uint32_t *rows, uint32_t count, uint32_t *ids);

/* As of key_table.h. */
static inline bool tm_recent_keys_wants_growth(const tm_recent_keys *recent) {
  return tm_key_table_wants_growth(recent->now.keys);
}
static inline int tm_recent_keys_grow_step(tm_recent_keys *recent) {
  return tm_key_table_grow_step(recent->now.keys);
}

void tm_recent_keys_save(const tm_recent_keys *recent, tm_record_writer *writer);
/* Into a fresh one. 0, or -1 with err. */
int tm_recent_keys_restore(tm_recent_keys *recent, tm_record_reader *reader, tm_error *err);

#endif
