/* operator/keep_first.h: the first row of a key passes, others are duplicates: for ever, or within
 * a time of the last row that passed. Serves dedup.c and once.c, which name its options. */
#ifndef TM_OPERATOR_KEEP_FIRST_H
#define TM_OPERATOR_KEEP_FIRST_H

#include "stage/stage.h"

/* What dedup and once, first and last, have in common: key columns, `within`, `order`. */
typedef struct tm_keep_plan {
  uint32_t *keys; /* columns of the input */
  tm_type *key_types;
  uint32_t key_count;
  int64_t within_us; /* TM_KEYS_FOR_EVER */
  bool by_arrival;
} tm_keep_plan;

/* Reads the options, of which `key_option` names the key, and answers what holds for both: rows
 * pass, in one lane, in order of time. NULL with err. */
tm_keep_plan *tm_keep_bind(tm_bind *bind, const char *key_option, tm_error *err);
/* The output's columns and the key's. */
void tm_keep_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *needed_in);
/* Rows of the batch whose key has no null to `with`, the others to `without`; each has room for
 * all, out of the batch's arena. The number of `with`. */
uint32_t tm_keep_split(const tm_keep_plan *plan, const tm_batch *batch, uint32_t *with,
                       uint32_t *without);

/* The bind of a changelog: refused, for the first row of what may be taken back is not final. */
int tm_keep_first_bind(tm_bind *bind, const char *key_option, tm_error *err);
int tm_keep_first_open(const tm_stage_env *env, void **out, tm_error *err);
int tm_keep_first_restore(void *self, const void *bytes, size_t size, tm_error *err);
tm_flow tm_keep_first_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err);
tm_flow tm_keep_first_resume(void *self, tm_out *out, tm_error *err);
tm_flow tm_keep_first_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                              tm_error *err);
int tm_keep_first_save(void *self, tm_bytes *out, tm_error *err);
tm_flow tm_keep_first_finish(void *self, uint32_t port, tm_out *out, tm_error *err);
void tm_keep_first_close(void *self);

#endif
