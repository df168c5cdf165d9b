/* operator/process_plan.c: binding a process step: its key, the types of its state, functions. */
#include "operator/process_plan.h"

#include <ctype.h>
#include <string.h>

#include "stage/changelog.h"
#include "stage/options.h"

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "process: out of memory"); }

/* ------------------------------------------------------------------ state */

/* Passes a word of small letters in any case, and blanks around it. */
static bool pass_word(const char **at, const char *word) {
  const char *here = *at + strspn(*at, " \t\r\n");
  for (; *word != '\0'; word++, here++) {
    if (tolower((unsigned char)*here) != *word) return false;
  }
  *at = here + strspn(here, " \t\r\n");
  return true;
}

/* The text of the type within list<…> or map<string,…>; NULL: it is no such type. */
static const char *inner_type(tm_arena *arena, const char *text, tm_state_shape *shape) {
  const char *at = text, *end = strrchr(text, '>');
  if (end == NULL || end[1 + strspn(end + 1, " \t\r\n")] != '\0') return NULL;
  if (pass_word(&at, "list") && pass_word(&at, "<")) {
    *shape = TM_STATE_LIST;
    return tm_arena_text(arena, at, (size_t)(end - at));
  }
  at = text;
  if (pass_word(&at, "map") && pass_word(&at, "<") && pass_word(&at, "string") &&
      pass_word(&at, ",")) {
    *shape = TM_STATE_MAP;
    return tm_arena_text(arena, at, (size_t)(end - at));
  }
  return NULL;
}

static int bad_state(const char *name, tm_error *err) {
  tm_error_token(err, name, "");
  return tm_error_help(err, "a state is of a type, list<type> or map<string,type>; with a time to "
                       "live: %.60s = { \"map<string,int64>\", ttl = \"1h\" }", name);
}

static int read_ttl(const tm_bind *bind, const tm_pair *pair, tm_state_field *field,
                    tm_error *err) {
  const tm_value *ttl = tm_value_get(&pair->value, "ttl");
  if (ttl == NULL || ttl->kind == TM_VALUE_NIL) return 0;
  field->ttl_us = tm_options_duration(&pair->value, "ttl", 0);
  if (field->ttl_us <= 0) {
    tm_fail(err, TM_E_VALUE, "process: the ttl of state '%.60s' is no duration above 0",
            pair->name);
    return bad_state(pair->name, err);
  }
  if (bind->facts_in[0].time.kind != TM_NULLTYPE) return 0;
  tm_fail(err, TM_E_VALUE, "process: the ttl of state '%.60s' counts in event time, and the rows "
          "have none", pair->name);
  tm_error_token(err, pair->name, "");
  return tm_error_help(err, "give the source its time = \"column\"");
}

/* "timestamp", or { "map<string,int64>", ttl = "1h" }. */
static int read_field(tm_bind *bind, const tm_pair *pair, tm_state_field *field, tm_error *err) {
  const tm_value *type = &pair->value;
  *field = (tm_state_field){.name = pair->name, .shape = TM_STATE_VALUE};
  if (type->kind == TM_VALUE_TABLE && type->item_count == 1) {
    for (size_t i = 0; i < type->pair_count; i++) {
      if (strcmp(type->pairs[i].name, "ttl") == 0) continue;
      tm_fail(err, TM_E_OPTION, "process: unknown option '%.60s' of state '%.60s'",
              type->pairs[i].name, pair->name);
      return bad_state(pair->name, err);
    }
    if (read_ttl(bind, pair, field, err) < 0) return -1;
    type = &type->items[0];
  }
  if (type->kind != TM_VALUE_TEXT) {
    tm_fail(err, TM_E_VALUE, "process: the type of state '%.60s' is text, not %s", pair->name,
            tm_value_kind_name(type->kind));
    return bad_state(pair->name, err);
  }
  const char *inner = inner_type(bind->arena, type->text, &field->shape);
  if (tm_type_parse(inner != NULL ? inner : type->text, &field->type, err) < 0) return -1;
  field->type.not_null = 0;
  return 0;
}

