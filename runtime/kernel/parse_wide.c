/* kernel/parse_wide.c: numbers and dates from text, eight rows in the lanes of a vector.
 *
 * A number of up to 16 characters is read from its end: there its last digit always lies in the
 * same byte, so only the front differs from row to row, and a mask from the length cuts it off.
 * A point is taken out without shuffling: the bytes up to it come from a second load, one byte
 * earlier. What is then no digit, too long or without digits is left to parse.h, row by row: the
 * vector gives a value only where it has checked every character.
 *
 * The two 64-bit halves of a row's 16 bytes lie in two vectors, `high` (the first eight) and `low`.
 * Reading 17 bytes before an end could leave the buffer at its start: such rows are copied. */
#include "kernel/parse_wide.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernel/parse_float.h"
#include "kernel/parse_time.h"
#include "kernel/power.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd")))
#define WIDE TARGET static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline, cold))

enum { LANES = 8, BEFORE = 17 };

/* ---- loading */

/* Text that ends where the row does, with BEFORE bytes in front and 16 behind, for a row that lies
 * at the very start of the buffer. */
typedef struct edge {
  char copy[LANES][BEFORE + BEFORE + 16];
} edge;

COLD void copy_edge(const tm_parse_fields *fields, size_t at, edge *edge, const char *ends[LANES]) {
  for (size_t i = 0; i < LANES; i++) {
    uint32_t end = fields->end[at + i];
    if (end >= BEFORE) continue;
    memset(edge->copy[i], 0, sizeof edge->copy[i]);
    memcpy(edge->copy[i] + BEFORE + BEFORE - end, fields->base, end);
    ends[i] = edge->copy[i] + BEFORE + BEFORE;
  }
}

WIDE __m256i load_two(const char *a, const char *b) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)a)),
                                 _mm_loadu_si128((const __m128i *)b), 1);
}

/* 16 bytes from `before` before each of four places. */
WIDE __m512i load_four(const char *const at[LANES], int first, int before) {
  __m256i a = load_two(at[first] - before, at[first + 2] - before);
  __m256i b = load_two(at[first + 4] - before, at[first + 6] - before);
  return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

typedef struct halves {
  __m512i high, low; /* a lane a row */
} halves;

WIDE halves load_halves(const char *const at[LANES], int before) {
  __m512i even = load_four(at, 0, before), odd = load_four(at, 1, before);
  return (halves){_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd)};
}

/* With the 16 bytes of each row rearranged first. */
WIDE halves load_ordered(const char *const at[LANES], int before, __m512i order) {
  __m512i even = _mm512_shuffle_epi8(load_four(at, 0, before), order);
  __m512i odd = _mm512_shuffle_epi8(load_four(at, 1, before), order);
  return (halves){_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd)};
}

WIDE __m512i load_sizes(const tm_parse_fields *fields, size_t at) {
  __m256i begin = _mm256_loadu_si256((const __m256i *)(fields->begin + at));
  __m256i end = _mm256_loadu_si256((const __m256i *)(fields->end + at));
  return _mm512_cvtepu32_epi64(_mm256_sub_epi32(end, begin));
}

WIDE void find_ends(const tm_parse_fields *fields, size_t at, edge *edge,
                    const char *ends[LANES]) {
  __m256i end = _mm256_loadu_si256((const __m256i *)(fields->end + at));
  for (size_t i = 0; i < LANES; i++) ends[i] = fields->base + fields->end[at + i];
  if (_mm256_cmplt_epu32_mask(end, _mm256_set1_epi32(BEFORE)) != 0)
    copy_edge(fields, at, edge, ends);
}

/* ---- numbers */

/* All ones in the last bits / 8 bytes of the 8 or 16 that end with this half. */
WIDE __m512i last_bytes(__m512i bits, int64_t half_end) {
  __m512i front = _mm512_sub_epi64(_mm512_set1_epi64(half_end), bits);
  front = _mm512_max_epi64(front, _mm512_setzero_si512());
  return _mm512_sllv_epi64(_mm512_set1_epi64(-1), front);
}

