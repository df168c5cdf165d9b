/* kernel/exact_sum.c: moves of the window, columns, merging, and the result.
 *
 * A column is added without looking at any exponent: adding and subtracting 1.5 * 2^(52 + p)
 * rounds a double to a multiple of 2^p and leaves that multiple, as an integer, in the low bits of
 * the sum's own representation. Three such steps take a value apart into pieces of 42 bits that are
 * added up as integers, several values at once. A block in which some value leaves a rest, lies
 * above the window or is no number is done again value by value. Rounding must be to nearest, as it
 * is in C; nothing here may be compiled with -ffast-math. */
#include "kernel/exact_sum.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include "kernel/exact_wide.h"

enum {
  MISSES_MAX = 8,      /* values outside the window before it moves */
  UNIT_MAX = 880,      /* so that the constants of a block stay below infinity */
  ROOM_BELOW = 92,     /* from the leading bit of the value the window moves to, to the unit */
  PIECE_BITS = 42,     /* three of them fill FIXED_BITS */
  BLOCK_ROWS = 1024,   /* 2^10 pieces of 42 bits stay within an int64 */
  LANES_MAX = 4,       /* a block has whole vectors of any kind */
};

/* A finite double as ±mantissa * 2^exponent, the mantissa odd or 0. */
typedef struct parts {
  uint64_t mantissa;
  int exponent, leading; /* 2^leading <= |value| < 2^(leading + 1) */
  bool minus;
} parts;

static parts take_apart(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  int biased = (int)(bits >> 52 & 0x7ff);
  uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
  parts out = {.minus = bits >> 63, .exponent = TM_EXACT_LEAST};
  if (biased > 0) mantissa |= UINT64_C(1) << 52, out.exponent += biased - 1;
  if (mantissa == 0) return out;
  int zeros = __builtin_ctzll(mantissa);
  out.leading = out.exponent + 63 - __builtin_clzll(mantissa);
  out.mantissa = mantissa >> zeros;
  out.exponent += zeros;
  return out;
}

static int unit_of(const tm_exact_sum *sum) { return TM_EXACT_UNIT + sum->window; }

static bool fits_at(const parts *value, int unit) {
  return value->exponent >= unit && value->leading < unit + TM_EXACT_FIXED_BITS;
}

/* The value in units; it fits. */
static __int128 term_at(const parts *value, int unit) {
  __int128 term = (__int128)((unsigned __int128)value->mantissa << (value->exponent - unit));
  return value->minus ? -term : term;
}

static bool add_fixed(tm_exact_sum *sum, __int128 term) {
  __int128 total;
  if (__builtin_add_overflow(sum->fixed, term, &total)) return false;
  sum->fixed = total;
  return true;
}

static int need_wide(tm_exact_sum *sum, const tm_exact_memory *memory) {
  if (sum->wide != NULL) return 0;
  sum->wide = memory->alloc(memory->context, sizeof *sum->wide);
  if (sum->wide == NULL) return -1;
  memset(sum->wide, 0, sizeof *sum->wide);
  return 0;
}

static void flush_fixed(tm_exact_sum *sum) {
  tm_exact_wide_add_signed(sum->wide, sum->fixed, unit_of(sum));
  sum->fixed = 0;
}

/* To window 0 if the value fits there, else so that it lies in the middle. `fixed` is 0. */
static void move_window(tm_exact_sum *sum, const parts *value) {
  assert(sum->fixed == 0);
  int unit = TM_EXACT_UNIT;
  if (!fits_at(value, unit)) unit = value->leading - ROOM_BELOW;
  if (unit < TM_EXACT_LEAST) unit = TM_EXACT_LEAST;
  if (unit > UNIT_MAX) unit = UNIT_MAX;
  sum->window = unit - TM_EXACT_UNIT;
  sum->misses = 0;
}

static int count_special(tm_exact_sum *sum, double value, int64_t times,
                         const tm_exact_memory *memory) {
  if (need_wide(sum, memory) != 0) return -1;
  if (isnan(value)) {
    sum->wide->nans += times;
  } else if (value > 0) {
    sum->wide->infinities += times;
  } else {
    sum->wide->negative_infinities += times;
  }
  return 0;
}

void tm_exact_sum_deinit(tm_exact_sum *sum, const tm_exact_memory *memory) {
  if (sum->wide != NULL && memory->free != NULL)
    memory->free(memory->context, sum->wide, sizeof *sum->wide);
  *sum = (tm_exact_sum){0};
}

