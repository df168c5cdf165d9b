/* script/lift_result.c: from the outcome of a function to the trees of its columns.
 *
 * Each way ends in a value. The type of a column holds the values of all ways (integers enter
 * floats and decimals, nothing else converts), or is what was declared. The trees are the outcome
 * with its leaves replaced by those values. Guards go to one tree only, for all trees of a function
 * see the same rows. A map whose ways may return nil has a keep tree; its other trees are computed
 * for kept rows alone, so they leave out the ways that keep none. */
#include <stdlib.h>
#include <string.h>

#include "script/lift_parts.h"

enum { FIELDS_MAX = 1000 };

typedef struct finish {
  tm_lift_ctx *ctx;
  const tm_expr *outcome;
  uint32_t *leaves;
  uint32_t leaf_count;
  bool untyped;          /* some value's type is not known */
} finish;

/* ---------------------------------------------------------------- one value */

static tm_sym result_of(finish *f, uint32_t nth) {
  const tm_lift_leaf *leaf = &f->ctx->leaves[f->leaves[nth]];
  f->ctx->line = leaf->line;
  if (leaf->result_count == 0) return tm_lift_nil(f->ctx);
  tm_sym value = leaf->results[0];
  bool absent = value.kind == TM_SYM_ENTRY &&
                tm_expr_is_bool(tm_lift_truth(f->ctx, leaf->state, value), false);
  return absent ? tm_lift_nil(f->ctx) : value;
}

static const tm_expr *seen_of(finish *f, uint32_t nth, tm_sym value) {
  return tm_lift_seen(f->ctx, f->ctx->leaves[f->leaves[nth]].state, value.x);
}

static const tm_expr *to_integer(tm_lift_ctx *ctx, const tm_expr *x, tm_type type) {
  tm_type int64 = tm_type_of(TM_INT64);
  if (tm_type_equal(x->type, type)) return x;
  if (x->type.kind == TM_FLOAT64) {
    x = tm_expr_unary(&ctx->pool, TM_X_TO_INT64, int64, x);
  } else if (tm_type_is_lua_integer(x->type)) {
    x = tm_lift_int64(ctx, x);
  } else {
    return NULL;
  }
  if (type.kind == TM_INT64) return x;
  tm_expr_op op = type.kind == TM_INT32 ? TM_X_TO_INT32 : TM_X_RETYPE;
  return tm_expr_unary(&ctx->pool, op, type, x);
}

static const tm_expr *to_text(tm_lift_ctx *ctx, const tm_expr *x, tm_type type) {
  if (!tm_type_is_text(x->type)) return NULL;
  if (tm_type_equal(x->type, type)) return x;
  tm_expr_op op = type.kind == TM_STRING ? TM_X_TO_STRING : TM_X_RETYPE;
  return tm_expr_unary(&ctx->pool, op, type, x);
}

/* x as the column stores it; NULL: it never can. */
static const tm_expr *convert(tm_lift_ctx *ctx, const tm_expr *x, tm_type type) {
  tm_expr_pool *pool = &ctx->pool;
  bool must = type.not_null != 0;
  type.not_null = 0;
  if (tm_expr_is_null_constant(x)) {
    x = tm_expr_null(pool, type);
  } else {
    switch ((tm_kind)type.kind) {
      case TM_INT32: case TM_INT64: case TM_TIMESTAMP: x = to_integer(ctx, x, type); break;
      case TM_STRING: case TM_BYTES: x = to_text(ctx, x, type); break;
      case TM_FLOAT64:
        if (tm_type_is_lua_integer(x->type)) {
          x = tm_expr_unary(pool, TM_X_TO_FLOAT, type, tm_lift_int64(ctx, x));
        } else if (x->type.kind != TM_FLOAT64) {
          return NULL;
        }
        break;
      case TM_DECIMAL:
        if (tm_type_is_lua_integer(x->type)) x = tm_lift_decimal(ctx, x);
        if (x->type.kind != TM_DECIMAL) return NULL;
        x = tm_expr_unary(pool, TM_X_TO_DECIMAL, type, x);
        break;
      default:
        if (x->type.kind != type.kind) return NULL;
    }
  }
  if (x == NULL || !must) return x;
  return tm_expr_require(pool, x);
}

/* ---------------------------------------------------------------- one column */

