/* operator/join_plan.c: binding a join: kinds, keys, the columns of the result, the build side,
 * event time. */
#include "operator/join_plan.h"

#include <string.h>

#include "kernel/cast.h"
#include "stage/options.h"

enum { KEYS_MAX = TM_JOIN_KEYS_MAX, BUILD_RATIO = 2 };

static const char *const kind_names[] = {"inner", "left", "right", "full", "semi", "anti"};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

static int bind_kind(tm_bind *bind, join_plan *p, const join_shape *shape, tm_error *err) {
  const char *name = tm_value_text(bind->options, "kind", kind_names[shape->initial]);
  const char *allowed[6];
  size_t count = 0;
  int found = -1;
  for (int i = 0; i < 6; i++) {
    if (!(shape->kinds >> i & 1)) continue;
    allowed[count++] = kind_names[i];
    if (strcmp(name, kind_names[i]) == 0) found = i;
  }
  if (found < 0) {
    tm_fail(err, TM_E_VALUE, "%s: unknown kind '%.40s'", bind->verb, name);
    tm_error_suggest(err, name, allowed, count);
    return -1;
  }
  p->kind = (join_kind)found;
  p->outer_left = p->kind == JOIN_LEFT || p->kind == JOIN_FULL;
  p->outer_right = p->kind == JOIN_RIGHT || p->kind == JOIN_FULL;
  return 0;
}

static int bind_key(tm_bind *bind, const char *left, const char *right, join_plan *p,
                    tm_schema *types, tm_error *err) {
  uint32_t n = types->count;
  int l = tm_schema_require(bind->inputs[0], left, err);
  int r = l < 0 ? -1 : tm_schema_require(bind->inputs[1], right, err);
  if (r < 0) {
    if (l >= 0) tm_error_help(err, "the right side of the join has no such column");
    return -1;
  }
  tm_type a = bind->inputs[0]->fields[l].type, b = bind->inputs[1]->fields[r].type;
  bool times = a.kind == TM_TIMESTAMP && b.kind == TM_TIMESTAMP; /* zones govern text only */
  tm_type *type = &types->fields[n].type;
  if (times) *type = tm_type_of(TM_TIMESTAMP);
  if (!times && !tm_type_unify(a, b, type)) {
    char ta[TM_TYPE_TEXT_MAX], tb[TM_TYPE_TEXT_MAX];
    return tm_fail(err, TM_E_TYPE, "%s: '%s' is %s, '%s' is %s: they cannot be equal",
                   bind->verb, left, tm_type_text(a, ta), right, tm_type_text(b, tb));
  }
  types->fields[n].name = left;
  ((uint32_t *)p->keys[0].columns)[n] = (uint32_t)l;
  ((uint32_t *)p->keys[1].columns)[n] = (uint32_t)r;
  types->count++;
  return 0;
}

/* Rows that are joined have their window behind their own columns. */
static int bind_sides(tm_bind *bind, join_plan *p, const join_shape *shape, tm_error *err) {
  for (int side = 0; side < 2; side++) {
    const tm_schema *input = bind->inputs[side];
    p->sides[side] = input;
    if (!shape->window_inside) continue;
    tm_schema *wide = tm_schema_create(bind->arena, input->count + 2);
    if (wide == NULL) return no_memory(err);
    memcpy(wide->fields, input->fields, input->count * sizeof *input->fields);
    wide->fields[input->count] = (tm_field){.name = "window_start", .type = *shape->window};
    wide->fields[input->count + 1] = (tm_field){.name = "window_end", .type = *shape->window};
    p->sides[side] = wide;
  }
  return 0;
}

static void add_window_key(const tm_bind *bind, join_plan *p, tm_schema *types,
                           const tm_type *type) {
  types->fields[types->count] = (tm_field){.name = "window_start", .type = *type};
  for (int side = 0; side < 2; side++) {
    ((uint32_t *)p->keys[side].columns)[types->count] = bind->inputs[side]->count;
  }
  types->count++;
}

