/* format/table.c: batches as a table for people at a terminal.
 *
 * The first rows are kept until their widths are known; then they and all later ones are written
 * with those widths, so that a long result streams; those of a live one are known with its first
 * rows. Numbers stand to the right. A text is cut
 * where it is wider than its share of the terminal; a later one that is too wide breaks its line
 * rather than lose anything that looks like a number. */
#include "format/cell_text.h"
#include "format/format.h"
#include "kernel/utf8.h"

enum { KEPT_ROWS = 1000, CELL_MAX = 60, CELL_MIN = 8, GAP = 2 };

typedef struct cell { size_t at; uint32_t size, width; } cell;

struct tm_writer {
  tm_budget *budget;
  const tm_schema *schema;
  uint32_t width_max;
  tm_bytes text;     /* of kept cells */
  tm_bytes cells;    /* of kept rows: schema->count cells each */
  uint32_t kept;
  uint32_t *widths;
  bool begun, live;
};

static size_t widths_bytes(const tm_writer *w) { return (w->schema->count + 1) * sizeof(uint32_t); }

static void table_writer_destroy(tm_writer *w) {
  if (w == NULL) return;
  tm_bytes_deinit(&w->text);
  tm_bytes_deinit(&w->cells);
  if (w->widths != NULL) tm_free(w->budget, w->widths, widths_bytes(w));
  tm_free(w->budget, w, sizeof *w);
}

static tm_writer *table_writer_create(const tm_writing *writing, tm_error *err) {
  tm_writer *w = tm_alloc_zero(writing->budget, sizeof *w);
  if (w != NULL) {
    w->budget = writing->budget;
    w->schema = writing->schema;
    w->width_max = writing->width_max;
    w->live = writing->live;
    tm_bytes_init(&w->text, writing->budget);
    tm_bytes_init(&w->cells, writing->budget);
    w->widths = tm_alloc_zero(writing->budget, widths_bytes(w));
    if (w->widths != NULL) return w;
  }
  table_writer_destroy(w);
  tm_fail(err, TM_E_MEMORY, "writing: out of memory");
  return NULL;
}

static bool is_right(tm_type type) { return tm_type_is_number(type); }
static bool is_text(tm_type type) { return type.kind == TM_STRING || type.kind == TM_BYTES; }

/* Control characters would break the lines of the table. */
static void show_controls(uint8_t *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (text[i] < 0x20 || text[i] == 0x7f) text[i] = ' ';
  }
}

static bool keep_cell(tm_writer *w, const tm_column *c, uint32_t row, cell *out) {
  out->at = w->text.size;
  bool null = c->type.kind == TM_NULLTYPE || tm_column_is_null(c, row);
  if (!(null ? tm_bytes_append_text(&w->text, "·") : tm_cell_text_append(c, row, &w->text))) {
    return false;
  }
  out->size = (uint32_t)(w->text.size - out->at);
  show_controls(w->text.data + out->at, out->size);
  out->width = (uint32_t)tm_utf8_length((const char *)w->text.data + out->at, out->size);
  return true;
}

static bool keep_row(tm_writer *w, const tm_batch *batch, uint32_t row) {
  for (uint32_t i = 0; i < w->schema->count; i++) {
    cell one;
    if (!keep_cell(w, &batch->columns[i], row, &one)) return false;
    if (!tm_bytes_append(&w->cells, &one, sizeof one)) return false;
  }
  w->kept++;
  return true;
}

/* Texts share what the other columns leave of the terminal. */
static void choose_widths(tm_writer *w) {
  uint32_t count = w->schema->count, texts = 0, fixed = 0;
  for (uint32_t i = 0; i < count; i++) {
    const char *name = w->schema->fields[i].name;
    w->widths[i] = (uint32_t)tm_utf8_length(name, strlen(name));
  }
  for (uint32_t r = 0; r < w->kept; r++) {
    const cell *row = (const cell *)w->cells.data + (size_t)r * count;
    for (uint32_t i = 0; i < count; i++) {
      if (row[i].width > w->widths[i]) w->widths[i] = row[i].width;
    }
  }
  for (uint32_t i = 0; i < count; i++) {
    bool text = is_text(w->schema->fields[i].type);
    texts += text;
    fixed += GAP + (text ? 0 : w->widths[i]);
  }
  uint32_t share = CELL_MAX;
  if (w->width_max > 0 && texts > 0) {
    uint32_t left = w->width_max > fixed ? w->width_max - fixed : 0;
    share = left / texts > CELL_MIN ? left / texts : CELL_MIN;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (is_text(w->schema->fields[i].type) && w->widths[i] > share) w->widths[i] = share;
  }
}

