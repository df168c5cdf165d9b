/* format/jsonl_wants.c: see jsonl_wants.h. */
#include "format/jsonl_wants.h"

/* What is left of a path at some depth, and where its value goes. */
typedef struct item { const char *rest; int32_t slot; } item;

static const char *path_of(const tm_schema *schema, uint32_t column) {
  const tm_field *field = &schema->fields[column];
  return field->path != NULL ? field->path : field->name;
}

/* Columns of one path share a slot. */
static uint32_t number_slots(const tm_reading *r, int32_t *slot_of, item *items) {
  uint32_t slots = 0;
  for (uint32_t c = 0; c < r->schema->count; c++) {
    slot_of[c] = TM_JSON_NONE;
    if (!tm_reading_checks(r, c) || (r->from_path != NULL && r->from_path[c])) continue;
    const char *path = path_of(r->schema, c);
    for (uint32_t i = 0; i < slots; i++) {
      if (strcmp(items[i].rest, path) == 0) slot_of[c] = items[i].slot;
    }
    if (slot_of[c] != TM_JSON_NONE) continue;
    items[slots] = (item){path, (int32_t)slots};
    slot_of[c] = (int32_t)slots++;
  }
  return slots;
}

static tm_json_want *find_or_add(tm_json_want *children, uint32_t *count, const char *key,
                                 size_t size) {
  for (uint32_t i = 0; i < *count; i++) {
    if (children[i].size == size && memcmp(children[i].key, key, size) == 0) return &children[i];
  }
  tm_json_want *added = &children[(*count)++];
  *added = (tm_json_want){.key = key, .size = (uint32_t)size, .slot = TM_JSON_NONE};
  return added;
}

static int build(tm_arena *arena, const item *items, uint32_t item_count, tm_json_want *parent) {
  tm_json_want *children = tm_arena_alloc(arena, (2 * item_count + 1) * sizeof *children);
  item *below = tm_arena_alloc(arena, (item_count + 1) * sizeof *below);
  uint32_t count = 0;
  if (children == NULL || below == NULL) return -1;
  for (uint32_t i = 0; i < item_count; i++) {
    const char *rest = items[i].rest;
    find_or_add(children, &count, rest, strlen(rest))->slot = items[i].slot;
    const char *dot = strchr(rest, '.');
    if (dot != NULL) find_or_add(children, &count, rest, (size_t)(dot - rest));
  }
  for (uint32_t k = 0; k < count; k++) {
    uint32_t deeper = 0;
    for (uint32_t i = 0; i < item_count; i++) {
      const char *rest = items[i].rest;
      if (strncmp(rest, children[k].key, children[k].size) != 0) continue;
      if (rest[children[k].size] != '.') continue;
      below[deeper++] = (item){rest + children[k].size + 1, items[i].slot};
    }
    if (deeper > 0 && build(arena, below, deeper, &children[k]) < 0) return -1;
  }
  parent->children = children;
  parent->child_count = count;
  return 0;
}

int tm_jsonl_wants_build(tm_arena *arena, const tm_reading *reading, tm_jsonl_wants *out) {
  uint32_t columns = reading->schema->count;
  *out = (tm_jsonl_wants){.root = {.slot = TM_JSON_NONE}};
  out->slot_of = tm_arena_alloc(arena, (columns + 1) * sizeof *out->slot_of);
  item *items = tm_arena_alloc(arena, (columns + 1) * sizeof *items);
  if (out->slot_of == NULL || items == NULL) return -1;
  out->slot_count = number_slots(reading, out->slot_of, items);
  return build(arena, items, out->slot_count, &out->root);
}
