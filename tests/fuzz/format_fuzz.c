/* tests/fuzz/format_fuzz.c: any bytes through every format: no crash, no read beyond the end, and
 * the same rows and refusals whatever the size of blocks and batches.
 *
 * The first bytes choose format, options and sizes; the rest is the file. */
#include <stdlib.h>

#include "base/hash.h"
#include "format/cell_text.h"
#include "format/format.h"

typedef struct run {
  tm_budget *budget;
  tm_arena arena;
  tm_reading reading;
  tm_block_pool *pool;
  tm_parser *parser;
  const tm_layout *layout;
  uint64_t line, rows, refused;
  uint64_t digest; /* of all rows and refusals, in any order */
} run;

static void require(bool holds) {
  if (!holds) abort();
}

static int refuse(void *context, const tm_refusal *f, tm_error *err) {
  run *r = context;
  (void)err;
  r->refused++;
  r->digest += tm_hash_combine(tm_hash_bytes(f->raw, f->raw_size), f->line * 100 + f->reason);
  return 0;
}

static int filter(void *context, tm_batch *batch, tm_error *err) {
  (void)context, (void)batch, (void)err;
  return 0;
}

static void take_batch(run *r, tm_batch *batch) {
  tm_bytes text;
  tm_bytes_init(&text, r->budget);
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    tm_bytes_clear(&text);
    for (uint32_t c = 0; c < batch->schema->count; c++) {
      bool null = tm_column_is_null(&batch->columns[c], row);
      require(tm_bytes_append_text(&text, null ? "|" : "|=") &&
              tm_cell_text_append(&batch->columns[c], row, &text));
    }
    r->digest += tm_hash_combine(tm_hash_bytes(text.data, text.size), batch->ordinals[row]);
    r->rows++;
  }
  tm_bytes_deinit(&text);
  tm_batch_release(batch);
}

static void parse(run *r, const uint8_t *data, size_t size, uint64_t offset,
                  const tm_split *split) {
  const tm_format *format = r->reading.format;
  tm_error err = {0};
  tm_block *b = tm_block_create(r->pool, size);
  memcpy(b->buffer, data, size);
  memset(b->buffer + size, 0, TM_BLOCK_PAD);
  b->size = size;
  b->layout = r->layout;
  b->file = "fuzz";
  b->first_line = r->line;
  b->lines = split->lines;
  b->flags = split->flags;
  b->offset = offset;
  require(format->parser_begin(r->parser, b, &err) == 0);
  tm_block_release(b);
  for (;;) {
    tm_batch *batch;
    int got = format->parser_next(r->parser, &batch, &err);
    require(got >= 0);
    if (got == 0) return;
    take_batch(r, batch);
  }
}

/* false: it is not the format, and says so. */
static bool begin(run *r, const uint8_t *data, size_t size, size_t *at) {
  uint64_t lines = 0;
  tm_error err = {0};
  uint8_t *copy = malloc(size + 1); /* its end is guarded */
  memcpy(copy, data, size);
  int done = r->reading.format->begin(&r->reading, &r->arena, "fuzz", (char *)copy, size, true,
                                      &r->layout, at, &lines, &err);
  free(copy);
  require(done != 0 && (done > 0) == (err.code == 0));
  r->line = 1 + lines;
  return done > 0;
}

static void read_records(run *r, const uint8_t *data, size_t size, size_t at, size_t step) {
  tm_split split = {0};
  size_t given = 0;
  while (at < size) {
    given = given + step < size - at ? given + step : size - at;
    uint8_t *copy = calloc(1, given + TM_BLOCK_PAD);
    uint64_t *masks = calloc(given / 64 + 2, 2 * sizeof *masks);
    memcpy(copy, data + at, given);
    split.masks = masks;
    r->reading.format->split(&r->reading, &split, (char *)copy, given);
    free(masks);
    free(copy);
    require(split.whole <= given);
    bool ends = at + given == size;
    if (ends && r->reading.format->ends_lines) split.whole = given;
    if (split.whole == 0 && (ends || split.wrong != NULL)) return;
    if (split.whole == 0) continue;
    parse(r, data + at, split.whole, at, &split);
    r->line += split.lines;
    at += split.whole;
    given = 0;
    split = (tm_split){0};
  }
}

