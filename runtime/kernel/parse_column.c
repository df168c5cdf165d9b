/* kernel/parse_column.c: the hot path of reading text.
 *
 * parse_wide.c takes eight rows at a time where the machine can; the loops here do the rest.
 * The invariant: a fast path gives a value only to fields whose every character it has checked;
 * all else goes to parse.h, which judges. The fast paths have one branch, on all checks at once,
 * and treat an empty field like a 0 whose status differs, so that nulls cost no misprediction.
 * They read a word of eight digits wherever it lies and shift off what is of the next field. */
#include "kernel/parse_column.h"

#include "kernel/parse_float.h"
#include "kernel/parse_time.h"
#include "kernel/parse_wide.h"
#include "kernel/power.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline))

/* ---- integers */

COLD uint8_t int64_rare(const char *text, size_t size, int64_t *out) {
  return (uint8_t)tm_parse_int64(text, size, out);
}

ALWAYS_INLINE uint8_t int64_field(const char *text, size_t size, int64_t *out) {
  bool empty = size == 0, minus = (*text == '-') & !empty;
  size_t digits = size - minus;
  const char *first = text + minus;
  uint64_t values = tm_digits_align(tm_digits_load(first), digits);
  uint64_t wrong = tm_digits_wrong(values) | (digits > 8) | ((digits == 0) & minus);
  if (__builtin_expect(wrong == 0, 1)) {
    int64_t value = tm_digits_value(values);
    *out = minus ? -value : value;
    return empty;
  }
  if (digits - 9 < 8) { /* 9 to 16 */
    uint64_t head = tm_digits_load(first) ^ TM_DIGITS_ZEROS;
    uint64_t tail = tm_digits_align(tm_digits_load(first + 8), digits - 8);
    if ((tm_digits_wrong(head) | tm_digits_wrong(tail)) == 0) {
      int64_t value = (int64_t)(tm_digits_value(head) * tm_power_u64[digits - 8]) +
                      tm_digits_value(tail);
      *out = minus ? -value : value;
      return TM_PARSE_OK;
    }
  }
  *out = 0;
  return int64_rare(text, size, out);
}

size_t tm_parse_int64_column(const char *base, const uint32_t *begin, const uint32_t *end,
                             size_t rows, int64_t *restrict out, uint8_t *restrict status) {
  tm_parse_fields fields = {base, begin, end, rows};
  const tm_parse_wide *wide = tm_parse_wide_find();
  size_t marked = 0, i = 0;
  if (wide != NULL) i = wide->int64(&fields, out, status, &marked);
  for (; i < rows; i++) {
    status[i] = int64_field(base + begin[i], end[i] - begin[i], &out[i]);
    marked += status[i] != 0;
  }
  return marked;
}

size_t tm_parse_int32_column(const char *base, const uint32_t *begin, const uint32_t *end,
                             size_t rows, int32_t *restrict out, uint8_t *restrict status) {
  tm_parse_fields fields = {base, begin, end, rows};
  const tm_parse_wide *wide = tm_parse_wide_find();
  size_t marked = 0, i = 0;
  if (wide != NULL) i = wide->int32(&fields, out, status, &marked);
  for (; i < rows; i++) {
    int64_t value;
    uint8_t result = int64_field(base + begin[i], end[i] - begin[i], &value);
    if (value != (int32_t)value) value = 0, result = (uint8_t)TM_PARSE_RANGE;
    out[i] = (int32_t)value;
    status[i] = result;
    marked += result != 0;
  }
  return marked;
}

/* ---- numbers with a point */

typedef struct pointed {
  uint64_t whole, fraction; /* up to eight digits each, the value of the fraction's digits */
  size_t whole_digits, places;
  bool minus, empty, ok; /* ok: all characters seen and right, or empty */
} pointed;

