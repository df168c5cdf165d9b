/* operator/once.c: one row a key, then none until `within` has passed since it: one alert a burst.
 * Without `per` all rows are of one key, without `within` there is one row a key for ever. */
#include "operator/keep_first.h"

static const tm_option once_options[] = {
  {"per", "text|list", NULL, "columns; without, all rows have one key", NULL},
  {"within", "duration", NULL, "since the last row that passed; without it for ever", NULL},
  {"order", "text", NULL, "\"arrival\": as rows come, not by event time", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

static int once_bind(tm_bind *bind, tm_error *err) { return tm_keep_first_bind(bind, "per", err); }

const tm_stage tm_stage_once = {
  .size = sizeof(tm_stage),
  .name = "once",
  .summary = "one row a key, then none for a while",
  .inputs = 1,
  .options = once_options,
  .bind = once_bind,
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
