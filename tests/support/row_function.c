/* tests/support/row_function.c: see row_function.h. */
#include "row_function.h"

#include <criterion/criterion.h>
#include <string.h>

enum { READS_MAX = 8 };

typedef struct bound {
  tm_function function; /* first */
  row_function *made;
  uint32_t order[READS_MAX]; /* columns in the order of the description */
} bound;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "function: out of memory"); }

static int make_columns(const tm_function *f, const tm_batch *batch, tm_result *result) {
  for (uint32_t i = 0; i < f->result->count; i++) {
    tm_column *c = &result->columns[i];
    if (c->data != NULL) continue;
    c->type = f->result->fields[i].type;
    c->data = tm_arena_alloc(result->arena, (batch->rows + 1) * tm_type_width(c->type));
    if (c->data == NULL) return -1;
    memset(c->data, 0xa5, batch->rows * tm_type_width(c->type));
    c->valid = NULL;
    if (c->type.not_null) continue;
    c->valid = tm_arena_alloc(result->arena, batch->rows + 1);
    if (c->valid == NULL) return -1;
    memset(c->valid, 1, batch->rows);
  }
  if (f->shape != TM_SHAPE_ROW || result->keep != NULL) return 0;
  result->keep = tm_arena_alloc(result->arena, batch->rows + 1);
  if (result->keep == NULL) return -1;
  memset(result->keep, 1, batch->rows);
  return 0;
}

static int call(const tm_function *f, void *worker, const tm_batch *batch, const uint32_t *rows,
                uint32_t count, tm_result *result, tm_error *err) {
  const bound *b = (const bound *)f;
  const tm_column *reads[READS_MAX];
  if (b->made->worker != NULL) {
    cr_assert_eq(worker, b->made->worker);
    __atomic_store_n(&b->made->seen_worker, true, __ATOMIC_RELAXED);
  }
  for (uint32_t i = 0; i < f->column_count; i++) {
    reads[i] = &batch->columns[b->order[i]];
    cr_assert(reads[i]->data != NULL || reads[i]->type.kind == TM_NULLTYPE,
              "a function got no data of column %u", b->order[i]);
  }
  if (make_columns(f, batch, result) < 0) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    row_call c = {.batch = batch, .row = rows[i], .reads = reads, .results = result->columns,
                  .arena = result->arena, .keep = true, .reason = TM_REASON_LUA};
    b->made->call(&c);
    if (result->keep != NULL) result->keep[rows[i]] = c.keep;
    if (c.refuse == NULL) continue;
    cr_assert(f->may_raise, "a function that cannot raise refuses a row");
    if (tm_result_refuse(result, rows[i], c.reason, f->source->script_line + 1, c.refuse) < 0) {
      return no_memory(err);
    }
  }
  return 0;
}

static int find_column(const tm_function_want *want, const char *name, tm_error *err) {
  bool right = strncmp(name, "r.", 2) == 0;
  cr_assert(!right || want->input_count == 2);
  int found = tm_schema_require(want->inputs[right], right ? name + 2 : name, err);
  return found >= 0 && right ? found + (int)want->inputs[0]->count : found;
}

static int bind_reads(const tm_function_want *want, bound *b, uint32_t *columns, tm_error *err) {
  for (const char *at = b->made->reads; *at != '\0';) {
    char name[64];
    size_t size = strcspn(at, ",");
    cr_assert_lt(size, sizeof name);
    memcpy(name, at, size);
    name[size] = '\0';
    int found = find_column(want, name, err);
    if (found < 0) return -1;
    cr_assert_lt(b->function.column_count, READS_MAX);
    b->order[b->function.column_count] = (uint32_t)found;
    uint32_t to = b->function.column_count++;
    for (; to > 0 && columns[to - 1] > (uint32_t)found; to--) columns[to] = columns[to - 1];
    columns[to] = (uint32_t)found;
    at += size;
    at += strspn(at, ", ");
  }
  return 0;
}

static int bind(const tm_function_source *source, const tm_function_want *want, tm_arena *arena,
                tm_function **out, tm_error *err) {
  row_function *made = (row_function *)source;
  bound *b = tm_arena_zero(arena, sizeof *b);
  uint32_t *columns = tm_arena_zero(arena, READS_MAX * sizeof *columns);
  if (b == NULL || columns == NULL) return no_memory(err);
  b->made = made;
  b->function = (tm_function){.source = source, .shape = want->shape, .columns = columns,
                              .may_raise = made->raises, .pure = true, .why = "it is C",
                              .call = call};
  const char *makes = want->shape == TM_SHAPE_TRUTH ? "truth bool not null" : made->makes;
  b->function.result = makes == NULL ? want->declared : tm_schema_parse(arena, makes, err);
  if (b->function.result == NULL) {
    return err->code != TM_E_NONE ? -1 : tm_fail(err, TM_E_UNTYPED, "the type must be declared");
  }
  if (bind_reads(want, b, columns, err) < 0) return -1;
  *out = &b->function;
  return 0;
}

row_function row_function_make(const char *reads, const char *makes, void (*each)(row_call *),
                               bool raises, int line) {
  return (row_function){
    .source = {.script = "job.lua", .script_line = line, .bind = bind},
    .reads = reads, .makes = makes, .call = each, .raises = raises,
  };
}

/* ---------------------------------------------------------------- for callbacks */

int64_t row_int(const row_call *c, uint32_t nth) {
  const tm_column *column = c->reads[nth];
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: return ((const uint8_t *)column->data)[c->row];
    case TM_PHYSICAL_I32: return ((const int32_t *)column->data)[c->row];
    case TM_PHYSICAL_I64: return ((const int64_t *)column->data)[c->row];
    default: break;
  }
  cr_assert_fail("no integer column");
  return 0;
}

double row_float(const row_call *c, uint32_t nth) {
  cr_assert_eq(c->reads[nth]->type.kind, TM_FLOAT64);
  return ((const double *)c->reads[nth]->data)[c->row];
}

const tm_str *row_text(const row_call *c, uint32_t nth) {
  cr_assert_eq(tm_type_physical(c->reads[nth]->type), TM_PHYSICAL_STR);
  return &((const tm_str *)c->reads[nth]->data)[c->row];
}

static tm_column *result_of(row_call *c, uint32_t result) {
  tm_column *column = &c->results[result];
  if (column->valid != NULL) column->valid[c->row] = 1;
  return column;
}

void row_set_null(row_call *c, uint32_t result) {
  cr_assert_not_null(c->results[result].valid);
  c->results[result].valid[c->row] = 0;
}

void row_set_int(row_call *c, uint32_t result, int64_t value) {
  tm_column *column = result_of(c, result);
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: ((uint8_t *)column->data)[c->row] = value != 0; break;
    case TM_PHYSICAL_I32: ((int32_t *)column->data)[c->row] = (int32_t)value; break;
    case TM_PHYSICAL_I64: ((int64_t *)column->data)[c->row] = value; break;
    case TM_PHYSICAL_I128: ((__int128 *)column->data)[c->row] = value; break;
    default: cr_assert_fail("no integer column");
  }
}

void row_set_float(row_call *c, uint32_t result, double value) {
  ((double *)result_of(c, result)->data)[c->row] = value;
}

void row_set_text(row_call *c, uint32_t result, const char *text) {
  tm_str *to = &((tm_str *)result_of(c, result)->data)[c->row];
  char *copy = tm_arena_text(c->arena, text, strlen(text));
  *to = copy == NULL ? tm_str_make("", 0) : tm_str_make(copy, strlen(text));
}
