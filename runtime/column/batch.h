/* column/batch.h: some rows as columns, the unit that travels between stages.
 *
 * A batch owns an arena; its columns point into that arena, or into memory that the batch pins
 * (another batch, a read buffer). It is reference-counted: who holds the only reference may change
 * its selection, columns and marks, everybody else treats it as read-only (tm_batch_own gives a
 * header of one's own that shares the columns). Rows beyond the selection are dead: nobody may
 * look at their values, which can be anything. */
#ifndef TM_COLUMN_BATCH_H
#define TM_COLUMN_BATCH_H

#include "column/schema.h"
#include "column/str.h"

/* Event time and watermarks: microseconds since the epoch. NONE is before everything (no watermark
 * yet), END after it: the end of input. */
#define TM_TIME_NONE INT64_MIN
#define TM_TIME_END INT64_MAX

enum { TM_BATCH_ROWS = 2048, TM_BATCH_ROWS_MAX = 65536 };

typedef struct tm_column {
  tm_type type;
  uint8_t *valid; /* a byte a row, 1 = there, 0 = null; NULL: no row is null */
  void *data;     /* rows * tm_type_width(type), 64-byte aligned when made by tm_batch_column */
} tm_column;

/* Where rows came from. Ordinals order rows as their source has them and name them in messages. */
typedef struct tm_origin {
  uint32_t source;     /* index of the source's node in the plan; UINT32_MAX: of none alone */
  const char *file;    /* path of the file, or "stdin", … ; lives as long as the plan */
  uint32_t file_index; /* in path order */
} tm_origin;

typedef struct tm_pin { void *object; void (*release)(void *object); } tm_pin;

typedef struct tm_batch {
  int references;            /* atomic */
  const tm_schema *schema;   /* borrowed from the plan */
  uint32_t rows;             /* of every column, selected or not */
  uint32_t selected;         /* rows that are alive; == rows where selection is NULL */
  uint32_t *selection;       /* ascending row indexes, `selected` of them; NULL: all rows */
  tm_column *columns;        /* schema->count; data NULL for columns that the plan never reads */
  int32_t *weights;          /* changelogs: a weight a row; NULL: all +1 */
  uint64_t *ordinals;        /* source order: line or record number; NULL: not wanted */
  int64_t *times;            /* event time in microseconds; NULL: rows have none */
  int64_t *marks;            /* the watermark of the row's own partition just before it: a row whose
                                time is less is behind; NULL: none is */
  tm_origin origin;
  uint64_t sequence;         /* of the morsel: ascending along a source; orders batches */
  bool ends_partition;       /* its source partition is gone: nothing comes from it any more. Such a
                                batch is passed on even without rows */
  tm_pin *pins;
  uint32_t pin_count, pin_capacity;
  tm_arena arena;
} tm_batch;

/* rows with all columns NULL, of no source; NULL when beyond the budget. One reference. */
tm_batch *tm_batch_create(tm_budget *budget, const tm_schema *schema, uint32_t rows);
tm_batch *tm_batch_retain(tm_batch *batch);
void tm_batch_release(tm_batch *batch); /* NULL is a no-op */
/* Consumes `taken`: the same batch where it has one reference, else a new header over the same
 * columns that pins it. NULL (taken released) when out of memory. */
tm_batch *tm_batch_own(tm_batch *taken, tm_budget *budget);
/* A new header with another schema, no columns yet, the same rows, selection, weights, ordinals,
 * times, marks, origin and sequence, that pins `base`. The caller sets the columns (shared ones by
 * assignment). NULL when out of memory. Consumes nothing. */
tm_batch *tm_batch_derive(tm_batch *base, tm_budget *budget, const tm_schema *schema);
/* Keeps `object` until the batch goes. 0 or -1. */
int tm_batch_pin(tm_batch *batch, void *object, void (*release)(void *));
int tm_batch_pin_batch(tm_batch *batch, tm_batch *other); /* retains other */

/* Data (and, if `nullable`, a valid array set to 1) for one column out of the batch's arena. */
int tm_batch_column(tm_batch *batch, uint32_t column, bool nullable);
void *tm_batch_alloc(tm_batch *batch, size_t bytes); /* from the arena */
/* tm_str that owns a copy in the arena. false when out of memory. */
bool tm_batch_text(tm_batch *batch, const char *text, size_t size, tm_str *out);

static inline uint32_t tm_batch_row(const tm_batch *batch, uint32_t nth) {
  return batch->selection != NULL ? batch->selection[nth] : nth;
}
static inline bool tm_column_is_null(const tm_column *column, uint32_t row) {
  return column->valid != NULL && column->valid[row] == 0;
}

/* Copies the selected rows of `batch` next to each other, strings too: a batch that pins nothing.
 * NULL when out of memory. */
tm_batch *tm_batch_compact(const tm_batch *batch, tm_budget *budget);
/* out[i] = in[rows[i]] for every column; strings stay views (pin the source yourself). A row index
 * of UINT32_MAX gives null. */
int tm_column_gather(tm_batch *out, uint32_t column, const tm_column *in, const uint32_t *rows,
                     uint32_t count, bool may_miss);
/* Bytes that its columns hold, strings included: for budgets and bounds. */
size_t tm_batch_bytes(const tm_batch *batch);

#endif
