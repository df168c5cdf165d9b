/* state/record.c: uint 64 (0xcf) and bin 32 (0xc6) are all of MessagePack that state needs. */
#include "state/record.h"

enum { TAG_UINT = 0xcf, TAG_BIN = 0xc6, PIECE_BYTES = 1 << 30 };

/* MessagePack's own numbers are big-endian. */
static void put_number(uint8_t *out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--, value >>= 8) out[i] = (uint8_t)value;
}

static uint64_t get_number(const uint8_t *in, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value = value << 8 | in[i];
  return value;
}

void tm_record_put(tm_record_writer *writer, uint64_t value) {
  uint8_t text[9] = {TAG_UINT};
  put_number(text + 1, value, 8);
  if (!writer->failed && !tm_bytes_append(writer->out, text, sizeof text)) writer->failed = true;
}

void tm_record_put_bytes(tm_record_writer *writer, const void *bytes, uint64_t size) {
  const uint8_t *at = bytes;
  do {
    uint64_t piece = size < PIECE_BYTES ? size : PIECE_BYTES;
    uint8_t head[5] = {TAG_BIN};
    put_number(head + 1, piece, 4);
    if (writer->failed) return;
    if (!tm_bytes_append(writer->out, head, sizeof head) ||
        !tm_bytes_append(writer->out, at, piece)) {
      writer->failed = true;
      return;
    }
    at += piece;
    size -= piece;
  } while (size > 0);
}

int tm_record_end(const tm_record_writer *writer, tm_error *err) {
  if (!writer->failed) return 0;
  return tm_fail(err, TM_E_MEMORY, "out of memory while saving state");
}

void tm_record_open(tm_record_reader *reader, const void *bytes, size_t size) {
  *reader = (tm_record_reader){.at = bytes, .end = (const uint8_t *)bytes + size};
}

uint64_t tm_record_get(tm_record_reader *reader, uint64_t max) {
  if (reader->failed || reader->end - reader->at < 9 || reader->at[0] != TAG_UINT) {
    reader->failed = true;
    return 0;
  }
  uint64_t value = get_number(reader->at + 1, 8);
  reader->at += 9;
  if (value <= max) return value;
  reader->failed = true;
  return 0;
}

const uint8_t *tm_record_view(tm_record_reader *reader, size_t *out_size) {
  *out_size = 0;
  if (reader->failed || reader->end - reader->at < 5 || reader->at[0] != TAG_BIN) {
    reader->failed = true;
    return reader->at;
  }
  uint64_t size = get_number(reader->at + 1, 4);
  if (size > PIECE_BYTES || (uint64_t)(reader->end - reader->at - 5) < size) {
    reader->failed = true;
    return reader->at;
  }
  const uint8_t *bytes = reader->at + 5;
  reader->at = bytes + size;
  *out_size = (size_t)size;
  return bytes;
}

void tm_record_get_bytes(tm_record_reader *reader, void *out, uint64_t size) {
  uint8_t *at = out;
  uint64_t left = size;
  do {
    size_t piece;
    const uint8_t *bytes = tm_record_view(reader, &piece);
    if (piece > left || (piece < left && piece != PIECE_BYTES)) reader->failed = true;
    if (reader->failed) {
      if (size > 0) memset(out, 0, size);
      return;
    }
    if (piece > 0) memcpy(at, bytes, piece);
    at += piece;
    left -= piece;
  } while (left > 0);
}

int tm_record_close(tm_record_reader *reader, tm_error *err) {
  if (!reader->failed && reader->at == reader->end) return 0;
  return tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
}