/* on: "id", a list of names and of {left =, right =}; both forms may come as a table with pairs. */
static int bind_keys(tm_bind *bind, join_plan *p, const join_shape *shape, tm_error *err) {
  const tm_value *on = tm_value_get(bind->options, "on");
  if (on == NULL || on->kind == TM_VALUE_NIL) {
    return tm_fail(err, TM_E_VALUE,
                   "%s wants on = \"column\", a list, { left = \"right\" }, or {}", bind->verb);
  }
  const tm_value *items = on->kind == TM_VALUE_TABLE ? on->items : on;
  size_t count = on->kind == TM_VALUE_TABLE ? on->item_count : 1;
  size_t pairs = on->kind == TM_VALUE_TABLE ? on->pair_count : 0;
  if (count + pairs >= KEYS_MAX) { /* a window is one more */
    return tm_fail(err, TM_E_VALUE, "%s: more than %d keys", bind->verb, KEYS_MAX - 1);
  }
  tm_schema *types = tm_schema_create(bind->arena, KEYS_MAX);
  for (int side = 0; side < 2; side++) {
    p->keys[side].columns = tm_arena_zero(bind->arena, (KEYS_MAX + 1) * sizeof(uint32_t));
    if (types == NULL || p->keys[side].columns == NULL) return no_memory(err);
  }
  types->count = 0;
  for (size_t i = 0; i < count; i++) {
    bool text = items[i].kind == TM_VALUE_TEXT;
    const char *left = text ? items[i].text : tm_value_text(&items[i], "left", NULL);
    const char *right = text ? items[i].text : tm_value_text(&items[i], "right", left);
    if (left == NULL) {
      return tm_fail(err, TM_E_VALUE, "%s: 'on' lists names of columns", bind->verb);
    }
    if (bind_key(bind, left, right, p, types, err) < 0) return -1;
  }
  for (size_t i = 0; i < pairs; i++) {
    const tm_pair *pair = &on->pairs[i];
    if (pair->value.kind != TM_VALUE_TEXT) {
      return tm_fail(err, TM_E_VALUE, "%s: 'on' wants left = \"right\"", bind->verb);
    }
    if (bind_key(bind, pair->name, pair->value.text, p, types, err) < 0) return -1;
  }
  p->scalar = shape->scalar && types->count == 0;
  if (shape->window_inside) add_window_key(bind, p, types, shape->window);
  for (int side = 0; side < 2; side++) {
    p->keys[side].count = types->count;
    p->keys[side].types = types;
  }
  return 0;
}

static bool is_shared_key(const join_plan *p, uint32_t right) {
  for (uint32_t i = 0; i < p->keys[1].count; i++) {
    if (p->keys[1].columns[i] != right) continue;
    const char *left = p->sides[0]->fields[p->keys[0].columns[i]].name;
    if (strcmp(left, p->sides[1]->fields[right].name) == 0) return true;
  }
  return false;
}

static int32_t shared_right(const join_plan *p, uint32_t left) {
  for (uint32_t i = 0; i < p->keys[0].count; i++) {
    uint32_t right = p->keys[1].columns[i];
    if (p->keys[0].columns[i] == left && is_shared_key(p, right)) return (int32_t)right;
  }
  return -1;
}

static void put(join_plan *p, tm_schema *output, const char *name, tm_type type, bool nullable,
                int32_t left, int32_t right) {
  if (nullable) type.not_null = 0;
  output->fields[output->count] = (tm_field){.name = name, .type = type};
  p->columns[output->count++] = (join_column){left, right};
}

static int put_right(tm_bind *bind, join_plan *p, tm_schema *output, const char *name,
                     uint32_t right, tm_error *err) {
  const char *prefix = tm_value_text(bind->options, "prefix", NULL);
  if (prefix != NULL) {
    name = tm_arena_format(bind->arena, "%s%s", prefix, name);
    if (name == NULL) return no_memory(err);
  }
  put(p, output, name, bind->inputs[1]->fields[right].type, p->outer_left, -1, (int32_t)right);
  return 0;
}

