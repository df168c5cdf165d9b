/* tests/bench/lift_bench.c: nanoseconds a row of compiled row functions.
 *
 * A program of its own, not run by the tests. Each function is evaluated over a batch of 2,048 rows
 * in the cache (best of many rounds), by its trees and in the VM; where a plain C loop says the
 * same, it stands beside them. An argument picks the functions that contain it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "expr/function.h"
#include "kernel/calendar.h"
#include "script/script.h"

enum { ROWS = 2048, ROUNDS = 400, FUNCTIONS_MAX = 64 };

static const char schema_text[] =
    "k int64 not null, n int32 not null, g float64 not null, h float64 not null,"
    "price decimal(12,2) not null, discount decimal(12,2) not null, tax decimal(12,2) not null,"
    "qty decimal(12,2) not null, ship date not null, receipt date not null, mode string not null,"
    "type string not null, phone string not null, at timestamp not null, i int64, s string";

static tm_batch *batch;
static void *data[20];
static volatile int64_t sink;

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static uint64_t next(void) {
  static uint64_t state = 42;
  state += UINT64_C(0x9e3779b97f4a7c15);
  uint64_t z = state;
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  return z ^ (z >> 31);
}

/* ---------------------------------------------------------------- plain loops */

static int64_t out64[ROWS];
static __int128 out128[ROWS];
static double outf[ROWS];
static uint32_t outr[ROWS];

#define I64(c) ((const int64_t *restrict)data[c])
#define I32(c) ((const int32_t *restrict)data[c])
#define F64(c) ((const double *restrict)data[c])
#define LOOP for (uint32_t i = 0; i < ROWS; i++)

/* What a loop writes counts as read, so that it stays. */
#define KEEP __asm__ volatile("" : : "r"(out64), "r"(out128), "r"(outf), "r"(outr) : "memory")

static void add(void) { const int64_t *k = I64(0); LOOP out64[i] = k[i] + 1; KEEP; }
static void mix(void) { const int64_t *k = I64(0); const int32_t *n = I32(1); LOOP out64[i] =
  k[i] * 3 + n[i]; KEEP; }
static void fused(void) { const double *g = F64(2), *h = F64(3); LOOP outf[i] =
  g[i] * (1 - h[i]) + 0.5; KEEP; }
static void charge(void) {
  const int64_t *p = I64(4), *d = I64(5), *t = I64(6);
  LOOP out128[i] = p[i] * (100 - d[i]) * (100 + t[i]);
  KEEP;
}
static void disc(void) {
  const int64_t *p = I64(4), *d = I64(5);
  LOOP out128[i] = p[i] * (100 - d[i]);
  KEEP;
}
static void year(void) { const int32_t *s = I32(8); LOOP out64[i] = tm_calendar_civil(s[i]).year;
KEEP; }
static void days_below(void) {
  const int32_t *s = I32(8);
  uint32_t kept = 0;
  LOOP { outr[kept] = i; kept += s[i] <= 10471; }
  KEEP;
  sink = kept;
}
static void q6(void) {
  const int32_t *s = I32(8);
  const int64_t *d = I64(5), *q = I64(7);
  uint32_t kept = 0;
  LOOP {
    outr[kept] = i;
    kept += (s[i] >= 8766) & (s[i] < 9131) & (d[i] >= 5) & (d[i] <= 7) & (q[i] < 2400);
  }
  KEEP;
  sink = kept;
}

typedef struct entry {
  const char *source;
  tm_shape shape;
  void (*plain)(void);
} entry;

