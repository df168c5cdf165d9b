/* state/aggregate.c: names and types of aggregates, and the parts that each is made of. */
#include "state/aggregate.h"

#include <assert.h>

/* What a kind takes as input. */
typedef enum takes { TAKES_ANY, TAKES_NUMBERS } takes;

typedef struct kind_info {
  const char *name;
  takes takes;
  bool by;
} kind_info;

static const kind_info kinds[TM_AGGREGATE_KINDS] = {
  [TM_AGGREGATE_COUNT] = {"count", TAKES_ANY, false},
  [TM_AGGREGATE_SUM] = {"sum", TAKES_NUMBERS, false},
  [TM_AGGREGATE_AVG] = {"avg", TAKES_NUMBERS, false},
  [TM_AGGREGATE_MIN] = {"min", TAKES_ANY, false},
  [TM_AGGREGATE_MAX] = {"max", TAKES_ANY, false},
  [TM_AGGREGATE_FIRST] = {"first", TAKES_ANY, false},
  [TM_AGGREGATE_LAST] = {"last", TAKES_ANY, false},
  [TM_AGGREGATE_STDDEV] = {"stddev", TAKES_NUMBERS, false},
  [TM_AGGREGATE_VARIANCE] = {"variance", TAKES_NUMBERS, false},
  [TM_AGGREGATE_CORR] = {"corr", TAKES_NUMBERS, true},
  [TM_AGGREGATE_MEDIAN] = {"median", TAKES_NUMBERS, false},
  [TM_AGGREGATE_QUANTILE] = {"quantile", TAKES_NUMBERS, false},
  [TM_AGGREGATE_COUNT_DISTINCT] = {"count_distinct", TAKES_ANY, false},
  [TM_AGGREGATE_ARG_MIN] = {"arg_min", TAKES_ANY, true},
  [TM_AGGREGATE_ARG_MAX] = {"arg_max", TAKES_ANY, true},
};

int tm_aggregate_find(const char *word, tm_error *err) {
  static const char *const later[] = {"collect", "top_k", "approx_distinct", "approx_quantile",
                                      "aggregate"};
  const char *names[TM_AGGREGATE_KINDS];
  for (int i = 0; i < TM_AGGREGATE_KINDS; i++) {
    names[i] = kinds[i].name;
    if (strcmp(word, names[i]) == 0) return i;
  }
  for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
    if (strcmp(word, later[i]) != 0) continue;
    tm_fail(err, TM_E_UNSUPPORTED, "tm.%s is not part of this version yet", word);
    tm_error_token(err, word, NULL);
    return -1;
  }
  tm_fail(err, TM_E_VERB, "there is no aggregate '%.60s'", word);
  tm_error_suggest(err, word, names, TM_AGGREGATE_KINDS);
  return -1;
}

bool tm_aggregate_wants_by(tm_aggregate_kind kind) { return kinds[kind].by; }

/* ------------------------------------------------------------------ types */

static int check_number(const tm_aggregate *a, tm_type type, tm_error *err) {
  if (tm_type_is_number(type)) return 0;
  char text[TM_TYPE_TEXT_MAX];
  type.not_null = 0;
  tm_fail(err, TM_E_TYPE, "%s wants numbers, not %s", a->text, tm_type_text(type, text));
  tm_error_token(err, kinds[a->kind].name, "");
  if (a->kind == TM_AGGREGATE_SUM && type.kind == TM_BOOL) {
    tm_error_help(err, "tm.count { where = function(r) return r.x end } counts the true ones");
  }
  return -1;
}

static int average_type(tm_aggregate *a, tm_error *err) {
  if (a->input_type.kind != TM_DECIMAL) {
    a->type = tm_type_of(TM_FLOAT64);
    return 0;
  }
  int scale = a->input_type.scale + 4;
  if (scale > TM_DECIMAL_MAX) {
    return tm_fail(err, TM_E_TYPE, "%s needs a scale of %d, and %d is the largest", a->text, scale,
                   TM_DECIMAL_MAX);
  }
  a->type = tm_type_decimal(TM_DECIMAL_MAX, scale);
  return 0;
}

static void sum_type(tm_aggregate *a) {
  if (a->input_type.kind == TM_DECIMAL) {
    a->type = tm_type_decimal(TM_DECIMAL_MAX, a->input_type.scale);
  } else {
    a->type = tm_type_of(a->input_type.kind == TM_FLOAT64 ? TM_FLOAT64 : TM_INT64);
  }
}

