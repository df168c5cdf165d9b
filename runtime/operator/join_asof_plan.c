/* operator/join_asof_plan.c: see join_asof_plan.h. */
#include "operator/join_asof_plan.h"

#include <string.h>

#include "stage/options.h"

#define DAY_US (INT64_C(86400) * 1000000)

const tm_option tm_join_asof_options[] = {
  {"on", "text|table|list", NULL, "\"id\", { \"id\", left = \"right\" }, or {}: any row", NULL},
  {"by", "text|table", NULL, "the column that orders, or { left = \"right\" }; else event time",
   NULL},
  {"tolerance", "text|duration", NULL, "how far back a row may lie", NULL},
  {"kind", "text", "left", "left or inner", NULL},
  {"take", "text|table|list", NULL, "columns of the right side, { new = \"old\" } renames", NULL},
  {"prefix", "text", NULL, "goes before the names of the right side's columns", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

/* ---------------------------------------------------------------- by */

/* "column", { left =, right = }, or { column = "column" }. false: event time. */
static bool read_names(const tm_value *by, const char *names[2]) {
  if (by == NULL || by->kind == TM_VALUE_NIL) return false;
  if (by->kind == TM_VALUE_TEXT) {
    names[0] = names[1] = by->text;
    return true;
  }
  names[0] = tm_value_text(by, "left", NULL);
  names[1] = tm_value_text(by, "right", NULL);
  if (names[0] != NULL && names[1] != NULL) return true;
  bool one = by->kind == TM_VALUE_TABLE && by->pair_count == 1 &&
             by->pairs[0].value.kind == TM_VALUE_TEXT;
  names[0] = one ? by->pairs[0].name : NULL;
  names[1] = one ? by->pairs[0].value.text : NULL;
  return true;
}

static int compare_types(const tm_bind *bind, const char *names[2], const tm_type types[2],
                         tm_type *out, tm_error *err) {
  bool times = types[0].kind == TM_TIMESTAMP && types[1].kind == TM_TIMESTAMP;
  if (times) *out = tm_type_of(TM_TIMESTAMP); /* zones govern text only */
  bool fit = times || tm_type_unify(types[0], types[1], out);
  /* Long values are compared where they lie. */
  bool same = tm_type_equal(types[0], types[1]);
  if (fit && (tm_join_words_exact(*out) || same)) return 0;
  char a[TM_TYPE_TEXT_MAX], b[TM_TYPE_TEXT_MAX];
  return tm_fail(err, TM_E_TYPE, "%s: '%s' is %s, '%s' is %s: they have no common order",
                 bind->verb, names[0], tm_type_text(types[0], a), names[1],
                 tm_type_text(types[1], b));
}

static int read_by(const tm_bind *bind, asof_plan *p, tm_type *out, tm_error *err) {
  const char *names[2];
  tm_type types[2];
  p->by_time = !read_names(tm_value_get(bind->options, "by"), names);
  *out = tm_type_of(TM_TIMESTAMP);
  if (p->by_time) return 0;
  if (names[0] == NULL) {
    tm_fail(err, TM_E_VALUE, "join_asof: 'by' is one column, or { left = \"right\" }");
    tm_error_token(err, "by", "");
    return -1;
  }
  for (int side = 0; side < 2; side++) {
    int column = tm_schema_require(bind->inputs[side], names[side], err);
    if (column < 0) return tm_error_help(err, "'by' names a column of each side");
    p->by[side] = (uint32_t)column;
    types[side] = bind->inputs[side]->fields[column].type;
  }
  return compare_types(bind, names, types, out, err);
}

static int check_facts(const tm_bind *bind, const asof_plan *p, tm_error *err) {
  for (int side = 0; side < 2; side++) {
    const char *name = side == 0 ? "left" : "right";
    bool timed = bind->facts_in[side].time.kind != TM_NULLTYPE;
    if (!timed && (p->by_time || bind->job->stream)) {
      tm_fail(err, TM_E_JOB, "%s: rows of the %s side have no event time", bind->verb, name);
      return tm_error_help(err, "say on its source which field it is: time = \"at\"%s",
                           bind->job->stream ? "" : "; or order by a column: by = \"at\"");
    }
    if (!bind->facts_in[side].changelog) continue;
    tm_fail(err, TM_E_JOB, "%s: rows of the %s side are taken back later", bind->verb, name);
    return tm_error_help(err, "group it in a window, whose rows are final");
  }
  return 0;
}

static int read_tolerance(const tm_bind *bind, asof_plan *p, tm_type type, tm_error *err) {
  const tm_value *v = tm_value_get(bind->options, "tolerance");
  p->tolerance_us = -1;
  if (v == NULL || v->kind == TM_VALUE_NIL) return 0;
  p->tolerance_us = tm_options_duration(bind->options, "tolerance", -1);
  bool time = type.kind == TM_TIMESTAMP || type.kind == TM_DATE;
  if (p->tolerance_us >= 0 && time) return 0;
  if (time) tm_fail(err, TM_E_VALUE, "join_asof: 'tolerance' is a duration, as \"5m\"");
  else tm_fail(err, TM_E_VALUE, "join_asof: 'tolerance' is for times, and 'by' is none");
  tm_error_token(err, "tolerance", "");
  return -1;
}

/* ---------------------------------------------------------------- the whole */

static int bind_order(tm_bind *bind, asof_plan *p, tm_type type, tm_error *err) {
  tm_schema *one = tm_schema_create(bind->arena, 1);
  p->tie_keys = tm_arena_zero(bind->arena, (bind->inputs[1]->count + 2) * sizeof *p->tie_keys);
  if (one == NULL || p->tie_keys == NULL) return no_memory(err);
  type.not_null = 0;
  one->fields[0] = (tm_field){.name = "by", .type = type};
  p->exact = tm_join_words_exact(type);
  p->ties = (tm_sort_spec){.schema = bind->inputs[1], .keys = p->tie_keys, .signs = true};
  p->order = (tm_join_order){.column = p->by_time ? -1 : (int32_t)p->by[1], .type = one,
                             .ties = &p->ties};
  return 0;
}

asof_plan *tm_join_asof_plan(tm_bind *bind, tm_error *err) {
  const join_shape shape = {.size = sizeof(asof_plan), .initial = JOIN_LEFT,
                            .kinds = 1 << JOIN_LEFT | 1 << JOIN_INNER};
  asof_plan read = {.by_time = false};
  tm_type type;
  if (read_by(bind, &read, &type, err) < 0 || check_facts(bind, &read, err) < 0 ||
      read_tolerance(bind, &read, type, err) < 0) {
    return NULL;
  }
  asof_plan *p = (asof_plan *)tm_join_plan_create(bind, &shape, err);
  if (p == NULL) return NULL;
  read.join = p->join;
  *p = read;
  if (bind_order(bind, p, type, err) < 0) return NULL;
  tm_join_pass_windows(bind);
  bind->rows_estimate = bind->input_rows[0];
  bind->facts_out.in_time_order = p->by_time && bind->facts_in[0].in_time_order;
  bind->detail = tm_arena_format(bind->arena, "%s on %u %s, by %s",
                                 p->join.kind == JOIN_LEFT ? "left" : "inner",
                                 p->join.keys[0].count, p->join.keys[0].count == 1 ? "key" : "keys",
                                 p->by_time ? "event time"
                                            : bind->inputs[0]->fields[p->by[0]].name);
  if (bind->detail != NULL) return p;
  no_memory(err);
  return NULL;
}

/* Notes the columns by which ties go: those that are needed, and first of all the value itself. */
void tm_join_asof_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  asof_plan *p = bind->plan;
  for (int side = 0; !p->by_time && side < 2; side++) in[side][p->by[side]] = 1;
  tm_join_need(bind, needed_out, in);
  p->ties.key_count = 0;
  if (!p->exact) p->tie_keys[p->ties.key_count++] = (tm_sort_key){.column = p->by[1]};
  for (uint32_t i = 0; i < bind->inputs[1]->count; i++) {
    if (p->join.kept[1][i]) p->tie_keys[p->ties.key_count++] = (tm_sort_key){.column = i};
  }
}

int64_t tm_join_asof_unit(const asof_plan *p) {
  return p->order.type->fields[0].type.kind == TM_DATE ? DAY_US : 1;
}
