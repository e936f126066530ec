/* python_expressions.c -- expressions of Python by their tokens: operands and the operators between them.
 *
 * Precedence decides about trees, not about which sequences of tokens are expressions; so operators are read in one
 * loop, and only those places are told apart that take a part of the operators (`Level`).
 */
#include "python_scan.h"

static Value other(u32 references) {
    return (Value){.form = FORM_OTHER, .references = references};
}

/* An expression that is more than its first operand: nothing in it can be assigned to. */
static Value close_value(Scan *scan, u32 references) {
    release_names(scan, references);
    return other(references);
}

static void count_operator(Scan *scan) {
    if (++scan->operators > OPERATORS_MAX)
        doubt(scan);
    question_if(scan, scan->operators > STRICT_OPERATORS_MAX);
}

static Value read_name(Scan *scan) {
    Value value = {.form = FORM_NAME, .references = scan->facts->reference_count};
    const Facts *facts = scan->facts;
    value.reference = note_name(scan, REFERENCE_USE, false);
    if (facts->call && text_equals(token_text(&scan->tokens), facts->call[0]))
        value.matched = 1;
    next(scan);
    return value;
}

static Value read_atom(Scan *scan) {
    u32 references = scan->facts->reference_count;
    switch (now(scan)) {
    case TOKEN_NAME:
        return read_name(scan);
    case TOKEN_NUMBER:
        check_number(scan);
        next(scan);
        return other(references);
    case TOKEN_CONSTANT: case TOKEN_ELLIPSIS:
        next(scan);
        return other(references);
    case TOKEN_TEXT: case TOKEN_BYTES: case TOKEN_FORMATTED:
        return read_strings(scan);
    case TOKEN_OPEN_PAREN:
        return read_parentheses(scan, NULL);
    case TOKEN_OPEN_BRACKET:
        return read_list(scan);
    case TOKEN_OPEN_BRACE:
        return read_braces(scan);
    default:
        fail(scan);
        return other(references);
    }
}

static void read_attribute(Scan *scan, Value *value) {
    const Facts *facts = scan->facts;
    next(scan);
    if (now(scan) != TOKEN_NAME) {
        fail(scan);
        return;
    }
    bool goes_on = value->matched && value->matched < facts->call_parts &&
                   text_equals(token_text(&scan->tokens), facts->call[value->matched]);
    note_name(scan, REFERENCE_ATTRIBUTE, true);
    value->matched = goes_on ? value->matched + 1 : 0;
    value->form = FORM_PLACE;
    next(scan);
}

static void read_call(Scan *scan, Value *value) {
    Facts *facts = scan->facts;
    bool is_wanted = value->matched && value->matched == facts->call_parts;
    facts->calls += is_wanted;
    if (value->form == FORM_NAME && value->reference)
        facts->references[value->reference - 1].kind = REFERENCE_CALL;
    next(scan);
    read_arguments(scan, false);
    value->form = is_wanted ? FORM_CALL : FORM_OTHER;
    value->matched = 0;
}

/* An operand with what is asked of it: attributes, calls, items. */
Value read_primary(Scan *scan) {
    u32 references = scan->facts->reference_count;
    question_if(scan, now(scan) == TOKEN_AWAIT && (scan->strict.scope != SCOPE_ASYNC || scan->strict.annotations));
    bool is_awaited = accept(scan, TOKEN_AWAIT);
    Value value = read_atom(scan);
    for (;;) {
        enum Token kind = now(scan);
        if (kind == TOKEN_DOT)
            read_attribute(scan, &value);
        else if (kind == TOKEN_OPEN_PAREN)
            read_call(scan, &value);
        else if (kind == TOKEN_OPEN_BRACKET) {
            next(scan);
            read_subscript(scan);
            value.form = FORM_PLACE;
            value.matched = 0;
        } else
            break;
        value.has_parentheses = value.has_star = false; /* `(a, *b).c` */
        value.reference = 0;
        release_names(scan, references);
    }
    return is_awaited ? close_value(scan, references) : value;
}

static bool is_arithmetic(enum Token kind) {
    return kind >= TOKEN_PLUS && kind <= TOKEN_ARITHMETIC;
}

/* `<`, `in`, `not in`, `is`, `is not`; true if one was there. */
static bool accept_comparison(Scan *scan) {
    switch (now(scan)) {
    case TOKEN_COMPARISON: case TOKEN_IN:
        next(scan);
        return true;
    case TOKEN_IS:
        next(scan);
        accept(scan, TOKEN_NOT);
        return true;
    case TOKEN_NOT:
        next(scan);
        expect(scan, TOKEN_IN);
        return true;
    default:
        return false;
    }
}

/* The operators before an operand: `not` only where a truth value may stand. */
static bool accept_prefixes(Scan *scan, bool may_negate) {
    bool found = false;
    for (; may_negate && now(scan) == TOKEN_NOT; found = true) {
        next(scan);
        count_operator(scan);
    }
    for (; now(scan) == TOKEN_MINUS || now(scan) == TOKEN_PLUS || now(scan) == TOKEN_TILDE; found = true) {
        next(scan);
        count_operator(scan);
    }
    return found;
}