static const entry entries[] = {
  {"r.k + 1", TM_SHAPE_VALUE, add},
  {"r.k * 3 + r.n", TM_SHAPE_VALUE, mix},
  {"r.g * (1 - r.h) + 0.5", TM_SHAPE_VALUE, fused},
  {"r.price * (1 - r.discount)", TM_SHAPE_VALUE, disc},
  {"r.price * (1 - r.discount) * (1 + r.tax)", TM_SHAPE_VALUE, charge},
  {"r.price / 7", TM_SHAPE_VALUE, NULL},
  {"tm.year(r.ship)", TM_SHAPE_VALUE, year},
  {"tm.hour(r.at, \"Europe/Berlin\")", TM_SHAPE_VALUE, NULL},
  {"r.ship <= tm.day \"1998-09-02\"", TM_SHAPE_TRUTH, days_below},
  {"r.ship >= tm.day \"1994-01-01\" and r.ship < tm.day \"1995-01-01\" and r.discount >= tm.dec "
   "\"0.05\" and r.discount <= tm.dec \"0.07\" and r.qty < 24", TM_SHAPE_TRUTH, q6},
  {"(r.mode == \"MAIL\" or r.mode == \"SHIP\") and r.ship < r.receipt", TM_SHAPE_TRUTH, NULL},
  {"modes[r.mode]", TM_SHAPE_TRUTH, NULL},
  {"sizes[r.n]", TM_SHAPE_TRUTH, NULL},
  {"tm.like(r.type, \"%BRASS\")", TM_SHAPE_TRUTH, NULL},
  {"tm.like(r.type, \"%special%requests%\")", TM_SHAPE_TRUTH, NULL},
  {"string.sub(r.phone, 1, 2)", TM_SHAPE_VALUE, NULL},
  {"r.mode == \"MAIL\" and r.price or tm.dec \"0\"", TM_SHAPE_VALUE, NULL},
  {"r.k > 5 and \"high\" or \"low\"", TM_SHAPE_VALUE, NULL},
  {"r.i and r.i > 3", TM_SHAPE_TRUTH, NULL},
  {"(r.i or 0) + r.k", TM_SHAPE_VALUE, NULL},
  {"r.mode .. \"-\" .. r.n", TM_SHAPE_VALUE, NULL},
  {"r.s and r.s:lower()", TM_SHAPE_VALUE, NULL},
  {"r.k // r.n", TM_SHAPE_VALUE, NULL},
  {"{ a = r.price * (1 - r.discount), b = r.price * (1 - r.discount) * (1 + r.tax), c = r.mode }",
   TM_SHAPE_ROW, NULL},
};

/* ---------------------------------------------------------------- rows */

static void fill(tm_arena *arena, tm_budget *budget) {
  static const char *const modes[] = {"MAIL", "SHIP", "AIR", "RAIL", "TRUCK", "FOB", "REG AIR"};
  static const char *const types[] = {"STANDARD POLISHED BRASS", "PROMO BURNISHED COPPER",
                                      "SMALL PLATED STEEL", "ECONOMY ANODIZED BRASS"};
  tm_error err = {0};
  batch = tm_batch_create(budget, tm_schema_parse(arena, schema_text, &err), ROWS);
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    (void)tm_batch_column(batch, c, !batch->schema->fields[c].type.not_null);
    data[c] = batch->columns[c].data;
  }
  for (uint32_t i = 0; i < ROWS; i++) {
    ((int64_t *)data[0])[i] = (int64_t)(next() % 1000);
    ((int32_t *)data[1])[i] = (int32_t)(next() % 50) + 1;
    ((double *)data[2])[i] = (double)(next() % 100000) / 100;
    ((double *)data[3])[i] = (double)(next() % 100) / 1000;
    ((int64_t *)data[4])[i] = (int64_t)(next() % 10000000) + 90000;
    ((int64_t *)data[5])[i] = (int64_t)(next() % 11);
    ((int64_t *)data[6])[i] = (int64_t)(next() % 9);
    ((int64_t *)data[7])[i] = (int64_t)(next() % 50) * 100 + 100;
    ((int32_t *)data[8])[i] = (int32_t)(8035 + next() % 2500);
    ((int32_t *)data[9])[i] = (int32_t)(8035 + next() % 2500);
    const char *mode = modes[next() % 7], *type = types[next() % 4];
    ((tm_str *)data[10])[i] = tm_str_make(mode, strlen(mode));
    ((tm_str *)data[11])[i] = tm_str_make(type, strlen(type));
    ((tm_str *)data[12])[i] = tm_str_make("13-761-547-5974", 15);
    ((int64_t *)data[13])[i] = 1700000000000000 + (int64_t)(next() % 100000000000000);
    ((int64_t *)data[14])[i] = (int64_t)(next() % 10);
    batch->columns[14].valid[i] = next() % 10 != 0;
    ((tm_str *)data[15])[i] = tm_str_make("Hello World", 11);
    batch->columns[15].valid[i] = next() % 10 != 0;
  }
}

