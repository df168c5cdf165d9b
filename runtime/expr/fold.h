/* expr/fold.h: what a node about to be made can be replaced by. Used by tree.c only. */
#ifndef TM_EXPR_FOLD_H
#define TM_EXPR_FOLD_H

#include "expr/tree.h"

/* A node that is worth the same for every row, or NULL: `node` is as simple as it gets. */
const tm_expr *tm_expr_fold(tm_expr_pool *pool, const tm_expr *node);

#endif
