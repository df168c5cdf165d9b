/* script/lift_bytecode.c: the reader of lua_dump's output.
 *
 * A dump is a header, then a tree of functions. Every read checks the end, so a format that differs
 * ends as "unknown", never beyond the bytes. */
#include "script/lift_bytecode.h"

#include <string.h>

#include "base/bytes.h"

enum {
  LUA_VERSION_BYTE = 0x54, FORMAT = 0, CHECK_INT = 0x5678, VARINT_MAX = 0x7fffffff,
  NO_LINE = -0x80, /* a difference of lines that does not fit a byte */
  K_NIL = 0x00, K_FALSE = 0x01, K_TRUE = 0x11, K_INTEGER = 0x03, K_FLOAT = 0x13,
  K_SHORT = 0x04, K_LONG = 0x14,
};

typedef struct reader {
  const uint8_t *at, *end;
  tm_arena *arena;
  bool bad, no_memory;
} reader;

static int append(lua_State *L, const void *data, size_t size, void *to) {
  (void)L;
  return tm_bytes_append(to, data, size) ? 0 : 1;
}

/* ---------------------------------------------------------------- pieces */

static const uint8_t *take(reader *in, size_t size) {
  if ((size_t)(in->end - in->at) < size) {
    in->bad = true;
    return NULL;
  }
  const uint8_t *bytes = in->at;
  in->at += size;
  return bytes;
}

static uint8_t read_byte(reader *in) {
  const uint8_t *byte = take(in, 1);
  return byte == NULL ? 0 : *byte;
}

/* Seven bits a byte, the highest first, the last one marked. */
static uint64_t read_varint(reader *in) {
  uint64_t value = 0;
  for (int i = 0; i < 10 && !in->bad; i++) {
    uint8_t byte = read_byte(in);
    value = value << 7 | (byte & 0x7f);
    if (byte & 0x80) return value;
  }
  in->bad = true;
  return 0;
}

static int read_int(reader *in) {
  uint64_t value = read_varint(in);
  if (value > VARINT_MAX) in->bad = true;
  return in->bad ? 0 : (int)value;
}

/* A count of things of at least `least` bytes each. */
static int read_count(reader *in, size_t least) {
  int count = read_int(in);
  if ((size_t)count * least > (size_t)(in->end - in->at)) in->bad = true;
  return in->bad ? 0 : count;
}

static void *room(reader *in, size_t bytes) {
  void *memory = tm_arena_zero(in->arena, bytes + 1);
  if (memory == NULL) in->bad = in->no_memory = true;
  return memory;
}

/* NULL where there is none. */
static const char *read_text(reader *in, size_t *out_size) {
  uint64_t size = read_varint(in);
  *out_size = 0;
  if (in->bad || size == 0) return NULL;
  const uint8_t *bytes = take(in, size - 1);
  if (bytes == NULL) return NULL;
  char *copy = tm_arena_text(in->arena, (const char *)bytes, size - 1);
  if (copy == NULL) in->bad = in->no_memory = true;
  *out_size = size - 1;
  return copy;
}

