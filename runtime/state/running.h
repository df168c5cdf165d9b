/* state/running.h: what over computes for a row out of the rows of its partition up to it.
 *
 * A column of over has one entry (tm_running) a partition, which begins as zeros. A frame holds all
 * rows so far, the last `rows` of them, or those whose place is at most `range` away; what has left
 * a frame is forgotten. Sums are exact: what leaves takes nothing but itself with it. */
#ifndef TM_STATE_RUNNING_H
#define TM_STATE_RUNNING_H

#include "column/batch.h"
#include "kernel/exact_sum.h"
#include "kernel/moments.h"
#include "state/record.h"
#include "state/text_map.h"

typedef enum tm_running_kind {
  TM_RUNNING_ROW_NUMBER, TM_RUNNING_RANK, TM_RUNNING_SESSION, TM_RUNNING_LAG, TM_RUNNING_COUNT,
  TM_RUNNING_SUM, TM_RUNNING_AVG, TM_RUNNING_MIN, TM_RUNNING_MAX, TM_RUNNING_FIRST,
  TM_RUNNING_LAST, TM_RUNNING_KINDS,
} tm_running_kind;

typedef enum tm_frame { TM_FRAME_ALL, TM_FRAME_ROWS, TM_FRAME_RANGE } tm_frame;

typedef struct tm_running_spec {
  tm_running_kind kind;
  tm_frame frame;
  uint64_t size;       /* rows; or how far a place may be away (session: from the last row's) */
  tm_type type;        /* of the values; TM_NULLTYPE: none, count() of rows */
  tm_type result;
  const char *name, *text; /* "total", "sum(x)", for messages */
} tm_running_spec;

/* Values with their places, the oldest first; a ring. */
typedef struct tm_running_queue {
  int64_t *places;     /* one block: the places, and behind them the values */
  char *values;        /* of the type's width */
  uint32_t first, count, capacity;
} tm_running_queue;

typedef struct tm_running {
  union {
    tm_exact_sum exact;
    tm_wide_sum wide;
    tm_cell cell;      /* of the one value that counts; owns its string */
  };
  int64_t rows;        /* of the partition so far */
  int64_t count;       /* values in the frame; the rank; the session */
  int64_t last;        /* place of the last row, or of `cell` */
  bool set;            /* cell is there */
  tm_running_queue queue;
} tm_running;

/* Rows of a batch, in order. All but `places` and `states` by number of row. */
typedef struct tm_running_rows {
  uint32_t count;
  const uint32_t *rows;      /* their numbers */
  tm_running *const *states; /* of each, its partition's */
  const int64_t *places;     /* of each: time, for ranges; the same for peers, for rank */
  const tm_column *value;    /* NULL where the spec has no type */
  const uint8_t *counts;     /* 0: its value does not count; NULL: all do */
} tm_running_rows;

/* Into a column of `out`, at the numbers of the rows. 0, or -1 with err (overflow, memory). */
int tm_running_add(const tm_running_spec *spec, tm_budget *budget, const tm_running_rows *in,
                   tm_batch *out, uint32_t column, tm_error *err);

void tm_running_deinit(const tm_running_spec *spec, tm_budget *budget, tm_running *running);
void tm_running_save(const tm_running_spec *spec, const tm_running *running, tm_record_writer *w);
/* Into zeros. 0 or -1 (memory); what is malformed is in reader->failed. deinit is due. */
int tm_running_restore(const tm_running_spec *spec, tm_budget *budget, tm_running *running,
                       tm_record_reader *reader);

/* How far apart two places are. */
static inline uint64_t tm_running_distance(int64_t a, int64_t b) {
  return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

#endif