int tm_exact_sum_add_rare(tm_exact_sum *sum, double value, const tm_exact_memory *memory) {
  if (!isfinite(value)) return count_special(sum, value, 1, memory);
  parts part = take_apart(value);
  if (part.mantissa == 0) return 0;
  if (sum->fixed == 0 && !fits_at(&part, unit_of(sum))) move_window(sum, &part);
  bool fits = fits_at(&part, unit_of(sum));
  if (fits && add_fixed(sum, term_at(&part, unit_of(sum)))) return 0;

  if (need_wide(sum, memory) != 0) return -1;
  if (fits || ++sum->misses >= MISSES_MAX) {
    flush_fixed(sum);
    if (!fits) move_window(sum, &part);
    if (fits_at(&part, unit_of(sum))) {
      sum->fixed = term_at(&part, unit_of(sum));
      return 0;
    }
  }
  tm_exact_wide_add(sum->wide, part.mantissa, part.exponent, part.minus);
  return 0;
}

int tm_exact_sum_remove(tm_exact_sum *sum, double value, const tm_exact_memory *memory) {
  if (!isfinite(value)) return count_special(sum, value, -1, memory);
  return tm_exact_sum_add(sum, -value, memory);
}

/* ---- columns */

/* Pieces of a block: their sum is pieces[i] * 2^(unit + i * PIECE_BITS), added up. */
typedef struct block_sum {
  int64_t pieces[3];
  bool exact; /* else the pieces mean nothing */
} block_sum;

#define NAME add_block_two
#define LANES 2
#define TARGET
#include "kernel/exact_block.h"
#if defined(__x86_64__)
#define NAME add_block_four
#define LANES 4
#define TARGET __attribute__((target("avx2")))
#include "kernel/exact_block.h"
#endif

typedef block_sum (*block_adder)(const double *values, size_t rows, int unit);

static block_adder find_adder(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return add_block_four;
#endif
  return add_block_two;
}

static int add_pieces(tm_exact_sum *sum, const block_sum *block, const tm_exact_memory *memory) {
  int unit = unit_of(sum);
  __int128 low = (__int128)block->pieces[1] * ((__int128)1 << PIECE_BITS) + block->pieces[0];
  __int128 high = block->pieces[2], top = (__int128)1 << (2 * PIECE_BITS);
  if (high < (INT64_C(1) << 41) && high > -(INT64_C(1) << 41) && add_fixed(sum, high * top + low))
    return 0;
  if (need_wide(sum, memory) != 0) return -1;
  tm_exact_wide_add_signed(sum->wide, high, unit + 2 * PIECE_BITS);
  flush_fixed(sum);
  sum->fixed = low;
  return 0;
}

int tm_exact_sum_add_column(tm_exact_sum *sum, const double *values, const uint8_t *valid,
                            size_t rows, const tm_exact_memory *memory) {
  double copy[BLOCK_ROWS];
  block_adder add_block = find_adder();
  assert(FLT_EVAL_METHOD == 0);
  for (size_t at = 0; at < rows; at += BLOCK_ROWS) {
    const double *block = values + at;
    size_t count = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS, used = count;
    if (valid != NULL || count % LANES_MAX != 0) { /* 0 for nulls, and up to whole lanes */
      for (size_t i = 0; i < count; i++)
        copy[i] = valid == NULL || valid[at + i] != 0 ? block[i] : 0;
      while (used % LANES_MAX != 0) copy[used++] = 0;
      block = copy;
    }
    block_sum added = add_block(block, used, unit_of(sum));
    if (added.exact) {
      if (add_pieces(sum, &added, memory) != 0) return -1;
      continue;
    }
    for (size_t i = 0; i < count; i++)
      if (tm_exact_sum_add(sum, block[i], memory) != 0) return -1;
  }
  return 0;
}

/* ---- merging and results */

int tm_exact_sum_merge(tm_exact_sum *sum, const tm_exact_sum *other,
                       const tm_exact_memory *memory) {
  if (other->wide != NULL && need_wide(sum, memory) != 0) return -1;
  if (sum->fixed == 0) {
    sum->window = other->window;
    sum->fixed = other->fixed;
  } else if (other->fixed != 0 &&
             (other->window != sum->window || !add_fixed(sum, other->fixed))) {
    if (need_wide(sum, memory) != 0) return -1;
    tm_exact_wide_add_signed(sum->wide, other->fixed, unit_of(other));
  }
  if (other->wide != NULL) tm_exact_wide_merge(sum->wide, other->wide);
  return 0;
}

