/* state/last_rows.h: the last row of each key, in the order in which they came.
 *
 * For rows in time order. A row takes the place of its key's last one, if that is not longer ago
 * than `within`, and goes to the end of the list; rows whose key has a null stand for themselves.
 * So the list ascends by time, and what nobody can replace any more is at its head. */
#ifndef TM_STATE_LAST_ROWS_H
#define TM_STATE_LAST_ROWS_H

#include "state/recent_keys.h"
#include "state/time_segments.h"

#define TM_LAST_NONE UINT32_MAX

typedef struct tm_last_node {
  tm_time_row where;
  uint32_t older, newer; /* in the list; a free one: newer is the next free one */
  uint32_t stamp;        /* counts uses: a key must not take another's node for its own */
  bool keyless;
} tm_last_node;

typedef struct tm_last_rows {
  tm_time_segments segments;
  tm_recent_keys recent; /* a key's number: stamp << 32 | node */
  const uint32_t *keys;  /* columns, borrowed */
  uint32_t key_count;
  const tm_column **key_columns; /* of a batch */
  tm_last_node *nodes;
  uint32_t node_count, node_capacity, first_free;
  uint32_t oldest, newest;
  /* What the last call replaced, until drop(): where the rows lie. */
  tm_time_row *replaced;
  uint32_t replaced_count, replaced_capacity;
  uint32_t added;        /* nodes that the last call put at the end of the list */
} tm_last_rows;

/* needed: a byte a column, keys included. 0, or -1 (memory; deinit is still due). */
int tm_last_rows_init(tm_last_rows *last, tm_budget *budget, const tm_schema *schema,
                      const uint8_t *needed, const uint32_t *keys, const tm_type *key_types,
                      uint32_t key_count, int64_t within_us);
void tm_last_rows_deinit(tm_last_rows *last);

/* The selected rows of the batch (borrowed); `keyed` has a byte a row, 0: a null is in the key.
 * Without batch->times all rows are of one time. How many of the batch's own rows were replaced by
 * later ones of it; -1: memory. Replaced rows from before lie in last->replaced, and must be
 * dropped. */
int64_t tm_last_rows_add(tm_last_rows *last, tm_batch *batch, const uint8_t *keyed);
/* Of the rows added last, those without a key leave the list, to be dropped with the replaced. */
void tm_last_rows_forget_keyless(tm_last_rows *last);
/* Forgets the replaced rows. 0 or -1 (memory). */
int tm_last_rows_drop(tm_last_rows *last);
/* Takes at most `max` rows from the head of the list, whose time is at most last_us. *out is NULL
 * where there are none. 0 or -1 (memory). */
int tm_last_rows_take(tm_last_rows *last, int64_t last_us, uint32_t max, tm_batch **out);
static inline bool tm_last_rows_has(const tm_last_rows *last, int64_t last_us) {
  return last->oldest != TM_LAST_NONE && last->nodes[last->oldest].where.time_us <= last_us;
}

void tm_last_rows_save(tm_last_rows *last, tm_record_writer *writer);
/* The next batch of what was saved, to be added again as it was then; *out is NULL at the end. 0,
 * or -1 with err. */
int tm_last_rows_restore(tm_last_rows *last, tm_record_reader *reader, tm_arena *names,
                         tm_batch **out, tm_error *err);

#endif
