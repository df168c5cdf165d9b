/* plan/refused.c: the schema of refused rows. */
#include "plan/refused.h"

#define COLUMN(column_name, column_kind) {.name = column_name, .type = {.kind = column_kind}}

static tm_field fields[TM_REFUSED_COUNT] = {
  COLUMN("reason", TM_STRING),      COLUMN("message", TM_STRING),
  COLUMN("source", TM_STRING),      COLUMN("file", TM_STRING),
  COLUMN("line", TM_INT64),         COLUMN("offset", TM_INT64),
  COLUMN("pipeline", TM_STRING),    COLUMN("step", TM_STRING),
  COLUMN("script_line", TM_INT64),  COLUMN("raw", TM_STRING),
  COLUMN("event_time", TM_TIMESTAMP), COLUMN("watermark", TM_TIMESTAMP),
  COLUMN("_source", TM_INT64),      COLUMN("_file", TM_INT64),
  COLUMN("_step", TM_INT64),
};

const tm_schema tm_refused_schema = {.count = TM_REFUSED_COUNT, .fields = fields};
const tm_schema tm_refused_visible_schema = {.count = TM_REFUSED_VISIBLE, .fields = fields};