static bool header_is_known(reader *in) {
  static const char expected[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
  const uint8_t *start = take(in, sizeof expected - 1);
  const uint8_t *integer = take(in, sizeof(lua_Integer)), *number = take(in, sizeof(lua_Number));
  if (in->bad || memcmp(start, expected, sizeof expected - 1) != 0) return false;
  lua_Integer check_integer;
  lua_Number check_number;
  memcpy(&check_integer, integer, sizeof check_integer);
  memcpy(&check_number, number, sizeof check_number);
  (void)read_byte(in); /* upvalues of the function */
  return check_integer == CHECK_INT && check_number == 370.5;
}

/* ---------------------------------------------------------------- a function */

static void read_code(reader *in, tm_lua_proto *proto) {
  proto->code_count = read_count(in, 4);
  const uint8_t *bytes = take(in, (size_t)proto->code_count * 4);
  uint32_t *words = room(in, (size_t)proto->code_count * 4);
  if (in->bad) return;
  if (proto->code_count > 0) memcpy(words, bytes, (size_t)proto->code_count * 4);
  proto->words = words;
}

static void read_constant(reader *in, tm_lua_constant *out) {
  const uint8_t *bytes;
  switch (read_byte(in)) {
    case K_NIL: out->kind = TM_LUA_NIL; break;
    case K_FALSE: out->kind = TM_LUA_FALSE; break;
    case K_TRUE: out->kind = TM_LUA_TRUE; break;
    case K_INTEGER:
      out->kind = TM_LUA_INTEGER;
      bytes = take(in, sizeof out->integer);
      if (bytes != NULL) memcpy(&out->integer, bytes, sizeof out->integer);
      break;
    case K_FLOAT:
      out->kind = TM_LUA_FLOAT;
      bytes = take(in, sizeof out->number);
      if (bytes != NULL) memcpy(&out->number, bytes, sizeof out->number);
      break;
    case K_SHORT: case K_LONG:
      out->kind = TM_LUA_STRING;
      out->text = read_text(in, &out->size);
      if (out->text == NULL) in->bad = true;
      break;
    default: in->bad = true;
  }
}

static void read_constants(reader *in, tm_lua_proto *proto) {
  proto->constant_count = read_count(in, 1);
  tm_lua_constant *constants = room(in, (size_t)proto->constant_count * sizeof *constants);
  for (int i = 0; i < proto->constant_count && !in->bad; i++) read_constant(in, &constants[i]);
  proto->constants = constants;
}

/* Differences from line to line, with the whole number now and then. */
static void read_lines(reader *in, tm_lua_proto *proto) {
  int count = read_count(in, 1);
  const uint8_t *steps = take(in, (size_t)count);
  int *lines = room(in, (size_t)(proto->code_count + 1) * sizeof *lines);
  int whole_count = read_count(in, 2), whole_at = 0;
  if (in->bad) return;
  int *whole = room(in, (size_t)whole_count * 2 * sizeof *whole);
  for (int i = 0; i < whole_count * 2 && !in->bad; i++) whole[i] = read_int(in);
  if (in->bad) return;
  int line = proto->line_defined;
  for (int pc = 0; pc < proto->code_count; pc++) {
    int step = pc < count ? (int8_t)steps[pc] : 0;
    if (step != NO_LINE) {
      line += step;
    } else if (whole_at < whole_count) {
      line = whole[2 * whole_at + 1];
      whole_at++;
    }
    lines[pc] = line;
  }
  proto->lines = lines;
}

static void read_debug(reader *in, tm_lua_proto *proto) {
  size_t size;
  read_lines(in, proto);
  int locals = read_count(in, 3);
  for (int i = 0; i < locals && !in->bad; i++) {
    (void)read_text(in, &size);
    (void)read_int(in);
    (void)read_int(in);
  }
  int names = read_count(in, 1);
  const char **upvalue_names = room(in, (size_t)(proto->upvalue_count + 1) * sizeof(char *));
  for (int i = 0; i < names && !in->bad; i++) {
    const char *name = read_text(in, &size);
    if (i < proto->upvalue_count) upvalue_names[i] = name;
  }
  proto->upvalue_names = upvalue_names;
}

/* Where each comes from; the kind of variable is of no interest. */
static void read_upvalues(reader *in, tm_lua_proto *proto) {
  tm_lua_upvalue *upvalues = room(in, (size_t)proto->upvalue_count * sizeof *upvalues);
  for (int i = 0; i < proto->upvalue_count && !in->bad; i++) {
    upvalues[i].in_stack = read_byte(in) != 0;
    upvalues[i].index = read_byte(in);
    (void)read_byte(in);
  }
  proto->upvalues = upvalues;
}

enum { NESTING_MAX = 32 };

static void read_function(reader *in, tm_lua_proto *proto, int depth) {
  size_t size;
  if (depth > NESTING_MAX) {
    in->bad = true;
    return;
  }
  (void)read_text(in, &size); /* the source's name */
  proto->line_defined = read_int(in);
  (void)read_int(in);
  proto->param_count = read_byte(in);
  proto->is_vararg = read_byte(in);
  proto->stack_size = read_byte(in);
  read_code(in, proto);
  read_constants(in, proto);
  proto->upvalue_count = read_count(in, 3);
  read_upvalues(in, proto);
  proto->inner_count = read_count(in, 1);
  tm_lua_proto *inner = room(in, (size_t)proto->inner_count * sizeof *inner);
  for (int i = 0; i < proto->inner_count && !in->bad; i++) {
    read_function(in, &inner[i], depth + 1);
  }
  proto->inner = inner;
  if (!in->bad) read_debug(in, proto);
}

const tm_lua_proto *tm_lift_bytecode_read(lua_State *L, int index, tm_arena *arena,
                                          bool *out_no_memory) {
  tm_bytes dump;
  *out_no_memory = false;
  tm_bytes_init(&dump, arena->budget);
  lua_pushvalue(L, index);
  int status = lua_dump(L, append, &dump, 0);
  lua_pop(L, 1);
  reader in = {.at = dump.data, .end = dump.data + dump.size, .arena = arena};
  tm_lua_proto *proto = room(&in, sizeof *proto);
  if (status == 0 && proto != NULL && header_is_known(&in)) {
    read_function(&in, proto, 0);
    if (in.at != in.end) in.bad = true;
    if (!in.bad && !tm_lift_flow_find(proto, arena)) in.bad = in.no_memory = true;
  } else {
    in.bad = true;
  }
  tm_bytes_deinit(&dump);
  *out_no_memory = in.no_memory || status != 0;
  return in.bad ? NULL : proto;
}

/* ---------------------------------------------------------------- instructions */

enum { MAX_BX = (1 << 17) - 1, MAX_SJ = (1 << 25) - 1, OFFSET_SC = 127 };

tm_lua_code tm_lua_decode(uint32_t word) {
  tm_lua_code code = {
    .op = (tm_lua_op)(word & 0x7f), .a = word >> 7 & 0xff, .k = (word >> 15 & 1) != 0,
    .b = word >> 16 & 0xff, .c = word >> 24, .bx = (int)(word >> 15),
    .sj = (int)(word >> 7) - (MAX_SJ >> 1),
  };
  code.sbx = code.bx - (MAX_BX >> 1);
  code.sb = code.b - OFFSET_SC;
  code.sc = code.c - OFFSET_SC;
  return code;
}
