/* stage/end_options.h: the options of ends. An end is one noun for both directions, so a format's
 * table is that of its source and of its sink. */
#ifndef TM_STAGE_END_OPTIONS_H
#define TM_STAGE_END_OPTIONS_H

#include "format/format.h"
#include "stage/stage.h"

/* Of a file end whose path holds {date}: the path as it was written; `path` has the run's date. */
#define TM_DATED_PATH "{date}"

/* The table of a format ("csv" …); NULL: there is none. */
const tm_option *tm_end_options_of(const char *format);
/* That of an end which carries a format, "tail" or "tcp" (else the format's own), in the arena.
 * NULL when out of memory. */
const tm_option *tm_end_options_carried(tm_arena *arena, const char *verb, const char *format);
/* The format that option `format` names. NULL with err. */
const tm_format *tm_end_options_format(const tm_bind *bind, tm_error *err);
/* bind->options by that table, and the values of on_error and max_bad. 0 or -1. */
int tm_end_options_check(const tm_bind *bind, const char *format, tm_error *err);

#endif