static int read_state(tm_bind *bind, tm_process_plan *p, tm_error *err) {
  const tm_value *given = tm_value_get(bind->options, "state");
  size_t count = given == NULL || given->kind != TM_VALUE_TABLE ? 0 : given->pair_count;
  tm_state_field *fields = tm_arena_zero(bind->arena, (count + 1) * sizeof *fields);
  if (fields == NULL) return no_memory(err);
  if (given != NULL && given->kind == TM_VALUE_TABLE && given->item_count > 0) {
    return tm_fail(err, TM_E_VALUE, "process: every state has a name: state = { last = "
                   "\"timestamp\" }");
  }
  for (size_t i = 0; i < count; i++) {
    if (read_field(bind, &given->pairs[i], &fields[i], err) < 0) return -1;
  }
  p->state.fields = fields;
  p->state.field_count = (uint32_t)count;
  return 0;
}

/* ------------------------------------------------------------------ the key */

static int read_key(tm_bind *bind, tm_process_plan *p, tm_error *err) {
  uint32_t *columns;
  const tm_schema *input = bind->inputs[0];
  int count = tm_options_columns(bind->options, "keys", input, bind->arena, &columns, err);
  if (count < 0) return -1;
  tm_schema *key = tm_schema_create(bind->arena, (uint32_t)count);
  tm_type *types = tm_arena_zero(bind->arena, ((size_t)count + 1) * sizeof *types);
  if (key == NULL || types == NULL) return no_memory(err);
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < i; k++) {
      if (columns[i] != columns[k]) continue;
      tm_fail(err, TM_E_COLUMNS, "'%s' is twice in group_by", input->fields[columns[i]].name);
      tm_error_token(err, input->fields[columns[i]].name, "");
      return -1;
    }
    key->fields[i] = input->fields[columns[i]];
    types[i] = key->fields[i].type;
  }
  p->key = key;
  p->key_columns = columns;
  p->state.key_count = (uint32_t)count;
  p->state.key_types = types;
  return 0;
}

/* ------------------------------------------------------------------ functions */

static int bind_functions(tm_bind *bind, tm_process_plan *p, const tm_schema *emits,
                          tm_error *err) {
  const tm_function_source *on_row = tm_options_function(bind->options, "on_row");
  const tm_function_source *on_timer = tm_options_function(bind->options, "on_timer");
  if (on_row == NULL) {
    tm_fail(err, TM_E_VALUE, "process needs on_row");
    return tm_error_help(err, "on_row = function(r, state, out) … out:emit { … } end");
  }
  tm_process_want want = {
    .input = bind->inputs[0], .key = p->key, .emits = emits, .state = &p->state,
    .timed = p->timed, .verb = bind->verb,
  };
  if (on_row->bind_process(on_row, on_timer, &want, bind->arena, &p->process, err) < 0) return -1;
  if (tm_bind_note(bind, p->process->on_row) < 0) return no_memory(err);
  if (on_timer != NULL && tm_bind_note(bind, p->process->on_timer) < 0) return no_memory(err);
  return 0;
}

static int describe(tm_bind *bind, const tm_process_plan *p, tm_error *err) {
  const char *text = p->key->count == 0 ? "one state for all rows" : "a state for each ";
  for (uint32_t i = 0; i < p->key->count && text != NULL; i++) {
    text = tm_arena_format(bind->arena, "%s%s%s", text, i == 0 ? "" : ", ",
                           p->key->fields[i].name);
  }
  bind->detail = text;
  return text == NULL ? no_memory(err) : 0;
}

int tm_process_plan_bind(tm_bind *bind, tm_error *err) {
  const char *ddl = tm_value_text(bind->options, "emits", NULL);
  tm_process_plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return no_memory(err);
  if (tm_changelog_refuse(bind, err) < 0) return -1;
  if (ddl == NULL) {
    tm_fail(err, TM_E_VALUE, "process needs emits, the columns and types of what it emits");
    return tm_error_help(err, "emits = \"device_id string, at timestamp\"");
  }
  const tm_schema *emits = tm_schema_parse(bind->arena, ddl, err);
  if (emits == NULL) return -1;
  p->timed = bind->facts_in[0].time.kind != TM_NULLTYPE;
  if (read_key(bind, p, err) < 0 || read_state(bind, p, err) < 0) return -1;
  if (bind_functions(bind, p, emits, err) < 0 || describe(bind, p, err) < 0) return -1;
  bind->plan = p;
  bind->output = emits;
  bind->order = TM_ORDER_NONE;
  bind->time_order = 1;
  bind->single = bind->ordered = true;
  bind->rejects = true;
  bind->rows_estimate = bind->input_rows[0];
  bind->facts_out.in_time_order = p->timed;
  bind->facts_out.window_start = bind->facts_out.window_end = -1;
  bind->facts_out.fixed_windows = false;
  return 0;
}
