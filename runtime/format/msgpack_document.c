/* format/msgpack_document.c: see msgpack_document.h. */
#include "format/msgpack_document.h"

#include "format/base64.h"
#include "format/json_text.h"
#include "kernel/print.h"
#include "kernel/utf8.h"

static const char cut_off[] = "the document is cut off";
static const char no_object[] = "a byte that begins no MessagePack object";
static const char too_deep[] = "the document is nested more than 64 deep";

static uint64_t big_endian(const uint8_t *at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | at[i];
  return value;
}

/* ---------------------------------------------------------------- heads */

/* A text, binary or extension: `size_bytes` of a size, perhaps a type, then the bytes. */
static int64_t head_of_bytes(const uint8_t *data, size_t at, size_t size, size_t size_bytes,
                             tm_msgpack_kind kind, tm_msgpack_value *out) {
  size_t extra = kind == TM_MSGPACK_EXT;
  if (size - at < 1 + size_bytes + extra) return 0;
  uint64_t count = big_endian(data + at + 1, size_bytes);
  size_t head = 1 + size_bytes + extra;
  if (extra != 0 && (int8_t)data[at + head - 1] == -1) kind = TM_MSGPACK_TIME;
  *out = (tm_msgpack_value){.kind = kind, .begin = (uint32_t)(at + head),
                            .end = (uint32_t)(at + head + count)};
  return (int64_t)(head + count);
}

static int64_t head_of_fixed(const uint8_t *data, size_t at, size_t size, size_t count,
                             tm_msgpack_value *out) {
  if (size - at < 2) return 0;
  bool time = (int8_t)data[at + 1] == -1;
  *out = (tm_msgpack_value){.kind = time ? TM_MSGPACK_TIME : TM_MSGPACK_EXT,
                            .begin = (uint32_t)(at + 2), .end = (uint32_t)(at + 2 + count)};
  return (int64_t)(2 + count);
}

static int64_t head_of_many(const uint8_t *data, size_t at, size_t size, size_t size_bytes,
                            tm_msgpack_kind kind, tm_msgpack_value *out) {
  if (size - at < 1 + size_bytes) return 0;
  *out = (tm_msgpack_value){.kind = kind, .begin = (uint32_t)at,
                            .count = (uint32_t)big_endian(data + at + 1, size_bytes)};
  return (int64_t)(1 + size_bytes);
}

static int64_t head_of_number(const uint8_t *data, size_t at, size_t size, tm_msgpack_value *out) {
  uint8_t tag = data[at];
  size_t bytes = (size_t)1 << ((tag - 0xcc) & 3);
  if (tag == 0xca || tag == 0xcb) bytes = tag == 0xca ? 4 : 8;
  if (size - at < 1 + bytes) return 0;
  uint64_t bits = big_endian(data + at + 1, bytes);
  if (tag == 0xca) {
    uint32_t low = (uint32_t)bits;
    float narrow;
    memcpy(&narrow, &low, sizeof narrow);
    *out = (tm_msgpack_value){.kind = TM_MSGPACK_FLOAT, .number = (double)narrow};
  } else if (tag == 0xcb) {
    *out = (tm_msgpack_value){.kind = TM_MSGPACK_FLOAT};
    memcpy(&out->number, &bits, sizeof bits);
  } else if (tag <= 0xcf) {
    bool beyond = bits > (uint64_t)INT64_MAX;
    *out = (tm_msgpack_value){.kind = beyond ? TM_MSGPACK_UINT : TM_MSGPACK_INT, .natural = bits};
  } else {
    unsigned shift = 64 - 8 * (unsigned)bytes;
    *out = (tm_msgpack_value){.kind = TM_MSGPACK_INT,
                              .integer = (int64_t)(bits << shift) >> shift};
  }
  return (int64_t)(1 + bytes);
}

