/* stage/parse.c: see parse.h. */
#include "stage/parse.h"

#include <string.h>

#include "expr/function.h"
#include "kernel/utf8.h"
#include "stage/apply.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "reading: out of memory"); }

void tm_parse_complete(tm_reading *r, const tm_bind *bind, uint8_t *early) {
  r->needed = bind->needed;
  r->early = early;
  r->filters = bind->pushed_count > 0;
  r->check_all = bind->rejects_to != NULL || bind->skip_rejects;
  r->ordinals = bind->emits_ordinals;
  r->source = bind->node;
  for (uint32_t i = 0; i < bind->pushed_count; i++) tm_apply_need(bind->pushed[i], early);
}

/* ---------------------------------------------------------------- hooks of the parser */

/* Refused text is shown as it is, but a string of ours is always UTF-8. */
static const char *valid_text(tm_arena *arena, const char *text, size_t *size) {
  static const char replacement[] = "\xef\xbf\xbd";
  if (tm_utf8_valid(text, *size)) return text;
  char *out = tm_arena_alloc(arena, *size * 3 + 1), *to = out;
  if (out == NULL) return NULL;
  for (size_t at = 0; at < *size;) {
    size_t good = tm_utf8_valid_prefix(text + at, *size - at);
    memcpy(to, text + at, good);
    to += good;
    at += good;
    if (at == *size) break;
    memcpy(to, replacement, 3);
    to += 3;
    at++;
  }
  *size = (size_t)(to - out);
  return out;
}

static int refuse(void *context, const tm_refusal *refusal, tm_error *err) {
  tm_parse *p = context;
  size_t size = refusal->raw_size;
  if (p->out == NULL) return 0;
  const char *raw = valid_text(p->out->arena, refusal->raw, &size);
  if (raw == NULL) return no_memory(err);
  tm_reject reject = {
    .reason = refusal->reason, .message = refusal->message, .file = refusal->block->file,
    .source = p->reading->source, .file_index = refusal->block->file_index,
    .ordinal = refusal->line, .offset = (int64_t)refusal->offset,
    .raw = tm_str_make(raw, size), .event_time_us = TM_TIME_NONE, .watermark_us = TM_TIME_NONE,
  };
  return tm_out_reject_raw(p->out, &reject) < 0 ? no_memory(err) : 0;
}

static int filter(void *context, tm_batch *batch, tm_error *err) {
  tm_parse *p = context;
  const tm_bind *bind = p->env.bind;
  for (uint32_t i = 0; i < bind->pushed_count && batch->selected > 0; i++) {
    int64_t dropped = tm_apply_filter(&p->env, bind->pushed[i], batch, p->out, err);
    if (dropped < 0) return -1;
    p->env.ledger->in += (uint64_t)dropped;
    p->env.ledger->filtered += (uint64_t)dropped;
    __atomic_add_fetch(&bind->pushed_dropped[i], (uint64_t)dropped, __ATOMIC_RELAXED);
  }
  return 0;
}

/* ---------------------------------------------------------------- a block */

int tm_parse_open(tm_parse *p, const tm_stage_env *env, const tm_reading *reading,
                  tm_error *err) {
  tm_parser_hooks hooks = {.context = p, .refuse = refuse, .filter = filter};
  *p = (tm_parse){.env = *env, .reading = reading};
  p->parser = reading->format->parser_create(reading, env->budget, &hooks, err);
  return p->parser == NULL ? -1 : 0;
}

void tm_parse_close(tm_parse *p) {
  if (p->parser != NULL) p->reading->format->parser_destroy(p->parser);
}

int tm_parse_begin(tm_parse *p, tm_block *taken, tm_out *out, tm_error *err) {
  p->out = out;
  int begun = p->reading->format->parser_begin(p->parser, taken, err);
  tm_block_release(taken);
  p->busy = begun == 0;
  return begun;
}

tm_flow tm_parse_step(tm_parse *p, tm_out *out, tm_error *err) {
  tm_batch *batch;
  p->out = out;
  int got = p->reading->format->parser_next(p->parser, &batch, err);
  if (got < 0) return TM_FLOW_FAILED;
  if (got == 0) p->busy = false;
  else tm_out_emit(out, batch);
  return got == 0 ? TM_FLOW_INPUT : TM_FLOW_MORE;
}
