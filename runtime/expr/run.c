/* expr/run.c: from batches to slices and back: the public side of evaluation.
 *
 * Scratch is an arena of its own a call; its blocks come from the thread's pool, so nothing is
 * asked of the heap. Where a tree is a column of the batch, the batch's data is the result. */
#include "expr/loops.h"

#include <assert.h>

static uint32_t slice_rows(uint32_t rows) {
  uint32_t capacity = rows < TM_SLICE_ROWS ? rows : TM_SLICE_ROWS;
  return (capacity + 63) & ~UINT32_C(63);
}

/* Room for the values of shared nodes. */
static int make_memo(tm_eval *e, uint32_t slots) {
  if (slots <= 1) return 0;
  e->memo = tm_arena_alloc(e->scratch, slots * sizeof *e->memo);
  e->memo_used = tm_arena_zero(e->scratch, slots);
  e->memo_order = tm_arena_alloc(e->scratch, slots * sizeof *e->memo_order);
  return e->memo == NULL || e->memo_used == NULL || e->memo_order == NULL ? -1 : 0;
}

static void eval_init(tm_eval *e, const tm_batch *batch, tm_arena *scratch, tm_arena *text) {
  e->memo = NULL;
  memset(e->spare, 0, sizeof e->spare);
  e->columns = batch->columns;
  e->scratch = scratch;
  e->text = text;
  e->string_left = 0;
  e->missed = NULL;
  e->missed_count = 0;
  e->memo_count = e->scope = 0;
  e->failed = e->borrows = false;
  e->capacity = slice_rows(batch->rows);
}

/* The rows of the selection in the slice at e->base; *nth is where the selection has got to. */
static int slice_set(tm_eval *e, const tm_batch *batch, uint32_t *nth, tm_rows *set) {
  uint32_t left = batch->rows - e->base;
  e->total = left < e->capacity ? left : e->capacity;
  *set = (tm_rows){.count = e->total};
  if (batch->selection == NULL) return 0;
  if (tm_rows_storage(e, set) == NULL) return -1;
  uint32_t end = e->base + e->total, count = 0;
  for (; *nth < batch->selected && batch->selection[*nth] < end; ++*nth) {
    set->storage[count++] = batch->selection[*nth] - e->base;
  }
  set->count = count;
  set->rows = count == e->total ? NULL : set->storage;
  return 0;
}

/* Hands the slice's misses to the run; forgets all that belongs to the slice. */
static int slice_end(tm_eval *e, tm_expr_run *run, tm_rows *set) {
  tm_rows_release(e, set);
  for (; e->memo_count > 0; e->memo_count--) {
    uint16_t slot = e->memo_order[e->memo_count - 1];
    tm_vec_release(e, &e->memo[slot]);
    e->memo_used[slot] = 0;
  }
  if (e->missed == NULL) return 0;
  if (run->missed == NULL) {
    run->missed = tm_arena_alloc(run->arena, run->batch->selected * sizeof *run->missed);
    if (run->missed == NULL) return -1;
  }
  for (uint32_t i = 0; i < e->total; i++) {
    if (e->missed[i]) run->missed[run->missed_count++] = e->base + i;
  }
  tm_eval_buffer_release(e, 1, e->missed);
  e->missed = NULL;
  e->missed_count = 0;
  return 0;
}

/* ---------------------------------------------------------------- columns */

/* The column that a tree stands for without any work, NULL: there is some. */
static const tm_column *plain_column(const tm_batch *batch, const tm_expr *x) {
  while (x->op == TM_X_PRESENT || x->op == TM_X_RETYPE) x = x->children[0];
  return x->op == TM_X_COLUMN ? &batch->columns[x->column] : NULL;
}

/* A string that is not made anew has its bytes from the batch, or from a constant. */
static bool may_borrow(const tm_expr *x) {
  bool makes = x->op == TM_X_LOWER || x->op == TM_X_UPPER || x->op == TM_X_CONCAT ||
               x->op == TM_X_TEXT || x->op == TM_X_CONSTANT || x->op == TM_X_PROBE;
  return tm_type_physical(x->type) == TM_PHYSICAL_STR && !makes;
}

