/* operator/dedup.h: the options of dedup, which dedup.c, dedup_last.c and dedup_changes.c share. */
#ifndef TM_OPERATOR_DEDUP_H
#define TM_OPERATOR_DEDUP_H

#include "operator/keep_first.h"

extern const tm_option tm_dedup_options[];

/* keep = "last"; anything else is the other stage's. */
bool tm_dedup_keeps_last(const tm_bind *bind);

#endif