/* Eight digit values a lane to the number they make. */
WIDE __m512i join_digits(__m512i values) {
  __m512i pairs = _mm512_maddubs_epi16(values, _mm512_set1_epi16(0x010a));
  __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00010064));
  return _mm512_add_epi64(_mm512_mul_epu32(fours, _mm512_set1_epi64(10000)),
                          _mm512_srli_epi64(fours, 32));
}

typedef struct numbers {
  __m512i digits;        /* the value of all digits, without sign and point */
  __m512i count, places; /* how many digits there are (times 8), and how many behind the point */
  __mmask8 minus, empty;
  __mmask8 odd; /* rows to be looked at one by one */
} numbers;

WIDE numbers load_numbers(const tm_parse_fields *fields, size_t at, bool with_point) {
  const __m512i zero = _mm512_setzero_si512();
  edge edge;
  const char *ends[LANES];
  find_ends(fields, at, &edge, ends);
  __m512i bits = _mm512_slli_epi64(load_sizes(fields, at), 3);
  halves text = load_halves(ends, 16);
  numbers out;

  /* The first character: of the low half where there are at most eight. */
  __mmask8 is_long = _mm512_cmpgt_epu64_mask(bits, _mm512_set1_epi64(64));
  __m512i first = _mm512_srlv_epi64(text.low, _mm512_sub_epi64(_mm512_set1_epi64(64), bits));
  first = _mm512_mask_srlv_epi64(first, is_long, text.high,
                                 _mm512_sub_epi64(_mm512_set1_epi64(128), bits));
  first = _mm512_and_si512(first, _mm512_set1_epi64(0xff));
  out.minus = _mm512_cmpeq_epi64_mask(first, _mm512_set1_epi64('-'));
  out.count = _mm512_mask_sub_epi64(bits, out.minus, bits, _mm512_set1_epi64(8));

  out.places = zero;
  if (with_point) {
    halves earlier = load_halves(ends, 17);
    __mmask64 dots = _mm512_cmpeq_epi8_mask(text.low, _mm512_set1_epi8('.'));
    __m512i points = _mm512_maskz_mov_epi8(dots, _mm512_set1_epi8(1));
    points = _mm512_and_si512(points, last_bytes(bits, 64));
    /* Only one is taken out: where there are more, some byte stays that is no digit. */
    __mmask8 has = _mm512_test_epi64_mask(points, points);
    __m512i front = _mm512_maskz_sub_epi64(has, _mm512_slli_epi64(points, 8),
                                           _mm512_set1_epi64(1));
    text.low = _mm512_ternarylogic_epi64(front, earlier.low, text.low, 0xca); /* front ? : */
    text.high = _mm512_mask_mov_epi64(text.high, has, earlier.high);
    out.count = _mm512_mask_sub_epi64(out.count, has, out.count, _mm512_set1_epi64(8));
    out.places = _mm512_maskz_srli_epi64(has, _mm512_lzcnt_epi64(points), 3);
  }

  const __m512i zeros = _mm512_set1_epi8('0'), carry = _mm512_set1_epi8(0x76);
  __m512i low = _mm512_and_si512(_mm512_xor_si512(text.low, zeros), last_bytes(out.count, 64));
  __m512i high = _mm512_and_si512(_mm512_xor_si512(text.high, zeros), last_bytes(out.count, 128));
  __m512i wrong = _mm512_or_si512(_mm512_or_si512(low, _mm512_add_epi8(low, carry)),
                                  _mm512_or_si512(high, _mm512_add_epi8(high, carry)));
  out.empty = _mm512_testn_epi64_mask(bits, bits);
  out.odd = _mm512_test_epi64_mask(wrong, _mm512_set1_epi8((char)0x80)) |
            _mm512_cmpgt_epu64_mask(bits, _mm512_set1_epi64(128)) |
            (_mm512_testn_epi64_mask(out.count, out.count) & (__mmask8)~out.empty);
  out.digits = _mm512_add_epi64(_mm512_mul_epu32(join_digits(high), _mm512_set1_epi64(100000000)),
                                join_digits(low));
  return out;
}

/* Statuses of eight rows, those of odd rows still to come. */
WIDE size_t store_status(uint8_t *status, __mmask8 empty) {
  _mm_storel_epi64((__m128i *)status, _mm_maskz_set1_epi8(empty, 1));
  return (size_t)__builtin_popcount(empty);
}

