/* kernel/time_format.h: dates and timestamps as text of a form that somebody chose.
 *
 * A format is compiled once, then prints any number of values; it lives in its arena, never changes
 * and may be shared by threads. Directives, as in strftime of the C locale whatever the locale is:
 *   %Y 2026   %y 26   %m 03   %d 14   %e "14" or " 4"   %j 073, of the year   %F %Y-%m-%d
 *   %H 01   %I 01 to 12   %p AM PM   %M 30   %S 00   %f 000000, microseconds   %T %H:%M:%S
 *   %a Sat   %A Saturday   %u 6, from Monday 1   %w 6, from Sunday 0   %b Mar   %B March
 *   %G %V ISO year and week   %z +0100   %Z CET   %% a percent sign
 * Years have at least four digits, before year 0 a minus in front. A date is midnight UTC. */
#ifndef TM_KERNEL_TIME_FORMAT_H
#define TM_KERNEL_TIME_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/zone.h"

typedef struct tm_time_format tm_time_format;

/* NULL and TM_E_VALUE for a directive that is none, TM_E_MEMORY without memory. */
const tm_time_format *tm_time_format_compile(const char *format, size_t size, tm_arena *arena,
                                             tm_error *err);
/* Bytes that `out` must have room for, whatever the value. */
size_t tm_time_format_bytes_max(const tm_time_format *format);

/* Both write no NUL and return the size of the text. */
size_t tm_time_format_date(const tm_time_format *format, int32_t days, char *out);
/* zone NULL is UTC. The hint belongs to the caller, zeroed at first, one a thread. */
size_t tm_time_format_timestamp(const tm_time_format *format, int64_t utc_us, const tm_zone *zone,
                                tm_zone_hint *hint, char *out);

#endif
