/* operator/join_live.h: what joins share whose rows come and go: rows that come too late, and keys
 * that are found as bytes. */
#ifndef TM_OPERATOR_JOIN_LIVE_H
#define TM_OPERATOR_JOIN_LIVE_H

#include "operator/join_plan.h"
#include "state/key_map.h"

/* Drops the rows of a batch (owned) that are behind their mark, or that come after the watermark of
 * the port because their partition was idle, and tells them. 0, or -1 with err. */
int tm_join_drop_late(const tm_stage_env *env, tm_batch *batch, int64_t watermark_us, tm_out *out,
                      tm_error *err);

/* Sides that are read from files do not come at one pace: so that what is kept stays small, the one
 * whose time is ahead waits, once more than some rows of it are held. Live sources keep pace by
 * themselves, and must not be held up, lest they seem idle. */
enum { TM_JOIN_AHEAD_ROWS = 8192 };
void tm_join_take_turns(tm_bind *bind);
/* The ports that are welcome: for wants(). */
uint32_t tm_join_wants_by_time(const tm_stage_env *env, const int64_t watermarks_us[2],
                               const bool ended[2], const uint64_t rows[2]);

/* The keys of a batch, in the types in which both sides compare. */
typedef struct tm_join_key_reader {
  tm_batch *owner; /* NULL: not open */
  const tm_column *columns[TM_JOIN_KEYS_MAX];
  uint32_t count;
  tm_bytes bytes;  /* of the key that was read last */
  uint64_t hash;
} tm_join_key_reader;

/* The batch must stay until close. 0, or -1 with err. */
int tm_join_key_reader_open(tm_join_key_reader *reader, const tm_stage_env *env,
                            const tm_batch *batch, const tm_join_keys *keys, tm_error *err);
void tm_join_key_reader_close(tm_join_key_reader *reader);
/* 1; 0: a key is null, the row matches nothing; -1 with err. */
int tm_join_key_reader_read(tm_join_key_reader *reader, const tm_stage_env *env, uint32_t row,
                            tm_error *err);

/* Sums that stay within time: what would be before or beyond it, is the end of it. */
static inline int64_t tm_time_add(int64_t time_us, int64_t more_us) {
  int64_t sum;
  if (time_us == TM_TIME_NONE || time_us == TM_TIME_END) return time_us;
  if (!__builtin_add_overflow(time_us, more_us, &sum)) return sum;
  return more_us < 0 ? TM_TIME_NONE : TM_TIME_END;
}
static inline int64_t tm_time_less(int64_t time_us, int64_t less_us) {
  int64_t rest;
  if (time_us == TM_TIME_NONE || time_us == TM_TIME_END) return time_us;
  if (!__builtin_sub_overflow(time_us, less_us, &rest)) return rest;
  return less_us > 0 ? TM_TIME_NONE : TM_TIME_END;
}

#endif