int64_t tm_msgpack_head(const uint8_t *data, size_t at, size_t size, tm_msgpack_value *out) {
  if (at >= size) return 0;
  uint8_t tag = data[at];
  *out = (tm_msgpack_value){.kind = TM_MSGPACK_INT, .integer = (int8_t)tag};
  if (tag <= 0x7f || tag >= 0xe0) return 1;
  if (tag <= 0x9f) {
    *out = (tm_msgpack_value){.kind = tag <= 0x8f ? TM_MSGPACK_MAP : TM_MSGPACK_ARRAY,
                              .begin = (uint32_t)at, .count = tag & 15};
    return 1;
  }
  if (tag <= 0xbf) {
    uint32_t count = tag & 31;
    *out = (tm_msgpack_value){.kind = TM_MSGPACK_STR, .begin = (uint32_t)at + 1,
                              .end = (uint32_t)at + 1 + count};
    return 1 + count;
  }
  switch (tag) {
    case 0xc0: *out = (tm_msgpack_value){.kind = TM_MSGPACK_NIL}; return 1;
    case 0xc1: return -1;
    case 0xc2: case 0xc3:
      *out = (tm_msgpack_value){.kind = TM_MSGPACK_BOOL, .boolean = tag == 0xc3};
      return 1;
    case 0xc4: case 0xc5: case 0xc6:
      return head_of_bytes(data, at, size, (size_t)1 << (tag - 0xc4), TM_MSGPACK_BIN, out);
    case 0xc7: case 0xc8: case 0xc9:
      return head_of_bytes(data, at, size, (size_t)1 << (tag - 0xc7), TM_MSGPACK_EXT, out);
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:
      return head_of_fixed(data, at, size, (size_t)1 << (tag - 0xd4), out);
    case 0xd9: case 0xda: case 0xdb:
      return head_of_bytes(data, at, size, (size_t)1 << (tag - 0xd9), TM_MSGPACK_STR, out);
    case 0xdc: case 0xdd:
      return head_of_many(data, at, size, tag == 0xdc ? 2 : 4, TM_MSGPACK_ARRAY, out);
    case 0xde: case 0xdf:
      return head_of_many(data, at, size, tag == 0xde ? 2 : 4, TM_MSGPACK_MAP, out);
    default: return head_of_number(data, at, size, out);
  }
}

/* ---------------------------------------------------------------- objects */

static uint64_t children(const tm_msgpack_value *v) {
  if (v->kind == TM_MSGPACK_MAP) return 2 * (uint64_t)v->count;
  return v->kind == TM_MSGPACK_ARRAY ? v->count : 0;
}

static const char *read_at(const uint8_t *data, uint32_t at, uint32_t end, int depth,
                           tm_msgpack_value *out, uint32_t *after) {
  int64_t size = tm_msgpack_head(data, at, end, out);
  if (size < 0) return no_object;
  if (size == 0 || size > (int64_t)end - at) return cut_off;
  uint32_t next = at + (uint32_t)size;
  uint64_t count = children(out);
  if (count > 0 && depth == TM_JSON_DEPTH_MAX) return too_deep;
  for (uint64_t i = 0; i < count; i++) {
    tm_msgpack_value ignored;
    const char *wrong = read_at(data, next, end, depth + 1, &ignored, &next);
    if (wrong != NULL) return wrong;
  }
  if (out->kind == TM_MSGPACK_MAP || out->kind == TM_MSGPACK_ARRAY) out->end = next;
  *after = next;
  return NULL;
}

const char *tm_msgpack_read(const uint8_t *data, uint32_t at, uint32_t end, tm_msgpack_value *out,
                            uint32_t *after) {
  return read_at(data, at, end, 0, out, after);
}

const char *tm_msgpack_skip(const uint8_t *data, uint32_t at, uint32_t end, tm_msgpack_value *out,
                            uint32_t *after) {
  uint64_t left = 1;
  while (left > 0) {
    int64_t size = tm_msgpack_head(data, at, end, out);
    if (size < 0) return no_object;
    if (size == 0 || size > (int64_t)end - at) return cut_off;
    at += (uint32_t)size;
    left += children(out) - 1;
  }
  *after = at;
  return NULL;
}

static const tm_json_want *find_child(const tm_json_want *want, const uint8_t *key,
                                      uint32_t size) {
  for (uint32_t i = 0; i < want->child_count; i++) {
    const tm_json_want *child = &want->children[i];
    if (child->size == size && memcmp(child->key, key, size) == 0) return child;
  }
  return NULL;
}

static void forget(tm_msgpack_value *slots, const tm_json_want *want) {
  if (want->slot != TM_JSON_NONE) slots[want->slot] = (tm_msgpack_value){.kind = TM_MSGPACK_NIL};
  for (uint32_t i = 0; i < want->child_count; i++) forget(slots, &want->children[i]);
}

static const char *read_map(const uint8_t *data, uint32_t at, uint32_t end, int depth,
                            const tm_json_want *want, tm_msgpack_value *slots, uint32_t *after) {
  tm_msgpack_value map, key, value;
  int64_t size = tm_msgpack_head(data, at, end, &map);
  if (size <= 0 || size > (int64_t)end - at) return size < 0 ? no_object : cut_off;
  if (map.kind != TM_MSGPACK_MAP) return "the document is no map";
  if (depth == TM_JSON_DEPTH_MAX) return too_deep;
  at += (uint32_t)size;
  for (uint32_t i = 0; i < map.count; i++) {
    const char *wrong = read_at(data, at, end, depth + 1, &key, &at);
    if (wrong != NULL) return wrong;
    bool named = key.kind == TM_MSGPACK_STR;
    const tm_json_want *child =
        named ? find_child(want, data + key.begin, key.end - key.begin) : NULL;
    uint32_t begin = at;
    wrong = read_at(data, at, end, depth + 1, &value, &at);
    if (wrong != NULL) return wrong;
    if (child == NULL) continue;
    forget(slots, child);
    if (child->slot != TM_JSON_NONE) slots[child->slot] = value;
    if (child->child_count == 0 || value.kind != TM_MSGPACK_MAP) continue;
    uint32_t ignored;
    wrong = read_map(data, begin, end, depth + 1, child, slots, &ignored);
    if (wrong != NULL) return wrong;
  }
  *after = at;
  return NULL;
}