/* Runs `judge`, which gives a status, for every odd row i of the block at `at`. */
#define FOR_ODD(odd, at, judge)                                              \
  for (unsigned odd_left = (odd); odd_left != 0; odd_left &= odd_left - 1) { \
    size_t i = (at) + (size_t)__builtin_ctz(odd_left);              \
    const char *text = fields->base + fields->begin[i];             \
    size_t size = fields->end[i] - fields->begin[i];                \
    out[i] = 0;                                                     \
    status[i] = (uint8_t)(judge);                                   \
    *marked += status[i] != 0;                                      \
  }

TARGET static size_t int64_column(const tm_parse_fields *fields, int64_t *restrict out,
                                  uint8_t *restrict status, size_t *marked) {
  size_t rows = fields->rows / LANES * LANES;
  for (size_t at = 0; at < rows; at += LANES) {
    numbers block = load_numbers(fields, at, false);
    __m512i value = _mm512_mask_sub_epi64(block.digits, block.minus, _mm512_setzero_si512(),
                                          block.digits);
    _mm512_storeu_si512(out + at, value);
    *marked += store_status(status + at, block.empty);
    FOR_ODD(block.odd, at, tm_parse_int64(text, size, &out[i]))
  }
  return rows;
}

TARGET static size_t int32_column(const tm_parse_fields *fields, int32_t *restrict out,
                                  uint8_t *restrict status, size_t *marked) {
  size_t rows = fields->rows / LANES * LANES;
  for (size_t at = 0; at < rows; at += LANES) {
    numbers block = load_numbers(fields, at, false);
    __m512i value = _mm512_mask_sub_epi64(block.digits, block.minus, _mm512_setzero_si512(),
                                          block.digits);
    __m256i narrow = _mm512_cvtepi64_epi32(value);
    block.odd |= _mm512_cmpneq_epi64_mask(value, _mm512_cvtepi32_epi64(narrow));
    _mm256_storeu_si256((__m256i *)(out + at), narrow);
    *marked += store_status(status + at, block.empty);
    FOR_ODD(block.odd, at, tm_parse_int32(text, size, &out[i]))
  }
  return rows;
}

TARGET static size_t float64_column(const tm_parse_fields *fields, double *restrict out,
                                    uint8_t *restrict status, size_t *marked) {
  size_t rows = fields->rows / LANES * LANES;
  const __m512d powers = _mm512_loadu_pd(tm_power_double);
  for (size_t at = 0; at < rows; at += LANES) {
    numbers block = load_numbers(fields, at, true);
    /* Beside a point are at most 15 digits: two exact doubles, whose quotient is the nearest
     * double. Without one the conversion is all that rounds. */
    __m512d value = _mm512_div_pd(_mm512_cvtepi64_pd(block.digits),
                                  _mm512_permutexvar_pd(block.places, powers));
    __m512i sign = _mm512_maskz_set1_epi64(block.minus, INT64_MIN);
    value = _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(value), sign));
    _mm512_storeu_pd(out + at, value);
    *marked += store_status(status + at, block.empty);
    FOR_ODD(block.odd, at, tm_parse_float64_padded(text, size, &out[i]))
  }
  return rows;
}

TARGET static size_t decimal64_column(const tm_parse_fields *fields, int precision, int scale,
                                      int64_t *restrict out, uint8_t *restrict status,
                                      size_t *marked) {
  size_t rows = fields->rows / LANES * LANES;
  uint64_t units[LANES];
  for (int i = 0; i < LANES; i++) units[i] = i <= scale ? tm_power_u64[scale - i] : 0;
  const __m512i unit = _mm512_loadu_si512(units);
  const __m512i whole_bits_max = _mm512_set1_epi64(8 * (precision - scale));
  for (size_t at = 0; at < rows; at += LANES) {
    numbers block = load_numbers(fields, at, true);
    __m512i value = _mm512_mullo_epi64(block.digits, _mm512_permutexvar_epi64(block.places, unit));
    __m512i whole_bits = _mm512_sub_epi64(block.count, _mm512_slli_epi64(block.places, 3));
    block.odd |= _mm512_cmpgt_epi64_mask(block.places, _mm512_set1_epi64(scale)) |
                 _mm512_cmpgt_epi64_mask(whole_bits, whole_bits_max);
    value = _mm512_mask_sub_epi64(value, block.minus, _mm512_setzero_si512(), value);
    _mm512_storeu_si512(out + at, value);
    *marked += store_status(status + at, block.empty);
    FOR_ODD(block.odd, at, tm_parse_decimal64(text, size, precision, scale, &out[i]))
  }
  return rows;
}

