/* python_removal.h -- removing statements that only call one function: blocks and lines as they are found. */
#ifndef PYTHON_REMOVAL_H
#define PYTHON_REMOVAL_H

#include "python_facts.h"

/* Begins a block; gives its number. */
u32 removal_open_block(Facts *facts, bool is_module);
/* A statement with a block of its own stands in the block: it will not be empty. */
void removal_add_compound(Facts *facts, u32 block);
/* A logical line of simple statements, whose line in the text begins at `start`. */
void removal_open_line(Facts *facts, u32 block, u32 start);
void removal_add_statement(Facts *facts, Span span, bool is_removed);
/* The end of the line, looked for behind its last statement. */
void removal_close_line(Facts *facts);

#endif
