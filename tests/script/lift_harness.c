/* tests/script/lift_harness.c: see the header. */
#include "lift_harness.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel/print.h"

const char tm_lift_schema[] =
    "i int64, j int32, k int64 not null, f float64, g float64 not null, d decimal(12,2),"
    "e decimal(30,4) not null, p decimal(15,2) not null, q decimal(4,3), s string,"
    "t string not null, b bool, dt date, da date not null, ts timestamp, tn timestamp not null,"
    "by bytes, n int32 not null, bb bool not null";

const char tm_lift_prelude[] =
    "local tm <const> = require 'tidemill'\n"
    "local codes <const> = { a = 1, b = 2, ['hello world, hello'] = 3, [''] = 4 }\n"
    "local set <const> = { AIR = true, RAIL = true, a = true, ['10'] = true }\n"
    "local sizes <const> = { [1] = true, [2] = true, [49] = true, [-5] = false }\n"
    "local far <const> = { [0] = 1.5, [1000000] = 2.5, [-9223372036854775808] = -0.0 }\n"
    "local names <const> = { 'one', 'two', 'three' }\n"
    "local mixed <const> = { a = 1, b = 'x' }\n"
    "local empty <const> = {}\n"
    "local info <const> = { a = { label = 'A', rate = tm.dec '1.25' }, b = { label = 'B' } }\n"
    "local prices <const> = { a = tm.dec '1.50', b = tm.dec '12345678901234567890.00' }\n"
    "local holidays <const> = { [tm.day '1970-01-01'] = 'epoch', [tm.day '2024-02-29'] = 'leap' }\n"
    "local cutoff <const> = tm.day '1998-09-02'\n"
    "local start <const> = tm.time '2024-02-29 12:00:00'\n"
    "local vat <const> = tm.dec '1.19'\n"
    "local limit, word, off, none = 10, 'a', false, nil\n"
    "local function twice(x) return x * 2 end\n"
    "local function pick(a, b) if a then return a else return b end end\n"
    "local function net(r) return r.p * (1 - r.q) end\n"
    "local function both(x) return x, x end\n"
    "local function deep(x) return twice(twice(x)) end\n"
    "local function fact(n) if n < 2 then return 1 end return n * fact(n - 1) end\n"
    "local function sign(x) if x < 0 then return -1 elseif x > 0 then return 1 end return 0 end\n";

/* ---------------------------------------------------------------- scripts */

static void must(bool done) { cr_assert(done, "out of memory in a test"); }

static const tm_stage *any_stage(const char *verb, tm_stage_role role) {
  static const tm_stage stage;
  (void)verb, (void)role;
  return &stage;
}

void tm_lift_harness_init(tm_lift_harness *h, const char *const *functions, uint32_t count) {
  tm_bytes text;
  tm_error err = {0};
  memset(h, 0, sizeof *h);
  h->budget = tm_budget_create(NULL, "test", 0);
  tm_arena_init(&h->arena, h->budget);
  h->schema = tm_schema_parse(&h->arena, tm_lift_schema, &err);
  cr_assert_not_null(h->schema, "%s", err.message);
  tm_bytes_init(&text, h->budget);
  must(tm_bytes_append_text(&text, tm_lift_prelude));
  must(tm_bytes_append_text(&text, "return tm.batch { name = 't', tm.rows { schema = 'x int64' }"
                                   ":with {\n"));
  for (uint32_t i = 0; i < count; i++) {
    must(tm_bytes_format(&text, "  f%04u = %s,\n", i, functions[i]));
  }
  must(tm_bytes_append_text(&text, "}:to(tm.discard()) }\n"));
  tm_script_options options = {
    .text = tm_bytes_c_string(&text), .date = "2026-03-14", .budget = h->budget,
    .find_stage = any_stage, .load_us = 60000000,
  };
  h->script = tm_script_open(&options, &err);
  cr_assert_not_null(h->script, "line %d: %s", err.script_line, err.message);
  tm_bytes_deinit(&text);
  const tm_graph *graph = tm_script_graph(h->script);
  for (uint32_t i = 0; i < graph->count; i++) {
    if (strcmp(graph->nodes[i].verb, "with") == 0) h->functions =
        tm_value_get(graph->nodes[i].options, "fields");
  }
  cr_assert_not_null(h->functions);
}

void tm_lift_harness_deinit(tm_lift_harness *h) {
  tm_script_close(h->script);
  tm_arena_deinit(&h->arena);
  tm_budget_destroy(h->budget);
}

/* ---------------------------------------------------------------- rows */

