/* format/lines.c: every line is a row with one string column, `line`.
 *
 * An empty line is an empty string; a carriage return before the line end belongs to the line end.
 * What cannot be a line is not written: null, and texts that hold a line end. */
#include <assert.h>
#include <stdio.h>

#include "format/assemble.h"
#include "format/text_lines.h"
#include "kernel/structural.h"
#include "kernel/utf8.h"

/* ---------------------------------------------------------------- reading */

struct tm_parser {
  const tm_reading *reading;
  tm_budget *budget;
  tm_parser_hooks hooks;
  tm_block *block;
  uint32_t *ends; /* of all lines of the block */
  size_t end_capacity;
  uint32_t rows, next_row;
  uint64_t batches;
  bool utf8;
  tm_arena arena; /* of what follows: room for the rows of a batch */
  uint32_t *begin, *end, *fault_columns;
  uint8_t *fault_reasons;
};

static const tm_text_rules rules = {.epoch_digits = TM_EPOCH_NONE};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

static void lines_parser_destroy(tm_parser *p) {
  if (p == NULL) return;
  tm_block_release(p->block);
  tm_free(p->budget, p->ends, p->end_capacity * sizeof *p->ends);
  tm_arena_deinit(&p->arena);
  tm_free(p->budget, p, sizeof *p);
}

static tm_parser *lines_parser_create(const tm_reading *reading, tm_budget *budget,
                                      const tm_parser_hooks *hooks, tm_error *err) {
  tm_parser *p = tm_alloc_zero(budget, sizeof *p);
  size_t rows = reading->batch_rows;
  if (p != NULL) {
    p->reading = reading;
    p->budget = budget;
    p->hooks = *hooks;
    tm_arena_init(&p->arena, budget);
    p->begin = tm_arena_alloc(&p->arena, rows * sizeof *p->begin);
    p->end = tm_arena_alloc(&p->arena, rows * sizeof *p->end);
    p->fault_columns = tm_arena_alloc(&p->arena, rows * sizeof *p->fault_columns);
    p->fault_reasons = tm_arena_alloc(&p->arena, rows);
    if (p->begin != NULL && p->end != NULL && p->fault_columns != NULL &&
        p->fault_reasons != NULL) {
      return p;
    }
  }
  lines_parser_destroy(p);
  no_memory(err);
  return NULL;
}

static int refuse(tm_parser *p, uint32_t from, uint32_t to, uint64_t line, tm_reason reason,
                  const char *message, tm_error *err) {
  tm_refusal refusal = {.reason = reason, .message = message, .raw = p->block->data + from,
                        .raw_size = to - from, .block = p->block, .line = line,
                        .offset = p->block->offset + from};
  return p->hooks.refuse(p->hooks.context, &refusal, err);
}

static int lines_parser_begin(tm_parser *p, tm_block *block, tm_error *err) {
  assert(p->block == NULL && block->size < UINT32_MAX);
  p->block = tm_block_retain(block);
  p->rows = p->next_row = 0;
  p->batches = block->first_batch;
  if (block->too_long) {
    char message[80];
    snprintf(message, sizeof message, "a record of more than %zu MiB",
             p->reading->record_bytes_max >> 20);
    return refuse(p, 0, (uint32_t)block->size, block->first_line, TM_REASON_TOO_LONG, message, err);
  }
  size_t wanted = block->size + TM_STRUCTURAL_PAD;
  if (wanted > p->end_capacity) {
    tm_free(p->budget, p->ends, p->end_capacity * sizeof *p->ends);
    p->end_capacity = 0;
    p->ends = tm_alloc(p->budget, wanted * sizeof *p->ends);
    if (p->ends == NULL) return no_memory(err);
    p->end_capacity = wanted;
  }
  p->rows = (uint32_t)tm_structural_scan(block->data, block->size, '\n', '\n', p->ends);
  p->utf8 = !tm_assemble_wants_strings(p->reading) || tm_utf8_valid(block->data, block->size);
  return 0;
}

static const tm_block *lines_parser_rest(const tm_parser *p, tm_parser_rest *out) {
  if (p->block == NULL) return NULL;
  size_t from = p->next_row == 0 ? 0 : p->ends[p->next_row - 1] + 1;
  *out = (tm_parser_rest){.from = p->next_row < p->rows ? from : p->block->size,
                          .line = p->block->first_line + p->next_row,
                          .batches = (uint32_t)p->batches};
  return p->block;
}

static tm_text_fields extract(tm_parser *p, uint32_t rows) {
  const char *data = p->block->data;
  for (uint32_t i = 0; i < rows; i++) {
    uint32_t row = p->next_row + i;
    uint32_t begin = row == 0 ? 0 : p->ends[row - 1] + 1, end = p->ends[row];
    p->begin[i] = begin;
    p->end[i] = end - (end > begin && data[end - 1] == '\r');
  }
  return (tm_text_fields){.base = data, .begin = p->begin, .end = p->end, .rows = rows,
                          .utf8 = p->utf8};
}

