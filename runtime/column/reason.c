/* column/reason.c: the words for refused rows, in the order of tm_reason. */
#include "column/reason.h"

#include <assert.h>
#include <stddef.h>

static const char *const reason_names[TM_REASON_COUNT] = {
  "ragged", "quote", "encoding", "json", "type", "range", "scale", "null", "too_long", "check",
  "lua", "decimal", "zone_gap", "no_match", "no_time", "from_future", "late", "late_after_idle",
};

const char *tm_reason_name(tm_reason reason) {
  assert((unsigned)reason < TM_REASON_COUNT && reason_names[reason] != NULL);
  return reason_names[reason];
}
