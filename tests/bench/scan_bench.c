/* tests/bench/scan_bench.c: how fast files become batches: gigabytes a second on one core.
 *
 * Reads files that lie in the page cache, as a lane does: the block reader, then the parser;
 * batches are thrown away. Arguments: FORMAT FILE DDL COLUMNS(comma separated, the needed ones)
 * [OPTIONS], OPTIONS of the letters n (no header) and | (as delimiter). Without arguments, texts of
 * its own. Not a test: nothing depends on the figures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/block_reader.h"

enum { ROUNDS = 7 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t refused;

static int refuse(void *context, const tm_refusal *refusal, tm_error *err) {
  (void)context, (void)refusal, (void)err;
  refused++;
  return 0;
}

static int filter(void *context, tm_batch *batch, tm_error *err) {
  (void)context, (void)batch, (void)err;
  return 0;
}

typedef struct totals { uint64_t rows, bytes; double split, parse; } totals;

static void read_once(tm_budget *budget, const tm_reading *reading, const tm_source_files *files,
                      totals *t) {
  tm_error err = {0};
  tm_parser_hooks hooks = {NULL, refuse, filter};
  tm_block_reader *r = tm_block_reader_create(budget, reading, files, 1, &err);
  tm_parser *parser = reading->format->parser_create(reading, budget, &hooks, &err);
  *t = (totals){0};
  for (;;) {
    tm_block *b;
    tm_batch *batch;
    double begin = now();
    tm_block_answer got = tm_block_reader_take(r, &b, &err);
    double taken = now();
    t->split += taken - begin;
    if (got != TM_BLOCK_TAKEN) break;
    t->bytes += b->size;
    int done = reading->format->parser_begin(parser, b, &err);
    tm_block_release(b);
    while (done >= 0 && reading->format->parser_next(parser, &batch, &err) > 0) {
      t->rows += batch->selected;
      tm_batch_release(batch);
    }
    t->parse += now() - taken;
  }
  if (err.code != 0) printf("error: %s\n", err.message);
  reading->format->parser_destroy(parser);
  tm_block_reader_destroy(r);
}

static bool is_listed(const char *list, const char *name) {
  size_t size = strlen(name);
  for (const char *at = list; *at != '\0'; at += strcspn(at, ","), at += *at == ',') {
    if (strcspn(at, ",") == size && memcmp(at, name, size) == 0) return true;
  }
  return false;
}

/* As the program has it, unless the environment says otherwise. */
static size_t block_bytes(void) {
  const char *given = getenv("TIDEMILL_BLOCK_BYTES");
  return given != NULL ? strtoull(given, NULL, 10) : 512 << 10;
}

static void bench(const char *format, const char *path, const char *ddl, const char *needed,
                  const char *options) {
  tm_budget *budget = tm_budget_create(NULL, "bench", 0);
  tm_arena arena;
  tm_error err = {0};
  tm_arena_init(&arena, budget);
  uint8_t marks[256] = {0};
  tm_reading reading = {
    .format = tm_format_find(format), .schema = tm_schema_parse(&arena, ddl, &err),
    .options = {.delimiter = strchr(options, '|') ? '|' : ',', .quote = '"',
                .header = strchr(options, 'n') == NULL, .epoch_digits = TM_EPOCH_NONE},
    .needed = marks, .batch_rows = TM_BATCH_ROWS, .block_bytes = block_bytes(),
    .record_bytes_max = TM_RECORD_BYTES_MAX,
  };
  tm_value value = {.kind = TM_VALUE_TEXT, .text = path, .size = strlen(path)};
  tm_source_files files;
  if (reading.schema == NULL ||
      tm_source_files_find(&arena, &value, NULL, &files, &err) < 0) {
    printf("error: %s\n", err.message);
    return;
  }
  for (uint32_t i = 0; i < reading.schema->count; i++) {
    marks[i] = is_listed(needed, reading.schema->fields[i].name);
  }
  totals best = {.split = 1e9, .parse = 1e9}, t;
  for (int i = 0; i < ROUNDS; i++) {
    read_once(budget, &reading, &files, &t);
    if (t.split + t.parse < best.split + best.parse) best = t;
  }
  double bytes = (double)best.bytes / 1e9;
  printf("%-8s %-42.42s %9.2f M rows %6.2f GB/s: reading %6.2f, parsing %6.2f\n", format, needed,
         (double)best.rows / 1e6, bytes / (best.split + best.parse), bytes / best.split,
         bytes / best.parse);
  if (refused > 0) printf("%llu rows were refused\n", (unsigned long long)refused);
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}

/* ---------------------------------------------------------------- texts of its own */

static uint64_t state = 1;
static unsigned next(unsigned limit) {
  state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (unsigned)(state >> 33) % limit;
}

static void put_csv(FILE *file, bool quoted) {
  const char *q = quoted ? "\"" : "";
  fprintf(file, "id,name,price,day,at,qty\n");
  for (int i = 0; i < 400000; i++) {
    fprintf(file, "%d,%sname number %u%s,%u.%02u,2026-%02u-%02u,2026-01-02T%02u:%02u:00Z,%u\n", i,
            q, next(100000), q, next(10000), next(100), 1 + next(12), 1 + next(28), next(24),
            next(60), next(1000));
  }
}

static void put_json(FILE *file, const char *space) {
  for (int i = 0; i < 200000; i++) {
    fprintf(file, "{\"id\":%s%d,%s\"user\":%s{\"name\":%s\"user-%05u\",%s\"country\":%s\"DE\"},%s",
            space, i, space, space, space, next(100000), space, space, space);
    fprintf(file,
            "\"agent\":%s\"Mozilla/5.0 (X11; Linux x86_64) Version/%u\",%s\"tags\":%s[1,2],%s",
            space, next(200), space, space, space);
    fprintf(file, "\"amount\":%s%u.%02u,%s\"ok\":%strue}\n", space, next(10000), next(100), space,
            space);
  }
}

static void own_texts(void) {
  static const char csv[] =
      "id int64, name string, price decimal(9,2), day date, at timestamp, qty int32";
  static const char json[] =
      "id int64, country string 'user.country', amount float64, agent string";
  static const char *const names[] = {"plain.csv", "quoted.csv", "plain.jsonl", "spaced.jsonl"};
  char paths[4][64];
  for (int i = 0; i < 4; i++) {
    snprintf(paths[i], sizeof paths[i], "/tmp/tidemill-scan-bench-%s", names[i]);
    FILE *file = fopen(paths[i], "wb");
    if (file == NULL) return;
    if (i < 2) put_csv(file, i == 1);
    else put_json(file, i == 3 ? " " : "");
    fclose(file);
  }
  for (int i = 0; i < 2; i++) {
    bench("csv", paths[i], csv, "", "");
    bench("csv", paths[i], csv, "qty", "");
    bench("csv", paths[i], csv, "name,price", "");
    bench("csv", paths[i], csv, "id,name,price,day,at,qty", "");
    bench("jsonl", paths[2 + i], json, "country,amount", "");
    bench("jsonl", paths[2 + i], json, "id,country,amount,agent", "");
  }
  for (int i = 0; i < 4; i++) remove(paths[i]);
}

int main(int argc, char **argv) {
  if (argc >= 5) bench(argv[1], argv[2], argv[3], argv[4], argc > 5 ? argv[5] : "");
  else own_texts();
  return 0;
}