static void start(run *r, const char *name, const tm_format_options *options, const char *ddl,
                  uint32_t batch_rows) {
  tm_error err = {0};
  *r = (run){.budget = tm_budget_create(NULL, "fuzz", 256 << 20)};
  tm_arena_init(&r->arena, r->budget);
  r->reading = (tm_reading){
    .format = tm_format_find(name), .options = *options,
    .schema = tm_schema_parse(&r->arena, ddl, &err), .ordinals = true, .batch_rows = batch_rows,
    .record_bytes_max = TM_RECORD_BYTES_MAX,
  };
  tm_parser_hooks hooks = {r, refuse, filter};
  r->pool = tm_block_pool_create(r->budget, 64, 2);
  r->parser = r->reading.format->parser_create(&r->reading, r->budget, &hooks, &err);
}

static void finish(run *r) {
  r->reading.format->parser_destroy(r->parser);
  tm_block_pool_destroy(r->pool);
  tm_arena_deinit(&r->arena);
  tm_arena_pool_clear();
  tm_budget_destroy(r->budget);
}

static void sniff(const char *name, const tm_format_options *options, const uint8_t *data,
                  size_t size, bool whole) {
  tm_budget *budget = tm_budget_create(NULL, "sniff", 256 << 20);
  tm_arena arena;
  tm_error err = {0};
  tm_sniffed out;
  tm_arena_init(&arena, budget);
  char *copy = malloc(size + 1); /* one byte more than there is, for malloc(0) */
  memcpy(copy, data, size);
  int done = tm_format_find(name)->sniff(&arena, options, NULL, "fuzz", copy, size, whole, &out,
                                         &err);
  require((done == 0) == (err.code == 0) && (done < 0 || out.schema != NULL));
  free(copy);
  tm_arena_deinit(&arena);
  tm_arena_pool_clear();
  tm_budget_destroy(budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"csv", "jsonl", "msgpack", "lines"};
  static const char *const words[] = {"NA", "-"};
  static const char *const ddls[] = {
    "a int64, b string, c float64", "a string",
        "a decimal(9,2), b timestamp('Europe/Berlin'), c bytes",
    "a string 'u.a', b int32 'u', c date, d bool, e decimal(30,5) 'b'",
  };
  if (size < 4) return 0;
  uint8_t kind = data[0], flags = data[1], step = data[2], rows = data[3];
  const char *name = names[kind % 4], *ddl = kind % 4 == 3 ? "line string" : ddls[kind / 4 % 4];
  tm_format_options o = {
    .delimiter = flags & 1 ? '|' : ',', .quote = flags & 2 ? 0 : '"',
    .escape = flags & 4 ? '\\' : 0, .comment = flags & 8 ? '#' : 0, .header = (flags & 16) != 0,
    .nulls = words, .null_count = flags & 32 ? 2 : 0,
    .epoch_digits = flags & 64 ? 3 : TM_EPOCH_NONE,
  };
  data += 4;
  size -= 4;
  if (kind % 4 < 3) sniff(name, &o, data, size, (flags & 128) != 0);
  bool text = kind % 4 != 2;
  uint8_t *whole = malloc(size + 2);
  memcpy(whole, data, size);
  if (text && size > 0 && whole[size - 1] != '\n') whole[size++] = '\n';
  uint64_t digests[2];
  for (int i = 0; i < 2; i++) {
    run r;
    start(&r, name, &o, ddl, i == 0 ? 1000 : 1 + rows % 8);
    size_t at = 0;
    if (begin(&r, whole, size, &at)) {
      read_records(&r, whole, size, at, i == 0 ? size + 1 : 1u + step);
    }
    digests[i] = r.digest;
    finish(&r);
  }
  free(whole);
  require(digests[0] == digests[1]);
  return 0;
}