/* ---- dates */

/* lane * factor for lanes and factors below 2^32 */
WIDE __m512i times(__m512i lane, int64_t factor) {
  return _mm512_mul_epu32(lane, _mm512_set1_epi64(factor));
}

/* Days since the epoch of dates whose year is above 0, as tm_calendar_days has them. */
WIDE __m512i days_of(__m512i year, __m512i month, __m512i day) {
  const __m512i one = _mm512_set1_epi64(1);
  __mmask8 before_march = _mm512_cmple_epu64_mask(month, _mm512_set1_epi64(2));
  year = _mm512_mask_sub_epi64(year, before_march, year, one);
  month = _mm512_mask_add_epi64(month, before_march, month, _mm512_set1_epi64(12));
  __m512i century = _mm512_srli_epi64(times(year, 5243), 19); /* year / 100 below 43699 */
  __m512i days = _mm512_srli_epi64(times(year, 1461), 2);
  days = _mm512_add_epi64(days, _mm512_sub_epi64(_mm512_srli_epi64(century, 2), century));
  __m512i line = _mm512_sub_epi64(times(month, 979), _mm512_set1_epi64(2919));
  days = _mm512_add_epi64(days, _mm512_add_epi64(_mm512_srli_epi64(line, 5), day));
  return _mm512_sub_epi64(days, _mm512_set1_epi64(TM_CALENDAR_MARCH_TO_EPOCH + 1));
}

/* Rows whose day or month does not exist. */
WIDE __mmask8 not_a_day(__m512i year, __m512i month, __m512i day) {
  const __m512i one = _mm512_set1_epi64(1), three = _mm512_set1_epi64(3);
  __m512i century = _mm512_srli_epi64(times(year, 5243), 19);
  __mmask8 is_century = _mm512_cmpeq_epi64_mask(times(century, 100), year);
  __m512i four_years = _mm512_mask_mov_epi64(year, is_century, century);
  __mmask8 leap = _mm512_testn_epi64_mask(four_years, three);
  __m512i length = _mm512_or_si512(_mm512_xor_si512(month, _mm512_srli_epi64(month, 3)),
                                   _mm512_set1_epi64(30));
  __mmask8 february = _mm512_cmpeq_epi64_mask(month, _mm512_set1_epi64(2));
  length = _mm512_mask_mov_epi64(length, february, _mm512_set1_epi64(28));
  length = _mm512_mask_add_epi64(length, february & leap, length, one);
  return _mm512_cmpge_epu64_mask(_mm512_sub_epi64(month, one), _mm512_set1_epi64(12)) |
         _mm512_cmpge_epu64_mask(_mm512_sub_epi64(day, one), length);
}

/* Top bits set where a byte is no digit value. */
WIDE __m512i not_digits(__m512i values) {
  return _mm512_or_si512(values, _mm512_add_epi8(values, _mm512_set1_epi8(0x76)));
}

typedef struct dates {
  __m512i days;
  __mmask8 odd;
} dates;

/* Of YYYYMMDD as characters. */
WIDE dates join_dates(__m512i text) {
  __m512i values = _mm512_xor_si512(text, _mm512_set1_epi8('0'));
  __m512i pairs = _mm512_maddubs_epi16(values, _mm512_set1_epi16(0x010a));
  __m512i year = _mm512_madd_epi16(pairs, _mm512_set1_epi64(0x00010064));
  __m512i month = _mm512_and_si512(_mm512_srli_epi64(pairs, 32), _mm512_set1_epi64(0xffff));
  __m512i day = _mm512_srli_epi64(pairs, 48);
  __mmask8 odd = _mm512_test_epi64_mask(not_digits(values), _mm512_set1_epi8((char)0x80));
  odd |= not_a_day(year, month, day) | _mm512_testn_epi64_mask(year, year);
  return (dates){days_of(year, month, day), odd};
}

