/* exec/refuse.c: one refused row is a record of plan/refused.h, or the message of a failed run. */
#include "exec/refuse.h"

#include <stdio.h>
#include <string.h>

#include "plan/refused.h"

static bool put_text(tm_batch *batch, uint32_t column, uint32_t row, const char *text,
                     size_t size) {
  tm_column *c = &batch->columns[column];
  if (text == NULL) {
    c->valid[row] = 0;
    return true;
  }
  return tm_batch_text(batch, text, size, &((tm_str *)c->data)[row]);
}

static bool put_word(tm_batch *batch, uint32_t column, uint32_t row, const char *text) {
  return put_text(batch, column, row, text, text == NULL ? 0 : strlen(text));
}

static void put_int(tm_batch *batch, uint32_t column, uint32_t row, int64_t value, bool known) {
  ((int64_t *)batch->columns[column].data)[row] = value;
  batch->columns[column].valid[row] = known;
}

static bool put_row(tm_batch *b, uint32_t row, const tm_plan *plan, const tm_bind *bind,
                    const tm_reject *r) {
  const tm_bind *source = r->source < plan->node_count ? plan->nodes[r->source] : NULL;
  int line = r->script_line > 0 ? r->script_line : bind->script_line;
  bool done = put_word(b, TM_REFUSED_REASON, row, tm_reason_name(r->reason)) &&
              put_word(b, TM_REFUSED_MESSAGE, row, r->message) &&
              put_word(b, TM_REFUSED_SOURCE, row, source == NULL ? NULL : source->name) &&
              put_word(b, TM_REFUSED_FILE, row, r->file) &&
              put_word(b, TM_REFUSED_PIPELINE, row, plan->graph->job.pipeline) &&
              put_word(b, TM_REFUSED_STEP, row, bind->name) &&
              put_text(b, TM_REFUSED_RAW, row, tm_str_bytes(&r->raw), r->raw.size);
  put_int(b, TM_REFUSED_LINE, row, (int64_t)r->ordinal, r->ordinal > 0);
  put_int(b, TM_REFUSED_OFFSET, row, r->offset, r->offset >= 0);
  put_int(b, TM_REFUSED_SCRIPT_LINE, row, line, true);
  put_int(b, TM_REFUSED_EVENT_TIME, row, r->event_time_us, r->event_time_us != TM_TIME_NONE);
  put_int(b, TM_REFUSED_WATERMARK, row, r->watermark_us, r->watermark_us != TM_TIME_NONE);
  put_int(b, TM_REFUSED_SOURCE_INDEX, row, r->source, true);
  put_int(b, TM_REFUSED_FILE_INDEX, row, r->file_index, true);
  put_int(b, TM_REFUSED_STEP_INDEX, row, bind->node, true);
  return done;
}

tm_batch *tm_refuse_batch(tm_budget *budget, const tm_plan *plan, const tm_bind *bind,
                          const tm_out *out) {
  tm_batch *batch = tm_batch_create(budget, &tm_refused_schema, out->reject_count);
  if (batch == NULL) return NULL;
  for (uint32_t i = 0; i < TM_REFUSED_COUNT; i++) {
    if (tm_batch_column(batch, i, true) < 0) {
      tm_batch_release(batch);
      return NULL;
    }
  }
  for (uint32_t row = 0; row < out->reject_count; row++) {
    if (put_row(batch, row, plan, bind, &out->rejects[row])) continue;
    tm_batch_release(batch);
    return NULL;
  }
  return batch;
}

void tm_refuse_place(tm_error *err, const tm_plan *plan, const tm_bind *bind) {
  snprintf(err->step, sizeof err->step, "%s", bind->name);
  if (err->script[0] == '\0') {
    snprintf(err->script, sizeof err->script, "%s", plan->graph->job.script);
  }
  if (err->script_line == 0) err->script_line = bind->script_line;
}

static tm_error_code code_of(tm_reason reason, const tm_bind *bind) {
  if (reason == TM_REASON_CHECK) return TM_E_CHECK;
  return bind->input_count == 0 ? TM_E_ROW : TM_E_ROW_FUNCTION;
}

void tm_refuse_error(tm_error *err, const tm_plan *plan, const tm_bind *bind,
                     const tm_reject *r) {
  tm_error_code code = code_of(r->reason, bind);
  if (code == TM_E_ROW) {
    tm_fail(err, code, "%s: %s", tm_reason_name(r->reason), r->message);
    tm_error_help(err, "give the source a `bad` endpoint to keep such rows, or on_error = \"skip\" "
                  "to count and drop them");
  } else if (code == TM_E_CHECK) {
    tm_fail(err, code, "check '%s' failed", r->message);
    tm_error_help(err, "give the check or its source an endpoint for refused rows, or "
                  "on_error = \"skip\" to count and drop them");
  } else {
    tm_fail(err, code, "%s", r->message);
    tm_error_help(err, "mend the function for such rows, or give the source a `bad` endpoint to "
                  "keep them");
  }
  if (r->script_line > 0) err->script_line = r->script_line;
  tm_refuse_place(err, plan, bind);
  if (r->file != NULL) snprintf(err->record_file, sizeof err->record_file, "%s", r->file);
  err->record_line = r->ordinal;
  int size = r->raw.size < sizeof err->record - 1 ? (int)r->raw.size : (int)sizeof err->record - 1;
  snprintf(err->record, sizeof err->record, "%.*s", size, tm_str_bytes(&r->raw));
}
