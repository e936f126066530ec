/* script_types.c -- TypeScript's types. */
#include "script_scan.h"

static bool begins_on_line(const ScriptTokens *following) {
    return following->kind == LEX_NAME && !following->newline;
}

/* --- names --- */

void parse_entity_name(ScriptScan *scan, enum ReferenceKind kind) {
    take_word(scan, kind, false);
    while (accept(scan, LEX_DOT))
        take_member(scan);
}

static void parse_own_arguments(ScriptScan *scan) {
    if (!scan->tokens.newline && (now(scan) == LEX_LESS || now(scan) == LEX_SHIFT))
        parse_type_arguments(scan);
}

void parse_type_name(ScriptScan *scan) {
    if (!may_name_type((enum Word)scan->tokens.word))
        doubt(scan);
    parse_entity_name(scan, REFERENCE_USE);
    parse_own_arguments(scan);
}

void parse_type_arguments(ScriptScan *scan) {
    if (now(scan) == LEX_SHIFT) {
        doubt(scan);
        return;
    }
    expect(scan, LEX_LESS);
    Context around = enclose(scan);
    do
        parse_type(scan);
    while (accept(scan, LEX_COMMA) && now(scan) != LEX_GREATER);
    scan->context = around;
    expect(scan, LEX_GREATER);
}

/* `in A`, `out A`; also `out` may be the name of one. */
static bool is_variance(ScriptScan *scan) {
    if (!is_word(scan, WORD_in) && !is_word(scan, WORD_out))
        return false;
    ScriptTokens following = peek(scan);
    return following.kind == LEX_NAME && following.word != WORD_extends;
}

static void parse_type_parameter(ScriptScan *scan) {
    accept_word(scan, WORD_const);
    while (is_variance(scan))
        next(scan);
    take_word(scan, REFERENCE_DEFINITION, false);
    if (accept_word(scan, WORD_extends))
        parse_type(scan);
    if (accept(scan, LEX_EQUAL))
        parse_type(scan);
}

void parse_type_parameters(ScriptScan *scan) {
    if (!accept(scan, LEX_LESS))
        return;
    Context around = enclose(scan);
    do
        parse_type_parameter(scan);
    while (accept(scan, LEX_COMMA) && now(scan) != LEX_GREATER);
    scan->context = around;
    expect(scan, LEX_GREATER);
}

/* --- functions --- */

/* Behind a parenthesis: does a parameter end here? */
static bool ends_parameter(ScriptTokens tokens) {
    switch (tokens.kind) {
    case LEX_COLON: case LEX_COMMA: case LEX_QUESTION: case LEX_EQUAL:
        return true;
    case LEX_CLOSE_PAREN:
        script_tokens_next(&tokens);
        return tokens.kind == LEX_ARROW;
    default:
        return false;
    }
}

static bool is_pattern_parameter(ScriptScan *scan) {
    Checkpoint place;
    begin_attempt(scan, &place);
    next(scan);
    parse_pattern(scan);
    ScriptTokens tokens = scan->tokens;
    bool is_found = !has_failed(scan) && ends_parameter(tokens);
    go_back(scan, &place);
    return is_found;
}

/* Do parameters begin here, and no type in parentheses? */
static bool is_parameter_list(ScriptScan *scan) {
    ScriptTokens tokens = peek(scan);
    switch (tokens.kind) {
    case LEX_CLOSE_PAREN: case LEX_ELLIPSIS:
        return true;
    case LEX_OPEN_BRACE: case LEX_OPEN_BRACKET:
        return is_pattern_parameter(scan);
    case LEX_NAME:
        script_tokens_next(&tokens);
        return ends_parameter(tokens);
    default:
        return false;
    }
}

static bool is_function_type(ScriptScan *scan) {
    if (is_word(scan, WORD_abstract))
        doubt(scan);
    if (now(scan) == LEX_LESS || is_word(scan, WORD_new))
        return true;
    return now(scan) == LEX_OPEN_PAREN && is_parameter_list(scan);
}

/* `a is A`, `asserts a`, or a type. */
static void parse_returned(ScriptScan *scan) {
    ScriptTokens following = peek(scan);
    bool asserts = is_word(scan, WORD_asserts) && begins_on_line(&following);
    if (asserts) {
        next(scan);
        following = peek(scan);
    }
    bool is_statement = now(scan) == LEX_NAME && following.word == WORD_is && !following.newline;
    if (!asserts && !is_statement) {
        parse_type(scan);
        return;
    }
    if (is_reserved(scan->tokens.word) && !is_word(scan, WORD_this))
        fail(scan);
    if (!is_word(scan, WORD_this))
        note_word(scan, REFERENCE_USE, false, SHORT_NONE);
    next(scan);
    if (is_statement) {
        next(scan);
        parse_type(scan);
    }
}

