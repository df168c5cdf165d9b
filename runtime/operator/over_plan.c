/* operator/over_plan.c: the options of over to a plan: partitions, order, columns, types. */
#include "operator/over_plan.h"

#include <string.h>

#include "stage/apply.h"
#include "stage/changelog.h"
#include "stage/options.h"
#include "state/aggregate.h"

const tm_option tm_over_options[] = {
  {"per", "text|list", NULL, "columns that tell partitions apart", NULL},
  {"by", "text|list", NULL, "the order, \"-column\" descends; event time without", NULL},
  {"session", "text|duration", NULL, "a gap that ends a session: adds session_id", NULL},
  {"columns", "list", NULL, "what is computed", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct binder {
  tm_bind *bind;
  tm_over_plan *plan;
  tm_schema *output;
  tm_error *err;
} binder;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "over: out of memory"); }

/* ------------------------------------------------------------------ order */

static const tm_value *by_of(const tm_bind *bind, size_t *out_count) {
  const tm_value *by = tm_value_get(bind->options, "by");
  bool list = by != NULL && by->kind == TM_VALUE_TABLE;
  if (by != NULL && by->kind == TM_VALUE_NIL) by = NULL;
  *out_count = by == NULL ? 0 : list ? by->item_count : 1;
  return list ? by->items : by;
}

bool tm_over_plan_has_order(const tm_bind *bind) {
  size_t count;
  (void)by_of(bind, &count);
  return count > 0;
}

static int read_key(binder *b, const tm_value *v, tm_sort_key *key) {
  if (v->kind != TM_VALUE_TEXT) {
    return tm_fail(b->err, TM_E_VALUE, "over: 'by' names columns, not %s",
                   tm_value_kind_name(v->kind));
  }
  key->descending = v->text[0] == '-';
  int found = tm_schema_require(b->bind->inputs[0], v->text + key->descending, b->err);
  if (found < 0) return -1;
  key->column = (uint32_t)found;
  return 0;
}

static bool is_time(tm_type type) { return type.kind == TM_TIMESTAMP || type.kind == TM_DATE; }

/* In a stream the only order is that of event time, whose column `by` may name. */
static int check_stream_order(binder *b, const tm_sort_key *keys, size_t count) {
  const tm_schema *input = b->bind->inputs[0];
  tm_type time = b->bind->facts_in[0].time;
  bool may_be = count == 1 && !keys[0].descending && time.kind != TM_NULLTYPE &&
                tm_type_equal(input->fields[keys[0].column].type, time);
  if (may_be) {
    b->plan->time_column = (int32_t)keys[0].column;
    return 0;
  }
  tm_fail(b->err, TM_E_JOB, "in a stream over goes by event time, and by nothing else");
  tm_error_token(b->err, "by", "");
  return tm_error_help(b->err, time.kind == TM_NULLTYPE
                                   ? "give the source its time = \"column\" and leave out 'by'"
                                   : "leave out 'by', or run it as a batch");
}

static int bind_order(binder *b, bool by) {
  size_t count;
  const tm_value *items = by_of(b->bind, &count);
  tm_sort_key *keys = tm_arena_zero(b->bind->arena, (count + 1) * sizeof *keys);
  tm_over_plan *plan = b->plan;
  if (keys == NULL) return no_memory(b->err);
  for (size_t i = 0; i < count; i++) {
    if (read_key(b, &items[i], &keys[i]) < 0) return -1;
  }
  plan->time_column = -1;
  plan->timed = b->bind->facts_in[0].time.kind != TM_NULLTYPE;
  plan->orders_by_time = plan->timed;
  if (count > 0 && !by) return check_stream_order(b, keys, count);
  if (count == 0) return 0;
  plan->by = keys;
  plan->by_count = (uint32_t)count;
  plan->orders_by_time = count == 1 && is_time(b->bind->inputs[0]->fields[keys[0].column].type);
  return 0;
}

static int need_time(binder *b, const char *what) {
  if (b->plan->orders_by_time) return 0;
  tm_fail(b->err, TM_E_VALUE, "over: %s goes by time, and the rows do not come by one", what);
  tm_error_token(b->err, what, "");
  return tm_error_help(b->err, "give the source its time = \"column\", or over one column of times:"
                       " by = \"at\"");
}

/* ------------------------------------------------------------------ columns */

static const tm_function_source *source_of(const tm_value *entry, const char *option) {
  const tm_value *value = tm_value_get(entry, option);
  return value != NULL && value->kind == TM_VALUE_FUNCTION ? value->function : NULL;
}

