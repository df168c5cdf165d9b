/* stage/parse.h: from blocks of a format to batches, for the sources that read formats: refused
 * rows, filters and yielding included. */
#ifndef TM_STAGE_PARSE_H
#define TM_STAGE_PARSE_H

#include "format/format.h"
#include "stage/stage.h"

/* Completes what bind made by what the optimiser found. `early` has a byte a column and one more,
 * zeroed; it is kept. */
void tm_parse_complete(tm_reading *reading, const tm_bind *bind, uint8_t *early);

typedef struct tm_parse {
  tm_stage_env env;
  const tm_reading *reading;
  tm_parser *parser;
  bool busy;   /* the parser has a block */
  tm_out *out; /* during a call; NULL: what is refused was told before */
} tm_parse;

/* The hooks point to `parse`, which lies still until close. 0 or -1. */
int tm_parse_open(tm_parse *parse, const tm_stage_env *env, const tm_reading *reading,
                  tm_error *err);
void tm_parse_close(tm_parse *parse);
/* Takes the block's reference. `out` may be NULL. 0 or -1. */
int tm_parse_begin(tm_parse *parse, tm_block *taken, tm_out *out, tm_error *err);
/* One batch, if there is one. MORE: call again; INPUT: the block is done; FAILED. */
tm_flow tm_parse_step(tm_parse *parse, tm_out *out, tm_error *err);

#endif
