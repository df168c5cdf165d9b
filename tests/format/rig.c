/* tests/format/rig.c: see rig.h. */
#include "tests/format/rig.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/cell_text.h"

enum { PAD = TM_BLOCK_PAD };

typedef struct run {
  const rig *rig;
  rig_answer *answer;
  tm_budget *budget;
  tm_arena arena;
  tm_reading reading;
  tm_block_pool *pool;
  tm_parser *parser;
  const tm_layout *layout;
  uint64_t line, sequence;
} run;

rig rig_default(const char *format, const char *ddl) {
  return (rig){.format = format, .ddl = ddl, .block_bytes = 1 << 16, .batch_rows = 100,
               .options = {.delimiter = ',', .quote = '"', .header = true,
                           .epoch_digits = TM_EPOCH_NONE}};
}

static int refuse(void *context, const tm_refusal *f, tm_error *err) {
  run *r = context;
  (void)err;
  char *text = malloc(f->raw_size + 64);
  int head = sprintf(text, "%" PRIu64 " %s ", f->line, tm_reason_name(f->reason));
  memcpy(text + head, f->raw, f->raw_size);
  text[head + (int)f->raw_size] = '\0';
  rows_list_add(&r->answer->refused, text);
  rows_list_add(&r->answer->messages, strdup(f->message));
  return 0;
}

static int filter(void *context, tm_batch *batch, tm_error *err) {
  run *r = context;
  (void)err;
  r->rig->filter(batch);
  return 0;
}

static char *put_cell(char *to, const tm_column *c, uint32_t row) {
  if (c->type.kind == TM_NULLTYPE || tm_column_is_null(c, row)) return to + sprintf(to, "null");
  if (tm_type_physical(c->type) != TM_PHYSICAL_STR) return to + tm_cell_text_print(c, row, to);
  const tm_str *s = &((const tm_str *)c->data)[row];
  *to++ = '\'';
  for (uint32_t i = 0; i < s->size; i++) {
    char byte = tm_str_bytes(s)[i];
    *to++ = byte == '\0' ? '\1' : byte; /* so that it stays one C string */
  }
  *to++ = '\'';
  return to;
}

void rig_add_rows(rows_list *list, const tm_batch *batch, const uint8_t *needed) {
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    size_t room = 1;
    for (uint32_t i = 0; i < batch->schema->count; i++) {
      const tm_column *c = &batch->columns[i];
      bool text = c->data != NULL && tm_type_physical(c->type) == TM_PHYSICAL_STR;
      room += TM_PRINT_MAX + (text && !tm_column_is_null(c, row) ?
                              ((tm_str *)c->data)[row].size : 0);
    }
    char *line = malloc(room), *to = line;
    for (uint32_t i = 0; i < batch->schema->count; i++) {
      if (i > 0) *to++ = '|';
      bool wanted = needed == NULL || needed[i];
      to = wanted ? put_cell(to, &batch->columns[i], row) : to + sprintf(to, "-");
    }
    *to = '\0';
    rows_list_add(list, line);
  }
}

static void take_batch(run *r, tm_batch *batch) {
  r->answer->batches++;
  cr_assert(batch->rows <= r->rig->batch_rows);
  rig_add_rows(&r->answer->rows, batch, r->rig->needed);
  for (uint32_t k = 0; k < batch->selected; k++) {
    char line[32];
    sprintf(line, "%" PRIu64, batch->ordinals[tm_batch_row(batch, k)]);
    rows_list_add(&r->answer->lines, strdup(line));
  }
  tm_batch_release(batch);
}

/* A block of its own, with garbage behind it, so that nobody relies on what follows. */
static bool parse(run *r, const char *data, size_t size, uint64_t offset, const tm_split *split) {
  const tm_format *format = r->reading.format;
  tm_block *b = tm_block_create(r->pool, size);
  cr_assert_not_null(b);
  memcpy(b->buffer, data, size);
  memset(b->buffer + size, 0, PAD);
  b->size = size;
  b->layout = r->layout;
  b->file = "rig";
  b->first_line = r->line;
  b->lines = split->lines;
  b->flags = split->flags;
  b->offset = offset;
  b->sequence = r->sequence++;
  r->answer->blocks++;
  int begun = format->parser_begin(r->parser, b, &r->answer->err);
  tm_block_release(b);
  if (begun < 0) return false;
  for (;;) {
    tm_batch *batch;
    int got = format->parser_next(r->parser, &batch, &r->answer->err);
    if (got < 0) return false;
    if (got == 0) return true;
    take_batch(r, batch);
  }
}

static bool begin(run *r, const char *data, size_t size, size_t *at) {
  size_t step = r->rig->block_bytes;
  for (size_t given = step < size ? step : size;; given = given + step < size ? given +
       step : size) {
    uint64_t lines = 0;
    /* Only what was given is there: the rest is another allocation's. */
    char *copy = calloc(1, given + PAD);
    memcpy(copy, data, given);
    int done = r->reading.format->begin(&r->reading, &r->arena, "rig", copy, given, given == size,
                                        &r->layout, at, &lines, &r->answer->err);
    free(copy);
    if (done < 0) return false;
    r->line = 1 + lines;
    if (done > 0) return true;
    cr_assert_lt(given, size, "begin() wants more than there is");
  }
}

