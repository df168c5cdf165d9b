/* expr/tree.c: making nodes, each once.
 *
 * Invariant: two nodes of a pool that agree in operator, type, children and payload are one node.
 * derive() is the only place that knows which operators may be null or miss; everything that
 * decides whether a filter may move, or a row may be refused, rests on it. */
#include "expr/tree.h"

#include "base/hash.h"
#include "expr/fold.h"

#include <assert.h>

enum { FIRST_BUCKETS = 64, COVERS_FUEL = 4000 };

/* What constructors return when memory has run out; pool->failed tells. */
static const tm_expr placeholder = {.op = TM_X_OPAQUE, .nullable = 1};

void tm_expr_pool_init(tm_expr_pool *pool, tm_arena *arena) {
  *pool = (tm_expr_pool){.arena = arena};
}

/* ---------------------------------------------------------------- finding and adding */

static bool has_column(const tm_expr *x) { return x->op == TM_X_COLUMN; }

static bool values_equal(const tm_expr *a, const tm_expr *b) {
  if (a->op != TM_X_CONSTANT) return has_column(a) ? a->column == b->column : a->extra == b->extra;
  switch (tm_type_physical(a->type)) {
    case TM_PHYSICAL_U8: return a->value.boolean == b->value.boolean;
    case TM_PHYSICAL_I32: return a->value.i32 == b->value.i32;
    case TM_PHYSICAL_I64:
    case TM_PHYSICAL_F64: return a->value.i64 == b->value.i64; /* bits: NaN is itself */
    case TM_PHYSICAL_I128: return a->value.i128 == b->value.i128;
    case TM_PHYSICAL_STR: return tm_str_equal(&a->value.text, &b->value.text);
  }
  return false;
}

static bool nodes_equal(const tm_expr *a, const tm_expr *b) {
  if (a->op != b->op || !tm_type_equal(a->type, b->type) || a->child_count != b->child_count) {
    return false;
  }
  if (a->aux != b->aux || a->nullable != b->nullable) return false;
  for (uint32_t i = 0; i < a->child_count; i++) {
    if (a->children[i] != b->children[i]) return false;
  }
  return values_equal(a, b);
}

static uint64_t node_hash(const tm_expr *x) {
  uint64_t hash = tm_hash_u64((uint64_t)x->op << 32 | (uint64_t)x->type.kind << 16 |
                              (uint64_t)x->type.precision << 8 | x->type.scale);
  for (uint32_t i = 0; i < x->child_count; i++) hash = tm_hash_combine(hash, x->children[i]->id);
  if (x->op == TM_X_CONSTANT && tm_type_physical(x->type) == TM_PHYSICAL_STR) {
    return tm_hash_combine(hash, tm_hash_bytes(tm_str_bytes(&x->value.text), x->value.text.size));
  }
  if (x->op == TM_X_CONSTANT) return tm_hash_combine(hash, (uint64_t)x->value.i64);
  return tm_hash_combine(hash, has_column(x) ? x->column : (uint64_t)x->extra);
}

static bool grow_buckets(tm_expr_pool *pool) {
  uint32_t count = pool->bucket_count == 0 ? FIRST_BUCKETS : 2 * pool->bucket_count;
  tm_expr **buckets = tm_arena_zero(pool->arena, count * sizeof *buckets);
  if (buckets == NULL) return false;
  for (uint32_t i = 0; i < pool->bucket_count; i++) {
    if (pool->buckets[i] == NULL) continue;
    uint64_t at = node_hash(pool->buckets[i]) & (count - 1);
    while (buckets[at] != NULL) at = (at + 1) & (count - 1);
    buckets[at] = pool->buckets[i];
  }
  pool->buckets = buckets;
  pool->bucket_count = count;
  return true;
}

