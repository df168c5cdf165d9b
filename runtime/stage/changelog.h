/* stage/changelog.h: rows that are taken back: which stages have to know of them, and which cannot
 * take them. */
#ifndef TM_STAGE_CHANGELOG_H
#define TM_STAGE_CHANGELOG_H

#include "stage/stage.h"

/* Whether a step has to give what changes as it comes: in a stream, unless only the rows at its end
 * are wanted and its inputs take none back. Else it may wait for the end. For serves(). */
bool tm_changelog_is_live(const tm_bind *bind);
/* Refuses a plan in which an input of the step is a changelog, and names the ways out; for bind().
 * 0, or -1 with TM_E_JOB. */
int tm_changelog_refuse(const tm_bind *bind, tm_error *err);

#endif
