/* operator/agg_plan.c: the options of agg to a plan: columns and functions are bound, types come
 * out, equal inputs and equal filters become one. Columns of a result are keys, window_start and
 * window_end where there is a window, aggregates. */
#include "operator/agg_plan.h"

#include "operator/window_split.h"
#include "stage/apply.h"

/* While the plan is made. */
typedef struct binder {
  tm_bind *bind;
  tm_agg_plan *plan;
  bool time_key;
  tm_error *err;
} binder;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

/* ------------------------------------------------------------------ inputs and filters */

/* The function of an entry's option; NULL: there is none. */
static const tm_function_source *source_of(const tm_value *entry, const char *option) {
  const tm_value *value = tm_value_get(entry, option);
  return value != NULL && value->kind == TM_VALUE_FUNCTION ? value->function : NULL;
}

static int bind_filter(binder *b, const tm_value *entry, int32_t *out) {
  tm_agg_plan *plan = b->plan;
  const tm_function_source *source = source_of(entry, "where");
  *out = -1;
  if (source == NULL) return 0;
  for (uint32_t i = 0; i < plan->filter_count; i++) {
    if (plan->filters[i].source != source) continue;
    *out = (int32_t)i;
    return 0;
  }
  tm_function *function = tm_apply_bind(b->bind, source, TM_SHAPE_TRUTH, NULL, NULL, b->err);
  if (function == NULL) return -1;
  *out = (int32_t)plan->filter_count;
  plan->groups.filters[plan->filter_count] = (tm_group_filter){*out, {-1, -1}};
  plan->filters[plan->filter_count++] = (tm_agg_filter){source, function};
  plan->groups.filter_count = plan->filter_count;
  return 0;
}

static int32_t add_input(tm_agg_plan *plan, const tm_agg_input *input) {
  for (uint32_t i = 0; i < plan->input_count; i++) {
    const tm_agg_input *old = &plan->inputs[i];
    bool same = input->column >= 0 ? old->column == input->column
                                   : old->source == input->source && old->filter == input->filter &&
                                         tm_type_equal(old->type, input->type);
    if (same) return (int32_t)i;
  }
  plan->inputs[plan->input_count] = *input;
  return (int32_t)plan->input_count++;
}

/* The declared type of { f, "type" } as a schema of one field; *out stays NULL without. */
static int declared_type(binder *b, const tm_value *entry, const char *name, tm_schema **out) {
  const char *text = tm_value_text(entry, "type", NULL);
  *out = NULL;
  if (text == NULL) return 0;
  *out = tm_schema_create(b->bind->arena, 1);
  if (*out == NULL) return no_memory(b->err);
  (*out)->fields[0].name = name;
  return tm_type_parse(text, &(*out)->fields[0].type, b->err);
}

static int bind_input(binder *b, const tm_value *entry, const char *option, const char *name,
                      int32_t filter, int32_t *out) {
  const tm_schema *schema = b->bind->inputs[0];
  const tm_value *of = tm_value_get(entry, option);
  tm_agg_input input = {.column = -1, .filter = filter};
  if (of->kind == TM_VALUE_TEXT) {
    input.column = tm_schema_require(schema, of->text, b->err);
    if (input.column < 0) return -1;
    input.type = schema->fields[input.column].type;
  } else if (of->kind == TM_VALUE_FUNCTION) {
    tm_schema *declared;
    input.source = of->function;
    if (declared_type(b, entry, name, &declared) < 0) return -1;
    input.function = tm_apply_bind(b->bind, input.source, TM_SHAPE_VALUE, declared, name, b->err);
    if (input.function == NULL) return -1;
    input.type = input.function->result->fields[0].type;
  } else {
    return tm_fail(b->err, TM_E_VALUE, "an aggregate is of a column or a function, not of %s",
                   tm_value_kind_name(of->kind));
  }
  *out = add_input(b->plan, &input);
  return 0;
}

/* ------------------------------------------------------------------ aggregates */

static const char *describe(binder *b, const tm_value *entry) {
  const char *agg = tm_value_text(entry, "agg", ""), *of = tm_value_text(entry, "of", NULL);
  const char *by = tm_value_text(entry, "by", NULL);
  if (of == NULL) of = source_of(entry, "of") != NULL ? "function" : "";
  return tm_arena_format(b->bind->arena, by == NULL ? "%s(%s)" : "%s(%s, %s)", agg, of, by);
}

