/* tests/support/harness_output.c: what a batch that a stage gives must look like. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
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

bool harness_output_check_time(const harness_case *c, const tm_bind *bind, const tm_batch *batch,
                               int64_t watermark_us, int64_t *last, char *failure) {
  const tm_rows_facts *facts = &bind->facts_out;
  bool timed = facts->time.kind != TM_NULLTYPE;
  if (timed && batch->times == NULL) FAIL("a batch without times");
  if (batch->weights != NULL && !facts->changelog) FAIL("weights where no changelog was promised");
  if (facts->in_time_order && batch->marks != NULL) FAIL("marks behind time_order");
  for (uint32_t n = 0; n < batch->selected; n++) {
    uint32_t row = tm_batch_row(batch, n);
    if (batch->weights != NULL && batch->weights[row] == 0) FAIL("a weight of 0");
    if (!timed) continue;
    int64_t t = batch->times[row];
    bool behind = batch->marks != NULL && t < batch->marks[row];
    if (t < watermark_us && !behind && !c->old_rows) {
      FAIL("a row of time %lld behind a watermark of %lld", (long long)t, (long long)watermark_us);
    }
    if (facts->in_time_order && t < *last) FAIL("rows are not in time order");
    *last = t;
  }
  return true;
}

void harness_output_add(const harness_case *c, const tm_batch *batch, const uint8_t *needed,
                        rows_list *to) {
  for (uint32_t n = 0; n < batch->selected; n++) {
    uint32_t row = tm_batch_row(batch, n);
    char *text = rows_text(batch, row, needed), before[16] = "", behind[32] = "";
    int weight = batch->weights != NULL ? batch->weights[row] : 1;
    if (c->changelog || batch->weights != NULL) {
      (void)snprintf(before, sizeof before, "%+d ", weight);
    }
    if (c->shows_times && batch->times != NULL) {
      (void)snprintf(behind, sizeof behind, " @%lld", (long long)batch->times[row]);
    }
    size_t room = strlen(text) + sizeof before + sizeof behind;
    char *line = malloc(room);
    cr_assert_not_null(line);
    (void)snprintf(line, room, "%s%s%s", before, text, behind);
    free(text);
    rows_list_add(to, line);
  }
}

typedef struct weighted { const char *row; long weight; size_t at; } weighted;

static int compare_weighted(const void *a, const void *b) {
  const weighted *x = a, *y = b;
  int order = strcmp(x->row, y->row);
  return order != 0 ? order : x->at < y->at ? -1 : 1;
}

void harness_output_consolidate(rows_list *rows, char *failure) {
  weighted *all = calloc(rows->count + 1, sizeof *all);
  rows_list net = {0};
  cr_assert_not_null(all);
  for (size_t i = 0; i < rows->count; i++) {
    char *behind;
    long weight = strtol(rows->texts[i], &behind, 10);
    all[i] = (weighted){behind + 1, weight, i};
  }
  if (rows->count > 1) qsort(all, rows->count, sizeof *all, compare_weighted);
  for (size_t i = 0; i < rows->count;) {
    const char *row = all[i].row;
    long sum = 0;
    for (; i < rows->count && strcmp(all[i].row, row) == 0; i++) {
      sum += all[i].weight;
      if (sum >= 0 || failure[0] != '\0') continue;
      (void)snprintf(failure, HARNESS_FAILURE_MAX, "taken back before it was given: %.300s", row);
    }
    for (; sum > 0; sum--) rows_list_add(&net, strdup(row));
  }
  free(all);
  rows_list_clear(rows);
  *rows = net;
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
