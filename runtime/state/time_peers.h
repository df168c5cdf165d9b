/* state/time_peers.h: rows of one time in the order of their columns: those that somebody needs, in
 * schema order, nulls first, NaN last, and of rows that are equal so far -0 before 0. Rows that are
 * equal by all that look the same. For time_buffer.c alone. */
#ifndef TM_STATE_TIME_PEERS_H
#define TM_STATE_TIME_PEERS_H

#include "state/time_segments.h"

typedef struct tm_time_peers {
  const tm_time_segments *segments; /* where the rows lie */
  uint32_t *columns;                /* that decide */
  uint32_t count;
  bool signs;                       /* some of them may be a zero with a sign */
} tm_time_peers;

/* 0 or -1 (memory; deinit is still due). */
int tm_time_peers_init(tm_time_peers *peers, const tm_time_segments *segments);
void tm_time_peers_deinit(tm_time_peers *peers);

/* keys and scratch: room for as many as there are rows. */
void tm_time_peers_sort(const tm_time_peers *peers, tm_time_row *rows, uint64_t *keys,
                        tm_time_row *scratch, uint32_t count);

#endif