int tm_exact_sum_unmerge(tm_exact_sum *sum, const tm_exact_sum *other,
                         const tm_exact_memory *memory) {
  const __int128 least = (__int128)((unsigned __int128)1 << 127);
  tm_exact_sum minus = *other;
  tm_exact_wide wide = {.nans = 0};
  if (other->wide != NULL || other->fixed == least) { /* which has no positive */
    uint64_t carry = 1;
    if (other->wide != NULL) wide = *other->wide;
    if (other->fixed == least) flush_fixed(&(tm_exact_sum){least, &wide, other->window, 0});
    for (int i = 0; i < TM_EXACT_LIMBS; i++) {
      wide.limb[i] = ~wide.limb[i] + carry;
      carry &= wide.limb[i] == 0;
    }
    wide.nans = -wide.nans;
    wide.infinities = -wide.infinities;
    wide.negative_infinities = -wide.negative_infinities;
    minus.wide = &wide;
  }
  minus.fixed = other->fixed == least ? 0 : -other->fixed;
  return tm_exact_sum_merge(sum, &minus, memory);
}

/* Both parts in one. */
static tm_exact_wide gather(const tm_exact_sum *sum) {
  tm_exact_wide all = {0};
  if (sum->wide != NULL) all = *sum->wide;
  tm_exact_wide_add_signed(&all, sum->fixed, unit_of(sum));
  return all;
}

/* What NaN and infinities make of a sum: false where there are none. */
static bool special_result(const tm_exact_wide *wide, double *out) {
  bool up = wide->infinities != 0, down = wide->negative_infinities != 0;
  if (wide->nans == 0 && !up && !down) return false;
  *out = wide->nans != 0 || (up && down) ? (double)NAN : up ? (double)INFINITY : -(double)INFINITY;
  return true;
}

static double round_fixed(__int128 value, int unit) {
  if (value == 0) return 0;
  bool minus = value < 0;
  unsigned __int128 size = (unsigned __int128)value;
  if (minus) size = 0 - size;
  uint64_t high = (uint64_t)(size >> 64);
  int lead = high != 0 ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)size);
  size <<= lead;
  return tm_exact_round((uint64_t)(size >> 64), (uint64_t)size != 0, unit + 127 - lead, minus);
}

double tm_exact_sum_result(const tm_exact_sum *sum) {
  double special;
  if (sum->wide == NULL) return round_fixed(sum->fixed, unit_of(sum));
  if (special_result(sum->wide, &special)) return special;
  tm_exact_wide all = gather(sum);
  return tm_exact_wide_result(&all);
}

double tm_exact_sum_result_small(const tm_exact_sum *sum) {
  double special;
  if (sum->wide != NULL && special_result(sum->wide, &special)) return special;
  tm_exact_wide all = gather(sum);
  memmove(all.limb, all.limb + 1, (TM_EXACT_LIMBS - 1) * sizeof *all.limb); /* a limb is 64 bits */
  all.limb[TM_EXACT_LIMBS - 1] = all.limb[TM_EXACT_LIMBS - 1] >> 63 ? UINT64_MAX : 0;
  return tm_exact_wide_result(&all);
}

double tm_exact_sum_result_pair(const tm_exact_sum *sum, double *low) {
  double high = tm_exact_sum_result(sum);
  *low = 0;
  if (!isfinite(high) || high == 0) return high;
  parts part = take_apart(high);
  if (sum->wide == NULL && fits_at(&part, unit_of(sum))) {
    *low = round_fixed(sum->fixed - term_at(&part, unit_of(sum)), unit_of(sum));
    return high;
  }
  tm_exact_wide all = gather(sum);
  tm_exact_wide_add(&all, part.mantissa, part.exponent, !part.minus);
  *low = tm_exact_wide_result(&all);
  return high;
}

/* ---- bytes: a mark, the lowest byte that is not 0, how many bytes, those bytes of the number in
 * two's complement; then, by the mark, the counts of what is no number */

enum { LIMB_BYTES = 8 * TM_EXACT_LIMBS, HEAD_BYTES = 5, COUNT_BYTES = 24 };