/* A text of up to eight digits, a point and up to eight more. */
ALWAYS_INLINE pointed pointed_field(const char *text, size_t size) {
  pointed field = {.empty = size == 0};
  field.minus = (*text == '-') & !field.empty;
  const char *first = text + field.minus;
  size_t left = size - field.minus;
  uint64_t word = tm_digits_load(first);
  /* Digits have bit 4, the point has not; whatever else has or has not is found out below. */
  uint64_t marks = ~word & UINT64_C(0x1010101010101010);
  size_t run = marks == 0 ? 8 : (size_t)__builtin_ctzll(marks) / 8;
  field.whole_digits = run < left ? run : left;
  bool point = left > field.whole_digits;
  field.places = left - field.whole_digits - point;
  uint64_t whole = tm_digits_align(word, field.whole_digits);
  uint64_t fraction = tm_digits_align(tm_digits_load(first + field.whole_digits + 1),
                                      field.places);
  bool wrong = (tm_digits_wrong(whole) | tm_digits_wrong(fraction)) != 0;
  wrong |= point & (first[field.whole_digits] != '.');
  wrong |= (field.whole_digits + field.places == 0) & !field.empty;
  field.ok = !wrong & (field.places <= 8);
  field.whole = tm_digits_value(whole);
  field.fraction = tm_digits_value(fraction);
  return field;
}

COLD uint8_t float64_rare(const char *text, size_t size, double *out) {
  return (uint8_t)tm_parse_float64_padded(text, size, out);
}

ALWAYS_INLINE uint8_t float64_field(const char *text, size_t size, double *out) {
  pointed field = pointed_field(text, size);
  uint64_t digits = field.whole * tm_power_u64[field.places & 15] + field.fraction;
  /* Two exact doubles: their quotient is the nearest double. */
  if (__builtin_expect(field.ok & (digits <= UINT64_C(1) << 53), 1)) {
    double value = (double)(int64_t)digits / tm_power_double[field.places];
    *out = field.minus ? -value : value;
    return field.empty;
  }
  *out = 0;
  return float64_rare(text, size, out);
}

size_t tm_parse_float64_column(const char *base, const uint32_t *begin, const uint32_t *end,
                               size_t rows, double *restrict out, uint8_t *restrict status) {
  tm_parse_fields fields = {base, begin, end, rows};
  const tm_parse_wide *wide = tm_parse_wide_find();
  size_t marked = 0, i = 0;
  if (wide != NULL) i = wide->float64(&fields, out, status, &marked);
  for (; i < rows; i++) {
    status[i] = float64_field(base + begin[i], end[i] - begin[i], &out[i]);
    marked += status[i] != 0;
  }
  return marked;
}

COLD uint8_t decimal64_rare(const char *text, size_t size, int precision, int scale,
                            int64_t *out) {
  return (uint8_t)tm_parse_decimal64(text, size, precision, scale, out);
}

size_t tm_parse_decimal64_column(const char *base, const uint32_t *begin, const uint32_t *end,
                                 size_t rows, int precision, int scale, int64_t *restrict out,
                                 uint8_t *restrict status) {
  assert(precision >= 1 && precision <= 18 && scale >= 0 && scale <= precision);
  size_t whole_max = (size_t)(precision - scale), places_max = (size_t)scale;
  uint64_t unit = tm_power_u64[scale];
  tm_parse_fields fields = {base, begin, end, rows};
  const tm_parse_wide *wide = tm_parse_wide_find();
  size_t marked = 0, i = 0;
  if (wide != NULL) i = wide->decimal64(&fields, precision, scale, out, status, &marked);
  for (; i < rows; i++) {
    const char *text = base + begin[i];
    size_t size = end[i] - begin[i];
    pointed field = pointed_field(text, size);
    bool fits = (field.whole_digits <= whole_max) & (field.places <= places_max);
    if (__builtin_expect(field.ok & fits, 1)) {
      int64_t value = (int64_t)(field.whole * unit +
                                field.fraction * tm_power_u64[places_max - field.places]);
      out[i] = field.minus ? -value : value;
      status[i] = field.empty;
    } else {
      out[i] = 0;
      status[i] = decimal64_rare(text, size, precision, scale, &out[i]);
    }
    marked += status[i] != 0;
  }
  return marked;
}

size_t tm_parse_decimal128_column(const char *base, const uint32_t *begin, const uint32_t *end,
                                  size_t rows, int precision, int scale,
                                  __int128 *restrict out, uint8_t *restrict status) {
  size_t marked = 0;
  for (size_t i = 0; i < rows; i++) {
    size_t size = end[i] - begin[i];
    out[i] = 0;
    status[i] = size == 0 ? TM_PARSE_EMPTY
                          : (uint8_t)tm_parse_decimal128(base + begin[i], size, precision, scale,
                                                         &out[i]);
    marked += status[i] != 0;
  }
  return marked;
}

