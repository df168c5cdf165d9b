/* stage/out.c: emitting, refusing, and the balance of a step. */
#include "stage/out.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "format/row_json.h"

bool tm_ledger_balances(const tm_ledger *l) {
  return l->in + l->produced == l->passed + l->filtered + l->duplicate + l->late + l->rejected +
                                  l->unmatched + l->absorbed + l->held;
}

void tm_ledger_add(tm_ledger *sum, const tm_ledger *part) {
  sum->in += part->in;
  sum->produced += part->produced;
  sum->passed += part->passed;
  sum->filtered += part->filtered;
  sum->duplicate += part->duplicate;
  sum->late += part->late;
  sum->rejected += part->rejected;
  sum->unmatched += part->unmatched;
  sum->absorbed += part->absorbed;
  sum->held += part->held;
}

void tm_out_emit(tm_out *out, tm_batch *taken) {
  assert(out->main == NULL);
  if (taken->selected == 0 && !taken->ends_partition) {
    tm_batch_release(taken);
    return;
  }
  out->main = taken;
}

static int copy_text(tm_arena *arena, const char *text, size_t size, tm_str *out) {
  char *copy = tm_arena_text(arena, text, size);
  if (copy == NULL) return -1;
  *out = tm_str_make(copy, size);
  return 0;
}

int tm_out_reject_raw(tm_out *out, const tm_reject *reject) {
  if (out->reject_count == out->reject_capacity) {
    uint32_t capacity = out->reject_capacity == 0 ? 16 : out->reject_capacity * 2;
    tm_reject *grown = tm_arena_alloc(out->arena, capacity * sizeof *grown);
    if (grown == NULL) return -1;
    if (out->reject_count > 0) memcpy(grown, out->rejects, out->reject_count * sizeof *grown);
    out->rejects = grown;
    out->reject_capacity = capacity;
  }
  tm_reject *to = &out->rejects[out->reject_count];
  *to = *reject;
  to->message = tm_arena_text(out->arena, reject->message, strlen(reject->message));
  if (to->message == NULL) return -1;
  if (copy_text(out->arena, tm_str_bytes(&reject->raw), reject->raw.size, &to->raw) < 0) return -1;
  out->reject_count++;
  return 0;
}

static int refuse(tm_out *out, const tm_batch *batch, uint32_t row, tm_reject *reject) {
  tm_bytes json;
  tm_bytes_init(&json, out->arena->budget);
  if (!tm_row_json(&json, batch, row)) {
    tm_bytes_deinit(&json);
    return -1;
  }
  reject->file = batch->origin.file;
  reject->source = batch->origin.source;
  reject->file_index = batch->origin.file_index;
  reject->ordinal = batch->ordinals != NULL ? batch->ordinals[row] : 0;
  reject->offset = -1;
  reject->raw = tm_str_make((const char *)json.data, json.size);
  reject->event_time_us = batch->times != NULL ? batch->times[row] : TM_TIME_NONE;
  int done = tm_out_reject_raw(out, reject);
  tm_bytes_deinit(&json);
  return done;
}

int tm_out_reject(tm_out *out, const tm_batch *batch, uint32_t row, tm_reason reason,
                  int script_line, const char *message) {
  tm_reject reject = {.reason = reason, .message = message, .script_line = script_line,
                      .watermark_us = TM_TIME_NONE};
  return refuse(out, batch, row, &reject);
}

int tm_out_late(tm_out *out, const tm_batch *batch, uint32_t row, tm_reason reason,
                int script_line, const char *message, int64_t watermark_us) {
  tm_reject reject = {.reason = reason, .message = message, .script_line = script_line,
                      .watermark_us = watermark_us};
  return refuse(out, batch, row, &reject);
}
