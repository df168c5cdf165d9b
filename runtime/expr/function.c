/* expr/function.c: evaluating a row function: trees for most rows, the VM for what they hand back.
 *
 * A row that some tree misses is run by function->call as a whole, so all its columns come from
 * one place. Columns that are the batch's own are copied before the VM writes into them. */
#include "expr/function.h"

#include "expr/evaluate.h"

#include <string.h>

enum { ERRORS_FIRST = 16 };

int tm_result_refuse(tm_result *result, uint32_t row, tm_reason reason, int script_line,
                     const char *message) {
  if (result->error_count == result->error_capacity) {
    uint32_t capacity = result->error_capacity == 0 ? ERRORS_FIRST : 2 * result->error_capacity;
    tm_row_error *errors = tm_arena_alloc(result->arena, capacity * sizeof *errors);
    if (errors == NULL) return -1;
    if (result->error_count > 0) {
      memcpy(errors, result->errors, result->error_count * sizeof *errors);
    }
    result->errors = errors;
    result->error_capacity = capacity;
  }
  char *copy = tm_arena_text(result->arena, message, strlen(message));
  if (copy == NULL) return -1;
  result->errors[result->error_count++] =
      (tm_row_error){.row = row, .reason = reason, .script_line = script_line, .message = copy};
  return 0;
}

static int call_selected(const tm_function *function, void *worker, const tm_batch *batch,
                         tm_result *result, tm_error *err) {
  const uint32_t *rows = batch->selection;
  if (rows == NULL) {
    uint32_t *all = tm_arena_alloc(result->arena, batch->rows * sizeof *all + 1);
    if (all == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory in a row function");
    for (uint32_t i = 0; i < batch->rows; i++) all[i] = i;
    rows = all;
  }
  return function->call(function, worker, batch, rows, batch->selected, result, err);
}

/* Columns that the VM may write single rows of: data of our own, valid where null is possible. */
static int make_writable(const tm_batch *batch, const tm_function *function, tm_result *result) {
  for (uint32_t i = 0; i < function->result->count; i++) {
    tm_column *column = &result->columns[i];
    size_t bytes = batch->rows * tm_type_width(column->type);
    for (uint32_t k = 0; k < function->column_count; k++) {
      const tm_column *source = &batch->columns[function->columns[k]];
      if (source->data != column->data || source->data == NULL) continue;
      column->data = tm_arena_alloc(result->arena, bytes);
      if (column->data == NULL) return -1;
      memcpy(column->data, source->data, bytes);
      break;
    }
    if (function->result->fields[i].type.not_null) continue;
    uint8_t *valid = tm_arena_alloc(result->arena, batch->rows);
    if (valid == NULL) return -1;
    if (column->valid != NULL) {
      memcpy(valid, column->valid, batch->rows);
    } else {
      memset(valid, 1, batch->rows);
    }
    column->valid = valid;
  }
  if (function->shape != TM_SHAPE_ROW || result->keep != NULL) return 0;
  result->keep = tm_arena_alloc(result->arena, batch->rows);
  if (result->keep != NULL) memset(result->keep, 1, batch->rows);
  return result->keep == NULL ? -1 : 0;
}

int tm_function_evaluate(const tm_function *function, void *worker, const tm_batch *batch,
                         tm_result *result, tm_error *err) {
  if (function->trees == NULL) return call_selected(function, worker, batch, result, err);
  tm_expr_run run = {.batch = batch, .arena = result->arena, .keep = function->keep};
  if (tm_expr_evaluate(&run, function->trees, function->result->count, result->columns, err) != 0) {
    return -1;
  }
  result->keep = run.kept;
  if (run.borrows) result->pins = batch;
  if (run.missed_count == 0) return 0;
  if (make_writable(batch, function, result) != 0) {
    return tm_fail(err, TM_E_MEMORY, "out of memory in a row function");
  }
  return function->call(function, worker, batch, run.missed, run.missed_count, result, err);
}

/* ---------------------------------------------------------------- selection */

/* Merges rows that the VM found true into the selection, both ascending. */
static int merge_missed(const tm_function *function, void *worker, const tm_batch *batch,
                        const tm_expr_run *run, uint32_t *rows, uint32_t *count,
                        tm_result *result, tm_error *err) {
  tm_column column = {.type = function->result->fields[0].type};
  uint8_t *truth = tm_arena_alloc(result->arena, batch->rows);
  if (truth == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory in a row function");
  for (uint32_t i = 0; i < run->missed_count; i++) truth[run->missed[i]] = 0;
  column.data = truth;
  tm_column *columns = result->columns;
  result->columns = &column;
  uint32_t errors_before = result->error_count;
  int status = function->call(function, worker, batch, run->missed, run->missed_count, result, err);
  result->columns = columns;
  if (status != 0) return status;
  for (uint32_t i = errors_before; i < result->error_count; i++) truth[result->errors[i].row] = 0;
  uint32_t extra = 0;
  for (uint32_t i = 0; i < run->missed_count; i++) extra += truth[run->missed[i]];
  uint32_t from = *count, to = *count + extra, missed = run->missed_count;
  *count = to;
  while (missed > 0) { /* backwards, so that nothing is overwritten before it is read */
    uint32_t row = run->missed[missed - 1];
    if (!truth[row]) {
      missed--;
    } else if (from > 0 && rows[from - 1] > row) {
      rows[--to] = rows[--from];
    } else {
      rows[--to] = row;
      missed--;
    }
  }
  return 0;
}

static int select_by_call(const tm_function *function, void *worker, const tm_batch *batch,
                          uint32_t *rows_out, uint32_t *out_count, tm_result *result,
                          tm_error *err) {
  tm_column column = {0};
  tm_column *columns = result->columns;
  result->columns = &column;
  int status = call_selected(function, worker, batch, result, err);
  result->columns = columns;
  if (status != 0) return status;
  uint8_t *truth = column.data;
  for (uint32_t i = 0; i < result->error_count; i++) truth[result->errors[i].row] = 0;
  uint32_t count = 0;
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    rows_out[count] = row;
    count += truth[row] != 0;
  }
  *out_count = count;
  return 0;
}

int tm_function_select(const tm_function *function, void *worker, const tm_batch *batch,
                       uint32_t *rows_out, uint32_t *out_count, tm_result *result, tm_error *err) {
  *out_count = 0;
  if (batch->selected == 0) return 0;
  if (function->trees == NULL) {
    return select_by_call(function, worker, batch, rows_out, out_count, result, err);
  }
  tm_expr_run run = {.batch = batch, .arena = result->arena};
  if (tm_expr_select(&run, function->trees[0], rows_out, out_count, err) != 0) return -1;
  if (run.missed_count == 0) return 0;
  return merge_missed(function, worker, batch, &run, rows_out, out_count, result, err);
}