static int put_taken(tm_bind *bind, join_plan *p, tm_schema *output, const tm_value *take,
                     tm_error *err) {
  size_t count = take->kind == TM_VALUE_TABLE ? take->item_count : 1;
  const tm_value *items = take->kind == TM_VALUE_TABLE ? take->items : take;
  for (size_t i = 0; i < count; i++) {
    bool text = items[i].kind == TM_VALUE_TEXT;
    const char *from = text ? items[i].text : tm_value_text(&items[i], "from", NULL);
    const char *name = text ? from : tm_value_text(&items[i], "name", from);
    if (from == NULL) {
      return tm_fail(err, TM_E_VALUE, "%s: 'take' lists names of columns", bind->verb);
    }
    int right = tm_schema_require(bind->inputs[1], from, err);
    if (right < 0) return -1;
    if (text && is_shared_key(p, (uint32_t)right)) continue; /* it is there already */
    if (put_right(bind, p, output, name, (uint32_t)right, err) < 0) return -1;
  }
  return 0;
}

static bool is_key(const join_plan *p, uint32_t right) {
  for (uint32_t i = 0; i < p->keys[1].count; i++) {
    if (p->keys[1].columns[i] == right) return true;
  }
  return false;
}

/* A window of both sides, or of the left alone. */
static void put_window(const tm_bind *bind, join_plan *p, tm_schema *output,
                       const join_shape *shape, bool left_only) {
  static const char *const names[] = {"window_start", "window_end"};
  for (int i = 0; i < 2; i++) {
    int32_t left = shape->window_inside ? (int32_t)bind->inputs[0]->count + i : -1;
    int32_t right = shape->window_inside && !left_only ? (int32_t)bind->inputs[1]->count + i : -1;
    put(p, output, names[i], *shape->window, false, left, right);
  }
}

static int put_all_right(tm_bind *bind, join_plan *p, tm_schema *output, const join_shape *shape,
                         tm_error *err) {
  const tm_schema *right = bind->inputs[1];
  const tm_value *take = tm_value_get(bind->options, "take");
  if (take != NULL && take->kind != TM_VALUE_NIL) return put_taken(bind, p, output, take, err);
  for (uint32_t i = 0; i < right->count; i++) {
    if (is_shared_key(p, i) || (shape->drops_keys && is_key(p, i))) continue;
    if (put_right(bind, p, output, right->fields[i].name, i, err) < 0) return -1;
  }
  return 0;
}

static int bind_output(tm_bind *bind, join_plan *p, const join_shape *shape, tm_error *err) {
  const tm_schema *left = bind->inputs[0], *right = bind->inputs[1];
  const tm_value *take = tm_value_get(bind->options, "take");
  uint32_t room = 2 + left->count + right->count +
                  (take != NULL && take->kind == TM_VALUE_TABLE ? (uint32_t)take->item_count : 1);
  tm_schema *output = tm_schema_create(bind->arena, room);
  p->columns = tm_arena_zero(bind->arena, (room + 1) * sizeof *p->columns);
  if (output == NULL || p->columns == NULL) return no_memory(err);
  output->count = 0;
  bool left_only = p->kind == JOIN_SEMI || p->kind == JOIN_ANTI;
  for (uint32_t i = 0; i < left->count; i++) {
    tm_type type = left->fields[i].type;
    int32_t other = p->outer_right ? shared_right(p, i) : -1;
    if (other >= 0) {
      tm_type theirs = right->fields[other].type;
      if (!tm_type_unify(type, theirs, &type)) type = left->fields[i].type; /* zones: the left's */
      if (tm_cast_may_overflow(left->fields[i].type, type) || tm_cast_may_overflow(theirs, type)) {
        char a[TM_TYPE_TEXT_MAX], b[TM_TYPE_TEXT_MAX];
        return tm_fail(err, TM_E_TYPE, "%s: '%s' is %s and %s: no column holds the keys of both",
                       bind->verb, left->fields[i].name,
                       tm_type_text(left->fields[i].type, a), tm_type_text(theirs, b));
      }
    }
    put(p, output, left->fields[i].name, type, p->outer_right && other < 0, (int32_t)i, other);
  }
  bind->output = output;
  if (!left_only && put_all_right(bind, p, output, shape, err) < 0) return -1;
  if (shape->window != NULL) put_window(bind, p, output, shape, left_only);
  return 0;
}

