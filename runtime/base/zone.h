/* base/zone.h: time zones, read from the system's zone files (TZDIR, else /usr/share/zoneinfo).
 *
 * A zone is read once, lives as long as the process and never changes, so a pointer is as good as
 * a name and may be shared by all threads. Instants are microseconds since the epoch in UTC; a
 * local time is what the clock on the wall shows, as if that were UTC. All of int64 is valid. */
#ifndef TM_BASE_ZONE_H
#define TM_BASE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct tm_zone tm_zone;

typedef enum tm_zone_fit {
  TM_ZONE_OK = 0,
  TM_ZONE_GAP = 1,     /* clocks jumped over it; the instant is the one at which they jumped */
  TM_ZONE_OVERLAP = 2, /* clocks showed it twice; the instant is the first */
} tm_zone_fit;

/* Finds or reads a zone. NULL and TM_E_VALUE when nothing has that name (nearest one in the note),
 * TM_E_CORRUPT when its file is damaged. Thread-safe. "UTC" needs no file. */
const tm_zone *tm_zone_find(const char *name, tm_error *err);
/* Never fails. */
const tm_zone *tm_zone_utc(void);
/* The zone of this machine: TZ (a name or a rule), else /etc/localtime, else UTC. */
const tm_zone *tm_zone_local(tm_error *err);
const char *tm_zone_name(const tm_zone *zone);
/* The release of the zone files ("2026a"), "unknown" where they do not say. */
const char *tm_zone_version(void);

/* Seconds east of UTC. */
int32_t tm_zone_offset_at(const tm_zone *zone, int64_t utc_us);
/* "CEST", "+0330": what the zone calls itself then. Immortal. */
const char *tm_zone_abbreviation_at(const tm_zone *zone, int64_t utc_us);
tm_zone_fit tm_zone_to_utc(const tm_zone *zone, int64_t local_us, int64_t *utc_us);
/* The first instant after utc_us at which the offset changes; INT64_MAX: never again. */
int64_t tm_zone_next_transition(const tm_zone *zone, int64_t utc_us);

/* The first instant of a local day (days since 1970-01-01). The day that a zone skipped is empty:
 * it starts when the next one does. */
int64_t tm_zone_day_start(const tm_zone *zone, int64_t days);
/* The day d with day_start(d) <= utc_us < day_start(d + 1). It differs from the date on the wall
 * only where clocks went back over midnight: a day that has begun is not left again. */
int64_t tm_zone_day_at(const tm_zone *zone, int64_t utc_us);

/* A call site's memory of the last interval: zeroed at first, one a thread. */
typedef struct tm_zone_hint {
  const tm_zone *zone;
  int64_t from_us, to_us; /* half-open; UTC, or local for tm_zone_to_utc_hint */
  int32_t offset_s;
} tm_zone_hint;

int32_t tm_zone_offset_find(const tm_zone *zone, int64_t utc_us, tm_zone_hint *hint);
tm_zone_fit tm_zone_to_utc_find(const tm_zone *zone, int64_t local_us, int64_t *utc_us,
                                tm_zone_hint *hint);

/* As tm_zone_offset_at. A hint serves one of these two functions, not both. */
static inline int32_t tm_zone_offset_hint(const tm_zone *zone, int64_t utc_us,
                                          tm_zone_hint *hint) {
  if (hint->zone == zone && utc_us >= hint->from_us && utc_us < hint->to_us) return hint->offset_s;
  return tm_zone_offset_find(zone, utc_us, hint);
}

/* As tm_zone_to_utc. */
static inline tm_zone_fit tm_zone_to_utc_hint(const tm_zone *zone, int64_t local_us,
                                              int64_t *utc_us, tm_zone_hint *hint) {
  if (hint->zone != zone || local_us < hint->from_us || local_us >= hint->to_us)
    return tm_zone_to_utc_find(zone, local_us, utc_us, hint);
  *utc_us = (int64_t)((uint64_t)local_us - (uint64_t)((int64_t)hint->offset_s * 1000000));
  return TM_ZONE_OK;
}

/* Whole columns; out may be in. Results beyond int64 wrap. */
void tm_zone_to_local_rows(const tm_zone *zone, const int64_t *utc_us, int64_t *local_us,
                           size_t rows);
/* fits[i] is a tm_zone_fit; returns how many rows fell into a gap. */
size_t tm_zone_to_utc_rows(const tm_zone *zone, const int64_t *local_us, int64_t *utc_us,
                           uint8_t *fits, size_t rows);

#endif
