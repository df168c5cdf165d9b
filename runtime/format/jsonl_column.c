/* format/jsonl_column.c: see jsonl_column.h. Values that a type takes go to the kernels as texts;
 * what it does not take is found beforehand, and null reaches them as the empty text. */
#include "format/jsonl_column.h"

#include <strings.h>

#include "kernel/utf8.h"

static inline const tm_json_value *value_at(const tm_jsonl_values *v, uint32_t row) {
  return &v->values[row * v->stride];
}

static bool is_word(const char *text, size_t size, const char *word) {
  return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

/* What JSON has no numbers for. */
static bool is_not_finite(const char *text, size_t size) {
  if (size > 0 && (*text == '-' || *text == '+')) text++, size--;
  return is_word(text, size, "nan") || is_word(text, size, "inf") ||
         is_word(text, size, "infinity");
}

/* May a value of this kind stand in a column of this type? The kernels look at its text. */
static bool takes(const tm_text_rules *rules, tm_type type, const char *text, size_t size,
                  tm_json_kind kind) {
  if (kind == TM_JSON_COMPLEX) return false;
  bool word = kind == TM_JSON_WORD;
  switch ((tm_kind)type.kind) {
    case TM_BOOL: return word && (*text == 't' || *text == 'f');
    case TM_FLOAT64: return word || is_not_finite(text, size);
    case TM_DATE:
    case TM_BYTES: return !word;
    case TM_TIMESTAMP: return !word || rules->epoch_digits >= 0;
    default: return true;
  }
}

/* Strings with escapes that are no strings of ours: rare enough to be read one by one. */
static int read_escaped(const tm_text_rules *rules, const tm_jsonl_values *v, tm_batch *batch,
                        uint32_t column, uint32_t row, tm_faults *faults) {
  const tm_json_value *value = value_at(v, row);
  size_t size = value->end - value->begin;
  char *text = tm_batch_alloc(batch, size + 80);
  if (text == NULL) return -1;
  memset(text, 0, size + 80);
  text[0] = '"'; /* marks it as a string, as in the document */
  int64_t used = tm_json_unescape(v->data + value->begin, size, text + 1);
  if (used < 0) {
    tm_faults_add(faults, row, used == -1 ? TM_REASON_JSON : TM_REASON_ENCODING, column);
    return 0;
  }
  tm_column *c = &batch->columns[column];
  tm_batch one = {.schema = batch->schema, .rows = 1, .selected = 1, .columns = batch->columns};
  tm_column saved = *c;
  uint32_t begin = 1, end = (uint32_t)used + 1;
  uint8_t reason = 0, status, local;
  uint32_t at = 0;
  tm_faults mine = {.reason = &reason, .column = &at};
  tm_text_fields f = {.base = text, .begin = &begin, .end = &end, .rows = 1, .utf8 = true,
                      .status = &status, .local = &local};
  tm_arena_init(&one.arena, batch->arena.budget);
  int done = tm_text_column_read(rules, &f, &one, column, &mine);
  size_t width = tm_type_width(c->type);
  if (done == 0 && used > 0) {
    if (c->type.kind == TM_BYTES && reason == 0) {
      const tm_str *made = c->data;
      done = tm_batch_text(batch, tm_str_bytes(made), made->size, &((tm_str *)saved.data)[row])
                 ? 0 : -1;
    } else {
      memcpy((char *)saved.data + row * width, c->data, width);
    }
  }
  *c = saved;
  tm_arena_deinit(&one.arena);
  if (reason != 0) tm_faults_add(faults, row, (tm_reason)(reason - 1), column);
  if (c->valid != NULL) c->valid[row] = 1;
  return done;
}

/* The texts for the kernels. Escaped ones are empty here. true: there are some. */
static bool gather(const tm_text_rules *rules, const tm_jsonl_values *v, tm_type type,
                   uint32_t column, tm_faults *faults) {
  bool escaped = false;
  for (uint32_t i = 0; i < v->rows; i++) {
    const tm_json_value *value = value_at(v, i);
    uint32_t begin = value->begin, end = value->end;
    if (value->kind == TM_JSON_NULL) {
      end = begin;
    } else if (value->kind == TM_JSON_ESCAPED) {
      escaped = true;
      if (!takes(rules, type, v->data + begin, end - begin, value->kind)) {
        tm_faults_add(faults, i, TM_REASON_TYPE, column);
      }
      end = begin;
    } else if (!takes(rules, type, v->data + begin, end - begin, value->kind) || end == begin) {
      /* An empty string is no null; only bytes have it as a value. */
      if (type.kind != TM_BYTES || value->kind != TM_JSON_STRING) {
        tm_faults_add(faults, i, TM_REASON_TYPE, column);
      }
      end = begin;
    }
    v->begin[i] = begin;
    v->end[i] = end;
  }
  return escaped;
}

/* Looks like null to the kernels, but is a string: empty bytes, or one with escapes. */
static bool is_hidden(const tm_json_value *value) {
  return value->kind == TM_JSON_ESCAPED ||
         (value->kind == TM_JSON_STRING && value->begin == value->end);
}

/* Such a string is no null after all. */
static void undo_null(tm_faults *faults, uint32_t row, uint32_t column) {
  if (faults->reason[row] != TM_REASON_NULL + 1 || faults->column[row] != column) return;
  faults->reason[row] = 0;
  faults->count--;
}

static int read_hidden(const tm_text_rules *rules, const tm_jsonl_values *v, tm_batch *batch,
                       uint32_t column, tm_faults *faults) {
  tm_column *c = &batch->columns[column];
  for (uint32_t i = 0; i < v->rows; i++) {
    const tm_json_value *value = value_at(v, i);
    if (!is_hidden(value)) continue;
    undo_null(faults, i, column);
    if (value->kind == TM_JSON_ESCAPED) {
      if (read_escaped(rules, v, batch, column, i, faults) < 0) return -1;
    } else if (c->type.kind == TM_BYTES) {
      if (c->valid != NULL) c->valid[i] = 1;
      ((tm_str *)c->data)[i] = tm_str_make("", 0);
    }
  }
  return 0;
}

int tm_jsonl_column_read(const tm_text_rules *rules, const tm_jsonl_values *v, tm_batch *batch,
                         uint32_t column, tm_faults *faults) {
  tm_type type = batch->columns[column].type;
  bool escaped = gather(rules, v, type, column, faults);
  tm_text_fields f = {.base = v->data, .begin = v->begin, .end = v->end, .rows = v->rows,
                      .utf8 = v->utf8, .status = v->status, .local = v->local};
  if (tm_text_column_read(rules, &f, batch, column, faults) < 0) return -1;
  if (!escaped && type.kind != TM_BYTES) return 0;
  return read_hidden(rules, v, batch, column, faults);
}

/* ---------------------------------------------------------------- strings */

void tm_jsonl_column_check(const tm_jsonl_values *v, tm_type type, uint32_t column,
                           tm_faults *faults) {
  for (uint32_t i = 0; i < v->rows; i++) {
    const tm_json_value *value = value_at(v, i);
    const char *text = v->data + value->begin;
    size_t size = value->end - value->begin;
    if (value->kind == TM_JSON_STRING) {
      if (!v->utf8 && !tm_utf8_valid(text, size)) {
        tm_faults_add(faults, i, TM_REASON_ENCODING, column);
      }
    } else if (value->kind == TM_JSON_NULL) {
      if (type.not_null) tm_faults_add(faults, i, TM_REASON_NULL, column);
    } else if (value->kind == TM_JSON_ESCAPED) {
      int64_t used = tm_json_unescape(text, size, NULL);
      if (used == -1) tm_faults_add(faults, i, TM_REASON_JSON, column);
      bool valid = used >= 0 && (v->utf8 || tm_utf8_valid(text, size));
      if (used == -2 || !valid) tm_faults_add(faults, i, TM_REASON_ENCODING, column);
    } else {
      tm_faults_add(faults, i, TM_REASON_TYPE, column);
    }
  }
}

int tm_jsonl_column_make(const tm_jsonl_values *v, tm_batch *batch, uint32_t column,
                         bool *borrows) {
  if (tm_batch_column(batch, column, true) < 0) return -1;
  tm_column *c = &batch->columns[column];
  tm_str *out = c->data;
  uint32_t longest = 0;
  uint8_t all = 1;
  for (uint32_t k = 0; k < batch->selected; k++) {
    uint32_t row = tm_batch_row(batch, k);
    const tm_json_value *value = value_at(v, row);
    uint32_t size = value->end - value->begin;
    const char *text = v->data + value->begin;
    uint8_t there = value->kind != TM_JSON_NULL;
    c->valid[row] = there;
    all &= there;
    if (value->kind == TM_JSON_ESCAPED) {
      char *plain = tm_batch_alloc(batch, size + 1);
      if (plain == NULL) return -1;
      int64_t used = tm_json_unescape(text, size, plain);
      out[row] = tm_str_make(plain, used < 0 ? 0 : (size_t)used);
      continue;
    }
    if (!there) size = 0;
    out[row] = tm_text_view(text, size);
    longest = size > longest ? size : longest;
  }
  if (all) c->valid = NULL;
  if (longest > TM_STR_INLINE) *borrows = true;
  return 0;
}
