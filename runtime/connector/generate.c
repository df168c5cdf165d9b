/* connector/generate.c: tm.generate: rows that are made up, by a function of their number or at
 * random.
 *
 * Row i (from 1) is what `row` returns for i; nil makes no row. Without a function every column is
 * random: a hash of seed, row and column, so that the same seed gives the same rows whatever the
 * number of lanes. Lanes take pieces by a shared counter; with a rate lane 0 alone gives rows, each
 * when its time has come. The times are those of the start: who was held back catches up. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/hash.h"
#include "kernel/print.h"
#include "stage/apply.h"
#include "stage/options.h"
#include "state/record.h"

static const tm_option generate_options[] = {
  {"rows", "int", NULL, "how many; in a stream without end where it is not given", NULL},
  {"schema", "text", NULL, "the columns that come out", NULL},
  {"row", "function", NULL, "row = function(i) return { id = i } end; without it: random", NULL},
  {"seed", "int", "1", "of random rows", NULL},
  {"rate", "int|text", NULL, "rows a second: 1000, \"10/s\", \"5/m\"", NULL},
  {"time", "text|table", NULL, "event time: \"at\", or { field, out_of_order = \"5s\" }", NULL},
  {"bad", "flow", NULL, "endpoint of rows without a time, or for which `row` raises", NULL},
  {"on_error", "text", "fail", "\"skip\" drops and counts them", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

enum { TICK_US = 1000 }; /* rows that are due within it leave together */

typedef struct generate_plan {
  const tm_schema *input;       /* of the function: { i int64 } */
  const tm_schema *schema;
  const tm_function *function;  /* NULL: random */
  uint64_t rows, seed;          /* rows UINT64_MAX: without end */
  double rate;                  /* rows a microsecond; 0: as fast as it goes */
} generate_plan;

typedef struct generate_shared {
  tm_budget *budget;
  uint64_t next; /* piece, with a rate row; atomic */
} generate_shared;

typedef struct generate {
  tm_stage_env env;
  const generate_plan *plan;
  generate_shared *shared;
  /* With a rate. */
  bool started;
  int64_t start_us;    /* of the monotonic clock: when row `first` was due */
  uint64_t first;
  uint64_t sequence;
} generate;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "generate: out of memory"); }

/* ---------------------------------------------------------------- bind */

static int bind_function(tm_bind *bind, generate_plan *plan, const tm_function_source *source,
                         tm_error *err) {
  tm_schema *input = tm_schema_create(bind->arena, 1);
  if (input == NULL) return no_memory(err);
  input->fields[0].name = "i";
  input->fields[0].type = tm_type_of(TM_INT64);
  input->fields[0].type.not_null = 1;
  plan->input = input;
  tm_function_want want = {.shape = TM_SHAPE_ROW, .input_count = 1, .inputs = {input},
                           .declared = plan->schema, .by_value = true, .verb = bind->verb,
                           .name = "row"};
  tm_function *function = NULL;
  if (source->bind(source, &want, bind->arena, &function, err) < 0) return -1;
  plan->function = function;
  plan->schema = function->result;
  bind->rejects = function->may_raise;
  return tm_bind_note(bind, function) < 0 ? no_memory(err) : 0;
}

/* "1000/s": rows a microsecond; 0 where it is none. */
static double parse_rate(const tm_value *v) {
  static const struct { const char *unit; double us; } units[] = {
    {"", 1e6}, {"/s", 1e6}, {"/ms", 1e3}, {"/m", 60e6}, {"/h", 3600e6},
  };
  if (v->kind == TM_VALUE_INT) return (double)v->integer / 1e6;
  char *end;
  double count = strtod(v->text, &end);
  if (end == v->text || !(count > 0 && count < 1e12)) return 0;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strcmp(units[i].unit, end) == 0) return count / units[i].us;
  }
  return 0;
}

