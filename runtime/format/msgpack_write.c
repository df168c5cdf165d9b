/* format/msgpack_write.c: batches as MessagePack: one map a row, keys in the order of columns. */
#include <msgpack.h>

#include "format/cell_text.h"
#include "format/msgpack.h"

enum { TIMESTAMP_TYPE = -1 };

struct tm_writer {
  tm_budget *budget;
  const tm_schema *schema;
};

static int put(void *context, const char *bytes, size_t size) {
  return tm_bytes_append(context, bytes, size) ? 0 : -1;
}

tm_writer *tm_msgpack_writer_create(const tm_writing *writing, tm_error *err) {
  tm_writer *w = tm_alloc(writing->budget, sizeof *w);
  if (w == NULL) tm_fail(err, TM_E_MEMORY, "writing: out of memory");
  else *w = (tm_writer){.budget = writing->budget, .schema = writing->schema};
  return w;
}

void tm_msgpack_writer_destroy(tm_writer *w) {
  if (w != NULL) tm_free(w->budget, w, sizeof *w);
}

static int pack_text(msgpack_packer *packer, const char *text, size_t size) {
  int done = msgpack_pack_str(packer, size);
  return done < 0 ? done : msgpack_pack_str_body(packer, text, size);
}

/* Whole seconds that fit in 32 bits take four bytes, all else twelve. */
static int pack_time(msgpack_packer *packer, int64_t us) {
  int64_t seconds = us / 1000000, rest = us % 1000000;
  if (rest < 0) {
    rest += 1000000;
    seconds--;
  }
  uint8_t bytes[12];
  bool small = rest == 0 && seconds >= 0 && seconds <= (int64_t)UINT32_MAX;
  uint32_t nanos = (uint32_t)rest * 1000;
  for (int i = 0; i < 4; i++) {
    bytes[i] = (uint8_t)((small ? (uint32_t)seconds : nanos) >> (24 - 8 * i));
  }
  for (int i = 0; i < 8; i++) bytes[4 + i] = (uint8_t)((uint64_t)seconds >> (56 - 8 * i));
  size_t size = small ? 4 : 12;
  int done = msgpack_pack_ext(packer, size, TIMESTAMP_TYPE);
  return done < 0 ? done : msgpack_pack_ext_body(packer, bytes, size);
}

static int pack_cell(msgpack_packer *packer, const tm_column *c, uint32_t row) {
  const tm_str *s = c->data;
  if (c->type.kind == TM_NULLTYPE || tm_column_is_null(c, row)) return msgpack_pack_nil(packer);
  switch ((tm_kind)c->type.kind) {
    case TM_BOOL:
      return ((const uint8_t *)c->data)[row] ? msgpack_pack_true(packer)
                                             : msgpack_pack_false(packer);
    case TM_INT32: return msgpack_pack_int32(packer, ((const int32_t *)c->data)[row]);
    case TM_INT64: return msgpack_pack_int64(packer, ((const int64_t *)c->data)[row]);
    case TM_FLOAT64: return msgpack_pack_double(packer, ((const double *)c->data)[row]);
    case TM_TIMESTAMP: return pack_time(packer, ((const int64_t *)c->data)[row]);
    case TM_STRING: return pack_text(packer, tm_str_bytes(&s[row]), s[row].size);
    case TM_BYTES: {
      int done = msgpack_pack_bin(packer, s[row].size);
      return done < 0 ? done : msgpack_pack_bin_body(packer, tm_str_bytes(&s[row]), s[row].size);
    }
    default: {
      char text[TM_PRINT_MAX];
      return pack_text(packer, text, tm_cell_text_print(c, row, text));
    }
  }
}

int tm_msgpack_writer_write(tm_writer *w, const tm_batch *batch, tm_bytes *out, tm_error *err) {
  msgpack_packer packer;
  msgpack_packer_init(&packer, out, put);
  int done = 0;
  for (uint32_t k = 0; k < batch->selected && done >= 0; k++) {
    done = msgpack_pack_map(&packer, w->schema->count);
    for (uint32_t i = 0; i < w->schema->count && done >= 0; i++) {
      const char *name = w->schema->fields[i].name;
      done = pack_text(&packer, name, strlen(name));
      if (done >= 0) done = pack_cell(&packer, &batch->columns[i], tm_batch_row(batch, k));
    }
  }
  return done < 0 ? tm_fail(err, TM_E_MEMORY, "writing: out of memory") : 0;
}

int tm_msgpack_writer_finish(tm_writer *w, tm_bytes *out, tm_error *err) {
  (void)w, (void)out, (void)err;
  return 0;
}
