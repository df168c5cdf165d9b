/* format/cell_text.h: one value as text, as contract.md ("Values as text") has it. */
#ifndef TM_FORMAT_CELL_TEXT_H
#define TM_FORMAT_CELL_TEXT_H

#include "base/bytes.h"
#include "column/batch.h"
#include "kernel/print.h"

/* Any type but string and bytes, not null: into `out`, room for TM_PRINT_MAX; its size. */
size_t tm_cell_text_print(const tm_column *column, uint32_t row, char *out);
/* Any type, without quotes or escapes; bytes as base64, null as nothing. false: out of memory. */
bool tm_cell_text_append(const tm_column *column, uint32_t row, tm_bytes *out);

#endif