static int bind_pace(tm_bind *bind, generate_plan *plan, tm_error *err) {
  const tm_value *rate = tm_value_get(bind->options, "rate");
  int64_t rows = tm_options_int(bind->options, "rows", -1);
  const tm_value *given = tm_value_get(bind->options, "rows");
  bool endless = given == NULL || given->kind == TM_VALUE_NIL;
  if (endless && !bind->job->stream) {
    tm_fail(err, TM_E_VALUE, "tm.generate wants rows = n, 0 or more");
    return tm_error_help(err, "without it rows have no end: only a stream can read them");
  }
  if (!endless && rows < 0) {
    return tm_fail(err, TM_E_VALUE, "tm.generate wants rows = n, 0 or more");
  }
  plan->rows = endless ? UINT64_MAX : (uint64_t)rows;
  if (rate != NULL && rate->kind != TM_VALUE_NIL && (plan->rate = parse_rate(rate)) <= 0) {
    tm_fail(err, TM_E_VALUE, "option 'rate' of tm.generate is rows a second: 1000, \"10/s\"");
    tm_error_token(err, "rate", "");
    return -1;
  }
  bind->facts_out.bounded = !endless;
  bind->rows_estimate = endless ? 0 : plan->rows;
  bind->detail = endless ? "without end"
                         : tm_arena_format(bind->arena, "%lld rows", (long long)rows);
  return bind->detail == NULL ? no_memory(err) : 0;
}

static int generate_bind(tm_bind *bind, tm_error *err) {
  const char *ddl = tm_value_text(bind->options, "schema", NULL);
  const tm_function_source *source = tm_options_function(bind->options, "row");
  const tm_value *seed = tm_value_get(bind->options, "seed");
  generate_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  if (bind_pace(bind, plan, err) < 0) return -1;
  if (ddl == NULL && source == NULL) return tm_fail(err, TM_E_VALUE, "tm.generate needs a schema");
  if (source != NULL && seed != NULL && seed->kind != TM_VALUE_NIL) {
    tm_fail(err, TM_E_OPTION, "'seed' is of random rows: with 'row' it means nothing");
    tm_error_token(err, "seed", "");
    return -1;
  }
  plan->seed = (uint64_t)tm_options_int(bind->options, "seed", 1);
  if (ddl != NULL && (plan->schema = tm_schema_parse(bind->arena, ddl, err)) == NULL) return -1;
  if (source != NULL && bind_function(bind, plan, source, err) < 0) return -1;
  bind->plan = plan;
  bind->output = plan->schema;
  bind->order = TM_ORDER_MAKES;
  return 0;
}

/* ---------------------------------------------------------------- share, open */

static int generate_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                          tm_error *err) {
  (void)bind;
  (void)lanes;
  generate_shared *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) return no_memory(err);
  s->budget = budget;
  *out = s;
  return 0;
}

static int generate_open(const tm_stage_env *env, void **out, tm_error *err) {
  generate *g = tm_alloc_zero(env->budget, sizeof *g);
  if (g == NULL) return no_memory(err);
  *g = (generate){.env = *env, .plan = env->bind->plan, .shared = env->shared};
  *out = g;
  return 0;
}

/* ---------------------------------------------------------------- random values */

static bool random_text(tm_batch *batch, uint64_t bits, tm_str *out) {
  char text[TM_PRINT_MAX] = "s";
  size_t size = 1 + tm_print_int64(text + 1, (int64_t)(bits % 10000));
  return tm_batch_text(batch, text, size, out);
}

static uint64_t decimal_limit(tm_type type) {
  uint64_t limit = 1;
  for (int i = 0; i < type.precision && i < 9; i++) limit *= 10;
  return limit;
}