/* `as`, else the column's name, else count for count(). */
static const char *name_of(binder *b, const tm_value *entry) {
  const char *name = tm_value_text(entry, "as", NULL);
  if (name == NULL) name = tm_value_text(entry, "of", NULL);
  if (name == NULL && tm_value_get(entry, "of") == NULL) name = tm_value_text(entry, "agg", NULL);
  if (name == NULL) {
    tm_fail(b->err, TM_E_VALUE, "tm.%s of a function needs a name",
            tm_value_text(entry, "agg", "aggregate"));
    tm_error_help(b->err, "write tm.%s(f):as \"name\", or name = tm.%s(f)",
                  tm_value_text(entry, "agg", "sum"), tm_value_text(entry, "agg", "sum"));
  }
  return name;
}

static int bind_share(binder *b, const tm_value *entry, tm_aggregate *a) {
  const tm_value *q = tm_value_get(entry, "q");
  a->share = 0.5;
  if (a->kind != TM_AGGREGATE_QUANTILE) return 0;
  if (q != NULL && q->kind == TM_VALUE_INT) a->share = (double)q->integer;
  else if (q != NULL && q->kind == TM_VALUE_FLOAT) a->share = q->number;
  else a->share = -1;
  if (a->share >= 0 && a->share <= 1) return 0;
  return tm_fail(b->err, TM_E_VALUE, "tm.quantile takes a share from 0 to 1");
}

static int bind_aggregate(binder *b, const tm_value *entry, tm_aggregate *a) {
  const char *word = entry->kind == TM_VALUE_TABLE ? tm_value_text(entry, "agg", NULL) : NULL;
  if (word == NULL) {
    return tm_fail(b->err, TM_E_VALUE, "agg takes aggregates, as tm.count() or tm.sum \"x\"");
  }
  int kind = tm_aggregate_find(word, b->err);
  if (kind < 0) return -1;
  *a = (tm_aggregate){.kind = (tm_aggregate_kind)kind, .input = -1, .by = -1, .filter = -1};
  a->name = name_of(b, entry);
  if (a->name == NULL) return -1;
  if ((a->text = describe(b, entry)) == NULL) return no_memory(b->err);
  if (bind_filter(b, entry, &a->filter) < 0) return -1;
  if (tm_value_get(entry, "of") != NULL) {
    if (bind_input(b, entry, "of", a->name, a->filter, &a->input) < 0) return -1;
    a->input_type = b->plan->inputs[a->input].type;
  } else if (kind != TM_AGGREGATE_COUNT) {
    return tm_fail(b->err, TM_E_VALUE, "tm.%s takes a column or a function", word);
  }
  bool by = tm_value_get(entry, "by") != NULL;
  if (by != tm_aggregate_wants_by(a->kind)) {
    return tm_fail(b->err, TM_E_VALUE, by ? "tm.%s is of one column" : "tm.%s is of two columns",
                   word);
  }
  if (by) {
    if (bind_input(b, entry, "by", a->name, a->filter, &a->by) < 0) return -1;
    a->by_type = b->plan->inputs[a->by].type;
  }
  if (bind_share(b, entry, a) < 0) return -1;
  bool grouped = b->plan->groups.key_count > 0 || b->plan->time == TM_AGG_WINDOWED;
  return tm_aggregate_set_type(a, grouped && !b->plan->window.fill, b->err);
}

static int check_name(binder *b, const tm_schema *output, const char *name) {
  if (tm_schema_find(output, name) < 0) return 0;
  tm_fail(b->err, TM_E_COLUMNS, "agg makes two columns '%s'", name);
  tm_error_token(b->err, name, "");
  return tm_error_help(b->err, "give one a name of its own: tm.sum(\"x\"):as \"name\"");
}

/* ------------------------------------------------------------------ the plan */

static int bind_keys(binder *b, const tm_value *keys, tm_schema *output) {
  const tm_schema *input = b->bind->inputs[0];
  tm_agg_plan *plan = b->plan;
  uint32_t count = keys == NULL ? 0 : (uint32_t)keys->item_count;
  plan->keys = tm_arena_zero(b->bind->arena, (count + 1) * sizeof *plan->keys);
  tm_type *types = tm_arena_zero(b->bind->arena, (count + 2) * sizeof *types);
  if (plan->keys == NULL || types == NULL) return no_memory(b->err);
  for (uint32_t i = 0; i < count; i++) {
    const tm_value *key = &keys->items[i];
    if (key->kind != TM_VALUE_TEXT) {
      return tm_fail(b->err, TM_E_VALUE, "group_by takes names of columns, not %s",
                     tm_value_kind_name(key->kind));
    }
    int column = tm_schema_require(input, key->text, b->err);
    if (column < 0) return -1;
    if (check_name(b, output, key->text) < 0) return -1;
    plan->keys[i] = (uint32_t)column;
    types[i] = input->fields[column].type;
    output->fields[output->count++] = (tm_field){.name = key->text, .type = types[i]};
  }
  plan->groups.key_count = count;
  plan->groups.key_types = types;
  if (b->time_key && plan->time != TM_AGG_TIMELESS) {
    types[plan->groups.key_count++] = tm_type_of(TM_INT64);
    plan->groups.timed = true;
  }
  return 0;
}