static int column_valid(const tm_expr_run *run, const tm_eval *e, tm_column *column) {
  column->valid = tm_arena_alloc(run->arena, run->batch->rows);
  if (column->valid == NULL) return -1;
  memset(column->valid, 1, e->base); /* slices before this one had no null */
  return 0;
}

static int write_valid(const tm_expr_run *run, tm_eval *e, const tm_rows *set, const tm_vec *vec,
                       tm_column *column) {
  if (vec->valid == NULL && column->valid == NULL) return 0;
  if (column->valid == NULL && column_valid(run, e, column) != 0) return -1;
  if (vec->valid == NULL) {
    memset(column->valid + e->base, 1, e->total);
  } else {
    tm_rows_copy(set, 1, vec->valid, vec->constant, column->valid + e->base);
  }
  return 0;
}

static int write_slice(tm_expr_run *run, tm_eval *e, const tm_expr *tree, tm_rows *set,
                       tm_column *column) {
  size_t width = tm_type_width(tree->type);
  bool long_decimal = tm_type_physical(tree->type) == TM_PHYSICAL_I128;
  char *to = (char *)column->data + e->base * width;
  tm_vec vec = {.data = long_decimal ? NULL : to};
  if (tm_eval_value(e, tree, set, &vec) != 0) return -1;
  if (long_decimal && !vec.wide && vec.constant) {
    __int128 value = *(const int64_t *)vec.data;
    tm_rows_copy(set, width, &value, true, to);
  } else if (long_decimal && !vec.wide) {
    tm_decimal_widen(e, set, &vec, (__int128 *)to);
  } else {
    tm_rows_copy(set, width, vec.data, vec.constant, to);
  }
  if (write_valid(run, e, set, &vec, column) != 0) return -1;
  tm_vec_release(e, &vec);
  return 0;
}

static int make_columns(tm_expr_run *run, const tm_expr *const *trees, uint32_t tree_count,
                        tm_column *columns) {
  for (uint32_t i = 0; i < tree_count; i++) {
    const tm_expr *tree = trees[i];
    if (tree == NULL) continue;
    const tm_column *plain = columns[i].data == NULL ? plain_column(run->batch, tree) : NULL;
    columns[i].type = tree->type;
    run->borrows |= may_borrow(tree);
    if (plain != NULL) {
      columns[i].data = plain->data;
      columns[i].valid = tree->nullable ? plain->valid : NULL;
      run->borrows = true;
    } else if (columns[i].data == NULL) {
      size_t bytes = run->batch->rows * tm_type_width(tree->type);
      columns[i].data = tm_arena_alloc(run->arena, bytes + 1);
      if (columns[i].data == NULL) return -1;
    }
  }
  return 0;
}

/* Narrows the set to the rows that are kept, and writes which. */
static int keep_rows(tm_expr_run *run, tm_eval *e, tm_rows *set) {
  tm_rows yes = {0};
  if (tm_eval_select(e, run->keep, set, &yes, NULL) != 0 || e->failed) return -1;
  uint8_t *kept = run->kept + e->base;
  memset(kept, 0, e->total);
  for (uint32_t k = 0; k < yes.count; k++) kept[tm_rows_at(&yes, k)] = 1;
  tm_rows_release(e, set);
  *set = yes;
  return 0;
}

static int evaluate_slices(tm_expr_run *run, tm_eval *e, const tm_expr *const *trees,
                           uint32_t tree_count, tm_column *columns) {
  uint32_t nth = 0;
  for (e->base = 0; e->base < run->batch->rows; e->base += e->capacity) {
    tm_rows set;
    if (slice_set(e, run->batch, &nth, &set) != 0) return -1;
    if (run->keep != NULL && keep_rows(run, e, &set) != 0) return -1;
    for (uint32_t i = 0; i < tree_count && set.count > 0; i++) {
      if (trees[i] == NULL) continue;
      const tm_column *plain = plain_column(run->batch, trees[i]);
      if (plain != NULL && plain->data == columns[i].data) continue;
      if (write_slice(run, e, trees[i], &set, &columns[i]) != 0 || e->failed) return -1;
    }
    if (slice_end(e, run, &set) != 0) return -1;
  }
  return 0;
}

