/* format/assemble.c: see assemble.h. */
#include "format/assemble.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

bool tm_assemble_wants_strings(const tm_reading *r) {
  for (uint32_t c = 0; c < r->schema->count; c++) {
    if (r->schema->fields[c].type.kind == TM_STRING && tm_reading_checks(r, c)) return true;
  }
  return false;
}

static bool is_string(const tm_reading *r, uint32_t column) {
  return r->schema->fields[column].type.kind == TM_STRING;
}

static bool is_early(const tm_reading *r, uint32_t column) {
  if (!tm_reading_needs(r, column)) return false;
  return !r->filters || (r->early != NULL && r->early[column]);
}

static int read_early(const tm_assembly *a, tm_batch *batch, tm_faults *faults, bool *borrows) {
  const tm_reading *r = a->reading;
  for (uint32_t c = 0; c < r->schema->count; c++) {
    if (!tm_reading_checks(r, c)) continue;
    if (!is_string(r, c)) {
      if (a->read(a->parser, batch, c, faults) < 0) return -1;
      continue;
    }
    a->check(a->parser, batch, c, faults);
    if (is_early(r, c) && a->make(a->parser, batch, c, borrows) < 0) return -1;
  }
  return 0;
}

static int read_late(const tm_assembly *a, tm_batch *batch, bool *borrows) {
  const tm_reading *r = a->reading;
  for (uint32_t c = 0; c < r->schema->count && batch->selected > 0; c++) {
    if (!is_string(r, c) || !tm_reading_needs(r, c) || is_early(r, c)) continue;
    if (a->make(a->parser, batch, c, borrows) < 0) return -1;
  }
  return 0;
}

/* Refuses the rows at fault and leaves the others selected. */
static int drop_faults(const tm_assembly *a, tm_batch *batch, const tm_faults *faults,
                       tm_error *err) {
  if (faults->count == 0) return 0;
  batch->selection = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *batch->selection);
  if (batch->selection == NULL) return no_memory(err);
  batch->selected = 0;
  for (uint32_t i = 0; i < batch->rows; i++) {
    if (faults->reason[i] == 0) batch->selection[batch->selected++] = i;
    else if (a->refuse(a->parser, i, faults, err) < 0) return -1;
  }
  return 0;
}

static int set_lines(const tm_assembly *a, tm_batch *batch, tm_error *err) {
  if (!a->reading->ordinals) return 0;
  batch->ordinals = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *batch->ordinals);
  if (batch->ordinals == NULL) return no_memory(err);
  a->lines(a->parser, batch->ordinals, batch->rows);
  return 0;
}

int tm_assemble(const tm_assembly *a, tm_batch *batch, tm_error *err) {
  const tm_block *b = a->block;
  tm_faults faults = {.reason = a->fault_reasons, .column = a->fault_columns};
  bool borrows = false;
  memset(faults.reason, 0, batch->rows);
  batch->origin = (tm_origin){
    .source = a->reading->source, .file = b->file, .file_index = b->file_index};
  batch->sequence = b->sequence << 32 | a->number;
  if (set_lines(a, batch, err) < 0) return -1;
  if (read_early(a, batch, &faults, &borrows) < 0) return no_memory(err);
  if (drop_faults(a, batch, &faults, err) < 0) return -1;
  if (a->reading->filters && a->hooks->filter(a->hooks->context, batch, err) < 0) return -1;
  if (a->reading->filters && read_late(a, batch, &borrows) < 0) return no_memory(err);
  if (!borrows) return 0;
  if (tm_batch_pin(batch, a->block, tm_block_unpin) < 0) return no_memory(err);
  tm_block_retain(a->block);
  return 0;
}
