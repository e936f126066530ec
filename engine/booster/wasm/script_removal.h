/* script_removal.h -- removing statements that only call one function: lists of statements as they are found. */
#ifndef SCRIPT_REMOVAL_H
#define SCRIPT_REMOVAL_H

#include "script_facts.h"

/* A list of statements while it is walked. */
typedef struct {
    u32 first_run; /* of those that wait for the statement behind them */
    u32 kept_end;  /* where the statement before ends that stays, or NOWHERE */
} StatementList;

/* How much of a removal there is, while tokens are read that may be read again. */
typedef struct {
    u32 runs, splices, removed, calls, removed_calls;
} RemovalMark;

RemovalMark mark_removal(const ScriptFacts *facts);
void undo_removal(ScriptFacts *facts, RemovalMark mark);

StatementList open_list(ScriptFacts *facts);
void list_statement(ScriptFacts *facts, StatementList *list, Span span, bool is_removed);
void close_list(ScriptFacts *facts, StatementList *list);
/* A statement that is the body of another goes. */
void remove_body(ScriptFacts *facts, Span span);

#endif
