/* tests/script/lift_random.c: see the header.
 *
 * A text is grown from a kind ("an integer of depth 3") downwards. Most of it fits together, for
 * what raises at once tests little; nullable fields, now and then a wrong kind, and `and`/`or` of
 * anything see to the rest. */
#include "lift_random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef enum kind { INT, FLOAT, DEC, STR, BOOL, DATE, TIME, KINDS } kind;

enum { LOCALS_MAX = 6, TEXT_MAX = 2000 };

typedef struct growth {
  uint64_t seed;
  char *out;
  size_t size;
  kind locals[LOCALS_MAX];
  uint32_t local_count;
} growth;

static uint32_t roll(growth *g, uint32_t sides) {
  g->seed = g->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(g->seed >> 33) % sides;
}

static void put(growth *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(growth *g, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int wrote = vsnprintf(g->out + g->size, TEXT_MAX - g->size, format, args);
  va_end(args);
  if (wrote > 0) g->size += (size_t)wrote;
  if (g->size >= TEXT_MAX) g->size = TEXT_MAX - 1;
}

#define ONE_OF(G, ...)                                                        \
  ((const char *const[]){__VA_ARGS__}[roll(                                   \
      (G), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))])

static void grow(growth *g, kind k, int depth);

static bool put_local(growth *g, kind k) {
  for (uint32_t tries = 0; tries < 3 && g->local_count > 0; tries++) {
    uint32_t at = roll(g, g->local_count);
    if (g->locals[at] != k) continue;
    put(g, "x%u", at);
    return true;
  }
  return false;
}

static void put_leaf(growth *g, kind k) {
  if (roll(g, 3) == 0 && put_local(g, k)) return;
  switch (k) {
    case INT:
      put(g, "%s", ONE_OF(g, "r.k", "r.n", "r.i", "r.j", "r.k", "r.n", "limit", "0", "1", "-1", "2",
                          "7", "100", "9007199254740993", "math.maxinteger", "math.mininteger"));
      return;
    case FLOAT:
      put(g, "%s", ONE_OF(g, "r.g", "r.f", "r.g", "r.g", "0.0", "1.5", "-2.0", "1e300", "0.1",
                          "9007199254740992.0", "math.huge", "(0/0)"));
      return;
    case DEC:
      put(g, "%s", ONE_OF(g, "r.p", "r.d", "r.e", "r.q", "r.p", "vat", "tm.dec \"0.05\"",
                          "tm.dec \"100\"", "tm.dec \"-7.125\""));
      return;
    case STR:
      put(g, "%s", ONE_OF(g, "r.t", "r.s", "r.t", "word", "\"a\"", "\"\"", "\"hello world, hello\"",
                          "\"exactly12byt\"", "names[2]"));
      return;
    case BOOL: put(g, "%s", ONE_OF(g, "r.b", "r.bb", "r.bb", "true", "false", "off")); return;
    case DATE: put(g, "%s", ONE_OF(g, "r.da", "r.dt", "r.da", "cutoff", "tm.day \"2024-02-29\""));
    return;
    default: put(g, "%s", ONE_OF(g, "r.tn", "r.ts", "r.tn", "start")); return;
  }
}

static void put_binary(growth *g, kind a, const char *op, kind b, int depth) {
  put(g, "(");
  grow(g, a, depth - 1);
  put(g, " %s ", op);
  grow(g, b, depth - 1);
  put(g, ")");
}

static void put_call(growth *g, const char *name, kind a, const char *rest, int depth) {
  put(g, "%s(", name);
  grow(g, a, depth - 1);
  put(g, "%s)", rest);
}

static void grow_int(growth *g, int depth) {
  switch (roll(g, 16)) {
    case 0: put_binary(g, INT, ONE_OF(g, "&", "|", "~", "<<", ">>"), INT, depth); return;
    case 1: put_binary(g, INT, ONE_OF(g, "//", "%"), INT, depth); return;
    case 2: put(g, "(%s ", ONE_OF(g, "-", "~")); grow(g, INT, depth - 1); put(g, ")"); return;
    case 3: put(g, "#"); grow(g, STR, 1); return;
    case 4: put_call(g, ONE_OF(g, "tm.year", "tm.month", "tm.weekday", "tm.day_of_month"),
                     roll(g, 2) ? DATE : TIME, "", depth); return;
    case 5: put_call(g, ONE_OF(g, "math.floor", "math.ceil", "tm.int"), FLOAT, "", depth); return;
    case 6: put_call(g, ONE_OF(g, "math.abs", "twice", "deep", "sign"), INT, "", depth); return;
    case 7: put(g, "math.%s(", ONE_OF(g, "max", "min")); grow(g, INT, depth - 1); put(g, ", ");
      grow(g, INT, depth - 1); put(g, ")"); return;
    case 8: put(g, "codes["); grow(g, STR, depth - 1); put(g, "]"); return;
    case 9: put_binary(g, DATE, "-", DATE, depth); return;
    case 10: put_call(g, ONE_OF(g, "tm.hour", "tm.minute", "tm.second"), TIME,
                      ONE_OF(g, "", ", \"Europe/Berlin\"", ", \"America/New_York\""), depth);
                      return;
    case 11: put(g, "("); grow(g, STR, 1); put(g, "):find(%s, 1, true)",
                                               ONE_OF(g, "\"a\"", "\"l\"", "r.t")); return;
    case 12: put(g, "("); grow(g, STR, 1); put(g, "):find%s",
                                               ONE_OF(g, "\"%w+\"", "\"(.)%1\"", "\"l*$\""));
      return;
    default: put_binary(g, INT, ONE_OF(g, "+", "-", "*"), INT, depth);
  }
}

