/* script_expressions.c -- operators, assignments, calls and members. */
#include "script_scan.h"

/* May the value be assigned to? What only a part of an expression holds may not. */
static void bind_target(ScriptScan *scan, const Value *value) {
    Facts *facts = &scan->facts->base;
    if (value->form < FORM_NAME || value->is_chain || (value->form == FORM_PATTERN && value->in_parentheses))
        doubt(scan);
    else if (value->form == FORM_PATTERN)
        bind_names_since(scan, value->references);
    else if (value->form == FORM_NAME && value->reference) {
        facts->references[value->reference - 1].kind = REFERENCE_DEFINITION;
        facts->references[value->reference - 1].is_open = false;
    }
}

/* A step or a short assignment takes no pattern. */
static void bind_single(ScriptScan *scan, const Value *value) {
    if (value->form == FORM_PATTERN)
        doubt(scan);
    bind_target(scan, value);
}

/* --- calls and members --- */

static void call_name(ScriptScan *scan, const Value *value) {
    if (value->reference)
        scan->facts->base.references[value->reference - 1].kind = REFERENCE_CALL;
}

void parse_arguments(ScriptScan *scan) {
    expect(scan, LEX_OPEN_PAREN);
    Context around = enclose(scan);
    while (now(scan) != LEX_CLOSE_PAREN && !has_failed(scan)) {
        accept(scan, LEX_ELLIPSIS);
        parse_assignment(scan);
        if (now(scan) != LEX_CLOSE_PAREN)
            expect(scan, LEX_COMMA);
    }
    scan->context = around;
    next(scan);
}

static void become(Value *value, enum Form form) {
    value->form = form;
    value->in_parentheses = false;
    value->reference = value->matched = 0;
    value->word = (Span){0};
}

static void parse_call(ScriptScan *scan, Value *value, bool is_optional) {
    Facts *facts = &scan->facts->base;
    bool is_wanted_call = facts->call && value->matched == facts->call_parts && !is_optional;
    bool is_require = value->form == FORM_NAME && !value->in_parentheses && text_is(text_at(&facts->job->source, value->word), "require");
    note_call(scan, value->start, is_require);
    call_name(scan, value);
    parse_arguments(scan);
    become(value, is_wanted_call ? FORM_CALL : FORM_OTHER);
    facts->calls += is_wanted_call;
}

static void parse_member(ScriptScan *scan, Value *value, bool is_optional) {
    const Facts *facts = &scan->facts->base;
    Text word = token_text(scan);
    Span span = token_span(scan);
    u32 matched = value->matched;
    bool matches = matched && !is_optional && matched < facts->call_parts && now(scan) == LEX_NAME && text_equals(word, facts->call[matched]);
    take_member(scan);
    become(value, FORM_MEMBER);
    value->matched = matches ? matched + 1 : 0;
    value->word = span;
}

static void parse_index(ScriptScan *scan, Value *value) {
    next(scan);
    Context around = enclose(scan);
    parse_expression(scan);
    scan->context = around;
    expect(scan, LEX_CLOSE_BRACKET);
    become(value, FORM_MEMBER);
}

static void parse_chain(ScriptScan *scan, Value *value) {
    next(scan);
    value->is_chain = true;
    if (now(scan) == LEX_OPEN_BRACKET) {
        parse_index(scan, value);
        return;
    }
    if (now(scan) == LEX_LESS && scan->has_types)
        parse_type_arguments(scan);
    if (now(scan) == LEX_OPEN_PAREN)
        parse_call(scan, value, true);
    else
        parse_member(scan, value, true);
}

static void parse_tagged(ScriptScan *scan, Value *value) {
    note_call(scan, value->start, false);
    call_name(scan, value);
    parse_template(scan, false);
    become(value, FORM_OTHER);
}

/* `f<A>(x)`; false for a comparison. */
static bool parse_generic_call(ScriptScan *scan, Value *value) {
    Checkpoint place;
    begin_attempt(scan, &place);
    parse_type_arguments(scan);
    if (!end_attempt(scan, &place))
        return false;
    if (now(scan) == LEX_OPEN_PAREN)
        parse_call(scan, value, false);
    else
        doubt(scan);
    return true;
}

/* One more call, member or index behind a value; false if there is none. */
static bool parse_link(ScriptScan *scan, Value *value) {
    switch (now(scan)) {
    case LEX_DOT:
        next(scan);
        parse_member(scan, value, false);
        return true;
    case LEX_OPEN_BRACKET: parse_index(scan, value); return true;
    case LEX_OPEN_PAREN: parse_call(scan, value, false); return true;
    case LEX_CHAIN: parse_chain(scan, value); return true;
    case LEX_TEMPLATE: parse_tagged(scan, value); return true;
    case LEX_BANG:
        if (!scan->has_types || scan->tokens.newline)
            return false;
        next(scan);
        become(value, value->form >= FORM_NAME ? FORM_MEMBER : FORM_OTHER);
        return true;
    case LEX_LESS: case LEX_SHIFT:
        return scan->has_types && parse_generic_call(scan, value);
    default:
        return false;
    }
}

