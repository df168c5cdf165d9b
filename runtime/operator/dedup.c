/* operator/dedup.c: rows whose key was there before leave, the first one stays. `within` counts
 * from the last row that was kept, and a row just as far away is still a duplicate. With keep =
 * "last" dedup_last.c and dedup_changes.c serve. */
#include "operator/dedup.h"

#include <string.h>

const tm_option tm_dedup_options[] = {
  {"key", "text|list", NULL, "the columns that tell rows apart", NULL},
  {"within", "duration", NULL, "since the last row that was kept; without it for ever", NULL},
  {"keep", "text", "first", "\"first\" or \"last\"", NULL},
  {"order", "text", NULL, "\"arrival\": as rows come, not by event time", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

bool tm_dedup_keeps_last(const tm_bind *bind) {
  return strcmp(tm_value_text(bind->options, "keep", "first"), "last") == 0;
}

static bool dedup_serves(const tm_bind *bind) { return !tm_dedup_keeps_last(bind); }

static int dedup_bind(tm_bind *bind, tm_error *err) {
  if (strcmp(tm_value_text(bind->options, "keep", "first"), "first") != 0) {
    tm_fail(err, TM_E_VALUE, "dedup keeps the \"first\" or the \"last\" row of a key");
    tm_error_token(err, "keep", "");
    return -1;
  }
  if (tm_keep_first_bind(bind, "key", err) < 0) return -1;
  if (((const tm_keep_plan *)bind->plan)->key_count > 0) return 0;
  return tm_fail(err, TM_E_VALUE, "dedup wants the columns that tell rows apart: dedup \"id\"");
}

const tm_stage tm_stage_dedup = {
  .size = sizeof(tm_stage),
  .name = "dedup",
  .summary = "the first row of each key, for ever or within a time",
  .inputs = 1,
  .options = tm_dedup_options,
  .serves = dedup_serves,
  .bind = dedup_bind,
  .need = tm_keep_need,
  .open = tm_keep_first_open,
  .restore = tm_keep_first_restore,
  .push = tm_keep_first_push,
  .resume = tm_keep_first_resume,
  .advance = tm_keep_first_advance,
  .save = tm_keep_first_save,
  .finish = tm_keep_first_finish,
  .close = tm_keep_first_close,
};
