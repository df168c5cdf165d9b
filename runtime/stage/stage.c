/* stage/stage.c: finding a stage by the verb of the script. */
#include "stage/stage.h"

#include <string.h>

static bool is_alias(const char *aliases, const char *verb) {
  size_t size = strlen(verb);
  for (const char *at = aliases; at != NULL && *at != '\0';) {
    size_t word = strcspn(at, " ");
    if (word == size && memcmp(at, verb, size) == 0) return true;
    at += word + strspn(at + word, " ");
  }
  return false;
}

const tm_stage *tm_stage_find_for(const char *verb, tm_stage_role role, const tm_bind *bind) {
  for (const tm_stage *const *at = tm_stage_table; *at != NULL; at++) {
    const tm_stage *stage = *at;
    if (tm_stage_role_of(stage) != role) continue;
    if (strcmp(stage->name, verb) != 0 && !is_alias(stage->aliases, verb)) continue;
    if (bind == NULL || stage->serves == NULL || stage->serves(bind)) return stage;
  }
  return NULL;
}

const tm_stage *tm_stage_find(const char *verb, tm_stage_role role) {
  return tm_stage_find_for(verb, role, NULL);
}

tm_stage_role tm_stage_role_of(const tm_stage *stage) {
  if (stage->inputs == 0) return TM_ROLE_SOURCE;
  return stage->sink ? TM_ROLE_SINK : TM_ROLE_STEP;
}

int tm_bind_note(tm_bind *bind, const struct tm_function *function) {
  if (bind->function_count == bind->function_capacity) {
    uint32_t capacity = bind->function_capacity == 0 ? 4 : bind->function_capacity * 2;
    const struct tm_function **grown = tm_arena_alloc(bind->arena, capacity * sizeof *grown);
    if (grown == NULL) return -1;
    if (bind->function_count > 0) {
      memcpy(grown, bind->functions, bind->function_count * sizeof *grown);
    }
    bind->functions = grown;
    bind->function_capacity = capacity;
  }
  bind->functions[bind->function_count++] = function;
  return 0;
}
