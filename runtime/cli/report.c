/* cli/report.c: see report.h. */
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"
#include "cli/status.h"
#include "format/json_text.h"
#include "kernel/print.h"
#include "plan/refused.h"
#include "stage/end_options.h"
#include "store/durable_write.h"

enum { QUIET_US = 1000 * 1000, STATUS_US = 500 * 1000 };

/* Messages come from any thread. */
static tm_mutex lock = {PTHREAD_MUTEX_INITIALIZER}; /* guards the lines on the terminal: */
static bool line_is_open;
static tm_cli_status status; /* of a stream */

/* 12,104,882 */
static const char *grouped(uint64_t value, char out[32]) {
  char digits[24];
  int size = snprintf(digits, sizeof digits, "%" PRIu64, value), n = 0;
  for (int i = 0; i < size; i++) {
    if (i > 0 && (size - i) % 3 == 0) out[n++] = ',';
    out[n++] = digits[i];
  }
  out[n] = '\0';
  return out;
}

/* 1.9M */
static const char *rough(double value, char out[32]) {
  static const char units[] = " kMGT";
  int unit = 0;
  while (value >= 1000 && unit < 4) {
    value /= 1000;
    unit++;
  }
  if (unit == 0) snprintf(out, 32, "%.0f", value);
  else snprintf(out, 32, "%.*f%c", value < 10 ? 1 : 0, value, units[unit]);
  return out;
}

enum { BAR_CELLS = 24 };

/* ▕████████░░░░▏ 67% */
static void print_bar(double share) {
  int full = (int)(share * BAR_CELLS);
  fputs("▕", stderr);
  for (int i = 0; i < BAR_CELLS; i++) fputs(i < full ? "█" : "░", stderr);
  fprintf(stderr, "▏ %2.0f%%  ", share * 100);
}

/* Up over the lines that are there, and gone with them. */
static void erase_status(void) {
  if (status.lines > 0) fprintf(stderr, "\033[%uA\033[J", status.lines);
  status.lines = 0;
}

static void show_status(const tm_run_progress *p) {
  tm_bytes text;
  if (p->elapsed_us - status.elapsed_us < STATUS_US) return;
  tm_bytes_init(&text, NULL);
  uint32_t lines = status.lines;
  bool done = tm_cli_status_text(&status, p, tm_env_get()->wall_us(), &text);
  uint32_t shown = status.lines;
  status.lines = lines;
  erase_status();
  if (done) fwrite(text.data, 1, text.size, stderr);
  status.lines = done ? shown : 0;
  tm_bytes_deinit(&text);
}

static void show_line(const tm_run_progress *p) {
  char rows[32], out[32], rate[32];
  double seconds = (double)p->elapsed_us / 1e6;
  fputs("\r\033[K", stderr);
  if (p->share >= 0) print_bar(p->share < 1 ? p->share : 1);
  fprintf(stderr, "%s rows in · %s out · %s rows/s · %.0f s", rough((double)p->rows_in, rows),
          rough((double)p->rows_out, out), rough((double)p->rows_in / seconds, rate), seconds);
  if (p->share > 0.01 && p->share < 1) {
    fprintf(stderr, " · ETA %.0f s", seconds * (1 - p->share) / p->share);
  }
  fflush(stderr);
  line_is_open = true;
}

void tm_cli_report_progress(const tm_run_progress *p) {
  if (p->elapsed_us < QUIET_US || !tm_env_get()->is_terminal(2)) return;
  tm_env_get()->mutex_lock(&lock);
  if (p->plan->graph->job.stream) show_status(p);
  else show_line(p);
  tm_env_get()->mutex_unlock(&lock);
}

void tm_cli_report_end(void) {
  tm_env_get()->mutex_lock(&lock);
  erase_status();
  if (line_is_open) fprintf(stderr, "\r\033[K");
  line_is_open = false;
  tm_env_get()->mutex_unlock(&lock);
}