Value read_operands(Scan *scan, enum Level level) {
    u32 references = scan->facts->reference_count;
    bool may_negate = level == LEVEL_LOGIC, is_simple = true;
    for (;;) {
        bool has_prefix = accept_prefixes(scan, may_negate);
        Value value = read_primary(scan);
        enum Token kind = now(scan);
        may_negate = false;
        if (is_arithmetic(kind))
            next(scan);
        else if (level == LEVEL_LOGIC && (kind == TOKEN_AND || kind == TOKEN_OR)) {
            count_branches(scan, 1);
            next(scan);
            may_negate = true;
        } else if (level == LEVEL_ARITHMETIC || !accept_comparison(scan))
            return is_simple && !has_prefix ? value : close_value(scan, references);
        is_simple = false;
        count_operator(scan);
    }
}

void read_lambda(Scan *scan) {
    bool is_in_field = scan->tokens.fields && scan->tokens.brackets == scan->field_brackets;
    if (is_in_field)
        fail(scan); /* its colon would begin the format */
    if (++scan->branches > BRANCHES_MAX)
        doubt(scan);
    if (!descend(scan))
        return;
    next(scan);
    if (now(scan) != TOKEN_COLON)
        read_parameters(scan, true);
    expect(scan, TOKEN_COLON);
    enum Scope scope = scan->strict.scope;
    scan->strict.scope = SCOPE_FUNCTION;
    read_expression(scan);
    scan->strict.scope = scope;
    ascend(scan);
}

Value read_expression(Scan *scan) {
    u32 references = scan->facts->reference_count;
    Value value = other(references);
    for (bool is_first = true;; is_first = false) {
        if (now(scan) == TOKEN_LAMBDA) {
            read_lambda(scan);
            return close_value(scan, references);
        }
        value = read_operands(scan, LEVEL_LOGIC);
        if (now(scan) != TOKEN_IF)
            return is_first ? value : close_value(scan, references);
        count_branches(scan, 1);
        count_operator(scan);
        next(scan);
        read_operands(scan, LEVEL_LOGIC);
        expect(scan, TOKEN_ELSE);
    }
}

Value read_walrus(Scan *scan, Value value) {
    if (now(scan) != TOKEN_WALRUS)
        return value;
    if (value.form != FORM_NAME || value.has_parentheses || value.is_starred) {
        fail(scan);
        return value;
    }
    question_if(scan, scan->strict.comprehensions || scan->strict.annotations);
    scan->strict.walruses++;
    bind_names(scan, value.references);
    next(scan);
    read_expression(scan);
    return close_value(scan, value.references);
}

Value read_named_expression(Scan *scan) {
    return read_walrus(scan, read_expression(scan));
}

Value read_starred(Scan *scan) {
    if (!accept(scan, TOKEN_STAR))
        return read_expression(scan);
    Value value = read_operands(scan, LEVEL_ARITHMETIC);
    value.is_starred = true;
    value.matched = 0;
    if (value.form == FORM_CALL || value.form == FORM_TEXT)
        value.form = FORM_OTHER;
    return value;
}

static bool ends_expressions(enum Token kind) {
    return kind == TOKEN_NEWLINE || kind == TOKEN_EQUAL || kind == TOKEN_CLOSE_PAREN || kind == TOKEN_CLOSE_BRACKET ||
           kind == TOKEN_CLOSE_BRACE || kind == TOKEN_COLON || kind == TOKEN_SEMICOLON || kind == TOKEN_IN ||
           kind == TOKEN_BANG;
}

Value read_expressions(Scan *scan) {
    u32 references = scan->facts->reference_count;
    Value first = read_starred(scan);
    if (now(scan) != TOKEN_COMMA) {
        if (first.is_starred)
            fail(scan); /* `x = *a` */
        return first;
    }
    Value list = {.form = FORM_LIST, .references = references};
    bool are_targets = is_target(first);
    list.has_star = first.is_starred || first.has_star;
    while (accept(scan, TOKEN_COMMA) && !ends_expressions(now(scan))) {
        Value value = read_starred(scan);
        are_targets &= is_target(value);
        list.has_stars |= list.has_star && (value.is_starred || value.has_star);
        list.has_star |= value.is_starred || value.has_star;
    }
    return are_targets ? list : close_value(scan, references);
}

Value read_yield_or_expressions(Scan *scan) {
    u32 references = scan->facts->reference_count;
    if (now(scan) != TOKEN_YIELD)
        return read_expressions(scan);
    question_if(scan, scan->strict.scope != SCOPE_FUNCTION || scan->strict.annotations);
    next(scan);
    if (accept(scan, TOKEN_FROM))
        read_expression(scan);
    else if (!ends_expressions(now(scan)))
        read_expressions(scan);
    return close_value(scan, references);
}

void read_targets(Scan *scan) {
    u32 references = scan->facts->reference_count, targets = 0;
    bool has_star = false;
    do {
        has_star |= accept(scan, TOKEN_STAR);
        Value value = read_primary(scan);
        if (!is_target(value))
            fail(scan);
        question_if(scan, has_star || value.has_star);
        targets++;
    } while (accept(scan, TOKEN_COMMA) && now(scan) != TOKEN_IN);
    if (has_star && targets == 1)
        fail(scan); /* `for *a in b`, which LibCST takes and Python does not */
    bind_names(scan, references);
}
