/* kernel/parse.h: text to values, one at a time, by the rules of reference.md.
 *
 * The text need not end with a NUL and nothing beyond it is read. Spaces and tabs around it do
 * not count; a text without anything else is malformed. Where the result is not TM_PARSE_OK,
 * *out is untouched. parse_column.h does the same for whole columns, much faster. */
#ifndef TM_KERNEL_PARSE_H
#define TM_KERNEL_PARSE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tm_parse {
  TM_PARSE_OK = 0,
  TM_PARSE_TYPE = -1,  /* is no such value */
  TM_PARSE_RANGE = -2, /* is one that the type cannot hold */
  TM_PARSE_SCALE = -3, /* has digits other than 0 that would be lost */
  TM_PARSE_EMPTY = 1,  /* of columns only: an empty field, a null */
} tm_parse;

enum { TM_PARSE_NO_OFFSET = INT_MIN };

/* [+-]?digits */
int tm_parse_int64(const char *text, size_t size, int64_t *out);
int tm_parse_int32(const char *text, size_t size, int32_t *out);

/* true t yes y 1, false f no n 0, in any case */
int tm_parse_bool(const char *text, size_t size, bool *out);

/* Decimal digits with or without a point and an exponent, correctly rounded; nan, inf and
 * infinity in any case, signed or not. Too small is 0, too large TM_PARSE_RANGE. */
int tm_parse_float64(const char *text, size_t size, double *out);

/* Digits with or without a point, no exponent: *out is the value times 10^scale. */
int tm_parse_decimal64(const char *text, size_t size, int precision, int scale, int64_t *out);
int tm_parse_decimal128(const char *text, size_t size, int precision, int scale, __int128 *out);

/* YYYY-MM-DD, years 0001 to 9999: days since 1970-01-01. */
int tm_parse_date(const char *text, size_t size, int32_t *out_days);

/* A date, or a date, T or a space, HH:MM[:SS[.fraction]] and then perhaps Z, ±HH, ±HHMM, ±HH:MM or
 * ±HH:MM:SS. Microseconds of the clock on the wall, and its seconds east of UTC
 * (TM_PARSE_NO_OFFSET where the text does not say): the caller applies a zone. */
int tm_parse_timestamp(const char *text, size_t size, int64_t *out_local_us, int *out_offset);

#endif
