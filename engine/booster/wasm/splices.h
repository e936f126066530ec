/* splices.h -- edits: pieces of a source that are replaced. */
#ifndef SPLICES_H
#define SPLICES_H

#include "pack.h"

typedef struct {
    Span span;
    Text text;
} Splice;

typedef struct {
    Splice *rows;
    u32 count, room;
} Splices;

void add_splice(Splices *splices, u32 start, u32 end, Text text);
/* Brings splices into the order of the source; false if two of them overlap. */
bool sort_splices(Splices *splices);
/* The source after the edit. */
Text apply_splices(const Splices *splices, Text source);
/* Writes [[start, end, text], ...]. */
void pack_splices(Buffer *buffer, const Splices *splices);

#endif
