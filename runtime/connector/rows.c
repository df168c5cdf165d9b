/* connector/rows.c: tm.rows: rows that are written in the script.
 *
 * bind checks every value against the schema, naming row and field, so that making a batch cannot
 * fail for what a value is. Lanes take pieces of the list by a shared counter. A text is taken for
 * a decimal, a date or a timestamp where it parses, as when reading a file. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/decimal.h"
#include "kernel/parse.h"
#include "kernel/utf8.h"
#include "stage/options.h"
#include "state/record.h"

static const tm_option rows_options[] = {
  {"schema", "text", NULL, "the columns: \"id int64 not null, name string\"", NULL},
  {"rows", "list", NULL, "the rows: { id = 1, name = \"a\" }", NULL},
  {"time", "text|table", NULL, "event time: \"at\", or { field, out_of_order = \"5s\" }", NULL},
  {"bad", "flow", NULL, "endpoint of rows without a time", NULL},
  {"on_error", "text", "fail", "\"skip\" drops and counts rows without a time", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct rows_plan {
  const tm_schema *schema;
  const tm_value *items;
  size_t count;
} rows_plan;

typedef struct rows_shared {
  tm_budget *budget;
  uint64_t next; /* piece; atomic */
} rows_shared;

typedef struct rows_source {
  tm_stage_env env;
  const rows_plan *plan;
  rows_shared *shared;
} rows_source;

/* A value in the form of its column. */
typedef union cell {
  uint8_t boolean;
  int32_t i32;
  int64_t i64;
  double f64;
  __int128 i128;
  struct { const char *text; size_t size; };
} cell;

typedef enum fit { FITS, WRONG_TYPE, OUT_OF_RANGE, BAD_SCALE, BAD_TEXT, IN_GAP } fit;

/* ---------------------------------------------------------------- values */

static fit fit_integer(const tm_value *v, tm_type type, cell *out) {
  int64_t value = v->integer;
  if (v->kind == TM_VALUE_FLOAT) {
    if (v->number != floor(v->number)) return WRONG_TYPE;
    if (!(v->number >= -0x1p63 && v->number < 0x1p63)) return OUT_OF_RANGE;
    value = (int64_t)v->number;
  } else if (v->kind != TM_VALUE_INT && v->kind != TM_VALUE_DURATION) {
    return WRONG_TYPE;
  }
  if (type.kind == TM_INT64) out->i64 = value;
  else if (value < INT32_MIN || value > INT32_MAX) return OUT_OF_RANGE;
  else out->i32 = (int32_t)value;
  return FITS;
}

static fit fit_of(int parsed) {
  if (parsed == TM_PARSE_OK) return FITS;
  return parsed == TM_PARSE_RANGE ? OUT_OF_RANGE : parsed == TM_PARSE_SCALE ? BAD_SCALE
                                                                            : WRONG_TYPE;
}

static fit fit_decimal(const tm_value *v, tm_type type, cell *out) {
  __int128 value;
  if (v->kind == TM_VALUE_TEXT) {
    fit parsed = fit_of(tm_parse_decimal128(v->text, v->size, type.precision, type.scale, &value));
    if (parsed != FITS) return parsed;
  } else {
    if (v->kind != TM_VALUE_DECIMAL && v->kind != TM_VALUE_INT) return WRONG_TYPE;
    __int128 from = v->kind == TM_VALUE_DECIMAL ? v->decimal : v->integer;
    int scale = v->kind == TM_VALUE_DECIMAL ? v->scale : 0;
    if (tm_decimal_rescale(from, scale, type.scale, TM_ROUND_DOWN, &value) < 0) return OUT_OF_RANGE;
    if (tm_decimal_compare(from, scale, value, type.scale) != 0) return BAD_SCALE;
    if (!tm_decimal_fits(value, type.precision)) return OUT_OF_RANGE;
  }
  if (type.precision <= TM_DECIMAL_SHORT) out->i64 = (int64_t)value;
  else out->i128 = value;
  return FITS;
}

