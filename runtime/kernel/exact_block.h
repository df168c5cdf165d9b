/* kernel/exact_block.h: the inner loop of exact_sum.c for one kind of vector.
 *
 * Included once for each, after
 *   #define NAME    the function's name
 *   #define LANES   doubles in a vector
 *   #define TARGET  the attribute that allows its instructions
 * which it undefines again. No include guard, on purpose. */

/* rows is a multiple of LANES, at most BLOCK_ROWS. */
TARGET static block_sum NAME(const double *values, size_t rows, int unit) {
  typedef double lanes __attribute__((vector_size(8 * LANES)));
  typedef int64_t int_lanes __attribute__((vector_size(8 * LANES)));
  typedef uint64_t word_lanes __attribute__((vector_size(8 * LANES))); /* may wrap */
  lanes step0 = ldexp(1.5, 52 + unit) + (lanes){0};
  lanes step1 = ldexp(1.5, 52 + unit + PIECE_BITS) + (lanes){0};
  lanes step2 = ldexp(1.5, 52 + unit + 2 * PIECE_BITS) + (lanes){0};
  lanes limit = ldexp(1, unit + TM_EXACT_FIXED_BITS) + (lanes){0};
  word_lanes sum0 = {0}, sum1 = {0}, sum2 = {0};
  int_lanes exact = ~(int_lanes){0};
  for (size_t i = 0; i < rows; i += LANES) {
    lanes x;
    memcpy(&x, values + i, sizeof x);
    lanes moved2 = x + step2, rest2 = x - (moved2 - step2);
    lanes moved1 = rest2 + step1, rest1 = rest2 - (moved1 - step1);
    lanes moved0 = rest1 + step0, rest0 = rest1 - (moved0 - step0);
    sum2 += (word_lanes)moved2 - (word_lanes)step2;
    sum1 += (word_lanes)moved1 - (word_lanes)step1;
    sum0 += (word_lanes)moved0 - (word_lanes)step0;
    exact &= (rest0 == 0) & (x < limit) & (x > -limit);
  }
  uint64_t pieces[3] = {0, 0, 0};
  bool all_exact = true;
  for (int i = 0; i < LANES; i++) {
    pieces[0] += sum0[i];
    pieces[1] += sum1[i];
    pieces[2] += sum2[i];
    all_exact &= exact[i] != 0;
  }
  return (block_sum){{(int64_t)pieces[0], (int64_t)pieces[1], (int64_t)pieces[2]}, all_exact};
}

#undef NAME
#undef LANES
#undef TARGET
