/* python_statements.c -- the simple statements of Python, which stand on one logical line. */
#include "python_removal.h"
#include "python_scan.h"

/* A target that is not a list: of `+=` and of annotations. */
static bool is_single_target(Value value) {
    return is_target(value) && value.form != FORM_LIST && !value.has_star && !value.has_parentheses;
}

static void read_annotated(Scan *scan, Value target) {
    if (!is_single_target(target))
        fail(scan);
    question_if(scan, scan->strict.has_globals);
    bind_names(scan, target.references);
    next(scan);
    scan->strict.annotations++;
    read_expression(scan);
    scan->strict.annotations--;
    if (accept(scan, TOKEN_EQUAL))
        read_yield_or_expressions(scan);
}

static void read_assignment(Scan *scan, Value value) {
    while (now(scan) == TOKEN_EQUAL) {
        if (!is_target(value))
            fail(scan);
        question_if(scan, value.has_stars);
        bind_names(scan, value.references);
        next(scan);
        value = read_yield_or_expressions(scan);
    }
}

/* An expression, or an assignment in one of its forms. Tells what the expression is, if it is alone. */
static Value read_expression_statement(Scan *scan) {
    Value value = read_yield_or_expressions(scan);
    switch (now(scan)) {
    case TOKEN_EQUAL:
        read_assignment(scan, value);
        break;
    case TOKEN_COLON:
        read_annotated(scan, value);
        break;
    case TOKEN_AUGMENTED:
        if (!is_single_target(value))
            fail(scan);
        bind_names(scan, value.references);
        next(scan);
        read_yield_or_expressions(scan);
        break;
    default:
        return value;
    }
    return (Value){.form = FORM_OTHER};
}

static void read_names(Scan *scan) {
    do {
        next(scan);
        if (now(scan) != TOKEN_NAME) {
            fail(scan);
            return;
        }
        note_name(scan, REFERENCE_USE, false);
        check_name(scan, &scan->parameters);
        next(scan);
    } while (now(scan) == TOKEN_COMMA);
}

/* `a.b.c`: all of its names are imported, those after dots are qualified. */
static void read_module_name(Scan *scan) {
    for (bool is_qualified = false;; is_qualified = true) {
        if (now(scan) != TOKEN_NAME) {
            fail(scan);
            return;
        }
        note_name(scan, REFERENCE_IMPORT, is_qualified);
        next(scan);
        if (!accept(scan, TOKEN_DOT))
            return;
    }
}

static void read_import_alias(Scan *scan) {
    if (!accept(scan, TOKEN_AS))
        return;
    if (now(scan) != TOKEN_NAME) {
        fail(scan);
        return;
    }
    note_name(scan, REFERENCE_IMPORT, false);
    next(scan);
}

static void read_import(Scan *scan) {
    do {
        next(scan);
        read_module_name(scan);
        read_import_alias(scan);
    } while (now(scan) == TOKEN_COMMA);
}

/* The names behind `import`, in parentheses or not. */
static void read_imported_names(Scan *scan) {
    bool is_group = accept(scan, TOKEN_OPEN_PAREN);
    do {
        if (now(scan) != TOKEN_NAME) {
            fail(scan);
            return;
        }
        note_name(scan, REFERENCE_IMPORT, false);
        next(scan);
        read_import_alias(scan);
    } while (accept(scan, TOKEN_COMMA) && !(is_group && now(scan) == TOKEN_CLOSE_PAREN));
    if (is_group)
        expect(scan, TOKEN_CLOSE_PAREN);
}

/* Features, of which each must be known. */
static void read_future_names(Scan *scan) {
    Tokens before = scan->tokens;
    accept(scan, TOKEN_OPEN_PAREN);
    do {
        check_future(scan);
        next(scan);
        question_if(scan, now(scan) == TOKEN_AS);
    } while (accept(scan, TOKEN_COMMA) && now(scan) == TOKEN_NAME);
    if (now(scan) == TOKEN_FAILED)
        return;
    scan->tokens = before;
    if (!accept(scan, TOKEN_STAR))
        read_imported_names(scan);
}

static void read_import_from(Scan *scan) {
    next(scan);
    bool is_relative = false;
    while (now(scan) == TOKEN_DOT || now(scan) == TOKEN_ELLIPSIS) {
        is_relative = true;
        next(scan);
    }
    bool is_future = !is_relative && is_word(scan, "__future__");
    if (!is_relative || now(scan) == TOKEN_NAME)
        read_module_name(scan);
    expect(scan, TOKEN_IMPORT);
    question_if(scan, now(scan) == TOKEN_STAR && (is_future || scan->strict.scope != SCOPE_MODULE));
    if (is_future) {
        read_future_names(scan);
        return;
    }
    if (!accept(scan, TOKEN_STAR))
        read_imported_names(scan);
}

static bool ends_statement(const Scan *scan) {
    return now(scan) == TOKEN_NEWLINE || now(scan) == TOKEN_SEMICOLON;
}

static void read_raise(Scan *scan) {
    next(scan);
    if (ends_statement(scan))
        return;
    read_expression(scan);
    if (accept(scan, TOKEN_FROM))
        read_expression(scan);
}