static fit fit_timestamp(const tm_value *v, tm_type type, cell *out) {
  if (v->kind == TM_VALUE_TIMESTAMP || v->kind == TM_VALUE_INT) {
    out->i64 = v->integer;
    return FITS;
  }
  if (v->kind != TM_VALUE_TEXT) return WRONG_TYPE;
  int offset;
  fit parsed = fit_of(tm_parse_timestamp(v->text, v->size, &out->i64, &offset));
  if (parsed != FITS) return parsed;
  if (offset != TM_PARSE_NO_OFFSET) out->i64 -= (int64_t)offset * 1000000;
  else if (type.zone != NULL && tm_zone_to_utc(type.zone, out->i64, &out->i64) == TM_ZONE_GAP) {
    return IN_GAP;
  }
  return FITS;
}

static fit fit_value(const tm_value *v, tm_type type, cell *out) {
  switch ((tm_kind)type.kind) {
    case TM_BOOL:
      out->boolean = v->boolean;
      return v->kind == TM_VALUE_BOOL ? FITS : WRONG_TYPE;
    case TM_INT32:
    case TM_INT64: return fit_integer(v, type, out);
    case TM_FLOAT64:
      out->f64 = v->kind == TM_VALUE_INT ? (double)v->integer : v->number;
      return v->kind == TM_VALUE_INT || v->kind == TM_VALUE_FLOAT ? FITS : WRONG_TYPE;
    case TM_DECIMAL: return fit_decimal(v, type, out);
    case TM_DATE:
      if (v->kind == TM_VALUE_TEXT) return fit_of(tm_parse_date(v->text, v->size, &out->i32));
      out->i32 = (int32_t)v->integer;
      return v->kind == TM_VALUE_DATE ? FITS : WRONG_TYPE;
    case TM_TIMESTAMP: return fit_timestamp(v, type, out);
    case TM_STRING:
    case TM_BYTES:
      if (v->kind != TM_VALUE_TEXT) return WRONG_TYPE;
      if (type.kind == TM_STRING && !tm_utf8_valid(v->text, v->size)) return BAD_TEXT;
      out->text = v->text;
      out->size = v->size;
      return FITS;
    case TM_NULLTYPE: break;
  }
  return WRONG_TYPE;
}

static bool is_nil(const tm_value *v) { return v == NULL || v->kind == TM_VALUE_NIL; }

/* ---------------------------------------------------------------- bind */

static int refuse(const tm_value *row, size_t index, const char *field, tm_error_code code,
                  const char *what, tm_error *err) {
  tm_fail(err, code, "row %zu of tm.rows: '%s' %s", index + 1, field, what);
  if (row->script_line > 0) err->script_line = row->script_line;
  const tm_value *v = tm_value_get(row, field);
  char quoted[40];
  if (v == NULL || v->kind != TM_VALUE_TEXT || v->size + 3 > sizeof quoted) return -1;
  snprintf(quoted, sizeof quoted, "\"%s\"", v->text);
  tm_error_token(err, quoted, "");
  return -1;
}

static int check_cell(const tm_value *row, size_t index, const tm_field *field, tm_error *err) {
  const tm_value *v = tm_value_get(row, field->name);
  char type[TM_TYPE_TEXT_MAX], what[160];
  if (is_nil(v)) {
    if (!field->type.not_null) return 0;
    return refuse(row, index, field->name, TM_E_VALUE, "is missing, and is not null", err);
  }
  cell ignored;
  tm_type bare = field->type;
  bare.not_null = 0;
  tm_type_text(bare, type);
  switch (fit_value(v, field->type, &ignored)) {
    case FITS: return 0;
    case WRONG_TYPE:
      snprintf(what, sizeof what, "is a %s, not %s", tm_value_kind_name(v->kind), type);
      return refuse(row, index, field->name, TM_E_TYPE, what, err);
    case OUT_OF_RANGE: snprintf(what, sizeof what, "is out of range for %s", type); break;
    case BAD_SCALE: snprintf(what, sizeof what, "has more digits than %s", type); break;
    case BAD_TEXT: snprintf(what, sizeof what, "is no valid UTF-8"); break;
    case IN_GAP: snprintf(what, sizeof what, "does not exist in the zone of %s", type); break;
  }
  return refuse(row, index, field->name, TM_E_VALUE, what, err);
}

