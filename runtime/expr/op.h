/* expr/op.h: the operators of expression trees, with their operands. */
#ifndef TM_EXPR_OP_H
#define TM_EXPR_OP_H

typedef enum tm_expr_op {
  TM_X_CONSTANT,
  TM_X_COLUMN,
  /* a leaf without a value: what a path of a function ends in; and a typed value that nobody can
   * compute (plan time only, never evaluated) */
  TM_X_LEAF, TM_X_OPAQUE,
  /* control */
  TM_X_GUARD,   /* (a, x): evaluates a for its misses, is x */
  TM_X_REQUIRE, /* x, a miss where it is null */
  TM_X_PRESENT, /* x, which a test on the way here has shown not to be null */
  TM_X_AND, TM_X_OR, TM_X_NOT, /* of bools without nulls */
  TM_X_IF,      /* (bool, then, else) */
  TM_X_IS_NULL,
  TM_X_TRUTH,   /* of a nullable bool: false where null */
  /* arithmetic: both operands of the node's own kind, never null. decimals: any scales */
  TM_X_ADD, TM_X_SUB, TM_X_MUL, TM_X_DIV, TM_X_IDIV, TM_X_MOD, TM_X_POW, TM_X_NEG,
  TM_X_BAND, TM_X_BOR, TM_X_BXOR, TM_X_SHL, TM_X_SHR, TM_X_BNOT,
  /* comparisons: operands of one physical form, or int64 with float64. EQ and NE take nulls
   * (null equals null), the others do not */
  TM_X_EQ, TM_X_NE, TM_X_LT, TM_X_LE, TM_X_GT, TM_X_GE,
  /* conversions */
  TM_X_TO_INT64,   /* of int32; of a float that is integral, else a miss */
  TM_X_TO_INT32,   /* of int64 in its range, else a miss */
  TM_X_TO_FLOAT,   /* of int64 */
  TM_X_TO_DECIMAL, /* of int64, decimal: exact and within the precision, else a miss */
  TM_X_TO_STRING,  /* of bytes: valid UTF-8, else a miss; of a string that may not be */
  TM_X_RETYPE,     /* same bits under another type: timestamp and int64, string to bytes */
  /* numbers */
  TM_X_ABS, TM_X_FLOOR, TM_X_CEIL, /* of floats FLOOR and CEIL are int64, else a miss */
  TM_X_MIN, TM_X_MAX, TM_X_ROUND,
  TM_X_MATH,       /* a function of libm of one float; extra: a tm_expr_math */
  TM_X_DECIMAL_FLOAT,              /* decimal to the nearest float */
  TM_X_TRUNCATE,                   /* float or decimal to int64, towards 0, else a miss */
  /* strings */
  TM_X_LENGTH, TM_X_SUBSTRING, TM_X_LOWER, TM_X_UPPER, TM_X_BYTE, TM_X_FIND, TM_X_LIKE,
  TM_X_CONCAT, TM_X_TEXT,
  /* patterns are children for printing only; a miss where a search is too much work */
  TM_X_CAPTURE,    /* (text, pattern); aux: a tm_pattern; extra: which, or a tm_expr_capture */
  TM_X_REPLACED,   /* (text, pattern, new); aux: a tm_pattern: how often it matches */
  TM_X_REPLACE,    /* (text, pattern, new); aux: a tm_expr_replace */
  TM_X_FORMAT_NUMBER, /* aux: a C format of one number */
  TM_X_FORMAT_TIME,   /* aux: a tm_time_form */
  TM_X_PARSE,         /* string to the node's type as files are read, else a miss; aux: a zone */
  /* dates and times; zone in aux */
  TM_X_YEAR, TM_X_MONTH, TM_X_DAY_OF_MONTH, TM_X_WEEKDAY, TM_X_HOUR, TM_X_MINUTE, TM_X_SECOND,
  TM_X_DAY_OF,     /* date of a timestamp */
  TM_X_ADD_DAYS, TM_X_ADD_MONTHS,  /* (date, int64); a miss where the result is no date */
  TM_X_DAYS_BETWEEN,
  TM_X_PROBE,      /* look-up in a constant table (expr/probe.h), null where it has no such key */
  TM_X_COUNT,
} tm_expr_op;

/* What else of a match a node may be: all of it, where it starts (from 1), where it ends. */
typedef enum tm_expr_capture {
  TM_CAPTURE_WHOLE = -1, TM_CAPTURE_START = -2, TM_CAPTURE_END = -3,
} tm_expr_capture;

typedef struct tm_expr_replace {
  const struct tm_pattern *pattern;
  const char *text; /* with %0 to %9 in it, which all are there */
  size_t size;
} tm_expr_replace;

typedef enum tm_expr_math {
  TM_MATH_SQRT, TM_MATH_EXP, TM_MATH_LOG, TM_MATH_SIN, TM_MATH_COS, TM_MATH_TAN, TM_MATH_ASIN,
  TM_MATH_ACOS, TM_MATH_ATAN,
} tm_expr_math;

#endif
