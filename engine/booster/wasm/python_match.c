/* python_match.c -- `match` and its patterns, by their tokens. The words are names where the rest does not fit. */
#include "python_scan.h"

static bool read_pattern(Scan *scan);
static bool read_closed_pattern(Scan *scan);

static void fail_unless_name(Scan *scan) {
    if (now(scan) != TOKEN_NAME)
        fail(scan);
}

/* A name that the pattern binds; `_` takes everything and binds nothing. */
static void read_capture(Scan *scan) {
    fail_unless_name(scan);
    if (!is_word(scan, "_"))
        note_name(scan, REFERENCE_DEFINITION, false);
    next(scan);
}

static void read_number(Scan *scan) {
    accept(scan, TOKEN_MINUS);
    expect(scan, TOKEN_NUMBER);
    if (accept(scan, TOKEN_PLUS) || accept(scan, TOKEN_MINUS))
        expect(scan, TOKEN_NUMBER);
}

/* Patterns up to the closing bracket; how many there are is told, and whether a comma stands behind the last. */
static u32 read_sequence(Scan *scan, enum Token close, bool *is_bare, bool *has_comma) {
    u32 count = 0;
    *has_comma = false;
    while (now(scan) != close && now(scan) != TOKEN_FAILED) {
        count++;
        if (accept(scan, TOKEN_STAR)) {
            read_capture(scan);
            *is_bare = false;
            if (close == TOKEN_CLOSE_PAREN && now(scan) != TOKEN_COMMA && count == 1)
                fail(scan);
        } else
            *is_bare = read_pattern(scan);
        *has_comma = accept(scan, TOKEN_COMMA);
        if (!*has_comma)
            break;
    }
    expect(scan, close);
    return count;
}

static void read_class_arguments(Scan *scan) {
    bool has_named = false;
    next(scan);
    while (now(scan) != TOKEN_CLOSE_PAREN && now(scan) != TOKEN_FAILED) {
        Tokens before = scan->tokens;
        bool is_named = false;
        if (now(scan) == TOKEN_NAME) {
            next(scan);
            is_named = now(scan) == TOKEN_EQUAL;
            scan->tokens = before;
        }
        if (is_named) {
            note_name(scan, REFERENCE_ATTRIBUTE, true);
            next(scan);
            next(scan);
        } else if (has_named)
            fail(scan);
        has_named |= is_named;
        read_pattern(scan);
        if (!accept(scan, TOKEN_COMMA))
            break;
    }
    expect(scan, TOKEN_CLOSE_PAREN);
}

/* A name: bound if it is alone; true then. With dots it is a value, with parentheses a class. */
static bool read_name_pattern(Scan *scan) {
    Tokens before = scan->tokens;
    next(scan);
    bool is_value = now(scan) == TOKEN_DOT || now(scan) == TOKEN_OPEN_PAREN;
    scan->tokens = before;
    if (!is_value) {
        read_capture(scan);
        return true;
    }
    if (is_word(scan, "_"))
        fail(scan); /* `_.a` and `_()`: Python takes them, LibCST does not */
    note_name(scan, REFERENCE_USE, false);
    next(scan);
    while (accept(scan, TOKEN_DOT)) {
        fail_unless_name(scan);
        note_name(scan, REFERENCE_ATTRIBUTE, true);
        next(scan);
    }
    if (now(scan) == TOKEN_OPEN_PAREN)
        read_class_arguments(scan);
    return false;
}

static void read_key(Scan *scan) {
    bool is_name = now(scan) == TOKEN_NAME;
    bool is_bare = read_closed_pattern(scan);
    bool is_class = is_name && scan->tokens.bytes[scan->tokens.last_end - 1] == ')';
    if (is_bare || is_class)
        fail(scan); /* a key is a value: if it is a name, it has a dot */
}

static void read_mapping(Scan *scan) {
    next(scan);
    while (now(scan) != TOKEN_CLOSE_BRACE && now(scan) != TOKEN_FAILED) {
        bool is_rest = accept(scan, TOKEN_DOUBLE_STAR);
        if (is_rest) {
            if (is_word(scan, "_"))
                fail(scan);
            read_capture(scan);
        } else {
            if (now(scan) == TOKEN_OPEN_PAREN || now(scan) == TOKEN_OPEN_BRACKET || now(scan) == TOKEN_OPEN_BRACE)
                fail(scan);
            read_key(scan);
            expect(scan, TOKEN_COLON);
            read_pattern(scan);
        }
        if (!accept(scan, TOKEN_COMMA) || is_rest)
            break;
    }
    expect(scan, TOKEN_CLOSE_BRACE);
}