static uint64_t next(uint64_t *seed) {
  *seed += UINT64_C(0x9e3779b97f4a7c15);
  uint64_t z = *seed;
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static const int64_t ints[] = {
  0, 1, -1, 2, 3, 7, 10, -5, 49, 100, 1000000, INT64_MAX, INT64_MIN, INT64_MAX - 1,
  9007199254740992, 9007199254740993, -9007199254740993, INT32_MAX, INT32_MIN, 63, 64, -64,
};
static const double floats[] = {
  0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 3.0, 10.0, 1e15, 1e16, 9007199254740992.0,
  -9007199254740994.0, 0x1p63, -0x1p63, 1e300, -1e300, 5e-324, INFINITY, -INFINITY, NAN, 0.1,
};
static const char *const texts[] = {
  "", "a", "b", "10", "AIR", "RAIL", "hello", "Hello World", "hello world, hello", "12 chars long",
  "exactly12byt", "exactly 13 by", "PROMO BURNISHED COPPER", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac",
  "special packages requests", "%", "a%b", "abcabcabc", " x ", "zzz", "0x10", "1e2",
};
static const int32_t days[] = {
  0, -1, 1, 19782, 19783, 10471, 10470, -719162, 2932896, 365, 59, 60, 20000,
};
static const int64_t times[] = {
  0, -1, 1, 1709208000000000, 1709251199999999, INT64_MAX, INT64_MIN, 86400000000, -86400000000,
  1000000, 1711846800000000,
};

#define PICK(list) list[next(seed) % (sizeof list / sizeof *list)]

static void fill_cell(const tm_column *column, uint32_t row, uint64_t *seed) {
  uint64_t dice = next(seed);
  __int128 limit = 1, wide = 0;
  switch ((tm_kind)column->type.kind) {
    case TM_BOOL: ((uint8_t *)column->data)[row] = dice & 1; break;
    case TM_INT32: {
      int64_t value = dice % 3 == 0 ? (int64_t)(dice >> 8) % 100 : PICK(ints);
      ((int32_t *)column->data)[row] = (int32_t)value;
      break;
    }
    case TM_INT64:
      ((int64_t *)column->data)[row] = dice % 3 == 0 ? (int64_t)(dice >> 8) % 200 - 100
                                       : dice % 17 == 0 ? (int64_t)next(seed) : PICK(ints);
      break;
    case TM_TIMESTAMP:
      ((int64_t *)column->data)[row] =
          dice % 2 == 0 ? (int64_t)(dice >> 12) % 2000000000000000 : PICK(times);
      break;
    case TM_FLOAT64:
      ((double *)column->data)[row] = dice % 3 == 0 ? (double)(int64_t)(dice >> 8) / 1e12
                                                    : PICK(floats);
      break;
    case TM_DATE:
      ((int32_t *)column->data)[row] = dice % 2 == 0 ? (int32_t)(dice >> 8) % 30000 : PICK(days);
      break;
    case TM_STRING: case TM_BYTES: {
      const char *text = PICK(texts);
      ((tm_str *)column->data)[row] = tm_str_make(text, strlen(text));
      break;
    }
    case TM_DECIMAL:
      for (int i = 0; i < column->type.precision; i++) limit *= 10;
      if (dice % 4 == 0) wide = (__int128)(next(seed) >> 1) * (next(seed) >> 1);
      else if (dice % 4 == 1) wide = limit - 1;
      else wide = (int64_t)(dice >> 16) % 100000;
      wide %= limit;
      if (dice & 256) wide = -wide;
      if (dice % 23 == 0) wide = 0;
      if (tm_type_width(column->type) == 16) ((__int128 *)column->data)[row] = wide;
      else ((int64_t *)column->data)[row] = (int64_t)wide;
      break;
    case TM_NULLTYPE: break;
  }
}

static const tm_schema *doubled(tm_lift_harness *h, uint32_t inputs) {
  tm_schema *schema = tm_schema_create(&h->arena, inputs * h->schema->count);
  for (uint32_t i = 0; i < schema->count; i++) {
    schema->fields[i] = h->schema->fields[i % h->schema->count];
  }
  return schema;
}

tm_batch *tm_lift_rows(tm_lift_harness *h, uint32_t inputs, uint32_t rows, uint64_t seed,
                       uint32_t nulls, bool selection) {
  tm_batch *batch = tm_batch_create(h->budget, doubled(h, inputs), rows);
  must(batch != NULL);
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    bool nullable = !batch->schema->fields[c].type.not_null;
    must(tm_batch_column(batch, c, nullable) == 0);
    /* Dead values are anything, so nulls and unselected rows hold rubbish. */
    memset(batch->columns[c].data, 0xa5, rows * tm_type_width(batch->columns[c].type));
    for (uint32_t r = 0; r < rows; r++) {
      if (nullable && next(&seed) % 1000 < nulls) {
        batch->columns[c].valid[r] = 0;
      } else {
        fill_cell(&batch->columns[c], r, &seed);
      }
    }
  }
  if (!selection) return batch;
  batch->selection = tm_batch_alloc(batch, (rows + 1) * sizeof *batch->selection);
  batch->selected = 0;
  uint64_t odds = 1 + next(&seed) % 10;
  for (uint32_t r = 0; r < rows; r++) {
    if (next(&seed) % 10 < odds) {
      batch->selection[batch->selected++] = r;
      continue;
    }
    for (uint32_t c = 0; c < batch->schema->count; c++) { /* a pointer that leads nowhere */
      size_t width = tm_type_width(batch->columns[c].type);
      memset((char *)batch->columns[c].data + r * width, 0xa5, width);
    }
  }
  return batch;
}