static int bind_where(tm_bind *bind, join_plan *p, tm_error *err) {
  const tm_function_source *source = tm_options_function(bind->options, "where");
  if (source == NULL) return 0;
  tm_function_want want = {
    .shape = TM_SHAPE_TRUTH, .input_count = 2, .inputs = {bind->inputs[0], bind->inputs[1]},
    .verb = bind->verb, .name = "where",
  };
  if (source->bind(source, &want, bind->arena, &p->where, err) < 0) return -1;
  if (p->where->may_raise) bind->rejects = true;
  return tm_bind_note(bind, p->where) < 0 ? no_memory(err) : 0;
}

uint32_t tm_join_smaller_side(const tm_bind *bind) {
  uint64_t left = bind->input_rows[0], right = bind->input_rows[1];
  if (left == 0 || right == 0) return 1;
  return left < right / BUILD_RATIO ? 0 : 1;
}

static int set_passes(tm_bind *bind, join_plan *p, tm_error *err) {
  uint32_t count = bind->output->count;
  int32_t *left = tm_arena_alloc(bind->arena, (count + 1) * sizeof *left);
  int32_t *right = tm_arena_alloc(bind->arena, (count + 1) * sizeof *right);
  if (left == NULL || right == NULL) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    bool both = p->columns[i].left >= 0 && p->columns[i].right >= 0;
    left[i] = both || p->outer_right ? -1 : p->columns[i].left;
    right[i] = both || p->outer_left ? -1 : p->columns[i].right;
  }
  bind->passes[0] = left;
  bind->passes[1] = right;
  return 0;
}

/* The type of a column that would hold the times of both. */
static tm_type later_time(tm_type a, tm_type b) {
  return a.kind == TM_DATE && b.kind == TM_TIMESTAMP ? b : a;
}

/* A row has the later time of its two. A result has event time where each of its rows has. */
static void bind_facts(tm_bind *bind, join_plan *p) {
  tm_rows_facts *out = &bind->facts_out;
  for (int side = 0; side < 2; side++) {
    p->side_timed[side] = bind->facts_in[side].time.kind != TM_NULLTYPE;
  }
  bool left_only = p->kind == JOIN_SEMI || p->kind == JOIN_ANTI;
  bool missing = (p->outer_left && !p->side_timed[0]) || (p->outer_right && !p->side_timed[1]);
  bool any = p->side_timed[0] || (p->side_timed[1] && !left_only);
  tm_type left = bind->facts_in[0].time, right = bind->facts_in[1].time;
  p->timed = any && !missing;
  out->time = !p->timed          ? tm_type_of(TM_NULLTYPE)
              : !p->side_timed[0] ? right
              : !p->side_timed[1] || left_only ? left
                                               : later_time(left, right);
  out->in_time_order = false;
  out->window_start = out->window_end = -1;
}

void tm_join_pass_windows(tm_bind *bind) {
  const tm_rows_facts *in = &bind->facts_in[0];
  const join_plan *p = bind->plan;
  if (p->outer_right) return;
  for (uint32_t i = 0; i < bind->output->count; i++) {
    int32_t from = bind->passes[0][i];
    if (from >= 0 && from == in->window_start) bind->facts_out.window_start = (int)i;
    if (from >= 0 && from == in->window_end) bind->facts_out.window_end = (int)i;
  }
}

join_plan *tm_join_plan_create(tm_bind *bind, const join_shape *shape, tm_error *err) {
  join_plan *p = tm_arena_zero(bind->arena, shape->size);
  if (p == NULL) {
    no_memory(err);
    return NULL;
  }
  bind->plan = p;
  p->build = 1;
  if (bind_kind(bind, p, shape, err) < 0 || bind_sides(bind, p, shape, err) < 0 ||
      bind_keys(bind, p, shape, err) < 0 ||
      bind_output(bind, p, shape, err) < 0 || bind_where(bind, p, err) < 0) {
    return NULL;
  }
  for (int side = 0; side < 2; side++) {
    p->kept[side] = tm_arena_zero(bind->arena, p->sides[side]->count + 1);
    if (p->kept[side] == NULL) {
      no_memory(err);
      return NULL;
    }
  }
  bind_facts(bind, p);
  bind->order = TM_ORDER_NONE;
  uint64_t left = bind->input_rows[0], right = bind->input_rows[1];
  bind->rows_estimate = p->kind == JOIN_SEMI || p->kind == JOIN_ANTI ? left / 2
                        : left > right                               ? left
                                                                     : right;
  return set_passes(bind, p, err) < 0 ? NULL : p;
}