static int read_column(void *parser, tm_batch *batch, uint32_t column, tm_faults *faults) {
  (void)parser, (void)batch, (void)column, (void)faults;
  assert(!"lines have one column, a string");
  return -1;
}

static void check_column(void *parser, const tm_batch *batch, uint32_t column, tm_faults *faults) {
  tm_text_fields f = extract(parser, batch->rows);
  tm_text_column_check(&rules, &f, batch->columns[column].type, column, faults);
}

static int make_column(void *parser, tm_batch *batch, uint32_t column, bool *borrows) {
  tm_text_fields f = extract(parser, batch->rows);
  return tm_text_column_make(&rules, &f, batch, column, borrows);
}

static int refuse_row(void *parser, uint32_t row, const tm_faults *faults, tm_error *err) {
  tm_parser *p = parser;
  tm_text_fields f = extract(p, row + 1);
  return refuse(p, f.begin[row], f.end[row], p->block->first_line + p->next_row + row,
                (tm_reason)(faults->reason[row] - 1), "invalid UTF-8", err);
}

static void set_lines(void *parser, uint64_t *out, uint32_t rows) {
  const tm_parser *p = parser;
  for (uint32_t i = 0; i < rows; i++) out[i] = p->block->first_line + p->next_row + i;
}

static int lines_parser_next(tm_parser *p, tm_batch **out, tm_error *err) {
  uint32_t left = p->rows - p->next_row, most = p->reading->batch_rows;
  *out = NULL;
  if (left == 0) {
    tm_block_release(p->block);
    p->block = NULL;
    return 0;
  }
  tm_batch *batch = tm_batch_create(p->budget, p->reading->schema, left < most ? left : most);
  tm_assembly assembly = {
    .reading = p->reading, .hooks = &p->hooks, .block = p->block, .number = p->batches++,
    .fault_reasons = p->fault_reasons, .fault_columns = p->fault_columns, .parser = p,
    .read = read_column, .check = check_column, .make = make_column, .refuse = refuse_row,
    .lines = set_lines,
  };
  if (batch == NULL) return no_memory(err);
  if (tm_assemble(&assembly, batch, err) < 0) {
    tm_batch_release(batch);
    return -1;
  }
  p->next_row += batch->rows;
  *out = batch;
  return 1;
}

/* ---------------------------------------------------------------- writing */

struct tm_writer { tm_budget *budget; };

static int lines_check_columns(const tm_schema *schema, tm_error *err) {
  if (schema->count == 1 && schema->fields[0].type.kind == TM_STRING) return 0;
  tm_fail(err, TM_E_TYPE, "tm.lines writes one string column; these rows have %u column%s",
          schema->count, schema->count == 1 ? ", which is no string" : "s");
  return tm_error_help(err, "select it: :select { \"line\" }, or write tm.csv or tm.jsonl");
}

static tm_writer *lines_writer_create(const tm_writing *writing, tm_error *err) {
  tm_writer *w = tm_alloc(writing->budget, sizeof *w);
  if (w == NULL) tm_fail(err, TM_E_MEMORY, "writing: out of memory");
  else w->budget = writing->budget;
  return w;
}

static int lines_writer_write(tm_writer *w, const tm_batch *batch, tm_bytes *out, tm_error *err) {
  const tm_column *c = &batch->columns[0];
  (void)w;
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    if (tm_column_is_null(c, row)) return tm_fail(err, TM_E_WRITE, "tm.lines: null is no line");
    const tm_str *text = &((const tm_str *)c->data)[row];
    const char *bytes = tm_str_bytes(text);
    if (memchr(bytes, '\n', text->size) != NULL) {
      return tm_fail(err, TM_E_WRITE, "tm.lines: a text that holds a line end is no line");
    }
    if (!tm_bytes_append(out, bytes, text->size) || !tm_bytes_append_byte(out, '\n')) {
      return tm_fail(err, TM_E_MEMORY, "writing: out of memory");
    }
  }
  return 0;
}

static int lines_writer_finish(tm_writer *w, tm_bytes *out, tm_error *err) {
  (void)w, (void)out, (void)err;
  return 0;
}

static void lines_writer_destroy(tm_writer *w) {
  if (w != NULL) tm_free(w->budget, w, sizeof *w);
}

const tm_format tm_format_lines = {
  .size = sizeof(tm_format),
  .name = "lines",
  .ends_lines = true,
  .begin = tm_text_lines_begin,
  .split = tm_text_lines_split,
  .parser_create = lines_parser_create,
  .parser_begin = lines_parser_begin,
  .parser_next = lines_parser_next,
  .parser_rest = lines_parser_rest,
  .parser_destroy = lines_parser_destroy,
  .check_columns = lines_check_columns,
  .writer_create = lines_writer_create,
  .writer_write = lines_writer_write,
  .writer_finish = lines_writer_finish,
  .writer_destroy = lines_writer_destroy,
};
