/* operator/join_interval_plan.c: see join_interval_plan.h. */
#include "operator/join_interval_plan.h"

#include <string.h>

#define DAY_US (INT64_C(86400) * 1000000)

const tm_option tm_join_interval_options[] = {
  {"on", "text|table|list", NULL, "\"id\", { \"id\", left = \"right\" }, or {}: any row", NULL},
  {"from", "text|duration", NULL, "earliest match: \"-5m\" from the row's time, or a column", NULL},
  {"to", "text|duration", NULL, "latest match: \"5m\" from the row's time, or a column", NULL},
  {"kind", "text", "inner", "inner, left, right, full, semi or anti", NULL},
  {"where", "function", NULL, "a condition on both rows: function(l, r) return … end", NULL},
  {"take", "text|table|list", NULL, "columns of the right side, { new = \"old\" } renames", NULL},
  {"prefix", "text", NULL, "goes before the names of the right side's columns", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

/* ---------------------------------------------------------------- bind */

static int read_bound(const tm_bind *bind, const char *name, interval_bound *out, tm_error *err) {
  const tm_value *v = tm_value_get(bind->options, name);
  if (v == NULL || v->kind == TM_VALUE_NIL) {
    tm_fail(err, TM_E_VALUE, "join_interval needs its bounds: '%s' is missing", name);
    return tm_error_help(err, "from = \"-5m\", to = \"expires\": durations, or columns of the left "
                         "side");
  }
  if (v->kind == TM_VALUE_DURATION) {
    out->us = v->integer;
    return 0;
  }
  if (tm_duration_parse(v->text, v->size, &out->us) == 0) return 0;
  int column = tm_schema_require(bind->inputs[0], v->text, err);
  if (column < 0) {
    return tm_error_help(err, "'%s' is a duration, or a column of the left side", name);
  }
  tm_type type = bind->inputs[0]->fields[column].type;
  if (type.kind != TM_TIMESTAMP && type.kind != TM_DATE) {
    char text[TM_TYPE_TEXT_MAX];
    tm_fail(err, TM_E_TYPE, "join_interval: '%s' is %s, not a time", v->text,
            tm_type_text(type, text));
    tm_error_token(err, v->text, "");
    return -1;
  }
  *out = (interval_bound){.by_column = true, .column = (uint32_t)column};
  return 0;
}

static int check_facts(const tm_bind *bind, tm_error *err) {
  for (int side = 0; side < 2; side++) {
    const char *name = side == 0 ? "left" : "right";
    if (bind->facts_in[side].time.kind == TM_NULLTYPE) {
      tm_fail(err, TM_E_JOB, "%s: rows of the %s side have no event time", bind->verb, name);
      return tm_error_help(err, "say on its source which field it is: time = \"at\"");
    }
    if (!bind->facts_in[side].changelog) continue;
    tm_fail(err, TM_E_JOB, "%s: rows of the %s side are taken back later", bind->verb, name);
    return tm_error_help(err, "group it in a window, whose rows are final, or use join");
  }
  return 0;
}

/* Which right rows may still match is known by the times of the left rows to come alone. */
static int check_bounds(const tm_bind *bind, const interval_plan *p, tm_error *err) {
  if (!tm_join_interval_has_column(p) && p->from.us > p->to.us) {
    return tm_fail(err, TM_E_VALUE, "join_interval: 'from' is later than 'to'");
  }
  if (!p->from.by_column || bind->facts_in[0].bounded) return 0;
  tm_fail(err, TM_E_JOB, "join_interval: with 'from' by column, a left row may match right rows of "
          "any age, and the left side has no end");
  tm_error_token(err, "from", "");
  return tm_error_help(err, "give 'from' as a duration, and compare the column in 'where'");
}

static const char *bound_text(const tm_bind *bind, const interval_bound *bound, const char *name) {
  const tm_value *v = tm_value_get(bind->options, name);
  if (v->kind == TM_VALUE_TEXT) return v->text;
  return tm_arena_format(bind->arena, "%lldus", (long long)bound->us);
}

interval_plan *tm_join_interval_plan(tm_bind *bind, tm_error *err) {
  const join_shape shape = {.size = sizeof(interval_plan), .kinds = JOIN_ALL_KINDS};
  interval_bound from = {.by_column = false}, to = {.by_column = false};
  if (check_facts(bind, err) < 0 || read_bound(bind, "from", &from, err) < 0 ||
      read_bound(bind, "to", &to, err) < 0) {
    return NULL;
  }
  interval_plan *p = (interval_plan *)tm_join_plan_create(bind, &shape, err);
  if (p == NULL) return NULL;
  p->from = from;
  p->to = to;
  if (check_bounds(bind, p, err) < 0) return NULL;
  bind->detail = tm_arena_format(bind->arena, "on %u %s, from %s to %s", p->join.keys[0].count,
                                 p->join.keys[0].count == 1 ? "key" : "keys",
                                 bound_text(bind, &from, "from"), bound_text(bind, &to, "to"));
  if (bind->detail != NULL) return p;
  tm_fail(err, TM_E_MEMORY, "out of memory");
  return NULL;
}

void tm_join_interval_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const interval_plan *p = bind->plan;
  bool looks = p->join.order != NULL && p->join.build == 0; /* at the columns of rows it keeps */
  if (p->from.by_column && looks) in[0][p->from.column] = 1;
  if (p->to.by_column && looks) in[0][p->to.column] = 1;
  tm_join_need(bind, needed_out, in);
  if (p->from.by_column) in[0][p->from.column] = 1;
  if (p->to.by_column) in[0][p->to.column] = 1;
  for (int side = 0; bind->late_to != NULL && side < 2; side++) {
    memset(in[side], 1, bind->inputs[side]->count); /* late rows are shown whole */
  }
}

/* ---------------------------------------------------------------- ranges */

static int64_t bound_of(const interval_bound *bound, const tm_batch *batch, uint32_t row,
                        int64_t missing_us) {
  if (!bound->by_column) return tm_time_add(batch->times[row], bound->us);
  const tm_column *column = &batch->columns[bound->column];
  if (tm_column_is_null(column, row)) return missing_us;
  if (column->type.kind == TM_DATE) return ((const int32_t *)column->data)[row] * DAY_US;
  return ((const int64_t *)column->data)[row];
}

void tm_join_interval_range(const interval_plan *p, const tm_batch *batch, uint32_t row,
                            int64_t *low, int64_t *high) {
  *low = bound_of(&p->from, batch, row, TM_TIME_END);
  *high = bound_of(&p->to, batch, row, TM_TIME_NONE);
  if (*low != TM_TIME_END && *high != TM_TIME_NONE) return;
  *low = TM_TIME_END;
  *high = TM_TIME_NONE;
}

void tm_join_interval_left_range(const interval_plan *p, int64_t time_us, int64_t *low,
                                 int64_t *high) {
  *low = p->to.by_column ? TM_TIME_NONE : tm_time_less(time_us, p->to.us);
  *high = p->from.by_column ? TM_TIME_END : tm_time_less(time_us, p->from.us);
}
