/* format/exact_number.h: JSON numbers with a point or an exponent as exact integers and decimals.
 * */
#ifndef TM_FORMAT_EXACT_NUMBER_H
#define TM_FORMAT_EXACT_NUMBER_H

#include "column/type.h"

/* *out is the number times 10^scale. A tm_parse: TM_PARSE_SCALE where digits would be lost,
 * TM_PARSE_RANGE beyond `precision` digits, TM_PARSE_TYPE where it is no JSON number. */
int tm_exact_number(const char *text, size_t size, int precision, int scale, __int128 *out);
/* Into the value of a column of an int or decimal type. 1.0 and 1e2 are integers, 1.5 is
 * TM_PARSE_TYPE. */
int tm_exact_number_store(const char *text, size_t size, tm_type type, void *out);

#endif
