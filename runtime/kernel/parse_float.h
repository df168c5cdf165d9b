/* kernel/parse_float.h: what parse_column.c shares with parse_float.c. Private to this room. */
#ifndef TM_KERNEL_PARSE_FLOAT_H
#define TM_KERNEL_PARSE_FLOAT_H

#include <stddef.h>

/* As tm_parse_float64, where at least 16 bytes beyond the text may be read. */
int tm_parse_float64_padded(const char *text, size_t size, double *out);

#endif
