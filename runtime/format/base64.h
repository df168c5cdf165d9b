/* format/base64.h: bytes as text (RFC 4648, with padding). */
#ifndef TM_FORMAT_BASE64_H
#define TM_FORMAT_BASE64_H

#include <stddef.h>
#include <stdint.h>

static inline size_t tm_base64_encoded(size_t size) { return (size + 2) / 3 * 4; }
static inline size_t tm_base64_decoded_max(size_t size) { return size / 4 * 3 + 3; }

/* Writes tm_base64_encoded(size) characters. */
void tm_base64_encode(const char *bytes, size_t size, char *out);
/* The number of bytes, -1 where it is no base64. Padding may be missing; spaces may not be there.
 * */
int64_t tm_base64_decode(const char *text, size_t size, char *out);

#endif
