/* tests/support/values.h: what a script would say, for tests: V_TABLE(arena, {"n", v_int(3)}). */
#ifndef TESTS_SUPPORT_VALUES_H
#define TESTS_SUPPORT_VALUES_H

#include <string.h>

#include "base/memory.h"
#include "base/value.h"

static inline tm_value v_nil(void) { return (tm_value){.kind = TM_VALUE_NIL}; }
static inline tm_value v_bool(bool b) { return (tm_value){.kind = TM_VALUE_BOOL, .boolean = b}; }
static inline tm_value v_int(int64_t i) { return (tm_value){.kind = TM_VALUE_INT, .integer = i}; }
static inline tm_value v_float(double x) { return (tm_value){.kind = TM_VALUE_FLOAT, .number = x}; }
static inline tm_value v_node(int i) { return (tm_value){.kind = TM_VALUE_NODE, .integer = i}; }
static inline tm_value v_text(const char *text) {
  return (tm_value){.kind = TM_VALUE_TEXT, .text = text, .size = strlen(text)};
}
/* source: a tm_function_source */
static inline tm_value v_function(void *source) {
  return (tm_value){.kind = TM_VALUE_FUNCTION, .function = source};
}

/* Copies the entries; named ones come sorted by name, as the script room has them. */
static inline tm_value v_table(tm_arena *arena, const tm_value *items, size_t item_count,
                               const tm_pair *pairs, size_t pair_count) {
  tm_value *list = tm_arena_zero(arena, (item_count + 1) * sizeof *list);
  tm_pair *map = tm_arena_zero(arena, (pair_count + 1) * sizeof *map);
  if (item_count > 0) memcpy(list, items, item_count * sizeof *list);
  for (size_t i = 0; i < pair_count; i++) {
    size_t at = i;
    for (; at > 0 && strcmp(map[at - 1].name, pairs[i].name) > 0; at--) map[at] = map[at - 1];
    map[at] = pairs[i];
  }
  return (tm_value){.kind = TM_VALUE_TABLE, .items = list, .item_count = item_count,
                    .pairs = map, .pair_count = pair_count};
}

#define V_COUNT(type, ...) (sizeof((type[]){__VA_ARGS__}) / sizeof(type))
#define V_LIST(arena, ...)                                                                      \
  v_table(arena, (tm_value[]){__VA_ARGS__}, V_COUNT(tm_value, __VA_ARGS__), NULL, 0)
#define V_TABLE(arena, ...)                                                                     \
  v_table(arena, NULL, 0, (tm_pair[]){__VA_ARGS__}, V_COUNT(tm_pair, __VA_ARGS__))

#endif
