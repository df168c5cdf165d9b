/* operator/top_plan.c: see top_plan.h. */
#include "operator/top_plan.h"

#include <inttypes.h>
#include <string.h>

#include "stage/options.h"

static int add_keys(tm_bind *bind, const char *option, tm_sort_spec *spec, tm_sort_key *keys,
                    tm_error *err) {
  const tm_value *v = tm_value_get(bind->options, option);
  const tm_value *items = v != NULL && v->kind == TM_VALUE_TABLE ? v->items : v;
  size_t count = v == NULL ? 0 : v->kind == TM_VALUE_TABLE ? v->item_count : 1;
  for (size_t i = 0; i < count; i++) {
    if (items[i].kind != TM_VALUE_TEXT) {
      return tm_fail(err, TM_E_VALUE, "top: '%s' lists names of columns, not a %s", option,
                     tm_value_kind_name(items[i].kind));
    }
    tm_sort_key *key = &keys[spec->key_count++];
    key->descending = items[i].text[0] == '-';
    int found = tm_schema_require(bind->inputs[0], items[i].text + key->descending, err);
    if (found < 0) return -1;
    key->column = (uint32_t)found;
  }
  return (int)count;
}

static size_t count_keys(const tm_bind *bind, const char *option) {
  const tm_value *v = tm_value_get(bind->options, option);
  return v != NULL && v->kind == TM_VALUE_TABLE ? v->item_count : 1;
}

static int set_ties(tm_bind *bind, tm_sort_spec *spec, tm_error *err) {
  const char *ties = tm_value_text(bind->options, "ties", NULL);
  if (ties == NULL) return 0;
  spec->all_ties = strcmp(ties, "all") == 0;
  if (spec->all_ties) return 0;
  return tm_fail(err, TM_E_VALUE, "top: ties is \"all\" or absent, not \"%s\"", ties);
}

/* The input, and a last column with the rank where it was asked for. */
static tm_schema *output_of(tm_bind *bind, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  const char *rank = tm_value_text(bind->options, "rank", NULL);
  tm_schema *output = tm_schema_create(bind->arena, input->count + 1);
  int32_t *passes = tm_arena_alloc(bind->arena, (input->count + 2) * sizeof *passes);
  if (output == NULL || passes == NULL) {
    tm_fail(err, TM_E_MEMORY, "out of memory");
    return NULL;
  }
  output->count = input->count;
  memcpy(output->fields, input->fields, input->count * sizeof *input->fields);
  for (uint32_t i = 0; i < input->count; i++) passes[i] = (int32_t)i;
  bind->passes[0] = passes;
  if (rank == NULL) return output;
  passes[output->count] = -1;
  tm_field *field = &output->fields[output->count++];
  *field = (tm_field){.name = rank, .type = {.kind = TM_INT64, .not_null = 1}};
  return output;
}

int tm_top_bind(tm_bind *bind, tm_top_plan *p, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  int64_t n = tm_options_int(bind->options, "n", 0);
  if (n < 1) return tm_fail(err, TM_E_VALUE, "top wants 1 row or more, not %" PRId64, n);
  size_t room = count_keys(bind, "per") + count_keys(bind, "by") + input->count;
  tm_sort_key *keys = tm_arena_zero(bind->arena, room * sizeof *keys);
  if (keys == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  p->spec = (tm_sort_spec){.schema = input, .keys = keys, .head = (uint64_t)n};
  p->spec.signs = tm_sort_has_signs(input);
  if (add_keys(bind, "per", &p->spec, keys, err) < 0) return -1;
  p->spec.group_keys = p->spec.key_count;
  for (uint32_t i = 0; i < p->spec.group_keys; i++) {
    if (keys[i].descending) return tm_fail(err, TM_E_VALUE, "top: 'per' takes plain column names");
  }
  int by = add_keys(bind, "by", &p->spec, keys, err);
  if (by < 0) return -1;
  if (by == 0) return tm_fail(err, TM_E_VALUE, "top wants by = \"column\" or \"-column\"");
  p->spec.rank_keys = p->spec.key_count;
  for (uint32_t i = 0; i < input->count; i++) keys[p->spec.key_count++].column = i;
  if (set_ties(bind, &p->spec, err) < 0) return -1;
  tm_schema *output = output_of(bind, err);
  if (output == NULL) return -1;
  p->ranked = output->count > input->count;
  bind->plan = p;
  bind->output = output;
  bind->order = TM_ORDER_MAKES;
  bind->chooses = true;
  bind->rows_estimate = p->spec.group_keys == 0 ? (uint64_t)n : bind->input_rows[0] / 4;
  return 0;
}

void tm_top_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  (void)needed_out; /* ties go by every column */
  memset(in[0], 1, bind->inputs[0]->count);
}
