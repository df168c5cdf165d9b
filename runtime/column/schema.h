/* column/schema.h: names and types of a row, in order. Read-only once built; lives in an arena. */
#ifndef TM_COLUMN_SCHEMA_H
#define TM_COLUMN_SCHEMA_H

#include "column/type.h"

typedef struct tm_field {
  const char *name;
  tm_type type;
  const char *path;   /* where the source has it ('user.country', 'Header Name'); NULL: as named */
} tm_field;

typedef struct tm_schema {
  uint32_t count;
  tm_field *fields;
} tm_schema;

/* Room for `count` fields, empty; NULL when out of memory. */
tm_schema *tm_schema_create(tm_arena *arena, uint32_t count);
tm_schema *tm_schema_copy(tm_arena *arena, const tm_schema *schema);
/* Index of a column, -1 if there is none. */
int tm_schema_find(const tm_schema *schema, const char *name);
/* The same, or -1 and TM_E_FIELD "unknown column 'x' (has: …)" with a suggestion. */
int tm_schema_require(const tm_schema *schema, const char *name, tm_error *err);
/* "id int64 not null, country string 'user.country'": NULL and TM_E_SCHEMA where it is malformed,
 * a type is unknown (did you mean), or a name comes twice. A keyword of SQL is no special name. */
tm_schema *tm_schema_parse(tm_arena *arena, const char *ddl, tm_error *err);
/* One type alone, as "decimal(12,2)". 0 or -1. */
int tm_type_parse(const char *text, tm_type *out, tm_error *err);
/* The DDL, ready to paste. */
char *tm_schema_text(tm_arena *arena, const tm_schema *schema);
/* Same names and types in the same order (not_null and path aside). */
bool tm_schema_equal(const tm_schema *a, const tm_schema *b);

#endif