/* What the column is of: a column of the row or a function; its type goes to *type. */
static int bind_input(binder *b, const tm_value *entry, tm_over_column *c, const char *name,
                      tm_type *type) {
  const tm_value *of = tm_value_get(entry, "of");
  c->input = -1;
  *type = tm_type_of(TM_NULLTYPE);
  if (of == NULL || of->kind == TM_VALUE_NIL) return 0;
  if (of->kind == TM_VALUE_TEXT) {
    c->input = tm_schema_require(b->bind->inputs[0], of->text, b->err);
    if (c->input < 0) return -1;
    *type = b->bind->inputs[0]->fields[c->input].type;
    return 0;
  }
  const char *text = tm_value_text(entry, "type", NULL);
  tm_schema *declared = NULL;
  if (text != NULL) {
    declared = tm_schema_create(b->bind->arena, 1);
    if (declared == NULL) return no_memory(b->err);
    declared->fields[0].name = name;
    if (tm_type_parse(text, &declared->fields[0].type, b->err) < 0) return -1;
  }
  c->function = tm_apply_bind(b->bind, source_of(entry, "of"), TM_SHAPE_VALUE, declared, name,
                              b->err);
  if (c->function == NULL) return -1;
  *type = c->function->result->fields[0].type;
  return 0;
}

/* lag and lead: the value of a row so many rows away. */
static int bind_other_row(binder *b, const tm_value *entry, tm_over_column *c, tm_type type) {
  const char *fn = tm_value_text(entry, "fn", "");
  int64_t away = tm_options_int(entry, "n", 1);
  if (away < 1 || away > TM_OVER_AWAY_MAX) {
    return tm_fail(b->err, TM_E_VALUE, "tm.%s looks 1 to %d rows away", fn, TM_OVER_AWAY_MAX);
  }
  if (c->input < 0) return tm_fail(b->err, TM_E_VALUE, "tm.%s takes a column", fn);
  type.not_null = 0;
  c->spec = (tm_running_spec){.kind = TM_RUNNING_LAG, .size = (uint64_t)away, .type = type,
                              .result = type};
  if (strcmp(fn, "lead") != 0) return 0;
  c->lead = (uint32_t)away;
  if (c->lead > b->plan->lead_most) b->plan->lead_most = c->lead;
  return 0;
}

static int bind_frame(binder *b, const tm_value *entry, tm_running_spec *spec) {
  const tm_value *rows = tm_value_get(entry, "rows"), *range = tm_value_get(entry, "range");
  bool has_rows = rows != NULL && rows->kind != TM_VALUE_NIL;
  bool has_range = range != NULL && range->kind != TM_VALUE_NIL;
  if (has_rows && has_range) {
    return tm_fail(b->err, TM_E_VALUE, "a frame is of 'rows' or of a 'range', not of both");
  }
  if (has_rows) {
    int64_t count = tm_options_int(entry, "rows", 0);
    if (count < 1) return tm_fail(b->err, TM_E_VALUE, "'rows' is a number of rows, at least 1");
    spec->frame = TM_FRAME_ROWS;
    spec->size = (uint64_t)count;
  } else if (has_range) {
    int64_t us = tm_options_duration(entry, "range", -1);
    if (us < 0) return tm_fail(b->err, TM_E_VALUE, "'range' is a duration, as \"10m\"");
    spec->frame = TM_FRAME_RANGE;
    spec->size = (uint64_t)us;
    return need_time(b, "range");
  }
  return 0;
}

