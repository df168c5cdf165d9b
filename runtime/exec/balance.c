/* exec/balance.c: see balance.h. The run's line follows source rows up to the first step that
 * absorbs or expands; what they become there counts as passed, for they arrived. */
#include "exec/balance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/refuse.h"

static int moved_filter_behind(const tm_plan *plan, uint32_t node) {
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->from != node || e->kind != TM_EDGE_MAIN) continue;
    if (plan->nodes[e->to]->done_elsewhere) return (int)e->to;
  }
  return -1;
}

void tm_balance_move_filters(const tm_plan *plan, tm_run_result *result) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_bind *source = plan->nodes[i];
    if (source->pushed_count == 0) continue;
    uint64_t rows = result->nodes[i].passed;
    for (uint32_t k = 0; k < source->pushed_count; k++) rows += source->pushed_dropped[k];
    tm_ledger *l = &result->nodes[i];
    l->filtered -= rows - l->passed;
    l->passed = rows;
    int filter = (int)i;
    for (uint32_t k = 0; k < source->pushed_count; k++) {
      filter = moved_filter_behind(plan, (uint32_t)filter);
      if (filter < 0) return;
      l = &result->nodes[filter];
      l->in = rows;
      l->filtered += source->pushed_dropped[k];
      /* What a limit below left unread was booked as filtered already. */
      rows = l->passed = l->in - l->filtered;
    }
  }
}

void tm_balance_cancelled(const tm_plan *plan, const uint8_t *cancelled, tm_run_result *result) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (!cancelled[i]) continue;
    tm_ledger *l = &result->nodes[i];
    uint64_t gone = l->passed + l->filtered + l->duplicate + l->late + l->rejected +
                    l->unmatched + l->absorbed + l->held;
    if (l->in + l->produced > gone) l->filtered += l->in + l->produced - gone;
  }
}

/* The node at the other end of a main edge; -1: none. */
static int neighbour(const tm_plan *plan, uint32_t node, bool above) {
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->kind != TM_EDGE_MAIN || (above ? e->to : e->from) != node) continue;
    return (int)(above ? e->from : e->to);
  }
  return -1;
}

/* Up from a clock, past exchanges, to the source. */
static int source_above(const tm_plan *plan, uint32_t node) {
  int at = neighbour(plan, node, true);
  while (at >= 0 && plan->nodes[at]->input_count > 0) at = neighbour(plan, (uint32_t)at, true);
  return at;
}

void tm_balance_move_inserted(const tm_plan *plan, tm_run_result *result) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_bind *bind = plan->nodes[i];
    tm_ledger *l = &result->nodes[i];
    bool clock = strcmp(bind->verb, "clock") == 0;
    uint64_t gone = l->rejected + l->late + (clock ? l->filtered : 0);
    if (!bind->inserted || gone == 0) continue;
    int to = clock ? source_above(plan, i) : neighbour(plan, i, false);
    if (to < 0) continue;
    tm_ledger *other = &result->nodes[to];
    other->rejected += l->rejected;
    other->late += l->late;
    if (clock) {
      other->filtered += l->filtered;
      other->passed -= gone;
      l->in -= gone;
      l->filtered = 0;
    } else {
      other->in += gone;
      l->passed += gone;
    }
    l->rejected = l->late = 0;
  }
}

/* Nodes whose input rows are source rows, one for one. */
static bool carries_source_rows(const tm_plan *plan, const tm_run_result *result,
                                const bool *carries, uint32_t node) {
  bool any = false;
  for (uint32_t i = 0; i < plan->edge_count; i++) {
    const tm_edge *e = &plan->edges[i];
    if (e->to != node || e->kind != TM_EDGE_MAIN) continue;
    const tm_ledger *from = &result->nodes[e->from];
    if (!carries[e->from] || from->produced > 0 || from->absorbed > 0) return false;
    any = true;
  }
  return any || plan->nodes[node]->input_count == 0;
}

bool tm_balance_takes_refused(const tm_plan *plan, const tm_bind *bind) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (plan->nodes[i]->rejects_to == bind || plan->nodes[i]->late_to == bind) return true;
  }
  return false;
}

