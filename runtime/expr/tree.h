/* expr/tree.h: a typed expression over the columns of a batch.
 *
 * Nodes are immutable, live in the plan arena and are made through a pool that gives equal nodes
 * the same address, so a "tree" is a DAG and equality is a pointer comparison. Every node has one
 * static kind for all rows; conversions are nodes of their own. Only null varies by row.
 *
 * A node may *miss*: for a row that it cannot decide (Lua would raise there, or answer with
 * another kind) evaluation hands the row back, and the caller asks the VM. A value is only
 * evaluated for rows that need it: the untaken side of TM_X_AND, TM_X_OR and TM_X_IF is not. */
#ifndef TM_EXPR_TREE_H
#define TM_EXPR_TREE_H

#include "base/bytes.h"
#include "column/schema.h"
#include "column/str.h"
#include "expr/op.h"

/* How a date or an instant is written. */
typedef struct tm_time_form {
  const struct tm_time_format *format;
  const tm_zone *zone; /* NULL: UTC */
} tm_time_form;

typedef struct tm_expr tm_expr;

/* The one value of a constant, in the physical form of its type. */
typedef union tm_constant {
  uint8_t boolean;
  int32_t i32;
  int64_t i64;
  double f64;
  __int128 i128;
  tm_str text;
} tm_constant;

struct tm_expr {
  uint8_t op;              /* a tm_expr_op */
  uint8_t nullable;        /* its value may be null */
  uint8_t may_miss;        /* it, or something below */
  uint8_t misses;          /* it itself */
  uint8_t cheap;           /* cannot miss, and cheap and safe even for dead rows */
  uint8_t child_count;
  uint16_t slot;           /* shared node: from 1, where evaluation keeps its value; else 0 */
  uint16_t slot_count;     /* of a tree handed to tm_expr_share: slots that evaluation needs */
  uint16_t depth;          /* nodes on the longest way down */
  uint32_t id;             /* order of making within the pool */
  tm_type type;            /* not_null as !nullable */
  const tm_expr *const *children;
  const void *aux;         /* by op: a tm_probe, tm_zone … */
  const tm_expr *negation; /* what tm_expr_not made of it; NULL: not asked yet */
  union {
    tm_constant value;     /* CONSTANT that is not nullable (a null) */
    uint32_t column;       /* COLUMN: index in the batch */
    int64_t extra;         /* by op: LEAF its number, ROUND (digits + 64) << 8 | mode, FIND init,
                              TEXT 1: as files have it, ADD SUB MUL of int64 1: overflow misses */
  };
};

/* Deeper trees are not evaluated: who makes trees checks. Texts are cut at PRINT_MAX bytes. */
enum { TM_EXPR_DEPTH_MAX = 500, TM_EXPR_PRINT_MAX = 1500 };

/* Makes nodes; zeroed but for the arena. `failed` is set when memory ran out: nodes made then are
 * placeholders, and everything must be thrown away. */
typedef struct tm_expr_pool {
  tm_arena *arena;
  tm_expr **buckets;
  uint32_t bucket_count, count;
  bool failed;
} tm_expr_pool;

void tm_expr_pool_init(tm_expr_pool *pool, tm_arena *arena);

const tm_expr *tm_expr_column(tm_expr_pool *pool, uint32_t column, tm_type type);
const tm_expr *tm_expr_constant(tm_expr_pool *pool, tm_type type, tm_constant value);
const tm_expr *tm_expr_bool(tm_expr_pool *pool, bool value);
const tm_expr *tm_expr_int(tm_expr_pool *pool, int64_t value);
const tm_expr *tm_expr_float(tm_expr_pool *pool, double value);
const tm_expr *tm_expr_null(tm_expr_pool *pool, tm_type type); /* nulltype: a lone nil */
const tm_expr *tm_expr_string(tm_expr_pool *pool, const char *text, size_t size); /* copies */
/* As many digits as the value has. */
const tm_expr *tm_expr_decimal(tm_expr_pool *pool, __int128 value, int scale);
const tm_expr *tm_expr_leaf(tm_expr_pool *pool, int64_t number);
const tm_expr *tm_expr_opaque(tm_expr_pool *pool, tm_type type, int64_t number);

/* Any other node. Folds what is constant, drops what changes nothing, and knows which operators
 * may be null or miss given their children. */
const tm_expr *tm_expr_make(tm_expr_pool *pool, tm_expr_op op, tm_type type,
                            const tm_expr *const *children, uint32_t child_count,
                            const void *aux, int64_t extra);
static inline const tm_expr *tm_expr_unary(tm_expr_pool *pool, tm_expr_op op, tm_type type,
                                           const tm_expr *a) {
  return tm_expr_make(pool, op, type, &a, 1, NULL, 0);
}
static inline const tm_expr *tm_expr_binary(tm_expr_pool *pool, tm_expr_op op, tm_type type,
                                            const tm_expr *a, const tm_expr *b) {
  return tm_expr_make(pool, op, type, (const tm_expr *const[]){a, b}, 2, NULL, 0);
}

/* Control, simplified: `type` of an IF is that of both branches. */
const tm_expr *tm_expr_if(tm_expr_pool *pool, tm_type type, const tm_expr *condition,
                          const tm_expr *then, const tm_expr *otherwise);
const tm_expr *tm_expr_and(tm_expr_pool *pool, const tm_expr *a, const tm_expr *b);
const tm_expr *tm_expr_or(tm_expr_pool *pool, const tm_expr *a, const tm_expr *b);
const tm_expr *tm_expr_not(tm_expr_pool *pool, const tm_expr *a);
const tm_expr *tm_expr_guard(tm_expr_pool *pool, const tm_expr *guard, const tm_expr *value);
const tm_expr *tm_expr_require(tm_expr_pool *pool, const tm_expr *value);
const tm_expr *tm_expr_is_null(tm_expr_pool *pool, const tm_expr *value);
/* Lua's truth of any value: a bool without nulls. */
const tm_expr *tm_expr_truth(tm_expr_pool *pool, const tm_expr *value);

static inline bool tm_expr_is_constant(const tm_expr *x) { return x->op == TM_X_CONSTANT; }
static inline bool tm_expr_is_null_constant(const tm_expr *x) {
  return x->op == TM_X_CONSTANT && x->nullable;
}
static inline bool tm_expr_is_bool(const tm_expr *x, bool value) {
  return x->op == TM_X_CONSTANT && x->type.kind == TM_BOOL && !x->nullable &&
         x->value.boolean == value;
}

/* The type of a decimal sum, product … of two decimals: precision is capped at 38, and then
 * *out_fits says whether every result fits (else it may miss). false: no such scale. */
bool tm_expr_decimal_result(tm_expr_op op, tm_type a, tm_type b, tm_type *out, bool *out_fits);
/* Whether evaluating `x` meets every miss of `guard`, for any row. */
bool tm_expr_covers(const tm_expr *x, const tm_expr *guard);

/* Numbers the nodes that several parents share, so that evaluation computes them once. Call once,
 * with all the trees of a function (NULLs are skipped). */
void tm_expr_share(const tm_expr *const *trees, uint32_t count);

/* As a script would write it: "price * (1 - discount)". `names` gives the names of columns. */
typedef struct tm_expr_names {
  const tm_schema *inputs[2]; /* the second after the first; NULL: there is none */
} tm_expr_names;
bool tm_expr_print(const tm_expr *tree, const tm_expr_names *names, tm_bytes *out);

#endif