/* ---------------------------------------------------------------- comparing */

typedef struct recorder {
  tm_function function; /* first, so that call finds it */
  uint8_t *missed;
  uint32_t count;
} recorder;

static int record_misses(const tm_function *function, void *worker, const tm_batch *batch,
                         const uint32_t *rows, uint32_t count, tm_result *result, tm_error *err) {
  recorder *r = (recorder *)function;
  (void)worker, (void)batch, (void)err;
  for (uint32_t i = 0; i < count; i++) {
    cr_assert(i == 0 || rows[i - 1] < rows[i], "missed rows come in order, each once");
    r->missed[rows[i]] = 1;
    if (r->function.shape == TM_SHAPE_TRUTH) ((uint8_t *)result->columns[0].data)[rows[i]] = 0;
  }
  r->count += count;
  return 0;
}

static void cell_text(const tm_column *column, uint32_t row, char out[100]) {
  size_t size = 0;
  const void *data = (const char *)column->data + row * tm_type_width(column->type);
  if (tm_column_is_null(column, row)) {
    strcpy(out, "null");
    return;
  }
  switch (tm_type_physical(column->type)) {
    case TM_PHYSICAL_U8: size = tm_print_int64(out, *(const uint8_t *)data); break;
    case TM_PHYSICAL_I32: size = tm_print_int64(out, *(const int32_t *)data); break;
    case TM_PHYSICAL_I64: size = tm_print_int64(out, *(const int64_t *)data); break;
    case TM_PHYSICAL_F64: size = tm_print_float64(out, *(const double *)data); break;
    case TM_PHYSICAL_I128: size = tm_print_decimal(out, *(const __int128 *)data, 0); break;
    case TM_PHYSICAL_STR:
      size = (size_t)snprintf(out, 100, "'%.*s'", (int)((const tm_str *)data)->size,
                              tm_str_bytes(data));
      if (size > 99) size = 99;
  }
  out[size] = '\0';
}

static bool cells_equal(const tm_column *a, const tm_column *b, uint32_t row) {
  if (tm_column_is_null(a, row) || tm_column_is_null(b, row)) {
    return tm_column_is_null(a, row) == tm_column_is_null(b, row);
  }
  size_t width = tm_type_width(a->type);
  if (tm_type_physical(a->type) == TM_PHYSICAL_STR) {
    return tm_str_equal((const tm_str *)a->data + row, (const tm_str *)b->data + row);
  }
  if (a->type.kind == TM_FLOAT64) {
    double x = ((const double *)a->data)[row], y = ((const double *)b->data)[row];
    if (x != x && y != y) return true; /* which NaN it is, nobody can see in a column */
  }
  return memcmp((const char *)a->data + row * width, (const char *)b->data + row * width,
                width) == 0;
}

static void differ(tm_lift_report *out, uint32_t row, const char *what, const char *lifted,
                   const char *vm) {
  out->verdict = TM_LIFT_DIFFERS;
  snprintf(out->why, sizeof out->why, "row %u, %s: compiled %s, VM %s; %s", row, what, lifted, vm,
           out->text);
}

static void compare_row(const tm_function *f, const tm_result *lifted, const tm_result *vm,
                        uint32_t row, tm_lift_report *out) {
  bool keep_a = lifted->keep == NULL || lifted->keep[row];
  bool keep_b = vm->keep == NULL || vm->keep[row];
  if (keep_a != keep_b) {
    differ(out, row, "keep", keep_a ? "keeps" : "drops", keep_b ? "keeps" : "drops");
    return;
  }
  for (uint32_t c = 0; c < f->result->count && keep_a; c++) {
    const tm_column *a = &lifted->columns[c], *b = &vm->columns[c];
    if (cells_equal(a, b, row)) continue;
    char x[100], y[100];
    cell_text(a, row, x);
    cell_text(b, row, y);
    differ(out, row, f->result->fields[c].name, x, y);
    return;
  }
}

