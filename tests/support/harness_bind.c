/* tests/support/harness_bind.c: from a case to a bound stage, and what it needs of its inputs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness_parts.h"
#include "stage/options.h"

static const tm_stage *stage_of(const harness_case *c, const tm_bind *bind) {
  const tm_stage *stage = c->stage;
  if (stage == NULL) stage = tm_stage_find_for(c->verb, c->role, bind);
  cr_assert_not_null(stage, "no stage serves '%s'", c->verb);
  cr_assert(stage->serves == NULL || stage->serves(bind), "%s does not serve this", stage->name);
  return stage;
}

static bool is_word_of(const char *words, const char *word) {
  size_t size = strlen(word);
  for (const char *at = words; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " ")) {
    if (strcspn(at, " ") == size && memcmp(at, word, size) == 0) return true;
  }
  return false;
}

static void set_needed(const harness_case *c, tm_arena *arena, tm_bind *bind) {
  if (bind->output == NULL) return;
  uint8_t *needed = tm_arena_zero(arena, bind->output->count + 1);
  for (uint32_t i = 0; i < bind->output->count; i++) {
    needed[i] = c->needed == NULL || is_word_of(c->needed, bind->output->fields[i].name);
  }
  bind->needed = needed;
}

int harness_bind(const harness_case *c, tm_arena *arena, uint32_t batch_rows, tm_bind *out,
                 tm_error *err) {
  tm_job_info *job = tm_arena_zero(arena, sizeof *job);
  tm_value *options = tm_arena_zero(arena, sizeof *options);
  cr_assert(job != NULL && options != NULL);
  *job = (tm_job_info){.script = "job.lua", .pipeline = "job", .date = "2026-03-14",
                       .stdout_format = "csv", .workers = 1, .batch_rows = batch_rows,
                       .block_bytes = 65536, .stream = c->stream};
  *options = c->options.kind == TM_VALUE_NIL ? (tm_value){.kind = TM_VALUE_TABLE} : c->options;
  const char *verb = c->verb != NULL ? c->verb : c->stage->name;
  *out = (tm_bind){.arena = arena, .budget = arena->budget, .job = job, .verb = verb,
                   .name = verb, .options = options, .script_line = 7,
                   .input_count = c->input_count, .final_only = c->final_only};
  for (uint32_t i = 0; i < c->input_count; i++) {
    out->inputs[i] = c->inputs[i]->schema;
    out->input_rows[i] = c->input_rows[i];
  }
  harness_facts(c, out);
  const tm_stage *stage = out->stage = stage_of(c, out);
  if (stage->options != NULL && tm_options_check(stage->options, options, verb, err) < 0) return -1;
  if (stage->bind(out, err) < 0) return -1;
  out->ordered_input = c->ordered_input || out->time_order != 0;
  out->skip_rejects = c->skip_rejects;
  out->buffers = c->buffers;
  set_needed(c, arena, out);
  return 0;
}

/* As plan/optimise.c asks: need(), else by passes, else everything. */
static void needs_of(const tm_bind *bind, uint8_t *const *in) {
  const uint8_t *needed = bind->needed;
  if (bind->stage->need != NULL) {
    bind->stage->need(bind, needed, in);
  } else if (bind->output != NULL && bind->passes[0] != NULL) {
    for (uint32_t c = 0; c < bind->output->count; c++) {
      for (int p = 0; p < 2 && needed[c]; p++) {
        if (bind->passes[p] != NULL && bind->passes[p][c] >= 0) in[p][bind->passes[p][c]] = 1;
      }
    }
  } else {
    for (uint32_t p = 0; p < bind->input_count; p++) memset(in[p], 1, bind->inputs[p]->count);
  }
  if (!bind->rejects || bind->skip_rejects) return;
  for (uint32_t p = 0; p < bind->input_count; p++) memset(in[p], 1, bind->inputs[p]->count);
}

void harness_find_needs(const tm_bind *bind, tm_arena *arena, uint8_t **in) {
  for (uint32_t p = 0; p < bind->input_count; p++) {
    in[p] = tm_arena_zero(arena, bind->inputs[p]->count + 1);
    cr_assert_not_null(in[p]);
  }
  needs_of(bind, in);
}

char *harness_needs(const harness_case *c, uint32_t of) {
  tm_budget *budget = tm_budget_create(NULL, "needs", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  tm_bind bind;
  tm_error err = {0};
  uint8_t *in[HARNESS_PORTS];
  cr_assert_eq(harness_bind(c, &arena, 2048, &bind, &err), 0, "%s", err.message);
  harness_find_needs(&bind, &arena, in);
  char *words = calloc(1, 4096);
  for (uint32_t i = 0; i < bind.inputs[of]->count; i++) {
    if (!in[of][i]) continue;
    size_t used = strlen(words);
    (void)snprintf(words + used, 4096 - used, "%s%s", used > 0 ? " " : "",
                   bind.inputs[of]->fields[i].name);
  }
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
  return words;
}
