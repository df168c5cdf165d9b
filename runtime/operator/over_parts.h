/* operator/over_parts.h: partitions and rows that wait, for over_*.c alone. */
#ifndef TM_OPERATOR_OVER_PARTS_H
#define TM_OPERATOR_OVER_PARTS_H

#include "operator/over_run.h"

/* Where a row that waits lies. */
typedef struct tm_over_place { tm_over_held *held; uint32_t row; } tm_over_place;

/* The payload of its entry. */
struct tm_over_partition {
  tm_over_partition *older, *newer;
  int64_t latest_us;       /* of its last row */
  uint64_t rows;           /* so far */
  /* Where columns look ahead: row number n waits at places[n % lead_most], as long as fewer than
   * lead_most have come behind it. NULL: none has come yet. */
  tm_over_place *places;
  uint64_t number;         /* while saving */
  tm_running columns[];
};

/* Rows that came together, with all their columns; leads are filled in as others come. */
struct tm_over_held {
  tm_batch *rows;          /* owns what it has */
  uint32_t waiting, first; /* rows that still wait; all before `first` do not */
  uint8_t *done;           /* a byte a row; in the arena of rows */
  tm_over_place **places;  /* of each row, its partition's */
};

static inline tm_over_partition *tm_over_partition_of(tm_key_entry *entry) {
  return tm_key_entry_payload(entry);
}
static inline tm_key_entry *tm_over_entry_of(tm_over_partition *partition) {
  return (tm_key_entry *)partition - 1;
}

/* over_run.c. The partition of a key, made where there is none; NULL: out of memory. */
tm_over_partition *tm_over_partition_find(tm_over_run *run, const void *key, size_t size,
                                          uint64_t hash);
/* Its last row is the newest of all. */
void tm_over_partition_touch(tm_over_run *run, tm_over_partition *partition, int64_t time_us);
int tm_over_ready(tm_over_run *run, tm_batch *taken, tm_error *err); /* to be emitted */

/* over_held.c. Fills the leads of rows of `batch` (numbers in `rows`, with their partitions), which
 * is to be emitted, and of rows that waited for them. What waits no longer is ready, before the
 * batch; what waits in the batch is kept, and leaves its selection. 0, or -1 with err. */
int tm_over_held_push(tm_over_run *run, tm_batch *batch, const tm_batch *in, const uint32_t *rows,
                      tm_over_partition *const *partitions, uint32_t count, tm_error *err);
/* Everything that waits is ready. */
int tm_over_held_finish(tm_over_run *run, tm_error *err);
/* All rows that wait move together; none is kept that does not. */
int tm_over_held_pack(tm_over_run *run, tm_error *err);
/* Keeps a batch all of whose rows wait, taken in any case. 0, or -1 with err. */
int tm_over_held_add(tm_over_run *run, tm_batch *taken, tm_over_held **out, tm_error *err);
void tm_over_held_drop(tm_over_run *run, tm_over_held *held);

#endif
