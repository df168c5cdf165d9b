/* base/zone_file.h: the bytes of a TZif file as a table of intervals.
 *
 * The table covers all of time: interval i is [starts_us[i], starts_us[i + 1]), the first starts at
 * INT64_MIN, the last one never ends. What the file's footer says about the years after its last
 * transition is written out here for 400 years, the period of the Gregorian calendar, so that a
 * lookup never evaluates a rule: an instant past the table is moved back by whole periods. */
#ifndef TM_BASE_ZONE_FILE_H
#define TM_BASE_ZONE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

/* 400 years are 146,097 days, a whole number of weeks. */
#define TM_ZONE_CYCLE_US (INT64_C(146097) * 86400 * 1000000)

typedef struct tm_zone_table {
  size_t count;              /* intervals, at least one */
  int64_t *starts_us;        /* UTC, strictly ascending; starts_us[0] is INT64_MIN */
  int32_t *offsets_s;        /* east of UTC is positive */
  uint16_t *names;           /* where the interval's abbreviation starts in `abbreviations` */
  char *abbreviations;       /* NUL-terminated texts, one after the other */
  int64_t cycle_us;          /* the 400 years from here repeat for ever; INT64_MAX: they do not */
  int32_t offset_min_s, offset_max_s;
  size_t bytes;              /* of the one block that holds all of this */
} tm_zone_table;

/* Reads a TZif file of any version. NULL and TM_E_CORRUPT for bytes that are none, or damaged;
 * TM_E_UNSUPPORTED for one that counts leap seconds. */
tm_zone_table *tm_zone_file_parse(tm_budget *budget, const uint8_t *data, size_t size,
                                  tm_error *err);
/* Reads a rule as in the variable TZ ("CET-1CEST,M3.5.0,M10.5.0/3"). */
tm_zone_table *tm_zone_file_rule(tm_budget *budget, const char *text, tm_error *err);
void tm_zone_file_destroy(tm_budget *budget, tm_zone_table *table);

#endif
