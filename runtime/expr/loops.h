/* expr/loops.h: how loops over columns are written, so that the compiler vectorises them.
 *
 * One definition gives the forms array-array, array-value, value-array, each over all rows and
 * over listed rows, compiled for the plain processor and for one with AVX2. */
#ifndef TM_EXPR_LOOPS_H
#define TM_EXPR_LOOPS_H

#include "expr/vector.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TM_CLONES
#elif defined(__x86_64__) && defined(__ELF__) && defined(__linux__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TM_CLONES
#endif
#endif
#ifndef TM_CLONES
#define TM_CLONES __attribute__((target_clones("avx2", "default")))
#endif
#else
#define TM_CLONES
#endif
#define TM_INLINE static inline __attribute__((always_inline))

/* A binary loop: a and b are arrays, or single values where ca, cb (not both); rows NULL: 0 … n. */
typedef void tm_binary_loop(const void *a, bool ca, const void *b, bool cb, void *out,
                            const uint32_t *rows, uint32_t n);
/* The same for one operand. */
typedef void tm_unary_loop(const void *a, void *out, const uint32_t *rows, uint32_t n);
int tm_eval_binary_loop(tm_eval *e, tm_binary_loop *loop, size_t width_in, size_t width_out,
                        const tm_rows *set, tm_vec *a, tm_vec *b, tm_vec *out);
int tm_eval_unary_loop(tm_eval *e, tm_unary_loop *loop, size_t width_out, const tm_rows *set,
                       const tm_vec *a, tm_vec *out);

#define TM_DEFINE_BINARY(NAME, A, B, R, EXPR)                                                    \
  TM_INLINE void NAME##_form(const A *restrict a, bool ca, const B *restrict b, bool cb,         \
                             R *restrict out, const uint32_t *restrict rows, uint32_t n) {       \
    if (rows == NULL) {                                                                          \
      for (uint32_t i = 0; i < n; i++) {                                                         \
        A x = a[ca ? 0 : i];                                                                     \
        B y = b[cb ? 0 : i];                                                                     \
        out[i] = (R)(EXPR);                                                                      \
      }                                                                                          \
      return;                                                                                    \
    }                                                                                            \
    for (uint32_t k = 0; k < n; k++) {                                                           \
      uint32_t i = rows[k];                                                                      \
      A x = a[ca ? 0 : i];                                                                       \
      B y = b[cb ? 0 : i];                                                                       \
      out[i] = (R)(EXPR);                                                                        \
    }                                                                                            \
  }                                                                                              \
  TM_CLONES static void NAME(const void *a, bool ca, const void *b, bool cb, void *out,          \
                             const uint32_t *rows, uint32_t n) {                                 \
    if (ca) {                                                                                    \
      NAME##_form(a, true, b, false, out, rows, n);                                              \
    } else if (cb) {                                                                             \
      NAME##_form(a, false, b, true, out, rows, n);                                              \
    } else {                                                                                     \
      NAME##_form(a, false, b, false, out, rows, n);                                             \
    }                                                                                            \
  }

#define TM_DEFINE_UNARY(NAME, A, R, EXPR)                                                        \
  TM_CLONES static void NAME(const void *values, void *results, const uint32_t *restrict rows,   \
                             uint32_t n) {                                                       \
    const A *restrict a = values;                                                                \
    R *restrict out = results;                                                                   \
    if (rows == NULL) {                                                                          \
      for (uint32_t i = 0; i < n; i++) {                                                         \
        A x = a[i];                                                                              \
        out[i] = (R)(EXPR);                                                                      \
      }                                                                                          \
      return;                                                                                    \
    }                                                                                            \
    for (uint32_t k = 0; k < n; k++) {                                                           \
      A x = a[rows[k]];                                                                          \
      out[rows[k]] = (R)(EXPR);                                                                  \
    }                                                                                            \
  }

#endif