int tm_aggregate_set_type(tm_aggregate *a, bool grouped, tm_error *err) {
  if (kinds[a->kind].takes == TAKES_NUMBERS) {
    if (check_number(a, a->input_type, err) < 0) return -1;
    if (kinds[a->kind].by && check_number(a, a->by_type, err) < 0) return -1;
  }
  /* A group has a row, and so a value, unless rows or values are left out. */
  bool full = grouped && a->filter < 0 && a->input_type.not_null;
  switch (a->kind) {
    case TM_AGGREGATE_COUNT:
    case TM_AGGREGATE_COUNT_DISTINCT:
      a->type = tm_type_of(TM_INT64);
      full = true;
      break;
    case TM_AGGREGATE_SUM: sum_type(a); break;
    case TM_AGGREGATE_AVG:
      if (average_type(a, err) < 0) return -1;
      break;
    case TM_AGGREGATE_MIN:
    case TM_AGGREGATE_MAX:
    case TM_AGGREGATE_FIRST:
    case TM_AGGREGATE_LAST: a->type = a->input_type; break;
    case TM_AGGREGATE_ARG_MIN:
    case TM_AGGREGATE_ARG_MAX:
      a->type = a->input_type;
      full = full && a->by_type.not_null;
      break;
    case TM_AGGREGATE_STDDEV:
    case TM_AGGREGATE_VARIANCE:
    case TM_AGGREGATE_CORR:
      a->type = tm_type_of(TM_FLOAT64);
      full = false;
      break;
    case TM_AGGREGATE_MEDIAN:
    case TM_AGGREGATE_QUANTILE: a->type = tm_type_of(TM_FLOAT64); break;
    case TM_AGGREGATE_KINDS: assert(!"no kind"); break;
  }
  a->type.not_null = full;
  return 0;
}

/* ------------------------------------------------------------------ parts */

static bool same_part(const tm_part_spec *a, const tm_part_spec *b) {
  return a->kind == b->kind && a->input == b->input && a->by == b->by && a->filter == b->filter;
}

/* Adds a part to the plan, or finds one that is the same, and to the aggregate. */
static void add_part(tm_group_plan *plan, tm_aggregate *a, tm_part_kind kind, int32_t input,
                     int32_t by, int32_t filter) {
  tm_part_spec spec = {.kind = kind, .input = input, .by = by, .filter = filter};
  if (input >= 0) spec.type = input == a->input ? a->input_type : a->by_type;
  if (by >= 0) spec.by_type = by == a->by ? a->by_type : a->input_type;
  uint32_t at = 0;
  while (at < plan->part_count && !same_part(&plan->parts[at], &spec)) at++;
  if (at == plan->part_count) plan->parts[plan->part_count++] = spec;
  assert(a->part_count < TM_AGGREGATE_PARTS_MAX);
  a->parts[a->part_count++] = at;
}

/* Exact integers, of which a sum of squares stays exact too. */
static bool is_word(tm_type type) {
  tm_physical physical = tm_type_physical(type);
  return physical == TM_PHYSICAL_I32 || physical == TM_PHYSICAL_I64;
}

static void add_counts(tm_group_plan *plan, tm_aggregate *a) {
  add_part(plan, a, TM_PART_ROWS, -1, -1, a->filter);
  if (a->input >= 0 && !a->input_type.not_null) {
    add_part(plan, a, TM_PART_NULLS, a->input, -1, a->filter);
  }
}

static tm_part_kind sum_kind(tm_type type) {
  return type.kind == TM_FLOAT64 ? TM_PART_FLOATS : TM_PART_SUM;
}

/* sum, squares, rows, nulls */
static void add_variance(tm_group_plan *plan, tm_aggregate *a) {
  bool words = is_word(a->input_type);
  add_part(plan, a, words ? TM_PART_SUM : TM_PART_FLOATS, a->input, -1, a->filter);
  add_part(plan, a, words ? TM_PART_PRODUCTS : TM_PART_FLOAT_PRODUCTS, a->input, a->input,
           a->filter);
  add_counts(plan, a);
}