static void read_assert(Scan *scan) {
    u32 counted = scan->counted;
    count_branches(scan, 1);
    scan->counted = NOWHERE;
    next(scan);
    read_expression(scan);
    if (accept(scan, TOKEN_COMMA))
        read_expression(scan);
    scan->counted = counted;
}

static void read_delete(Scan *scan) {
    u32 depth = scan->depth;
    next(scan);
    /* LibCST takes exponential time for deep targets: leave those to the regular agent, which refuses them. */
    scan->depth = MAX(depth, DEPTH_MAX - PATTERN_DEPTH_MAX);
    do {
        Value value = read_primary(scan);
        if (!is_target(value) || value.has_star)
            fail(scan);
    } while (accept(scan, TOKEN_COMMA) && !ends_statement(scan));
    scan->depth = depth;
}

/* `type name = ...`; the word is a name elsewhere. */
static bool read_type_alias(Scan *scan) {
    if (!is_word(scan, "type"))
        return false;
    Tokens before = scan->tokens;
    next(scan);
    if (now(scan) != TOKEN_NAME) {
        scan->tokens = before;
        return false;
    }
    question(scan); /* not in older Pythons */
    note_name(scan, REFERENCE_DEFINITION, false);
    next(scan);
    read_type_parameters(scan);
    expect(scan, TOKEN_EQUAL);
    read_expression(scan);
    return true;
}

static Value read_simple_statement(Scan *scan) {
    switch (now(scan)) {
    case TOKEN_BREAK: case TOKEN_CONTINUE:
        question_if(scan, !scan->strict.loops);
        next(scan);
        break;
    case TOKEN_PASS:
        next(scan);
        break;
    case TOKEN_RETURN:
        question_if(scan, scan->strict.scope < SCOPE_FUNCTION);
        next(scan);
        if (!ends_statement(scan))
            read_expressions(scan);
        break;
    case TOKEN_RAISE:
        read_raise(scan);
        break;
    case TOKEN_GLOBAL: case TOKEN_NONLOCAL:
        question_if(scan, now(scan) == TOKEN_NONLOCAL); /* what the names are is told by the scopes around */
        read_names(scan);
        break;
    case TOKEN_DEL:
        read_delete(scan);
        break;
    case TOKEN_ASSERT:
        read_assert(scan);
        break;
    case TOKEN_IMPORT:
        read_import(scan);
        break;
    case TOKEN_FROM:
        read_import_from(scan);
        break;
    default:
        if (!read_type_alias(scan))
            return read_expression_statement(scan);
    }
    return (Value){.form = FORM_OTHER};
}

static bool is_future_import(const Scan *scan, u32 start) {
    static const Text WORD = {(const u8 *)"__future__", 10};
    const Source *source = &scan->facts->job->source;
    u32 at = start + 4;
    while (at < source->length && (source->bytes[at] == ' ' || source->bytes[at] == '\t'))
        at++;
    return at + WORD.length <= source->length && text_equals((Text){source->bytes + at, WORD.length}, WORD);
}

static enum StatementKind find_kind(enum Token first, Value value) {
    return first == TOKEN_IMPORT ? STATEMENT_IMPORT : first == TOKEN_FROM ? STATEMENT_FROM : value.form == FORM_TEXT ? STATEMENT_TEXT : STATEMENT_OTHER;
}

void read_simple_statements(Scan *scan, Block *block, u32 removal) {
    Facts *facts = scan->facts;
    if (facts->call && now(scan) != TOKEN_FAILED)
        removal_open_line(facts, removal, find_line_start(&facts->job->source, scan->tokens.start));
    do {
        u32 start = scan->tokens.start, calls = facts->calls;
        bool is_future = now(scan) == TOKEN_FROM;
        begin_strictly(scan);
        if (now(scan) == TOKEN_GLOBAL) {
            check_global(scan, block);
            block->globals++;
        }
        enum Token first = now(scan);
        Value value = read_simple_statement(scan);
        Span span = {start, scan->tokens.last_end};
        scan->statement_end = span.end;
        /* Other imports end it, too: whoever writes them before `from __future__` is asked about. */
        scan->strict.has_begun |= !(is_future && is_future_import(scan, start)) && !(value.form == FORM_TEXT && !block->statements && !scan->depth);
        begin_statement(block, start);
        if (!block->statements && value.form == FORM_TEXT) {
            block->has_docstring = true;
            block->body.doc_end = span.end;
            block->body.rest = NOWHERE;
        }
        if (facts->wants_structure && !scan->depth)
            add_statement(facts, span, find_kind(first, value));
        block->statements++;
        if (facts->call && now(scan) != TOKEN_FAILED) {
            bool is_removed = value.form == FORM_CALL;
            removal_add_statement(facts, span, is_removed);
            facts->removed_calls += is_removed ? facts->calls - calls : 0;
        }
    } while (accept(scan, TOKEN_SEMICOLON) && now(scan) != TOKEN_NEWLINE);
    expect(scan, TOKEN_NEWLINE);
}
