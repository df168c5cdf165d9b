/* script/lift.c: compiling a row function, start to end.
 *
 * lift_bytecode reads the function, lift_flow finds where its ways meet, lift_execute follows them
 * all with symbolic values (lift_operators, lift_index, lift_call, lift_values say what an
 * instruction makes of them), and lift_result turns the outcome into a tree a column. What cannot
 * be compiled does not end this at once: lift notes why and goes on with unknown values, so that
 * unknown columns and types that do not go together are found there too, and the types of results
 * where they are known all the same.
 *
 * All of it runs behind one lua_pcall; plan errors leave by lua_error, with err written. */
#include "script/lift.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "script/lift_parts.h"

enum { STEPS_MAX = 20000, NODES_MAX = 50000, STACK_ROOM = 48, ARGUMENTS_MAX = 8 };

/* ---------------------------------------------------------------- failing */

void tm_lift_leave(tm_lift_ctx *ctx) {
  if (ctx->err->script_line == 0) ctx->err->script_line = ctx->line;
  lua_pushnil(ctx->L);
  lua_error(ctx->L);
  __builtin_unreachable();
}

void tm_lift_fail(tm_lift_ctx *ctx, tm_error_code code, const char *format, ...) {
  char message[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  tm_fail(ctx->err, code, "%s", message);
  tm_lift_leave(ctx);
}

static void note_why(tm_lift_ctx *ctx, const char *format, va_list args) {
  if (ctx->why[0] != '\0') return; /* the first reason counts */
  int used = snprintf(ctx->why, TM_LIFT_WHY_MAX, "line %d: it ", ctx->line);
  if (used > 0 && used < TM_LIFT_WHY_MAX) {
    (void)vsnprintf(ctx->why + used, (size_t)(TM_LIFT_WHY_MAX - used), format, args);
  }
}

tm_sym tm_lift_give_up(tm_lift_ctx *ctx, const char *format, ...) {
  va_list args;
  va_start(args, format);
  note_why(ctx, format, args);
  va_end(args);
  return (tm_sym){.kind = TM_SYM_UNKNOWN};
}

tm_sym tm_lift_give_up_typed(tm_lift_ctx *ctx, tm_type type, const char *format, ...) {
  va_list args;
  va_start(args, format);
  note_why(ctx, format, args);
  va_end(args);
  return tm_lift_unknown(ctx, type);
}

void *tm_lift_alloc(tm_lift_ctx *ctx, size_t bytes) {
  void *memory = tm_arena_zero(ctx->scratch, bytes + 1);
  if (memory == NULL) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  return memory;
}

/* ---------------------------------------------------------------- symbolic values */

tm_sym tm_lift_nil(tm_lift_ctx *ctx) {
  return tm_sym_of(tm_expr_null(&ctx->pool, tm_type_of(TM_NULLTYPE)));
}

tm_sym tm_lift_unknown(tm_lift_ctx *ctx, tm_type type) {
  return tm_sym_of(tm_expr_opaque(&ctx->pool, type, ctx->pool.count));
}

const char *tm_sym_name(tm_sym value) {
  static const char *const names[] = {
    [TM_SYM_NONE] = "nothing", [TM_SYM_UNKNOWN] = "an unknown value", [TM_SYM_EXPR] = "a value",
    [TM_SYM_ROW] = "a row", [TM_SYM_TABLE] = "a table",
    [TM_SYM_LUA] = "a captured table or function", [TM_SYM_DURATION] = "a duration",
    [TM_SYM_ENTRY] = "an entry of a captured table",
  };
  return tm_sym_is_nil(value) ? "nil" : names[value.kind];
}

const tm_expr *tm_lift_int64(tm_lift_ctx *ctx, const tm_expr *x) {
  if (x->type.kind == TM_INT64) return x;
  tm_expr_op op = x->type.kind == TM_INT32 ? TM_X_TO_INT64 : TM_X_RETYPE;
  return tm_expr_unary(&ctx->pool, op, tm_type_of(TM_INT64), x);
}

const tm_expr *tm_lift_decimal(tm_lift_ctx *ctx, const tm_expr *x) {
  if (x->type.kind == TM_DECIMAL) return x;
  if (tm_expr_is_constant(x) && !x->nullable) {
    return tm_expr_decimal(&ctx->pool, tm_lift_int64(ctx, x)->value.i64, 0);
  }
  bool narrow = x->type.kind == TM_INT32;
  if (!narrow) x = tm_lift_int64(ctx, x);
  return tm_expr_unary(&ctx->pool, TM_X_TO_DECIMAL, tm_type_decimal(narrow ? 10 : 19, 0), x);
}

static const tm_fact *find_fact(const tm_lift_state *state, const tm_expr *x) {
  const tm_fact *fact = state->facts;
  while (fact != NULL && fact->x != x) fact = fact->next;
  return fact;
}

const tm_expr *tm_lift_seen(tm_lift_ctx *ctx, const tm_lift_state *state, const tm_expr *x) {
  if (!x->nullable || tm_expr_is_constant(x)) return x;
  const tm_fact *fact = find_fact(state, x);
  if (fact != NULL && !fact->present) return tm_expr_null(&ctx->pool, x->type);
  if (fact != NULL) return tm_expr_unary(&ctx->pool, TM_X_PRESENT, x->type, x);
  if (x->op == TM_X_IF && x->children[0]->op == TM_X_IS_NULL) { /* t[k], and k is known */
    fact = find_fact(state, x->children[0]->children[0]);
    if (fact != NULL) return tm_lift_seen(ctx, state, x->children[fact->present ? 2 : 1]);
  }
  return x;
}

const tm_expr *tm_lift_require(tm_lift_ctx *ctx, const tm_lift_state *state, const tm_expr *x) {
  const tm_expr *required = tm_expr_require(&ctx->pool, tm_lift_seen(ctx, state, x));
  tm_lift_effect(ctx, required);
  return required;
}

/* ---------------------------------------------------------------- what the function reads */

static void mark_columns(const tm_expr *x, uint8_t *seen, uint8_t *columns) {
  if (seen[x->id]) return;
  seen[x->id] = 1;
  if (x->op == TM_X_COLUMN) columns[x->column] = 1;
  for (uint32_t i = 0; i < x->child_count; i++) mark_columns(x->children[i], seen, columns);
}

static void set_columns(tm_lift_ctx *ctx, tm_function *out) {
  uint32_t all = ctx->want->inputs[0]->count, count = 0;
  if (ctx->want->input_count == 2) all += ctx->want->inputs[1]->count;
  uint8_t *seen = tm_lift_alloc(ctx, ctx->pool.count + 1), *read = tm_lift_alloc(ctx, all);
  for (uint32_t i = 0; i < out->result->count; i++) mark_columns(out->trees[i], seen, read);
  if (out->keep != NULL) mark_columns(out->keep, seen, read);
  uint32_t *columns = tm_arena_alloc(ctx->arena, all * sizeof *columns + 1);
  if (columns == NULL) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  for (uint32_t i = 0; i < all; i++) {
    if (read[i]) columns[count++] = i;
  }
  out->columns = columns;
  out->column_count = count;
}

static bool print_all(const tm_function *out, const tm_expr_names *names, tm_shape shape,
                      tm_bytes *text) {
  if (shape != TM_SHAPE_ROW) return tm_expr_print(out->trees[0], names, text);
  bool done = true;
  if (out->keep != NULL) {
    done = tm_bytes_append_text(text, "if ") && tm_expr_print(out->keep, names, text) &&
           tm_bytes_append_text(text, ": ");
  }
  done = done && tm_bytes_append_text(text, "{ ");
  for (uint32_t i = 0; i < out->result->count && done; i++) {
    done = tm_bytes_format(text, "%s%s = ", i == 0 ? "" : ", ", out->result->fields[i].name) &&
           tm_expr_print(out->trees[i], names, text);
  }
  return done && tm_bytes_append_text(text, " }");
}

static void set_text(tm_lift_ctx *ctx, tm_function *out) {
  tm_expr_names names = {.inputs = {ctx->want->inputs[0]}};
  if (ctx->want->input_count == 2) names.inputs[1] = ctx->want->inputs[1];
  tm_bytes text;
  tm_bytes_init(&text, ctx->arena->budget);
  bool done = print_all(out, &names, ctx->want->shape, &text);
  if (done) out->text = tm_arena_text(ctx->arena, (const char *)text.data, text.size);
  tm_bytes_deinit(&text);
  if (out->text == NULL) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
}

static void complete(tm_lift_ctx *ctx, tm_function *out) {
  uint32_t count = out->result->count;
  const tm_expr **all = tm_lift_alloc(ctx, (count + 1) * sizeof *all);
  memcpy(all, out->trees, count * sizeof *all);
  all[count] = out->keep;
  out->may_raise = false;
  for (uint32_t i = 0; i <= count; i++) out->may_raise |= all[i] != NULL && all[i]->may_miss;
  tm_expr_share(all, count + 1);
  out->pure = true;
  set_columns(ctx, out);
  set_text(ctx, out);
}

/* Evaluation goes down the tree on the stack. */
static bool is_small(const tm_lift_ctx *ctx, const tm_function *out) {
  bool small = ctx->pool.count <= NODES_MAX;
  for (uint32_t i = 0; i < out->result->count; i++) {
    small = small && out->trees[i]->depth <= TM_EXPR_DEPTH_MAX;
  }
  return small && (out->keep == NULL || out->keep->depth <= TM_EXPR_DEPTH_MAX);
}

/* ---------------------------------------------------------------- lifting */

typedef struct request {
  tm_lift_ctx *ctx;
  tm_function *out;
  int lifted;
} request;

/* f(a, b): the columns are the arguments. */
static int values_as_arguments(tm_lift_ctx *ctx, tm_sym args[ARGUMENTS_MAX]) {
  const tm_schema *schema = ctx->want->inputs[0];
  assert(schema->count <= ARGUMENTS_MAX);
  for (uint32_t i = 0; i < schema->count; i++) {
    args[i] = tm_sym_of(tm_expr_column(&ctx->pool, i, schema->fields[i].type));
  }
  return (int)schema->count;
}

static int protected_lift(lua_State *L) {
  request *r = lua_touserdata(L, 2);
  tm_lift_ctx *ctx = r->ctx;
  ctx->L = L;
  luaL_checkstack(L, STACK_ROOM, NULL);
  lua_getfield(L, LUA_REGISTRYINDEX, TM_LIFT_REGISTRY);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  ctx->names = lua_gettop(L);
  lua_newtable(L);
  ctx->anchors = lua_gettop(L);
  lua_pushvalue(L, 1);
  tm_sym function = tm_lift_value(ctx);
  tm_sym args[ARGUMENTS_MAX] = {{.kind = TM_SYM_ROW, .index = 0},
                                {.kind = TM_SYM_ROW, .index = 1}};
  int arg_count = ctx->want->by_value ? values_as_arguments(ctx, args)
                                      : (int)ctx->want->input_count;
  const tm_expr *outcome =
      tm_lift_execute_function(ctx, function.index, 0, args, arg_count, NULL);
  r->lifted = outcome == NULL ? 0 : tm_lift_finish(ctx, outcome, r->out);
  if (r->lifted == 1 && !is_small(ctx, r->out)) {
    (void)tm_lift_give_up(ctx, "is too large or too deep");
    r->lifted = 0;
  }
  if (r->lifted == 1) complete(ctx, r->out);
  if (ctx->pool.failed) tm_lift_fail(ctx, TM_E_MEMORY, "out of memory");
  if (ctx->not_pure) r->out->pure = false;
  return 0;
}

static void forget(tm_function *out) {
  out->trees = NULL;
  out->keep = NULL;
  out->text = NULL;
  out->columns = NULL;
  out->column_count = 0;
}

int tm_lift_any(lua_State *L, int function_index, const tm_function_want *want, tm_arena *arena,
                tm_function *out, char why[TM_LIFT_WHY_MAX], tm_error *err) {
  tm_arena scratch;
  tm_arena_init(&scratch, arena->budget);
  tm_lift_ctx ctx = {.want = want, .arena = arena, .scratch = &scratch, .err = err, .why = why};
  request r = {.ctx = &ctx, .out = out};
  tm_expr_pool_init(&ctx.pool, arena);
  ctx.steps_left = STEPS_MAX;
  why[0] = '\0';
  out->result = NULL;
  forget(out);
  function_index = lua_absindex(L, function_index);
  luaL_checkstack(L, 4, NULL);
  lua_pushcfunction(L, protected_lift);
  lua_pushvalue(L, function_index);
  lua_pushlightuserdata(L, &r);
  int status = lua_pcall(L, 2, 0, 0);
  if (status != LUA_OK) {
    if (err->code == TM_E_NONE) tm_fail(err, TM_E_MEMORY, "out of memory");
    lua_pop(L, 1);
  }
  tm_arena_deinit(&scratch);
  if (status != LUA_OK) return -1;
  if (r.lifted != 1) forget(out);
  return r.lifted;
}

int tm_lift(lua_State *L, int function_index, const tm_function_want *want, tm_arena *arena,
            tm_function *out, char why[TM_LIFT_WHY_MAX], tm_error *err) {
  int trusted = tm_lift_is_trusted(L, arena->budget);
  if (trusted > 0) return tm_lift_any(L, function_index, want, arena, out, why, err);
  if (trusted < 0) return tm_fail(err, TM_E_MEMORY, "out of memory");
  (void)snprintf(why, TM_LIFT_WHY_MAX, "the Lua library's bytecode is not known");
  out->result = NULL;
  forget(out);
  return 0;
}
