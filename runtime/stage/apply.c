/* stage/apply.c: see apply.h. */
#include "stage/apply.h"

#include <string.h>

int64_t tm_apply_select(tm_batch *batch, const uint8_t *marks, uint8_t wanted) {
  uint32_t *rows = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *rows);
  if (rows == NULL) return -1;
  uint32_t count = 0;
  if (batch->selection == NULL) {
    for (uint32_t i = 0; i < batch->rows; i++) {
      rows[count] = i;
      count += marks[i] == wanted;
    }
  } else {
    for (uint32_t i = 0; i < batch->selected; i++) {
      uint32_t row = batch->selection[i];
      rows[count] = row;
      count += marks[row] == wanted;
    }
  }
  int64_t dropped = (int64_t)batch->selected - count;
  if (dropped == 0) return 0;
  batch->selection = rows;
  batch->selected = count;
  return dropped;
}

/* Refused rows leave, each once, with the first of its reasons. */
static int refuse(tm_batch *batch, const tm_result *result, tm_out *out,
                  tm_error *err) {
  uint8_t *refused = tm_batch_alloc(batch, batch->rows + 1);
  if (refused == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  memset(refused, 0, batch->rows);
  for (uint32_t i = 0; i < result->error_count; i++) {
    const tm_row_error *e = &result->errors[i];
    if (refused[e->row]) continue;
    refused[e->row] = 1;
    if (tm_out_reject(out, batch, e->row, e->reason, e->script_line, e->message) < 0) {
      return tm_fail(err, TM_E_MEMORY, "out of memory");
    }
  }
  if (tm_apply_select(batch, refused, 0) < 0) return tm_fail(err, TM_E_MEMORY, "out of memory");
  return 0;
}

int tm_apply(const tm_stage_env *env, const tm_function *function, tm_batch *batch,
             tm_column *columns, uint8_t **keep, tm_arena *arena, tm_out *out, tm_error *err) {
  tm_result result = {.arena = arena, .columns = columns};
  if (tm_function_evaluate(function, env->worker, batch, &result, err) < 0) return -1;
  if (keep != NULL) *keep = result.keep;
  return result.error_count > 0 ? refuse(batch, &result, out, err) : 0;
}

static int64_t give_refused(const tm_batch *batch, const tm_result *result, tm_out *out) {
  for (uint32_t i = 0; i < result->error_count; i++) {
    const tm_row_error *e = &result->errors[i];
    if (tm_out_reject(out, batch, e->row, e->reason, e->script_line, e->message) < 0) return -1;
  }
  return result->error_count;
}

int64_t tm_apply_filter(const tm_stage_env *env, const tm_function *function, tm_batch *batch,
                        tm_out *out, tm_error *err) {
  uint32_t count = 0;
  uint32_t *rows = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *rows);
  if (rows == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  tm_result result = {.arena = &batch->arena};
  if (tm_function_select(function, env->worker, batch, rows, &count, &result, err) < 0) return -1;
  int64_t refused = give_refused(batch, &result, out);
  if (refused < 0) return tm_fail(err, TM_E_MEMORY, "out of memory");
  int64_t dropped = (int64_t)batch->selected - count - refused;
  if (count < batch->selected) {
    batch->selection = rows;
    batch->selected = count;
  }
  return dropped;
}

void tm_apply_need(const tm_function *function, uint8_t *needed) {
  for (uint32_t i = 0; i < function->column_count; i++) needed[function->columns[i]] = 1;
}

tm_function *tm_apply_bind(tm_bind *bind, const tm_function_source *source, tm_shape shape,
                           const tm_schema *declared, const char *name, tm_error *err) {
  if (source == NULL) {
    tm_fail(err, TM_E_VALUE, "'%s' wants a function", bind->verb);
    return NULL;
  }
  tm_function_want want = {
    .shape = shape, .input_count = 1, .inputs = {bind->inputs[0]}, .declared = declared,
    .verb = bind->verb, .name = name,
  };
  tm_function *function = NULL;
  if (source->bind(source, &want, bind->arena, &function, err) < 0) return NULL;
  if (function->may_raise) bind->rejects = true;
  if (tm_bind_note(bind, function) == 0) return function;
  tm_fail(err, TM_E_MEMORY, "out of memory");
  return NULL;
}