TARGET static size_t date_column(const tm_parse_fields *fields, int32_t *restrict out,
                                 uint8_t *restrict status, size_t *marked) {
  size_t rows = fields->rows / LANES * LANES;
  /* Of the 16 bytes that end with YYYY-MM-DD: the digits to the low half, the marks to the high. */
  const __m512i order = _mm512_broadcast_i32x4(
      _mm_setr_epi8(10, 13, -1, -1, -1, -1, -1, -1, 6, 7, 8, 9, 11, 12, 14, 15));
  for (size_t at = 0; at < rows; at += LANES) {
    edge edge;
    const char *ends[LANES];
    find_ends(fields, at, &edge, ends);
    __m512i size = load_sizes(fields, at);
    halves text = load_ordered(ends, 16, order);
    dates block = join_dates(text.low);
    block.odd |= _mm512_cmpneq_epi64_mask(text.high, _mm512_set1_epi64('-' << 8 | '-')) |
                 _mm512_cmpneq_epi64_mask(size, _mm512_set1_epi64(10));
    __mmask8 empty = _mm512_testn_epi64_mask(size, size);
    __m256i days = _mm512_maskz_cvtepi64_epi32((__mmask8)~empty, block.days);
    _mm256_storeu_si256((__m256i *)(out + at), days);
    *marked += store_status(status + at, empty);
    FOR_ODD(block.odd & ~empty, at, tm_parse_date(text, size, &out[i]))
  }
  return rows;
}

/* ---- timestamps */

typedef struct timestamps {
  __m512i us;
  __mmask8 local, empty, odd;
} timestamps;