void tm_balance_total(const tm_plan *plan, tm_run_result *result) {
  bool *carries = tm_arena_zero(plan->arena, plan->node_count + 1);
  tm_ledger *total = &result->total;
  for (uint32_t i = 0; i < plan->node_count && carries != NULL; i++) {
    const tm_bind *bind = plan->nodes[i];
    const tm_ledger *l = &result->nodes[i];
    bool source = bind->input_count == 0 && !bind->stage->sink;
    if (source) result->rows_in += l->in;
    if (bind->stage->sink && !tm_balance_takes_refused(plan, bind)) result->rows_out += l->in;
    carries[i] = !bind->stage->sink && carries_source_rows(plan, result, carries, i);
    if (!carries[i]) continue;
    total->filtered += l->filtered;
    total->duplicate += l->duplicate;
    total->late += l->late;
    total->rejected += l->rejected;
    total->unmatched += l->unmatched;
    total->held += l->held;
  }
  total->in = result->rows_in;
  uint64_t gone = total->filtered + total->duplicate + total->late + total->rejected +
                  total->unmatched + total->held;
  /* Rows that a branch copied were counted once a branch when they left. */
  total->passed = gone <= total->in ? total->in - gone : 0;
  if (gone > total->in) total->produced = gone - total->in;
}

static int fail_step(const tm_plan *plan, uint32_t node, const tm_ledger *l, tm_error *err) {
  tm_fail(err, TM_E_LEDGER,
          "step does not balance: in %" PRIu64 " + produced %" PRIu64 " is not passed %" PRIu64
          " + filtered %" PRIu64 " + duplicate %" PRIu64 " + late %" PRIu64 " + rejected %" PRIu64
          " + unmatched %" PRIu64 " + absorbed %" PRIu64 " + held %" PRIu64,
          l->in, l->produced, l->passed, l->filtered, l->duplicate, l->late, l->rejected,
          l->unmatched, l->absorbed, l->held);
  tm_error_help(err, "this is a bug in tidemill; please report it with the script");
  tm_refuse_place(err, plan, plan->nodes[node]);
  return -1;
}

int tm_balance_check(const tm_plan *plan, const tm_run_result *result, tm_error *err) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_ledger *l = &result->nodes[i];
    if (!tm_ledger_balances(l)) return fail_step(plan, i, l, err);
    uint64_t came = 0;
    bool fed = false;
    for (uint32_t k = 0; k < plan->edge_count; k++) {
      const tm_edge *e = &plan->edges[k];
      if (e->to != i) continue;
      fed = true;
      const tm_ledger *from = &result->nodes[e->from];
      came += e->kind == TM_EDGE_MAIN ? from->passed
              : e->kind == TM_EDGE_LATE ? from->late : from->rejected;
    }
    if (!fed || came == l->in) continue;
    tm_fail(err, TM_E_LEDGER, "%" PRIu64 " rows left for this step, %" PRIu64 " came in", came,
            l->in);
    tm_refuse_place(err, plan, plan->nodes[i]);
    return -1;
  }
  return 0;
}

/* "0.1%" of the rows, or a count; < 0: not given. */
static double allowed_rows(const tm_value *v, uint64_t rows) {
  if (v == NULL) return -1;
  if (v->kind == TM_VALUE_INT) return (double)v->integer;
  if (v->kind == TM_VALUE_FLOAT) return v->number;
  if (v->kind != TM_VALUE_TEXT) return -1;
  char *end;
  double value = strtod(v->text, &end);
  return *end == '%' ? value * (double)rows / 100 : value;
}

int tm_balance_max_bad(const tm_plan *plan, const tm_run_result *result, tm_error *err) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_bind *bind = plan->nodes[i];
    if (bind->input_count > 0 || bind->options == NULL) continue;
    const tm_value *v = tm_value_get(bind->options, "max_bad");
    const tm_ledger *l = &result->nodes[i];
    double allowed = allowed_rows(v, l->in);
    if (allowed < 0 || (double)l->rejected <= allowed) continue;
    char said[48];
    if (v->kind == TM_VALUE_TEXT) snprintf(said, sizeof said, "%s", v->text);
    else snprintf(said, sizeof said, "%g", allowed);
    tm_fail(err, TM_E_MAX_BAD, "%" PRIu64 " of %" PRIu64 " rows were refused, max_bad is %s",
            l->rejected, l->in, said);
    tm_refuse_place(err, plan, bind);
    tm_error_token(err, "max_bad", "");
    const char *path = bind->rejects_to == NULL
                           ? NULL : tm_value_text(bind->rejects_to->options, "path", NULL);
    if (path != NULL) tm_error_help(err, "why each row was refused stands in %s", path);
    return -1;
  }
  return 0;
}
