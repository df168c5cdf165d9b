/* expr/probe.h: a constant table that expressions look up: a Lua table captured by a function.
 *
 * Keys are int64, string or date, values all of one type. Built at plan time, then read-only. */
#ifndef TM_EXPR_PROBE_H
#define TM_EXPR_PROBE_H

#include "expr/tree.h"

typedef struct tm_probe {
  tm_type key;            /* int64, string or date */
  tm_type value;
  const char *name;       /* as the script calls it, for explain */
  const char *field;      /* of entries that are tables; NULL: the entry itself. For explain */
  uint32_t count;
  uint32_t mask;          /* slot_of[hash & mask] and on: index of an entry + 1, 0: none */
  const uint32_t *slot_of;
  const uint64_t *words;  /* int64 and date keys */
  const tm_str *texts;    /* string keys */
  const void *values;     /* in the value's physical form, entry i at i + 1 */
  /* Integer keys that lie close together are found by subtraction: */
  int64_t least;
  uint32_t span;          /* 0: not so; else slot_of has span entries */
} tm_probe;

/* Entries are copied; texts stay borrowed from the arena. NULL when out of memory. */
tm_probe *tm_probe_create(tm_arena *arena, tm_type key, tm_type value, const char *name,
                                uint32_t count, const tm_constant *keys,
                                const tm_constant *values);

#endif