bool tm_cli_report_is_output(const tm_plan *plan, uint32_t node) {
  const tm_bind *bind = plan->nodes[node];
  return bind->stage->sink && bind->inputs[0] != &tm_refused_visible_schema;
}

const char *tm_cli_report_path(const tm_bind *bind) {
  const char *path = tm_value_text(bind->options, "path", NULL);
  if (path == NULL || strcmp(path, "-") == 0) return NULL;
  return tm_value_get(bind->options, TM_DATED_PATH) != NULL ? bind->detail : path;
}

/* Steps of the script; those that the planner put between them are nobody's business here. */
static uint32_t steps_of(const tm_plan *plan) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < plan->node_count; i++) count += !plan->nodes[i]->inserted;
  return count;
}

static void print_step(const tm_plan *plan, const tm_run_result *result, uint32_t node,
                       uint32_t number) {
  const tm_bind *bind = plan->nodes[node];
  const tm_ledger *l = &result->nodes[node];
  char in[32], passed[32], label[80];
  snprintf(label, sizeof label, "%s", bind->name);
  fprintf(stderr, "%2u of %u  %s ", number, steps_of(plan), label);
  for (size_t i = strlen(label); i < 32; i++) fputc('.', stderr);
  fprintf(stderr, " %14s in %14s out\n", grouped(l->in, in), grouped(l->passed, passed));
}

/* Rows that were too late and had nowhere to go. */
static void warn_of_late(const tm_plan *plan, const tm_run_result *r) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_bind *bind = plan->nodes[i];
    char rows[32];
    if (r->nodes[i].late == 0 || bind->late_to != NULL) continue;
    fprintf(stderr,
            "warning[W411]: %s row%s came too late for step '%s' and were dropped\n"
            "  help: a larger out_of_order in the source's time waits longer; time = { …, late = "
            "tm.jsonl \"late.jsonl\" } keeps them\n",
            grouped(r->nodes[i].late, rows), r->nodes[i].late == 1 ? "" : "s", bind->name);
  }
}

static void add_term(char *line, size_t room, uint64_t rows, const char *what) {
  if (rows == 0) return;
  char text[32];
  size_t used = strlen(line);
  snprintf(line + used, room - used, " + %s %s", grouped(rows, text), what);
}

void tm_cli_report_done(const tm_plan *plan, const tm_run_result *r, bool steps) {
  const tm_ledger *t = &r->total;
  uint32_t shown = 0;
  for (uint32_t i = 0; steps && i < plan->node_count; i++) {
    if (!plan->nodes[i]->inserted) print_step(plan, r, i, ++shown);
  }
  warn_of_late(plan, r);
  char in[32], passed[32], rate[32], terms[320] = "";
  add_term(terms, sizeof terms, t->filtered, "filtered");
  add_term(terms, sizeof terms, t->duplicate, "duplicate");
  add_term(terms, sizeof terms, t->late, "late");
  add_term(terms, sizeof terms, t->rejected, "rejected");
  add_term(terms, sizeof terms, t->unmatched, "unmatched");
  add_term(terms, sizeof terms, t->held, "held");
  double seconds = r->seconds > 0 ? r->seconds : 1e-6;
  fprintf(stderr, "Done in %.*f s · %s rows/s · %.0f MB peak · ledger %s = %s%s\n",
          r->seconds < 1 ? 3 : 1, r->seconds, rough((double)r->rows_in / seconds, rate),
          (double)tm_env_get()->memory_peak_bytes() / 1e6, grouped(t->in + t->produced, in),
          grouped(t->passed, passed), terms);
}

/* ---------------------------------------------------------------- summary */

static bool put_text(tm_bytes *out, const char *text) {
  if (text == NULL) return tm_bytes_append_text(out, "null");
  return tm_json_text_string(out, text, strlen(text));
}

