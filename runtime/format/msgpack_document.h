/* format/msgpack_document.h: MessagePack objects in place: nothing is allocated for a document.
 *
 * (msgpack-c would make a tree of every document, as large as a damaged size field says. Writing
 * goes through its packer; the tests hold this reader against its unpacker.) */
#ifndef TM_FORMAT_MSGPACK_DOCUMENT_H
#define TM_FORMAT_MSGPACK_DOCUMENT_H

#include "base/bytes.h"
#include "format/json_document.h"

typedef enum tm_msgpack_kind {
  TM_MSGPACK_NIL, /* or no such field */
  TM_MSGPACK_BOOL, TM_MSGPACK_INT, TM_MSGPACK_UINT /* beyond int64 */, TM_MSGPACK_FLOAT,
  TM_MSGPACK_STR, TM_MSGPACK_BIN, TM_MSGPACK_TIME, TM_MSGPACK_EXT, TM_MSGPACK_ARRAY,
  TM_MSGPACK_MAP,
} tm_msgpack_kind;

typedef struct tm_msgpack_value {
  tm_msgpack_kind kind;
  uint32_t begin, end; /* STR, BIN, TIME, EXT: the bytes; ARRAY, MAP: the whole object */
  uint32_t count;      /* of the elements of an array, of the pairs of a map */
  union { int64_t integer; uint64_t natural; double number; bool boolean; };
} tm_msgpack_value;

/* What the object at `at` begins with. Its own size, the contents of arrays and maps aside; 0: more
 * bytes are needed to know; -1: it is none. Of a text the bytes may be beyond `size`. */
int64_t tm_msgpack_head(const uint8_t *data, size_t at, size_t size, tm_msgpack_value *out);
/* The object at `at`; *out_after is behind it. NULL, or what is wrong. */
const char *tm_msgpack_read(const uint8_t *data, uint32_t at, uint32_t end, tm_msgpack_value *out,
                            uint32_t *out_after);
/* Over it, however deep: needs no stack. */
const char *tm_msgpack_skip(const uint8_t *data, uint32_t at, uint32_t end, tm_msgpack_value *out,
                            uint32_t *out_after);
/* The map at `at`: values of wanted names go to slots, which the caller has set to nil. */
const char *tm_msgpack_read_map(const uint8_t *data, uint32_t at, uint32_t end,
                                const tm_json_want *root, tm_msgpack_value *slots,
                                uint32_t *out_after);
/* Nanoseconds below a microsecond are an answer of their own. 0; -1: no timestamp; 1: such digits
 * are lost; 2: out of range. */
int tm_msgpack_time(const uint8_t *data, const tm_msgpack_value *value, int64_t *out_us);
/* The object as JSON, for people; deep ones cut. false: out of memory. */
bool tm_msgpack_json(tm_bytes *out, const uint8_t *data, uint32_t at, uint32_t end);

#endif
