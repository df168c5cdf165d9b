/* format/jsonl_write.c: batches as JSON lines: one object a row, keys in the order of columns. */
#include "format/json_text.h"
#include "format/jsonl.h"

struct tm_writer {
  tm_budget *budget;
  const tm_schema *schema;
  tm_bytes keys;    /* `{"a":` and `,"b":` one behind the other */
  size_t *key_ends; /* where each ends */
};

static bool make_keys(tm_writer *w) {
  for (uint32_t i = 0; i < w->schema->count; i++) {
    const char *name = w->schema->fields[i].name;
    if (!tm_bytes_append_byte(&w->keys, i == 0 ? '{' : ',') ||
        !tm_json_text_string(&w->keys, name, strlen(name)) ||
        !tm_bytes_append_byte(&w->keys, ':')) {
      return false;
    }
    w->key_ends[i] = w->keys.size;
  }
  return true;
}

tm_writer *tm_jsonl_writer_create(const tm_writing *writing, tm_error *err) {
  tm_writer *w = tm_alloc_zero(writing->budget, sizeof *w);
  if (w != NULL) {
    w->budget = writing->budget;
    w->schema = writing->schema;
    tm_bytes_init(&w->keys, writing->budget);
    w->key_ends = tm_alloc(writing->budget, (w->schema->count + 1) * sizeof *w->key_ends);
    if (w->key_ends != NULL && make_keys(w)) return w;
  }
  tm_jsonl_writer_destroy(w);
  tm_fail(err, TM_E_MEMORY, "writing: out of memory");
  return NULL;
}

void tm_jsonl_writer_destroy(tm_writer *w) {
  if (w == NULL) return;
  tm_bytes_deinit(&w->keys);
  if (w->key_ends != NULL) {
    tm_free(w->budget, w->key_ends, (w->schema->count + 1) * sizeof *w->key_ends);
  }
  tm_free(w->budget, w, sizeof *w);
}

static bool put_row(tm_writer *w, const tm_batch *batch, uint32_t row, tm_bytes *out) {
  size_t from = 0;
  for (uint32_t i = 0; i < w->schema->count; i++) {
    if (!tm_bytes_append(out, w->keys.data + from, w->key_ends[i] - from) ||
        !tm_json_text_value(out, &batch->columns[i], row)) {
      return false;
    }
    from = w->key_ends[i];
  }
  return tm_bytes_append_text(out, w->schema->count == 0 ? "{}\n" : "}\n");
}

int tm_jsonl_writer_write(tm_writer *w, const tm_batch *batch, tm_bytes *out, tm_error *err) {
  for (uint32_t k = 0; k < batch->selected; k++) {
    if (!put_row(w, batch, tm_batch_row(batch, k), out)) {
      return tm_fail(err, TM_E_MEMORY, "writing: out of memory");
    }
  }
  return 0;
}

int tm_jsonl_writer_finish(tm_writer *w, tm_bytes *out, tm_error *err) {
  (void)w;
  (void)out;
  (void)err;
  return 0;
}
