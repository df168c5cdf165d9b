/* format/jsonl_read.c: a block of JSON lines becomes batches.
 *
 * The marks of the block are found first. Then line by line: a template (jsonl_template.h) where
 * one matches, else the document is read in full and gives the next template. Either way only the
 * places of the wanted values are noted; columns are made of them one at a time. Where documents
 * have no common shape, templates are given up for a while. */
#include <assert.h>
#include <stdio.h>

#include "format/assemble.h"
#include "format/jsonl.h"
#include "format/jsonl_column.h"
#include "format/jsonl_template.h"
#include "format/jsonl_wants.h"
#include "kernel/json_marks.h"
#include "kernel/structural.h"
#include "kernel/utf8.h"

enum {
  TEMPLATES = 4,
  CREDIT_MAX = 256, CREDIT_MISS = 4, /* a miss costs as much as four hits earn */
  PAUSE_ROWS = 1024,
};

struct tm_parser {
  const tm_reading *reading;
  tm_budget *budget;
  tm_parser_hooks hooks;
  tm_text_rules rules;
  tm_arena arena;
  tm_jsonl_wants wants;
  tm_block *block;
  uint32_t at;       /* in the block */
  uint64_t line, batches;
  tm_json_text text;
  uint64_t *marks;   /* quotes, escapes, stops */
  size_t marks_capacity;
  bool utf8;
  tm_template templates[TEMPLATES];
  uint32_t likely, next_template;
  int credit, pause;
  /* The rows of a batch. */
  uint32_t rows;
  tm_json_value *values;
  uint32_t *row_begin, *begin, *end, *fault_columns;
  uint64_t *row_line;
  uint8_t *status, *local, *fault_reasons;
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

static size_t values_bytes(const tm_parser *p) {
  return ((size_t)p->reading->batch_rows * p->wants.slot_count + 1) * sizeof *p->values;
}

static bool allocate(tm_parser *p) {
  size_t rows = p->reading->batch_rows;
  if (tm_jsonl_wants_build(&p->arena, p->reading, &p->wants) < 0) return false;
  for (int i = 0; i < TEMPLATES; i++) {
    if (!tm_template_init(&p->templates[i], p->budget)) return false;
  }
  p->values = tm_alloc(p->budget, values_bytes(p));
  p->row_begin = tm_arena_alloc(&p->arena, rows * sizeof *p->row_begin);
  p->row_line = tm_arena_alloc(&p->arena, rows * sizeof *p->row_line);
  p->begin = tm_arena_alloc(&p->arena, rows * sizeof *p->begin);
  p->end = tm_arena_alloc(&p->arena, rows * sizeof *p->end);
  p->fault_columns = tm_arena_alloc(&p->arena, rows * sizeof *p->fault_columns);
  p->status = tm_arena_alloc(&p->arena, rows);
  p->local = tm_arena_alloc(&p->arena, rows);
  p->fault_reasons = tm_arena_alloc(&p->arena, rows);
  return p->values != NULL && p->row_begin != NULL && p->row_line != NULL && p->begin != NULL &&
         p->end != NULL && p->fault_columns != NULL && p->status != NULL && p->local != NULL &&
         p->fault_reasons != NULL;
}

tm_parser *tm_jsonl_parser_create(const tm_reading *reading, tm_budget *budget,
                                  const tm_parser_hooks *hooks, tm_error *err) {
  tm_parser *p = tm_alloc_zero(budget, sizeof *p);
  if (p == NULL) {
    no_memory(err);
    return NULL;
  }
  p->reading = reading;
  p->budget = budget;
  p->hooks = *hooks;
  p->credit = CREDIT_MAX;
  p->rules = (tm_text_rules){.epoch_digits = reading->options.epoch_digits, .json_numbers = true,
                             .empty_is_null = true};
  tm_arena_init(&p->arena, budget);
  if (allocate(p)) return p;
  tm_jsonl_parser_destroy(p);
  no_memory(err);
  return NULL;
}

void tm_jsonl_parser_destroy(tm_parser *p) {
  if (p == NULL) return;
  tm_block_release(p->block);
  for (int i = 0; i < TEMPLATES; i++) tm_template_deinit(&p->templates[i], p->budget);
  if (p->values != NULL) tm_free(p->budget, p->values, values_bytes(p));
  tm_free(p->budget, p->marks, p->marks_capacity * sizeof *p->marks);
  tm_arena_deinit(&p->arena);
  tm_free(p->budget, p, sizeof *p);
}

/* ---------------------------------------------------------------- a block */

static int refuse(tm_parser *p, uint32_t from, uint32_t to, uint64_t line, tm_reason reason,
                  const char *message, tm_error *err) {
  const char *text = p->block->data;
  if (to > from && text[to - 1] == '\r') to--;
  tm_refusal refusal = {.reason = reason, .message = message, .raw = text + from,
                        .raw_size = to - from, .block = p->block, .line = line,
                        .offset = p->block->offset + from};
  return p->hooks.refuse(p->hooks.context, &refusal, err);
}

/* A carriage return is fine only before a line end: in a string it is a control character. */
static bool has_stray_return(const tm_block *b) {
  const char *at = b->data, *end = b->data + b->size;
  while ((at = memchr(at, '\r', (size_t)(end - at))) != NULL) {
    if (at + 1 < end && at[1] != '\n') return true;
    at++;
  }
  return false;
}

static int find_marks(tm_parser *p, tm_error *err) {
  const tm_block *b = p->block;
  size_t words = (b->size + 63) / 64 + 1;
  if (3 * words > p->marks_capacity) {
    tm_free(p->budget, p->marks, p->marks_capacity * sizeof *p->marks);
    p->marks_capacity = 0;
    p->marks = tm_alloc(p->budget, 3 * words * sizeof *p->marks);
    if (p->marks == NULL) return no_memory(err);
    p->marks_capacity = 3 * words;
  }
  uint64_t *quotes = p->marks, *escapes = p->marks + words, *stops = p->marks + 2 * words;
  uint32_t found = tm_json_marks(b->data, b->size, quotes, escapes, stops);
  p->text = (tm_json_text){
    .data = b->data, .quotes = quotes, .escapes = escapes, .stops = stops,
    .has_escapes = (found & TM_JSON_ESCAPES) != 0,
    .has_controls = (found & TM_JSON_CONTROLS) != 0 ||
                    ((found & TM_JSON_RETURNS) != 0 && has_stray_return(b)),
  };
  return 0;
}

int tm_jsonl_parser_begin(tm_parser *p, tm_block *block, tm_error *err) {
  assert(p->block == NULL && block->size < UINT32_MAX);
  p->block = tm_block_retain(block);
  p->at = 0;
  p->line = block->first_line;
  p->batches = block->first_batch;
  if (block->too_long) {
    char message[80];
    p->at = (uint32_t)block->size;
    snprintf(message, sizeof message, "a record of more than %zu MiB",
             p->reading->record_bytes_max >> 20);
    return refuse(p, 0, (uint32_t)block->size, block->first_line, TM_REASON_TOO_LONG, message, err);
  }
  p->utf8 = !tm_assemble_wants_strings(p->reading) || tm_utf8_valid(block->data, block->size);
  return find_marks(p, err);
}

/* ---------------------------------------------------------------- documents */

static bool match_any(tm_parser *p, tm_json_value *slots, uint32_t *end) {
  size_t bytes = p->wants.slot_count * sizeof *slots;
  for (uint32_t i = 0; i < TEMPLATES; i++) {
    uint32_t which = (p->likely + i) % TEMPLATES;
    if (!p->templates[which].usable) continue;
    memset(slots, 0, bytes);
    if (!tm_template_match(&p->templates[which], &p->text, p->at, (uint32_t)p->block->size, slots,
                           end)) {
      continue;
    }
    p->likely = which;
    if (p->credit < CREDIT_MAX) p->credit++;
    return true;
  }
  return false;
}

static const char *read_document(tm_parser *p, tm_json_value *slots, uint32_t end, bool learn) {
  memset(slots, 0, p->wants.slot_count * sizeof *slots);
  if (!learn) {
    return tm_json_document_read(&p->text, p->at, end, &p->wants.root, slots, NULL);
  }
  tm_template *t = &p->templates[p->next_template];
  tm_json_listener listener = {t, tm_template_value, tm_template_unusual};
  tm_template_begin(t, p->block->data, p->at);
  const char *wrong = tm_json_document_read(&p->text, p->at, end, &p->wants.root, slots,
                                            &listener);
  tm_template_finish(t, end);
  if (wrong != NULL) t->usable = false;
  if (!t->usable) return wrong;
  p->likely = p->next_template;
  p->next_template = (p->next_template + 1) % TEMPLATES;
  return wrong;
}

static bool is_blank(const char *text, uint32_t from, uint32_t to) {
  while (from < to && (text[from] == ' ' || text[from] == '\t' || text[from] == '\r')) from++;
  return from == to;
}

/* The line at hand; its row is added where it has one. */
static int take_line(tm_parser *p, tm_error *err) {
  const char *data = p->block->data;
  tm_json_value *slots = &p->values[(size_t)p->rows * p->wants.slot_count];
  uint32_t end;
  bool templates = !p->text.has_controls && p->pause == 0;
  const char *wrong = NULL;
  if (!templates || !match_any(p, slots, &end)) {
    end = (uint32_t)((const char *)memchr(data + p->at, '\n', p->block->size - p->at) - data);
    if (is_blank(data, p->at, end)) {
      p->at = end + 1;
      p->line++;
      return 0;
    }
    wrong = read_document(p, slots, end, templates);
    if (templates && (p->credit -= CREDIT_MISS) < 0) {
      p->pause = PAUSE_ROWS;
      p->credit = CREDIT_MAX / 4;
    } else if (!templates && p->pause > 0) {
      p->pause--;
    }
  }
  if (wrong != NULL) {
    if (refuse(p, p->at, end, p->line, TM_REASON_JSON, wrong, err) < 0) return -1;
  } else {
    p->row_begin[p->rows] = p->at;
    p->row_line[p->rows++] = p->line;
  }
  p->at = end + 1;
  p->line++;
  return 0;
}

/* ---------------------------------------------------------------- a batch */

static tm_jsonl_values values_of(const tm_parser *p, uint32_t column) {
  static const tm_json_value none;
  int32_t slot = p->wants.slot_of[column];
  return (tm_jsonl_values){
    .data = p->block->data, .values = slot == TM_JSON_NONE ? &none : p->values + slot,
    .stride = slot == TM_JSON_NONE ? 0 : p->wants.slot_count, .rows = p->rows, .utf8 = p->utf8,
    .begin = p->begin, .end = p->end, .status = p->status, .local = p->local,
  };
}

const tm_block *tm_jsonl_parser_rest(const tm_parser *p, tm_parser_rest *out) {
  *out = (tm_parser_rest){.from = p->at, .line = p->line, .batches = (uint32_t)p->batches};
  return p->block;
}

static int read_column(void *parser, tm_batch *batch, uint32_t column, tm_faults *faults) {
  tm_parser *p = parser;
  tm_jsonl_values v = values_of(p, column);
  return tm_jsonl_column_read(&p->rules, &v, batch, column, faults);
}

static void check_column(void *parser, const tm_batch *batch, uint32_t column, tm_faults *faults) {
  tm_parser *p = parser;
  tm_jsonl_values v = values_of(p, column);
  tm_jsonl_column_check(&v, batch->columns[column].type, column, faults);
}

static int make_column(void *parser, tm_batch *batch, uint32_t column, bool *borrows) {
  tm_parser *p = parser;
  tm_jsonl_values v = values_of(p, column);
  return tm_jsonl_column_make(&v, batch, column, borrows);
}

static int refuse_row(void *parser, uint32_t row, const tm_faults *faults, tm_error *err) {
  tm_parser *p = parser;
  const char *data = p->block->data;
  uint32_t column = faults->column[row], from = p->row_begin[row];
  tm_jsonl_values v = values_of(p, column);
  const tm_json_value *value = &v.values[row * v.stride];
  tm_reason reason = (tm_reason)(faults->reason[row] - 1);
  char message[512];
  tm_text_column_explain(message, sizeof message, reason, &p->reading->schema->fields[column],
                         data + value->begin, value->end - value->begin);
  const char *line_end = memchr(data + from, '\n', p->block->size - from);
  return refuse(p, from, (uint32_t)(line_end - data), p->row_line[row], reason, message, err);
}

static void set_lines(void *parser, uint64_t *out, uint32_t rows) {
  memcpy(out, ((tm_parser *)parser)->row_line, rows * sizeof *out);
}

int tm_jsonl_parser_next(tm_parser *p, tm_batch **out, tm_error *err) {
  *out = NULL;
  p->rows = 0;
  while (p->rows < p->reading->batch_rows && p->at < p->block->size) {
    if (take_line(p, err) < 0) return -1;
  }
  if (p->rows == 0) {
    tm_block_release(p->block);
    p->block = NULL;
    return 0;
  }
  tm_batch *batch = tm_batch_create(p->budget, p->reading->schema, p->rows);
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
  *out = batch;
  return 1;
}
