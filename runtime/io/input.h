/* io/input.h: the bytes of a file, a pipe or stdin, decompressed, one after another.
 *
 * Whether a file is compressed is seen by its first bytes. What was read of a pipe before the run
 * (to sniff a schema) is a head, which the input gives back first. */
#ifndef TM_IO_INPUT_H
#define TM_IO_INPUT_H

#include "base/error.h"
#include "base/memory.h"

enum { TM_INPUT_LATER = -2 };

typedef struct tm_input tm_input;

/* Bytes of a pipe that were taken already; the descriptor stays open. In the plan arena. */
typedef struct tm_input_head {
  int file;
  const uint8_t *bytes;
  size_t size;
  bool whole; /* nothing follows */
} tm_input_head;

/* path "-" is stdin. head NULL: from the start. 0, or -1: TM_E_MISSING, TM_E_READ. */
int tm_input_open(tm_input **out, tm_budget *budget, const char *path, const tm_input_head *head,
                  tm_error *err);
/* Up to `size` bytes; 0 is the end. TM_INPUT_LATER where a pipe has nothing within wait_us
 * (negative: waits for ever). -1 with err: TM_E_READ, TM_E_CORRUPT. */
int64_t tm_input_read(tm_input *input, void *out, size_t size, int64_t wait_us, tm_error *err);
/* Bytes read of the file itself so far, compressed as it may be. */
uint64_t tm_input_bytes(const tm_input *input);
bool tm_input_is_pipe(const tm_input *input); /* reading may wait */
int tm_input_file(const tm_input *input);     /* its descriptor; -1: nothing more comes */
void tm_input_close(tm_input *input);

/* The first bytes of a file, decompressed: up to `size`, from the arena. *out_head is made where
 * they cannot be read a second time, else NULL. *out_whole: the file has no more. */
int tm_input_sample(tm_arena *arena, const char *path, size_t size, const char **out_bytes,
                    size_t *out_size, bool *out_whole, const tm_input_head **out_head,
                    tm_error *err);

#endif
