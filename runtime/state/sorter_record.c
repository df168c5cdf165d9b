/* state/sorter_record.c: a sorter as a record: its runs, each as the batches that it was made of,
 * in the order of their arrival; sorting them again gives the same runs. A run from which rows were
 * dropped is one batch of what is left. */
#include "state/sorter.h"

enum { BATCHES_MAX = 1 << 30 };

static uint32_t end_of(const tm_sorter *s, uint32_t run) {
  return run + 1 < s->run_count ? s->runs[run + 1].first_batch : s->batch_count;
}

static bool is_open(const tm_sorter *s, uint32_t run) {
  return run + 1 == s->run_count && s->run_batch < s->batch_count;
}

/* What is left of a run, in its order. */
static void save_rest(const tm_sorter *s, const tm_sort_run *run, tm_record_writer *writer) {
  size_t bytes = (run->count + 1) * sizeof(tm_sort_place);
  tm_sort_place *places = tm_alloc(s->budget, bytes);
  for (uint32_t i = 0; places != NULL && i < run->count; i++) {
    places[i] = (tm_sort_place){s->batches[run->rows[i].batch], run->rows[i].row};
  }
  tm_batch *batch = places == NULL
                        ? NULL
                        : tm_sort_gather(s->budget, s->spec->schema, places, run->count);
  if (batch == NULL) writer->failed = true;
  if (!writer->failed) tm_batch_record_save(batch, writer);
  tm_batch_release(batch);
  tm_free(s->budget, places, bytes);
}

void tm_sorter_save(const tm_sorter *s, tm_record_writer *writer) {
  tm_record_put(writer, s->dropped);
  tm_record_put(writer, s->run_count);
  for (uint32_t run = 0; run < s->run_count && !writer->failed; run++) {
    bool open = is_open(s, run), pruned = s->spec->head > 0 && !open;
    uint32_t from = s->runs[run].first_batch, end = end_of(s, run);
    tm_record_put(writer, open);
    tm_record_put(writer, pruned ? 1 : end - from);
    if (pruned) save_rest(s, &s->runs[run], writer);
    for (uint32_t i = from; !pruned && i < end; i++) {
      tm_batch_record_save(s->batches[i], writer);
    }
  }
}

/* Keys have values, and a column has data in all batches or in none. */
static bool fits(const tm_sorter *s, const tm_batch *batch) {
  for (uint32_t i = 0; i < s->spec->key_count && batch->rows > 0; i++) {
    if (batch->columns[s->spec->keys[i].column].data == NULL) return false;
  }
  const tm_batch *first = s->batch_count > 0 ? s->batches[s->batch_count - 1] : batch;
  if (first->rows == 0) first = batch;
  for (uint32_t i = 0; i < batch->schema->count && batch->rows > 0; i++) {
    if ((batch->columns[i].data == NULL) != (first->columns[i].data == NULL)) return false;
  }
  return true;
}

int tm_sorter_restore_batch(tm_sorter *s, tm_record_reader *reader, tm_arena *names,
                            tm_error *err) {
  tm_batch *batch = tm_batch_record_restore(reader, s->budget, s->spec->schema, names, err);
  if (batch == NULL) return -1;
  if (fits(s, batch)) return tm_sorter_adopt(s, batch, err);
  tm_batch_release(batch);
  return tm_record_refuse(err);
}

int tm_sorter_restore(tm_sorter *s, tm_record_reader *reader, tm_arena *names, tm_error *err) {
  uint64_t dropped = tm_record_get(reader, UINT64_MAX);
  uint64_t runs = tm_record_get(reader, BATCHES_MAX);
  for (uint64_t run = 0; run < runs && !reader->failed; run++) {
    bool open = tm_record_get(reader, 1);
    uint64_t batches = tm_record_get(reader, BATCHES_MAX);
    if (open && run + 1 < runs) reader->failed = true;
    for (uint64_t i = 0; i < batches && !reader->failed; i++) {
      if (tm_sorter_restore_batch(s, reader, names, err) < 0) return -1;
    }
    if (!open && tm_sorter_seal(s, err) < 0) return -1;
  }
  s->dropped = dropped;
  return reader->failed ? tm_record_refuse(err) : 0;
}
