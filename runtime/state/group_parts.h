/* state/group_parts.h: what a group table looks like inside, for group_*.c alone. */
#ifndef TM_STATE_GROUP_PARTS_H
#define TM_STATE_GROUP_PARTS_H

#include "state/group_table.h"

typedef struct tm_group_filtered { /* the rows of a filter, with their groups */
  uint32_t *rows, *groups; /* scratch */
  tm_grouped in;           /* in it, or as the batch has them where all rows pass */
} tm_group_filtered;

struct tm_group_scratch {
  tm_budget *budget;
  uint32_t rows, filter_count;
  uint32_t *ids;         /* by number of the row; beside them by row where there are filters */
  uint32_t *id_of_row;
  tm_group_filtered *filters;
};

/* Groups by eight bits of their hashes, once a table is sealed with buckets. */
typedef struct tm_group_buckets {
  uint64_t *hashes;      /* by id, until the ids are in place */
  uint32_t *ids;         /* sorted by bucket, */
  uint64_t *id_hashes;   /* with the hashes beside them */
  uint32_t starts[TM_GROUP_BUCKETS + 1], ends[TM_GROUP_BUCKETS];
  uint32_t keys;
} tm_group_buckets;

typedef enum tm_seal_phase { SEAL_PARTS, SEAL_HASH, SEAL_PLACE, SEAL_DONE } tm_seal_phase;

struct tm_group_table {
  tm_budget *budget;
  const tm_group_plan *plan;
  const uint8_t *needed;
  tm_key_table *keys;
  tm_part **parts;       /* of the plan; NULL: not needed */
  uint64_t arrived;      /* rows of all batches, selected or not */
  bool *filter_used;
  tm_group_scratch *scratch; /* for a batch */
  bool owns_scratch;
  /* sealing */
  tm_seal_phase phase;
  uint32_t at, part_at;
  tm_group_buckets *buckets; /* NULL without */
  /* merging: position within the buckets of the other table */
  uint32_t merge_at, merge_part, merge_before;
  bool merging, merge_inserted;
  uint64_t merge_part_at;
  uint32_t *merge_to;
  /* reading */
  tm_selection *selection;
  double *quantiles;     /* an aggregate after the other, read_room entries each */
  uint8_t *there;
  uint32_t read_room, read_aggregate, read_group;
};

int tm_group_no_memory(const tm_group_table *table, tm_error *err);
bool tm_group_grow_parts(tm_group_table *table);
/* Gives back what it has for rows. */
void tm_group_scratch_free(tm_group_scratch *scratch);
bool tm_group_scratch_reserve(tm_group_scratch *scratch, uint32_t rows);
void tm_group_buckets_free(tm_group_table *table);
void tm_group_merge_free(tm_group_table *table);
void tm_group_reading_free(tm_group_table *table);

#endif