/* ---- booleans, dates, timestamps */

size_t tm_parse_bool_column(const char *base, const uint32_t *begin, const uint32_t *end,
                            size_t rows, uint8_t *restrict out, uint8_t *restrict status) {
  size_t marked = 0;
  for (size_t i = 0; i < rows; i++) {
    size_t size = end[i] - begin[i];
    bool value = false;
    status[i] = size == 0 ? TM_PARSE_EMPTY
                          : (uint8_t)tm_parse_bool(base + begin[i], size, &value);
    out[i] = value;
    marked += status[i] != 0;
  }
  return marked;
}

COLD uint8_t date_rare(const char *text, size_t size, int32_t *out) {
  return size == 0 ? TM_PARSE_EMPTY : (uint8_t)tm_parse_date(text, size, out);
}

size_t tm_parse_date_column(const char *base, const uint32_t *begin, const uint32_t *end,
                            size_t rows, int32_t *restrict out_days,
                            uint8_t *restrict status) {
  tm_parse_fields fields = {base, begin, end, rows};
  const tm_parse_wide *wide = tm_parse_wide_find();
  size_t marked = 0, i = 0;
  if (wide != NULL) i = wide->date(&fields, out_days, status, &marked);
  for (; i < rows; i++) {
    const char *text = base + begin[i];
    size_t size = end[i] - begin[i];
    int32_t days = 0;
    if (__builtin_expect(size == 10, 1) && tm_parse_date_text(text, &days) == TM_PARSE_OK) {
      status[i] = TM_PARSE_OK;
    } else {
      status[i] = date_rare(text, size, &days);
      marked += status[i] != 0;
    }
    out_days[i] = days;
  }
  return marked;
}

/* "YYYY-MM-DDTHH:MM:SS[.ffffff][Z]" */
ALWAYS_INLINE bool timestamp_field(const char *text, size_t size, int64_t *out_us,
                                   uint8_t *out_local) {
  if (size < 19 || size > 27) return false;
  int32_t days = 0, seconds = tm_parse_clock_text(text + 11);
  bool zulu = text[size - 1] == 'Z';
  size_t places = size - 19 - zulu, point = places != 0;
  places -= point;
  uint64_t fraction = tm_digits_align(tm_digits_load(text + 20), places & 7);
  bool wrong = (tm_digits_wrong(fraction) != 0) | (seconds < 0) | (places > 6);
  wrong |= (text[10] != 'T') & (text[10] != ' ');
  wrong |= point & ((text[19] != '.') | (places == 0));
  if (wrong || tm_parse_date_text(text, &days) != TM_PARSE_OK) return false;
  int64_t us = (int64_t)(tm_digits_value(fraction) * tm_power_u64[6 - places]);
  *out_us = days * TM_CALENDAR_DAY_US + seconds * TM_CALENDAR_SECOND_US + us;
  *out_local = !zulu;
  return true;
}

size_t tm_parse_timestamp_column(const char *base, const uint32_t *begin, const uint32_t *end,
                                 size_t rows, int64_t *restrict out_us, uint8_t *restrict local,
                                 uint8_t *restrict status) {
  tm_parse_fields fields = {base, begin, end, rows};
  const tm_parse_wide *wide = tm_parse_wide_find();
  size_t marked = 0, i = 0;
  if (wide != NULL) i = wide->timestamp(&fields, out_us, local, status, &marked);
  for (; i < rows; i++) {
    const char *text = base + begin[i];
    size_t size = end[i] - begin[i];
    uint8_t is_local = 0;
    int result = TM_PARSE_OK;
    if (__builtin_expect(!timestamp_field(text, size, &out_us[i], &is_local), 0)) {
      out_us[i] = 0;
      result = size == 0 ? TM_PARSE_EMPTY
                         : tm_parse_timestamp_row(text, size, &out_us[i], &is_local);
    }
    status[i] = (uint8_t)result;
    marked += result != TM_PARSE_OK;
    if (local != NULL) local[i] = is_local;
  }
  return marked;
}