static bool random_cell(tm_batch *batch, tm_column *c, uint32_t row, uint64_t bits) {
  enum { DAY_2020 = 18262, DAYS = 3650 };
  switch ((tm_kind)c->type.kind) {
    case TM_BOOL: ((uint8_t *)c->data)[row] = bits & 1; return true;
    case TM_INT32: ((int32_t *)c->data)[row] = (int32_t)(bits % 1000000); return true;
    case TM_INT64: ((int64_t *)c->data)[row] = (int64_t)(bits % 1000000); return true;
    case TM_FLOAT64: ((double *)c->data)[row] = (double)(bits >> 11) * 0x1p-53; return true;
    case TM_DATE: ((int32_t *)c->data)[row] = DAY_2020 + (int32_t)(bits % DAYS); return true;
    case TM_TIMESTAMP:
      ((int64_t *)c->data)[row] =
          (DAY_2020 * INT64_C(86400) + (int64_t)(bits % (DAYS * UINT64_C(86400)))) * 1000000;
      return true;
    case TM_DECIMAL:
      if (c->type.precision <= TM_DECIMAL_SHORT) {
        ((int64_t *)c->data)[row] = (int64_t)(bits % decimal_limit(c->type));
      } else {
        ((__int128 *)c->data)[row] = (__int128)(bits % decimal_limit(c->type));
      }
      return true;
    case TM_STRING:
    case TM_BYTES: return random_text(batch, bits, &((tm_str *)c->data)[row]);
    case TM_NULLTYPE: break;
  }
  return true;
}

static int fill_random(const generate *g, tm_batch *batch, uint64_t first) {
  const uint8_t *needed = g->env.bind->needed;
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (needed != NULL && !needed[c]) continue;
    if (tm_batch_column(batch, c, false) < 0) return -1;
    uint64_t base = tm_hash_combine(tm_hash_u64(g->plan->seed), c);
    for (uint32_t i = 0; i < batch->rows; i++) {
      if (!random_cell(batch, &batch->columns[c], i, tm_hash_combine(base, first + i))) return -1;
    }
  }
  return 0;
}

/* ---------------------------------------------------------------- resume */

static tm_batch *start_batch(const generate *g, const tm_schema *schema, uint64_t piece,
                             uint64_t first, uint32_t rows) {
  tm_batch *batch = tm_batch_create(g->env.budget, schema, rows);
  if (batch == NULL) return NULL;
  batch->origin.source = g->env.bind->node;
  batch->sequence = piece;
  batch->ordinals = tm_batch_alloc(batch, rows * sizeof *batch->ordinals);
  if (batch->ordinals == NULL) {
    tm_batch_release(batch);
    return NULL;
  }
  for (uint32_t i = 0; i < rows; i++) batch->ordinals[i] = first + i;
  return batch;
}

/* The numbers of the rows through the function. */
static tm_batch *call(const generate *g, tm_batch *numbers, tm_out *out, tm_error *err) {
  if (tm_batch_column(numbers, 0, false) < 0) {
    no_memory(err);
    return NULL;
  }
  memcpy(numbers->columns[0].data, numbers->ordinals, numbers->rows * sizeof(int64_t));
  tm_batch *batch = tm_batch_derive(numbers, g->env.budget, g->plan->schema);
  if (batch == NULL) {
    no_memory(err);
    return NULL;
  }
  uint8_t *keep = NULL;
  if (tm_apply(&g->env, g->plan->function, numbers, batch->columns, &keep, &batch->arena, out,
               err) < 0) {
    tm_batch_release(batch);
    return NULL;
  }
  batch->selection = numbers->selection;
  batch->selected = numbers->selected;
  if (keep != NULL && tm_apply_select(batch, keep, 1) < 0) {
    tm_batch_release(batch);
    no_memory(err);
    return NULL;
  }
  return batch;
}

/* Rows from number `first` on, as the batch `piece`. */
static tm_batch *make(const generate *g, uint64_t piece, uint64_t first, uint32_t rows, tm_out *out,
                      tm_error *err) {
  if (g->plan->function == NULL) {
    tm_batch *batch = start_batch(g, g->plan->schema, piece, first, rows);
    if (batch != NULL && fill_random(g, batch, batch->ordinals[0]) == 0) return batch;
    tm_batch_release(batch);
    no_memory(err);
    return NULL;
  }
  tm_batch *numbers = start_batch(g, g->plan->input, piece, first, rows);
  if (numbers == NULL) {
    no_memory(err);
    return NULL;
  }
  tm_batch *batch = call(g, numbers, out, err);
  tm_batch_release(numbers);
  return batch;
}

