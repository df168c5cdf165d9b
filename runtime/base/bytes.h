/* base/bytes.h: a growing buffer of bytes, charged to a budget.
 *
 * `data` holds `size` bytes and always has room for `capacity`. Appends grow it by doubling, so a
 * caller may hold no pointer into it across one. A failed append leaves the buffer as it was. */
#ifndef TM_BASE_BYTES_H
#define TM_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

typedef struct tm_bytes {
  uint8_t *data; /* NULL while nothing was reserved */
  size_t size, capacity;
  tm_budget *budget;
} tm_bytes;

void tm_bytes_init(tm_bytes *bytes, tm_budget *budget);
void tm_bytes_deinit(tm_bytes *bytes);
/* Room for `more` bytes behind size. false when refused. */
bool tm_bytes_grow(tm_bytes *bytes, size_t more);
bool tm_bytes_format(tm_bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool tm_bytes_vformat(tm_bytes *bytes, const char *format, va_list args);
/* Gives the memory to the caller, who frees it with tm_free(budget, data, *out_capacity). */
uint8_t *tm_bytes_take(tm_bytes *bytes, size_t *out_size, size_t *out_capacity);

static inline bool tm_bytes_reserve(tm_bytes *bytes, size_t more) {
  return bytes->capacity - bytes->size >= more || tm_bytes_grow(bytes, more);
}

static inline bool tm_bytes_append(tm_bytes *bytes, const void *data, size_t size) {
  if (size == 0) return true;
  if (!tm_bytes_reserve(bytes, size)) return false;
  memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
  return true;
}

static inline bool tm_bytes_append_byte(tm_bytes *bytes, uint8_t byte) {
  if (!tm_bytes_reserve(bytes, 1)) return false;
  bytes->data[bytes->size++] = byte;
  return true;
}

static inline bool tm_bytes_append_text(tm_bytes *bytes, const char *text) {
  return tm_bytes_append(bytes, text, strlen(text));
}

static inline void tm_bytes_clear(tm_bytes *bytes) { bytes->size = 0; }

/* A NUL behind the bytes that is not counted; NULL when refused. */
const char *tm_bytes_c_string(tm_bytes *bytes);

#endif