static void compare_selection(const recorder *r, const tm_batch *batch, const tm_result *vm,
                              const uint8_t *refused, tm_arena *arena, tm_lift_report *out) {
  uint32_t *rows = tm_arena_alloc(arena, (batch->rows + 1) * sizeof *rows), count = 0;
  tm_result result = {.arena = arena};
  tm_error err = {0};
  cr_assert_eq(tm_function_select(&r->function, NULL, batch, rows, &count, &result, &err), 0);
  const uint8_t *truth = vm->columns[0].data;
  uint32_t at = 0;
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    bool selected = at < count && rows[at] == row;
    at += selected;
    if (r->missed[row] || refused[row]) continue;
    if (selected != (truth[row] != 0)) {
      differ(out, row, "selection", selected ? "true" : "false", truth[row] ? "true" : "false");
    }
  }
  if (at != count) differ(out, rows[at], "selection", "a row out of order", "none");
}

static void compare_all(const tm_function *f, const tm_batch *batch, tm_arena *arena,
                        tm_lift_report *out) {
  recorder r = {.function = *f};
  tm_error err = {0};
  size_t columns = (f->result->count + 1) * sizeof(tm_column);
  tm_result lifted = {.arena = arena, .columns = tm_arena_zero(arena, columns)};
  tm_result vm = {.arena = arena, .columns = tm_arena_zero(arena, columns)};
  r.function.call = record_misses;
  r.missed = tm_arena_zero(arena, batch->rows + 1);
  uint8_t *refused = tm_arena_zero(arena, batch->rows + 1);
  cr_assert_eq(tm_function_evaluate(&r.function, NULL, batch, &lifted, &err), 0);
  uint32_t *rows = tm_arena_alloc(arena, (batch->rows + 1) * sizeof *rows);
  for (uint32_t k = 0; k < batch->selected; k++) rows[k] = tm_batch_row(batch, k);
  cr_assert_eq(f->call(f, NULL, batch, rows, batch->selected, &vm, &err), 0, "%s", err.message);
  out->rows = batch->selected;
  out->missed = r.count;
  out->refused = vm.error_count;
  for (uint32_t i = 0; i < vm.error_count; i++) refused[vm.errors[i].row] = 1;
  for (uint32_t k = 0; k < batch->selected && out->verdict == TM_LIFT_SAME; k++) {
    uint32_t row = rows[k];
    if (r.missed[row]) continue;
    if (refused[row]) {
      differ(out, row, "refusal", "a value", vm.errors[0].message);
    } else {
      compare_row(f, &lifted, &vm, row, out);
    }
  }
  if (r.count > 0 && !f->may_raise) differ(out, 0, "may_raise", "false", "has misses");
  if (f->shape == TM_SHAPE_TRUTH && out->verdict == TM_LIFT_SAME) {
    compare_selection(&r, batch, &vm, refused, arena, out);
  }
}

static void describe(const tm_function *f, tm_arena *arena, tm_lift_report *out) {
  out->may_raise = f->may_raise;
  if (f->text != NULL) snprintf(out->text, sizeof out->text, "%s", f->text);
  if (f->why != NULL) snprintf(out->why, sizeof out->why, "%s", f->why);
  snprintf(out->types, sizeof out->types, "%s", tm_schema_text(arena, f->result));
}

void tm_lift_harness_run(tm_lift_harness *h, uint32_t nth, tm_shape shape, uint32_t inputs,
                         const char *declared, const tm_batch *batch, tm_lift_report *out) {
  tm_arena arena;
  tm_arena_init(&arena, h->budget);
  memset(out, 0, sizeof *out);
  char name[16];
  snprintf(name, sizeof name, "f%04u", nth);
  const tm_function_source *source = tm_value_get(h->functions, name)->function;
  tm_function_want want = {
    .shape = shape, .input_count = inputs, .inputs = {h->schema, inputs == 2 ? h->schema : NULL},
    .verb = "with", .name = shape == TM_SHAPE_VALUE ? name : NULL,
  };
  if (declared != NULL) {
    tm_error err = {0};
    want.declared = tm_schema_parse(&arena, declared, &err);
    cr_assert_not_null(want.declared, "%s", err.message);
  }
  tm_function *f = NULL;
  if (source->bind(source, &want, &h->arena, &f, &out->err) != 0) {
    out->verdict = out->err.code == TM_E_UNTYPED ? TM_LIFT_VM : TM_LIFT_ERROR;
    snprintf(out->why, sizeof out->why, "%.200s; %.300s", out->err.message, out->err.help);
  } else {
    describe(f, &arena, out);
    out->verdict = f->trees == NULL ? TM_LIFT_VM : TM_LIFT_SAME;
    if (f->trees != NULL) compare_all(f, batch, &arena, out);
  }
  tm_arena_deinit(&arena);
}
