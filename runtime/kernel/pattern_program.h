/* kernel/pattern_program.h: a compiled pattern, shared by pattern_compile.c and pattern.c only.
 *
 * Lua patterns have no alternatives, so a program is a straight line of nodes. What every node
 * needs of captures (which one closes, which one a %1 means) is therefore known beforehand. */
#ifndef TM_KERNEL_PATTERN_PROGRAM_H
#define TM_KERNEL_PATTERN_PROGRAM_H

#include "kernel/pattern.h"

typedef enum op {
  OP_END,      /* all of it matched */
  OP_TEXT,     /* `size` bytes of `text` */
  OP_ONE,      /* one byte of a class */
  OP_MANY,     /* '*': as many as there are, then fewer */
  OP_SOME,     /* '+' */
  OP_FEW,      /* '-': as few as will do, then more */
  OP_MAYBE,    /* '?' */
  OP_OPEN, OP_POSITION, OP_CLOSE, /* of capture `size` */
  OP_BACK,     /* what capture `size` holds, again */
  OP_BALANCE,  /* %b: `byte` and `other` */
  OP_FRONTIER, /* %f */
  OP_LAST,     /* '$' */
  OP_ERROR,    /* `text` is what is wrong from here on */
} op;

/* What one byte has to be. The first three are sets too: `set` is there for every class. */
typedef enum class_kind { CLASS_ANY, CLASS_BYTE, CLASS_NOT_BYTE, CLASS_SET } class_kind;

typedef struct byte_set { uint64_t words[4]; } byte_set;

typedef struct node {
  uint8_t op, kind;      /* an op; of a class, its class_kind */
  uint8_t byte, other;
  bool fixed;            /* MANY, SOME: fewer would never do, what follows is not of the class */
  int16_t next_byte;     /* the literal byte that must follow, -1 if that is not known */
  uint32_t size;
  union { const char *text; const byte_set *set; };
} node;

struct tm_pattern {
  bool anchored;
  uint32_t captures;
  const char *malformed;
  /* A match starts with this text, or (size 0) with a byte of this set if there is one. */
  const char *start_text;
  size_t start_size;
  const byte_set *start_set;
  /* The repeated class that every match starts with, and nothing behind depends on where: when a
   * match fails that starts before a run of the class, those that start within it fail too. */
  const node *start_run;
  uint32_t count;
  node nodes[];
};

static inline bool set_has(const byte_set *set, unsigned char c) {
  return set->words[c >> 6] >> (c & 63) & 1;
}

#endif
