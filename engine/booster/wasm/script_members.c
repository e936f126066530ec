/* script_members.c -- the members of interfaces and of types in braces. */
#include "script_scan.h"

bool is_index_signature(ScriptScan *scan) {
    ScriptTokens tokens = peek(scan);
    bool is_name = tokens.kind == LEX_NAME;
    script_tokens_next(&tokens);
    return is_name && tokens.kind == LEX_COLON;
}

void parse_index_signature(ScriptScan *scan) {
    expect(scan, LEX_OPEN_BRACKET);
    take_word(scan, REFERENCE_DEFINITION, false);
    expect(scan, LEX_COLON);
    parse_type(scan);
    expect(scan, LEX_CLOSE_BRACKET);
    if (scan->has_types && now(scan) != LEX_COLON)
        doubt(scan);
    parse_annotation(scan);
}

static void parse_signature(ScriptScan *scan) {
    Opened opened = open_scope(scan, SCOPE_FUNCTION, scan->tokens.start);
    parse_type_parameters(scan);
    parse_parameters(scan);
    parse_result(scan);
    close_scope(scan, opened);
}

static bool is_before_key(const ScriptTokens *following) {
    return !following->newline && is_before_member(following) && following->kind != LEX_STAR && following->kind != LEX_OPEN_BRACE;
}

static void parse_type_member(ScriptScan *scan, u32 definition) {
    ScriptTokens following = peek(scan);
    bool is_made = is_word(scan, WORD_new) && (following.kind == LEX_OPEN_PAREN || following.kind == LEX_LESS);
    if (is_made)
        next(scan);
    if (is_made || now(scan) == LEX_OPEN_PAREN || now(scan) == LEX_LESS) {
        note_member(scan, definition, (Text){0});
        parse_signature(scan);
        return;
    }
    if (is_word(scan, WORD_readonly) && is_before_key(&following)) {
        next(scan);
        following = peek(scan);
    }
    if (now(scan) == LEX_OPEN_BRACKET && is_index_signature(scan)) {
        note_member(scan, definition, (Text){0});
        parse_index_signature(scan);
        return;
    }
    bool is_odd = is_word(scan, WORD_get) || is_word(scan, WORD_set) || is_word(scan, WORD_static) || is_word(scan, WORD_async);
    if (now(scan) == LEX_PRIVATE || (is_odd && is_before_member(&following)))
        doubt(scan);
    note_member(scan, definition, parse_key(scan).name);
    accept(scan, LEX_QUESTION);
    if (now(scan) == LEX_OPEN_PAREN || now(scan) == LEX_LESS)
        parse_signature(scan);
    else
        parse_annotation(scan);
}

/* Between two members: what begins the second must not go on with the first. */
static void end_member(ScriptScan *scan) {
    if (accept(scan, LEX_SEMICOLON) || accept(scan, LEX_COMMA) || now(scan) == LEX_CLOSE_BRACE)
        return;
    if (!scan->tokens.newline)
        fail(scan);
    else if (now(scan) != LEX_NAME && now(scan) != LEX_STRING && now(scan) != LEX_NUMBER)
        doubt(scan);
}

void parse_type_members(ScriptScan *scan, u32 definition) {
    if (!descend(scan))
        return;
    next(scan);
    Context around = enclose(scan);
    while (now(scan) != LEX_CLOSE_BRACE && !has_failed(scan)) {
        parse_type_member(scan, definition);
        end_member(scan);
    }
    scan->context = around;
    next(scan);
    ascend(scan);
}
