/* kernel/structural_loops.h: the loops of structural.h over a mask of 64 bytes.
 *
 * Included once for every kind of vector, after
 *   #define NAME(verb)   the name of a function of this kind
 *   #define TARGET       the attribute that allows its instructions
 *   mask_of(const char *at, char byte)      bit i: at[i] is byte, for 64 bytes
 *   mask_of_three(at, a, b, c)              bit i: at[i] is one of them
 * which it undefines again. No include guard, on purpose. */

/* Writes base + i for every bit i of the mask, in strides: up to 11 entries behind the last one
 * are written too. */
TARGET static inline uint32_t *NAME(write)(uint32_t *restrict out, uint64_t mask, uint32_t base) {
  size_t count = (size_t)__builtin_popcountll(mask);
  uint32_t *end = out + count;
  for (int i = 0; i < 12; i++) { /* enough for fields of five bytes and more; no branch to miss */
    out[i] = base + (uint32_t)__builtin_ctzll(mask | UINT64_C(1) << 63);
    mask &= mask - 1;
  }
  for (out += 12; out < end; out += 4) {
    for (int i = 0; i < 4; i++) {
      out[i] = base + (uint32_t)__builtin_ctzll(mask | UINT64_C(1) << 63);
      mask &= mask - 1;
    }
  }
  return end;
}

#ifndef OWN_SCAN
TARGET static size_t NAME(scan)(const char *text, size_t size, char delimiter, char quote,
                                uint32_t *positions) {
  uint32_t *out = positions;
  size_t at = 0;
  for (; at + 64 <= size; at += 64)
    out = NAME(write)(out, mask_of_three(text + at, delimiter, quote, '\n'), (uint32_t)at);
  if (at < size) {
    uint64_t inside = ~UINT64_C(0) >> (64 - (size - at));
    uint64_t mask = mask_of_three(text + at, delimiter, quote, '\n') & inside;
    out = NAME(write)(out, mask, (uint32_t)at);
  }
  return (size_t)(out - positions);
}
#endif

TARGET static size_t NAME(count)(const char *text, size_t size, char byte) {
  size_t count = 0, at = 0;
  for (; at + 64 <= size; at += 64)
    count += (size_t)__builtin_popcountll(mask_of(text + at, byte));
  if (at < size) {
    uint64_t inside = ~UINT64_C(0) >> (64 - (size - at));
    count += (size_t)__builtin_popcountll(mask_of(text + at, byte) & inside);
  }
  return count;
}

TARGET static size_t NAME(find_last)(const char *text, size_t size, char byte) {
  size_t at = size / 64 * 64;
  uint64_t mask = 0;
  if (at < size) mask = mask_of(text + at, byte) & ~UINT64_C(0) >> (64 - (size - at));
  while (mask == 0) {
    if (at == 0) return SIZE_MAX;
    at -= 64;
    mask = mask_of(text + at, byte);
  }
  return at + 63 - (size_t)__builtin_clzll(mask);
}

TARGET static size_t NAME(scan_set)(const char *text, size_t size, const char *bytes, size_t count,
                                    uint64_t *const *masks) {
  size_t words = (size + 63) / 64;
  uint64_t *restrict a = masks[0], *restrict b = masks[count > 1], *restrict c = masks[count - 1];
  char x = bytes[0], y = bytes[count > 1], z = bytes[count - 1];
  if (count == 1) {
    for (size_t i = 0; i < words; i++) a[i] = mask_of(text + i * 64, x);
  } else if (count == 2) {
    for (size_t i = 0; i < words; i++) {
      a[i] = mask_of(text + i * 64, x);
      b[i] = mask_of(text + i * 64, y);
    }
  } else {
    for (size_t i = 0; i < words; i++) {
      a[i] = mask_of(text + i * 64, x);
      b[i] = mask_of(text + i * 64, y);
      c[i] = mask_of(text + i * 64, z);
    }
  }
  if (size % 64 != 0)
    for (size_t k = 0; k < count; k++) masks[k][words - 1] &= ~UINT64_C(0) >> (64 - size % 64);
  return words;
}

#undef NAME
#undef TARGET
#undef OWN_SCAN