/* True if it is one name, or `_`. */
static bool read_closed_pattern(Scan *scan) {
    bool is_bare = false, has_comma;
    switch (now(scan)) {
    case TOKEN_NAME:
        return read_name_pattern(scan);
    case TOKEN_NUMBER: case TOKEN_MINUS:
        read_number(scan);
        return false;
    case TOKEN_CONSTANT:
        next(scan);
        return false;
    case TOKEN_TEXT: case TOKEN_BYTES:
        read_strings(scan);
        return false;
    case TOKEN_OPEN_PAREN:
        next(scan);
        return read_sequence(scan, TOKEN_CLOSE_PAREN, &is_bare, &has_comma) == 1 && is_bare && !has_comma;
    case TOKEN_OPEN_BRACKET:
        next(scan);
        read_sequence(scan, TOKEN_CLOSE_BRACKET, &is_bare, &has_comma);
        return false;
    case TOKEN_OPEN_BRACE:
        read_mapping(scan);
        return false;
    default:
        fail(scan);
        return false;
    }
}

static bool read_pattern(Scan *scan) {
    if (!descend(scan))
        return false;
    bool is_bare = read_closed_pattern(scan);
    while (accept(scan, TOKEN_PIPE)) {
        read_closed_pattern(scan);
        is_bare = false;
    }
    if (accept(scan, TOKEN_AS)) {
        if (is_word(scan, "_"))
            fail(scan);
        read_capture(scan);
        is_bare = false;
    }
    ascend(scan);
    return is_bare;
}

/* What stands behind `case`; true if it is one name, or `_`. */
static bool read_case_patterns(Scan *scan) {
    u32 count = 0;
    bool is_bare = false, has_comma = false;
    do {
        bool is_starred = accept(scan, TOKEN_STAR);
        if (is_starred)
            read_capture(scan);
        else
            is_bare = read_pattern(scan);
        count++;
        has_comma = accept(scan, TOKEN_COMMA);
        if (is_starred && count == 1 && !has_comma)
            fail(scan); /* `case *a` */
    } while (has_comma && now(scan) != TOKEN_COLON && now(scan) != TOKEN_IF);
    return is_bare && count == 1 && !has_comma;
}

static void read_cases(Scan *scan) {
    bool has_bare = false;
    while (now(scan) != TOKEN_DEDENT && now(scan) != TOKEN_FAILED) {
        u32 depth = scan->depth;
        if (!is_word(scan, "case")) {
            fail(scan);
            return;
        }
        next(scan);
        /* LibCST takes exponential time for deep patterns: leave those to the regular agent, which refuses them. */
        scan->depth = MAX(depth, DEPTH_MAX - PATTERN_DEPTH_MAX);
        bool is_bare = read_case_patterns(scan);
        scan->depth = depth;
        count_branches(scan, !is_bare || has_bare);
        has_bare |= is_bare;
        if (accept(scan, TOKEN_IF))
            read_named_expression(scan);
        read_block(scan);
    }
    next(scan);
}

/* The subject and the line's end. False if the line is something else. */
static bool read_match_head(Scan *scan) {
    next(scan);
    enum Token kind = now(scan);
    bool is_operand = kind == TOKEN_NAME || kind == TOKEN_NUMBER || kind == TOKEN_CONSTANT || kind == TOKEN_TEXT ||
                      kind == TOKEN_BYTES || kind == TOKEN_FORMATTED || kind == TOKEN_OPEN_PAREN || kind == TOKEN_AWAIT ||
                      kind == TOKEN_OPEN_BRACKET || kind == TOKEN_OPEN_BRACE || kind == TOKEN_MINUS || kind == TOKEN_STAR ||
                      kind == TOKEN_NOT || kind == TOKEN_TILDE || kind == TOKEN_ELLIPSIS || kind == TOKEN_LAMBDA;
    if (!is_operand)
        return false;
    read_walrus(scan, read_expressions(scan));
    if (!accept(scan, TOKEN_COLON) || !accept(scan, TOKEN_NEWLINE) || !accept(scan, TOKEN_INDENT))
        return false;
    return is_word(scan, "case");
}

bool read_match(Scan *scan) {
    Checkpoint before = save(scan);
    scan->nesting++;
    bool is_match = read_match_head(scan);
    if (!is_match) {
        restore(scan, &before);
        scan->nesting--;
        return false;
    }
    question(scan); /* not in older Pythons; and there are rules for patterns */
    note_indent(scan);
    if (scan->counted != NOWHERE) {
        Definition *function = &scan->facts->definitions[scan->counted];
        function->nesting = MAX(function->nesting, scan->nesting);
    }
    if (descend(scan))
        read_cases(scan);
    ascend(scan);
    scan->nesting--;
    return true;
}
