/* format/format_options.h: what a script said of a format, from its table of options. */
#ifndef TM_FORMAT_FORMAT_OPTIONS_H
#define TM_FORMAT_FORMAT_OPTIONS_H

#include "base/value.h"
#include "format/format.h"

/* delimiter, quote, header, null, escape, comment, epoch. `path` decides what is not said: a tab
 * for .tsv (NULL: none). 0, or -1 and TM_E_VALUE. */
int tm_format_options_read(tm_arena *arena, const tm_value *options, const char *path,
                           tm_format_options *out, tm_error *err);

#endif
