/* stage/end_options.h: the options of ends. An end is one noun for both directions, so a format's
 * table is that of its source and of its sink. */
#ifndef TM_STAGE_END_OPTIONS_H
#define TM_STAGE_END_OPTIONS_H

#include "stage/stage.h"

/* The table of a format ("csv" …); NULL: there is none. */
const tm_option *tm_end_options_of(const char *format);
/* bind->options by that table, and the values of on_error and max_bad. 0 or -1. */
int tm_end_options_check(const tm_bind *bind, const char *format, tm_error *err);

#endif