static int check_row(const rows_plan *plan, size_t index, tm_error *err) {
  const tm_value *row = &plan->items[index];
  if (row->kind != TM_VALUE_TABLE || row->item_count > 0) {
    return tm_fail(err, TM_E_VALUE, "row %zu of tm.rows is no table of named fields", index + 1);
  }
  for (size_t i = 0; i < row->pair_count; i++) {
    if (tm_schema_find(plan->schema, row->pairs[i].name) >= 0) continue;
    tm_schema_require(plan->schema, row->pairs[i].name, err);
    if (row->script_line > 0) err->script_line = row->script_line;
    tm_error_token(err, row->pairs[i].name, "");
    return -1;
  }
  for (uint32_t c = 0; c < plan->schema->count; c++) {
    if (check_cell(row, index, &plan->schema->fields[c], err) < 0) return -1;
  }
  return 0;
}

static int rows_bind(tm_bind *bind, tm_error *err) {
  const char *ddl = tm_value_text(bind->options, "schema", NULL);
  const tm_value *rows = tm_value_get(bind->options, "rows");
  rows_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return tm_fail(err, TM_E_MEMORY, "rows: out of memory");
  if (ddl == NULL) return tm_fail(err, TM_E_VALUE, "tm.rows needs a schema");
  plan->schema = tm_schema_parse(bind->arena, ddl, err);
  if (plan->schema == NULL) return -1;
  if (rows != NULL) {
    plan->items = rows->items;
    plan->count = rows->item_count;
  }
  for (size_t i = 0; i < plan->count; i++) {
    if (check_row(plan, i, err) < 0) return -1;
  }
  bind->plan = plan;
  bind->output = plan->schema;
  bind->order = TM_ORDER_MAKES;
  bind->rows_estimate = plan->count;
  bind->detail = tm_arena_format(bind->arena, "%zu row%s", plan->count,
                                 plan->count == 1 ? "" : "s");
  return 0;
}

/* ---------------------------------------------------------------- share, open */

static int rows_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                      tm_error *err) {
  (void)bind;
  (void)lanes;
  rows_shared *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "rows: out of memory");
  s->budget = budget;
  *out = s;
  return 0;
}

static int rows_open(const tm_stage_env *env, void **out, tm_error *err) {
  rows_source *r = tm_alloc_zero(env->budget, sizeof *r);
  if (r == NULL) return tm_fail(err, TM_E_MEMORY, "rows: out of memory");
  *r = (rows_source){.env = *env, .plan = env->bind->plan, .shared = env->shared};
  *out = r;
  return 0;
}

/* ---------------------------------------------------------------- resume */

static bool put_cell(tm_batch *batch, uint32_t column, uint32_t row, const tm_value *v) {
  tm_column *c = &batch->columns[column];
  cell value;
  if (is_nil(v)) {
    c->valid[row] = 0;
    memset((char *)c->data + row * tm_type_width(c->type), 0, tm_type_width(c->type));
    return true;
  }
  fit_value(v, c->type, &value);
  switch (tm_type_physical(c->type)) {
    case TM_PHYSICAL_U8: ((uint8_t *)c->data)[row] = value.boolean; break;
    case TM_PHYSICAL_I32: ((int32_t *)c->data)[row] = value.i32; break;
    case TM_PHYSICAL_I64: ((int64_t *)c->data)[row] = value.i64; break;
    case TM_PHYSICAL_F64: ((double *)c->data)[row] = value.f64; break;
    case TM_PHYSICAL_I128: ((__int128 *)c->data)[row] = value.i128; break;
    case TM_PHYSICAL_STR:
      return tm_batch_text(batch, value.text, value.size, &((tm_str *)c->data)[row]);
  }
  return true;
}