/* The node of the pool that equals `wanted`, whose children array may be the caller's. */
static const tm_expr *intern(tm_expr_pool *pool, const tm_expr *wanted) {
  if (pool->failed) return &placeholder;
  if (2 * (pool->count + 1) > pool->bucket_count && !grow_buckets(pool)) goto failed;
  uint64_t at = node_hash(wanted) & (pool->bucket_count - 1);
  while (pool->buckets[at] != NULL) {
    if (nodes_equal(pool->buckets[at], wanted)) return pool->buckets[at];
    at = (at + 1) & (pool->bucket_count - 1);
  }
  tm_expr *node = tm_arena_alloc(pool->arena, sizeof *node);
  size_t bytes = wanted->child_count * sizeof *wanted->children;
  const tm_expr **children = bytes == 0 ? NULL : tm_arena_alloc(pool->arena, bytes);
  if (node == NULL || (bytes > 0 && children == NULL)) goto failed;
  *node = *wanted;
  if (bytes > 0) memcpy(children, wanted->children, bytes);
  node->children = children;
  node->negation = NULL;
  node->id = ++pool->count;
  pool->buckets[at] = node;
  return node;
failed:
  pool->failed = true;
  return &placeholder;
}

/* ---------------------------------------------------------------- leaves */

const tm_expr *tm_expr_column(tm_expr_pool *pool, uint32_t column, tm_type type) {
  tm_expr node = {.op = TM_X_COLUMN, .type = type, .nullable = !type.not_null, .cheap = 1};
  node.column = column;
  return intern(pool, &node);
}

const tm_expr *tm_expr_constant(tm_expr_pool *pool, tm_type type, tm_constant value) {
  tm_expr node = {.op = TM_X_CONSTANT, .type = type, .cheap = 1};
  node.type.not_null = 1;
  node.value = value;
  return intern(pool, &node);
}

const tm_expr *tm_expr_bool(tm_expr_pool *pool, bool value) {
  tm_constant constant = {.i128 = value};
  return tm_expr_constant(pool, tm_type_of(TM_BOOL), constant);
}

const tm_expr *tm_expr_int(tm_expr_pool *pool, int64_t value) {
  tm_constant constant = {.i128 = 0};
  constant.i64 = value;
  return tm_expr_constant(pool, tm_type_of(TM_INT64), constant);
}

const tm_expr *tm_expr_float(tm_expr_pool *pool, double value) {
  tm_constant constant = {.i128 = 0};
  constant.f64 = value;
  return tm_expr_constant(pool, tm_type_of(TM_FLOAT64), constant);
}

const tm_expr *tm_expr_null(tm_expr_pool *pool, tm_type type) {
  tm_expr node = {.op = TM_X_CONSTANT, .type = type, .nullable = 1, .cheap = 1};
  node.type.not_null = 0;
  memset(&node.value, 0, sizeof node.value);
  return intern(pool, &node);
}

const tm_expr *tm_expr_string(tm_expr_pool *pool, const char *text, size_t size) {
  char *copy = tm_arena_text(pool->arena, text, size);
  if (copy == NULL || size > UINT32_MAX) {
    pool->failed = true;
    return &placeholder;
  }
  tm_constant constant = {.i128 = 0};
  constant.text = tm_str_make(copy, size);
  return tm_expr_constant(pool, tm_type_of(TM_STRING), constant);
}

const tm_expr *tm_expr_decimal(tm_expr_pool *pool, __int128 value, int scale) {
  int precision = 1;
  for (__int128 rest = value / 10; rest != 0; rest /= 10) precision++;
  if (precision < scale) precision = scale;
  if (precision < 1) precision = 1;
  tm_type type = tm_type_decimal(precision, scale);
  tm_constant constant = {.i128 = 0};
  if (precision <= TM_DECIMAL_SHORT) {
    constant.i64 = (int64_t)value;
  } else {
    constant.i128 = value;
  }
  return tm_expr_constant(pool, type, constant);
}

const tm_expr *tm_expr_leaf(tm_expr_pool *pool, int64_t number) {
  tm_expr node = {.op = TM_X_LEAF};
  node.extra = number;
  return intern(pool, &node);
}

