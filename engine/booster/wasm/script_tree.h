/* script_tree.h -- the walk over the tree of a script: what is known on the way from the root. */
#ifndef SCRIPT_TREE_H
#define SCRIPT_TREE_H

#include "script_facts.h"
#include "script_removal.h"
#include "script_roles.h"
#include "script_scopes.h"

/* What the parent of a function or class says of it. */
typedef struct {
    u32 head;   /* where the statement begins that it stands at the begin of, or NOWHERE */
    u32 start;  /* where it begins, or NOWHERE */
    TSNode name; /* null: its own */
    bool is_member, is_default;
    u32 first_decorator, decorator_count;
} Given;

#define NOTHING_GIVEN ((Given){.head = NOWHERE, .start = NOWHERE})

typedef struct {
    enum Kind kind;
    enum ScriptRole role;
    TSFieldId field;
    u32 named;      /* how many named children have been seen */
    u32 definition; /* of a definition: its own number, else NOWHERE */
    u32 owner;      /* the definition around it, or NOWHERE */
    u32 counted;    /* the function whose figures this adds to, or NOWHERE */
    u32 nesting;
    Given given;
    u32 first_decorator, decorator_count, decorator_start; /* in a class: those that wait for their member */
    StatementList list;
    Standing standing;
    bool is_removed, is_foreign;
} ScriptFrame;

typedef struct {
    ScriptFacts *facts;
    const Language *language;
    const Source *source;
    TSTreeCursor cursor;
    ScriptFrame *frames;
    u32 depth, room;
    u32 doubt; /* where something stands that the grammar may misread, or NOWHERE */
} ScriptWalk;

/* Notes a definition, and the figures of the one around. */
void note_script_definition(ScriptWalk *walk, TSNode node, ScriptFrame *frame, ScriptFrame *parent);
/* Notes what an edit may want to know of a node, and of the definition that it is. */
void note_structure(ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent);
/* The text of a name or key: without quotes, a computed one with its brackets. */
Text find_script_name(const ScriptWalk *walk, TSNode name);
/* Is a keyword or sign directly in it? */
bool has_script_word(TSNode node, const char *word);
/* Where a node begins without the decorators before it. */
u32 find_script_begin(const ScriptWalk *walk, TSNode node);
/* Where a statement ends: tree-sitter ends one without a semicolon behind the comments that follow. */
u32 find_script_end(const ScriptWalk *walk, TSNode node);
/* Notes the scope that a node begins, and what it declares, names or calls. */
void note_scope(ScriptWalk *walk, TSNode node, ScriptFrame *frame, const ScriptFrame *parent);

#endif
