/* column/type.h: the type of a column, by value.
 *
 * A type is eight bytes and compares field by field; zones are interned and live for ever.
 * `type` says what a value means, `tm_physical` how it lies in memory. */
#ifndef TM_COLUMN_TYPE_H
#define TM_COLUMN_TYPE_H

#include "base/error.h"
#include "base/memory.h"
#include "base/zone.h"

typedef enum tm_kind {
  TM_NULLTYPE = 0,  /* type of a lone nil: fits every column */
  TM_BOOL,          /* uint8_t, 0 or 1 */
  TM_INT32,         /* int32_t */
  TM_INT64,         /* int64_t */
  TM_FLOAT64,       /* double */
  TM_DECIMAL,       /* scaled: int64_t where precision <= 18, else __int128 */
  TM_STRING,        /* tm_str, valid UTF-8 */
  TM_BYTES,         /* tm_str */
  TM_DATE,          /* int32_t days since 1970-01-01 */
  TM_TIMESTAMP,     /* int64_t microseconds since the epoch, UTC; zone governs text only */
} tm_kind;

typedef enum tm_physical {
  TM_PHYSICAL_U8, TM_PHYSICAL_I32, TM_PHYSICAL_I64, TM_PHYSICAL_F64, TM_PHYSICAL_I128,
  TM_PHYSICAL_STR,
} tm_physical;

typedef struct tm_type {
  uint8_t kind;             /* a tm_kind */
  uint8_t precision, scale; /* of a decimal, else 0 */
  uint8_t not_null;         /* the DDL said so, or it can be proved */
  const tm_zone *zone;      /* of a timestamp with a zone, else NULL */
} tm_type;

enum { TM_DECIMAL_SHORT = 18, TM_DECIMAL_MAX = 38, TM_TYPE_TEXT_MAX = 96 };

tm_type tm_type_of(tm_kind kind);
tm_type tm_type_decimal(int precision, int scale);
tm_physical tm_type_physical(tm_type type);
/* Bytes of one value in a column's data: 1, 4, 8 or 16. */
size_t tm_type_width(tm_type type);
/* Equal but for `not_null`. */
bool tm_type_equal(tm_type a, tm_type b);
bool tm_type_is_number(tm_type type);   /* int32 int64 float64 decimal */
bool tm_type_is_integer(tm_type type);  /* int32 int64 */
/* "decimal(12,2)", "timestamp('Europe/Berlin')" and, where it is so, " not null"; returns out. */
const char *tm_type_text(tm_type type, char out[TM_TYPE_TEXT_MAX]);
/* The type that holds values of both (union, branches of a function): int32 and int64 widen,
 * nulltype gives way, decimals take the larger scale and whole part. false: they do not fit. */
bool tm_type_unify(tm_type a, tm_type b, tm_type *out);

#endif
