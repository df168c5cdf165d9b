/* format/msgpack_read.c: a block of MessagePack maps becomes batches. */
#include <assert.h>
#include <stdio.h>

#include "format/assemble.h"
#include "format/jsonl_wants.h"
#include "format/msgpack.h"
#include "kernel/print.h"

struct tm_parser {
  const tm_reading *reading;
  tm_budget *budget;
  tm_parser_hooks hooks;
  tm_arena arena;
  tm_jsonl_wants wants;
  tm_block *block;
  uint32_t at;
  uint64_t number, batches; /* of the record; of the batch */
  uint32_t rows;
  tm_msgpack_value *values;
  uint32_t *row_begin, *row_end, *fault_columns;
  uint64_t *row_number;
  uint8_t *fault_reasons;
  tm_bytes text; /* of a refused record */
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

static bool allocate(tm_parser *p) {
  size_t rows = p->reading->batch_rows;
  if (tm_jsonl_wants_build(&p->arena, p->reading, &p->wants) < 0) return false;
  p->values = tm_arena_alloc(&p->arena, (rows * p->wants.slot_count + 1) * sizeof *p->values);
  p->row_begin = tm_arena_alloc(&p->arena, rows * sizeof *p->row_begin);
  p->row_end = tm_arena_alloc(&p->arena, rows * sizeof *p->row_end);
  p->row_number = tm_arena_alloc(&p->arena, rows * sizeof *p->row_number);
  p->fault_columns = tm_arena_alloc(&p->arena, rows * sizeof *p->fault_columns);
  p->fault_reasons = tm_arena_alloc(&p->arena, rows);
  return p->values != NULL && p->row_begin != NULL && p->row_end != NULL &&
         p->row_number != NULL && p->fault_columns != NULL && p->fault_reasons != NULL;
}

tm_parser *tm_msgpack_parser_create(const tm_reading *reading, tm_budget *budget,
                                    const tm_parser_hooks *hooks, tm_error *err) {
  tm_parser *p = tm_alloc_zero(budget, sizeof *p);
  if (p == NULL) {
    no_memory(err);
    return NULL;
  }
  p->reading = reading;
  p->budget = budget;
  p->hooks = *hooks;
  tm_arena_init(&p->arena, budget);
  tm_bytes_init(&p->text, budget);
  if (allocate(p)) return p;
  tm_msgpack_parser_destroy(p);
  no_memory(err);
  return NULL;
}

void tm_msgpack_parser_destroy(tm_parser *p) {
  if (p == NULL) return;
  tm_block_release(p->block);
  tm_bytes_deinit(&p->text);
  tm_arena_deinit(&p->arena);
  tm_free(p->budget, p, sizeof *p);
}

/* The record is shown as JSON. */
static int refuse(tm_parser *p, uint32_t from, uint32_t to, uint64_t number, tm_reason reason,
                  const char *message, tm_error *err) {
  tm_bytes_clear(&p->text);
  if (!tm_msgpack_json(&p->text, (const uint8_t *)p->block->data, from, to)) return no_memory(err);
  tm_refusal refusal = {.reason = reason, .message = message, .raw = (const char *)p->text.data,
                        .raw_size = p->text.size, .block = p->block, .line = number,
                        .offset = p->block->offset + from};
  return p->hooks.refuse(p->hooks.context, &refusal, err);
}

int tm_msgpack_parser_begin(tm_parser *p, tm_block *block, tm_error *err) {
  assert(p->block == NULL && block->size < UINT32_MAX);
  p->block = tm_block_retain(block);
  p->at = 0;
  p->number = block->first_line;
  p->batches = block->first_batch;
  if (!block->too_long) return 0;
  char message[80];
  p->at = (uint32_t)block->size;
  snprintf(message, sizeof message, "a record of more than %zu MiB",
           p->reading->record_bytes_max >> 20);
  return refuse(p, 0, (uint32_t)block->size, block->first_line, TM_REASON_TOO_LONG, message, err);
}

static int take_record(tm_parser *p, tm_error *err) {
  const uint8_t *data = (const uint8_t *)p->block->data;
  uint32_t size = (uint32_t)p->block->size, after = p->at;
  tm_msgpack_value *slots = &p->values[(size_t)p->rows * p->wants.slot_count], whole;
  memset(slots, 0, p->wants.slot_count * sizeof *slots);
  const char *wrong = tm_msgpack_read_map(data, p->at, size, &p->wants.root, slots, &after);
  if (wrong == NULL) {
    p->row_begin[p->rows] = p->at;
    p->row_end[p->rows] = after;
    p->row_number[p->rows++] = p->number;
  } else {
    /* The split has seen that it is whole; only its end has to be found again. */
    if (tm_msgpack_skip(data, p->at, size, &whole, &after) != NULL) after = size;
    if (refuse(p, p->at, after, p->number, TM_REASON_JSON, wrong, err) < 0) return -1;
  }
  p->at = after;
  p->number++;
  return 0;
}

/* ---------------------------------------------------------------- a batch */

static tm_msgpack_values values_of(const tm_parser *p, uint32_t column) {
  static const tm_msgpack_value none;
  int32_t slot = p->wants.slot_of[column];
  return (tm_msgpack_values){
    .data = (const uint8_t *)p->block->data,
    .values = slot == TM_JSON_NONE ? &none : p->values + slot,
    .stride = slot == TM_JSON_NONE ? 0 : p->wants.slot_count, .rows = p->rows,
    .epoch_digits = p->reading->options.epoch_digits,
  };
}

const tm_block *tm_msgpack_parser_rest(const tm_parser *p, tm_parser_rest *out) {
  *out = (tm_parser_rest){.from = p->at, .line = p->number, .batches = (uint32_t)p->batches};
  return p->block;
}

static int read_column(void *parser, tm_batch *batch, uint32_t column, tm_faults *faults) {
  tm_msgpack_values v = values_of(parser, column);
  return tm_msgpack_column_read(&v, batch, column, faults);
}

static void check_column(void *parser, const tm_batch *batch, uint32_t column, tm_faults *faults) {
  tm_msgpack_values v = values_of(parser, column);
  tm_msgpack_column_check(&v, batch->columns[column].type, column, faults);
}

static int make_column(void *parser, tm_batch *batch, uint32_t column, bool *borrows) {
  tm_msgpack_values v = values_of(parser, column);
  return tm_msgpack_column_make(&v, batch, column, borrows);
}

/* The value at fault as text, for the message. */
static bool show(tm_parser *p, const tm_msgpack_value *v) {
  char text[TM_PRINT_MAX];
  const char *bytes = p->block->data + v->begin;
  tm_bytes_clear(&p->text);
  switch (v->kind) {
    case TM_MSGPACK_INT: return tm_bytes_append(&p->text, text, tm_print_int64(text, v->integer));
    case TM_MSGPACK_UINT:
      return tm_bytes_append(&p->text, text, tm_print_decimal(text, (__int128)v->natural, 0));
    case TM_MSGPACK_FLOAT:
      return tm_bytes_append(&p->text, text, tm_print_float64(text, v->number));
    case TM_MSGPACK_BOOL: return tm_bytes_append_text(&p->text, v->boolean ? "true" : "false");
    case TM_MSGPACK_MAP:
    case TM_MSGPACK_ARRAY:
      return tm_msgpack_json(&p->text, (const uint8_t *)p->block->data, v->begin, v->end);
    default: return tm_bytes_append(&p->text, bytes, v->end - v->begin);
  }
}

static int refuse_row(void *parser, uint32_t row, const tm_faults *faults, tm_error *err) {
  tm_parser *p = parser;
  uint32_t column = faults->column[row];
  tm_msgpack_values v = values_of(p, column);
  tm_reason reason = (tm_reason)(faults->reason[row] - 1);
  char message[512];
  if (!show(p, &v.values[row * v.stride])) return no_memory(err);
  tm_text_column_explain(message, sizeof message, reason, &p->reading->schema->fields[column],
                         p->text.size > 0 ? (const char *)p->text.data : "", p->text.size);
  return refuse(p, p->row_begin[row], p->row_end[row], p->row_number[row], reason, message, err);
}

static void set_lines(void *parser, uint64_t *out, uint32_t rows) {
  memcpy(out, ((tm_parser *)parser)->row_number, rows * sizeof *out);
}

int tm_msgpack_parser_next(tm_parser *p, tm_batch **out, tm_error *err) {
  *out = NULL;
  p->rows = 0;
  while (p->rows < p->reading->batch_rows && p->at < p->block->size) {
    if (take_record(p, err) < 0) return -1;
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
