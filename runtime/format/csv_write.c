/* format/csv_write.c: batches as CSV.
 *
 * A string is quoted where reading it back would not give it: a delimiter, a quote, a line end, a
 * word that means null, the comment character at the start of a line, and the empty string, for an
 * empty bare field is null. No other type needs quotes, unless the delimiter is part of it. */
#include "format/cell_text.h"
#include "format/csv.h"
#include "format/text_column.h"

struct tm_writer {
  tm_budget *budget;
  const tm_schema *schema;
  tm_format_options options;
  bool begun;
  bool special[256]; /* characters that call for quotes */
  bool odd_numbers;  /* one of them occurs in numbers, dates or times */
  bool unquotable;   /* a text wanted quotes, and there are none */
};

tm_writer *tm_csv_writer_create(const tm_writing *writing, tm_error *err) {
  tm_writer *w = tm_alloc_zero(writing->budget, sizeof *w);
  if (w == NULL) {
    tm_fail(err, TM_E_MEMORY, "writing: out of memory");
    return NULL;
  }
  w->budget = writing->budget;
  w->schema = writing->schema;
  w->options = writing->options;
  if (w->options.delimiter == 0) w->options.delimiter = ',';
  w->special[(uint8_t)w->options.delimiter] = true;
  if (w->options.quote != 0) w->special[(uint8_t)w->options.quote] = true;
  w->special['\n'] = w->special['\r'] = true;
  if (w->options.escape != 0) w->special[(uint8_t)w->options.escape] = true;
  static const char in_numbers[] = "0123456789+-.:TZeEINafinrstuly";
  for (const char *c = in_numbers; *c != '\0'; c++) w->odd_numbers |= w->special[(uint8_t)*c];
  if (w->options.comment != 0 || w->options.null_count > 0) w->odd_numbers = true;
  return w;
}

void tm_csv_writer_destroy(tm_writer *w) {
  if (w != NULL) tm_free(w->budget, w, sizeof *w);
}

static bool put_quoted(tm_writer *w, const char *text, size_t size, tm_bytes *out) {
  char quote = w->options.quote, escape = w->options.escape;
  w->unquotable = quote == 0;
  if (quote == 0) return false;
  if (!tm_bytes_reserve(out, 2 * size + 2)) return false;
  char *to = (char *)out->data + out->size;
  *to++ = quote;
  for (size_t i = 0; i < size; i++) {
    if (text[i] == quote) *to++ = escape != 0 ? escape : quote;
    else if (escape != 0 && text[i] == escape) *to++ = escape;
    *to++ = text[i];
  }
  *to++ = quote;
  out->size = (size_t)(to - (char *)out->data);
  return true;
}

static bool wants_quotes(const tm_writer *w, const char *text, size_t size, bool first) {
  if (size == 0) return true;
  bool special = false;
  for (size_t i = 0; i < size; i++) special |= w->special[(uint8_t)text[i]];
  if (special || (first && w->options.comment != 0 && *text == w->options.comment)) return true;
  for (uint32_t i = 0; i < w->options.null_count; i++) {
    if (tm_text_is_word(text, size, w->options.nulls[i])) return true;
  }
  return false;
}

static bool put_text(tm_writer *w, const char *text, size_t size, bool first, tm_bytes *out) {
  if (wants_quotes(w, text, size, first)) return put_quoted(w, text, size, out);
  return tm_bytes_append(out, text, size);
}

static bool put_header(tm_writer *w, tm_bytes *out) {
  w->begun = true;
  if (!w->options.header) return true;
  for (uint32_t i = 0; i < w->schema->count; i++) {
    const char *name = w->schema->fields[i].name;
    if (i > 0 && !tm_bytes_append_byte(out, (uint8_t)w->options.delimiter)) return false;
    if (!put_text(w, name, strlen(name), i == 0, out)) return false;
  }
  return tm_bytes_append_byte(out, '\n');
}

/* Values that are no strings, where their characters may mean something to a reader. */
static bool put_odd(tm_writer *w, const tm_column *c, uint32_t row, bool first, tm_bytes *out) {
  tm_bytes text;
  tm_bytes_init(&text, w->budget);
  bool done = tm_cell_text_append(c, row, &text) &&
              put_text(w, (const char *)text.data, text.size, first, out);
  tm_bytes_deinit(&text);
  return done;
}

static bool put_cell(tm_writer *w, const tm_column *c, uint32_t row, bool first, tm_bytes *out) {
  if (c->type.kind == TM_NULLTYPE || tm_column_is_null(c, row)) return true;
  const tm_str *s = c->data;
  if (c->type.kind == TM_STRING) {
    return put_text(w, tm_str_bytes(&s[row]), s[row].size, first, out);
  }
  if (w->odd_numbers) return put_odd(w, c, row, first, out);
  if (c->type.kind == TM_BYTES && s[row].size == 0) return put_quoted(w, "", 0, out);
  return tm_cell_text_append(c, row, out);
}

static int fail(const tm_writer *w, tm_error *err) {
  if (!w->unquotable) return tm_fail(err, TM_E_MEMORY, "writing: out of memory");
  tm_fail(err, TM_E_WRITE, "a text that needs quotes cannot be written without them");
  return tm_error_help(err, "texts with delimiters or line ends and the empty text need them: "
                            "leave out quote = \"\"");
}

int tm_csv_writer_write(tm_writer *w, const tm_batch *batch, tm_bytes *out, tm_error *err) {
  bool done = w->begun || put_header(w, out);
  uint32_t columns = w->schema->count;
  for (uint32_t k = 0; k < batch->selected && done; k++) {
    uint32_t row = tm_batch_row(batch, k);
    for (uint32_t i = 0; i < columns && done; i++) {
      done = put_cell(w, &batch->columns[i], row, i == 0, out) &&
             (i + 1 == columns || tm_bytes_append_byte(out, (uint8_t)w->options.delimiter));
    }
    done = done && tm_bytes_append_byte(out, '\n');
  }
  return done ? 0 : fail(w, err);
}

int tm_csv_writer_finish(tm_writer *w, tm_bytes *out, tm_error *err) {
  return w->begun || put_header(w, out) ? 0 : fail(w, err);
}
