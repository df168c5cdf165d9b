/* tests/support/harness_output.c: what a batch that a stage gives must look like. */
#include <stdio.h>
#include <string.h>

#include "harness_parts.h"
#include "kernel/decimal.h"

#define FAIL(...) return (void)snprintf(failure, HARNESS_FAILURE_MAX, __VA_ARGS__), false

static bool check_text(const tm_str *s, const char *name, char *failure) {
  if (s->size <= TM_STR_INLINE) {
    tm_str again = tm_str_make(s->head, s->size);
    if (memcmp(&again, s, sizeof again) != 0)
      FAIL("column '%s': bytes behind a short string", name);
  } else if (memcmp(s->prefix, s->pointer, 4) != 0) {
    FAIL("column '%s': a string's prefix is not its beginning", name);
  }
  return true;
}

static bool check_cell(const tm_column *c, uint32_t row, const char *name, char *failure) {
  if (c->valid != NULL && c->valid[row] > 1) FAIL("column '%s': valid is %u", name, c->valid[row]);
  if (c->type.kind == TM_NULLTYPE) return true;
  if (tm_column_is_null(c, row)) {
    if (c->type.not_null) FAIL("column '%s' is not null, row %u is", name, row);
    return true;
  }
  if (c->type.kind == TM_BOOL && ((const uint8_t *)c->data)[row] > 1) {
    FAIL("column '%s': a bool of %u", name, ((const uint8_t *)c->data)[row]);
  }
  if (c->type.kind == TM_DECIMAL) {
    __int128 value = tm_type_physical(c->type) == TM_PHYSICAL_I64 ? ((const int64_t *)c->data)[row]
                                                                 : ((const __int128 *)c->data)[row];
    if (!tm_decimal_fits(value, c->type.precision)) FAIL("column '%s': too many digits", name);
  }
  if (tm_type_physical(c->type) != TM_PHYSICAL_STR) return true;
  return check_text(&((const tm_str *)c->data)[row], name, failure);
}

static bool check_column(const tm_bind *bind, const tm_batch *batch, uint32_t i, char *failure) {
  const tm_field *field = &bind->output->fields[i];
  const tm_column *c = &batch->columns[i];
  bool needed = bind->needed == NULL || bind->needed[i];
  if (!tm_type_equal(c->type, field->type)) {
    char is[TM_TYPE_TEXT_MAX], should[TM_TYPE_TEXT_MAX];
    FAIL("column '%s' is %s, not %s", field->name, tm_type_text(c->type, is),
         tm_type_text(field->type, should));
  }
  if (c->data == NULL) {
    if (needed && field->type.kind != TM_NULLTYPE) FAIL("column '%s' has no data", field->name);
    return true;
  }
  if (!needed) return true; /* may hold anything */
  tm_column declared = *c;
  declared.type = field->type; /* its not_null is the promise */
  for (uint32_t n = 0; n < batch->selected; n++) {
    if (!check_cell(&declared, tm_batch_row(batch, n), field->name, failure)) return false;
  }
  return true;
}

bool harness_output_check(const tm_bind *bind, const tm_batch *batch, char *failure) {
  if (bind->output == NULL) FAIL("a sink gives rows");
  if (!tm_schema_equal(batch->schema, bind->output)) FAIL("the schema is not that of the bind");
  if (batch->selected == 0) FAIL("a batch without rows");
  if (batch->selection == NULL && batch->selected != batch->rows) {
    FAIL("%u of %u rows are selected, without a selection", batch->selected, batch->rows);
  }
  for (uint32_t n = 0; n < batch->selected; n++) {
    uint32_t row = tm_batch_row(batch, n);
    if (row >= batch->rows) FAIL("row %u of %u is selected", row, batch->rows);
    if (n > 0 && row <= tm_batch_row(batch, n - 1)) FAIL("the selection does not ascend");
  }
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    if (!check_column(bind, batch, i, failure)) return false;
  }
  return true;
}

void harness_held_take(harness_held *held, tm_batch *taken, const uint8_t *needed) {
  *held = (harness_held){.batch = taken, .needed = needed};
  rows_list_add_batch(&held->texts, taken, needed);
}

bool harness_held_release(harness_held *held) {
  if (held->batch == NULL) return true;
  rows_list now = {0};
  rows_list_add_batch(&now, held->batch, held->needed);
  bool same = now.count == held->texts.count;
  for (size_t i = 0; same && i < now.count; i++) {
    same = strcmp(now.texts[i], held->texts.texts[i]) == 0;
  }
  rows_list_clear(&now);
  rows_list_clear(&held->texts);
  tm_batch_release(held->batch);
  held->batch = NULL;
  return same;
}
