/* operator/regroup.h: lanes that group rows each for themselves and then share out the groups.
 *
 * Every lane fills a table of its own. At the end of its input it seals the table and hands it to
 * the shared object; once all have, each lane takes the keys of some hash buckets out of all
 * tables,
 * merges them and emits them. So results come out of all lanes, and no key out of two. A lane alone
 * merges nothing. Serves agg.c and distinct.c. */
#ifndef TM_OPERATOR_REGROUP_H
#define TM_OPERATOR_REGROUP_H

#include "stage/gate.h"
#include "state/group_table.h"

typedef struct tm_regroup_shared tm_regroup_shared;

typedef enum tm_regroup_phase {
  TM_REGROUP_ADDING,  /* rows come */
  TM_REGROUP_SEALING, /* of the own table */
  TM_REGROUP_WAITING, /* for the other lanes' tables */
  TM_REGROUP_MERGING, /* some buckets of all tables into `merged` */
  TM_REGROUP_READING, /* groups leave: of `merged`, or where one lane is alone of the own table */
  TM_REGROUP_DONE,
} tm_regroup_phase;

typedef struct tm_regroup {
  const tm_stage_env *env;
  tm_regroup_shared *shared;
  const tm_group_plan *plan;
  const uint8_t *needed;     /* an aggregate; NULL: all */
  tm_regroup_phase phase;
  tm_group_table *table;     /* own; the shared object's once it was handed over */
  tm_group_table *merged;
  uint32_t partition, from;  /* MERGING: which buckets, and out of which lane's table */
  uint32_t read_at;          /* groups of the partition that are out */
  uint32_t merged_before;    /* groups that came into the merge, before equal keys met */
  bool hurries;              /* restored: catches up before it yields */
  bool counted;              /* what vanished in the merge of this partition was told */
} tm_regroup;

int tm_regroup_share(const tm_group_plan *plan, uint32_t lanes, tm_budget *budget, void **out,
                     tm_error *err);
void tm_regroup_unshare(void *shared);

/* `needed` is bind->needed. env must stay. 0, or -1 with err. */
int tm_regroup_init(tm_regroup *r, const tm_stage_env *env, const tm_group_plan *plan,
                    const uint8_t *needed, tm_error *err);
void tm_regroup_deinit(tm_regroup *r);

/* After a batch was added to r->table: INPUT, or MORE while the table wants to grow. */
tm_flow tm_regroup_settle(tm_regroup *r, tm_error *err);
/* The input ended: call once, and resume until it answers FINISHED. Both add to *out_merged, where
 * that is not NULL, the groups that vanished because several lanes had them. */
tm_flow tm_regroup_finish(tm_regroup *r, tm_out *out, uint64_t *out_merged, tm_error *err);
tm_flow tm_regroup_resume(tm_regroup *r, tm_out *out, uint64_t *out_merged, tm_error *err);

void tm_regroup_save(tm_regroup *r, tm_record_writer *writer);
int tm_regroup_restore(tm_regroup *r, tm_record_reader *reader, tm_error *err);

#endif
