/* base/value.h: what a script said, as data.
 *
 * The script room turns Lua tables into trees of values, so that plan and stages read options
 * without knowing Lua. Values live in the plan arena and never change once built. A list holds
 * the positional entries of a table, a map its named ones sorted by name; a Lua table with both
 * is a map whose `list` part is not empty. */
#ifndef TM_BASE_VALUE_H
#define TM_BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tm_value_kind {
  TM_VALUE_NIL, TM_VALUE_BOOL, TM_VALUE_INT, TM_VALUE_FLOAT, TM_VALUE_TEXT, TM_VALUE_TABLE,
  TM_VALUE_DECIMAL,   /* tm.dec: digits in i128, scale */
  TM_VALUE_DATE,      /* tm.day: days since the epoch in integer */
  TM_VALUE_TIMESTAMP, /* tm.time: microseconds since the epoch in integer */
  TM_VALUE_DURATION,  /* tm.minutes …: microseconds in integer */
  TM_VALUE_FUNCTION,  /* a row function: `function` is an expr/function source */
  TM_VALUE_NODE,      /* a flow: integer is the index of its node in the graph */
  TM_VALUE_SECRET,    /* opaque; text is never printed */
} tm_value_kind;

typedef struct tm_value tm_value;
typedef struct tm_pair tm_pair;

struct tm_value {
  tm_value_kind kind;
  int script_line;            /* where it was written, 0 if unknown */
  int scale;                  /* of a decimal */
  union {
    bool boolean;
    int64_t integer;
    double number;
    __int128 decimal;
    struct { const char *text; size_t size; };           /* NUL-terminated */
    struct {
      const tm_value *items; size_t item_count;           /* positional entries */
      const tm_pair *pairs; size_t pair_count;            /* named entries, sorted by name */
    };
    void *function;
  };
};

struct tm_pair {
  const char *name;
  tm_value value;
};

/* The named entry of a table, NULL if there is none (or value is NULL or no table). */
const tm_value *tm_value_get(const tm_value *value, const char *name);
/* The text of a named entry, or fallback. */
const char *tm_value_text(const tm_value *value, const char *name, const char *fallback);
/* "integer", "string", "table" …: the words that messages use. */
const char *tm_value_kind_name(tm_value_kind kind);

/* "1h30m", "-5s" … to microseconds (us ms s m h d w; d is 24 h). 0, or -1: it is no duration. */
int tm_duration_parse(const char *text, size_t size, int64_t *out_us);
/* "64M", "1.5G", "4096": powers of 1024. 0, or -1. */
int tm_size_parse(const char *text, size_t size, uint64_t *out_bytes);

#endif
