/* kernel/number_text.h: numbers, dates and times from text and back; all of parse and print. */
#ifndef TM_KERNEL_NUMBER_TEXT_H
#define TM_KERNEL_NUMBER_TEXT_H

#include "kernel/parse.h"
#include "kernel/parse_column.h"
#include "kernel/print.h"

#endif