/* ---------------------------------------------------------------- verb join */

static bool has_option(const tm_bind *bind, const char *name) {
  const tm_value *v = tm_value_get(bind->options, name);
  return v != NULL && v->kind != TM_VALUE_NIL;
}

bool tm_join_builds_first(const tm_bind *bind) {
  const tm_rows_facts *left = &bind->facts_in[0], *right = &bind->facts_in[1];
  if (has_option(bind, "window")) return false;
  if (!bind->job->stream) return true;
  const char *kind = tm_value_text(bind->options, "kind", "inner");
  bool left_kind = strcmp(kind, "right") != 0 && strcmp(kind, "full") != 0;
  bool table = right->bounded && !right->live && !right->changelog;
  if (has_option(bind, "ttl") || !table) return false;
  return left_kind || (bind->final_only && left->bounded && !left->changelog);
}

static const char *describe(tm_bind *bind, const join_plan *p) {
  return tm_arena_format(bind->arena, "%s on %u %s, keeps the %s side", kind_names[p->kind],
                         p->keys[0].count, p->keys[0].count == 1 ? "key" : "keys",
                         p->build == 1 ? "right" : "left");
}

int tm_join_bind(tm_bind *bind, tm_error *err) {
  const join_shape shape = {.size = sizeof(join_plan), .kinds = JOIN_ALL_KINDS, .scalar = true};
  join_plan *p = tm_join_plan_create(bind, &shape, err);
  if (p == NULL) return -1;
  if (has_option(bind, "ttl") && tm_options_duration(bind->options, "ttl", 0) <= 0) {
    tm_fail(err, TM_E_VALUE, "join: 'ttl' is a duration, as \"1d\"");
    tm_error_token(err, "ttl", "");
    return -1;
  }
  bool ends = !bind->job->stream || (bind->final_only && !bind->facts_in[0].changelog);
  p->build = ends && !p->scalar ? tm_join_smaller_side(bind) : 1;
  p->keeps_marks = bind->job->stream;
  bind->waits[1 - p->build] = (uint32_t)1 << p->build;
  if (p->build == 1) tm_join_pass_windows(bind);
  bind->detail = describe(bind, p);
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* A column of a side; a window is no column of the input. */
static void note_need(const tm_bind *bind, const join_plan *p, int side, int32_t column,
                      uint8_t *const *in) {
  if (column < 0) return;
  p->kept[side][column] = 1;
  if ((uint32_t)column < bind->inputs[side]->count) in[side][column] = 1;
}

/* Rows that may be refused are shown whole. */
void tm_join_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const join_plan *p = bind->plan;
  for (uint32_t i = 0; i < bind->output->count; i++) {
    if (!needed_out[i]) continue;
    note_need(bind, p, 0, p->columns[i].left, in);
    note_need(bind, p, 1, p->columns[i].right, in);
  }
  for (uint32_t i = 0; p->where != NULL && i < p->where->column_count; i++) {
    uint32_t column = p->where->columns[i], width = bind->inputs[0]->count;
    in[column >= width][column >= width ? column - width : column] = 1;
  }
  for (int side = 0; side < 2; side++) {
    uint32_t width = bind->inputs[side]->count;
    for (uint32_t i = 0; i < p->keys[side].count; i++) {
      note_need(bind, p, side, (int32_t)p->keys[side].columns[i], in);
    }
    if (bind->rejects && !bind->skip_rejects) memset(in[side], 1, width);
    for (uint32_t i = 0; i < width; i++) p->kept[side][i] |= in[side][i];
  }
}
