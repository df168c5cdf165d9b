/* script/lift_way.h: a way through a function at work: what lift_execute.c and lift_instruction.c
 * share. */
#ifndef TM_SCRIPT_LIFT_WAY_H
#define TM_SCRIPT_LIFT_WAY_H

#include "script/lift_parts.h"

enum { TM_LIFT_DEPTH_MAX = 4 }; /* of inlined calls */

typedef struct tm_lift_way {
  tm_lift_ctx *ctx;
  const tm_lift_frame *frame;
  tm_lift_state *state;
  int pc, stop;
  const tm_expr *outcome; /* set: the way has ended */
} tm_lift_way;

/* lift_instruction.c: one instruction. */
void tm_lift_way_step(tm_lift_way *w);

/* lift_execute.c */
void tm_lift_way_end(tm_lift_way *w, const tm_sym *results, uint32_t count);
void tm_lift_way_cut(tm_lift_way *w); /* nothing beyond this point is followed */
/* The ways of an outcome go on at pc: as one, or each for itself. */
void tm_lift_way_meet(tm_lift_way *w, const tm_expr *outcome, int pc);
/* A test at w->pc whose jump, the next instruction, is taken where truth is `wanted`. `set` goes to
 * a register where the jump is taken. */
void tm_lift_way_branch(tm_lift_way *w, const tm_expr *truth, bool wanted, const tm_sym *set,
                        int set_index);

#endif
