/* script/row_facts.c: one pass over the instructions, in their order.
 *
 * A register is "captured" from the instruction that loads an upvalue (or a field of one) to the
 * next that writes it; ways that join later are not told apart, which can only miss a write, or
 * blame one that happens on one of the ways. Parameters are two registers, from `first` on. */
#include "script/row_facts.h"

#include <stdio.h>
#include <string.h>

#include "script/lift_bytecode.h"

typedef struct pass {
  const tm_lua_proto *proto;
  const struct pass *enclosing; /* NULL: the row function itself */
  tm_row_facts *facts;
  int first;    /* parameter that is input 0 */
  bool process; /* input 1 is a state, which may be assigned */
  const char *script;
  tm_error *err;
  const char *captured[256]; /* name of the upvalue that a register came from */
  bool writes[256];          /* the register holds a function of Lua that writes its argument */
} pass;

static const char *constant_text(const tm_lua_proto *proto, int index) {
  if (index < 0 || index >= proto->constant_count) return NULL;
  const tm_lua_constant *constant = &proto->constants[index];
  return constant->kind == TM_LUA_STRING ? constant->text : NULL;
}

static const char *upvalue_name(const tm_lua_proto *proto, int index) {
  if (index < 0 || index >= proto->upvalue_count || proto->upvalue_names == NULL) return "?";
  return proto->upvalue_names[index] == NULL ? "?" : proto->upvalue_names[index];
}

/* Is the upvalue something that the row function captured, not a local of it? */
static bool is_captured(const pass *p, int index) {
  while (p->enclosing != NULL) {
    if (index >= p->proto->upvalue_count || p->proto->upvalues[index].in_stack) return false;
    index = p->proto->upvalues[index].index;
    p = p->enclosing;
  }
  return true;
}

static tm_row_use *use_of(pass *p, int reg) {
  int input = reg - p->first;
  bool is_input = p->enclosing == NULL && input >= 0 && input < 2 && reg < p->proto->param_count;
  return is_input ? &p->facts->inputs[input] : NULL;
}

static bool is_state(pass *p, int reg) {
  return p->process && use_of(p, reg) == &p->facts->inputs[1];
}

static void escape(pass *p, int reg) {
  tm_row_use *use = use_of(p, reg);
  if (use != NULL) use->escapes = use->whole = true;
}

static void read_field(pass *p, int reg, int constant, int line) {
  tm_row_use *use = use_of(p, reg);
  const char *name = constant_text(p->proto, constant);
  if (use == NULL) return;
  if (name == NULL) use->whole = true;
  else use->fields[use->field_count++] = (tm_row_field){.name = name, .line = line};
}

static void read_whole(pass *p, int reg) {
  tm_row_use *use = use_of(p, reg);
  if (use != NULL) use->whole = true;
}

/* ------------------------------------------------------------------ changing what it captured */

