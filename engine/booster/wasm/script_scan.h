/* script_scan.h -- reading scripts by their tokens, without a tree: what the parts of the scanner tell one another.
 *
 * The scanner knows the grammar of JavaScript and TypeScript as far as the tree's grammar knows it too, and reports the
 * facts that the tree would. It reads by recursion, not deeper than SCRIPT_DEPTH_MAX; whatever it does not know for
 * certain ends it (`fail`, `doubt`), and then no fact counts. Where only what follows tells what a text was, it is read
 * a second time: attempts nest no deeper than ATTEMPTS_MAX, so no source is read more often than 2 ** ATTEMPTS_MAX times.
 */
#ifndef SCRIPT_SCAN_H
#define SCRIPT_SCAN_H

#include "script_removal.h"
#include "script_structure.h"
#include "script_tokens.h"
#include "script_variables.h"

enum { SCRIPT_DEPTH_MAX = 120, ATTEMPTS_MAX = 8 };

/* What the place around says of an expression. */
typedef struct {
    bool is_async, is_generator, in_function;
    bool no_in;     /* in the head of a `for`, before its `in` or `of` */
    bool in_choice; /* between ? and : of a conditional expression */
    bool no_choice; /* after `extends` in a conditional type */
    bool in_loop;   /* up to the function around */
    bool in_string; /* in a template */
    u32 scope;      /* of the names that are read now */
    u32 bound;      /* how the names of a pattern are bound */
} Context;

/* What the place around says of a function or class that is the whole of a value. */
typedef struct {
    Text name;
    u32 start; /* of what it is the value of */
    u32 head;  /* where the statement or member begins that it stands at the begin of, or NOWHERE */
    bool has_name, is_member;
    bool is_default; /* it is what a module exports under no name */
    enum Stand stand; /* how it is written, if it is in a list of statements */
    u32 first_decorator, decorator_count;
} Origin;

#define NO_ORIGIN {.start = NOWHERE, .head = NOWHERE}

/* The statement that is read. */
typedef struct {
    bool is_listed; /* directly in a file or in braces */
    u32 start, own, inner; /* of all; without decorators; without `export` and `declare` */
} StatementPlace;

typedef struct {
    ScriptTokens tokens;
    ScriptFacts *facts;
    bool has_types, has_jsx;
    Context context;
    Origin origin; /* of the expression that begins now */
    u32 depth;     /* how deep statements, expressions and types nest */
    u32 attempts;  /* how many are under way, one in the other */
    VariableNotes *variables; /* null: not wanted */
    StatementPlace place;
    u32 body_of;              /* the function whose body begins now, or NOWHERE */
    enum Kind list;           /* what the statement that begins now stands in, as far as a `let` may */
    u32 owner;     /* the definition whose inside this is, or NOWHERE */
    u32 counted;   /* the function whose figures this adds to, or NOWHERE */
    u32 nesting;
} ScriptScan;

/* A place to come back to. */
typedef struct {
    ScriptTokens tokens;
    Context context;
    u32 depth, owner, counted, nesting, complexity, nesting_max;
    u32 references, definitions, decorators, comments, members, strings;
    RemovalMark removal;
    VariableMark variables;
} Checkpoint;

/* What an expression is, as far as the places ask where it may stand. */
enum Form {
    FORM_OTHER,
    FORM_CALL,      /* a call of the wanted function */
    FORM_DEFAULTED, /* `target = value`; this and the following may be in a pattern */
    FORM_NAME,      /* this and the following may be assigned to */
    FORM_MEMBER,
    FORM_PATTERN, /* an array or object of such */
};

typedef struct {
    enum Form form;
    bool in_parentheses;
    bool is_pattern;  /* it holds what only a pattern may hold */
    bool is_chain;    /* it holds `?.` */
    u32 matched;      /* how many parts of the wanted function's name this is */
    u32 reference;    /* of a wanted name: its reference, counted from 1 */
    u32 references;   /* how many references there were before it */
    u32 start;        /* of a call, and what is called */
    Span word;        /* its last word, where it is a name or a member */
} Value;

/* What is nothing but a value. */
static inline Value make_other(const ScriptScan *scan) {
    return (Value){.references = scan->facts->base.reference_count};
}

static inline enum ScriptToken now(const ScriptScan *scan) {
    return (enum ScriptToken)scan->tokens.kind;
}

void note_string_token(ScriptScan *scan);

static inline void next(ScriptScan *scan) {
    if (scan->facts->structure && now(scan) == LEX_STRING)
        note_string_token(scan);
    script_tokens_next(&scan->tokens);
}

/* What is read is not in the language, or the attempt was wrong. */
static inline void fail(ScriptScan *scan) {
    script_tokens_fail(&scan->tokens, false);
}

/* What is read may be in the language, but the scanner does not know; no other attempt is made. */
static inline void doubt(ScriptScan *scan) {
    script_tokens_fail(&scan->tokens, true);
}

static inline bool has_failed(const ScriptScan *scan) {
    return now(scan) == LEX_FAILED;
}

