/* state/record.h: saved state as MessagePack: a writer and a strict reader.
 *
 * A record is a sequence of unsigned integers and byte strings (bin), written and read in the same
 * order; tables of values are byte strings of little-endian numbers. The reader trusts nothing:
 * any other type, a length beyond the end, or a value out of the caller's bounds is an error. */
#ifndef TM_STATE_RECORD_H
#define TM_STATE_RECORD_H

#include "base/bytes.h"
#include "base/error.h"

typedef struct tm_record_writer {
  tm_bytes *out;
  bool failed; /* out of memory: nothing after it is written; ask once, at the end */
} tm_record_writer;

typedef struct tm_record_reader {
  const uint8_t *at, *end;
  bool failed; /* malformed: every read after it gives 0; ask where it matters */
} tm_record_reader;

void tm_record_put(tm_record_writer *writer, uint64_t value);
/* In pieces of at most 1 GiB, so that no table is too large. */
void tm_record_put_bytes(tm_record_writer *writer, const void *bytes, uint64_t size);
/* 0, or -1 and TM_E_MEMORY. */
int tm_record_end(const tm_record_writer *writer, tm_error *err);

void tm_record_open(tm_record_reader *reader, const void *bytes, size_t size);
/* 0 and failed where it is more than max. */
uint64_t tm_record_get(tm_record_reader *reader, uint64_t max);
/* Exactly `size` bytes into out; zeroes where that is not what comes. */
void tm_record_get_bytes(tm_record_reader *reader, void *out, uint64_t size);
/* The next byte string where it lies in the record (at most 1 GiB). */
const uint8_t *tm_record_view(tm_record_reader *reader, size_t *out_size);
/* Wants no more bytes and no failure: 0, or -1 and TM_E_LOCKED "saved state does not fit". */
int tm_record_close(tm_record_reader *reader, tm_error *err);

#endif