static int bind_aggregate(binder *b, const tm_value *entry, tm_over_column *c, tm_type type) {
  static const struct { tm_aggregate_kind kind; tm_running_kind running; } kinds[] = {
    {TM_AGGREGATE_COUNT, TM_RUNNING_COUNT}, {TM_AGGREGATE_SUM, TM_RUNNING_SUM},
    {TM_AGGREGATE_AVG, TM_RUNNING_AVG}, {TM_AGGREGATE_MIN, TM_RUNNING_MIN},
    {TM_AGGREGATE_MAX, TM_RUNNING_MAX}, {TM_AGGREGATE_FIRST, TM_RUNNING_FIRST},
    {TM_AGGREGATE_LAST, TM_RUNNING_LAST},
  };
  const char *fn = tm_value_text(entry, "fn", "");
  int kind = tm_aggregate_find(fn, b->err);
  if (kind < 0) return -1;
  size_t at = 0;
  while (at < sizeof kinds / sizeof *kinds && kinds[at].kind != (tm_aggregate_kind)kind) at++;
  if (at == sizeof kinds / sizeof *kinds) {
    tm_fail(b->err, TM_E_UNSUPPORTED, "tm.%s in over is not in this version of tidemill yet", fn);
    tm_error_token(b->err, fn, "");
    return tm_error_help(b->err, "over has count, sum, avg, min, max, first and last");
  }
  bool of_something = c->input >= 0 || c->function != NULL;
  if (!of_something && kind != TM_AGGREGATE_COUNT) {
    return tm_fail(b->err, TM_E_VALUE, "tm.%s takes a column or a function", fn);
  }
  const tm_function_source *where = source_of(entry, "where");
  if (where != NULL) {
    c->where = tm_apply_bind(b->bind, where, TM_SHAPE_TRUTH, NULL, NULL, b->err);
    if (c->where == NULL) return -1;
  }
  tm_aggregate a = {.kind = (tm_aggregate_kind)kind, .input = of_something ? 0 : -1, .by = -1,
                    .filter = where != NULL ? 0 : -1, .input_type = type, .name = c->spec.name,
                    .text = c->spec.text};
  if (tm_aggregate_set_type(&a, true, b->err) < 0) return -1;
  c->spec.kind = kinds[at].running;
  c->spec.type = type;
  c->spec.result = a.type;
  return bind_frame(b, entry, &c->spec);
}

static const char *describe(binder *b, const tm_value *entry) {
  const char *of = tm_value_text(entry, "of", NULL);
  if (of == NULL) of = source_of(entry, "of") != NULL ? "function" : "";
  return tm_arena_format(b->bind->arena, "%s(%s)", tm_value_text(entry, "fn", ""), of);
}

static int bind_column(binder *b, const tm_value *entry, tm_over_column *c) {
  const char *fn = entry->kind == TM_VALUE_TABLE ? tm_value_text(entry, "fn", NULL) : NULL;
  const char *name = fn == NULL ? NULL : tm_value_text(entry, "as", fn);
  tm_type type;
  if (fn == NULL) {
    return tm_fail(b->err, TM_E_VALUE, "over takes columns as n = tm.row_number(), tm.sum \"x\"");
  }
  const char *text = describe(b, entry);
  if (text == NULL) return no_memory(b->err);
  if (bind_input(b, entry, c, name, &type) < 0) return -1;
  bool rank = strcmp(fn, "rank") == 0;
  c->spec = (tm_running_spec){.name = name, .text = text};
  int done = 0;
  if (rank || strcmp(fn, "row_number") == 0) {
    c->spec.kind = rank ? TM_RUNNING_RANK : TM_RUNNING_ROW_NUMBER;
    c->spec.result = (tm_type){.kind = TM_INT64, .not_null = 1};
  } else if (strcmp(fn, "lag") == 0 || strcmp(fn, "lead") == 0) {
    done = bind_other_row(b, entry, c, type);
  } else {
    done = bind_aggregate(b, entry, c, type);
  }
  c->spec.name = name;
  c->spec.text = text;
  b->output->fields[b->output->count++] = (tm_field){.name = name, .type = c->spec.result};
  return done;
}

static int bind_session(binder *b) {
  tm_over_column *c = &b->plan->columns[0];
  const tm_value *session = tm_value_get(b->bind->options, "session");
  if (session == NULL || session->kind == TM_VALUE_NIL) return 0;
  int64_t gap_us = tm_options_duration(b->bind->options, "session", -1);
  if (gap_us <= 0) {
    return tm_fail(b->err, TM_E_VALUE, "'session' is a duration above 0, as \"30m\"");
  }
  if (need_time(b, "session") < 0) return -1;
  *c = (tm_over_column){.input = -1};
  c->spec = (tm_running_spec){.kind = TM_RUNNING_SESSION, .size = (uint64_t)gap_us,
                              .result = {.kind = TM_INT64, .not_null = 1}, .name = "session_id",
                              .text = "session"};
  b->output->fields[b->output->count++] =
      (tm_field){.name = "session_id", .type = c->spec.result};
  b->plan->column_count = 1;
  return 0;
}

/* Only ranges forget all of a partition. */
static int64_t forgets_after(const tm_over_plan *plan) {
  int64_t most_us = -1;
  if (!plan->timed || plan->by_count > 0) return -1;
  for (uint32_t i = 0; i < plan->column_count; i++) {
    const tm_running_spec *spec = &plan->columns[i].spec;
    if (plan->columns[i].lead > 0 || spec->frame != TM_FRAME_RANGE) return -1;
    if ((int64_t)spec->size > most_us) most_us = (int64_t)spec->size;
  }
  return most_us;
}

