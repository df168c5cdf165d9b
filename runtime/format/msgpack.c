/* format/msgpack.c: MessagePack: where records end, and the descriptor.
 *
 * An object is skipped without a stack: it is enough to know how many objects are still to come
 * before the record is whole. */
#include "format/msgpack.h"

enum { ENDS_LATER = 1 }; /* state: the record is whole once its last text is there */

static void end_record(tm_split *p, size_t at) {
  p->whole = p->start = at;
  p->lines++;
  p->state = 0;
}

static void msgpack_split(const tm_reading *reading, tm_split *p, const char *data, size_t size) {
  (void)reading;
  size_t at = p->scanned;
  while (p->wrong == NULL && !(p->first_only && p->whole > 0)) {
    if (at > size) break;
    if (p->state == ENDS_LATER) end_record(p, at);
    if (at == size || (p->first_only && p->whole > 0)) break;
    tm_msgpack_value v;
    int64_t used = tm_msgpack_head((const uint8_t *)data, at, size, &v);
    if (used == 0) break;
    if (used < 0) {
      p->wrong = "this begins no MessagePack object";
      break;
    }
    uint64_t below = v.kind == TM_MSGPACK_MAP     ? 2 * (uint64_t)v.count
                     : v.kind == TM_MSGPACK_ARRAY ? v.count
                                                  : 0;
    p->left += below - (p->left > 0);
    at += (size_t)used;
    if (p->left == 0) p->state = ENDS_LATER;
  }
  p->scanned = at;
}

static int msgpack_begin(const tm_reading *reading, tm_arena *arena, const char *file,
                         const char *data, size_t size, bool whole, const tm_layout **out,
                         size_t *out_skip, uint64_t *out_lines, tm_error *err) {
  static const tm_layout empty;
  tm_msgpack_value first;
  (void)reading, (void)arena;
  *out = &empty;
  *out_skip = 0;
  *out_lines = 0;
  if (size == 0) return whole;
  int64_t head = tm_msgpack_head((const uint8_t *)data, 0, size, &first);
  if (head == 0 && !whole) return 0;
  if (head > 0 && first.kind == TM_MSGPACK_MAP) return 1;
  return tm_fail(err, TM_E_FORMAT, "%s: does not begin with a MessagePack map", file);
}

const tm_format tm_format_msgpack = {
  .size = sizeof(tm_format),
  .name = "msgpack",
  .sniff = tm_msgpack_sniff,
  .begin = msgpack_begin,
  .split = msgpack_split,
  .parser_create = tm_msgpack_parser_create,
  .parser_begin = tm_msgpack_parser_begin,
  .parser_next = tm_msgpack_parser_next,
  .parser_rest = tm_msgpack_parser_rest,
  .parser_destroy = tm_msgpack_parser_destroy,
  .writer_create = tm_msgpack_writer_create,
  .writer_write = tm_msgpack_writer_write,
  .writer_finish = tm_msgpack_writer_finish,
  .writer_destroy = tm_msgpack_writer_destroy,
};
