/* base/bytes.c: growth of byte buffers: doubling, from 64 bytes on. */
#include "base/bytes.h"

#include <stdio.h>

enum { CAPACITY_MIN = 64 };

void tm_bytes_init(tm_bytes *bytes, tm_budget *budget) {
  *bytes = (tm_bytes){.budget = budget};
}

void tm_bytes_deinit(tm_bytes *bytes) {
  tm_free(bytes->budget, bytes->data, bytes->capacity);
  bytes->data = NULL;
  bytes->size = bytes->capacity = 0;
}

bool tm_bytes_grow(tm_bytes *bytes, size_t more) {
  if (more <= bytes->capacity - bytes->size) return true;
  if (more > SIZE_MAX / 2 - bytes->size) return false;
  size_t needed = bytes->size + more;
  size_t wanted = bytes->capacity < CAPACITY_MIN ? CAPACITY_MIN : bytes->capacity * 2;
  if (wanted < needed) wanted = needed;
  uint8_t *data = tm_realloc(bytes->budget, bytes->data, bytes->capacity, wanted);
  if (data == NULL && wanted > needed) { /* near the limit: take no more than is needed */
    wanted = needed;
    data = tm_realloc(bytes->budget, bytes->data, bytes->capacity, wanted);
  }
  if (data == NULL) return false;
  bytes->data = data;
  bytes->capacity = wanted;
  return true;
}

bool tm_bytes_vformat(tm_bytes *bytes, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  size_t room = bytes->capacity - bytes->size;
  char *end = room > 0 ? (char *)bytes->data + bytes->size : NULL;
  int size = vsnprintf(end, room, format, args);
  bool fits = size >= 0;
  if (fits && (size_t)size >= room) {
    fits = tm_bytes_reserve(bytes, (size_t)size + 1);
    if (fits) (void)vsnprintf((char *)bytes->data + bytes->size, (size_t)size + 1, format, again);
  }
  va_end(again);
  if (fits) bytes->size += (size_t)size;
  return fits;
}

bool tm_bytes_format(tm_bytes *bytes, const char *format, ...) {
  va_list args;
  va_start(args, format);
  bool done = tm_bytes_vformat(bytes, format, args);
  va_end(args);
  return done;
}

uint8_t *tm_bytes_take(tm_bytes *bytes, size_t *out_size, size_t *out_capacity) {
  uint8_t *data = bytes->data;
  *out_size = bytes->size;
  *out_capacity = bytes->capacity;
  bytes->data = NULL;
  bytes->size = bytes->capacity = 0;
  return data;
}

const char *tm_bytes_c_string(tm_bytes *bytes) {
  if (!tm_bytes_reserve(bytes, 1)) return NULL;
  bytes->data[bytes->size] = '\0';
  return (const char *)bytes->data;
}
