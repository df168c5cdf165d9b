/* format/text_column.h: fields of a text to a column of any type, by the rules of reference.md.
 *
 * Row i is the text from base + begin[i] up to base + end[i], quotes included; TM_BLOCK_PAD bytes
 * behind the text are readable. Fields that are no such value mark their row in the faults: the
 * first column of a row that fails counts. */
#ifndef TM_FORMAT_TEXT_COLUMN_H
#define TM_FORMAT_TEXT_COLUMN_H

#include "column/batch.h"
#include "column/reason.h"

typedef struct tm_text_rules {
  const char *const *nulls; /* words that mean null in a bare field */
  uint32_t null_count;
  int epoch_digits;         /* as in tm_format_options */
  char quote, escape;       /* 0: none */
  bool empty_is_null;       /* bare empty fields (csv); else they are empty strings */
  bool json_numbers;        /* a text without a quote before it is one: 1e2 is an integer */
} tm_text_rules;

typedef struct tm_text_fields {
  const char *base;
  uint32_t *begin, *end; /* may be changed */
  uint32_t rows;
  bool quoted;           /* some fields may be in quotes */
  bool utf8;             /* all of the text is known to be valid */
  /* Scratch, `rows` entries each. */
  uint8_t *status, *local;
} tm_text_fields;

/* Rows that are refused: reason is a tm_reason + 1, 0 where the row is well. */
typedef struct tm_faults {
  uint8_t *reason;
  uint32_t *column;
  uint32_t count;
} tm_faults;

void tm_faults_add(tm_faults *faults, uint32_t row, tm_reason reason, uint32_t column);

/* Any type but strings. 0, or -1: out of memory. */
int tm_text_column_read(const tm_text_rules *rules, tm_text_fields *fields, tm_batch *batch,
                        uint32_t column, tm_faults *faults);
/* What can be wrong with a string column; makes nothing. */
void tm_text_column_check(const tm_text_rules *rules, const tm_text_fields *fields, tm_type type,
                          uint32_t column, tm_faults *faults);
/* Makes a string column: of the selected rows of the batch if it has a selection. *borrows is set
 * where a value points into the text. 0, or -1: out of memory. */
int tm_text_column_make(const tm_text_rules *rules, tm_text_fields *fields, tm_batch *batch,
                        uint32_t column, bool *borrows);

/* Is the text that word, a C string? Texts may hold anything. */
static inline bool tm_text_is_word(const char *text, size_t size, const char *word) {
  for (size_t i = 0; i < size; i++) {
    if (word[i] != text[i] || word[i] == '\0') return false;
  }
  return word[size] == '\0';
}

/* A string value of `size` bytes at `text`; as tm_str_make without a branch,
    so 12 bytes from `text`
 * on are readable. */
static inline tm_str tm_text_view(const char *text, uint32_t size) {
  uint32_t shown = size <= TM_STR_INLINE ? size : TM_STR_INLINE;
  uint32_t head;
  uint64_t tail;
  memcpy(&head, text, 4);
  memcpy(&tail, text + 4, 8);
  uint64_t head_bits = shown >= 4 ? UINT32_MAX : (UINT64_C(1) << (8 * shown)) - 1;
  uint32_t in_tail = shown > 4 ? shown - 4 : 0;
  uint64_t tail_bits = in_tail >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * in_tail)) - 1;
  tm_str s;
  s.words[0] = size | (head & head_bits) << 32;
  s.words[1] = size <= TM_STR_INLINE ? tail & tail_bits : (uint64_t)(uintptr_t)text;
  return s;
}

/* What is wrong with a field, for people: cut to fit, valid UTF-8. */
void tm_text_column_explain(char *out, size_t size, tm_reason reason, const tm_field *field,
                            const char *text, size_t text_size);

#endif
