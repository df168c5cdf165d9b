/* format/csv_read.c: a block of CSV becomes batches.
 *
 * First the positions of all delimiters and line ends are found. Where no quote, blank or ragged
 * line disturbs them, they are a table already: field f of row r ends at positions[r * stride + f].
 * Else they are walked once, record by record: what is malformed is refused, what is good is moved
 * together to the same form. Then columns are read one at a time, only those that are needed:
 * everything that can fail first, the rest (strings) after the filters, for the rows they left. */
#include <assert.h>
#include <stdio.h>

#include "format/assemble.h"
#include "format/csv.h"
#include "kernel/structural.h"
#include "kernel/utf8.h"

struct tm_parser {
  const tm_reading *reading;
  tm_budget *budget;
  tm_parser_hooks hooks;
  tm_text_rules rules;
  tm_block *block;
  /* The table of the block. */
  uint32_t *positions;
  size_t position_capacity;
  uint32_t stride, rows;
  uint32_t *row_begin; /* and the line of each; only where `walked` */
  uint32_t *row_line;
  size_t begin_capacity, line_capacity;
  bool walked, walking, utf8;
  uint32_t next_row, batch_rows;
  uint64_t batches;
  /* Scratch of a batch. */
  uint32_t *begin, *end, *fault_columns;
  uint8_t *status, *local, *fault_reasons;
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

tm_parser *tm_csv_parser_create(const tm_reading *reading, tm_budget *budget,
                                const tm_parser_hooks *hooks, tm_error *err) {
  tm_parser *p = tm_alloc_zero(budget, sizeof *p);
  size_t rows = reading->batch_rows;
  if (p == NULL) {
    no_memory(err);
    return NULL;
  }
  const tm_format_options *o = &reading->options;
  p->reading = reading;
  p->budget = budget;
  p->hooks = *hooks;
  p->rules = (tm_text_rules){.nulls = o->nulls, .null_count = o->null_count,
                             .epoch_digits = o->epoch_digits, .quote = o->quote,
                             .escape = o->escape, .empty_is_null = true};
  p->begin = tm_alloc(budget, rows * sizeof *p->begin);
  p->end = tm_alloc(budget, rows * sizeof *p->end);
  p->fault_columns = tm_alloc(budget, rows * sizeof *p->fault_columns);
  p->status = tm_alloc(budget, rows);
  p->local = tm_alloc(budget, rows);
  p->fault_reasons = tm_alloc(budget, rows);
  if (p->begin == NULL || p->end == NULL || p->fault_columns == NULL || p->status == NULL ||
      p->local == NULL || p->fault_reasons == NULL) {
    tm_csv_parser_destroy(p);
    no_memory(err);
    return NULL;
  }
  return p;
}

void tm_csv_parser_destroy(tm_parser *p) {
  if (p == NULL) return;
  size_t rows = p->reading->batch_rows;
  tm_block_release(p->block);
  tm_free(p->budget, p->positions, p->position_capacity * sizeof *p->positions);
  tm_free(p->budget, p->row_begin, p->begin_capacity * sizeof *p->row_begin);
  tm_free(p->budget, p->row_line, p->line_capacity * sizeof *p->row_line);
  tm_free(p->budget, p->begin, rows * sizeof *p->begin);
  tm_free(p->budget, p->end, rows * sizeof *p->end);
  tm_free(p->budget, p->fault_columns, rows * sizeof *p->fault_columns);
  tm_free(p->budget, p->status, rows);
  tm_free(p->budget, p->local, rows);
  tm_free(p->budget, p->fault_reasons, rows);
  tm_free(p->budget, p, sizeof *p);
}

/* Contents are not kept. */
static bool reserve(tm_budget *budget, uint32_t **array, size_t *capacity, size_t wanted) {
  if (wanted <= *capacity) return true;
  tm_free(budget, *array, *capacity * sizeof **array);
  *capacity = 0;
  *array = tm_alloc(budget, wanted * sizeof **array);
  if (*array != NULL) *capacity = wanted;
  return *array != NULL;
}

/* ---------------------------------------------------------------- refusing */

/* A record is refused with its text, without the line end. */
static int refuse(tm_parser *p, size_t from, size_t to, uint64_t line, tm_reason reason,
                  const char *message, tm_error *err) {
  const char *text = p->block->data;
  if (p->walking && p->block->told) return 0;
  if (to > from && text[to - 1] == '\n') to--;
  if (to > from && text[to - 1] == '\r') to--;
  tm_refusal refusal = {.reason = reason, .message = message, .raw = text + from,
                        .raw_size = to - from, .block = p->block, .line = line,
                        .offset = p->block->offset + from};
  return p->hooks.refuse(p->hooks.context, &refusal, err);
}

static int refuse_ragged(tm_parser *p, size_t from, size_t to, uint64_t line, uint32_t fields,
                         tm_error *err) {
  char message[80];
  uint32_t wanted = p->block->layout->field_count;
  snprintf(message, sizeof message, "%u field%s, not %u", fields, fields == 1 ? "" : "s", wanted);
  return refuse(p, from, to, line, TM_REASON_RAGGED, message, err);
}

/* ---------------------------------------------------------------- the table */

/* Every stride-th position is a line end, and no other; with one field more than there are
 * columns, that one is empty. */
static bool is_regular(const tm_parser *p, size_t count, uint32_t stride) {
  const tm_block *b = p->block;
  const uint32_t *restrict at = p->positions;
  if (b->lines * stride != count) return false;
  uint32_t wrong = 0;
  for (size_t i = stride - 1; i < count; i += stride) wrong |= b->data[at[i]] ^ '\n';
  if (wrong != 0 || stride == b->layout->field_count) return wrong == 0;
  for (size_t i = stride - 1; i < count; i += stride) {
    uint32_t size = at[i] - at[i - 1] - 1;
    wrong |= size > 1 || (size == 1 && b->data[at[i] - 1] != '\r');
  }
  return wrong == 0;
}

typedef struct walk {
  const char *text;
  uint32_t *positions;
  size_t count, next;   /* of positions */
  size_t at;            /* in the text */
  uint32_t fields;      /* of the record */
  uint64_t line;
  bool last_empty;      /* the field just read is bare and empty */
  bool bad_quote, unclosed;
} walk;

/* From behind the opening quote to behind the closing one. */
static void walk_quoted(walk *w, char quote, char escape) {
  size_t field = w->at + 1;
  for (w->next++; w->next < w->count; w->next++) {
    size_t q = w->positions[w->next];
    if (w->text[q] != quote) {
      w->line += w->text[q] == '\n';
      continue;
    }
    if (escape != 0 && tm_csv_is_escaped(w->text + field, w->text + q, escape)) continue;
    if (w->text[q + 1] == quote && w->next + 1 < w->count) {
      w->next++;
      continue;
    }
    w->next++;
    bool ends = w->next < w->count && w->positions[w->next] == q + 1;
    bool crlf = w->next < w->count && w->positions[w->next] == q + 2 && w->text[q + 1] == '\r' &&
                w->text[q + 2] == '\n';
    w->bad_quote |= !ends && !crlf;
    return;
  }
  w->unclosed = true;
}

/* One record; its field ends go to positions[to …], which is never beyond what was read. */
static void walk_record(walk *w, const tm_format_options *o, size_t to) {
  w->fields = 0;
  w->bad_quote = w->unclosed = false;
  for (;;) {
    size_t begin = w->at;
    if (o->quote != 0 && w->text[begin] == o->quote) walk_quoted(w, o->quote, o->escape);
    while (w->next < w->count && o->quote != 0 && w->text[w->positions[w->next]] == o->quote) {
      w->next++;
    }
    if (w->next == w->count) {
      w->unclosed = true;
      return;
    }
    uint32_t end = w->positions[w->next++];
    w->positions[to + w->fields++] = end;
    w->at = (size_t)end + 1;
    if (w->text[end] != '\n') continue;
    w->last_empty = end == begin || (end == begin + 1 && w->text[begin] == '\r');
    w->line++;
    return;
  }
}

static bool walk_comment(walk *w, const tm_format_options *o) {
  if (o->comment == 0 || w->text[w->at] != o->comment) return false;
  while (w->next < w->count && w->text[w->positions[w->next]] != '\n') w->next++;
  w->at = w->next < w->count ? (size_t)w->positions[w->next++] + 1 : SIZE_MAX;
  w->line++;
  return true;
}

static int walk_table(tm_parser *p, size_t count, tm_error *err) {
  const tm_format_options *o = &p->reading->options;
  const tm_block *b = p->block;
  uint32_t wanted = b->layout->field_count;
  walk w = {.text = b->data, .positions = p->positions, .count = count, .line = b->first_line};
  p->stride = wanted;
  p->walked = true;
  while (w.at < b->size) {
    size_t begin = w.at;
    uint64_t line = w.line;
    if (walk_comment(&w, o)) continue;
    walk_record(&w, o, (size_t)p->rows * wanted);
    if (w.unclosed) {
      return refuse(p, begin, b->size, line, TM_REASON_QUOTE, "the quote is never closed", err);
    }
    if (w.fields == 1 && w.last_empty && wanted > 1) continue;
    if (w.fields == wanted + 1 && w.last_empty) w.fields--;
    if (w.bad_quote) {
      if (refuse(p, begin, w.at, line, TM_REASON_QUOTE, "text after a closing quote", err) < 0) {
        return -1;
      }
    } else if (w.fields != wanted) {
      if (refuse_ragged(p, begin, w.at, line, w.fields, err) < 0) return -1;
    } else {
      assert(p->rows < p->line_capacity);
      p->row_begin[p->rows] = (uint32_t)begin;
      p->row_line[p->rows++] = (uint32_t)(line - b->first_line);
    }
  }
  return 0;
}

static int make_table(tm_parser *p, tm_error *err) {
  const tm_block *b = p->block;
  const tm_format_options *o = &p->reading->options;
  uint32_t wanted = b->layout->field_count;
  bool quotes = (b->flags & TM_CSV_QUOTES) != 0;
  if (!reserve(p->budget, &p->positions, &p->position_capacity, b->size + TM_STRUCTURAL_PAD)) {
    return no_memory(err);
  }
  size_t count = tm_structural_scan(b->data, b->size, o->delimiter,
                                    quotes && o->quote != 0 ? o->quote : '\n', p->positions);
  for (uint32_t stride = wanted; !quotes && wanted > 0 && stride <= wanted + 1; stride++) {
    if (!is_regular(p, count, stride)) continue;
    p->stride = stride;
    p->rows = (uint32_t)b->lines;
    return 0;
  }
  if (!reserve(p->budget, &p->row_begin, &p->begin_capacity, b->lines + 1) ||
      !reserve(p->budget, &p->row_line, &p->line_capacity, b->lines + 1)) {
    return no_memory(err);
  }
  p->walking = true;
  int done = walk_table(p, count, err);
  p->walking = false;
  return done;
}

int tm_csv_parser_begin(tm_parser *p, tm_block *block, tm_error *err) {
  assert(p->block == NULL && block->size < UINT32_MAX);
  p->block = tm_block_retain(block);
  p->rows = p->next_row = 0;
  p->batches = block->first_batch;
  p->walked = false;
  if (block->too_long) {
    char message[80];
    snprintf(message, sizeof message, "a record of more than %zu MiB",
             p->reading->record_bytes_max >> 20);
    return refuse(p, 0, block->size, block->first_line, TM_REASON_TOO_LONG, message, err);
  }
  p->utf8 = !tm_assemble_wants_strings(p->reading) || tm_utf8_valid(block->data, block->size);
  return make_table(p, err);
}

/* ---------------------------------------------------------------- a batch */

static uint32_t begin_of(const tm_parser *p, uint32_t row) {
  if (p->walked) return p->row_begin[row];
  return row == 0 ? 0 : p->positions[(size_t)row * p->stride - 1] + 1;
}

/* The texts of one column for the rows of the batch. */
static tm_text_fields extract(const tm_parser *p, uint32_t column, uint32_t rows) {
  const tm_block *b = p->block;
  tm_text_fields f = {.base = b->data, .begin = p->begin, .end = p->end, .rows = rows,
                      .quoted = p->walked && (b->flags & TM_CSV_QUOTES) != 0, .utf8 = p->utf8,
                      .status = p->status, .local = p->local};
  int32_t field = b->layout->field_of[column];
  uint32_t *restrict begin = p->begin, *restrict end = p->end;
  if (field < 0) {
    static const char nothing[TM_BLOCK_PAD]; /* readable beyond its end, as all texts are */
    f.base = b->layout->values[column] != NULL ? b->layout->values[column] : nothing;
    f.utf8 = f.quoted = false;
    uint32_t size = (uint32_t)strlen(f.base);
    for (uint32_t i = 0; i < rows; i++) {
      begin[i] = 0;
      end[i] = size;
    }
    return f;
  }
  size_t stride = p->stride;
  const uint32_t *restrict at = p->positions + (size_t)p->next_row * stride + (uint32_t)field;
  if (field > 0) {
    const uint32_t *restrict before = at - 1;
    for (uint32_t i = 0; i < rows; i++) {
      begin[i] = before[i * stride] + 1;
      end[i] = at[i * stride];
    }
  } else {
    for (uint32_t i = 0; i < rows; i++) {
      begin[i] = begin_of(p, p->next_row + i);
      end[i] = at[i * stride];
    }
  }
  if ((uint32_t)field + 1 < b->layout->field_count) return f;
  for (uint32_t i = 0; i < rows; i++) {
    end[i] -= end[i] > begin[i] && b->data[end[i] - 1] == '\r' && b->data[end[i]] == '\n';
  }
  return f;
}

const tm_block *tm_csv_parser_rest(const tm_parser *p, tm_parser_rest *out) {
  const tm_block *b = p->block;
  if (b == NULL) return NULL;
  bool any = p->next_row < p->rows;
  *out = (tm_parser_rest){.from = any ? begin_of(p, p->next_row) : b->size, .told = true,
                          .batches = (uint32_t)p->batches};
  if (any) out->line = b->first_line + (p->walked ? p->row_line[p->next_row] : p->next_row);
  return b;
}

static int read_column(void *parser, tm_batch *batch, uint32_t column, tm_faults *faults) {
  tm_parser *p = parser;
  tm_text_fields f = extract(p, column, batch->rows);
  return tm_text_column_read(&p->rules, &f, batch, column, faults);
}

static void check_column(void *parser, const tm_batch *batch, uint32_t column, tm_faults *faults) {
  tm_parser *p = parser;
  tm_type type = batch->columns[column].type;
  if (p->utf8 && !type.not_null && p->block->layout->field_of[column] >= 0) return;
  tm_text_fields f = extract(p, column, batch->rows);
  tm_text_column_check(&p->rules, &f, type, column, faults);
}

static int make_column(void *parser, tm_batch *batch, uint32_t column, bool *borrows) {
  tm_parser *p = parser;
  tm_text_fields f = extract(p, column, batch->rows);
  return tm_text_column_make(&p->rules, &f, batch, column, borrows);
}

static int refuse_row(void *parser, uint32_t row, const tm_faults *faults, tm_error *err) {
  tm_parser *p = parser;
  const tm_block *b = p->block;
  uint32_t in_block = p->next_row + row, column = faults->column[row];
  size_t from = begin_of(p, in_block);
  size_t last = p->positions[(size_t)(in_block + 1) * p->stride - 1];
  const char *line_end = memchr(b->data + last, '\n', b->size - last);
  size_t to = line_end == NULL ? b->size : (size_t)(line_end + 1 - b->data);
  tm_text_fields f = extract(p, column, row + 1);
  char message[512];
  tm_text_column_explain(message, sizeof message, (tm_reason)(faults->reason[row] - 1),
                         &p->reading->schema->fields[column], f.base + f.begin[row],
                         f.end[row] - f.begin[row]);
  uint64_t line = b->first_line + (p->walked ? p->row_line[in_block] : in_block);
  return refuse(p, from, to, line, (tm_reason)(faults->reason[row] - 1), message, err);
}

static void set_lines(void *parser, uint64_t *out, uint32_t rows) {
  const tm_parser *p = parser;
  uint64_t line = p->block->first_line;
  for (uint32_t i = 0; i < rows; i++) {
    uint32_t row = p->next_row + i;
    out[i] = line + (p->walked ? p->row_line[row] : row);
  }
}

int tm_csv_parser_next(tm_parser *p, tm_batch **out, tm_error *err) {
  uint32_t left = p->rows - p->next_row;
  *out = NULL;
  if (left == 0) {
    tm_block_release(p->block);
    p->block = NULL;
    return 0;
  }
  /* What is left in equal parts, rather than a small rest at the end. */
  uint32_t parts = (left + p->reading->batch_rows - 1) / p->reading->batch_rows;
  tm_batch *batch = tm_batch_create(p->budget, p->reading->schema, (left + parts - 1) / parts);
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