static inline bool accept(ScriptScan *scan, enum ScriptToken kind) {
    if (now(scan) != kind)
        return false;
    next(scan);
    return true;
}

static inline void expect(ScriptScan *scan, enum ScriptToken kind) {
    if (!accept(scan, kind))
        fail(scan);
}

static inline bool is_word(const ScriptScan *scan, enum Word word) {
    return scan->tokens.word == word;
}

static inline bool accept_word(ScriptScan *scan, enum Word word) {
    if (!is_word(scan, word))
        return false;
    next(scan);
    return true;
}

static inline void expect_word(ScriptScan *scan, enum Word word) {
    if (!accept_word(scan, word))
        fail(scan);
}

static inline bool is_reserved(enum Word word) {
    return word && word <= WORD_last_reserved;
}

/* Other words mean something among types. */
static inline bool may_name_type(enum Word word) {
    switch (word) {
    case WORD_none: case WORD_out: case WORD_source: case WORD_defer: case WORD_from: case WORD_get: case WORD_set: case WORD_assert:
        return true;
    default:
        return false;
    }
}

static inline Span token_span(const ScriptScan *scan) {
    return (Span){scan->tokens.start, scan->tokens.end};
}

static inline Text token_text(const ScriptScan *scan) {
    return (Text){scan->tokens.bytes + scan->tokens.start, scan->tokens.end - scan->tokens.start};
}

/* One level deeper; false where that is too deep. */
static inline bool descend(ScriptScan *scan) {
    if (++scan->depth > SCRIPT_DEPTH_MAX)
        doubt(scan);
    return !has_failed(scan);
}

static inline void ascend(ScriptScan *scan) {
    scan->depth--;
}

/* Inside of brackets, what the expression around forbids is allowed again. Gives the context around. */
static inline Context enclose(ScriptScan *scan) {
    Context around = scan->context;
    scan->context.no_in = scan->context.in_choice = scan->context.no_choice = false;
    return around;
}

static inline void count_branches(ScriptScan *scan, u32 number) {
    if (scan->counted != NOWHERE)
        scan->facts->definitions[scan->counted].complexity += number;
}

/* script_scan.c */
void begin_attempt(ScriptScan *scan, Checkpoint *place);
/* Ends an attempt; false if it failed, and the scan is then back where it began. */
bool end_attempt(ScriptScan *scan, const Checkpoint *place);
void go_back(ScriptScan *scan, const Checkpoint *place);
/* The token after this one. */
ScriptTokens peek(ScriptScan *scan);
void end_statement(ScriptScan *scan);
/* Could a statement end before the current token? */
bool may_end_here(const ScriptScan *scan);
/* Notes the current token if it is wanted; its reference, counted from 1, or 0. */
u32 note_word(ScriptScan *scan, enum ReferenceKind kind, bool is_qualified, enum Shorthand shorthand);
/* Takes a name that something has, noted as that. */
void take_word(ScriptScan *scan, enum ReferenceKind kind, bool is_qualified);
/* A word after a dot or as a key: any, also a reserved one or a private name. Gives its reference, counted from 1. */
u32 take_member(ScriptScan *scan);
/* Those of the references since then that are open are assigned to. */
void bind_names_since(ScriptScan *scan, u32 references);
void release_names_since(ScriptScan *scan, u32 references);

/* script_places.c: what script_structure.c tells by the tree; all do nothing where it is not wanted */
void place_definition(ScriptScan *scan, u32 index);
void end_definition(ScriptScan *scan, u32 index, u32 end);
/* Statements have ended: those of their definitions that are such. */
void end_places(ScriptScan *scan, u32 definitions);
/* What was read since then is only a part of its statement. */
void demote(ScriptScan *scan, u32 definitions, enum Stand stand);
void note_signature(ScriptScan *scan, u32 index, u32 parameters_end, Span returns);
/* The type of a result, and its place. */
Span read_result(ScriptScan *scan);
/* The body of a function, in braces. */
void parse_body_of(ScriptScan *scan, u32 index);
void note_member(ScriptScan *scan, u32 definition, Text name);
void note_string(ScriptScan *scan, Span span);
/* What the statements of a list tell, one after the other. */
typedef struct {
    u32 body_of, definitions, start, text_end;
    u32 count;
    bool is_text, is_import, is_try, in_file;
    StatementPlace around;
} Listing;
Listing begin_listing(ScriptScan *scan);
void begin_place(ScriptScan *scan, Listing *listing);
void end_place(ScriptScan *scan, Listing *listing);

