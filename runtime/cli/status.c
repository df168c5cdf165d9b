/* cli/status.c: see status.h.
 *
 *                 in/s   out/s  busy
 *  readings      48.2k   48.2k  ██░░░░ 31% blocked
 *  agg           48.2k    1.2k  █████░ 91% ◀ slow
 *  stdout         1.2k       –  █░░░░░  4%
 *  watermark 2026-03-14T11:42:05Z (1.4 s behind)  late 12  rejected 0
 *
 * Slow is the step that is busy most of the time while those above it are blocked, or that takes
 * more than SLOW_PERCENT of a worker. */
#include "cli/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/print.h"

enum { BAR_CELLS = 6, NAME_CELLS = 16, SLOW_PERCENT = 80 };

/* 48.2k */
static const char *rough(double value, char out[24]) {
  static const char units[] = " kMGT";
  int unit = 0;
  for (; value >= 999.5 && unit < 4; unit++) value /= 1000;
  if (unit == 0) snprintf(out, 24, "%.0f", value);
  else snprintf(out, 24, "%.1f%c", value, units[unit]);
  return out;
}

static bool put_bar(tm_bytes *out, double share) {
  int full = (int)(share * BAR_CELLS + 0.5);
  for (int i = 0; i < BAR_CELLS; i++) {
    if (!tm_bytes_append_text(out, i < full ? "█" : "░")) return false;
  }
  return true;
}

/* Share of one worker's time since the last look. */
static double busy_share(const tm_cli_status *status, const tm_run_progress *p, uint32_t node,
                         double seconds) {
  double share = (double)(p->steps[node].busy_us - status->busy_us[node]) / 1e6 / seconds;
  return share < 0 ? 0 : share;
}

static bool is_shown(const tm_run_progress *p, uint32_t node) {
  return node < TM_STATUS_STEPS_MAX && !p->plan->nodes[node]->inserted;
}

/* The busiest step, where it is what holds the others up; -1: none is. */
static int slow_step(const tm_cli_status *status, const tm_run_progress *p, double seconds) {
  int slow = -1;
  double most = 0;
  bool waits = false;
  for (uint32_t i = 0; i < p->plan->node_count && i < TM_STATUS_STEPS_MAX; i++) {
    double share = busy_share(status, p, i, seconds);
    waits |= p->steps[i].blocked && p->plan->nodes[i]->input_count == 0;
    if (!is_shown(p, i) || share <= most) continue;
    most = share;
    slow = (int)i;
  }
  return most * 100 >= SLOW_PERCENT || (waits && most * 100 >= SLOW_PERCENT / 2) ? slow : -1;
}

static bool put_step(tm_cli_status *status, const tm_run_progress *p, uint32_t node, bool slow,
                     double seconds, tm_bytes *out) {
  const tm_bind *bind = p->plan->nodes[node];
  const tm_step_progress *s = &p->steps[node];
  char in[24], passed[24];
  double share = busy_share(status, p, node, seconds);
  share = share > 1 ? 1 : share;
  rough((double)(s->rows_in - status->rows_in[node]) / seconds, in);
  rough((double)(s->rows_out - status->rows_out[node]) / seconds, passed);
  if (!tm_bytes_format(out, " %-*.*s %8s %8s  ", NAME_CELLS, NAME_CELLS, bind->name, in,
                       bind->stage->sink ? "-" : passed) ||
      !put_bar(out, share)) {
    return false;
  }
  return tm_bytes_format(out, " %3.0f%%%s%s\n", share * 100, slow ? " ◀ slow" : "",
                         !slow && s->blocked ? " blocked" : "");
}

/* The least time of the sources' clocks, and what was refused on the way. */
static bool put_time(const tm_run_progress *p, int64_t wall_us, tm_bytes *out) {
  int64_t least = TM_TIME_END;
  uint64_t late = 0, rejected = 0;
  for (uint32_t i = 0; i < p->plan->node_count; i++) {
    late += p->steps[i].late;
    rejected += p->steps[i].rejected;
    if (strcmp(p->plan->nodes[i]->stage->name, "clock") != 0) continue;
    if (p->steps[i].watermark_us < least) least = p->steps[i].watermark_us;
  }
  if (least == TM_TIME_END || least == TM_TIME_NONE) {
    if (!tm_bytes_append_text(out, " watermark -")) return false;
  } else {
    char text[TM_PRINT_MAX + 1], behind[24];
    int64_t seconds_us = least - (least % 1000000 + 1000000) % 1000000;
    text[tm_print_timestamp(text, seconds_us, 0, true)] = '\0';
    rough((double)(wall_us - least) / 1e6, behind);
    if (!tm_bytes_format(out, " watermark %s (%s s behind)", text, behind)) return false;
  }
  return tm_bytes_format(out, "  late %" PRIu64 "  rejected %" PRIu64 "\n", late, rejected);
}

static void remember(tm_cli_status *status, const tm_run_progress *p) {
  status->elapsed_us = p->elapsed_us;
  for (uint32_t i = 0; i < p->plan->node_count && i < TM_STATUS_STEPS_MAX; i++) {
    status->rows_in[i] = p->steps[i].rows_in;
    status->rows_out[i] = p->steps[i].rows_out;
    status->busy_us[i] = p->steps[i].busy_us;
  }
}

bool tm_cli_status_text(tm_cli_status *status, const tm_run_progress *p, int64_t wall_us,
                        tm_bytes *out) {
  double seconds = (double)(p->elapsed_us - status->elapsed_us) / 1e6;
  if (seconds < 1e-3) seconds = 1e-3;
  int slow = slow_step(status, p, seconds);
  bool done = tm_bytes_format(out, " %-*s %8s %8s  busy\n", NAME_CELLS, "", "in/s", "out/s");
  status->lines = 1;
  for (uint32_t i = 0; done && i < p->plan->node_count; i++) {
    if (!is_shown(p, i)) continue;
    done = put_step(status, p, i, slow == (int)i, seconds, out);
    status->lines++;
  }
  done = done && put_time(p, wall_us, out);
  status->lines++;
  if (done && slow >= 0) {
    done = tm_bytes_format(out, " '%s' takes most of the time: what stands before it waits\n",
                           p->plan->nodes[slow]->name);
    status->lines++;
  }
  remember(status, p);
  return done;
}
