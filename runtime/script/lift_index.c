/* script/lift_index.c: what indexing gives: fields of rows and dates, of captured tables, and of
 * tables that the function itself makes.
 *
 * A table made on the way is a list of fields with symbolic values; writing to it makes a new
 * version, so that other ways keep theirs. A captured table may not be written to: that would make
 * one row's result depend on another's. */
#include <string.h>

#include <lauxlib.h>

#include "script/lift_parts.h"

bool tm_sym_is_text(tm_sym value, const char **out) {
  if (value.kind != TM_SYM_EXPR || !tm_expr_is_constant(value.x) || value.x->nullable) return false;
  if (!tm_type_is_text(value.x->type)) return false;
  const tm_str *text = &value.x->value.text;
  if (memchr(tm_str_bytes(text), '\0', text->size) != NULL) return false;
  *out = tm_str_bytes(text); /* of a short one the bytes behind it are 0, or it fills all 12 */
  return text->size != TM_STR_INLINE;
}

/* The same as a C string, for a name of any length. */
static const char *name_of(tm_lift_ctx *ctx, tm_sym key) {
  const char *text;
  if (tm_sym_is_text(key, &text)) return text;
  if (key.kind != TM_SYM_EXPR || !tm_expr_is_constant(key.x) || !tm_type_is_text(key.x->type)) {
    return NULL;
  }
  const tm_str *string = &key.x->value.text;
  if (string->size != TM_STR_INLINE) return NULL;
  char *copy = tm_lift_alloc(ctx, TM_STR_INLINE + 1);
  memcpy(copy, string->head, TM_STR_INLINE);
  return strlen(copy) == TM_STR_INLINE ? copy : NULL;
}

/* ---------------------------------------------------------------- rows and dates */

static tm_sym row_field(tm_lift_ctx *ctx, int row, const char *name) {
  const tm_schema *schema = ctx->want->inputs[row];
  int column = tm_schema_find(schema, name);
  if (column < 0) {
    (void)tm_schema_require(schema, name, ctx->err);
    tm_lift_leave(ctx);
  }
  uint32_t before = row == 0 ? 0 : ctx->want->inputs[0]->count;
  return tm_sym_of(tm_expr_column(&ctx->pool, before + (uint32_t)column,
                                  schema->fields[column].type));
}

static tm_sym date_field(tm_lift_ctx *ctx, const tm_lift_state *state, const tm_expr *date,
                         const char *name) {
  tm_type type = tm_type_of(TM_INT64);
  tm_expr_op op = strcmp(name, "year") == 0    ? TM_X_YEAR
                  : strcmp(name, "month") == 0 ? TM_X_MONTH
                  : strcmp(name, "day") == 0   ? TM_X_DAY_OF_MONTH : TM_X_COUNT;
  if (op == TM_X_COUNT) return tm_lift_give_up(ctx, "reads '%.40s' of a date", name);
  return tm_sym_of(tm_expr_unary(&ctx->pool, op, type, tm_lift_require(ctx, state, date)));
}

/* ---------------------------------------------------------------- made tables */

static const tm_sym_table *made_table(const tm_lift_state *state, tm_sym table) {
  return state->tables[table.index];
}

static tm_sym made_field(tm_lift_ctx *ctx, const tm_sym_table *table, const char *name) {
  for (uint32_t i = 0; i < table->field_count; i++) {
    if (strcmp(table->fields[i].name, name) == 0) return table->fields[i].value;
  }
  return tm_lift_nil(ctx);
}

tm_sym tm_lift_new_table(tm_lift_ctx *ctx, tm_lift_state *state) {
  const tm_sym_table **tables =
      tm_lift_alloc(ctx, (state->table_count + 1) * sizeof *tables);
  if (state->table_count > 0) {
    memcpy(tables, state->tables, state->table_count * sizeof *tables);
  }
  tables[state->table_count] = tm_lift_alloc(ctx, sizeof **tables);
  state->tables = tables;
  return (tm_sym){.kind = TM_SYM_TABLE, .index = (int)state->table_count++};
}

/* A new version of the table, in a list of tables of this state's own. */
static void replace_table(tm_lift_ctx *ctx, tm_lift_state *state, int index,
                          const tm_sym_table *table) {
  const tm_sym_table **tables = tm_lift_alloc(ctx, state->table_count * sizeof *tables);
  memcpy(tables, state->tables, state->table_count * sizeof *tables);
  tables[index] = table;
  state->tables = tables;
}