/* What a value says of its column's type; integers that are constants take few digits. */
static tm_type type_of_value(const tm_expr *x, tm_type beside) {
  tm_type type = x->type;
  if (type.kind == TM_STRING) type.precision = 0;
  bool small = type.kind == TM_INT64 && tm_expr_is_constant(x) && beside.kind == TM_DECIMAL;
  if (small) {
    int digits = 1;
    for (int64_t rest = x->value.i64 / 10; rest != 0; rest /= 10) digits++;
    type = tm_type_decimal(digits, 0);
    type.not_null = 1;
  }
  return type;
}

/* The type that holds all values (NULL: a way that does not count). 1, or 0 with why. */
static int infer(finish *f, const tm_expr *const *values, const char *name, tm_type *out) {
  tm_type type = tm_type_of(TM_NULLTYPE);
  type.not_null = 1;
  bool nullable = false;
  for (int pass = 0; pass < 2; pass++) { /* the second knows whether there are decimals */
    tm_type before = type;
    type = tm_type_of(TM_NULLTYPE);
    for (uint32_t i = 0; i < f->leaf_count; i++) {
      if (values[i] == NULL) continue;
      tm_type unified, own = type_of_value(values[i], before);
      nullable = nullable || values[i]->nullable;
      if (!tm_type_unify(type, own, &unified)) {
        char a[TM_TYPE_TEXT_MAX], b[TM_TYPE_TEXT_MAX];
        type.not_null = own.not_null = 0;
        (void)tm_lift_give_up(f->ctx, "returns %s here and %s there", tm_type_text(type, a),
                              tm_type_text(own, b));
        return 0;
      }
      type = unified;
    }
  }
  if (type.kind == TM_NULLTYPE) {
    (void)tm_lift_give_up(f->ctx, "always returns nil%s%s", name == NULL ? "" : " for ",
                          name == NULL ? "" : name);
    return 0;
  }
  type.not_null = !nullable;
  *out = type;
  return 1;
}

/* A tree from the values of the leaves. NULL with why: some value cannot be stored. */
static const tm_expr *column_tree(finish *f, const tm_expr *const *values, tm_type type) {
  tm_lift_ctx *ctx = f->ctx;
  const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
  for (uint32_t i = 0; i < f->leaf_count; i++) {
    if (values[i] == NULL) continue;
    by_leaf[f->leaves[i]] = convert(ctx, values[i], type);
    if (by_leaf[f->leaves[i]] == NULL) {
      char from[TM_TYPE_TEXT_MAX], to[TM_TYPE_TEXT_MAX];
      tm_type own = values[i]->type;
      own.not_null = type.not_null = 0;
      (void)tm_lift_give_up(ctx, "returns %s for a column of type %s", tm_type_text(own, from),
                            tm_type_text(type, to));
      return NULL;
    }
  }
  type.not_null = 0;
  return tm_lift_replace(ctx, f->outcome, type, by_leaf, false);
}

/* The values of one column; false: some are nothing that a column holds. */
static bool collect(finish *f, const tm_sym *values, const tm_expr **out) {
  for (uint32_t i = 0; i < f->leaf_count; i++) {
    if (values[i].kind == TM_SYM_NONE) {
      out[i] = NULL;
    } else if (values[i].kind == TM_SYM_EXPR) {
      out[i] = seen_of(f, i, values[i]);
      if (out[i]->op == TM_X_OPAQUE && out[i]->type.kind == TM_NULLTYPE) return false;
    } else {
      if (values[i].kind != TM_SYM_UNKNOWN) {
        (void)tm_lift_give_up(f->ctx, "returns %s", tm_sym_name(values[i]));
      }
      return false;
    }
  }
  return true;
}

static tm_schema *one_field(tm_lift_ctx *ctx, tm_type type) {
  tm_schema *schema = tm_schema_create(ctx->arena, 1);
  if (schema == NULL) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  const char *name = ctx->want->name;
  if (name == NULL && ctx->want->declared != NULL) name = ctx->want->declared->fields[0].name;
  schema->fields[0] = (tm_field){.name = name == NULL ? "value" : name, .type = type};
  return schema;
}

/* Fills trees[0 …] and the types of `result` for the columns whose values are given. 1, or 0. */
static int make_column(finish *f, const tm_sym *values, tm_field *field, bool declared,
                       const tm_expr **tree) {
  const tm_expr **trees = tm_lift_alloc(f->ctx, f->leaf_count * sizeof *trees);
  if (!collect(f, values, trees)) {
    f->untyped = f->untyped || !declared;
    return 0;
  }
  if (!declared && infer(f, trees, field->name, &field->type) == 0) {
    f->untyped = true;
    return 0;
  }
  *tree = column_tree(f, trees, field->type);
  if (*tree == NULL) return 0;
  if (!declared) field->type.not_null = !(*tree)->nullable;
  return 1;
}

