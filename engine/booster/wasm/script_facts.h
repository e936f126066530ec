/* script_facts.h -- what the operations on JavaScript, TypeScript and TSX want to know of a source.
 *
 * One walk over the syntax tree (script_tree.c) tells it; names and calls are wanted as in python_facts.h. The rules are
 * those of engine/agents/code/ecmascript and docs/code-operations.md.
 */
#ifndef SCRIPT_FACTS_H
#define SCRIPT_FACTS_H

#include "python_facts.h"

enum DefinitionKind { SCRIPT_CLASS, SCRIPT_FUNCTION, SCRIPT_METHOD, SCRIPT_INTERFACE, SCRIPT_TYPE, SCRIPT_ENUM, SCRIPT_NAMESPACE };

/* How a definition is written; the numbers are those of `engine.editing.ecmascript.structure.Form`. */
enum Stand { STAND_INSIDE, STAND_DECLARATION, STAND_VARIABLE, STAND_ASSIGNMENT, STAND_MEMBER };

/* What has a name and is a function, a class or a type. */
typedef struct {
    enum DefinitionKind kind;
    bool is_async, has_body;
    Text name, qualname;
    u32 start, end;
    u32 head; /* where its statement or member begins, or NOWHERE */
    u32 first_decorator, decorator_count;
    u32 parameters, complexity, nesting;
    u32 number; /* in the order in which they were met, which decorators change */
    u32 parent; /* the number of the definition around, or NOWHERE */
    enum Stand stand; /* while tokens are read */
} ScriptDefinition;

/* What stands for two names: `{a}`, `import {a}`, `export {a}`. */
enum Shorthand { SHORT_NONE, SHORT_PROPERTY, SHORT_IMPORT, SHORT_EXPORT };

/* Statements to be cut; see script_removal.c. */
typedef struct ScriptRemoval ScriptRemoval;
/* Where things stand, for those who decide on edits; see script_structure.c. */
typedef struct ScriptStructure ScriptStructure;
/* Which variable each name stands for; see script_scopes.h. */
typedef struct ScriptScopes ScriptScopes;

typedef struct {
    Facts base; /* what is wanted, references, decorators, counts of calls */
    ScriptDefinition *definitions;
    u32 definition_count, definition_room;
    Span *comments;
    u32 comment_count, comment_room;
    ScriptRemoval *removal;
    ScriptScopes *scopes;       /* null: not wanted */
    ScriptStructure *structure; /* the same */
} ScriptFacts;

/* Fill in the facts from one tier; UNSURE where that tier is not certain of them. */
enum Status collect_script_by_tree(ScriptFacts *facts);
enum Status collect_script_by_tokens(ScriptFacts *facts);
/* By the tier of the job. */
enum Status collect_script(ScriptFacts *facts);
/* Brings definitions into the order of their begins: decorators and keys are seen after or before what they belong to. */
void sort_definitions(ScriptFacts *facts);

#endif
