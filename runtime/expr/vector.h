/* expr/vector.h: what the evaluate_*.c files share: vectors, sets of rows, scratch.
 *
 * Evaluation walks a batch in slices; within a slice rows count from 0. A vector holds a value for
 * every row of the set that it was computed for, at the row's own index; what lies at other
 * indexes is anything (but readable). Operators that cannot be hurt by that run over the whole
 * slice where most of its rows are in the set, for such loops vectorise. */
#ifndef TM_EXPR_VECTOR_H
#define TM_EXPR_VECTOR_H

#include "expr/evaluate.h"

enum { TM_SLICE_ROWS = 2048 };

typedef struct tm_vec {
  void *data;
  uint8_t *valid;       /* a byte a row; NULL: no row of the set is null */
  uint8_t constant;     /* data is a single value, that of every row */
  uint8_t wide;         /* decimals: elements are __int128, else int64 */
  uint8_t bits;         /* decimals: no value of the set has more bits (sign aside) */
  uint8_t data_owned, valid_owned; /* width of scratch that tm_vec_release gives back; 0: none */
} tm_vec;

/* Rows of the slice, ascending. rows NULL: all of them. `storage` is scratch for rows, or NULL. */
typedef struct tm_rows {
  uint32_t *rows;
  uint32_t count;
  uint32_t *storage;
} tm_rows;

typedef struct tm_eval {
  const tm_column *columns; /* of the batch */
  uint32_t base, total;     /* the slice */
  tm_arena *scratch;
  tm_arena *text;           /* for bytes of strings that are made */
  uint8_t *missed;          /* a byte a row of the slice, NULL: none so far */
  uint32_t missed_count;
  bool failed;              /* out of memory */
  bool borrows;
  char *string_at;          /* room for strings that are made one by one */
  size_t string_left;
  void *spare[4];           /* buffers by width 1, 4, 8, 16: lists through their first word */
  uint32_t capacity;        /* rows that a buffer holds */
  tm_vec *memo;             /* values of shared nodes, by slot */
  uint8_t *memo_used;
  uint16_t *memo_order;     /* slots in use, the latest last */
  uint32_t memo_count;
  uint32_t scope;           /* entries of memo_order from here on belong to the innermost branch */
} tm_eval;

/* evaluate.c. All that return int: 0, or -1 when out of memory. ---------------------------- */

/* The value for the rows of `set`, from which rows that miss are taken. out->data may come set:
 * where the operator makes a vector, it should be there (then it is not owned). */
int tm_eval_value(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
/* Values of both children. */
int tm_eval_operands(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b);
/* Splits the set; `no` may be NULL. Rows that miss are in neither. */
int tm_eval_select(tm_eval *e, const tm_expr *x, tm_rows *set, tm_rows *yes, tm_rows *no);
/* The miss of single rows: those of the set with bad[row] != 0, or with valid[row] == 0. */
int tm_eval_drop(tm_eval *e, tm_rows *set, const uint8_t *bad);
int tm_eval_drop_nulls(tm_eval *e, tm_rows *set, const uint8_t *valid);
int tm_eval_drop_all(tm_eval *e, tm_rows *set);

/* vector.c --------------------------------------------------------------------------------- */

void *tm_eval_buffer(tm_eval *e, size_t width); /* NULL and e->failed when out of memory */
void tm_eval_buffer_release(tm_eval *e, size_t width, void *buffer);
/* Data for values of `width` bytes: out->data where that is set, else scratch. */
void *tm_vec_make(tm_eval *e, tm_vec *out, size_t width);
uint8_t *tm_vec_make_valid(tm_eval *e, tm_vec *out);
void tm_vec_release(tm_eval *e, tm_vec *vec);
/* A constant becomes an array, for the rows of the set. */
int tm_vec_flatten(tm_eval *e, size_t width, const tm_rows *set, tm_vec *vec);
/* to[row] = from[row] for the rows; `constant`: from[0]. */
void tm_rows_copy(const tm_rows *set, size_t width, const void *from, bool constant, void *to);

void tm_rows_release(tm_eval *e, tm_rows *set);
int tm_rows_clone(tm_eval *e, const tm_rows *set, tm_rows *out);
uint32_t *tm_rows_storage(tm_eval *e, tm_rows *set); /* room for a slice */
/* out = set without what is in `without` (a subset of set) and without missed rows. */
int tm_rows_subtract(tm_eval *e, const tm_rows *set, const tm_rows *without, tm_rows *out);
int tm_rows_union(tm_eval *e, const tm_rows *a, const tm_rows *b, tm_rows *out);
/* out = rows of the set with mask[row] == 1 */
int tm_rows_of_mask(tm_eval *e, const tm_rows *set, const uint8_t *mask, tm_rows *out);
void tm_rows_refresh(tm_eval *e, tm_rows *set); /* drops rows that have missed meanwhile */

/* Whether a loop that no value can hurt should run over the whole slice. */
static inline bool tm_rows_dense(const tm_eval *e, const tm_rows *set) {
  return set->rows == NULL || set->count >= e->total / 2;
}
static inline uint32_t tm_rows_at(const tm_rows *set, uint32_t nth) {
  return set->rows == NULL ? nth : set->rows[nth];
}

/* Marks of rows that miss, all 0; NULL without memory. drop_marks gives them back. */
uint8_t *tm_eval_marks(tm_eval *e);
int tm_eval_drop_marks(tm_eval *e, tm_rows *set, uint8_t *bad);
/* `size` bytes as a value, long ones copied to where strings are made. false: no memory. */
bool tm_eval_string(tm_eval *e, const char *text, size_t size, tm_str *out);

/* Operators by family; x->op says which. out arrives as for tm_eval_value ------------------- */

int tm_eval_arithmetic(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_decimal(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_compare(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_convert(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_text(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_pattern(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_format(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_time(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_number(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
int tm_eval_probe(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *out);
/* Decimal vectors brought to one scale and one width, for comparisons; misses what is too wide. */
int tm_decimal_align(tm_eval *e, const tm_expr *x, tm_rows *set, tm_vec *a, tm_vec *b);
/* Between the two forms of a decimal vector; of a constant only to[0] is written. */
void tm_decimal_widen(const tm_eval *e, const tm_rows *set, const tm_vec *from, __int128 *to);
void tm_decimal_narrow(const tm_eval *e, const tm_rows *set, const tm_vec *from, int64_t *to);
/* The least bound on the bits of int64 values. */
int tm_decimal_bits(const tm_eval *e, const tm_rows *set, const int64_t *values);

#endif
