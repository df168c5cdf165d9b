/* operator/join_plan.c: binding a join: kinds, keys, the columns of the result, the build side. */
#include "operator/join_plan.h"

#include <string.h>

#include "kernel/cast.h"
#include "stage/options.h"

enum { KEYS_MAX = 64, BUILD_RATIO = 2 };

static const char *const kind_names[] = {"inner", "left", "right", "full", "semi", "anti"};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "out of memory"); }

static int bind_kind(tm_bind *bind, join_plan *p, tm_error *err) {
  const char *name = tm_value_text(bind->options, "kind", "inner");
  for (int i = 0; i < 6; i++) {
    if (strcmp(name, kind_names[i]) == 0) p->kind = (join_kind)i;
  }
  if (strcmp(name, kind_names[p->kind]) != 0) {
    tm_fail(err, TM_E_VALUE, "join: unknown kind '%.40s'", name);
    tm_error_suggest(err, name, kind_names, 6);
    return -1;
  }
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
    return tm_fail(err, TM_E_TYPE, "join: '%s' is %s, '%s' is %s: they cannot be equal", left,
                   tm_type_text(a, ta), right, tm_type_text(b, tb));
  }
  types->fields[n].name = left;
  ((uint32_t *)p->keys[0].columns)[n] = (uint32_t)l;
  ((uint32_t *)p->keys[1].columns)[n] = (uint32_t)r;
  types->count++;
  return 0;
}

/* on: "id", a list of names and of {left =, right =}; both forms may come as a table with pairs. */
static int bind_keys(tm_bind *bind, join_plan *p, tm_error *err) {
  const tm_value *on = tm_value_get(bind->options, "on");
  if (on == NULL || on->kind == TM_VALUE_NIL) {
    return tm_fail(err, TM_E_VALUE,
                   "join wants on = \"column\", a list, { left = \"right\" }, or {}");
  }
  const tm_value *items = on->kind == TM_VALUE_TABLE ? on->items : on;
  size_t count = on->kind == TM_VALUE_TABLE ? on->item_count : 1;
  size_t pairs = on->kind == TM_VALUE_TABLE ? on->pair_count : 0;
  if (count + pairs > KEYS_MAX) {
    return tm_fail(err, TM_E_VALUE, "join: more than %d keys", KEYS_MAX);
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
    if (left == NULL) return tm_fail(err, TM_E_VALUE, "join: 'on' lists names of columns");
    if (bind_key(bind, left, right, p, types, err) < 0) return -1;
  }
  for (size_t i = 0; i < pairs; i++) {
    const tm_pair *pair = &on->pairs[i];
    if (pair->value.kind != TM_VALUE_TEXT) {
      return tm_fail(err, TM_E_VALUE, "join: 'on' wants left = \"right\"");
    }
    if (bind_key(bind, pair->name, pair->value.text, p, types, err) < 0) return -1;
  }
  for (int side = 0; side < 2; side++) {
    p->keys[side].count = types->count;
    p->keys[side].types = types;
  }
  p->scalar = types->count == 0;
  return 0;
}

static bool is_shared_key(const tm_bind *bind, const join_plan *p, uint32_t right) {
  for (uint32_t i = 0; i < p->keys[1].count; i++) {
    if (p->keys[1].columns[i] != right) continue;
    const char *left = bind->inputs[0]->fields[p->keys[0].columns[i]].name;
    if (strcmp(left, bind->inputs[1]->fields[right].name) == 0) return true;
  }
  return false;
}

static int32_t shared_right(const tm_bind *bind, const join_plan *p, uint32_t left) {
  for (uint32_t i = 0; i < p->keys[0].count; i++) {
    uint32_t right = p->keys[1].columns[i];
    if (p->keys[0].columns[i] == left && is_shared_key(bind, p, right)) return (int32_t)right;
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
    if (from == NULL) return tm_fail(err, TM_E_VALUE, "join: 'take' lists names of columns");
    int right = tm_schema_require(bind->inputs[1], from, err);
    if (right < 0) return -1;
    if (text && is_shared_key(bind, p, (uint32_t)right)) continue; /* it is there already */
    if (put_right(bind, p, output, name, (uint32_t)right, err) < 0) return -1;
  }
  return 0;
}

