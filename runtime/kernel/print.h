/* kernel/print.h: values to text, as contract.md has them; parse.h reads it back to the same.
 *
 * `out` has room for TM_PRINT_MAX bytes, whatever the value: all of them may be scribbled on. The
 * result is how many count; no NUL is written. */
#ifndef TM_KERNEL_PRINT_H
#define TM_KERNEL_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TM_PRINT_MAX = 80 };

size_t tm_print_int64(char *out, int64_t value);
/* value / 10^scale with `scale` digits behind the point; scale 0 to 38. */
size_t tm_print_decimal(char *out, __int128 value, int scale);
/* The shortest text that reads back to the same double, the nearest to it among those: 3.0 -0.0
 * 1e+16 1e-05 NaN Infinity -Infinity. As Python's repr but for the last three. */
size_t tm_print_float64(char *out, double value);
/* As Lua's tostring: %.14g, with .0 behind what looks like an integer; inf -inf nan -nan. */
size_t tm_print_lua_float(char *out, double value);
/* 2026-03-14; years beyond four digits as they are, before 1 with a minus. */
size_t tm_print_date(char *out, int32_t days);
/* 2026-03-14T01:30:00 with 0, 3 or 6 digits of fraction, as many as are needed, and Z where utc,
 * else the offset: us is UTC, the text what the clock shows there. Offset within ±24 h. */
size_t tm_print_timestamp(char *out, int64_t us, int offset_seconds, bool utc);

#endif
