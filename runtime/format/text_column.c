/* format/text_column.c: see text_column.h.
 *
 * The kernels do all rows of a column at once and say how many failed or were empty; only then
 * does anybody look at single rows. Strings are made last and only for rows that are still there.
 */
#include "format/text_column.h"

#include <assert.h>
#include <stdio.h>

#include "format/base64.h"
#include "format/exact_number.h"
#include "kernel/number_text.h"
#include "kernel/utf8.h"

void tm_faults_add(tm_faults *faults, uint32_t row, tm_reason reason, uint32_t column) {
  if (faults->reason[row] != 0) return;
  faults->reason[row] = (uint8_t)(reason + 1);
  faults->column[row] = column;
  faults->count++;
}

/* ---------------------------------------------------------------- fields */

static bool is_null_word(const tm_text_rules *rules, const char *text, size_t size) {
  for (uint32_t i = 0; i < rules->null_count; i++) {
    if (tm_text_is_word(text, size, rules->nulls[i])) return true;
  }
  return false;
}

static inline bool is_quoted(const tm_text_rules *rules, const char *text, size_t size) {
  return size >= 2 && *text == rules->quote;
}

/* Bare null words become empty; quotes go. */
static void strip(const tm_text_rules *rules, tm_text_fields *f) {
  bool quoted = f->quoted && rules->quote != 0;
  for (uint32_t i = 0; i < f->rows && (quoted || rules->null_count > 0); i++) {
    const char *text = f->base + f->begin[i];
    size_t size = f->end[i] - f->begin[i];
    if (quoted && is_quoted(rules, text, size)) {
      f->begin[i]++;
      f->end[i]--;
    } else if (is_null_word(rules, text, size)) {
      f->end[i] = f->begin[i];
    }
  }
}

/* ---------------------------------------------------------------- values */

static tm_reason reason_of(int status) {
  switch (status) {
    case TM_PARSE_RANGE: return TM_REASON_RANGE;
    case TM_PARSE_SCALE: return TM_REASON_SCALE;
    default: return TM_REASON_TYPE;
  }
}

/* A JSON number that the kernels do not read: with a point or an exponent, but exact. */
static int read_exactly(const tm_text_rules *rules, const tm_text_fields *f, tm_column *c,
                        uint32_t row, int status) {
  bool exact = tm_type_is_integer(c->type) || c->type.kind == TM_DECIMAL;
  if (!rules->json_numbers || !exact || status == TM_PARSE_RANGE) return status;
  const char *text = f->base + f->begin[row];
  if (text[-1] == '"') return status;
  return tm_exact_number_store(text, f->end[row] - f->begin[row], c->type,
                               (char *)c->data + row * tm_type_width(c->type));
}

/* The status of every row into nulls and faults. */
static int settle(const tm_text_rules *rules, tm_text_fields *f, tm_batch *batch, uint32_t column,
                  tm_faults *faults) {
  tm_column *c = &batch->columns[column];
  bool not_null = c->type.not_null;
  if (!not_null) {
    c->valid = tm_batch_alloc(batch, batch->rows + 64);
    if (c->valid == NULL) return -1;
    memset(c->valid, 1, batch->rows);
  }
  for (uint32_t i = 0; i < f->rows; i++) {
    if (f->status[i] == 0) continue;
    if (f->status[i] != TM_PARSE_EMPTY) {
      int status = read_exactly(rules, f, c, i, (int8_t)f->status[i]);
      if (status != TM_PARSE_OK) tm_faults_add(faults, i, reason_of(status), column);
    } else if (not_null) {
      tm_faults_add(faults, i, TM_REASON_NULL, column);
    } else {
      c->valid[i] = 0;
    }
  }
  return 0;
}

/* Rows whose text had no offset show the clock of the column's zone. */
static void apply_zone(tm_text_fields *f, const tm_zone *zone, int64_t *us, uint32_t column,
                       tm_faults *faults) {
  tm_zone_hint hint = {0};
  for (uint32_t i = 0; i < f->rows; i++) {
    if (f->status[i] != 0 || !f->local[i]) continue;
    if (tm_zone_to_utc_hint(zone, us[i], &us[i], &hint) == TM_ZONE_GAP) {
      tm_faults_add(faults, i, TM_REASON_ZONE_GAP, column);
    }
  }
}

/* Numbers since the epoch; what is no number is read as a text. */
static size_t read_epoch(const tm_text_rules *rules, tm_text_fields *f, int64_t *us) {
  size_t wrong = tm_parse_decimal64_column(f->base, f->begin, f->end, f->rows, TM_DECIMAL_SHORT,
                                           6 - rules->epoch_digits, us, f->status);
  memset(f->local, 0, f->rows);
  for (uint32_t i = 0; wrong > 0 && i < f->rows; i++) {
    if ((int8_t)f->status[i] != TM_PARSE_TYPE) continue;
    uint8_t status;
    tm_parse_timestamp_column(f->base, &f->begin[i], &f->end[i], 1, &us[i], &f->local[i], &status);
    f->status[i] = status;
  }
  return wrong;
}

