/* kernel/parse.c: integers, booleans and decimals from text.
 *
 * Malformed text is TM_PARSE_TYPE whatever else is wrong with it, so range and scale are judged
 * only when all characters have been seen. */
#include "kernel/parse.h"

#include "kernel/digits.h"
#include "kernel/power.h"

/* Takes a sign off the front. */
static bool take_minus(const char **text, const char *end) {
  if (*text == end || (**text != '-' && **text != '+')) return false;
  return *(*text)++ == '-';
}

/* How many digits the text starts with. */
static size_t digit_run(const char *text, const char *end) {
  const char *at = text;
  while (end - at >= 8) {
    unsigned run = tm_digits_run(tm_digits_load(at));
    at += run;
    if (run < 8) return (size_t)(at - text);
  }
  while (at < end && tm_digits_is(*at)) at++;
  return (size_t)(at - text);
}

/* The value of up to 19 characters that are digits. */
static uint64_t digit_value(const char *text, size_t size) {
  uint64_t value = 0;
  for (; size >= 8; text += 8, size -= 8)
    value = value * 100000000 + tm_digits_value(tm_digits_load(text) ^ TM_DIGITS_ZEROS);
  if (size == 0) return value;
  return value * tm_power_u64[size] +
         tm_digits_value(tm_digits_align(tm_digits_load_part(text, size), size));
}

int tm_parse_int64(const char *text, size_t size, int64_t *out) {
  const char *end = text + size;
  tm_digits_trim(&text, &end);
  bool minus = take_minus(&text, end);
  size_t run = digit_run(text, end);
  if (run == 0 || text + run != end) return TM_PARSE_TYPE;
  while (run > 19 && *text == '0') text++, run--;
  if (run > 19) return TM_PARSE_RANGE;
  uint64_t value = digit_value(text, run);
  if (value > (uint64_t)INT64_MAX + minus) return TM_PARSE_RANGE;
  *out = (int64_t)(minus ? 0 - value : value);
  return TM_PARSE_OK;
}

int tm_parse_int32(const char *text, size_t size, int32_t *out) {
  int64_t value;
  int result = tm_parse_int64(text, size, &value);
  if (result != TM_PARSE_OK) return result;
  if (value < INT32_MIN || value > INT32_MAX) return TM_PARSE_RANGE;
  *out = (int32_t)value;
  return TM_PARSE_OK;
}

int tm_parse_bool(const char *text, size_t size, bool *out) {
  static const struct { char word[6]; bool value; } words[] = {
      {"true", true}, {"false", false}, {"t", true}, {"f", false}, {"1", true},
      {"0", false}, {"yes", true}, {"no", false}, {"y", true}, {"n", false},
  };
  const char *end = text + size;
  tm_digits_trim(&text, &end);
  size = (size_t)(end - text);
  char lower[6] = {0};
  if (size == 0 || size > 5) return TM_PARSE_TYPE;
  for (size_t i = 0; i < size; i++)
    lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strlen(words[i].word) == size && memcmp(lower, words[i].word, size) == 0)
      return *out = words[i].value, TM_PARSE_OK;
  return TM_PARSE_TYPE;
}

/* The value of up to 38 digits. */
static unsigned __int128 long_value(const char *text, size_t size) {
  size_t head = size > 19 ? size - 19 : 0;
  return (unsigned __int128)digit_value(text, head) * tm_power_u64[19] +
         digit_value(text + head, size - head);
}

int tm_parse_decimal128(const char *text, size_t size, int precision, int scale, __int128 *out) {
  assert(precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision);
  const char *end = text + size;
  tm_digits_trim(&text, &end);
  bool minus = take_minus(&text, end);
  size_t whole = digit_run(text, end), places = 0;
  const char *fraction = text + whole;
  if (fraction < end && *fraction == '.') places = digit_run(++fraction, end);
  if (whole + places == 0 || fraction + places != end) return TM_PARSE_TYPE;

  while (whole > 0 && *text == '0') text++, whole--;
  if (whole > (size_t)(precision - scale)) return TM_PARSE_RANGE;
  while (places > (size_t)scale)
    if (fraction[--places] != '0') return TM_PARSE_SCALE;
  unsigned __int128 value = long_value(text, whole) * tm_power_u128(scale) +
                            long_value(fraction, places) * tm_power_u128(scale - (int)places);
  *out = minus ? -(__int128)value : (__int128)value;
  return TM_PARSE_OK;
}

int tm_parse_decimal64(const char *text, size_t size, int precision, int scale, int64_t *out) {
  assert(precision <= 18);
  __int128 value;
  int result = tm_parse_decimal128(text, size, precision, scale, &value);
  if (result == TM_PARSE_OK) *out = (int64_t)value;
  return result;
}