/* script_variables.c: what script_names.c tells by the tree; all do nothing where it is not wanted */
typedef struct {
    u32 number;
    u32 outer;
    bool in_loop;
} Opened;
/* Begins a scope; `start` is that of the function or class that it is of. */
Opened open_scope(ScriptScan *scan, enum ScopeKind kind, u32 start);
/* The same of a function that is declared under this name. */
Opened open_declared(ScriptScan *scan, Text name);
void close_scope(ScriptScan *scan, Opened opened);
/* How the name that was just taken is bound. */
void bind_last(ScriptScan *scan, u32 bound);
/* Begins a declaration at its first word, or the head of a loop. Gives its number. */
u32 note_variables(ScriptScan *scan, enum Kind parent);
/* The head of the loop was that of a for in or for of, which ends here. */
void note_each(ScriptScan *scan, u32 variables);
/* Begins `name = value` of a declaration. Gives its number. */
u32 note_declarator(ScriptScan *scan, u32 variables);
/* What a declarator is given: where it begins, or NOWHERE, and how many scopes there were. */
typedef struct {
    u32 start, scope;
} Assigned;
void end_declarator(ScriptScan *scan, u32 declarator, Assigned value);
u32 count_scopes(const ScriptScan *scan);
void note_call(ScriptScan *scan, u32 start, bool is_require);
/* Fills in the tables of what was noted. */
void fill_scopes(ScriptScan *scan);

/* script_notes.c: definitions */
/* What is around a definition. */
typedef struct {
    u32 index, owner, counted, nesting;
} Around;
/* Notes a definition if it has a name, and goes inside. */
Around enter_definition(ScriptScan *scan, ScriptDefinition row);
void leave_definition(ScriptScan *scan, Around around, u32 end, bool has_body);
Origin take_origin(ScriptScan *scan);
/* The name of a function or class, which may have one of its own. */
Text choose_name(const Origin *origin, Text own);
void nest(ScriptScan *scan);
/* A key of a member. */
typedef struct {
    Text name; /* without quotes; a computed one has its brackets */
    u32 reference;
    bool is_name; /* it may also stand for a variable */
} Key;
Key parse_key(ScriptScan *scan);

/* script_expressions.c */
Value parse_expression(ScriptScan *scan); /* with commas */
Value parse_assignment(ScriptScan *scan); /* without */
Value parse_item(ScriptScan *scan);       /* the same, where it may turn out to be part of a pattern */
Value parse_head(ScriptScan *scan);       /* of a `for`: the same as `parse_expression`, where it may be a pattern */
Value parse_left_hand_side(ScriptScan *scan);
bool begins_function(ScriptScan *scan); /* or a class */
void parse_arguments(ScriptScan *scan);

/* script_primaries.c */
Value parse_primary(ScriptScan *scan);
void parse_template(ScriptScan *scan, bool of_types);

/* script_arrows.c */
/* An arrow function; false, and nothing is read, if none begins here. */
bool parse_some_arrow(ScriptScan *scan, const Origin *origin);

/* script_objects.c */
Value parse_array(ScriptScan *scan);
Value parse_object(ScriptScan *scan);

/* script_functions.c */
void parse_pattern(ScriptScan *scan);
u32 parse_parameters(ScriptScan *scan); /* how many there are */
/* What a function is, behind its name. */
typedef struct {
    ScriptDefinition row;
    bool is_generator;
    bool needs_body;
    bool has_scope; /* it was opened before */
    Opened scope;
} Callable;
void parse_callable(ScriptScan *scan, Callable callable);
void parse_function(ScriptScan *scan, const Origin *origin, bool is_statement);
/* Statements in braces. */
void parse_block(ScriptScan *scan);
/* Statements in braces that are a scope. */
void parse_scoped_block(ScriptScan *scan);
/* `let a = 1, b`, behind its first word; true if it is one bare name or pattern. */
bool parse_declarators(ScriptScan *scan, u32 head, u32 variables);

/* script_classes.c */
typedef struct {
    u32 first, count, start;
} Decorators;
Decorators parse_decorators(ScriptScan *scan);
void parse_class(ScriptScan *scan, const Origin *origin, Decorators decorators);
bool is_before_member(const ScriptTokens *following);

/* script_statements.c */
/* Its comment stands before `head`; NOWHERE: before itself. True if it only calls the wanted function. */
bool parse_statement(ScriptScan *scan, u32 head);
/* Statements up to a closing brace or the end. */
void parse_statements(ScriptScan *scan);

/* script_declarations.c */
/* A declaration of TypeScript, by its first two words; false if it is none. */
bool parse_typed_statement(ScriptScan *scan, const ScriptTokens *following, u32 head);

/* script_modules.c */
void parse_import(ScriptScan *scan);
void parse_export(ScriptScan *scan, Decorators decorators);

/* script_types.c */
void parse_type(ScriptScan *scan);
void parse_annotation(ScriptScan *scan); /* `: Type`, or nothing */
void parse_result(ScriptScan *scan);     /* the same of what a function gives back */
void parse_type_arguments(ScriptScan *scan);
void parse_type_parameters(ScriptScan *scan); /* or nothing */
void parse_type_name(ScriptScan *scan);
void parse_entity_name(ScriptScan *scan, enum ReferenceKind kind);
void parse_index_signature(ScriptScan *scan);
bool is_index_signature(ScriptScan *scan);
void parse_type_members(ScriptScan *scan, u32 definition); /* of that interface, or NOWHERE */

/* script_jsx.c */
void parse_element(ScriptScan *scan);

#endif