static int bind_columns(binder *b) {
  tm_over_plan *plan = b->plan;
  const tm_value *list = tm_value_get(b->bind->options, "columns");
  size_t count = list == NULL ? 0 : list->item_count;
  const tm_schema *input = b->bind->inputs[0];
  plan->columns = tm_arena_zero(b->bind->arena, (count + 1) * sizeof *plan->columns);
  b->output = tm_schema_create(b->bind->arena, input->count + (uint32_t)count + 1);
  if (plan->columns == NULL || b->output == NULL) return no_memory(b->err);
  memcpy(b->output->fields, input->fields, input->count * sizeof *input->fields);
  b->output->count = input->count;
  if (bind_session(b) < 0) return -1;
  for (size_t i = 0; i < count; i++) {
    if (bind_column(b, &list->items[i], &plan->columns[plan->column_count++]) < 0) return -1;
  }
  if (plan->column_count > 0) return 0;
  tm_fail(b->err, TM_E_VALUE, "over needs a column or a session");
  return tm_error_help(b->err, "over { per = \"card\", n = tm.row_number() }");
}

/* ------------------------------------------------------------------ the whole */

static int set_passes(binder *b) {
  int32_t *passes = tm_arena_alloc(b->bind->arena, (b->output->count + 1) * sizeof *passes);
  if (passes == NULL) return no_memory(b->err);
  for (uint32_t i = 0; i < b->output->count; i++) {
    passes[i] = i < b->bind->inputs[0]->count ? (int32_t)i : -1;
  }
  b->bind->passes[0] = passes;
  return 0;
}

static int set_detail(binder *b) {
  const char *text = b->plan->per_count > 0 ? "per " : "";
  for (uint32_t i = 0; i < b->plan->per_count && text != NULL; i++) {
    text = tm_arena_format(b->bind->arena, "%s%s%s", text, i > 0 ? ", " : "",
                           b->bind->inputs[0]->fields[b->plan->per[i]].name);
  }
  for (uint32_t i = 0; i < b->plan->column_count && text != NULL; i++) {
    const char *between = text[0] == '\0' ? "" : i > 0 ? ", " : ": ";
    text = tm_arena_format(b->bind->arena, "%s%s%s", text, between,
                           b->plan->columns[i].spec.text);
  }
  b->bind->detail = text;
  return text == NULL ? no_memory(b->err) : 0;
}

int tm_over_plan_bind(tm_bind *bind, bool by, tm_error *err) {
  uint32_t *per;
  binder b = {.bind = bind, .err = err};
  if (tm_changelog_refuse(bind, err) < 0) return -1;
  b.plan = tm_arena_zero(bind->arena, sizeof *b.plan);
  if (b.plan == NULL) return no_memory(err);
  int count = tm_options_columns(bind->options, "per", bind->inputs[0], bind->arena, &per, err);
  if (count < 0) return -1;
  b.plan->per = per;
  b.plan->per_count = (uint32_t)count;
  if (bind_order(&b, by) < 0 || bind_columns(&b) < 0) return -1;
  if (set_passes(&b) < 0 || set_detail(&b) < 0) return -1;
  b.plan->forgets_us = forgets_after(b.plan);
  bind->plan = b.plan;
  bind->output = b.output;
  bind->order = TM_ORDER_NONE;
  bind->chooses = true; /* each row counts for those behind it: no filter comes before */
  bind->rows_estimate = bind->input_rows[0];
  bind->facts_out.in_time_order = b.plan->timed && !by && b.plan->lead_most == 0;
  return 0;
}

void tm_over_plan_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const tm_over_plan *p = bind->plan;
  uint32_t inputs = bind->inputs[0]->count;
  for (uint32_t i = 0; i < inputs; i++) in[0][i] |= needed_out[i];
  for (uint32_t i = 0; i < p->per_count; i++) in[0][p->per[i]] = 1;
  for (uint32_t i = 0; i < p->by_count; i++) in[0][p->by[i].column] = 1;
  if (p->time_column >= 0) in[0][p->time_column] = 1;
  for (uint32_t i = 0; i < p->column_count; i++) {
    const tm_over_column *c = &p->columns[i];
    bool needed = needed_out[inputs + i];
    if (needed && c->input >= 0) in[0][c->input] = 1;
    const tm_function *functions[] = {c->function, c->where};
    for (int k = 0; k < 2; k++) {
      if (functions[k] == NULL || !(needed || functions[k]->may_raise)) continue;
      tm_apply_need(functions[k], in[0]);
    }
  }
}