/* YYYY-MM-DDTHH:MM and :SS[.ffffff][Z], 16 characters each, from the beginning of a row. */
WIDE timestamps load_timestamps(const tm_parse_fields *fields, size_t at) {
  const __m512i order = _mm512_broadcast_i32x4(
      _mm_setr_epi8(11, 12, 14, 15, 4, 7, 10, 13, 0, 1, 2, 3, 5, 6, 8, 9));
  const __m512i rest_order = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, 3, -1, -1, -1, -1, -1, -1, 1, 2, 4, 5, 6, 7, 8, 9));
  const char *heads[LANES], *rests[LANES];
  for (size_t i = 0; i < LANES; i++) {
    uint32_t begin = fields->begin[at + i], size = fields->end[at + i] - begin;
    heads[i] = fields->base + begin;
    rests[i] = heads[i] + (size < 16 ? size : 16); /* no more than 16 bytes beyond the end */
  }
  halves head = load_ordered(heads, 0, order), rest = load_ordered(rests, 0, rest_order);
  __m512i size = load_sizes(fields, at);
  timestamps out;
  out.empty = _mm512_testn_epi64_mask(size, size);

  __m512i end = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(fields->end + at)));
  __m512i last = _mm512_mask_i64gather_epi64(size, (__mmask8)~out.empty, end, fields->base - 1, 1);
  __mmask8 zulu = _mm512_cmpeq_epi64_mask(_mm512_and_si512(last, _mm512_set1_epi64(0xff)),
                                          _mm512_set1_epi64('Z'));
  size = _mm512_mask_sub_epi64(size, zulu, size, _mm512_set1_epi64(1));
  __mmask8 whole = _mm512_cmpeq_epi64_mask(size, _mm512_set1_epi64(19));
  __m512i places = _mm512_maskz_sub_epi64((__mmask8)~whole, size, _mm512_set1_epi64(20));
  __mmask8 fraction_fits = _mm512_cmplt_epu64_mask(_mm512_sub_epi64(places, _mm512_set1_epi64(1)),
                                                   _mm512_set1_epi64(6));

  /* Seconds and those digits of the fraction that are there; the others are 0. */
  __m512i outside = _mm512_sub_epi64(_mm512_set1_epi64(48), _mm512_slli_epi64(places, 3));
  __m512i values = _mm512_xor_si512(rest.low, _mm512_set1_epi8('0'));
  values = _mm512_and_si512(values, _mm512_srlv_epi64(_mm512_set1_epi64(-1), outside));
  __m512i clock = _mm512_xor_si512(head.high, _mm512_set1_epi8('0'));
  clock = _mm512_and_si512(clock, _mm512_set1_epi64(0xffffffff));
  __m512i wrong = _mm512_or_si512(not_digits(values), not_digits(clock));

  __m512i marks = _mm512_srli_epi64(head.high, 32);
  __mmask8 marked = _mm512_cmpeq_epi64_mask(marks, _mm512_set1_epi64(0x3a542d2d)) | /* --T: */
                    _mm512_cmpeq_epi64_mask(marks, _mm512_set1_epi64(0x3a202d2d));
  marked &= _mm512_mask_cmpeq_epi64_mask(
                whole, _mm512_and_si512(rest.high, _mm512_set1_epi64(0xff)),
                _mm512_set1_epi64(':')) |
            _mm512_mask_cmpeq_epi64_mask(fraction_fits & (__mmask8)~whole, rest.high,
                                         _mm512_set1_epi64('.' << 8 | ':'));

  const __m512i pair = _mm512_set1_epi64(0xffff), sixty = _mm512_set1_epi64(60);
  const __m512i tens = _mm512_set1_epi16(0x010a);
  __m512i pairs = _mm512_maddubs_epi16(clock, tens);
  __m512i rest_pairs = _mm512_maddubs_epi16(values, tens);
  __m512i hour = _mm512_and_si512(pairs, pair), minute = _mm512_srli_epi64(pairs, 16);
  __m512i second = _mm512_and_si512(rest_pairs, pair);
  __mmask8 in_range = _mm512_cmplt_epu64_mask(hour, _mm512_set1_epi64(24)) &
                      _mm512_cmplt_epu64_mask(minute, sixty) &
                      _mm512_cmplt_epu64_mask(second, sixty);
  /* ff..ff..ff to a number below 10^6 */
  __m512i fraction = _mm512_madd_epi16(rest_pairs, _mm512_set1_epi64(0x0001006427100000));
  fraction = _mm512_add_epi64(_mm512_srli_epi64(fraction, 32),
                              _mm512_and_si512(fraction, _mm512_set1_epi64(0xffffffff)));
  __m512i seconds = _mm512_add_epi64(times(hour, 3600), times(minute, 60));
  seconds = _mm512_add_epi64(seconds, second);

  dates date = join_dates(head.low);
  out.odd = date.odd | (__mmask8)~(marked & in_range) |
            _mm512_test_epi64_mask(wrong, _mm512_set1_epi8((char)0x80));
  out.local = (__mmask8)~zulu;
  out.us = _mm512_mullo_epi64(date.days, _mm512_set1_epi64(TM_CALENDAR_DAY_US));
  out.us = _mm512_add_epi64(out.us, _mm512_add_epi64(times(seconds, 1000000), fraction));
  return out;
}

TARGET static size_t timestamp_column(const tm_parse_fields *fields, int64_t *restrict out,
                                      uint8_t *restrict local, uint8_t *restrict status,
                                      size_t *marked) {
  size_t rows = fields->rows / LANES * LANES;
  for (size_t at = 0; at < rows; at += LANES) {
    timestamps block = load_timestamps(fields, at);
    _mm512_storeu_si512(out + at, _mm512_maskz_mov_epi64((__mmask8)~block.empty, block.us));
    *marked += store_status(status + at, block.empty);
    if (local != NULL) store_status(local + at, block.local & ~block.empty);
    FOR_ODD(block.odd & ~block.empty, at,
            tm_parse_timestamp_row(text, size, &out[i], local == NULL ? NULL : &local[i]))
  }
  return rows;
}

static const tm_parse_wide functions = {
    .int64 = int64_column,
    .int32 = int32_column,
    .float64 = float64_column,
    .decimal64 = decimal64_column,
    .date = date_column,
    .timestamp = timestamp_column,
};

const tm_parse_wide *tm_parse_wide_find(void) {
  bool can = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
  return can ? &functions : NULL;
}

#else

const tm_parse_wide *tm_parse_wide_find(void) { return NULL; }

#endif