int tm_expr_evaluate(tm_expr_run *run, const tm_expr *const *trees, uint32_t tree_count,
                     tm_column *columns, tm_error *err) {
  tm_arena scratch;
  tm_eval e;
  tm_arena_init(&scratch, run->arena->budget);
  eval_init(&e, run->batch, &scratch, run->arena);
  uint32_t slots = run->keep == NULL ? 0 : run->keep->slot_count;
  for (uint32_t i = 0; i < tree_count; i++) {
    if (trees[i] != NULL && trees[i]->slot_count > slots) slots = trees[i]->slot_count;
  }
  int status = make_memo(&e, slots);
  if (status == 0) status = make_columns(run, trees, tree_count, columns);
  if (status == 0 && run->keep != NULL) {
    run->kept = tm_arena_alloc(run->arena, run->batch->rows + 1);
    if (run->kept == NULL) status = -1;
  }
  if (status == 0) status = evaluate_slices(run, &e, trees, tree_count, columns);
  run->borrows |= e.borrows;
  tm_arena_deinit(&scratch);
  if (status != 0) tm_fail(err, TM_E_MEMORY, "out of memory in a row function");
  return status;
}

/* ---------------------------------------------------------------- selection */

/* Rows of a slice as rows of the batch. */
TM_CLONES static void write_rows(const tm_rows *set, uint32_t base, uint32_t *restrict out) {
  const uint32_t *restrict rows = set->rows;
  uint32_t count = set->count;
  if (rows == NULL) {
    for (uint32_t k = 0; k < count; k++) out[k] = base + k;
  } else {
    for (uint32_t k = 0; k < count; k++) out[k] = base + rows[k];
  }
}

static int select_slices(tm_expr_run *run, tm_eval *e, const tm_expr *tree, uint32_t *rows_out,
                         uint32_t *out_count) {
  uint32_t nth = 0, count = 0;
  for (e->base = 0; e->base < run->batch->rows; e->base += e->capacity) {
    tm_rows set, yes = {0};
    if (slice_set(e, run->batch, &nth, &set) != 0) return -1;
    if (set.count > 0 && (tm_eval_select(e, tree, &set, &yes, NULL) != 0 || e->failed)) return -1;
    write_rows(&yes, e->base, rows_out + count);
    count += yes.count;
    tm_rows_release(e, &yes);
    if (slice_end(e, run, &set) != 0) return -1;
  }
  *out_count = count;
  return 0;
}

int tm_expr_select(tm_expr_run *run, const tm_expr *tree, uint32_t *rows_out, uint32_t *out_count,
                   tm_error *err) {
  tm_arena scratch;
  tm_eval e;
  tm_arena_init(&scratch, run->arena->budget);
  eval_init(&e, run->batch, &scratch, &scratch);
  int status = make_memo(&e, tree->slot_count);
  if (status == 0) status = select_slices(run, &e, tree, rows_out, out_count);
  tm_arena_deinit(&scratch);
  if (status != 0) tm_fail(err, TM_E_MEMORY, "out of memory in a row function");
  return status;
}

/* ---------------------------------------------------------------- constants */

int tm_expr_evaluate_constant(const tm_expr *tree, tm_arena *arena, tm_constant *out,
                              bool *out_null) {
  tm_batch batch = {.rows = 1, .selected = 1};
  tm_expr_run run = {.batch = &batch, .arena = arena};
  tm_column column = {.type = tree->type, .data = out};
  tm_error err = {0};
  memset(out, 0, sizeof *out);
  if (tm_expr_evaluate(&run, &tree, 1, &column, &err) != 0) return -1;
  *out_null = column.valid != NULL && column.valid[0] == 0;
  return run.missed_count != 0;
}
