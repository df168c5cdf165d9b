/* operator/join_window_plan.c: see join_window_plan.h. */
#include "operator/join_window_plan.h"

#include <string.h>

#include "kernel/print.h"

const tm_option tm_join_window_options[] = {
  {"on", "text|table|list", NULL, "\"id\", { \"id\", left = \"right\" }, or {} for one row", NULL},
  {"window", "table", NULL, "both rows lie in one of these windows: tm.tumbling \"1m\"", NULL},
  {"kind", "text", "inner", "inner, left, right, full, semi or anti", NULL},
  {"where", "function", NULL, "a condition on both rows: function(l, r) return … end", NULL},
  {"take", "text|table|list", NULL, "columns of the right side, { new = \"old\" } renames", NULL},
  {"prefix", "text", NULL, "goes before the names of the right side's columns", NULL},
  {"ttl", "text|duration", NULL, "not with a window: rows go with it", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

static int check_facts(const tm_bind *bind, tm_error *err) {
  const tm_value *ttl = tm_value_get(bind->options, "ttl");
  if (ttl != NULL && ttl->kind != TM_VALUE_NIL) {
    tm_fail(err, TM_E_VALUE, "join: with a window there is no 'ttl': rows go with their window");
    tm_error_token(err, "ttl", "");
    return -1;
  }
  for (int side = 0; side < 2; side++) {
    const char *name = side == 0 ? "left" : "right";
    if (bind->facts_in[side].time.kind == TM_NULLTYPE) {
      tm_fail(err, TM_E_JOB, "join: a window wants event time, and rows of the %s side have none",
              name);
      return tm_error_help(err, "say on its source which field it is: time = \"at\"");
    }
    if (!bind->facts_in[side].changelog) continue;
    tm_fail(err, TM_E_JOB, "join: rows of the %s side are taken back later, and a window's rows "
            "are final", name);
    return tm_error_help(err, "join without a window takes such rows");
  }
  return 0;
}

static int check_processing(const tm_bind *bind, const tm_window_plan *window, tm_error *err) {
  (void)bind;
  if (!window->processing) return 0;
  return tm_fail(err, TM_E_UNSUPPORTED,
                 "join in a window of processing time is not in this version of tidemill yet");
}

static int describe(tm_bind *bind, const tm_join_window_plan *p, uint32_t keys, tm_error *err) {
  bind->detail = tm_arena_format(bind->arena, "on %u %s, %s", keys, keys == 1 ? "key" : "keys",
                                 p->window.text);
  return bind->detail == NULL ? tm_fail(err, TM_E_MEMORY, "out of memory") : 0;
}

tm_join_window_plan *tm_join_window_plan_create(tm_bind *bind, bool inside, tm_error *err) {
  tm_window_plan window;
  if (check_facts(bind, err) < 0 || tm_window_plan_read(bind, &window, err) < 0 ||
      check_processing(bind, &window, err) < 0) {
    return NULL;
  }
  const join_shape shape = {
    .size = sizeof(tm_join_window_plan), .kinds = JOIN_ALL_KINDS, .scalar = true,
    .window = &window.type, .window_inside = inside,
  };
  tm_join_window_plan *p = (tm_join_window_plan *)tm_join_plan_create(bind, &shape, err);
  if (p == NULL) return NULL;
  p->window = window;
  p->scalar = p->join.scalar;
  p->join.scalar = false; /* in each window, not in all */
  tm_rows_facts *out = &bind->facts_out;
  out->window_start = (int)bind->output->count - 2;
  out->window_end = (int)bind->output->count - 1;
  out->fixed_windows = window.grid.kind != TM_WINDOW_CUMULATE;
  uint32_t keys = p->join.keys[0].count - inside;
  return describe(bind, p, keys, err) < 0 ? NULL : p;
}

int tm_join_window_fail_scalar(const tm_join_window_plan *p, int64_t start_us, tm_error *err) {
  char start[TM_PRINT_MAX + 1];
  (void)p;
  start[tm_print_timestamp(start, start_us, 0, true)] = '\0';
  return tm_fail(err, TM_E_SCALAR, "join with on = {} wants at most one row on the right in each "
                 "window, and that of %s has more", start);
}