const tm_expr *tm_expr_opaque(tm_expr_pool *pool, tm_type type, int64_t number) {
  tm_expr node = {.op = TM_X_OPAQUE, .type = type, .nullable = !type.not_null};
  node.extra = number;
  return intern(pool, &node);
}

/* ---------------------------------------------------------------- what operators do */

bool tm_expr_decimal_result(tm_expr_op op, tm_type a, tm_type b, tm_type *out, bool *out_fits) {
  int scale = a.scale > b.scale ? a.scale : b.scale;
  int whole_a = a.precision - a.scale, whole_b = b.precision - b.scale, precision;
  if (op == TM_X_MUL) {
    scale = a.scale + b.scale;
    precision = a.precision + b.precision;
  } else if (op == TM_X_DIV) {
    if (scale < 6) scale = 6;
    precision = whole_a + b.scale + scale;
    if (precision < scale) precision = scale;
  } else if (op == TM_X_NEG) {
    scale = a.scale;
    precision = a.precision;
  } else {
    precision = (whole_a > whole_b ? whole_a : whole_b) + 1 + scale;
  }
  *out_fits = precision <= TM_DECIMAL_MAX;
  if (scale > TM_DECIMAL_MAX) return false;
  *out = tm_type_decimal(*out_fits ? precision : TM_DECIMAL_MAX, scale);
  return true;
}

static bool is_nonzero_constant(const tm_expr *x) {
  if (x->op != TM_X_CONSTANT) return false;
  return tm_type_physical(x->type) == TM_PHYSICAL_I128 ? x->value.i128 != 0 : x->value.i64 != 0;
}

static bool arithmetic_misses(const tm_expr *x) {
  const tm_expr *last = x->children[x->child_count - 1];
  if (x->type.kind != TM_DECIMAL) {
    bool integer = tm_type_physical(x->type) == TM_PHYSICAL_I64;
    if (x->extra != 0) return true; /* asked to miss where it overflows */
    return (x->op == TM_X_IDIV || x->op == TM_X_MOD) && integer && !is_nonzero_constant(last);
  }
  tm_type result;
  bool fits;
  tm_type first = x->children[0]->type;
  if (!tm_expr_decimal_result((tm_expr_op)x->op, first, last->type, &result, &fits)) return true;
  return !fits || (x->op == TM_X_DIV && !is_nonzero_constant(last));
}

/* Decimals of different scales meet at the larger one, and that may be too wide. */
static bool comparison_misses(const tm_expr *x) {
  tm_type a = x->children[0]->type, b = x->children[1]->type;
  if (a.kind != TM_DECIMAL || b.kind != TM_DECIMAL) return false;
  int scale = a.scale > b.scale ? a.scale : b.scale;
  int digits_a = a.precision + scale - a.scale, digits_b = b.precision + scale - b.scale;
  return digits_a > TM_DECIMAL_MAX || digits_b > TM_DECIMAL_MAX;
}

static bool to_decimal_misses(const tm_expr *x) {
  tm_type from = x->children[0]->type;
  int precision = from.kind == TM_DECIMAL ? from.precision : from.kind == TM_INT32 ? 10 : 19;
  int scale = from.kind == TM_DECIMAL ? from.scale : 0;
  return scale > x->type.scale || precision - scale > x->type.precision - x->type.scale;
}

/* tm.int and tm.round of numbers whose digits may be too many. */
static bool rounding_misses(const tm_expr *x) {
  tm_type from = x->children[0]->type;
  int whole = from.precision - from.scale, digits = (int)(x->extra >> 8) - 64;
  if (x->op == TM_X_TRUNCATE) return from.kind != TM_DECIMAL || whole > TM_DECIMAL_SHORT;
  if (from.kind != TM_DECIMAL) return from.kind != TM_FLOAT64;
  return digits < 0 || whole + 1 + digits > TM_DECIMAL_MAX || from.precision == TM_DECIMAL_MAX;
}

