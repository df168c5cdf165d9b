/* operator/join_live.c: see join_live.h. */
#include "operator/join_live.h"

#include <stdio.h>

#include "kernel/cast.h"
#include "kernel/print.h"
#include "state/key_bytes.h"

static int no_memory(const tm_stage_env *env, tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "%s: out of memory", env->bind->verb);
}

/* ---------------------------------------------------------------- rows that are late */

static int tell_late(const tm_stage_env *env, const tm_batch *batch, uint32_t row,
                     int64_t watermark_us, tm_out *out, tm_error *err) {
  bool behind = batch->marks != NULL && batch->times[row] < batch->marks[row];
  int64_t least = behind ? batch->marks[row] : watermark_us;
  char message[256], time[TM_PRINT_MAX + 1], watermark[TM_PRINT_MAX + 1];
  time[tm_print_timestamp(time, batch->times[row], 0, true)] = '\0';
  watermark[tm_print_timestamp(watermark, least, 0, true)] = '\0';
  (void)snprintf(message, sizeof message, "its time %.60s is behind the watermark %.60s%s", time,
                 watermark, behind ? "" : ", which went on while its partition was idle");
  tm_reason reason = behind ? TM_REASON_LATE : TM_REASON_LATE_AFTER_IDLE;
  int line = env->bind->script_line;
  int done = tm_out_late(out, batch, row, reason, line, message, least);
  return done < 0 ? no_memory(env, err) : 0;
}

static bool is_late(const tm_batch *batch, uint32_t row, int64_t watermark_us) {
  int64_t time = batch->times[row];
  return time < watermark_us || (batch->marks != NULL && time < batch->marks[row]);
}

int tm_join_drop_late(const tm_stage_env *env, tm_batch *batch, int64_t watermark_us, tm_out *out,
                      tm_error *err) {
  uint32_t late = 0, count = 0;
  for (uint32_t i = 0; i < batch->selected; i++) {
    late += is_late(batch, tm_batch_row(batch, i), watermark_us);
  }
  if (late == 0) return 0;
  uint32_t *left = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *left);
  if (left == NULL) return no_memory(env, err);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    left[count] = row;
    bool goes = is_late(batch, row, watermark_us);
    count += !goes;
    if (goes && tell_late(env, batch, row, watermark_us, out, err) < 0) return -1;
  }
  batch->selection = left;
  batch->selected = count;
  return 0;
}

/* ---------------------------------------------------------------- sides that take turns */

void tm_join_take_turns(tm_bind *bind) {
  if (!bind->job->stream || bind->facts_in[0].live || bind->facts_in[1].live) return;
  bind->waits[0] = 1 << 1;
  bind->waits[1] = 1 << 0;
}

uint32_t tm_join_wants_by_time(const tm_stage_env *env, const int64_t watermarks_us[2],
                               const bool ended[2], const uint64_t rows[2]) {
  uint32_t wanted = 3;
  if (env->bind->waits[0] == 0 || ended[0] || ended[1]) return wanted;
  for (int port = 0; port < 2; port++) {
    bool ahead = watermarks_us[port] > watermarks_us[1 - port];
    if (ahead && rows[port] > TM_JOIN_AHEAD_ROWS) wanted &= ~((uint32_t)1 << port);
  }
  return wanted;
}

/* ---------------------------------------------------------------- keys */

int tm_join_key_reader_open(tm_join_key_reader *r, const tm_stage_env *env, const tm_batch *batch,
                            const tm_join_keys *keys, tm_error *err) {
  *r = (tm_join_key_reader){.count = keys->count};
  tm_bytes_init(&r->bytes, env->budget);
  r->owner = tm_batch_create(env->budget, keys->types, batch->rows);
  bool done = r->owner != NULL && tm_bytes_reserve(&r->bytes, 16); /* without keys, too */
  for (uint32_t i = 0; done && i < keys->count; i++) {
    done = tm_cast_widen(r->owner, i, &batch->columns[keys->columns[i]]) == 0;
    r->columns[i] = &r->owner->columns[i];
  }
  if (done) return 0;
  tm_join_key_reader_close(r);
  return no_memory(env, err);
}

void tm_join_key_reader_close(tm_join_key_reader *r) {
  if (r->owner == NULL) return;
  tm_batch_release(r->owner);
  tm_bytes_deinit(&r->bytes);
  r->owner = NULL;
}

int tm_join_key_reader_read(tm_join_key_reader *r, const tm_stage_env *env, uint32_t row,
                            tm_error *err) {
  for (uint32_t i = 0; i < r->count; i++) {
    if (tm_column_is_null(r->columns[i], row)) return 0;
  }
  if (!tm_key_bytes_write(r->columns, r->count, row, &r->bytes)) return no_memory(env, err);
  r->hash = tm_hash_bytes(r->bytes.data, r->bytes.size);
  return 1;
}
