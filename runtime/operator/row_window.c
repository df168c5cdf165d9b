/* operator/row_window.c: see row_window.h. */
#include "operator/row_window.h"

#include <string.h>

#include "kernel/calendar.h"
#include "stage/options.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

bool tm_row_window_is(const tm_bind *bind, const char *kind) {
  const tm_value *window = tm_value_get(bind->options, "window");
  return window != NULL && window->kind == TM_VALUE_TABLE &&
         strcmp(tm_value_text(window, "kind", ""), kind) == 0;
}

int tm_row_window_length(const tm_bind *bind, const char *name, int64_t *out, tm_error *err) {
  const tm_value *window = tm_value_get(bind->options, "window");
  const tm_value *given = tm_value_get(window, name);
  *out = 0;
  if (given == NULL || given->kind == TM_VALUE_NIL) return 0;
  *out = tm_options_duration(window, name, 0);
  if (*out <= 0) {
    return tm_fail(err, TM_E_VALUE, "'%s' of a window is a duration, longer than nothing", name);
  }
  bool date = bind->facts_in[0].time.kind == TM_DATE;
  if (!date || *out % TM_CALENDAR_DAY_US == 0) return 0;
  return tm_fail(err, TM_E_VALUE, "event time is a date here: '%s' of a window is whole days",
                 name);
}

/* ------------------------------------------------------------------ what cannot be */

static bool is_given(const tm_value *options, const char *name) {
  const tm_value *v = tm_value_get(options, name);
  return v != NULL && v->kind != TM_VALUE_NIL && !(v->kind == TM_VALUE_BOOL && !v->boolean);
}

static int check_options(const tm_bind *bind, tm_error *err) {
  static const char *const fixed_only[] = {"lateness", "fill", "emit"};
  const tm_value *window = tm_value_get(bind->options, "window");
  const char *kind = tm_value_text(window, "kind", "");
  for (size_t i = 0; i < sizeof fixed_only / sizeof *fixed_only; i++) {
    if (!is_given(bind->options, fixed_only[i])) continue;
    tm_fail(err, TM_E_VALUE, "option '%s' of window is for tumbling, hopping and cumulate, not %s",
            fixed_only[i], kind);
    tm_error_token(err, fixed_only[i], "");
    return -1;
  }
  if (is_given(window, "processing")) {
    return tm_fail(err, TM_E_UNSUPPORTED, "a %s window by processing time is not in this version "
                   "of tidemill yet", kind);
  }
  if (bind->facts_in[0].time.kind == TM_NULLTYPE) {
    tm_fail(err, TM_E_VALUE, "a window wants rows with event time, and these have none");
    return tm_error_help(err, "the source says which column it is: time = { field = \"at\" }");
  }
  if (!bind->facts_in[0].changelog) return 0;
  tm_fail(err, TM_E_JOB, "a %s window is of final rows, and its input takes rows back", kind);
  return tm_error_help(err, "put it before the step that changes its rows, or give that step a"
                       " window");
}

/* ------------------------------------------------------------------ the result */

static int check_name(const tm_schema *output, const char *name, tm_error *err) {
  if (tm_schema_find(output, name) < 0) return 0;
  tm_fail(err, TM_E_COLUMNS, "agg makes two columns '%s'", name);
  tm_error_token(err, name, "");
  return tm_error_help(err, "give one a name of its own: tm.sum(\"x\"):as \"name\", or rename the"
                       " row's before");
}

static int add_field(tm_schema *output, const tm_field *field, tm_error *err) {
  if (check_name(output, field->name, err) < 0) return -1;
  output->fields[output->count++] = *field;
  return 0;
}

/* Out of keys and aggregates, as agg has them. */
static int make_output(tm_bind *bind, tm_row_window *w, bool keeps_rows, tm_error *err) {
  static const char *const names[] = {"window_start", "window_end"};
  const tm_schema *plain = bind->output, *input = bind->inputs[0];
  tm_group_plan *groups = &w->agg.groups;
  uint32_t first = keeps_rows ? input->count : groups->key_count;
  tm_schema *output = tm_schema_create(bind->arena, first + 2 + groups->aggregate_count);
  int32_t *passes = tm_arena_alloc(bind->arena, (output == NULL ? 1 : output->count) *
                                                    sizeof *passes);
  if (output == NULL || passes == NULL) return no_memory(err);
  for (uint32_t i = 0; i < output->count; i++) passes[i] = i < input->count ? (int32_t)i : -1;
  output->count = 0;
  for (uint32_t i = 0; i < first; i++) {
    output->fields[output->count++] = keeps_rows ? input->fields[i] : plain->fields[i];
  }
  for (int i = 0; i < 2; i++) {
    tm_field field = {.name = names[i], .type = w->type};
    if (add_field(output, &field, err) < 0) return -1;
  }
  for (uint32_t i = 0; i < groups->aggregate_count; i++) {
    if (add_field(output, &plain->fields[groups->key_count + i], err) < 0) return -1;
  }
  w->window_column = first;
  groups->gap = first + 2 - groups->key_count;
  bind->output = output;
  if (keeps_rows) bind->passes[0] = passes;
  return 0;
}

static void set_facts(tm_bind *bind, const tm_row_window *w) {
  tm_rows_facts *out = &bind->facts_out;
  out->in_time_order = out->fixed_windows = false;
  out->time.not_null = 0;
  out->window_start = (int)w->window_column;
  out->window_end = (int)w->window_column + 1;
}

int tm_row_window_bind(tm_bind *bind, bool retracts, bool keeps_rows, tm_error *err) {
  const char *kind = tm_value_text(tm_value_get(bind->options, "window"), "kind", "");
  if (check_options(bind, err) < 0 || tm_agg_bind(bind, err) < 0) return -1;
  tm_row_window *w = tm_arena_zero(bind->arena, sizeof *w);
  if (w == NULL) return no_memory(err);
  w->agg = *(const tm_agg_plan *)bind->plan;
  w->type = bind->facts_in[0].time;
  w->type.not_null = 1;
  w->live = (tm_live_options){.retracts = retracts, .timed = true};
  if (make_output(bind, w, keeps_rows, err) < 0) return -1;
  bind->plan = w;
  bind->time_order = 1;
  bind->single = bind->job->stream;
  bind->wants_ordinals = false;
  bind->detail = tm_arena_format(bind->arena, "in %s windows%s%s", kind,
                                 w->agg.groups.key_count > 0 ? " " : ": ", bind->detail);
  set_facts(bind, w);
  return bind->detail == NULL ? no_memory(err) : 0;
}

int tm_row_window_stamp(const tm_bind *bind, tm_batch *out, uint32_t nth, const int64_t *us) {
  const tm_row_window *w = bind->plan;
  uint32_t column = w->window_column + nth;
  if (bind->needed != NULL && !bind->needed[column]) return 0;
  return tm_window_plan_column(w->type, out, column, us);
}