static bool op_misses(const tm_expr *x) {
  switch ((tm_expr_op)x->op) {
    case TM_X_REQUIRE: return x->children[0]->nullable;
    case TM_X_ADD: case TM_X_SUB: case TM_X_MUL: case TM_X_DIV: case TM_X_IDIV: case TM_X_MOD:
    case TM_X_NEG: return arithmetic_misses(x);
    case TM_X_EQ: case TM_X_NE: case TM_X_LT: case TM_X_LE: case TM_X_GT: case TM_X_GE:
    case TM_X_MIN: case TM_X_MAX: return comparison_misses(x);
    case TM_X_TO_INT64:
    case TM_X_FLOOR: case TM_X_CEIL: return x->children[0]->type.kind == TM_FLOAT64;
    case TM_X_TO_DECIMAL: return to_decimal_misses(x);
    case TM_X_ROUND: case TM_X_TRUNCATE: return rounding_misses(x);
    case TM_X_FORMAT_NUMBER: return x->children[0]->type.kind == TM_FLOAT64;
    case TM_X_TEXT: return x->extra == 0 && x->children[0]->type.kind == TM_FLOAT64;
    case TM_X_TO_INT32: case TM_X_TO_STRING: case TM_X_CONCAT: case TM_X_PARSE:
    case TM_X_CAPTURE: case TM_X_REPLACED: case TM_X_REPLACE:
    case TM_X_ADD_DAYS: case TM_X_ADD_MONTHS: return true;
    default: return false;
  }
}

static bool op_nullable(const tm_expr *x) {
  switch ((tm_expr_op)x->op) {
    case TM_X_GUARD: return x->children[1]->nullable;
    case TM_X_IF: return x->children[1]->nullable || x->children[2]->nullable;
    case TM_X_TO_INT64: case TM_X_TO_INT32: case TM_X_TO_FLOAT: case TM_X_TO_DECIMAL:
    case TM_X_TO_STRING: case TM_X_RETYPE: return x->children[0]->nullable;
    case TM_X_BYTE: case TM_X_FIND: case TM_X_CAPTURE: case TM_X_PROBE: case TM_X_OPAQUE:
      return true;
    default: return false;
  }
}

/* Equal to a short constant is decided by the 16 bytes alone, whatever a dead row points to. */
static bool compares_short_text(const tm_expr *x) {
  const tm_expr *b = x->children[1];
  return b->op == TM_X_CONSTANT && b->value.text.size <= TM_STR_INLINE;
}

static bool op_cheap(const tm_expr *x) {
  switch ((tm_expr_op)x->op) {
    case TM_X_EQ: case TM_X_NE:
      return tm_type_physical(x->children[0]->type) != TM_PHYSICAL_STR || compares_short_text(x);
    case TM_X_LT: case TM_X_LE: case TM_X_GT: case TM_X_GE:
      return tm_type_physical(x->children[0]->type) != TM_PHYSICAL_STR;
    case TM_X_PRESENT: case TM_X_AND: case TM_X_OR: case TM_X_NOT: case TM_X_IS_NULL:
    case TM_X_TRUTH: case TM_X_ADD: case TM_X_SUB: case TM_X_MUL: case TM_X_NEG: case TM_X_BAND:
    case TM_X_BOR: case TM_X_BXOR: case TM_X_BNOT: case TM_X_TO_INT64: case TM_X_TO_FLOAT:
    case TM_X_RETYPE: case TM_X_ABS: return true;
    case TM_X_DIV: return x->type.kind == TM_FLOAT64;
    case TM_X_IF: return tm_type_physical(x->type) != TM_PHYSICAL_STR;
    default: return false;
  }
}

static void derive(tm_expr *x) {
  x->misses = op_misses(x);
  x->nullable = op_nullable(x);
  x->may_miss = x->misses;
  x->depth = 0;
  bool cheap = !x->misses && op_cheap(x);
  for (uint32_t i = 0; i < x->child_count; i++) {
    x->may_miss |= x->children[i]->may_miss;
    cheap = cheap && x->children[i]->cheap;
    if (x->depth < x->children[i]->depth) x->depth = x->children[i]->depth;
  }
  if (x->depth < UINT16_MAX) x->depth++;
  x->cheap = cheap;
  x->type.not_null = !x->nullable;
}

