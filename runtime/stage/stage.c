/* stage/stage.c: finding a stage by the verb of the script, and what binds have in common. */
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

void tm_time_reach_note(tm_time_reach *reach, int64_t time_us) {
  if (reach == NULL) return;
  int64_t latest_us = __atomic_load_n(&reach->latest_us, __ATOMIC_RELAXED);
  while (time_us > latest_us &&
         !__atomic_compare_exchange_n(&reach->latest_us, &latest_us, time_us, false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

int64_t tm_time_reach_latest(const tm_time_reach *reach) {
  if (reach == NULL) return TM_TIME_NONE;
  int64_t latest_us = __atomic_load_n(&reach->latest_us, __ATOMIC_RELAXED);
  for (int i = 0; i < 2; i++) {
    int64_t part_us = tm_time_reach_latest(reach->parts[i]);
    if (part_us > latest_us) latest_us = part_us;
  }
  return latest_us;
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