const char *tm_msgpack_read_map(const uint8_t *data, uint32_t at, uint32_t end,
                                const tm_json_want *root, tm_msgpack_value *slots,
                                uint32_t *after) {
  return read_map(data, at, end, 0, root, slots, after);
}

/* ---------------------------------------------------------------- times */

int tm_msgpack_time(const uint8_t *data, const tm_msgpack_value *v, int64_t *out_us) {
  const uint8_t *at = data + v->begin;
  uint64_t nanos;
  int64_t seconds;
  switch (v->end - v->begin) {
    case 4:
      nanos = 0;
      seconds = (int64_t)big_endian(at, 4);
      break;
    case 8:
      nanos = big_endian(at, 8) >> 34;
      seconds = (int64_t)(big_endian(at, 8) & ((UINT64_C(1) << 34) - 1));
      break;
    case 12:
      nanos = big_endian(at, 4);
      seconds = (int64_t)big_endian(at + 4, 8);
      break;
    default: return -1;
  }
  if (nanos > 999999999) return -1;
  if (seconds > INT64_MAX / 1000000 - 1 || seconds < INT64_MIN / 1000000 + 1) return 2;
  *out_us = seconds * 1000000 + (int64_t)(nanos / 1000);
  return nanos % 1000 != 0;
}

/* ---------------------------------------------------------------- as JSON */

static bool put_text(tm_bytes *out, const uint8_t *bytes, uint32_t size) {
  if (tm_utf8_valid((const char *)bytes, size)) {
    return tm_json_text_string(out, (const char *)bytes, size);
  }
  size_t room = tm_base64_encoded(size);
  if (!tm_bytes_reserve(out, room + 2)) return false;
  out->data[out->size] = '"';
  tm_base64_encode((const char *)bytes, size, (char *)out->data + out->size + 1);
  out->data[out->size + room + 1] = '"';
  out->size += room + 2;
  return true;
}

static bool put_json(tm_bytes *out, const uint8_t *data, uint32_t at, uint32_t end, int depth,
                     uint32_t *after);

static bool put_children(tm_bytes *out, const uint8_t *data, const tm_msgpack_value *v,
                         uint32_t at, uint32_t end, int depth, uint32_t *after) {
  bool map = v->kind == TM_MSGPACK_MAP;
  uint64_t count = children(v);
  if (!tm_bytes_append_byte(out, map ? '{' : '[')) return false;
  for (uint64_t i = 0; i < count && at < end; i++) {
    char mark = map && i % 2 == 1 ? ':' : ',';
    if (i > 0 && !tm_bytes_append_byte(out, (uint8_t)mark)) return false;
    if (!put_json(out, data, at, end, depth + 1, &at)) return false;
  }
  *after = at;
  return tm_bytes_append_byte(out, map ? '}' : ']');
}

static bool put_json(tm_bytes *out, const uint8_t *data, uint32_t at, uint32_t end, int depth,
                     uint32_t *after) {
  tm_msgpack_value v;
  char text[TM_PRINT_MAX];
  int64_t size = tm_msgpack_head(data, at, end, &v);
  if (size <= 0 || size > (int64_t)end - at || depth > TM_JSON_DEPTH_MAX) {
    *after = end;
    return tm_bytes_append_text(out, "\"…\"");
  }
  *after = at + (uint32_t)size;
  switch (v.kind) {
    case TM_MSGPACK_NIL: return tm_bytes_append_text(out, "null");
    case TM_MSGPACK_BOOL: return tm_bytes_append_text(out, v.boolean ? "true" : "false");
    case TM_MSGPACK_INT: return tm_bytes_append(out, text, tm_print_int64(text, v.integer));
    case TM_MSGPACK_UINT:
      return tm_bytes_append(out, text, tm_print_decimal(text, (__int128)v.natural, 0));
    case TM_MSGPACK_FLOAT: {
      size_t used = tm_print_float64(text, v.number);
      if (v.number - v.number == 0) return tm_bytes_append(out, text, used);
      return tm_json_text_string(out, text, used);
    }
    case TM_MSGPACK_ARRAY:
    case TM_MSGPACK_MAP: return put_children(out, data, &v, *after, end, depth, after);
    default: return put_text(out, data + v.begin, v.end - v.begin);
  }
}

bool tm_msgpack_json(tm_bytes *out, const uint8_t *data, uint32_t at, uint32_t end) {
  uint32_t after;
  return put_json(out, data, at, end, 0, &after);
}