Value parse_left_hand_side(ScriptScan *scan) {
    u32 start = scan->tokens.start;
    Value value = parse_primary(scan);
    value.start = start;
    bool is_pattern = value.is_pattern;
    while (!has_failed(scan) && parse_link(scan, &value))
        if (is_pattern)
            fail(scan);
    return value;
}

/* --- operators --- */

static Value parse_unary(ScriptScan *scan);

static Value parse_operand(ScriptScan *scan) {
    if (!descend(scan))
        return make_other(scan);
    next(scan);
    Value value = parse_unary(scan);
    ascend(scan);
    return value;
}

static bool begins_operand(const ScriptScan *scan) {
    switch (now(scan)) {
    case LEX_SIGN: case LEX_BANG: case LEX_TILDE: return true;
    case LEX_NAME: return is_word(scan, WORD_typeof) || is_word(scan, WORD_void) || is_word(scan, WORD_delete);
    default: return false;
    }
}

/* `await` outside of async functions is a name in old scripts: it is known only at the top of a module, before a word. */
static bool is_awaiting(ScriptScan *scan) {
    if (scan->context.is_async)
        return true;
    ScriptTokens following = peek(scan);
    bool is_value = following.kind == LEX_NAME && !following.newline && !is_reserved(following.word) && following.word != WORD_of && following.word != WORD_as;
    if (scan->context.in_function || !(is_value || (following.kind == LEX_NAME && (following.word == WORD_import || following.word == WORD_new))))
        doubt(scan);
    return true;
}

static Value parse_prefix(ScriptScan *scan) {
    Value value = parse_operand(scan);
    if (value.is_pattern)
        fail(scan);
    return (Value){.references = value.references};
}

static Value parse_assertion(ScriptScan *scan) {
    if (!descend(scan))
        return make_other(scan);
    next(scan);
    Context around = enclose(scan);
    parse_type(scan);
    scan->context = around;
    expect(scan, LEX_GREATER);
    Value value = parse_unary(scan);
    ascend(scan);
    return (Value){.references = value.references, .is_pattern = value.is_pattern};
}

static Value parse_unary(ScriptScan *scan) {
    bool is_await = is_word(scan, WORD_await) && is_awaiting(scan);
    if (is_await)
        note_call(scan, scan->tokens.start, false);
    if (is_await || begins_operand(scan))
        return parse_prefix(scan);
    if (now(scan) == LEX_STEP) {
        Value value = parse_operand(scan);
        bind_single(scan, &value);
        return (Value){.references = value.references};
    }
    if (now(scan) == LEX_LESS && scan->has_types && !scan->has_jsx)
        return parse_assertion(scan);
    Value value = parse_left_hand_side(scan);
    if (now(scan) == LEX_STEP && !scan->tokens.newline) {
        bind_single(scan, &value);
        next(scan);
        return (Value){.references = value.references};
    }
    return value;
}

static bool is_operator(ScriptScan *scan) {
    switch (now(scan)) {
    case LEX_GREATER:
        script_tokens_greater(&scan->tokens);
        return now(scan) == LEX_OPERATOR;
    case LEX_SIGN: case LEX_LESS: case LEX_SHIFT: case LEX_SLASH: case LEX_STAR: case LEX_PIPE: case LEX_AMPERSAND:
    case LEX_LOGICAL: case LEX_OPERATOR:
        return true;
    case LEX_NAME:
        return is_word(scan, WORD_instanceof) || (is_word(scan, WORD_in) && !scan->context.no_in);
    default:
        return false;
    }
}

static bool is_cast(const ScriptScan *scan) {
    return scan->has_types && !scan->tokens.newline && (is_word(scan, WORD_as) || is_word(scan, WORD_satisfies));
}

static void parse_cast(ScriptScan *scan) {
    bool is_as = is_word(scan, WORD_as);
    next(scan);
    if (!is_as || !accept_word(scan, WORD_const))
        parse_type(scan);
}

/* How the operators bind is of no account: every one makes its operands mere values. */
static Value parse_binary(ScriptScan *scan) {
    Value value = parse_unary(scan);
    for (;;) {
        if (is_cast(scan))
            parse_cast(scan);
        else if (is_operator(scan)) {
            count_branches(scan, now(scan) == LEX_LOGICAL);
            next(scan);
            if (parse_unary(scan).is_pattern)
                fail(scan);
        } else
            return value;
        if (value.is_pattern)
            fail(scan);
        value = (Value){.references = value.references};
    }
}

static Value parse_conditional(ScriptScan *scan) {
    Value value = parse_binary(scan);
    if (now(scan) != LEX_QUESTION)
        return value;
    if (value.is_pattern)
        fail(scan);
    count_branches(scan, 1);
    next(scan);
    Context around = scan->context;
    scan->context.no_in = false;
    scan->context.in_choice = true;
    parse_assignment(scan);
    scan->context = around;
    expect(scan, LEX_COLON);
    parse_assignment(scan);
    return (Value){.references = value.references};
}

