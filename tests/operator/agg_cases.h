/* tests/operator/agg_cases.h: what a script would say for an agg, for its tests. */
#ifndef TESTS_OPERATOR_AGG_CASES_H
#define TESTS_OPERATOR_AGG_CASES_H

#include <stdio.h>

#include "tests/operator/agg_reference.h"
#include "tests/operator/window_reference.h"
#include "tests/support/values.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static inline tm_value agg_spec_value(tm_arena *arena, const agg_spec *spec) {
  tm_pair pairs[8];
  size_t count = 0;
  pairs[count++] = (tm_pair){"agg", v_text(spec->agg)};
  if (spec->of_function != NULL) pairs[count++] = (tm_pair){"of", v_function(spec->of_function)};
  else if (spec->of != NULL) pairs[count++] = (tm_pair){"of", v_text(spec->of)};
  if (spec->by != NULL) pairs[count++] = (tm_pair){"by", v_text(spec->by)};
  if (spec->as != NULL) pairs[count++] = (tm_pair){"as", v_text(spec->as)};
  if (spec->where != NULL) pairs[count++] = (tm_pair){"where", v_function(spec->where)};
  if (spec->q_given) pairs[count++] = (tm_pair){"q", v_float(spec->q)};
  return v_table(arena, NULL, 0, pairs, count);
}

static inline tm_value agg_keys_value(tm_arena *arena, const char *const *keys, uint32_t count) {
  tm_value names[8];
  for (uint32_t i = 0; i < count; i++) names[i] = v_text(keys[i]);
  return v_table(arena, names, count, NULL, 0);
}

static inline tm_value agg_specs_value(tm_arena *arena, const agg_spec *specs, uint32_t count) {
  tm_value *aggs = tm_arena_alloc(arena, (count + 1) * sizeof *aggs);
  for (uint32_t i = 0; i < count; i++) aggs[i] = agg_spec_value(arena, &specs[i]);
  return v_table(arena, aggs, count, NULL, 0);
}

/* { kind = "tumbling", size = … } of a shape, durations in microseconds as text. */
static inline tm_value window_value(tm_arena *arena, const window_shape *s) {
  static const char *const kinds[] = {"tumbling", "hopping", "cumulate"};
  tm_pair pairs[4] = {{"kind", v_text(kinds[s->kind])}};
  size_t count = 1;
  pairs[count++] = (tm_pair){"size", v_text(tm_arena_format(arena, "%ldus", (long)s->size_us))};
  if (s->kind != TM_WINDOW_TUMBLING) {
    pairs[count++] = (tm_pair){s->kind == TM_WINDOW_HOPPING ? "slide" : "step",
                               v_text(tm_arena_format(arena, "%ldus", (long)s->step_us))};
  }
  if (s->zone != NULL) pairs[count++] = (tm_pair){"tz", v_text(tm_zone_name(s->zone))};
  return v_table(arena, NULL, 0, pairs, count);
}

#endif