/* ---------------------------------------------------------------- the shapes */

static int finish_truth(finish *f, tm_function *out, const tm_expr **trees) {
  tm_lift_ctx *ctx = f->ctx;
  const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
  tm_type type = tm_type_of(TM_BOOL);
  for (uint32_t i = 0; i < f->leaf_count; i++) {
    by_leaf[f->leaves[i]] =
        tm_lift_truth(ctx, ctx->leaves[f->leaves[i]].state, result_of(f, i));
  }
  trees[0] = tm_lift_replace(ctx, f->outcome, type, by_leaf, false);
  type.not_null = 1;
  out->result = one_field(ctx, type);
  return 1;
}

static int finish_value(finish *f, tm_function *out, const tm_expr **trees) {
  const tm_schema *declared = f->ctx->want->declared;
  tm_sym *values = tm_lift_alloc(f->ctx, f->leaf_count * sizeof *values);
  for (uint32_t i = 0; i < f->leaf_count; i++) values[i] = result_of(f, i);
  tm_type type = declared == NULL ? tm_type_of(TM_NULLTYPE) : declared->fields[0].type;
  tm_schema *schema = one_field(f->ctx, type);
  int lifted = make_column(f, values, &schema->fields[0], declared != NULL, &trees[0]);
  if (!f->untyped) out->result = schema;
  return lifted;
}

static tm_sym field_of(finish *f, uint32_t nth, const char *name) {
  tm_sym table = result_of(f, nth);
  if (tm_sym_is_nil(table)) return (tm_sym){.kind = TM_SYM_NONE};
  if (table.kind == TM_SYM_ROW) {
    tm_sym key = tm_sym_of(tm_expr_string(&f->ctx->pool, name, strlen(name)));
    return tm_lift_index(f->ctx, f->ctx->leaves[f->leaves[nth]].state, table, key);
  }
  const tm_sym_table *made = f->ctx->leaves[f->leaves[nth]].state->tables[table.index];
  for (uint32_t i = 0; i < made->field_count; i++) {
    if (strcmp(made->fields[i].name, name) == 0) return made->fields[i].value;
  }
  return tm_lift_nil(f->ctx);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names that the returned tables have, sorted, each once. -1: something else is returned. */
static int field_names(finish *f, const char **names) {
  int count = 0;
  for (uint32_t i = 0; i < f->leaf_count; i++) {
    tm_sym table = result_of(f, i);
    const tm_schema *row = table.kind == TM_SYM_ROW ? f->ctx->want->inputs[table.index] : NULL;
    const tm_sym_table *made = NULL;
    if (tm_sym_is_nil(table)) continue;
    if (table.kind == TM_SYM_TABLE) {
      made = f->ctx->leaves[f->leaves[i]].state->tables[table.index];
      if (made->has_list) return -1;
    } else if (row == NULL) {
      if (table.kind != TM_SYM_UNKNOWN) {
        (void)tm_lift_give_up(f->ctx, "returns %s where a table is wanted", tm_sym_name(table));
      }
      return -1;
    }
    uint32_t fields = made != NULL ? made->field_count : row->count;
    for (uint32_t k = 0; k < fields && count < FIELDS_MAX; k++) {
      names[count++] = made != NULL ? made->fields[k].name : row->fields[k].name;
    }
  }
  if (count > 0) qsort(names, (size_t)count, sizeof *names, by_name);
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0) names[kept++] = names[i];
  }
  return kept;
}

/* The columns of a map: as declared, else sorted by name. NULL: not known. */
static tm_schema *map_columns(finish *f) {
  tm_lift_ctx *ctx = f->ctx;
  const tm_schema *declared = ctx->want->declared;
  const char **names = tm_lift_alloc(ctx, FIELDS_MAX * sizeof *names);
  int count = field_names(f, names);
  if (count < 0) return NULL;
  if (declared != NULL) {
    for (int i = 0; i < count; i++) {
      if (tm_schema_find(declared, names[i]) >= 0) continue;
      (void)tm_lift_give_up(ctx, "returns a field '%.60s' that is not declared", names[i]);
      return NULL;
    }
    return tm_schema_copy(ctx->arena, declared);
  }
  if (count == 0) {
    (void)tm_lift_give_up(ctx, "returns no fields");
    return NULL;
  }
  tm_schema *schema = tm_schema_create(ctx->arena, (uint32_t)count);
  for (int i = 0; i < count && schema != NULL; i++) {
    schema->fields[i].name = tm_arena_text(ctx->arena, names[i], strlen(names[i]));
  }
  if (schema == NULL) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  return schema;
}