/* --- assignments --- */

static Value assign(ScriptScan *scan, const Value *target, u32 start, const Origin *around) {
    Value value = {.form = FORM_DEFAULTED, .references = target->references};
    if (now(scan) == LEX_EQUAL) {
        bind_target(scan, target);
        if (target->in_parentheses)
            value.form = FORM_OTHER;
        bool is_statement = !around->has_name && !around->is_default;
        enum Stand stand = is_statement ? around->stand : STAND_INSIDE;
        scan->origin = (Origin){.start = NOWHERE, .head = NOWHERE, .stand = stand};
        /* The comment of a statement is not that of what is assigned in a value. */
        u32 head = around->has_name ? NOWHERE : around->head;
        if (target->word.end && !target->in_parentheses)
            scan->origin = (Origin){.name = text_at(&scan->facts->base.job->source, target->word), .start = start, .head = head, .has_name = true, .stand = stand};
    } else {
        bind_single(scan, target);
        count_branches(scan, now(scan) == LEX_ASSIGN_LOGICAL);
        value.form = FORM_OTHER;
    }
    next(scan);
    parse_assignment(scan);
    return value;
}

static void parse_yield(ScriptScan *scan) {
    note_call(scan, scan->tokens.start, false);
    next(scan);
    bool is_bare = scan->tokens.newline;
    switch (now(scan)) {
    case LEX_CLOSE_PAREN: case LEX_CLOSE_BRACKET: case LEX_CLOSE_BRACE: case LEX_COMMA: case LEX_SEMICOLON: case LEX_COLON: case LEX_END:
        return;
    case LEX_STAR:
        next(scan);
        parse_assignment(scan);
        return;
    default:
        if (is_bare || is_word(scan, WORD_in) || is_word(scan, WORD_of))
            doubt(scan);
        parse_assignment(scan);
    }
}

bool begins_function(ScriptScan *scan) {
    if (is_word(scan, WORD_function) || is_word(scan, WORD_class))
        return true;
    if (!is_word(scan, WORD_async))
        return false;
    ScriptTokens following = peek(scan);
    return following.word == WORD_function && !following.newline;
}

static bool ends_value(const ScriptScan *scan) {
    switch (now(scan)) {
    case LEX_CLOSE_PAREN: case LEX_CLOSE_BRACKET: case LEX_CLOSE_BRACE: case LEX_COMMA: case LEX_SEMICOLON: case LEX_COLON: case LEX_END:
        return true;
    default:
        return scan->tokens.newline && may_end_here(scan);
    }
}

/* A function or class that is all of a value, which names it; false, and nothing is read, if it is only a part of one. */
static bool parse_named_value(ScriptScan *scan, const Origin *origin) {
    Checkpoint place;
    begin_attempt(scan, &place);
    if (is_word(scan, WORD_class))
        parse_class(scan, origin, (Decorators){0});
    else
        parse_function(scan, origin, false);
    if (has_failed(scan) || ends_value(scan))
        return end_attempt(scan, &place) || scan->tokens.is_doubtful;
    go_back(scan, &place);
    return false;
}

static Value parse_value(ScriptScan *scan) {
    Origin origin = take_origin(scan);
    u32 start = scan->tokens.start;
    if (is_word(scan, WORD_yield)) {
        if (!scan->context.is_generator)
            doubt(scan);
        Value value = make_other(scan);
        parse_yield(scan);
        return value;
    }
    Value value = make_other(scan);
    bool is_named = (origin.has_name || origin.stand) && scan->facts->base.wants_definitions;
    if ((is_named && begins_function(scan) && parse_named_value(scan, &origin)) || parse_some_arrow(scan, &origin))
        return value;
    value = parse_conditional(scan);
    switch (now(scan)) {
    case LEX_EQUAL: case LEX_ASSIGN: case LEX_ASSIGN_LOGICAL: case LEX_SLASH_EQUAL:
        return assign(scan, &value, start, &origin);
    default:
        return value;
    }
}

Value parse_item(ScriptScan *scan) {
    u32 references = scan->facts->base.reference_count;
    if (!descend(scan))
        return make_other(scan);
    Value value = parse_value(scan);
    value.references = references;
    ascend(scan);
    if (value.form < FORM_NAME || value.form == FORM_MEMBER)
        release_names_since(scan, references);
    return value;
}

Value parse_assignment(ScriptScan *scan) {
    Value value = parse_item(scan);
    if (value.is_pattern)
        fail(scan);
    return value;
}

Value parse_head(ScriptScan *scan) {
    Value value = parse_item(scan);
    while (accept(scan, LEX_COMMA)) {
        if (value.is_pattern)
            fail(scan);
        value = (Value){.references = parse_assignment(scan).references};
    }
    return value;
}

Value parse_expression(ScriptScan *scan) {
    Value value = parse_head(scan);
    if (value.is_pattern)
        fail(scan);
    return value;
}