const tm_expr *tm_expr_make(tm_expr_pool *pool, tm_expr_op op, tm_type type,
                            const tm_expr *const *children, uint32_t child_count,
                            const void *aux, int64_t extra) {
  assert(child_count > 0 && child_count <= UINT8_MAX);
  if (pool->failed) return &placeholder;
  tm_expr node = {.op = (uint8_t)op, .type = type, .child_count = (uint8_t)child_count,
                  .children = children, .aux = aux};
  node.extra = extra;
  derive(&node);
  const tm_expr *folded = tm_expr_fold(pool, &node);
  return folded != NULL ? folded : intern(pool, &node);
}

/* ---------------------------------------------------------------- coverage and sharing */

static bool covers(const tm_expr *x, const tm_expr *guard, int *fuel);

static bool covers_in_branches(const tm_expr *x, const tm_expr *guard, int *fuel) {
  if (x->op != TM_X_IF) return false;
  const tm_expr *const *at = x->children;
  if (guard->op == TM_X_IF && guard->children[0] == at[0]) {
    if (covers(at[1], guard->children[1], fuel) && covers(at[2], guard->children[2], fuel)) {
      return true;
    }
  }
  return covers(at[1], guard, fuel) && covers(at[2], guard, fuel);
}

static bool covers_by_parts(const tm_expr *x, const tm_expr *guard, int *fuel) {
  if (guard->misses) return false;
  for (uint32_t i = 0; i < guard->child_count; i++) {
    if (!covers(x, guard->children[i], fuel)) return false;
  }
  return true;
}

static bool covers(const tm_expr *x, const tm_expr *guard, int *fuel) {
  if (!guard->may_miss || x == guard) return true;
  if (!x->may_miss || --*fuel < 0) return false;
  bool first_only = x->op == TM_X_AND || x->op == TM_X_OR || x->op == TM_X_IF;
  uint32_t strict = first_only ? 1 : x->child_count;
  for (uint32_t i = 0; i < strict; i++) {
    if (covers(x->children[i], guard, fuel)) return true;
  }
  return covers_in_branches(x, guard, fuel) || covers_by_parts(x, guard, fuel);
}

bool tm_expr_covers(const tm_expr *x, const tm_expr *guard) {
  int fuel = COVERS_FUEL;
  return covers(x, guard, &fuel);
}

/* A first visit leaves SEEN in the slot, a second one a number. */
enum { SEEN = UINT16_MAX };

static void share_below(tm_expr *x, uint16_t *next) {
  if (x->op == TM_X_CONSTANT) return;
  if (x->op == TM_X_COLUMN && x->type.kind != TM_DECIMAL) return;
  if (x->slot != 0) {
    if (x->slot == SEEN && *next < SEEN) x->slot = (*next)++;
    return;
  }
  x->slot = SEEN;
  for (uint32_t i = 0; i < x->child_count; i++) share_below((tm_expr *)x->children[i], next);
}

static void clear_seen(tm_expr *x) {
  bool seen_once = x->slot == SEEN;
  if (x->slot_count == SEEN || x->op == TM_X_CONSTANT) return;
  x->slot_count = SEEN; /* (a mark of this pass) */
  if (seen_once) x->slot = 0;
  for (uint32_t i = 0; i < x->child_count; i++) clear_seen((tm_expr *)x->children[i]);
}

void tm_expr_share(const tm_expr *const *trees, uint32_t count) {
  uint16_t next = 1;
  for (uint32_t i = 0; i < count; i++) {
    if (trees[i] != NULL) share_below((tm_expr *)trees[i], &next);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (trees[i] != NULL) clear_seen((tm_expr *)trees[i]);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (trees[i] != NULL) ((tm_expr *)trees[i])->slot_count = next;
  }
}