static const tm_expr *keep_tree(finish *f) {
  tm_lift_ctx *ctx = f->ctx;
  const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
  for (uint32_t i = 0; i < f->leaf_count; i++) {
    by_leaf[f->leaves[i]] = tm_expr_bool(&ctx->pool, !tm_sym_is_nil(result_of(f, i)));
  }
  const tm_expr *keep = tm_lift_replace(ctx, f->outcome, tm_type_of(TM_BOOL), by_leaf, false);
  return tm_expr_is_bool(keep, true) ? NULL : keep;
}

static int finish_row(finish *f, tm_function *out, const tm_expr ***trees) {
  tm_lift_ctx *ctx = f->ctx;
  tm_schema *schema = map_columns(f);
  if (schema == NULL) return 0;
  *trees = tm_arena_zero(ctx->arena, (schema->count + 1) * sizeof **trees);
  if (*trees == NULL) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  tm_sym *values = tm_lift_alloc(ctx, f->leaf_count * sizeof *values);
  bool lifted = true;
  for (uint32_t i = 0; i < schema->count; i++) {
    for (uint32_t k = 0; k < f->leaf_count; k++) {
      values[k] = field_of(f, k, schema->fields[i].name);
    }
    bool declared = ctx->want->declared != NULL;
    if (!make_column(f, values, &schema->fields[i], declared, &(*trees)[i])) lifted = false;
  }
  if (!f->untyped) out->result = schema;
  out->keep = keep_tree(f);
  return lifted;
}

/* ---------------------------------------------------------------- guards */

/* What the outcome guards and no tree evaluates, as a tree that is true. */
static const tm_expr *open_guards(finish *f, const tm_expr *const *trees, uint32_t count) {
  tm_lift_ctx *ctx = f->ctx;
  const tm_expr **by_leaf = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *by_leaf);
  const tm_expr *yes = tm_expr_bool(&ctx->pool, true), *open = yes;
  for (uint32_t i = 0; i < f->leaf_count; i++) by_leaf[f->leaves[i]] = yes;
  const tm_expr *all = tm_lift_replace(ctx, f->outcome, tm_type_of(TM_BOOL), by_leaf, true);
  while (all->may_miss) {
    bool is_guard = all->op == TM_X_GUARD, covered = false;
    const tm_expr *part = is_guard ? all->children[0] : all;
    for (uint32_t i = 0; i < count && !covered; i++) {
      covered = trees[i] != NULL && tm_expr_covers(trees[i], part);
    }
    if (!covered) open = tm_expr_guard(&ctx->pool, part, open);
    if (!is_guard) break;
    all = all->children[1];
  }
  return open;
}

/* Rows that are not kept are not evaluated further, so with a keep tree only that one counts. */
static void place_guards(finish *f, tm_function *out, const tm_expr **trees, uint32_t count) {
  tm_expr_pool *pool = &f->ctx->pool;
  if (out->keep != NULL) {
    out->keep = tm_expr_guard(pool, open_guards(f, &out->keep, 1), out->keep);
  } else if (count > 0) {
    trees[0] = tm_expr_guard(pool, open_guards(f, trees, count), trees[0]);
  }
}

int tm_lift_finish(tm_lift_ctx *ctx, const tm_expr *outcome, tm_function *out) {
  finish f = {.ctx = ctx, .outcome = outcome};
  f.leaves = tm_lift_alloc(ctx, ctx->leaf_count * sizeof *f.leaves);
  f.leaf_count = tm_lift_leaves_of(ctx, outcome, f.leaves);
  const tm_expr **trees = tm_arena_zero(ctx->arena, 2 * sizeof *trees);
  if (trees == NULL) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  int lifted;
  switch (ctx->want->shape) {
    case TM_SHAPE_TRUTH: lifted = finish_truth(&f, out, trees); break;
    case TM_SHAPE_VALUE: lifted = finish_value(&f, out, trees); break;
    default: lifted = finish_row(&f, out, &trees); break;
  }
  if (lifted == 0 || ctx->why[0] != '\0') return 0;
  place_guards(&f, out, trees, out->result->count);
  out->trees = trees;
  return 1;
}
