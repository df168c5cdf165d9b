/* kernel/parse_column.h: fields of a text, a column at a time, to values.
 *
 * Row i is the text from base + begin[i] up to base + end[i]; 16 bytes beyond the end of any field
 * must be readable. What a field means is what parse.h says. status[i] is 0, TM_PARSE_EMPTY where
 * the field has no character (a null), or a negative tm_parse as uint8_t; out[i] is 0 where it is
 * not 0. Returns how many rows have a status other than 0: usually none, then nobody looks. */
#ifndef TM_KERNEL_PARSE_COLUMN_H
#define TM_KERNEL_PARSE_COLUMN_H

#include "kernel/parse.h"

size_t tm_parse_int64_column(const char *base, const uint32_t *begin, const uint32_t *end,
                             size_t rows, int64_t *restrict out, uint8_t *restrict status);
size_t tm_parse_int32_column(const char *base, const uint32_t *begin, const uint32_t *end,
                             size_t rows, int32_t *restrict out, uint8_t *restrict status);
size_t tm_parse_float64_column(const char *base, const uint32_t *begin, const uint32_t *end,
                               size_t rows, double *restrict out, uint8_t *restrict status);
size_t tm_parse_bool_column(const char *base, const uint32_t *begin, const uint32_t *end,
                            size_t rows, uint8_t *restrict out, uint8_t *restrict status);
size_t tm_parse_decimal64_column(const char *base, const uint32_t *begin, const uint32_t *end,
                                 size_t rows, int precision, int scale, int64_t *restrict out,
                                 uint8_t *restrict status);
size_t tm_parse_decimal128_column(const char *base, const uint32_t *begin, const uint32_t *end,
                                  size_t rows, int precision, int scale, __int128 *restrict out,
                                  uint8_t *restrict status);
size_t tm_parse_date_column(const char *base, const uint32_t *begin, const uint32_t *end,
                            size_t rows, int32_t *restrict out_days, uint8_t *restrict status);
/* Microseconds in UTC, an offset in the text applied. `local`, which may be NULL, is set to 1
 * where the text has none: the row is what the clock on the wall shows, for a zone to convert. */
size_t tm_parse_timestamp_column(const char *base, const uint32_t *begin, const uint32_t *end,
                                 size_t rows, int64_t *restrict out_us, uint8_t *restrict local,
                                 uint8_t *restrict status);

#endif
