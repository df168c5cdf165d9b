/* stage/out.h: what one call of a stage gives back, and the books it keeps.
 *
 * A call emits at most one main batch; refused rows are appended to `rejects`. The lane empties
 * both after every call. */
#ifndef TM_STAGE_OUT_H
#define TM_STAGE_OUT_H

#include "column/batch.h"
#include "column/reason.h"

/* in + produced == passed + filtered + duplicate + late + rejected + unmatched + absorbed + held */
typedef struct tm_ledger {
  uint64_t in, produced, passed, filtered, duplicate, late, rejected, unmatched, absorbed, held;
} tm_ledger;

bool tm_ledger_balances(const tm_ledger *ledger);
void tm_ledger_add(tm_ledger *sum, const tm_ledger *part);

/* One refused row, with text in the arena of the tm_out. */
typedef struct tm_reject {
  tm_reason reason;
  const char *message;
  const char *file;
  uint32_t source, file_index;
  uint64_t ordinal;     /* line or record number; 0 unknown */
  int64_t offset;       /* byte offset in the (decompressed) file, -1 unknown */
  int script_line;
  tm_str raw;           /* input text, else the row as JSON */
  int64_t event_time_us, watermark_us; /* TM_TIME_NONE: none; of rows that are late, both */
} tm_reject;

typedef struct tm_out {
  tm_batch *main;
  int64_t watermark_us; /* TM_TIME_NONE: unchanged. Behind main: no row that comes later is less,
                           but for those that are late */
  tm_reject *rejects;   /* refused and late rows; the lane tells them apart by their reason */
  uint32_t reject_count, reject_capacity;
  tm_arena *arena;      /* lives until the lane has taken the rejects */
} tm_out;

/* An empty one, whose rejects lie in `arena`. */
static inline tm_out tm_out_make(tm_arena *arena) {
  return (tm_out){.watermark_us = TM_TIME_NONE, .arena = arena};
}
/* Takes the batch; one without selected rows is released and counts as none, unless it ends a
 * partition. */
void tm_out_emit(tm_out *out, tm_batch *taken);
/* A row is late: as tm_out_reject, with its time and the watermark that it was behind. The lane
 * books it as late. 0 or -1 (memory). */
int tm_out_late(tm_out *out, const tm_batch *batch, uint32_t row, tm_reason reason,
                int script_line, const char *message, int64_t watermark_us);
/* Refuses a row of a batch (raw becomes the row as JSON). message is copied. 0 or -1 (memory). */
int tm_out_reject(tm_out *out, const tm_batch *batch, uint32_t row, tm_reason reason,
                  int script_line, const char *message);
/* Refuses input text: every field is the caller's, message and raw are copied. 0 or -1. */
int tm_out_reject_raw(tm_out *out, const tm_reject *reject);

#endif