static void read_records(run *r, const char *data, size_t size, size_t at) {
  size_t step = r->rig->block_bytes, given = 0;
  tm_split split = {0};
  while (at < size) {
    given = given + step < size - at ? given + step : size - at;
    char *copy = calloc(1, given + PAD);
    uint64_t *masks = calloc(given / 64 + 2, 2 * sizeof *masks);
    memcpy(copy, data + at, given);
    split.masks = masks;
    r->reading.format->split(&r->reading, &split, copy, given);
    free(masks);
    free(copy);
    bool ends = at + given == size;
    cr_assert(split.whole <= given);
    if (ends && r->reading.format->ends_lines) split.whole = given;
    if (split.whole == 0) {
      if (!ends) continue;
      tm_fail(&r->answer->err, TM_E_FORMAT, "%s", split.wrong != NULL ? split.wrong : "cut off");
      return;
    }
    if (!parse(r, data + at, split.whole, at, &split)) return;
    r->line += split.lines;
    at += split.whole;
    given = 0;
    split = (tm_split){0};
  }
}

rig_answer rig_read(const rig *rg, const char *data, size_t size) {
  rig_answer answer = {0};
  run r = {.rig = rg, .answer = &answer, .budget = tm_budget_create(NULL, "rig", 0)};
  tm_arena_init(&r.arena, r.budget);
  const tm_format *format = tm_format_find(rg->format);
  char *text = malloc(size + 2);
  memcpy(text, data, size);
  if (format->ends_lines && size > 0 && data[size - 1] != '\n') text[size++] = '\n';
  r.reading = (tm_reading){
    .format = format, .options = rg->options, .schema = rows_schema(&r.arena, rg->ddl),
    .needed = rg->needed, .early = rg->early, .filters = rg->filter != NULL,
    .check_all = rg->check_all, .ordinals = true, .batch_rows = rg->batch_rows,
    .block_bytes = rg->block_bytes, .record_bytes_max = TM_RECORD_BYTES_MAX,
  };
  tm_parser_hooks hooks = {&r, refuse, filter};
  r.pool = tm_block_pool_create(r.budget, 64, 2);
  r.parser = format->parser_create(&r.reading, r.budget, &hooks, &answer.err);
  cr_assert_not_null(r.parser);
  size_t at = 0;
  if (begin(&r, text, size, &at)) read_records(&r, text, size, at);
  format->parser_destroy(r.parser);
  tm_block_pool_destroy(r.pool);
  tm_arena_deinit(&r.arena);
  free(text);
  tm_arena_pool_clear();
  tm_budget_destroy(r.budget);
  return answer;
}

void rig_clear(rig_answer *a) {
  rows_list_clear(&a->rows);
  rows_list_clear(&a->lines);
  rows_list_clear(&a->refused);
  rows_list_clear(&a->messages);
}

static rows_list split_lines(const char *text) {
  rows_list list = {0};
  while (*text != '\0') {
    size_t size = strcspn(text, "\n");
    rows_list_add(&list, strndup(text, size));
    text += size + (text[size] == '\n');
  }
  return list;
}

static void expect_in(rig r, const char *text, const char *rows, const char *refused) {
  char label[200];
  snprintf(label, sizeof label, "%.120s (blocks of %zu)", text, r.block_bytes);
  rig_answer a = rig_read(&r, text, strlen(text));
  cr_assert_eq(a.err.code, 0, "%s: %s", label, a.err.message);
  rows_list wanted = split_lines(rows), wanted_refused = split_lines(refused);
  rows_list_expect(&a.rows, &wanted, label);
  rows_list_expect(&a.refused, &wanted_refused, label);
  rows_list_clear(&wanted);
  rows_list_clear(&wanted_refused);
  rig_clear(&a);
}

void rig_expect(const rig *r, const char *text, const char *rows, const char *refused) {
  expect_in(*r, text, rows, refused);
  for (size_t bytes = 1; bytes < 40; bytes += 6) {
    rig small = *r;
    small.block_bytes = bytes;
    small.batch_rows = (uint32_t)(bytes % 3 + 1);
    expect_in(small, text, rows, refused);
  }
}

void rig_expect_error(const rig *r, const char *text, tm_error_code code, const char *part) {
  rig_answer a = rig_read(r, text, strlen(text));
  cr_assert_eq(a.err.code, (int)code, "%s: code %d, %s", text, a.err.code, a.err.message);
  cr_assert_not_null(strstr(a.err.message, part), "'%s' is not in '%s'", part, a.err.message);
  rig_clear(&a);
}

char *rig_write(const rig *rg, const tm_batch *table, size_t *out_size) {
  tm_budget *budget = tm_budget_create(NULL, "rig", 0);
  const tm_format *format = tm_format_find(rg->format);
  tm_writing writing = {.options = rg->options, .schema = table->schema, .budget = budget};
  tm_error err = {0};
  tm_bytes out;
  tm_bytes_init(&out, budget);
  tm_writer *w = format->writer_create(&writing, &err);
  cr_assert_not_null(w);
  cr_assert_eq(format->writer_write(w, table, &out, &err), 0, "%s", err.message);
  cr_assert_eq(format->writer_finish(w, &out, &err), 0, "%s", err.message);
  format->writer_destroy(w);
  char *text = calloc(1, out.size + 1);
  if (out.size > 0) memcpy(text, out.data, out.size);
  if (out_size != NULL) *out_size = out.size;
  tm_bytes_deinit(&out);
  tm_budget_destroy(budget);
  return text;
}
