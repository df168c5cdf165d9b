/* base/value.c: looking into values, and the texts of durations and sizes.
 *
 * Nothing here allocates. Parsers take the whole text or refuse it; they never read past size. */
#include "base/value.h"

#include <string.h>

const tm_value *tm_value_get(const tm_value *value, const char *name) {
  if (value == NULL || value->kind != TM_VALUE_TABLE) return NULL;
  size_t low = 0, high = value->pair_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(name, value->pairs[middle].name);
    if (order == 0) return &value->pairs[middle].value;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return NULL;
}

const char *tm_value_text(const tm_value *value, const char *name, const char *fallback) {
  const tm_value *entry = tm_value_get(value, name);
  return entry != NULL && entry->kind == TM_VALUE_TEXT ? entry->text : fallback;
}

const char *tm_value_kind_name(tm_value_kind kind) {
  switch (kind) {
    case TM_VALUE_NIL: return "nil";
    case TM_VALUE_BOOL: return "boolean";
    case TM_VALUE_INT: return "integer";
    case TM_VALUE_FLOAT: return "float";
    case TM_VALUE_TEXT: return "string";
    case TM_VALUE_TABLE: return "table";
    case TM_VALUE_DECIMAL: return "decimal";
    case TM_VALUE_DATE: return "date";
    case TM_VALUE_TIMESTAMP: return "timestamp";
    case TM_VALUE_DURATION: return "duration";
    case TM_VALUE_FUNCTION: return "function";
    case TM_VALUE_NODE: return "flow";
    case TM_VALUE_SECRET: return "secret";
  }
  return "value";
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The unit at text[0 … size-1]; its letters are counted in *used. 0: there is none. */
static int64_t duration_unit_us(const char *text, size_t size, size_t *used) {
  static const struct { const char *name; int64_t us; } units[] = {
    {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", INT64_C(3600000000)},
    {"d", INT64_C(86400000000)}, {"w", INT64_C(604800000000)},
  };
  size_t letters = 0;
  while (letters < size && !is_digit(text[letters])) letters++;
  *used = letters;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (strlen(units[i].name) == letters && memcmp(units[i].name, text, letters) == 0) {
      return units[i].us;
    }
  }
  return 0;
}

int tm_duration_parse(const char *text, size_t size, int64_t *out_us) {
  size_t at = 0;
  bool negative = size > 0 && text[0] == '-';
  int64_t total = 0;
  if (negative) at++;
  if (at == size) return -1;
  while (at < size) {
    int64_t number = 0, part;
    size_t digits = 0, letters;
    for (; at < size && is_digit(text[at]); at++, digits++) {
      if (__builtin_mul_overflow(number, 10, &number) ||
          __builtin_add_overflow(number, text[at] - '0', &number)) {
        return -1;
      }
    }
    int64_t unit = duration_unit_us(text + at, size - at, &letters);
    if (digits == 0 || unit == 0) return -1;
    if (__builtin_mul_overflow(number, unit, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return -1;
    }
    at += letters;
  }
  *out_us = negative ? -total : total;
  return 0;
}

int tm_size_parse(const char *text, size_t size, uint64_t *out_bytes) {
  enum { FRACTION_DIGITS_MAX = 9 };
  uint64_t whole = 0, fraction = 0, scale = 1;
  size_t at = 0;
  for (; at < size && is_digit(text[at]); at++) {
    if (__builtin_mul_overflow(whole, UINT64_C(10), &whole) ||
        __builtin_add_overflow(whole, (uint64_t)(text[at] - '0'), &whole)) {
      return -1;
    }
  }
  if (at == 0) return -1;
  if (at < size && text[at] == '.') {
    size_t first = ++at;
    for (; at < size && is_digit(text[at]); at++) {
      if (at - first == FRACTION_DIGITS_MAX) return -1;
      fraction = fraction * 10 + (uint64_t)(text[at] - '0');
      scale *= 10;
    }
    if (at == first) return -1;
  }
  int shift = 0;
  if (at < size) {
    switch (text[at]) {
      case 'K': case 'k': shift = 10; break;
      case 'M': case 'm': shift = 20; break;
      case 'G': case 'g': shift = 30; break;
      case 'T': case 't': shift = 40; break;
      default: return -1;
    }
    at++;
  }
  if (at != size || (shift == 0 && fraction != 0)) return -1;
  if (whole > UINT64_MAX >> shift) return -1;
  unsigned __int128 bytes = (unsigned __int128)whole << shift;
  bytes += ((unsigned __int128)fraction << shift) / scale;
  if (bytes > UINT64_MAX) return -1;
  *out_bytes = (uint64_t)bytes;
  return 0;
}