static size_t read_timestamp(const tm_text_rules *rules, tm_text_fields *f, tm_type type,
                             int64_t *us, uint32_t column, tm_faults *faults) {
  size_t wrong;
  if (rules->epoch_digits >= 0) {
    wrong = read_epoch(rules, f, us);
  } else {
    wrong = tm_parse_timestamp_column(f->base, f->begin, f->end, f->rows, us,
                                      type.zone != NULL ? f->local : NULL, f->status);
  }
  if (type.zone != NULL) apply_zone(f, type.zone, us, column, faults);
  return wrong;
}

/* Base64 into the arena of the batch. */
static int read_bytes(tm_text_fields *f, tm_batch *batch, tm_str *out, size_t *wrong) {
  for (uint32_t i = 0; i < f->rows; i++) {
    size_t size = f->end[i] - f->begin[i];
    f->status[i] = 0;
    char *to = tm_batch_alloc(batch, tm_base64_decoded_max(size) + 1);
    if (to == NULL) return -1;
    int64_t decoded = tm_base64_decode(f->base + f->begin[i], size, to);
    if (decoded < 0) f->status[i] = (uint8_t)TM_PARSE_TYPE;
    else out[i] = tm_str_make(to, (size_t)decoded);
    *wrong += decoded < 0;
  }
  return 0;
}

/* Empty bare fields are null, "" is empty bytes: told apart before the quotes go. */
static int read_bytes_column(const tm_text_rules *rules, tm_text_fields *f, tm_batch *batch,
                             uint32_t column, tm_faults *faults) {
  tm_column *c = &batch->columns[column];
  size_t wrong = 0;
  memset(f->local, 0, f->rows);
  for (uint32_t i = 0; i < f->rows; i++) {
    const char *text = f->base + f->begin[i];
    size_t size = f->end[i] - f->begin[i];
    f->local[i] = (size == 0 && rules->empty_is_null) || is_null_word(rules, text, size);
  }
  strip(rules, f);
  if (read_bytes(f, batch, c->data, &wrong) < 0) return -1;
  for (uint32_t i = 0; i < f->rows; i++) {
    if (!f->local[i]) continue;
    f->status[i] = TM_PARSE_EMPTY;
    wrong++;
  }
  return wrong > 0 ? settle(rules, f, batch, column, faults) : 0;
}

int tm_text_column_read(const tm_text_rules *rules, tm_text_fields *f, tm_batch *batch,
                        uint32_t column, tm_faults *faults) {
  tm_column *c = &batch->columns[column];
  tm_type type = c->type;
  size_t wrong;
  if (tm_batch_column(batch, column, false) < 0) return -1;
  if (type.kind == TM_BYTES) return read_bytes_column(rules, f, batch, column, faults);
  strip(rules, f);
  const char *base = f->base;
  const uint32_t *begin = f->begin, *end = f->end;
  uint8_t *status = f->status;
  switch ((tm_kind)type.kind) {
    case TM_BOOL: wrong = tm_parse_bool_column(base, begin, end, f->rows, c->data, status); break;
    case TM_INT32: wrong = tm_parse_int32_column(base, begin, end, f->rows, c->data, status); break;
    case TM_INT64: wrong = tm_parse_int64_column(base, begin, end, f->rows, c->data, status); break;
    case TM_FLOAT64:
      wrong = tm_parse_float64_column(base, begin, end, f->rows, c->data, status);
      break;
    case TM_DATE: wrong = tm_parse_date_column(base, begin, end, f->rows, c->data, status); break;
    case TM_TIMESTAMP: wrong = read_timestamp(rules, f, type, c->data, column, faults); break;
    case TM_DECIMAL:
      wrong = type.precision <= TM_DECIMAL_SHORT
                  ? tm_parse_decimal64_column(base, begin, end, f->rows, type.precision,
                                              type.scale, c->data, status)
                  : tm_parse_decimal128_column(base, begin, end, f->rows, type.precision,
                                               type.scale, c->data, status);
      break;
    default: assert(!"a string has its own functions"); return -1;
  }
  return wrong > 0 ? settle(rules, f, batch, column, faults) : 0;
}

/* ---------------------------------------------------------------- strings */

void tm_text_column_check(const tm_text_rules *rules, const tm_text_fields *f, tm_type type,
                          uint32_t column, tm_faults *faults) {
  if (f->utf8 && !type.not_null) return;
  for (uint32_t i = 0; i < f->rows; i++) {
    const char *text = f->base + f->begin[i];
    size_t size = f->end[i] - f->begin[i];
    bool null = (size == 0 && rules->empty_is_null) || is_null_word(rules, text, size);
    if (null && type.not_null) tm_faults_add(faults, i, TM_REASON_NULL, column);
    if (!f->utf8 && !tm_utf8_valid(text, size)) {
      tm_faults_add(faults, i, TM_REASON_ENCODING, column);
    }
  }
}

