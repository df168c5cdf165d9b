/* state/time_segments.h: the rows that a time buffer holds, as columns.
 *
 * A large batch is held as it is; small ones are copied next to each other into an open segment,
 * so that a stream of single rows does not cost a batch a row. A segment goes once none of its rows
 * is alive. Segments of which little is alive any more are thin: their rows move (`move`), so that
 * memory follows what is alive. For time_buffer.c alone. */
#ifndef TM_STATE_TIME_SEGMENTS_H
#define TM_STATE_TIME_SEGMENTS_H

#include "column/batch.h"

/* Where a row lies, and its time. */
typedef struct tm_time_row {
  int64_t time_us;
  uint32_t segment, row;
} tm_time_row;

typedef struct tm_time_segment {
  tm_batch *batch;  /* NULL: the slot is free */
  uint32_t used;    /* rows, alive or not */
  uint32_t live;
  uint32_t next_free;
  uint32_t stamp, local; /* while rows are gathered: which of the gather's segments it is */
} tm_time_segment;

typedef struct tm_time_segments {
  tm_budget *budget;
  const tm_schema *schema;
  const uint8_t *needed; /* a byte a column; NULL: all */
  bool weights;          /* rows have weights */
  bool copies;           /* large batches are copied too, so that nothing they pin is held */
  tm_time_segment *all;
  uint32_t count, capacity, first_free;
  uint32_t open;         /* the one that is filled; TM_TIME_SEGMENT_NONE */
  uint32_t open_room;
  uint32_t stamp;
  uint64_t used, live;   /* of all */
} tm_time_segments;

#define TM_TIME_SEGMENT_NONE UINT32_MAX

void tm_time_segments_init(tm_time_segments *segments, tm_budget *budget, const tm_schema *schema,
                           const uint8_t *needed);
void tm_time_segments_deinit(tm_time_segments *segments);

/* Keeps the rows of a batch whose numbers are `rows`, and says where they are: out[i].segment and
 * .row. Retains the batch where it is held as it is. 0 or -1 (memory). */
int tm_time_segments_add(tm_time_segments *segments, tm_batch *batch, const uint32_t *rows,
                         uint32_t count, tm_time_row *out);
/* These rows are not alive any more. */
void tm_time_segments_drop(tm_time_segments *segments, const tm_time_row *rows, uint32_t count);
/* A batch of those rows, with their times. Long strings stay where they are, and are pinned. NULL:
 * out of memory. */
tm_batch *tm_time_segments_gather(tm_time_segments *segments, const tm_time_row *rows,
                                  uint32_t count);

/* How many of the first rows lie in one batch, in their order there and most of it, so that they
 * leave without being copied; 0: not so. */
uint32_t tm_time_segments_slice(const tm_time_segments *segments, const tm_time_row *rows,
                                uint32_t count);

/* So much is dead that it is worth to look at every row. */
bool tm_time_segments_are_thin(const tm_time_segments *segments);
/* Moves the row if it lies in a thin segment. 0 or -1 (memory). */
int tm_time_segments_move(tm_time_segments *segments, tm_time_row *row);

static inline const tm_batch *tm_time_segments_batch(const tm_time_segments *segments,
                                                     const tm_time_row *row) {
  return segments->all[row->segment].batch;
}

#endif
