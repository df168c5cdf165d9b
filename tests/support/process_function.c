/* tests/support/process_function.c: see process_function.h. */
#include "process_function.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>

enum { READS_MAX = 8 };

typedef struct bound {
  tm_process process; /* first */
  process_function *made;
  tm_function on_row, on_timer;
  uint32_t order[READS_MAX]; /* columns as `reads` has them */
  uint32_t columns[READS_MAX];
} bound;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "function: out of memory"); }

static void call_one(const bound *b, process_event *event) {
  const tm_column *reads[READS_MAX];
  event->reads = reads;
  if (event->call->timer != NULL) {
    b->made->on_timer(event);
    return;
  }
  for (uint32_t i = 0; i < b->process.column_count; i++) {
    reads[i] = &event->call->batch->columns[b->order[i]];
    cr_assert_not_null(reads[i]->data, "a function got no data of column %u", b->order[i]);
  }
  b->made->on_row(event);
}

static int run(const tm_process *process, void *worker, tm_process_step *step, tm_error *err) {
  const bound *b = (const bound *)process;
  tm_process_call call;
  int more;
  (void)worker;
  while ((more = step->next(step, &call)) > 0) {
    process_event event = {.call = &call, .step = step, .state = step->state,
                           .reason = TM_REASON_LUA};
    call_one(b, &event);
    if (event.no_memory) return no_memory(err);
    if (event.refuse == NULL) {
      step->commit(step);
      continue;
    }
    int line = b->made->source.script_line + (call.timer != NULL);
    if (step->refuse(step, event.reason, line, event.refuse) < 0) return no_memory(err);
  }
  return more < 0 ? no_memory(err) : 0;
}

static int bind_reads(bound *b, const tm_schema *input, tm_error *err) {
  for (const char *at = b->made->reads; *at != '\0';) {
    char name[64];
    size_t size = strcspn(at, ",");
    cr_assert_lt(size, sizeof name);
    memcpy(name, at, size);
    name[size] = '\0';
    int found = tm_schema_require(input, name, err);
    if (found < 0) return -1;
    cr_assert_lt(b->process.column_count, READS_MAX);
    b->order[b->process.column_count] = (uint32_t)found;
    uint32_t to = b->process.column_count++;
    for (; to > 0 && b->columns[to - 1] > (uint32_t)found; to--) {
      b->columns[to] = b->columns[to - 1];
    }
    b->columns[to] = (uint32_t)found;
    at += size;
    at += strspn(at, ", ");
  }
  return 0;
}

static tm_function shown(const tm_function_source *source, const tm_schema *emits) {
  return (tm_function){.source = source, .shape = TM_SHAPE_ROW, .result = emits,
                       .may_raise = true, .why = "it is C"};
}

static int bind(const tm_function_source *on_row, const tm_function_source *on_timer,
                const tm_process_want *want, tm_arena *arena, tm_process **out, tm_error *err) {
  bound *b = tm_arena_zero(arena, sizeof *b);
  if (b == NULL) return no_memory(err);
  b->made = (process_function *)on_row;
  b->on_row = shown(on_row, want->emits);
  b->process = (tm_process){.on_row = &b->on_row, .columns = b->columns, .run = run};
  if (on_timer != NULL) {
    cr_assert_eq(on_timer, &b->made->timer_source);
    b->on_timer = shown(on_timer, want->emits);
    b->process.on_timer = &b->on_timer;
  }
  *out = &b->process;
  return bind_reads(b, want->input, err);
}

process_function process_function_make(const char *reads, void (*on_row)(process_event *),
                                       void (*on_timer)(process_event *), int line) {
  return (process_function){
    .source = {.script = "job.lua", .script_line = line, .bind_process = bind},
    .timer_source = {.script = "job.lua", .script_line = line + 1},
    .reads = reads, .on_row = on_row, .on_timer = on_timer,
  };
}

/* ---------------------------------------------------------------- for callbacks */

int64_t process_int(const process_event *event, uint32_t nth) {
  const tm_column *column = event->reads[nth];
  uint32_t row = event->call->row;
  cr_assert_not(tm_column_is_null(column, row));
  if (tm_type_physical(column->type) == TM_PHYSICAL_I32) return ((int32_t *)column->data)[row];
  cr_assert_eq(tm_type_physical(column->type), TM_PHYSICAL_I64);
  return ((int64_t *)column->data)[row];
}

int64_t process_state(process_event *event, uint32_t field) {
  const tm_cell *cell = tm_keyed_state_value(event->state, field);
  return cell == NULL ? 0 : cell->word;
}

void process_set(process_event *event, uint32_t field, int64_t value) {
  tm_cell cell = {.word = value};
  if (tm_keyed_state_set(event->state, field, &cell) < 0) event->no_memory = true;
}

void process_emit(process_event *event, const char *text, int64_t value) {
  uint32_t row;
  tm_batch *batch = event->step->open_row(event->step, &row);
  if (batch == NULL || !tm_batch_text(batch, text, strlen(text), (tm_str *)batch->columns[0].data +
                                                                     row)) {
    event->no_memory = true;
    return;
  }
  if (batch->columns[0].valid != NULL) batch->columns[0].valid[row] = 1;
  if (batch->columns[1].valid != NULL) batch->columns[1].valid[row] = 1;
  ((int64_t *)batch->columns[1].data)[row] = value;
  event->step->keep_row(event->step);
}

int process_timer(process_event *event, const char *name, int64_t at_us, bool processing) {
  int done = event->step->set_timer(event->step, name, strlen(name), at_us, processing);
  if (done < 0) event->no_memory = true;
  return done;
}

void process_cancel(process_event *event, const char *name) {
  if (tm_keyed_state_cancel(event->state, name, strlen(name)) < 0) event->no_memory = true;
}

bool process_is(const process_event *event, const char *timer) {
  return event->call->timer_size == strlen(timer) &&
         memcmp(event->call->timer, timer, event->call->timer_size) == 0;
}
