/* operator/window_plan.c: see window_plan.h. */
#include "operator/window_plan.h"

#include <string.h>

#include "kernel/calendar.h"
#include "stage/options.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

int tm_window_plan_kind(const tm_value *options) {
  static const char *const names[] = {
    [TM_WINDOW_TUMBLING] = "tumbling", [TM_WINDOW_HOPPING] = "hopping",
    [TM_WINDOW_CUMULATE] = "cumulate",
  };
  const tm_value *window = tm_value_get(options, "window");
  if (window == NULL || window->kind != TM_VALUE_TABLE) return -1;
  const char *kind = tm_value_text(window, "kind", "");
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
    if (strcmp(kind, names[i]) == 0) return i;
  }
  return -1;
}

bool tm_window_plan_fills(const tm_value *options) {
  return tm_options_bool(options, "fill", false);
}

/* A duration of the window as it was written, for messages. */
static const char *words_of(const tm_value *window, const char *name) {
  const tm_value *v = tm_value_get(window, name);
  return v != NULL && v->kind == TM_VALUE_TEXT ? v->text : name;
}

static int read_type(const tm_bind *bind, const tm_value *window, tm_window_plan *out,
                     const tm_zone **zone, tm_error *err) {
  const char *name = tm_value_text(window, "tz", NULL);
  const tm_value *processing = tm_value_get(window, "processing");
  out->processing = processing != NULL && processing->kind == TM_VALUE_BOOL && processing->boolean;
  out->type = out->processing ? tm_type_of(TM_TIMESTAMP) : bind->facts_in[0].time;
  *zone = NULL;
  if (out->type.kind == TM_NULLTYPE) {
    tm_fail(err, TM_E_VALUE, "a window wants rows with event time, and these have none");
    return tm_error_help(err, "the source says which column it is: time = { field = \"at\" }");
  }
  out->type.not_null = 1;
  if (name == NULL) return 0;
  if (out->type.kind == TM_DATE) {
    return tm_fail(err, TM_E_VALUE, "event time is a date here: 'tz' is for timestamps");
  }
  *zone = tm_zone_find(name, err);
  if (*zone == NULL) return -1;
  out->type.zone = *zone;
  return 0;
}

/* A window over dates: whole days, so that its bounds are dates. */
static int check_dates(const tm_window_plan *plan, tm_error *err) {
  bool whole = plan->grid.size_us % TM_CALENDAR_DAY_US == 0 &&
               plan->grid.step_us % TM_CALENDAR_DAY_US == 0;
  if (plan->type.kind != TM_DATE || whole) return 0;
  return tm_fail(err, TM_E_VALUE, "event time is a date here: a window's sizes are whole days");
}

static int read_early(const tm_bind *bind, tm_window_plan *out, tm_error *err) {
  const char *emit = tm_value_text(bind->options, "emit", NULL);
  if (emit == NULL) return 0;
  const char *every = strncmp(emit, "early ", 6) == 0 ? emit + 6 : "";
  every += strspn(every, " ");
  if (tm_duration_parse(every, strlen(every), &out->early_us) == 0 && out->early_us > 0) return 0;
  return tm_fail(err, TM_E_VALUE, "emit is \"early 10s\", with any duration, not \"%.60s\"", emit);
}

int tm_window_plan_read(const tm_bind *bind, tm_window_plan *out, tm_error *err) {
  const tm_value *window = tm_value_get(bind->options, "window");
  int kind = tm_window_plan_kind(bind->options);
  const char *step = kind == TM_WINDOW_HOPPING ? "slide" : "step";
  const tm_zone *zone;
  *out = (tm_window_plan){.fill = tm_window_plan_fills(bind->options)};
  if (read_type(bind, window, out, &zone, err) < 0) return -1;
  if (tm_window_grid_init(&out->grid, (tm_window_kind)kind, tm_options_duration(window, "size", 0),
                          tm_options_duration(window, step, 0), zone, err) < 0) {
    return -1;
  }
  out->lateness_us = tm_options_duration(bind->options, "lateness", 0);
  if (out->lateness_us < 0) {
    return tm_fail(err, TM_E_VALUE, "'lateness' of a window is not less than nothing");
  }
  if (check_dates(out, err) < 0 || read_early(bind, out, err) < 0) return -1;
  const char *size = words_of(window, "size");
  out->text = kind == TM_WINDOW_TUMBLING
                  ? tm_arena_format(bind->arena, "tumbling %s", size)
                  : tm_arena_format(bind->arena, "%s %s by %s",
                                    kind == TM_WINDOW_HOPPING ? "hopping" : "cumulate", size,
                                    words_of(window, step));
  return out->text == NULL ? no_memory(err) : 0;
}

int tm_window_plan_check_mode(const tm_bind *bind, const tm_window_plan *window, tm_error *err) {
  if (window->processing && !bind->job->stream) {
    tm_fail(err, TM_E_VALUE,
            "a window by processing time wants a stream: a batch comes all at once");
    return tm_error_help(err, "run it with --as stream, or give the source event time");
  }
  const char *what = window->lateness_us > 0 ? "lateness" : window->early_us > 0 ? "emit" : NULL;
  if (!window->fill || what == NULL) return 0;
  tm_fail(err, TM_E_UNSUPPORTED, "options 'fill' and '%s' of one window are not in this version of "
          "tidemill yet", what);
  tm_error_token(err, what, "");
  return -1;
}

int tm_window_plan_column(tm_type type, tm_batch *out, uint32_t column, const int64_t *us) {
  if (tm_batch_column(out, column, false) < 0) return -1;
  if (type.kind == TM_DATE) {
    int32_t *days = out->columns[column].data;
    for (uint32_t i = 0; i < out->rows; i++) days[i] = tm_calendar_day_of_us(us[i]);
  } else if (out->rows > 0) {
    memcpy(out->columns[column].data, us, out->rows * sizeof *us);
  }
  return 0;
}

int tm_window_plan_stamp(const tm_window_plan *plan, const tm_bind *bind, tm_batch *out,
                         uint32_t column, const int64_t *starts, const int64_t *ends,
                         tm_error *err) {
  const uint8_t *needed = bind->needed;
  int64_t *times = tm_batch_alloc(out, (out->rows + 1) * sizeof *times);
  if (times == NULL) return no_memory(err);
  for (uint32_t i = 0; i < out->rows; i++) times[i] = ends[i] - 1;
  if ((needed == NULL || needed[column]) &&
      tm_window_plan_column(plan->type, out, column, starts) < 0) {
    return no_memory(err);
  }
  if ((needed == NULL || needed[column + 1]) &&
      tm_window_plan_column(plan->type, out, column + 1, ends) < 0) {
    return no_memory(err);
  }
  out->times = times;
  return 0;
}