static bool put_ledger(tm_bytes *out, const tm_ledger *l) {
  return tm_bytes_format(out,
                         "\"in\":%" PRIu64 ",\"produced\":%" PRIu64 ",\"passed\":%" PRIu64
                         ",\"filtered\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"late\":%" PRIu64
                         ",\"rejected\":%" PRIu64 ",\"unmatched\":%" PRIu64 ",\"absorbed\":%" PRIu64
                         ",\"held\":%" PRIu64,
                         l->in, l->produced, l->passed, l->filtered, l->duplicate, l->late,
                         l->rejected, l->unmatched, l->absorbed, l->held);
}

static bool put_steps(tm_bytes *out, const tm_plan *plan, const tm_run_result *r) {
  if (!tm_bytes_append_text(out, ",\"steps\":[")) return false;
  for (uint32_t i = 0; i < plan->node_count; i++) {
    const tm_bind *bind = plan->nodes[i];
    tm_ledger none = {0};
    if (bind->inserted) continue;
    bool first = out->data[out->size - 1] == '[';
    if (!tm_bytes_append_text(out, first ? "{\"name\":" : ",{\"name\":") ||
        !put_text(out, bind->name) || !tm_bytes_append_text(out, ",\"verb\":") ||
        !put_text(out, bind->verb) ||
        !tm_bytes_format(out, ",\"line\":%d,", bind->script_line) ||
        !put_ledger(out, r->nodes != NULL ? &r->nodes[i] : &none) ||
        !tm_bytes_append_byte(out, '}')) {
      return false;
    }
  }
  return tm_bytes_append_byte(out, ']');
}

static bool put_outputs(tm_bytes *out, const tm_plan *plan, const tm_run_result *r) {
  bool first = true;
  if (!tm_bytes_append_text(out, ",\"outputs\":[")) return false;
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (!tm_cli_report_is_output(plan, i)) continue;
    if (!tm_bytes_append_text(out, first ? "{\"name\":" : ",{\"name\":") ||
        !put_text(out, plan->nodes[i]->name) || !tm_bytes_append_text(out, ",\"path\":") ||
        !put_text(out, tm_cli_report_path(plan->nodes[i])) ||
        !tm_bytes_format(out, ",\"rows\":%" PRIu64 "}", r->nodes != NULL ? r->nodes[i].in : 0)) {
      return false;
    }
    first = false;
  }
  return tm_bytes_append_byte(out, ']');
}

static bool put_summary(tm_bytes *out, const tm_plan *plan, const tm_run_result *r) {
  char seconds[TM_PRINT_MAX];
  size_t size = tm_print_float64(seconds, r->seconds);
  if (!tm_bytes_format(out, "{\"status\":\"%s\",\"rows_in\":%" PRIu64 ",\"rows_out\":%" PRIu64 ",",
                       tm_status_name(r->status), r->rows_in, r->rows_out)) {
    return false;
  }
  return put_ledger(out, &r->total) &&
         tm_bytes_format(out, ",\"seconds\":%.*s,\"peak_memory_bytes\":%" PRIu64 ",\"workers\":%u",
                         (int)size, seconds, tm_env_get()->memory_peak_bytes(), r->workers) &&
         put_steps(out, plan, r) && put_outputs(out, plan, r) && tm_bytes_append_text(out, "}\n");
}

static int write_file(const char *path, const tm_bytes *bytes, tm_budget *budget, tm_error *err) {
  tm_durable_write *writer;
  if (tm_durable_write_open(&writer, budget, path, err) < 0) return -1;
  int done = tm_durable_write_write(writer, bytes->data, bytes->size, err);
  if (done == 0) done = tm_durable_write_publish(writer, err);
  tm_durable_write_close(writer);
  return done;
}

int tm_cli_report_summary(const char *path, const tm_plan *plan, const tm_run_result *result,
                       tm_budget *budget, tm_error *err) {
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  int done = put_summary(&bytes, plan, result) ? write_file(path, &bytes, budget, err)
                                               : tm_fail(err, TM_E_MEMORY, "out of memory");
  tm_bytes_deinit(&bytes);
  return done;
}