static bool put_column(const rows_source *r, tm_batch *batch, uint32_t column, size_t first) {
  const tm_field *field = &r->plan->schema->fields[column];
  if (tm_batch_column(batch, column, !field->type.not_null) < 0) return false;
  for (uint32_t i = 0; i < batch->rows; i++) {
    const tm_value *v = tm_value_get(&r->plan->items[first + i], field->name);
    if (!put_cell(batch, column, i, v)) return false;
  }
  return true;
}

static tm_batch *make_batch(const rows_source *r, uint64_t piece, uint32_t rows) {
  const tm_bind *bind = r->env.bind;
  size_t first = piece * bind->job->batch_rows;
  tm_batch *batch = tm_batch_create(r->env.budget, r->plan->schema, rows);
  if (batch == NULL) return NULL;
  batch->origin.source = bind->node;
  batch->sequence = piece;
  bool done = true;
  for (uint32_t c = 0; c < r->plan->schema->count && done; c++) {
    if (bind->needed == NULL || bind->needed[c]) done = put_column(r, batch, c, first);
  }
  if (done && bind->emits_ordinals) {
    batch->ordinals = tm_batch_alloc(batch, rows * sizeof *batch->ordinals);
    done = batch->ordinals != NULL;
    for (uint32_t i = 0; done && i < rows; i++) batch->ordinals[i] = first + i + 1;
  }
  if (done) return batch;
  tm_batch_release(batch);
  return NULL;
}

static tm_flow rows_resume(void *self, tm_out *out, tm_error *err) {
  rows_source *r = self;
  uint64_t size = r->env.bind->job->batch_rows;
  if (__atomic_load_n(r->env.draining, __ATOMIC_ACQUIRE)) return TM_FLOW_FINISHED;
  uint64_t piece = __atomic_fetch_add(&r->shared->next, 1, __ATOMIC_RELAXED);
  if (piece * size >= r->plan->count) return TM_FLOW_FINISHED;
  uint64_t left = r->plan->count - piece * size;
  tm_batch *batch = make_batch(r, piece, (uint32_t)(left < size ? left : size));
  if (batch == NULL) return (tm_flow)tm_fail(err, TM_E_MEMORY, "rows: out of memory");
  tm_out_emit(out, batch);
  return left > size ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

static void rows_close(void *self) {
  rows_source *r = self;
  tm_free(r->env.budget, r, sizeof *r);
}

static void rows_unshare(void *object) {
  rows_shared *s = object;
  tm_free(s->budget, s, sizeof *s);
}

/* ---------------------------------------------------------------- save, restore */

/* Pieces are taken in one call and given in the same: which comes next is all that there is. */
static int rows_save(void *self, tm_bytes *out, tm_error *err) {
  rows_source *r = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, __atomic_load_n(&r->shared->next, __ATOMIC_RELAXED));
  return tm_record_end(&w, err);
}

static int rows_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  rows_source *r = self;
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  uint64_t next = tm_record_get(&reader, UINT64_MAX / 2);
  if (tm_record_close(&reader, err) < 0) return -1;
  if (next > __atomic_load_n(&r->shared->next, __ATOMIC_RELAXED)) {
    __atomic_store_n(&r->shared->next, next, __ATOMIC_RELAXED);
  }
  return 0;
}

const tm_stage tm_stage_rows = {
  .size = sizeof(tm_stage),
  .name = "rows",
  .summary = "rows that are written in the script",
  .inputs = 0,
  .options = rows_options,
  .bind = rows_bind,
  .share = rows_share,
  .open = rows_open,
  .restore = rows_restore,
  .resume = rows_resume,
  .save = rows_save,
  .close = rows_close,
  .unshare = rows_unshare,
};
