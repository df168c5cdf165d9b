/* format/base64.c: three bytes are four characters of six bits each. */
#include "format/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void tm_base64_encode(const char *bytes, size_t size, char *out) {
  const uint8_t *in = (const uint8_t *)bytes;
  for (; size >= 3; size -= 3, in += 3) {
    uint32_t word = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
    *out++ = alphabet[word >> 18];
    *out++ = alphabet[word >> 12 & 63];
    *out++ = alphabet[word >> 6 & 63];
    *out++ = alphabet[word & 63];
  }
  if (size == 0) return;
  uint32_t word = (uint32_t)in[0] << 16 | (size > 1 ? (uint32_t)in[1] << 8 : 0);
  *out++ = alphabet[word >> 18];
  *out++ = alphabet[word >> 12 & 63];
  *out++ = size > 1 ? alphabet[word >> 6 & 63] : '=';
  *out = '=';
}

static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

int64_t tm_base64_decode(const char *text, size_t size, char *out) {
  if (size % 4 == 0) {
    for (int pads = 0; pads < 2 && size > 0 && text[size - 1] == '='; pads++) size--;
  }
  if (size % 4 == 1) return -1;
  uint32_t word = 0, bits = 0;
  int64_t used = 0;
  for (size_t i = 0; i < size; i++) {
    int value = value_of(text[i]);
    if (value < 0) return -1;
    word = word << 6 | (uint32_t)value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[used++] = (char)(word >> bits);
    word &= (1u << bits) - 1;
  }
  return word == 0 ? used : -1; /* bits that belong to no byte are zero */
}