static bool put_spaces(tm_bytes *out, uint32_t count) {
  if (count == 0) return true;
  if (!tm_bytes_reserve(out, count)) return false;
  memset(out->data + out->size, ' ', count);
  out->size += count;
  return true;
}

/* The bytes of the first `width` characters. */
static size_t cut(const char *text, size_t size, uint32_t width) {
  size_t at = 0;
  while (at < size && width-- > 0) at += tm_utf8_step((unsigned char)text[at]);
  return at < size ? at : size;
}

static bool put_cell(tm_writer *w, uint32_t column, const char *text, size_t size, uint32_t width,
                     tm_bytes *out) {
  uint32_t room = w->widths[column];
  tm_type type = w->schema->fields[column].type;
  bool last = column + 1 == w->schema->count;
  if (width > room && is_text(type)) {
    return tm_bytes_append(out, text, cut(text, size, room - 1)) &&
           tm_bytes_append_text(out, "…") && (last || put_spaces(out, GAP));
  }
  uint32_t pad = room > width ? room - width : 0;
  if (is_right(type)) {
    return put_spaces(out, pad) && tm_bytes_append(out, text, size) &&
           (last || put_spaces(out, GAP));
  }
  return tm_bytes_append(out, text, size) && (last || put_spaces(out, pad + GAP));
}

static bool put_head(tm_writer *w, tm_bytes *out) {
  uint32_t count = w->schema->count;
  for (uint32_t i = 0; i < count; i++) {
    const char *name = w->schema->fields[i].name;
    size_t size = strlen(name);
    if (!put_cell(w, i, name, size, (uint32_t)tm_utf8_length(name, size), out)) return false;
  }
  if (!tm_bytes_append_byte(out, '\n')) return false;
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t k = 0; k < w->widths[i]; k++) {
      if (!tm_bytes_append_text(out, "─")) return false;
    }
    if (i + 1 < count && !put_spaces(out, GAP)) return false;
  }
  return tm_bytes_append_byte(out, '\n');
}

static bool flush(tm_writer *w, tm_bytes *out) {
  uint32_t count = w->schema->count;
  if (!w->begun) {
    choose_widths(w);
    w->begun = true;
    if (!put_head(w, out)) return false;
  }
  for (uint32_t r = 0; r < w->kept; r++) {
    const cell *row = (const cell *)w->cells.data + (size_t)r * count;
    for (uint32_t i = 0; i < count; i++) {
      const char *text = (const char *)w->text.data + row[i].at;
      if (!put_cell(w, i, text, row[i].size, row[i].width, out)) return false;
    }
    if (!tm_bytes_append_byte(out, '\n')) return false;
  }
  w->kept = 0;
  tm_bytes_clear(&w->text);
  tm_bytes_clear(&w->cells);
  return true;
}

static int table_writer_write(tm_writer *w, const tm_batch *batch, tm_bytes *out, tm_error *err) {
  bool done = true;
  for (uint32_t k = 0; k < batch->selected && done; k++) {
    done = keep_row(w, batch, tm_batch_row(batch, k));
    if (done && w->kept == KEPT_ROWS) done = flush(w, out);
  }
  if (done && (w->begun || (w->live && w->kept > 0))) done = flush(w, out);
  return done ? 0 : tm_fail(err, TM_E_MEMORY, "writing: out of memory");
}

static int table_writer_finish(tm_writer *w, tm_bytes *out, tm_error *err) {
  return flush(w, out) ? 0 : tm_fail(err, TM_E_MEMORY, "writing: out of memory");
}

const tm_format tm_format_table = {
  .size = sizeof(tm_format),
  .name = "table",
  .writer_create = table_writer_create,
  .writer_write = table_writer_write,
  .writer_finish = table_writer_finish,
  .writer_destroy = table_writer_destroy,
};