static void set_field(tm_lift_ctx *ctx, tm_lift_state *state, int index, const char *name,
                      tm_sym value) {
  const tm_sym_table *old = state->tables[index];
  tm_sym_table *table = tm_lift_alloc(ctx, sizeof *table);
  table->has_list = old->has_list;
  table->fields = tm_lift_alloc(ctx, (old->field_count + 1) * sizeof *table->fields);
  for (uint32_t i = 0; i < old->field_count; i++) {
    if (strcmp(old->fields[i].name, name) == 0) continue;
    table->fields[table->field_count++] = old->fields[i];
  }
  if (!tm_sym_is_nil(value)) {
    /* the name must outlive the constant that it came from: both are in the plan's arena */
    table->fields[table->field_count++] = (tm_sym_field){.name = name, .value = value};
  }
  replace_table(ctx, state, index, table);
}

void tm_lift_assign(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym table, tm_sym key,
                    tm_sym value) {
  if (table.kind == TM_SYM_LUA || table.kind == TM_SYM_ENTRY) {
    tm_fail(ctx->err, TM_E_IMPURE, "a row function writes to a table that it captured");
    tm_error_help(ctx->err, "rows are computed apart from each other, in any order; for state "
                            "across rows there is process");
    tm_lift_leave(ctx);
  }
  if (table.kind == TM_SYM_ROW) {
    (void)tm_lift_give_up(ctx, "writes to a row, which is read-only");
    return;
  }
  if (table.kind != TM_SYM_TABLE) {
    (void)tm_lift_give_up(ctx, "writes a field of %s", tm_sym_name(table));
    return;
  }
  const char *name = name_of(ctx, key);
  if (name != NULL) {
    set_field(ctx, state, table.index, name, value);
    return;
  }
  (void)tm_lift_give_up(ctx, "makes a table with positional or computed keys");
  tm_sym_table *list = tm_lift_alloc(ctx, sizeof *list);
  *list = *made_table(state, table);
  list->has_list = true;
  replace_table(ctx, state, table.index, list);
}

/* ---------------------------------------------------------------- reading */

static tm_sym index_captured(tm_lift_ctx *ctx, tm_lift_state *state, int table, tm_sym key) {
  if (key.kind == TM_SYM_UNKNOWN) return key;
  if (key.kind != TM_SYM_EXPR) {
    return tm_lift_give_up(ctx, "looks up a captured table by %s", tm_sym_name(key));
  }
  if (tm_expr_is_constant(key.x) && key.x->type.kind != TM_DATE) {
    return tm_lift_captured_field(ctx, table, key.x);
  }
  return tm_lift_probe(ctx, state, table, key.x);
}

tm_sym tm_lift_index(tm_lift_ctx *ctx, tm_lift_state *state, tm_sym table, tm_sym key) {
  const char *name = name_of(ctx, key);
  if (table.kind == TM_SYM_UNKNOWN) return table;
  if (table.kind == TM_SYM_LUA) return index_captured(ctx, state, table.index, key);
  if (name == NULL) {
    return tm_lift_give_up(ctx, "indexes %s with a computed key", tm_sym_name(table));
  }
  if (table.kind == TM_SYM_ROW) return row_field(ctx, table.index, name);
  if (table.kind == TM_SYM_TABLE) return made_field(ctx, made_table(state, table), name);
  if (table.kind == TM_SYM_ENTRY) return tm_lift_entry_field(ctx, state, table, name);
  if (table.kind == TM_SYM_EXPR && table.x->type.kind == TM_DATE) {
    return date_field(ctx, state, table.x, name);
  }
  return tm_lift_give_up(ctx, "indexes %s", tm_sym_name(table));
}

/* object:name(…): of a string, what its metatable has under that name. */
tm_sym tm_lift_method(tm_lift_ctx *ctx, tm_sym object, const char *name) {
  lua_State *L = ctx->L;
  if (object.kind == TM_SYM_UNKNOWN) return object;
  bool is_text = object.kind == TM_SYM_EXPR && tm_type_is_text(object.x->type);
  if (!is_text) return tm_lift_give_up(ctx, "calls a method of %s", tm_sym_name(object));
  lua_pushliteral(L, "");
  if (luaL_getmetafield(L, -1, "__index") == LUA_TNIL) {
    lua_pop(L, 1);
    return tm_lift_give_up(ctx, "calls a method of a string");
  }
  tm_sym library = tm_lift_value(ctx);
  lua_pop(L, 1);
  if (library.kind != TM_SYM_LUA) return tm_lift_give_up(ctx, "calls a method of a string");
  return tm_lift_captured_field(ctx, library.index,
                                tm_expr_string(&ctx->pool, name, strlen(name)));
}
