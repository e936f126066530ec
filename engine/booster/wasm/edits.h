/* edits.h -- how an edit ends: its result is parsed again, then its splices are the answer. */
#ifndef EDITS_H
#define EDITS_H

#include "operations.h"
#include "splices.h"

/* Answers with the splices of an edit of `count` places and one more number, if `note` names it. A result
 * that may not parse any more is no answer: of Python the regular agent is asked then, which names the place. */
enum Status finish_edit(Job *job, Splices *splices, u32 count, const char *note, u32 number);

/* A number that an edit tells besides. */
typedef struct {
    const char *name;
    u32 number;
} Note;

/* The same with several notes. */
enum Status finish_edit_with(Job *job, Splices *splices, u32 count, const Note *notes, u32 note_count);

#endif