/* How many rows are due by now that were not given yet; *next_us: when the one after is. */
static uint64_t rows_due(generate *g, uint64_t given, int64_t *next_us) {
  int64_t now_us = tm_env_get()->monotonic_us();
  if (!g->started) {
    g->started = true;
    g->start_us = now_us;
    g->first = given;
  }
  double elapsed_us = (double)(now_us - g->start_us);
  uint64_t due = g->first + (uint64_t)(elapsed_us * g->plan->rate) + 1;
  double wait_us = (double)(due - g->first) / g->plan->rate - elapsed_us;
  *next_us = now_us + (wait_us < TICK_US ? TICK_US : (int64_t)wait_us + 1);
  return due > given ? due - given : 0;
}

static tm_flow resume_paced(generate *g, tm_out *out, tm_error *err) {
  uint64_t given = __atomic_load_n(&g->shared->next, __ATOMIC_RELAXED);
  uint64_t left = g->plan->rows - given;
  int64_t next_us;
  if (g->env.lane != 0 || left == 0) return TM_FLOW_FINISHED;
  uint64_t due = rows_due(g, given, &next_us), most = g->env.bind->job->batch_rows;
  due = due < left ? due : left;
  if (due == 0) {
    g->env.wake_at(g->env.waker, next_us);
    return TM_FLOW_BLOCKED;
  }
  uint32_t rows = (uint32_t)(due < most ? due : most);
  tm_batch *batch = make(g, g->sequence++, given + 1, rows, out, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  tm_out_emit(out, batch);
  __atomic_store_n(&g->shared->next, given + rows, __ATOMIC_RELAXED);
  if (rows == left) return TM_FLOW_FINISHED;
  if (rows < due) return TM_FLOW_MORE;
  g->env.wake_at(g->env.waker, next_us);
  return TM_FLOW_BLOCKED;
}

static tm_flow generate_resume(void *self, tm_out *out, tm_error *err) {
  generate *g = self;
  uint64_t size = g->env.bind->job->batch_rows;
  if (__atomic_load_n(g->env.draining, __ATOMIC_ACQUIRE)) return TM_FLOW_FINISHED;
  if (g->plan->rate > 0) return resume_paced(g, out, err);
  uint64_t piece = __atomic_fetch_add(&g->shared->next, 1, __ATOMIC_RELAXED);
  if (piece * size >= g->plan->rows) return TM_FLOW_FINISHED;
  uint64_t left = g->plan->rows - piece * size;
  uint32_t rows = (uint32_t)(left < size ? left : size);
  tm_batch *batch = make(g, piece, piece * size + 1, rows, out, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  tm_out_emit(out, batch);
  return left > size ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

static void generate_close(void *self) {
  generate *g = self;
  tm_free(g->env.budget, g, sizeof *g);
}

static void generate_unshare(void *object) {
  generate_shared *s = object;
  tm_free(s->budget, s, sizeof *s);
}

/* ---------------------------------------------------------------- save, restore */

/* Pieces are taken in one call and given in the same: which comes next is all that there is. */
static int generate_save(void *self, tm_bytes *out, tm_error *err) {
  generate *g = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, __atomic_load_n(&g->shared->next, __ATOMIC_RELAXED));
  tm_record_put(&w, g->sequence);
  return tm_record_end(&w, err);
}

static int generate_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  generate *g = self;
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  uint64_t next = tm_record_get(&reader, UINT64_MAX / 2);
  g->sequence = tm_record_get(&reader, UINT64_MAX / 2);
  if (tm_record_close(&reader, err) < 0) return -1;
  if (next > __atomic_load_n(&g->shared->next, __ATOMIC_RELAXED)) {
    __atomic_store_n(&g->shared->next, next, __ATOMIC_RELAXED);
  }
  return 0;
}

const tm_stage tm_stage_generate = {
  .size = sizeof(tm_stage),
  .name = "generate",
  .summary = "rows that are made up",
  .inputs = 0,
  .options = generate_options,
  .bind = generate_bind,
  .share = generate_share,
  .open = generate_open,
  .restore = generate_restore,
  .resume = generate_resume,
  .save = generate_save,
  .close = generate_close,
  .unshare = generate_unshare,
};
