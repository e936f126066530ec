/* script_variables.h -- what the scanner of scripts notes of scopes and variables, until it is known to be right.
 *
 * All names are references then (python_facts.h): with their scope, and how they are bound in it. Notes of an attempt that
 * failed are forgotten; the tables of script_scopes.h are filled in at the end.
 */
#ifndef SCRIPT_VARIABLES_H
#define SCRIPT_VARIABLES_H

#include "script_scopes.h"

/* How a name is bound: not at all, in its scope, there alone, or by a declarator, counted from the last. */
enum BoundAs { BOUND_NOT, BOUND_HERE, BOUND_ALONE, BOUND_BY };

enum ScopeKind { SCOPE_BLOCK, SCOPE_FUNCTION, SCOPE_VALUE, SCOPE_DECLARED, SCOPE_SHARED };

typedef struct {
    enum ScopeKind kind;
    u32 start, end, outer;
    Text name; /* of a function that is declared */
} ScopeNote;

typedef struct {
    Declarator row;
    u32 variables;
} DeclaratorNote;

typedef struct {
    u32 start, scope;
    bool is_require;
} CallNote;

typedef struct {
    ScopeNote *scopes;
    u32 scope_count, scope_room;
    Variables *rows;
    u32 row_count, row_room;
    DeclaratorNote *declarators;
    u32 declarator_count, declarator_room;
    CallNote *calls;
    u32 call_count, call_room;
    bool is_module, is_dark;
} VariableNotes;

/* How much of all there was at a place to come back to. */
typedef struct {
    u32 scopes, rows, declarators, calls;
} VariableMark;

VariableMark mark_variables(const VariableNotes *notes);
void undo_variables(VariableNotes *notes, VariableMark mark);

#endif