static int blame(pass *p, int pc, tm_error_code code, const char *token, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static int blame(pass *p, int pc, tm_error_code code, const char *token, const char *format, ...) {
  char message[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (p->err->code != TM_E_NONE) return -1;
  tm_fail(p->err, code, "%s", message);
  tm_error_token(p->err, token, "");
  (void)snprintf(p->err->script, sizeof p->err->script, "%s", p->script);
  p->err->script_line = p->proto->lines[pc];
  if (code == TM_E_IMPURE) {
    tm_error_help(p->err, "a row function sees one row at a time and keeps nothing: count and sum "
                  "with group_by and agg");
  } else {
    tm_error_help(p->err, "scripts have no globals: write local %.60s = …", token);
  }
  return -1;
}

static int write_table(pass *p, int pc, int reg) {
  if (p->captured[reg] != NULL) {
    return blame(p, pc, TM_E_IMPURE, p->captured[reg],
                 "the row function changes '%.60s', which it captured", p->captured[reg]);
  }
  const tm_row_use *use = use_of(p, reg);
  if (use == NULL || use->replaced || is_state(p, reg)) return 0;
  return blame(p, pc, TM_E_IMPURE, "",
               "the row function assigns a field of its row, which is read-only");
}

static int write_upvalue_field(pass *p, int pc, tm_lua_code code) {
  const char *name = upvalue_name(p->proto, code.a);
  if (!is_captured(p, code.a)) return 0;
  if (strcmp(name, "_ENV") != 0) {
    return blame(p, pc, TM_E_IMPURE, name, "the row function changes '%.60s', which it captured",
                 name);
  }
  const char *global = constant_text(p->proto, code.b);
  return blame(p, pc, TM_E_GLOBAL, global == NULL ? "?" : global,
               "assignment to an undeclared global '%.60s'", global == NULL ? "?" : global);
}

/* ------------------------------------------------------------------ the pass */

static void write_register(pass *p, int reg) {
  if (reg > 255) return;
  p->captured[reg] = NULL;
  p->writes[reg] = false;
  tm_row_use *use = use_of(p, reg);
  if (use != NULL) use->replaced = use->whole = true;
}

static void write_from(pass *p, int first) {
  for (int reg = first; reg < 256; reg++) {
    p->captured[reg] = NULL;
    p->writes[reg] = false;
  }
}

/* Of Lua's functions, those that write the table that comes first. NULL: no library's. */
static bool writes_argument(const char *library, const char *name) {
  if (name == NULL) return false;
  if (library == NULL) return strcmp(name, "rawset") == 0 || strcmp(name, "setmetatable") == 0;
  return strcmp(library, "table") == 0 &&
         (strcmp(name, "insert") == 0 || strcmp(name, "remove") == 0 || strcmp(name, "sort") == 0);
}

/* Instructions that read a field, and so tell what a register holds. */
static void read_fields(pass *p, int pc, tm_lua_code code) {
  int line = p->proto->lines[pc];
  const char *from = NULL;
  bool writes = false;
  switch (code.op) {
    case OP_MOVE:
      escape(p, code.b);
      from = p->captured[code.b];
      writes = p->writes[code.b];
      break;
    case OP_GETUPVAL:
      if (is_captured(p, code.b)) from = upvalue_name(p->proto, code.b);
      break;
    case OP_GETTABUP: {
      const char *key = constant_text(p->proto, code.c);
      from = is_captured(p, code.b) ? upvalue_name(p->proto, code.b) : NULL;
      if (from != NULL && strcmp(from, "_ENV") == 0 && key != NULL) {
        from = key;
        writes = writes_argument(NULL, key);
      }
      if (key != NULL && strcmp(key, "now") == 0) p->facts->reads_clock = true;
      break;
    }
    case OP_GETFIELD: {
      const char *key = constant_text(p->proto, code.c);
      read_field(p, code.b, code.c, line);
      from = p->captured[code.b];
      writes = from != NULL && writes_argument(from, key);
      if (key != NULL && strcmp(key, "now") == 0) p->facts->reads_clock = true;
      break;
    }
    case OP_GETTABLE: case OP_GETI:
      read_whole(p, code.b);
      if (code.op == OP_GETTABLE) escape(p, code.c);
      from = p->captured[code.b];
      break;
    case OP_SELF: {
      const char *self = p->captured[code.b];
      escape(p, code.b);
      write_register(p, code.a);
      write_register(p, code.a + 1);
      p->captured[code.a + 1] = self;
      return;
    }
    default: return;
  }
  write_register(p, code.a);
  p->captured[code.a] = from;
  p->writes[code.a] = writes;
}

/* Instructions that write what others see. */
static int write_fields(pass *p, int pc, tm_lua_code code) {
  switch (code.op) {
    case OP_SETUPVAL: {
      const char *name = upvalue_name(p->proto, code.b);
      if (!is_captured(p, code.b)) return 0;
      return blame(p, pc, TM_E_IMPURE, name, "the row function assigns '%.60s', which it captured",
                   name);
    }
    case OP_SETTABUP: return write_upvalue_field(p, pc, code);
    case OP_SETTABLE:
      escape(p, code.b);
      if (!code.k) escape(p, code.c);
      return write_table(p, pc, code.a);
    case OP_SETI: case OP_SETFIELD:
      if (!code.k) escape(p, code.c);
      if (code.op == OP_SETFIELD && is_state(p, code.a)) {
        read_field(p, code.a, code.b, p->proto->lines[pc]);
      }
      return write_table(p, pc, code.a);
    default: return 0;
  }
}

static int run(pass *p);

/* What a function within captures of the row escapes; what it does itself counts as well. */
static int make_closure(pass *p, tm_lua_code code) {
  if (code.bx >= p->proto->inner_count) return 0;
  const tm_lua_proto *inner = &p->proto->inner[code.bx];
  for (int i = 0; i < inner->upvalue_count; i++) {
    if (inner->upvalues[i].in_stack) escape(p, inner->upvalues[i].index);
  }
  write_register(p, code.a);
  pass within = {
      .proto = inner, .enclosing = p, .facts = p->facts, .first = p->first,
      .process = p->process, .script = p->script, .err = p->err,
  };
  return run(&within);
}

static int call(pass *p, int pc, tm_lua_code code) {
  bool writes = p->writes[code.a] && code.b != 1;
  if (writes && write_table(p, pc, code.a + 1) < 0) return -1;
  write_from(p, code.a);
  return 0;
}

static int step(pass *p, int pc) {
  tm_lua_code code = tm_lua_decode(p->proto->words[pc]);
  switch (code.op) {
    case OP_MOVE: case OP_GETUPVAL: case OP_GETTABUP: case OP_GETTABLE: case OP_GETI:
    case OP_GETFIELD: case OP_SELF:
      read_fields(p, pc, code);
      return 0;
    case OP_SETUPVAL: case OP_SETTABUP: case OP_SETTABLE: case OP_SETI: case OP_SETFIELD:
      return write_fields(p, pc, code);
    case OP_TESTSET:
      escape(p, code.b);
      write_register(p, code.a);
      return 0;
    case OP_RETURN1: read_whole(p, code.a); return 0;
    case OP_RETURN:
      for (int i = 0; i < code.b - 1; i++) read_whole(p, code.a + i);
      return 0;
    case OP_CALL: case OP_TAILCALL: return call(p, pc, code);
    case OP_TFORCALL: case OP_VARARG: write_from(p, code.a); return 0;
    case OP_CLOSURE: return make_closure(p, code);
    case OP_LOADNIL:
      for (int i = 0; i <= code.b; i++) write_register(p, code.a + i);
      return 0;
    case OP_RETURN0: case OP_JMP: case OP_EQ: case OP_LT: case OP_LE:
    case OP_EQK: case OP_EQI: case OP_LTI: case OP_LEI: case OP_GTI: case OP_GEI: case OP_TEST:
    case OP_MMBIN: case OP_MMBINI: case OP_MMBINK: case OP_SETLIST: case OP_CLOSE: case OP_TBC:
    case OP_VARARGPREP: case OP_EXTRAARG: case OP_COUNT:
      return 0;
    default: write_register(p, code.a); return 0;
  }
}

static int run(pass *p) {
  for (int pc = 0; pc < p->proto->code_count; pc++) {
    if (step(p, pc) < 0) return -1;
  }
  return 0;
}

static void assume_worst(tm_row_facts *facts) {
  for (int i = 0; i < 2; i++) facts->inputs[i].escapes = facts->inputs[i].whole = true;
}

static int read_facts(lua_State *L, int index, const char *script, int first, bool process,
                      tm_arena *arena, tm_row_facts *out, tm_error *err) {
  bool no_memory;
  *out = (tm_row_facts){0};
  const tm_lua_proto *proto = tm_lift_bytecode_read(L, index, arena, &no_memory);
  if (no_memory) return tm_fail(err, TM_E_MEMORY, "out of memory for a row function");
  if (proto == NULL) {
    assume_worst(out);
    return 0;
  }
  for (int i = 0; i < 2; i++) {
    out->inputs[i].fields =
        tm_arena_zero(arena, ((size_t)proto->code_count + 1) * sizeof(tm_row_field));
    if (out->inputs[i].fields == NULL) {
      return tm_fail(err, TM_E_MEMORY, "out of memory for a row function");
    }
  }
  if (proto->is_vararg) assume_worst(out);
  pass p = {.proto = proto, .facts = out, .first = first, .process = process, .script = script,
            .err = err};
  return run(&p);
}

int tm_row_facts_read(lua_State *L, int index, const char *script, tm_arena *arena,
                      tm_row_facts *out, tm_error *err) {
  return read_facts(L, index, script, 0, false, arena, out, err);
}

int tm_row_facts_read_process(lua_State *L, int index, const char *script, int row,
                              tm_arena *arena, tm_row_facts *out, tm_error *err) {
  return read_facts(L, index, script, row, true, arena, out, err);
}