static void grow_float(growth *g, int depth) {
  switch (roll(g, 9)) {
    case 0: put_binary(g, INT, "/", INT, depth); return;
    case 1: put_binary(g, FLOAT, ONE_OF(g, "//", "%", "^"), roll(g, 2) ? FLOAT : INT, depth);
    return;
    case 2:
      put_call(g, ONE_OF(g, "math.abs", "math.sqrt", "tm.float", "math.exp"), FLOAT, "", depth);
      return;
    case 3: put_call(g, "tm.float", DEC, "", depth); return;
    case 4: put_call(g, "tm.round", FLOAT, ONE_OF(g, ", 2", ", 0, \"floor\"", ", 5, \"half_even\""),
                     depth); return;
    case 5: put(g, "- "); grow(g, FLOAT, depth - 1); return;
    default: put_binary(g, FLOAT, ONE_OF(g, "+", "-", "*", "/"), roll(g, 3) ? FLOAT : INT, depth);
  }
}

static void grow_decimal(growth *g, int depth) {
  switch (roll(g, 9)) {
    case 0: put_call(g, "tm.round", DEC, ONE_OF(g, ", 2", ", 0, \"up\"", ", 6", ", -1"), depth);
    return;
    case 1: put(g, "net(r)"); return;
    case 2: put(g, "prices["); grow(g, STR, depth - 1); put(g, "]"); return;
    case 3: put(g, "(- "); grow(g, DEC, depth - 1); put(g, ")"); return;
    case 4: put_binary(g, INT, ONE_OF(g, "+", "-", "*", "/"), DEC, depth); return;
    case 5: put_binary(g, DEC, "/", DEC, depth); return;
    default: put_binary(g, DEC, ONE_OF(g, "+", "-", "*"), roll(g, 3) ? DEC : INT, depth);
  }
}

static void grow_string(growth *g, int depth) {
  switch (roll(g, 14)) {
    case 0: put(g, "("); grow(g, STR, 1); put(g, "):sub(%s, %s)",
                                              ONE_OF(g, "1", "2", "-3", "r.n", "r.k"),
                                ONE_OF(g, "2", "-1", "5", "r.n", "-2")); return;
    case 1: put_call(g, ONE_OF(g, "string.lower", "string.upper"), STR, "", depth); return;
    case 2: put_call(g, ONE_OF(g, "tostring", "tm.text"), (kind)roll(g, DATE + 1), "", depth);
    return;
    case 3: put(g, "names["); grow(g, INT, depth - 1); put(g, "]"); return;
    case 4: put(g, "string.format(\"%%s|%%d\", "); grow(g, STR, depth - 1); put(g, ", ");
      grow(g, INT, depth - 1); put(g, ")"); return;
    case 5: put(g, "info["); grow(g, STR, depth - 1); put(g, "].label"); return;
    case 6: put(g, "holidays["); grow(g, DATE, depth - 1); put(g, "]"); return;
    case 7: put_call(g, "tm.format", roll(g, 2) ? DATE : TIME,
                     ONE_OF(g, ", \"%F\"", ", \"%Y-%m\"", ", \"%T %z\", \"Europe/Berlin\""), depth);
      return;
    case 8: put(g, "string.format(\"%%.3f;%%05d\", "); grow(g, FLOAT, depth - 1); put(g, ", ");
      grow(g, INT, depth - 1); put(g, ")"); return;
    case 9: put(g, "("); grow(g, STR, 1); put(g, "):match%s",
                                              ONE_OF(g, "\"%a+\"", "\"^(.-)l\"", "\"o(.*)\""));
      return;
    case 10: put(g, "(("); grow(g, STR, 1);
      put(g, "):gsub(%s))", ONE_OF(g, "\"l+\", \"<%0>\"", "\"(.)(.)\", \"%2%1\"")); return;
    /* (No decimals or dates: Lua 5.4.4 loses a part of `a .. b .. c` where c has a metamethod and
     * the stack grows under it.) */
    default: put_binary(g, roll(g, 4) ? STR : INT, "..", roll(g, 4) ? STR : FLOAT, depth);
  }
}

