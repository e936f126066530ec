/* python_scan.h -- reading Python by its tokens, without a tree: what the parts of the scanner tell one another.
 *
 * The scanner knows the grammar of Python (that LibCST accepts) and reports facts while it reads. It reads by
 * recursion, not deeper than DEPTH_MAX; whatever it does not know for certain ends it (`fail`), and then no fact counts.
 */
#ifndef PYTHON_SCAN_H
#define PYTHON_SCAN_H

#include "python_facts.h"
#include "python_tokens.h"

enum { DEPTH_MAX = 90, OPERATORS_MAX = 3000, BRANCHES_MAX = 5000, STRINGS_MAX = 1000, PATTERN_DEPTH_MAX = 8, STRICT_DEPTH_MAX = 18, STRICT_OPERATORS_MAX = 300, STRICT_BRANCHES_MAX = 300 };

enum Scope { SCOPE_MODULE, SCOPE_CLASS, SCOPE_FUNCTION, SCOPE_ASYNC };

/* Names that may stand there once only. */
typedef struct {
    Text rows[32];
    u32 count;
} Names;

/* Where the scan is, for those rules of Python that are none of its grammar. */
typedef struct {
    u32 doubt; /* where something stands that may not compile, or NOWHERE */
    enum Scope scope;
    u32 body_depth;  /* of the statements directly in this scope */
    bool has_globals; /* names that this scope takes from the module */
    u32 loops;       /* around this statement, in this scope */
    u32 annotations; /* around this expression */
    u32 comprehensions, walruses, yields; /* of this statement; yields in parentheses only */
    bool has_begun; /* what may stand before `from __future__` is over */
} Strict;

typedef struct {
    Tokens tokens;
    Facts *facts;
    Strict strict;
    Names parameters; /* of the function that was entered last */
    u32 depth;     /* how deep blocks and brackets nest */
    u32 operators; /* of this statement */
    u32 branches;  /* elif and lambda, of the whole source */
    u32 owner;     /* the definition whose body this is in, or NOWHERE */
    u32 counted;   /* the function whose figures this adds to, or NOWHERE */
    u32 nesting;
    u32 field_brackets; /* how many brackets are open right inside of the innermost field of a formatted string */
    u32 statement_end; /* of the last simple statement */
} Scan;

/* A place to come back to, where the first words do not tell how a statement goes on. */
typedef struct {
    Tokens tokens;
    u32 depth, operators, branches, calls, references, strings, complexity;
} Checkpoint;

Checkpoint save(const Scan *scan);
void restore(Scan *scan, const Checkpoint *checkpoint);

/* What an expression is, as far as the places ask where it may stand. */
enum Form {
    FORM_OTHER,
    FORM_TEXT, /* a plain string */
    FORM_CALL, /* a call of the wanted function */
    FORM_NAME, /* this and the following may be assigned to */
    FORM_PLACE, /* an attribute or an item */
    FORM_LIST,  /* a list or tuple of such */
};

typedef struct {
    enum Form form;
    bool has_parentheses;
    bool is_starred;
    bool has_star; /* one of its elements is starred */
    bool has_stars; /* more than one */
    u32 matched;     /* how many parts of the wanted function's name this is */
    u32 reference;   /* of a wanted name: its reference, counted from 1 */
    u32 references;  /* how many references there were before it */
} Value;

/* Which operators an expression may have on its highest level. */
enum Level { LEVEL_ARITHMETIC, LEVEL_LOGIC };

static inline enum Token now(const Scan *scan) {
    return scan->tokens.kind;
}

static inline void next(Scan *scan) {
    tokens_next(&scan->tokens);
}

static inline void fail(Scan *scan) {
    tokens_fail(&scan->tokens);
}

/* The tokens may be Python, but the scanner does not know. */
static inline void doubt(Scan *scan) {
    tokens_doubt(&scan->tokens);
}

/* What is read here is grammar, but may not compile. */
static inline void question(Scan *scan) {
    scan->strict.doubt = MIN(scan->strict.doubt, scan->tokens.start);
}

static inline void question_if(Scan *scan, bool is_questionable) {
    if (is_questionable)
        question(scan);
}

static inline bool accept(Scan *scan, enum Token kind) {
    if (now(scan) != kind)
        return false;
    next(scan);
    return true;
}

static inline void expect(Scan *scan, enum Token kind) {
    if (!accept(scan, kind))
        fail(scan);
}

