/* io/cutter.h: cuts the bytes of one file or connection into blocks of whole records.
 *
 * Whoever has the bytes puts them where room() says and tells how many there are; take() hands out
 * what is whole. The bytes that no block has got yet lie in `next`. One thread at a time. */
#ifndef TM_IO_CUTTER_H
#define TM_IO_CUTTER_H

#include "format/format.h"

/* Layouts of files that lie the same are one; they live as long as their home. */
typedef struct tm_layout_home {
  tm_arena arena;   /* of layouts */
  tm_arena scratch; /* of looking at headers */
  struct tm_known_layout *known;
} tm_layout_home;

void tm_layout_home_init(tm_layout_home *home, tm_budget *budget);
void tm_layout_home_deinit(tm_layout_home *home);

typedef struct tm_cutter {
  /* Set at the beginning; all borrowed. */
  const tm_reading *reading;
  tm_layout_home *home;
  tm_block_pool *pool;
  tm_block_pool *small;   /* of blocks for few records, which then are copied; NULL: none */
  const char *path;       /* whose folders give values; NULL: none */
  const char *name;       /* as blocks have it */
  uint32_t file_index;
  /* State. */
  const tm_layout *layout; /* NULL: not begun */
  uint64_t line;           /* of the next record */
  bool ended;              /* no more bytes come */
  tm_block *next;          /* of its `used` bytes the first `start` are no records */
  size_t used, start;
  uint64_t offset;         /* of next's buffer in the file */
  tm_split split;
  bool skipping;           /* the rest of a record that was too long, or was cut into */
  uint64_t *masks;
  size_t masks_capacity;
  tm_budget *budget;
} tm_cutter;

typedef enum tm_cut {
  TM_CUT_FAILED = -1,
  TM_CUT_END = 0,   /* ended, and everything was handed out */
  TM_CUT_BLOCK = 1,
  TM_CUT_MORE = 2,  /* more bytes are needed */
} tm_cut;

/* Zeroed but for what is borrowed and the budget. Then: */
void tm_cutter_begin(tm_cutter *cutter);
void tm_cutter_deinit(tm_cutter *cutter); /* begin() may follow: all state is dropped */
/* Where the next bytes belong, at least one; grows with its record. NULL with err. */
char *tm_cutter_room(tm_cutter *cutter, size_t *out_size, tm_error *err);
static inline void tm_cutter_add(tm_cutter *cutter, size_t size) { cutter->used += size; }
/* *out has one reference and no sequence; NULL unless the answer is a block. What is wrong with the
 * bytes is TM_E_FORMAT. */
tm_cut tm_cutter_take(tm_cutter *cutter, tm_block **out, tm_error *err);
/* Nothing of a record is in it: the memory goes back until there is something. */
void tm_cutter_rest(tm_cutter *cutter);

/* Where it goes on, behind all that it handed out. */
typedef struct tm_cutter_place {
  uint64_t offset, line;
  uint64_t skipping, state, left; /* of the split, within a record that is too long */
} tm_cutter_place;

bool tm_cutter_place_of(const tm_cutter *cutter, tm_cutter_place *out); /* false: not begun */
/* What comes before the first record, of a file whose first bytes are in. 1; 0: needs more; -1. */
int tm_cutter_head(tm_cutter *cutter, tm_error *err);
/* A block of bytes that were saved: `like` has its first_line, offset, sequence, first_batch and
 * told; the layout is that of the cutter. NULL with err. */
tm_block *tm_cutter_restore(const tm_cutter *cutter, const tm_block *like, const void *bytes,
                            size_t size, tm_error *err);
/* After head(): the bytes that come next are those at the place; what was in is dropped. */
void tm_cutter_jump(tm_cutter *cutter, const tm_cutter_place *place);

#endif
