/* stage/options.h: the typed option table of a stage, held against what the script gave. */
#ifndef TM_STAGE_OPTIONS_H
#define TM_STAGE_OPTIONS_H

#include "stage/stage.h"

/* Unknown names (TM_E_OPTION with a suggestion), wrong types (TM_E_VALUE), options of a later
 * version (TM_E_UNSUPPORTED). `what` is how the script calls it: "tm.csv", "filter". */
int tm_options_check(const tm_option *options, const tm_value *given, const char *what,
                     tm_error *err);

/* Readers for bind(): checked already, so they only convert. */
bool tm_options_bool(const tm_value *options, const char *name, bool fallback);
int64_t tm_options_int(const tm_value *options, const char *name, int64_t fallback);
/* "1m" or a duration value, in microseconds. */
int64_t tm_options_duration(const tm_value *options, const char *name, int64_t fallback_us);
/* Names of columns as indexes into schema: an option that is a text or a list of texts. The count,
 * or -1 with err; *out from the arena. Absent: 0. */
int tm_options_columns(const tm_value *options, const char *name, const tm_schema *schema,
                       tm_arena *arena, uint32_t **out, tm_error *err);
/* The function of an option; NULL: absent. */
const struct tm_function_source *tm_options_function(const tm_value *options, const char *name);

#endif
