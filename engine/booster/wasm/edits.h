/* edits.h -- how an edit ends: its result is parsed again, then its splices are the answer. */
#ifndef EDITS_H
#define EDITS_H

#include "operations.h"
#include "splices.h"

/* Answers with the splices of an edit of `count` places and one more number, if `note` names it. Of a result
 * that does not parse any more the tree says REFUSED, and tokens that they are UNSURE. */
enum Status finish_edit(Job *job, Splices *splices, u32 count, const char *note, u32 number);

#endif