static int bind_window(binder *b, tm_schema *output) {
  static const char *const names[] = {"window_start", "window_end"};
  if (b->plan->time != TM_AGG_WINDOWED) return 0;
  for (int i = 0; i < 2; i++) {
    if (check_name(b, output, names[i]) < 0) return -1;
    output->fields[output->count++] = (tm_field){.name = names[i], .type = b->plan->window.type};
  }
  b->plan->groups.gap = 2;
  return 0;
}

static int bind_aggregates(binder *b, const tm_value *aggs, tm_schema *output) {
  tm_agg_plan *plan = b->plan;
  tm_arena *arena = b->bind->arena;
  uint32_t count = (uint32_t)aggs->item_count;
  plan->groups.aggregates = tm_arena_zero(arena, (count + 1) * sizeof *plan->groups.aggregates);
  plan->groups.filters = tm_arena_zero(arena, (2 * count + 1) * sizeof *plan->groups.filters);
  plan->inputs = tm_arena_zero(arena, (2 * count + 1) * sizeof *plan->inputs);
  plan->filters = tm_arena_zero(arena, (count + 1) * sizeof *plan->filters);
  if (plan->groups.aggregates == NULL || plan->groups.filters == NULL || plan->inputs == NULL ||
      plan->filters == NULL) {
    return no_memory(b->err);
  }
  for (uint32_t i = 0; i < count; i++) {
    tm_aggregate *a = &plan->groups.aggregates[i];
    if (bind_aggregate(b, &aggs->items[i], a) < 0) return -1;
    if (check_name(b, output, a->name) < 0) return -1;
    output->fields[output->count++] = (tm_field){.name = a->name, .type = a->type};
  }
  plan->groups.aggregate_count = count;
  return tm_group_plan_complete(&plan->groups, b->err);
}

/* "by store, in tumbling 10s: sum(qty), count()" */
static const char *detail_of(const tm_bind *bind, const tm_agg_plan *plan) {
  const char *text = "";
  uint32_t keys = tm_group_plan_shown(&plan->groups);
  bool windowed = plan->time == TM_AGG_WINDOWED;
  for (uint32_t i = 0; i < keys && text != NULL; i++) {
    text = tm_arena_format(bind->arena, "%s%s%s", text, i == 0 ? "by " : ", ",
                           bind->output->fields[i].name);
  }
  if (windowed && text != NULL) {
    text = tm_arena_format(bind->arena, "%s%sin %s", text, keys > 0 ? ", " : "",
                           plan->window.text);
  }
  for (uint32_t i = 0; i < plan->groups.aggregate_count && text != NULL; i++) {
    const char *before = i > 0 ? ", " : keys > 0 || windowed ? ": " : "";
    text = tm_arena_format(bind->arena, "%s%s%s", text, before, plan->groups.aggregates[i].text);
  }
  return text;
}

/* ------------------------------------------------------------------ time */

bool tm_agg_is_of_windows(const tm_bind *bind) {
  const tm_value *keys = tm_value_get(bind->options, "keys");
  const tm_rows_facts *facts = &bind->facts_in[0];
  if (facts->time.kind == TM_NULLTYPE) return false;
  for (size_t i = 0; keys != NULL && i < keys->item_count; i++) {
    const char *name = keys->items[i].kind == TM_VALUE_TEXT ? keys->items[i].text : "";
    int column = tm_schema_find(bind->inputs[0], name);
    if (column < 0) continue;
    if (column == facts->window_end) return true;
    if (column == facts->window_start && facts->fixed_windows) return true;
  }
  return false;
}

static int bind_time(binder *b) {
  tm_agg_plan *plan = b->plan;
  if (tm_window_plan_kind(b->bind->options) >= 0) {
    plan->time = TM_AGG_WINDOWED;
    return tm_window_plan_read(b->bind, &plan->window, b->err);
  }
  plan->time = tm_agg_is_of_windows(b->bind) ? TM_AGG_OF_WINDOWS : TM_AGG_TIMELESS;
  return 0;
}

static void set_shape(binder *b) {
  tm_agg_plan *plan = b->plan;
  if (b->time_key || plan->time == TM_AGG_TIMELESS) return;
  plan->shape = tm_window_split_shape(b->bind, &plan->window, plan->time == TM_AGG_OF_WINDOWS);
  plan->groups.counted = tm_window_shape_counts(&plan->shape);
}

