/* operator/distinct_plan.c: see distinct_plan.h. */
#include "operator/distinct_plan.h"

#include "stage/options.h"

const tm_option tm_distinct_options[] = {
  {"columns", "text|list", NULL, "the columns that count, and stay; without, all", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "distinct: out of memory"); }

static int choose_columns(tm_bind *bind, tm_distinct_plan *p, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  int count = tm_options_columns(bind->options, "columns", input, bind->arena, &p->columns, err);
  if (count < 0) return -1;
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < i; k++) {
      if (p->columns[i] != p->columns[k]) continue;
      const char *name = input->fields[p->columns[i]].name;
      tm_fail(err, TM_E_COLUMNS, "distinct names column '%s' twice", name);
      tm_error_token(err, name, "");
      return -1;
    }
  }
  p->groups.key_count = count > 0 ? (uint32_t)count : input->count;
  if (count > 0) return 0;
  p->columns = tm_arena_alloc(bind->arena, (input->count + 1) * sizeof *p->columns);
  if (p->columns == NULL) return no_memory(err);
  for (uint32_t i = 0; i < input->count; i++) p->columns[i] = i;
  return 0;
}

int tm_distinct_bind(tm_bind *bind, tm_distinct_plan *p, tm_error *err) {
  if (choose_columns(bind, p, err) < 0) return -1;
  uint32_t count = p->groups.key_count;
  tm_schema *output = tm_schema_create(bind->arena, count);
  tm_type *types = tm_arena_zero(bind->arena, (count + 1) * sizeof *types);
  if (output == NULL || types == NULL) return no_memory(err);
  for (uint32_t i = 0; i < count; i++) {
    output->fields[i] = bind->inputs[0]->fields[p->columns[i]];
    types[i] = output->fields[i].type;
  }
  p->groups.arena = bind->arena;
  p->groups.key_types = types;
  if (tm_group_plan_complete(&p->groups, err) < 0) return -1;
  bind->plan = p;
  bind->output = output;
  bind->order = TM_ORDER_NONE;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE); /* of which of the equal rows? */
  bind->facts_out.in_time_order = false;
  bind->rows_estimate = bind->input_rows[0] / 2 + (bind->input_rows[0] > 0);
  return 0;
}

/* Whoever reads the result: every column tells rows apart. */
void tm_distinct_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const tm_distinct_plan *p = bind->plan;
  (void)needed_out;
  for (uint32_t i = 0; i < p->groups.key_count; i++) in[0][p->columns[i]] = 1;
}