static const tm_stage *any_stage(const char *verb, tm_stage_role role) {
  static const tm_stage stage;
  (void)verb, (void)role;
  return &stage;
}

static tm_script *load(tm_budget *budget, const tm_value **functions) {
  static char text[16384];
  size_t size = 0, count = sizeof entries / sizeof *entries;
  size += (size_t)sprintf(text, "local tm <const> = require 'tidemill'\n"
                                "local modes <const> = { MAIL = true, AIR = true }\n"
                                "local sizes <const> = { [1] = true, [9] = true, [49] = true }\n"
                                "return tm.batch { name = 'b',\n"
                                "tm.rows { schema = 'x int64' }:with {\n");
  for (size_t i = 0; i < count; i++) {
    size += (size_t)sprintf(text + size, "f%02zu = function(r) return %s end,\n", i,
                            entries[i].source);
  }
  (void)sprintf(text + size, "}:to(tm.discard()) }\n");
  tm_script_options options = {
    .text = text, .date = "2026-03-14", .budget = budget, .find_stage = any_stage,
  };
  tm_error err = {0};
  tm_script *script = tm_script_open(&options, &err);
  if (script == NULL) {
    fprintf(stderr, "%s\n", err.message);
    exit(1);
  }
  const tm_graph *graph = tm_script_graph(script);
  for (uint32_t i = 0; i < graph->count; i++) {
    if (strcmp(graph->nodes[i].verb, "with") == 0) {
      *functions = tm_value_get(graph->nodes[i].options, "fields");
    }
  }
  return script;
}

/* ---------------------------------------------------------------- timing */

static void evaluate(const tm_function *f, tm_budget *budget) {
  static uint32_t rows[ROWS];
  uint32_t count;
  tm_arena arena;
  tm_error err = {0};
  tm_column columns[8] = {0};
  tm_arena_init(&arena, budget);
  tm_result result = {.arena = &arena, .columns = columns};
  if (f->shape == TM_SHAPE_TRUTH) {
    (void)tm_function_select(f, NULL, batch, rows, &count, &result, &err);
  } else {
    (void)tm_function_evaluate(f, NULL, batch, &result, &err);
  }
  tm_arena_deinit(&arena);
}

static double best_of(const tm_function *f, tm_budget *budget, int rounds, void (*plain)(void)) {
  double best = 1e300;
  for (int i = 0; i < rounds; i++) {
    double start = now_ns();
    if (plain != NULL) plain();
    else evaluate(f, budget);
    double taken = now_ns() - start;
    if (taken < best) best = taken;
  }
  return best / ROWS;
}

int main(int argc, char **argv) {
  tm_budget *budget = tm_budget_create(NULL, "bench", 0);
  tm_arena arena;
  const tm_value *functions = NULL;
  tm_arena_init(&arena, budget);
  fill(&arena, budget);
  tm_script *script = load(budget, &functions);
  printf("%-72s %9s %9s %9s\n", "ns a row", "compiled", "C loop", "VM");
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    char name[8];
    tm_function *f = NULL;
    tm_error err = {0};
    if (argc > 1 && strstr(entries[i].source, argv[1]) == NULL) continue;
    snprintf(name, sizeof name, "f%02zu", i);
    const tm_function_source *source = tm_value_get(functions, name)->function;
    tm_function_want want = {
      .shape = entries[i].shape, .input_count = 1, .inputs = {batch->schema}, .verb = "with",
      .name = entries[i].shape == TM_SHAPE_VALUE ? "x" : NULL,
    };
    double start = now_ns();
    if (source->bind(source, &want, &arena, &f, &err) != 0) {
      printf("%-72.72s %s\n", entries[i].source, err.message);
      continue;
    }
    double bound_us = (now_ns() - start) / 1000;
    printf("%-72.72s ", entries[i].source);
    if (f->trees == NULL) printf("%9s ", "-");
    else printf("%9.2f ", best_of(f, budget, ROUNDS, NULL));
    if (entries[i].plain == NULL) printf("%9s ", "");
    else printf("%9.2f ", best_of(NULL, NULL, ROUNDS, entries[i].plain));
    f->trees = NULL;
    printf("%9.2f   (bound in %.0f us)\n", best_of(f, budget, 5, NULL), bound_us);
  }
  tm_script_close(script);
  tm_batch_release(batch);
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
  return 0;
}