/* What is known of the result. */
static void set_facts(tm_bind *bind, const tm_agg_plan *plan) {
  const tm_rows_facts *in = &bind->facts_in[0];
  tm_rows_facts *out = &bind->facts_out;
  uint32_t keys = tm_group_plan_shown(&plan->groups);
  out->in_time_order = out->fixed_windows = false;
  out->window_start = out->window_end = -1;
  if (plan->time == TM_AGG_TIMELESS) {
    out->time = tm_type_of(TM_NULLTYPE);
  } else if (plan->time == TM_AGG_WINDOWED) {
    out->time = plan->window.type;
    out->window_start = (int)keys;
    out->window_end = (int)keys + 1;
    out->fixed_windows = plan->window.grid.kind != TM_WINDOW_CUMULATE;
  } else {
    out->fixed_windows = in->fixed_windows;
    for (uint32_t i = 0; i < keys; i++) {
      if ((int)plan->keys[i] == in->window_start) out->window_start = (int)i;
      if ((int)plan->keys[i] == in->window_end) out->window_end = (int)i;
    }
  }
}

static int bind_all(tm_bind *bind, bool in_time, bool time_key, tm_error *err) {
  const tm_value *keys = tm_value_get(bind->options, "keys");
  const tm_value *aggs = tm_value_get(bind->options, "aggs");
  if (aggs == NULL || aggs->item_count == 0) {
    return tm_fail(err, TM_E_VALUE, "agg wants aggregates: agg { tm.count() }");
  }
  tm_agg_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  size_t columns = aggs->item_count + (keys == NULL ? 0 : keys->item_count) + 2;
  tm_schema *output = tm_schema_create(bind->arena, (uint32_t)columns);
  if (plan == NULL || output == NULL) return no_memory(err);
  output->count = 0; /* grows as columns are known */
  plan->groups.arena = bind->arena;
  binder b = {bind, plan, time_key, err};
  if (in_time && bind_time(&b) < 0) return -1;
  set_shape(&b);
  if (bind_keys(&b, keys, output) < 0 || bind_window(&b, output) < 0 ||
      bind_aggregates(&b, aggs, output) < 0) {
    return -1;
  }
  bind->plan = plan;
  bind->output = output;
  bind->order = TM_ORDER_NONE;
  bind->wants_ordinals = plan->groups.wants_places && bind->facts_in[0].time.kind == TM_NULLTYPE;
  uint64_t rows = bind->input_rows[0];
  bind->rows_estimate = plan->groups.key_count == 0 ? 1 : rows / 10 + (rows > 0);
  bind->detail = detail_of(bind, plan);
  if (in_time) set_facts(bind, plan);
  return bind->detail == NULL ? no_memory(err) : 0;
}

int tm_agg_bind(tm_bind *bind, tm_error *err) { return bind_all(bind, false, false, err); }

int tm_agg_bind_in_time(tm_bind *bind, bool time_key, tm_error *err) {
  return bind_all(bind, true, time_key, err);
}

/* ------------------------------------------------------------------ what is needed */

static bool may_raise(const tm_agg_plan *plan, const tm_aggregate *a) {
  const int32_t inputs[] = {a->input, a->by};
  for (int i = 0; i < 2; i++) {
    if (inputs[i] < 0) continue;
    const tm_function *function = plan->inputs[inputs[i]].function;
    if (function != NULL && function->may_raise) return true;
  }
  return a->filter >= 0 && plan->filters[a->filter].function->may_raise;
}

void tm_agg_used(const tm_agg_plan *plan, const uint8_t *needed, uint8_t *inputs,
                 uint8_t *filters) {
  for (uint32_t i = 0; i < plan->groups.aggregate_count; i++) {
    const tm_aggregate *a = &plan->groups.aggregates[i];
    bool read = needed == NULL || needed[tm_group_plan_first(&plan->groups) + i];
    if (!read && !may_raise(plan, a)) continue;
    if (a->input >= 0) inputs[a->input] = 1;
    if (a->by >= 0) inputs[a->by] = 1;
    if (a->filter >= 0) filters[a->filter] = 1;
  }
}

void tm_agg_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const tm_agg_plan *plan = bind->plan;
  for (uint32_t i = 0; i < tm_group_plan_shown(&plan->groups); i++) in[0][plan->keys[i]] = 1;
  for (uint32_t i = 0; i < plan->groups.aggregate_count; i++) {
    const tm_aggregate *a = &plan->groups.aggregates[i];
    bool read = needed_out[tm_group_plan_first(&plan->groups) + i];
    if (!read && !may_raise(plan, a)) continue;
    const int32_t inputs[] = {a->input, a->by};
    for (int k = 0; k < 2; k++) {
      if (inputs[k] < 0) continue;
      const tm_agg_input *input = &plan->inputs[inputs[k]];
      if (input->column >= 0) in[0][input->column] = 1;
      else tm_apply_need(input->function, in[0]);
    }
    if (a->filter >= 0) tm_apply_need(plan->filters[a->filter].function, in[0]);
  }
}