static void grow_bool(growth *g, int depth) {
  kind k = (kind)roll(g, KINDS);
  switch (roll(g, 10)) {
    case 0: put(g, "(not "); grow(g, BOOL, depth - 1); put(g, ")"); return;
    case 1: case 2: put_binary(g, BOOL, ONE_OF(g, "and", "or"), BOOL, depth); return;
    case 3: put(g, "("); grow(g, k, depth - 1); put(g, " %s nil)", ONE_OF(g, "==", "~=")); return;
    case 4: put(g, "tm.like("); grow(g, STR, depth - 1);
      put(g, ", %s)", ONE_OF(g, "\"%a%\"", "\"a%\"", "\"%l_o%\"", "\"\"")); return;
    case 5: put(g, "set["); grow(g, STR, depth - 1); put(g, "]"); return;
    case 6: put_binary(g, k, ONE_OF(g, "==", "~="), roll(g, 12) ? k : (kind)roll(g, KINDS), depth);
    return;
    case 7: put_binary(g, INT, ONE_OF(g, "<", "<=", ">", ">=", "==", "~="), FLOAT, depth); return;
    default:
      if (k == BOOL) k = INT;
      put_binary(g, k, ONE_OF(g, "<", "<=", ">", ">=", "==", "~="), k, depth);
  }
}

static void grow(growth *g, kind k, int depth) {
  if (depth <= 0 || g->size > TEXT_MAX / 2 || roll(g, 5) == 0) {
    put_leaf(g, k);
    return;
  }
  switch (roll(g, 14)) {
    case 0: put_binary(g, k, "or", k, depth); return;
    case 1: put(g, "("); grow(g, BOOL, depth - 1); put(g, " and "); grow(g, k, depth - 1);
      put(g, " or "); grow(g, k, depth - 1); put(g, ")"); return;
    case 2: put_binary(g, roll(g, 3) ? BOOL : (kind)roll(g, KINDS), "and", k, depth); return;
    case 3: put(g, "pick("); grow(g, k, depth - 1); put(g, ", "); grow(g, k, depth - 1);
    put(g, ")");
      return;
    default: break;
  }
  switch (k) {
    case INT: grow_int(g, depth); return;
    case FLOAT: grow_float(g, depth); return;
    case DEC: grow_decimal(g, depth); return;
    case STR: grow_string(g, depth); return;
    case BOOL: grow_bool(g, depth); return;
    case DATE:
      put(g, "("); grow(g, DATE, depth - 1);
      put(g, " %s %s)", ONE_OF(g, "+", "-"), ONE_OF(g, "tm.days(1)", "tm.months(1)", "tm.days(r.n)",
                                                 "tm.days(365)", "tm.months(-13)")); return;
    default:
      put(g, "("); grow(g, TIME, depth - 1);
      put(g, " %s %s)", ONE_OF(g, "+", "-"), ONE_OF(g, "tm.minutes(5)", "tm.hours(1)", "1", "r.n",
                                                    "tm.seconds(r.k)")); return;
  }
}

/* ---------------------------------------------------------------- statements */

static void grow_return(growth *g, tm_shape shape, kind k, int depth) {
  if (shape == TM_SHAPE_ROW && roll(g, 6) == 0) {
    put(g, "return nil ");
    return;
  }
  put(g, "return ");
  if (shape == TM_SHAPE_ROW) {
    put(g, "{ a = "); grow(g, k, depth);
    put(g, ", b = "); grow(g, INT, depth - 1);
    put(g, ", c = "); grow(g, STR, depth - 1);
    put(g, " } ");
  } else {
    grow(g, k, depth);
    put(g, " ");
  }
}

static void grow_statement(growth *g, tm_shape shape, kind k, int depth) {
  kind local = roll(g, 3) == 0 ? k : (kind)roll(g, KINDS);
  switch (roll(g, 5)) {
    case 0:
      put(g, "if "); grow(g, BOOL, depth); put(g, " then ");
      grow_return(g, shape, k, depth - 1);
      put(g, "end ");
      return;
    case 1:
      if (g->local_count > 0) {
        uint32_t at = roll(g, g->local_count);
        put(g, "if "); grow(g, BOOL, depth - 1);
        put(g, " then x%u = ", at); grow(g, g->locals[at], depth - 1);
        if (roll(g, 2)) { put(g, " else x%u = ", at); grow(g, g->locals[at], depth - 1); }
        put(g, " end ");
        return;
      }
      break;
    default: break;
  }
  if (g->local_count == LOCALS_MAX) return;
  uint32_t at = g->local_count;
  put(g, "local x%u = ", at); grow(g, local, depth); put(g, " ");
  g->locals[g->local_count++] = local;
}

void tm_lift_random(uint64_t seed, tm_shape shape, char out[2000]) {
  growth g = {.seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, .out = out};
  for (int i = 0; i < 8; i++) (void)roll(&g, 2);
  kind k = shape == TM_SHAPE_TRUTH ? BOOL : (kind)roll(&g, KINDS);
  put(&g, "function(r) ");
  uint32_t statements = roll(&g, 3);
  for (uint32_t i = 0; i < statements; i++) grow_statement(&g, shape, k, 2);
  grow_return(&g, shape, k, 3);
  put(&g, "end");
}
