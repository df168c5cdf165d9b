/* column/reason.h: why a row was refused; the words of reference.md. */
#ifndef TM_COLUMN_REASON_H
#define TM_COLUMN_REASON_H

typedef enum tm_reason {
  TM_REASON_RAGGED, TM_REASON_QUOTE, TM_REASON_ENCODING, TM_REASON_JSON, TM_REASON_TYPE,
  TM_REASON_RANGE, TM_REASON_SCALE, TM_REASON_NULL, TM_REASON_TOO_LONG, TM_REASON_CHECK,
  TM_REASON_LUA, TM_REASON_DECIMAL, TM_REASON_ZONE_GAP, TM_REASON_NO_MATCH, TM_REASON_NO_TIME,
  TM_REASON_FROM_FUTURE, TM_REASON_LATE, TM_REASON_LATE_AFTER_IDLE, TM_REASON_COUNT,
} tm_reason;

/* "ragged", "quote" … */
const char *tm_reason_name(tm_reason reason);

#endif
