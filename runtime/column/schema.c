/* column/schema.c: schemas in an arena, and the look-up of columns by name.
 * Schemas are short, so a look-up is a scan. The DDL parser is in ddl.c. */
#include "column/schema.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

tm_schema *tm_schema_create(tm_arena *arena, uint32_t count) {
  tm_schema *schema = tm_arena_zero(arena, sizeof *schema);
  if (schema == NULL) return NULL;
  schema->fields = tm_arena_zero(arena, (count + 1) * sizeof *schema->fields);
  if (schema->fields == NULL) return NULL;
  schema->count = count;
  return schema;
}

tm_schema *tm_schema_copy(tm_arena *arena, const tm_schema *schema) {
  tm_schema *copy = tm_schema_create(arena, schema->count);
  if (copy == NULL) return NULL;
  for (uint32_t i = 0; i < schema->count; i++) {
    const tm_field *from = &schema->fields[i];
    tm_field *to = &copy->fields[i];
    *to = *from;
    to->name = tm_arena_text(arena, from->name, strlen(from->name));
    if (to->name == NULL) return NULL;
    if (from->path == NULL) continue;
    to->path = tm_arena_text(arena, from->path, strlen(from->path));
    if (to->path == NULL) return NULL;
  }
  return copy;
}

int tm_schema_find(const tm_schema *schema, const char *name) {
  for (uint32_t i = 0; i < schema->count; i++) {
    if (strcmp(schema->fields[i].name, name) == 0) return (int)i;
  }
  return -1;
}

static void schema_names(const tm_schema *schema, char *out, size_t room) {
  size_t used = 0;
  out[0] = '\0';
  for (uint32_t i = 0; i < schema->count && used + 8 < room; i++) {
    int wrote = snprintf(out + used, room - used, "%s%s", i == 0 ? "" : ", ",
                         schema->fields[i].name);
    if (wrote < 0 || (size_t)wrote >= room - used) {
      snprintf(out + used, room - used, "%s", i == 0 ? "…" : ", …");
      return;
    }
    used += (size_t)wrote;
  }
}

enum { SUGGEST_MAX = 256 };

int tm_schema_require(const tm_schema *schema, const char *name, tm_error *err) {
  int found = tm_schema_find(schema, name);
  if (found >= 0) return found;
  char has[240];
  schema_names(schema, has, sizeof has);
  tm_fail(err, TM_E_FIELD, "unknown column '%.60s' (has: %s)", name, has);
  const char *names[SUGGEST_MAX];
  uint32_t count = schema->count < SUGGEST_MAX ? schema->count : SUGGEST_MAX;
  for (uint32_t i = 0; i < count; i++) names[i] = schema->fields[i].name;
  tm_error_suggest(err, name, names, count);
  return -1;
}

bool tm_schema_equal(const tm_schema *a, const tm_schema *b) {
  if (a->count != b->count) return false;
  for (uint32_t i = 0; i < a->count; i++) {
    if (strcmp(a->fields[i].name, b->fields[i].name) != 0) return false;
    if (!tm_type_equal(a->fields[i].type, b->fields[i].type)) return false;
  }
  return true;
}