static int32_t pair_filter(tm_group_plan *plan, const tm_aggregate *a) {
  if (a->input_type.not_null && a->by_type.not_null) return a->filter;
  tm_group_filter new = {a->filter < 0 ? -1 : plan->filters[a->filter].function,
                         {a->input, a->by}};
  for (uint32_t i = 0; i < plan->filter_count; i++) {
    if (memcmp(&plan->filters[i], &new, sizeof new) == 0) return (int32_t)i;
  }
  plan->filters[plan->filter_count] = new;
  return (int32_t)plan->filter_count++;
}

/* xy, x, y, xx, yy, rows */
static void add_corr(tm_group_plan *plan, tm_aggregate *a) {
  bool words = is_word(a->input_type) && is_word(a->by_type);
  tm_part_kind sum = words ? TM_PART_SUM : TM_PART_FLOATS;
  tm_part_kind product = words ? TM_PART_PRODUCTS : TM_PART_FLOAT_PRODUCTS;
  int32_t filter = pair_filter(plan, a);
  add_part(plan, a, product, a->input, a->by, filter);
  add_part(plan, a, sum, a->input, -1, filter);
  add_part(plan, a, sum, a->by, -1, filter);
  add_part(plan, a, product, a->input, a->input, filter);
  add_part(plan, a, product, a->by, a->by, filter);
  add_part(plan, a, TM_PART_ROWS, -1, -1, filter);
}

/* The order in which parts are added is the one in which aggregate_read.c looks for them. */
static void add_parts(tm_group_plan *plan, tm_aggregate *a) {
  switch (a->kind) {
    case TM_AGGREGATE_COUNT: add_counts(plan, a); return;
    case TM_AGGREGATE_SUM:
      add_part(plan, a, sum_kind(a->input_type), a->input, -1, a->filter);
      break;
    case TM_AGGREGATE_AVG:
      add_part(plan, a, sum_kind(a->input_type), a->input, -1, a->filter);
      add_counts(plan, a);
      return;
    case TM_AGGREGATE_MIN: add_part(plan, a, TM_PART_LEAST, a->input, -1, a->filter); break;
    case TM_AGGREGATE_MAX: add_part(plan, a, TM_PART_GREATEST, a->input, -1, a->filter); break;
    case TM_AGGREGATE_FIRST: add_part(plan, a, TM_PART_FIRST, a->input, -1, a->filter); return;
    case TM_AGGREGATE_LAST: add_part(plan, a, TM_PART_LAST, a->input, -1, a->filter); return;
    case TM_AGGREGATE_STDDEV:
    case TM_AGGREGATE_VARIANCE: add_variance(plan, a); return;
    case TM_AGGREGATE_CORR: add_corr(plan, a); return;
    case TM_AGGREGATE_MEDIAN:
    case TM_AGGREGATE_QUANTILE: add_part(plan, a, TM_PART_VALUES, a->input, -1, a->filter); return;
    case TM_AGGREGATE_COUNT_DISTINCT:
      add_part(plan, a, TM_PART_DISTINCT, a->input, -1, a->filter);
      return;
    case TM_AGGREGATE_ARG_MIN:
      add_part(plan, a, TM_PART_ARG_LEAST, a->input, a->by, a->filter);
      return;
    case TM_AGGREGATE_ARG_MAX:
      add_part(plan, a, TM_PART_ARG_GREATEST, a->input, a->by, a->filter);
      return;
    case TM_AGGREGATE_KINDS: break;
  }
  if (a->type.not_null) return;
  if (plan->counted) add_counts(plan, a);
  else add_part(plan, a, TM_PART_SEEN, a->input, -1, a->filter);
}

int tm_group_plan_complete(tm_group_plan *plan, tm_error *err) {
  uint32_t room = plan->aggregate_count * TM_AGGREGATE_PARTS_MAX + 1;
  plan->parts = tm_arena_zero(plan->arena, room * sizeof *plan->parts);
  if (plan->parts == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  if (plan->counted) {
    plan->rows = plan->part_count++;
    plan->parts[plan->rows] = (tm_part_spec){TM_PART_ROWS, -1, -1, -1, {0}, {0}};
  }
  for (uint32_t i = 0; i < plan->aggregate_count; i++) add_parts(plan, &plan->aggregates[i]);
  for (uint32_t i = 0; i < plan->part_count; i++) {
    plan->wants_places |= plan->parts[i].kind >= TM_PART_FIRST &&
                          plan->parts[i].kind <= TM_PART_ARG_GREATEST;
  }
  return 0;
}
