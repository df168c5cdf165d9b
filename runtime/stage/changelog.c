/* stage/changelog.c: see changelog.h. */
#include "stage/changelog.h"

static bool any_changes(const tm_bind *bind) {
  bool changes = false;
  for (uint32_t i = 0; i < bind->input_count; i++) changes |= bind->facts_in[i].changelog;
  return changes;
}

bool tm_changelog_is_live(const tm_bind *bind) {
  return bind->job->stream && (!bind->final_only || any_changes(bind));
}

int tm_changelog_refuse(const tm_bind *bind, tm_error *err) {
  if (!any_changes(bind)) return 0;
  tm_fail(err, TM_E_JOB, "%s: its input takes rows back, and %s cannot undo what it has done",
          bind->verb, bind->verb);
  tm_error_token(err, bind->verb, "");
  return tm_error_help(err,
                       "aggregates without a window, top, regular joins and late firings give such "
                       "rows:\ngroup in a window, whose rows are final, or put %s before that step",
                       bind->verb);
}