/* Is the current token that name? Some words are keywords in some places only. */
static inline bool is_word(const Scan *scan, const char *word) {
    return now(scan) == TOKEN_NAME && text_is(token_text(&scan->tokens), word);
}

static inline void count_branches(Scan *scan, u32 number) {
    if (scan->counted != NOWHERE)
        scan->facts->definitions[scan->counted].complexity += number;
}

/* One level deeper; false where that is too deep. */
static inline bool descend(Scan *scan) {
    if (++scan->depth > DEPTH_MAX)
        doubt(scan);
    /* Targets of `del` and patterns begin that deep (PATTERN_DEPTH_MAX). */
    question_if(scan, scan->depth > STRICT_DEPTH_MAX && scan->depth <= DEPTH_MAX - PATTERN_DEPTH_MAX);
    return now(scan) != TOKEN_FAILED;
}

static inline void ascend(Scan *scan) {
    scan->depth--;
}

/* python_expressions.c */
Value read_expression(Scan *scan);       /* conditional expressions and lambdas, too */
Value read_named_expression(Scan *scan); /* the same, or `name := ...` */
Value read_operands(Scan *scan, enum Level level);
Value read_primary(Scan *scan);
Value read_starred(Scan *scan); /* one of a list of expressions: may be starred */
Value read_expressions(Scan *scan); /* separated by commas */
Value read_yield_or_expressions(Scan *scan);
void read_targets(Scan *scan); /* of `for`: what is before `in` */
void read_lambda(Scan *scan);
/* `name := ...`, if the name that was read goes on so. */
Value read_walrus(Scan *scan, Value value);

/* python_groups.c: what stands in brackets */
/* What stands in parentheses behind `with`: its items, or an expression. Null: not behind `with`. */
typedef struct {
    bool has_as;
    bool has_others; /* elements that are no items: only a tuple has them */
} WithItems;
Value read_parentheses(Scan *scan, WithItems *items);
Value read_list(Scan *scan);
Value read_braces(Scan *scan);
void read_arguments(Scan *scan, bool in_class); /* behind the opening bracket, and the closing one */
void read_subscript(Scan *scan);
bool read_comprehension(Scan *scan); /* `for ... in ... if ...`; false if there is none */

/* python_strings.c */
Value read_strings(Scan *scan);

/* python_references.c: wanted names, and what becomes of them */
u32 note_name(Scan *scan, enum ReferenceKind kind, bool is_qualified); /* of the current token */
void bind_names(Scan *scan, u32 references);   /* those since then are assigned to */
void release_names(Scan *scan, u32 references); /* those since then cannot be assigned to any more */
bool is_target(Value value);

/* python_parameters.c */
u32 read_parameters(Scan *scan, bool in_lambda); /* how many there are */
void read_type_parameters(Scan *scan);

/* The first indentation of a source tells how deep one level is; called at its first word. */
static inline void note_indent(Scan *scan) {
    if (!scan->facts->indent.end)
        scan->facts->indent = (Span){find_line_start(&scan->facts->job->source, scan->tokens.start), scan->tokens.start};
}

/* python_statements.c and python_blocks.c */
typedef struct {
    u32 statements, tries, globals;
    bool has_docstring;
    Body body;
} Block;
/* python_strict.c; only where somebody wants to be strict */
void check_string(Scan *scan, Text string, bool is_bytes);
void check_field(Scan *scan, Text field, Quotes quotes);
void check_number(Scan *scan);
void check_name(Scan *scan, Names *names);
void check_future(Scan *scan);
/* At `global`: nothing may have used the names in this function before. */
void check_global(Scan *scan, const Block *block);

/* What is counted for each statement. */
static inline void begin_strictly(Scan *scan) {
    scan->operators = 0;
    scan->strict.comprehensions = scan->strict.walruses = scan->strict.yields = 0;
}

/* Tells where a statement begins, before it is counted. */
static inline void begin_statement(Block *block, u32 start) {
    if (!block->statements)
        block->body.start = start;
    if (block->statements == block->has_docstring)
        block->body.rest = start;
}
void read_simple_statements(Scan *scan, Block *block, u32 removal);
void read_statement(Scan *scan, Block *block, u32 removal);
Block read_block(Scan *scan);
bool read_match(Scan *scan); /* false: `match` is a name here */

#endif
