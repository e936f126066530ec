/* script_arrows.c -- arrow functions: what stands before `=>` may look like an expression up to there. */
#include "script_scan.h"

/* Is `=>` the token after this one? */
static bool is_before_arrow(ScriptScan *scan) {
    const ScriptTokens *tokens = &scan->tokens;
    u32 at = tokens->at;
    while (script_byte(tokens, at) == ' ')
        at++;
    u8 byte = script_byte(tokens, at);
    if (byte == '=')
        return script_byte(tokens, at + 1) == '>';
    if (byte != '/' && byte > ' ')
        return false;
    ScriptTokens following = peek(scan);
    return following.kind == LEX_ARROW;
}

/* Looks two tokens ahead, to spare most parentheses the attempt. */
static bool may_be_parameters(ScriptScan *scan) {
    ScriptTokens tokens = peek(scan);
    switch (tokens.kind) {
    case LEX_CLOSE_PAREN: case LEX_ELLIPSIS: case LEX_OPEN_BRACE: case LEX_OPEN_BRACKET: case LEX_AT:
        return true;
    case LEX_NAME:
        break;
    default:
        return false;
    }
    if (is_reserved(tokens.word) && tokens.word != WORD_this)
        return false;
    script_tokens_next(&tokens);
    switch (tokens.kind) {
    case LEX_CLOSE_PAREN: case LEX_COMMA: case LEX_COLON: case LEX_QUESTION: case LEX_EQUAL: case LEX_NAME:
        return true;
    default:
        return false;
    }
}

/* In TSX only these begin type parameters: `<T,`, `<T =` and `<T extends U`. */
static bool begins_generic(ScriptScan *scan) {
    ScriptTokens tokens = peek(scan);
    if (tokens.word == WORD_const)
        script_tokens_next(&tokens);
    if (tokens.kind != LEX_NAME)
        return false;
    script_tokens_next(&tokens);
    if (tokens.word == WORD_extends) {
        script_tokens_next(&tokens);
        return tokens.kind == LEX_NAME || tokens.kind == LEX_OPEN_BRACE || tokens.kind == LEX_OPEN_PAREN;
    }
    return tokens.kind == LEX_COMMA || tokens.kind == LEX_EQUAL;
}

static Around enter_arrow(ScriptScan *scan, const Origin *origin, bool is_async) {
    ScriptDefinition row = {
        .kind = origin->is_member ? SCRIPT_METHOD : SCRIPT_FUNCTION,
        .is_async = is_async,
        .name = choose_name(origin, (Text){0}),
        .start = origin->start == NOWHERE ? scan->tokens.start : origin->start,
        .head = origin->head,
        .first_decorator = origin->first_decorator,
        .decorator_count = origin->decorator_count,
        .stand = origin->stand,
    };
    return enter_definition(scan, row);
}

/* From the arrow on. */
static void parse_rest(ScriptScan *scan, Around around, u32 parameters, Opened opened) {
    if (now(scan) != LEX_ARROW || scan->tokens.newline)
        doubt(scan);
    next(scan);
    Context context = scan->context;
    scan->context.is_generator = false;
    scan->context.in_function = true;
    if (now(scan) == LEX_OPEN_BRACE)
        parse_body_of(scan, around.index);
    else
        parse_assignment(scan);
    close_scope(scan, opened);
    scan->context = context;
    if (around.index != NOWHERE)
        scan->facts->definitions[around.index].parameters = parameters;
    leave_definition(scan, around, scan->tokens.last_end, true);
}

static void parse_short_arrow(ScriptScan *scan, const Origin *origin, bool is_async) {
    Context context = scan->context;
    Around around = enter_arrow(scan, origin, is_async);
    Opened opened = open_scope(scan, SCOPE_VALUE, scan->tokens.start);
    if (is_async)
        next(scan);
    scan->context.is_async = is_async;
    if (is_word(scan, WORD_async) || is_word(scan, WORD_await) || is_word(scan, WORD_yield) || is_word(scan, WORD_let))
        doubt(scan);
    take_word(scan, REFERENCE_DEFINITION, false);
    bind_last(scan, BOUND_HERE);
    parse_rest(scan, around, 1, opened);
    scan->context = context;
}

/* The attempt ends at the arrow: what stands before it is no other thing then. */
static bool parse_long_arrow(ScriptScan *scan, const Origin *origin) {
    bool is_async = is_word(scan, WORD_async);
    Context context = scan->context;
    Checkpoint place;
    begin_attempt(scan, &place);
    Around around = enter_arrow(scan, origin, is_async);
    Opened opened = open_scope(scan, SCOPE_VALUE, scan->tokens.start);
    if (is_async)
        next(scan);
    scan->context.is_async = is_async;
    if (scan->has_types)
        parse_type_parameters(scan);
    u32 parameters = parse_parameters(scan), parameters_end = scan->tokens.last_end;
    bool has_result = scan->has_types && now(scan) == LEX_COLON;
    scan->context.in_choice = false;
    note_signature(scan, around.index, parameters_end, read_result(scan));
    scan->context.in_choice = context.in_choice;
    if (now(scan) != LEX_ARROW)
        fail(scan);
    if (!end_attempt(scan, &place))
        return scan->tokens.is_doubtful;
    if (has_result && context.in_choice)
        doubt(scan); /* the colon may belong to the conditional expression around */
    parse_rest(scan, around, parameters, opened);
    scan->context = context;
    return true;
}

static bool parse_async_arrow(ScriptScan *scan, const Origin *origin) {
    ScriptTokens following = peek(scan);
    if (following.kind == LEX_ARROW || following.newline || following.word == WORD_function)
        return false;
    if (following.kind == LEX_OPEN_PAREN || following.kind == LEX_LESS)
        return parse_long_arrow(scan, origin);
    if (following.kind != LEX_NAME || is_reserved(following.word))
        return false;
    parse_short_arrow(scan, origin, true);
    return true;
}

bool parse_some_arrow(ScriptScan *scan, const Origin *origin) {
    switch (now(scan)) {
    case LEX_NAME:
        if (is_word(scan, WORD_async))
            return parse_async_arrow(scan, origin);
        if (is_reserved(scan->tokens.word) || !is_before_arrow(scan))
            return false;
        parse_short_arrow(scan, origin, false);
        return true;
    case LEX_OPEN_PAREN:
        return may_be_parameters(scan) && parse_long_arrow(scan, origin);
    case LEX_LESS:
        return scan->has_types && (!scan->has_jsx || begins_generic(scan)) && parse_long_arrow(scan, origin);
    default:
        return false;
    }
}