static void parse_function_type(ScriptScan *scan) {
    if (!descend(scan))
        return;
    Opened opened = open_scope(scan, SCOPE_FUNCTION, scan->tokens.start);
    accept_word(scan, WORD_new);
    parse_type_parameters(scan);
    parse_parameters(scan);
    expect(scan, LEX_ARROW);
    Context around = scan->context;
    scan->context.no_choice = false;
    parse_returned(scan);
    scan->context = around;
    close_scope(scan, opened);
    ascend(scan);
}

void parse_annotation(ScriptScan *scan) {
    if (scan->has_types && accept(scan, LEX_COLON))
        parse_type(scan);
}

void parse_result(ScriptScan *scan) {
    if (scan->has_types && accept(scan, LEX_COLON))
        parse_returned(scan);
}

/* --- primaries --- */

static bool is_predefined(enum Word word) {
    switch (word) {
    case WORD_any: case WORD_unknown: case WORD_number: case WORD_string: case WORD_boolean: case WORD_symbol: case WORD_object:
    case WORD_never: case WORD_void: case WORD_undefined: case WORD_null: case WORD_true: case WORD_false: case WORD_this:
        return true;
    default:
        return false;
    }
}

static void parse_import_type(ScriptScan *scan) {
    next(scan);
    expect(scan, LEX_OPEN_PAREN);
    expect(scan, LEX_STRING);
    expect(scan, LEX_CLOSE_PAREN);
    while (accept(scan, LEX_DOT))
        take_member(scan);
    parse_own_arguments(scan);
}

static void parse_type_query(ScriptScan *scan) {
    next(scan);
    if (is_word(scan, WORD_import)) {
        parse_import_type(scan);
        return;
    }
    if (is_word(scan, WORD_this))
        next(scan);
    else
        take_word(scan, REFERENCE_USE, false);
    while (accept(scan, LEX_DOT))
        take_member(scan);
    parse_own_arguments(scan);
}

static void parse_tuple_item(ScriptScan *scan) {
    bool is_rest = accept(scan, LEX_ELLIPSIS);
    ScriptTokens following = peek(scan);
    ScriptTokens second = following;
    script_tokens_next(&second);
    bool has_mark = following.kind == LEX_QUESTION;
    if (now(scan) == LEX_NAME && (following.kind == LEX_COLON || (has_mark && second.kind == LEX_COLON))) {
        if (scan->tokens.word)
            doubt(scan);
        if (is_rest && has_mark)
            doubt(scan);
        take_word(scan, REFERENCE_ATTRIBUTE, true);
        accept(scan, LEX_QUESTION);
        next(scan);
        parse_type(scan);
        return;
    }
    parse_type(scan);
    accept(scan, LEX_QUESTION);
}

static void parse_tuple_type(ScriptScan *scan) {
    next(scan);
    Context around = enclose(scan);
    while (now(scan) != LEX_CLOSE_BRACKET && !has_failed(scan)) {
        parse_tuple_item(scan);
        if (now(scan) != LEX_CLOSE_BRACKET)
            expect(scan, LEX_COMMA);
    }
    scan->context = around;
    next(scan);
}

static void parse_type_in_parentheses(ScriptScan *scan) {
    next(scan);
    Context around = enclose(scan);
    parse_type(scan);
    scan->context = around;
    expect(scan, LEX_CLOSE_PAREN);
}

/* Does `{[name in` begin here, perhaps with a `readonly` before the bracket? */
static bool is_mapped(ScriptScan *scan) {
    ScriptTokens tokens = peek(scan);
    if (tokens.kind == LEX_SIGN)
        script_tokens_next(&tokens);
    if (tokens.word == WORD_readonly)
        script_tokens_next(&tokens);
    if (tokens.kind != LEX_OPEN_BRACKET)
        return false;
    script_tokens_next(&tokens);
    script_tokens_next(&tokens);
    return tokens.word == WORD_in;
}

