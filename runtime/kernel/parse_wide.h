/* kernel/parse_wide.h: the columns of parse_column.h, eight rows at a time. Private to this room.
 *
 * Each function does the first rows / 8 * 8 rows, adds to *marked what its column function returns
 * for them, and gives back how many rows it did. */
#ifndef TM_KERNEL_PARSE_WIDE_H
#define TM_KERNEL_PARSE_WIDE_H

#include <stddef.h>
#include <stdint.h>

typedef struct tm_parse_fields {
  const char *base;
  const uint32_t *begin, *end;
  size_t rows;
} tm_parse_fields;

typedef struct tm_parse_wide {
  size_t (*int64)(const tm_parse_fields *fields, int64_t *restrict out, uint8_t *restrict status,
                  size_t *marked);
  size_t (*int32)(const tm_parse_fields *fields, int32_t *restrict out, uint8_t *restrict status,
                  size_t *marked);
  size_t (*float64)(const tm_parse_fields *fields, double *restrict out, uint8_t *restrict status,
                    size_t *marked);
  size_t (*decimal64)(const tm_parse_fields *fields, int precision, int scale,
                      int64_t *restrict out, uint8_t *restrict status, size_t *marked);
  size_t (*date)(const tm_parse_fields *fields, int32_t *restrict out_days,
                 uint8_t *restrict status, size_t *marked);
  /* local may be NULL */
  size_t (*timestamp)(const tm_parse_fields *fields, int64_t *restrict out_us,
                      uint8_t *restrict local, uint8_t *restrict status, size_t *marked);
} tm_parse_wide;

/* NULL on machines without AVX-512. */
const tm_parse_wide *tm_parse_wide_find(void);

#endif
