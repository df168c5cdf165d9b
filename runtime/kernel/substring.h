/* kernel/substring.h: where one text occurs in another, byte by byte.
 *
 * Linear in the worst case, several gigabytes a second in the usual one. Reads nothing beyond
 * either text. */
#ifndef TM_KERNEL_SUBSTRING_H
#define TM_KERNEL_SUBSTRING_H

#include <stddef.h>

/* The first occurrence, NULL where there is none; the empty needle occurs at once. */
const char *tm_substring_find(const char *text, size_t size, const char *needle,
                              size_t needle_size);

#endif