size_t tm_exact_sum_write(const tm_exact_sum *sum, uint8_t out[TM_EXACT_BYTES_MAX]) {
  tm_exact_wide all = gather(sum);
  uint8_t bytes[LIMB_BYTES], fill = tm_exact_wide_is_minus(&all) ? 0xff : 0;
  memcpy(bytes, all.limb, sizeof bytes);
  int first = 0, end = LIMB_BYTES;
  while (first < LIMB_BYTES && bytes[first] == 0) first++;
  if (first == LIMB_BYTES) first = end = 0;
  /* The last byte that stays carries the sign. */
  while (end > first + 1 && bytes[end - 1] == fill && (bytes[end - 2] >> 7) == (fill & 1)) end--;
  int count = end - first;
  bool special = (all.nans | all.infinities | all.negative_infinities) != 0;
  uint8_t head[HEAD_BYTES] = {special, (uint8_t)first, (uint8_t)(first >> 8), (uint8_t)count,
                              (uint8_t)(count >> 8)};
  memcpy(out, head, HEAD_BYTES);
  memcpy(out + HEAD_BYTES, bytes + first, (size_t)count);
  size_t size = HEAD_BYTES + (size_t)count;
  if (!special) return size;
  int64_t counts[3] = {all.nans, all.infinities, all.negative_infinities};
  memcpy(out + size, counts, COUNT_BYTES);
  return size + COUNT_BYTES;
}

/* The number in units of 2^unit, where it is a whole number of them that fits. */
static bool narrow(const tm_exact_wide *wide, int unit, __int128 *out) {
  int position = unit - TM_EXACT_LEAST, at = position / 64, bits = position % 64;
  uint64_t fill = tm_exact_wide_is_minus(wide) ? UINT64_MAX : 0, below = 0, above = 0;
  uint64_t words[3];
  for (int i = 0; i < 3; i++) words[i] = at + i < TM_EXACT_LIMBS ? wide->limb[at + i] : fill;
  for (int i = 0; i < at; i++) below |= wide->limb[i];
  for (int i = at + 3; i < TM_EXACT_LIMBS; i++) above |= wide->limb[i] ^ fill;
  if (bits > 0) {
    below |= words[0] << (64 - bits);
    above |= (uint64_t)((int64_t)(words[2] ^ fill) >> bits);
    words[0] = words[0] >> bits | words[1] << (64 - bits);
    words[1] = words[1] >> bits | words[2] << (64 - bits);
  } else {
    above |= words[2] ^ fill;
  }
  above |= (words[1] ^ fill) >> 63;
  *out = (__int128)((unsigned __int128)words[1] << 64 | words[0]);
  return below == 0 && above == 0;
}

int tm_exact_sum_read(tm_exact_sum *sum, const uint8_t *bytes, size_t size,
                      const tm_exact_memory *memory) {
  if (size < HEAD_BYTES || bytes[0] > 1) return -2;
  size_t first = bytes[1] | (size_t)bytes[2] << 8, count = bytes[3] | (size_t)bytes[4] << 8;
  size_t counts_at = HEAD_BYTES + count, end = counts_at + (bytes[0] ? COUNT_BYTES : 0);
  if (first + count > LIMB_BYTES || size < end) return -2;
  uint8_t limbs[LIMB_BYTES] = {0};
  memcpy(limbs + first, bytes + HEAD_BYTES, count);
  bool minus = count > 0 && limbs[first + count - 1] >> 7;
  if (minus) memset(limbs + first + count, 0xff, LIMB_BYTES - first - count);
  tm_exact_wide all = {0};
  memcpy(all.limb, limbs, sizeof limbs);
  if (bytes[0]) {
    int64_t counts[3];
    memcpy(counts, bytes + counts_at, COUNT_BYTES);
    all.nans = counts[0], all.infinities = counts[1], all.negative_infinities = counts[2];
  }
  double nearest = tm_exact_wide_result(&all);
  parts part = take_apart(isfinite(nearest) ? nearest : DBL_MAX);
  if (part.mantissa != 0) move_window(sum, &part);
  bool fits = narrow(&all, unit_of(sum), &sum->fixed);
  if (fits && !bytes[0]) return (int)end;
  if (need_wide(sum, memory) != 0) return *sum = (tm_exact_sum){0}, -1;
  *sum->wide = all;
  if (fits) {
    memset(sum->wide->limb, 0, sizeof sum->wide->limb);
  } else {
    sum->fixed = 0;
  }
  return (int)end;
}
