/* python_facts.h -- what the operations on Python want to know of a source, however it is found.
 *
 * The syntax tree (python_tree.c) and the scanner of tokens (python_scan.h) report the same facts, in the order of the
 * source; python_answers.c and python_removal.c make the answers of them. So one tier can be
 * compared with the other, and no rule is written twice. The rules are those of engine/agents/code.
 */
#ifndef PYTHON_FACTS_H
#define PYTHON_FACTS_H

#include "operations.h"

/* The statements of a definition, as tokens tell them. */
typedef struct {
    u32 head_end; /* behind the colon */
    u32 start;    /* of the first statement */
    u32 doc_end;  /* of the docstring, or NOWHERE */
    u32 rest;     /* where the first statement behind the docstring begins, or NOWHERE */
    bool is_inline;  /* it stands on the line of the colon */
    bool is_wrapped; /* behind the docstring is one `try` and nothing else */
} Body;

/* A class, function or method. */
typedef struct {
    Span name;
    u32 parent;     /* the definition directly around it, or NOWHERE */
    u32 start, end; /* from `def`, `async` or `class` to the end of the last statement */
    u32 first_decorator, decorator_count;
    u32 parameters, complexity, nesting;
    bool is_class, is_async, has_docstring;
    /* Told by tokens only. */
    u32 whole_start;    /* of the first decorator's @, else `start` */
    u32 parameters_end; /* behind the bracket; NOWHERE for a class */
    Span returns;       /* the annotation, or nothing */
    Body body;
} Definition;

enum ReferenceKind { REFERENCE_DEFINITION, REFERENCE_IMPORT, REFERENCE_CALL, REFERENCE_ATTRIBUTE, REFERENCE_USE, REFERENCE_KINDS };

/* A place where a wanted identifier stands. */
typedef struct {
    Span span;
    enum ReferenceKind kind;
    bool is_qualified; /* after a dot or naming an argument: another object decides what it means */
    bool is_second;    /* it is the second of the wanted names */
    bool is_open;      /* while tokens are read: it may still turn out to be bound */
    u8 shorthand;      /* in scripts; see script_facts.h */
    u32 scope, bound;  /* in scripts, while tokens are read; see script_variables.h */
} Reference;

enum StatementKind { STATEMENT_OTHER, STATEMENT_IMPORT, STATEMENT_FROM, STATEMENT_DEFINITION, STATEMENT_TEXT };

/* A statement that stands directly in the module. */
typedef struct {
    Span span;
    enum StatementKind kind;
} Statement;

/* Edits that remove statements; see python_removal.c. */
typedef struct Removal Removal;

typedef struct {
    Job *job;
    /* What is wanted. */
    bool wants_definitions;
    bool wants_structure; /* statements and strings; of tokens only */
    bool is_strict;       /* also look for what parses but may not compile; of tokens only */
    Text names[2];    /* identifiers to find references to; empty: none */
    const Text *call; /* the parts of the dotted name whose calls are removed; null: none */
    u32 call_parts;
    /* What was found. */
    Definition *definitions;
    u32 definition_count, definition_room;
    Span *decorators; /* without their @ */
    u32 decorator_count, decorator_room;
    Statement *statements;
    u32 statement_count, statement_room;
    Span *strings; /* those that go over several lines; of nested ones the outermost */
    u32 string_count, string_room;
    Span indent; /* the first indentation of the source, or nothing */
    Reference *references;
    u32 reference_count, reference_room;
    u32 doubt;                /* where something may not compile, or NOWHERE */
    bool has_unknown_letters; /* tokens could not tell whether names hold letters */
    Removal *removal;
    u32 calls, removed_calls; /* of the function: all, and those inside of removed statements */
} Facts;

/* Makes room for one more row of an array that grows. */
void *facts_grow(void *rows, u32 count, u32 *room, u32 row_bytes);

u32 add_definition(Facts *facts, Definition definition);
void add_decorator(Facts *facts, Span span);
void add_statement(Facts *facts, Span span, enum StatementKind kind);
void add_string(Facts *facts, Span span);
void add_reference(Facts *facts, Span span, enum ReferenceKind kind, bool is_qualified);

/* Is this identifier one of the wanted names? */
static inline bool is_wanted(const Facts *facts, Text identifier) {
    return (facts->names[0].length == identifier.length && text_equals(facts->names[0], identifier)) ||
           (facts->names[1].length == identifier.length && text_equals(facts->names[1], identifier));
}

/* Where the line begins in which a place is. */
u32 find_line_start(const Source *source, u32 at);

/* Fill in the facts from one tier; UNSURE or REJECTED where that tier is not certain of them. */
enum Status collect_by_tree(Facts *facts);
enum Status collect_by_tokens(Facts *facts);
/* By the tier of the job. */
enum Status collect(Facts *facts);

#endif