static int bind_output(tm_bind *bind, join_plan *p, tm_error *err) {
  const tm_schema *left = bind->inputs[0], *right = bind->inputs[1];
  const tm_value *take = tm_value_get(bind->options, "take");
  uint32_t room = left->count + right->count +
                  (take != NULL && take->kind == TM_VALUE_TABLE ? (uint32_t)take->item_count : 1);
  tm_schema *output = tm_schema_create(bind->arena, room);
  p->columns = tm_arena_zero(bind->arena, (room + 1) * sizeof *p->columns);
  if (output == NULL || p->columns == NULL) return no_memory(err);
  output->count = 0;
  bool left_only = p->kind == JOIN_SEMI || p->kind == JOIN_ANTI;
  for (uint32_t i = 0; i < left->count; i++) {
    tm_type type = left->fields[i].type;
    int32_t other = p->outer_right ? shared_right(bind, p, i) : -1;
    if (other >= 0) {
      tm_type theirs = right->fields[other].type;
      if (!tm_type_unify(type, theirs, &type)) type = left->fields[i].type; /* zones: the left's */
      if (tm_cast_may_overflow(left->fields[i].type, type) || tm_cast_may_overflow(theirs, type)) {
        char a[TM_TYPE_TEXT_MAX], b[TM_TYPE_TEXT_MAX];
        return tm_fail(err, TM_E_TYPE, "join: '%s' is %s and %s: no column holds the keys of both",
                       left->fields[i].name, tm_type_text(left->fields[i].type, a),
                       tm_type_text(theirs, b));
      }
    }
    put(p, output, left->fields[i].name, type, p->outer_right && other < 0, (int32_t)i, other);
  }
  bind->output = output;
  if (left_only) return 0;
  if (take != NULL && take->kind != TM_VALUE_NIL) return put_taken(bind, p, output, take, err);
  for (uint32_t i = 0; i < right->count; i++) {
    if (is_shared_key(bind, p, i)) continue;
    if (put_right(bind, p, output, right->fields[i].name, i, err) < 0) return -1;
  }
  return 0;
}

static int bind_where(tm_bind *bind, join_plan *p, tm_error *err) {
  const tm_function_source *source = tm_options_function(bind->options, "where");
  if (source == NULL) return 0;
  tm_function_want want = {
    .shape = TM_SHAPE_TRUTH, .input_count = 2, .inputs = {bind->inputs[0], bind->inputs[1]},
    .verb = "join", .name = "where",
  };
  if (source->bind(source, &want, bind->arena, &p->where, err) < 0) return -1;
  if (p->where->may_raise) bind->rejects = true;
  return tm_bind_note(bind, p->where) < 0 ? no_memory(err) : 0;
}

/* The smaller side is kept, as far as sizes are known; the right one where they are not. */
static uint32_t build_side(const tm_bind *bind, const join_plan *p) {
  uint64_t left = bind->input_rows[0], right = bind->input_rows[1];
  if (p->scalar || left == 0 || right == 0) return 1;
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

static const char *describe(tm_bind *bind, const join_plan *p) {
  return tm_arena_format(bind->arena, "%s on %u %s, keeps the %s side", kind_names[p->kind],
                         p->keys[0].count, p->keys[0].count == 1 ? "key" : "keys",
                         p->build == 1 ? "right" : "left");
}

int tm_join_bind(tm_bind *bind, tm_error *err) {
  join_plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return no_memory(err);
  bind->plan = p;
  if (bind_kind(bind, p, err) < 0 || bind_keys(bind, p, err) < 0 ||
      bind_output(bind, p, err) < 0 || bind_where(bind, p, err) < 0) {
    return -1;
  }
  p->build = build_side(bind, p);
  bind->waits[1 - p->build] = (uint32_t)1 << p->build;
  uint32_t width = bind->inputs[p->build]->count;
  p->kept = tm_arena_zero(bind->arena, width + 1);
  if (p->kept == NULL) return no_memory(err);
  bind->order = TM_ORDER_NONE;
  uint64_t left = bind->input_rows[0], right = bind->input_rows[1];
  bind->rows_estimate = p->kind == JOIN_SEMI || p->kind == JOIN_ANTI ? left / 2
                        : left > right                               ? left
                                                                     : right;
  bind->detail = describe(bind, p);
  return set_passes(bind, p, err);
}

/* Also notes which columns of the build side must be kept. */
void tm_join_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const join_plan *p = bind->plan;
  for (uint32_t i = 0; i < bind->output->count; i++) {
    if (!needed_out[i]) continue;
    if (p->columns[i].left >= 0) in[0][p->columns[i].left] = 1;
    if (p->columns[i].right >= 0) in[1][p->columns[i].right] = 1;
  }
  for (uint32_t i = 0; p->where != NULL && i < p->where->column_count; i++) {
    uint32_t column = p->where->columns[i], width = bind->inputs[0]->count;
    in[column >= width][column >= width ? column - width : column] = 1;
  }
  for (int side = 0; side < 2; side++) {
    for (uint32_t i = 0; i < p->keys[side].count; i++) in[side][p->keys[side].columns[i]] = 1;
  }
  if (bind->rejects && !bind->skip_rejects) {
    for (int side = 0; side < 2; side++) memset(in[side], 1, bind->inputs[side]->count);
  }
  for (uint32_t i = 0; i < bind->inputs[p->build]->count; i++) p->kept[i] |= in[p->build][i];
}