static void parse_mapped_type(ScriptScan *scan) {
    next(scan);
    Context around = enclose(scan);
    bool has_sign = accept(scan, LEX_SIGN);
    if (!accept_word(scan, WORD_readonly) && has_sign)
        fail(scan);
    expect(scan, LEX_OPEN_BRACKET);
    take_word(scan, REFERENCE_DEFINITION, false);
    expect_word(scan, WORD_in);
    parse_type(scan);
    if (accept_word(scan, WORD_as))
        parse_type(scan);
    expect(scan, LEX_CLOSE_BRACKET);
    has_sign = accept(scan, LEX_SIGN);
    if (!accept(scan, LEX_QUESTION) && has_sign)
        fail(scan);
    expect(scan, LEX_COLON);
    parse_type(scan);
    accept(scan, LEX_SEMICOLON);
    scan->context = around;
    expect(scan, LEX_CLOSE_BRACE);
}

static void parse_word_type(ScriptScan *scan) {
    ScriptTokens following = peek(scan);
    if (is_word(scan, WORD_typeof))
        parse_type_query(scan);
    else if (is_word(scan, WORD_import))
        parse_import_type(scan);
    else if (!is_predefined((enum Word)scan->tokens.word))
        parse_type_name(scan);
    else {
        if (following.kind == LEX_DOT || following.kind == LEX_LESS)
            fail(scan);
        next(scan);
    }
}

static void parse_primary_type(ScriptScan *scan) {
    switch (now(scan)) {
    case LEX_OPEN_BRACE:
        if (is_mapped(scan))
            parse_mapped_type(scan);
        else
            parse_type_members(scan, NOWHERE);
        break;
    case LEX_OPEN_BRACKET: parse_tuple_type(scan); break;
    case LEX_OPEN_PAREN: parse_type_in_parentheses(scan); break;
    case LEX_TEMPLATE: parse_template(scan, true); break;
    case LEX_STRING: case LEX_NUMBER: next(scan); break;
    case LEX_NAME: parse_word_type(scan); break;
    case LEX_SIGN:
        next(scan);
        expect(scan, LEX_NUMBER);
        break;
    default:
        fail(scan);
    }
}

/* --- operators --- */

static void parse_postfix_type(ScriptScan *scan) {
    parse_primary_type(scan);
    while (!scan->tokens.newline && accept(scan, LEX_OPEN_BRACKET)) {
        if (accept(scan, LEX_CLOSE_BRACKET))
            continue;
        Context around = enclose(scan);
        parse_type(scan);
        scan->context = around;
        expect(scan, LEX_CLOSE_BRACKET);
    }
    if (now(scan) == LEX_BANG && !scan->tokens.newline)
        doubt(scan);
}

static bool begins_type(const ScriptTokens *following) {
    switch (following->kind) {
    case LEX_NAME: return following->word != WORD_extends && following->word != WORD_is;
    case LEX_OPEN_PAREN: case LEX_OPEN_BRACE: case LEX_OPEN_BRACKET: case LEX_STRING: case LEX_TEMPLATE:
        return true;
    default:
        return false;
    }
}

/* `infer A extends B` is a limit or the question of a condition: not told apart here. */
static void parse_infer(ScriptScan *scan) {
    next(scan);
    take_word(scan, REFERENCE_DEFINITION, false);
    if (is_word(scan, WORD_extends))
        doubt(scan);
}

static void parse_type_operator(ScriptScan *scan) {
    if (!descend(scan))
        return;
    ScriptTokens following = peek(scan);
    enum Word word = (enum Word)scan->tokens.word;
    bool is_prefix = word == WORD_keyof || word == WORD_unique || word == WORD_readonly;
    if (is_prefix && begins_type(&following)) {
        next(scan);
        parse_type_operator(scan);
    } else if (word == WORD_infer && begins_on_line(&following))
        parse_infer(scan);
    else
        parse_postfix_type(scan);
    ascend(scan);
}

static void parse_union(ScriptScan *scan) {
    if (now(scan) == LEX_AMPERSAND)
        next(scan);
    else
        accept(scan, LEX_PIPE);
    for (;;) {
        if (is_function_type(scan))
            parse_function_type(scan);
        else
            parse_type_operator(scan);
        if (now(scan) != LEX_PIPE && now(scan) != LEX_AMPERSAND)
            return;
        next(scan);
    }
}

void parse_type(ScriptScan *scan) {
    if (!descend(scan))
        return;
    if (is_function_type(scan)) {
        parse_function_type(scan);
        ascend(scan);
        return;
    }
    parse_union(scan);
    if (!scan->context.no_choice && !scan->tokens.newline && accept_word(scan, WORD_extends)) {
        Context around = scan->context;
        scan->context.no_choice = true;
        parse_type(scan);
        scan->context.no_choice = false;
        expect(scan, LEX_QUESTION);
        parse_type(scan);
        expect(scan, LEX_COLON);
        parse_type(scan);
        scan->context = around;
    }
    ascend(scan);
}