/* Without the doubled or escaped quotes of a quoted field. */
static int unescape(const tm_text_rules *rules, tm_batch *batch, const char *text, size_t size,
                    tm_str *out) {
  char *to = tm_batch_alloc(batch, size + 1);
  if (to == NULL) return -1;
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    bool pair = i + 1 < size && ((text[i] == rules->quote && text[i + 1] == rules->quote) ||
                                 (rules->escape != 0 && text[i] == rules->escape &&
                                  (text[i + 1] == rules->quote || text[i + 1] == rules->escape)));
    if (pair) i++;
    to[used++] = text[i];
  }
  *out = tm_str_make(to, used);
  return 0;
}

static int make_odd(const tm_text_rules *rules, const tm_text_fields *f, tm_batch *batch,
                    uint32_t row, tm_str *out, uint8_t *valid, uint32_t *longest) {
  const char *text = f->base + f->begin[row];
  uint32_t size = f->end[row] - f->begin[row];
  *valid = 1;
  if (f->quoted && rules->quote != 0 && is_quoted(rules, text, size)) {
    text++;
    size -= 2;
    if (memchr(text, rules->quote, size) != NULL ||
        (rules->escape != 0 && memchr(text, rules->escape, size) != NULL)) {
      return unescape(rules, batch, text, size, out);
    }
  } else if ((size == 0 && rules->empty_is_null) || is_null_word(rules, text, size)) {
    *valid = 0;
  }
  *out = tm_text_view(text, size);
  if (size > *longest) *longest = size;
  return 0;
}

/* Bare fields without null words. */
static uint32_t make_plain(const tm_text_fields *f, const tm_batch *batch, tm_str *restrict out,
                           uint8_t *restrict valid, uint8_t *all_valid, bool empty_is_null) {
  uint32_t longest = 0;
  uint8_t all = 1;
  if (batch->selection == NULL) {
    for (uint32_t i = 0; i < f->rows; i++) {
      uint32_t size = f->end[i] - f->begin[i];
      out[i] = tm_text_view(f->base + f->begin[i], size);
      valid[i] = size > 0 || !empty_is_null;
      all &= valid[i];
      longest = size > longest ? size : longest;
    }
  } else {
    for (uint32_t k = 0; k < batch->selected; k++) {
      uint32_t i = batch->selection[k];
      uint32_t size = f->end[i] - f->begin[i];
      out[i] = tm_text_view(f->base + f->begin[i], size);
      valid[i] = size > 0 || !empty_is_null;
      all &= valid[i];
      longest = size > longest ? size : longest;
    }
  }
  *all_valid = all;
  return longest;
}

int tm_text_column_make(const tm_text_rules *rules, tm_text_fields *f, tm_batch *batch,
                        uint32_t column, bool *borrows) {
  tm_column *c = &batch->columns[column];
  if (tm_batch_column(batch, column, true) < 0) return -1;
  uint32_t longest = 0;
  uint8_t all = 1;
  if (f->quoted || rules->null_count > 0) {
    for (uint32_t k = 0; k < batch->selected; k++) {
      uint32_t row = tm_batch_row(batch, k);
      if (make_odd(rules, f, batch, row, &((tm_str *)c->data)[row], &c->valid[row], &longest) < 0) {
        return -1;
      }
      all &= c->valid[row];
    }
  } else {
    longest = make_plain(f, batch, c->data, c->valid, &all, rules->empty_is_null);
  }
  if (all) c->valid = NULL;
  if (longest > TM_STR_INLINE) *borrows = true;
  return 0;
}

/* ---------------------------------------------------------------- messages */

void tm_text_column_explain(char *out, size_t size, tm_reason reason, const tm_field *field,
                            const char *text, size_t text_size) {
  char type[TM_TYPE_TEXT_MAX];
  tm_type bare = field->type;
  bare.not_null = 0;
  tm_type_text(bare, type);
  size_t shown = text_size < 60 ? text_size : 60;
  shown = tm_utf8_valid_prefix(text, shown);
  const char *dots = shown < text_size ? "…" : "";
  int n = (int)shown;
  switch (reason) {
    case TM_REASON_NULL:
      snprintf(out, size, "null in column '%s', which is not null", field->name);
      break;
    case TM_REASON_ENCODING:
      snprintf(out, size, "invalid UTF-8 in column '%s'", field->name);
      break;
    case TM_REASON_RANGE:
      snprintf(out, size, "'%.*s%s' is out of range for %s in column '%s'", n, text, dots, type,
               field->name);
      break;
    case TM_REASON_SCALE:
      snprintf(out, size, "'%.*s%s' has more digits than %s in column '%s'", n, text, dots, type,
               field->name);
      break;
    case TM_REASON_ZONE_GAP:
      snprintf(out, size, "'%.*s%s' does not exist in zone %s, in column '%s'", n, text, dots,
               tm_zone_name(field->type.zone), field->name);
      break;
    default:
      snprintf(out, size, "'%.*s%s' is no %s, in column '%s'", n, text, dots, type, field->name);
  }
}
