/* script_declarations.c -- declarations that only TypeScript has: interfaces, types, enumerations, namespaces. */
#include "script_scan.h"

static Around enter(ScriptScan *scan, enum DefinitionKind kind, Text name, u32 start, u32 head) {
    return enter_definition(scan, (ScriptDefinition){.kind = kind, .name = name, .start = start, .head = head, .stand = STAND_DECLARATION});
}

static Text take_name(ScriptScan *scan) {
    Text name = token_text(scan);
    if (!may_name_type((enum Word)scan->tokens.word))
        doubt(scan);
    take_word(scan, REFERENCE_DEFINITION, false);
    return name;
}

static void parse_interface(ScriptScan *scan, u32 head) {
    u32 start = scan->tokens.start;
    next(scan);
    Around around = enter(scan, SCRIPT_INTERFACE, take_name(scan), start, head);
    parse_type_parameters(scan);
    if (accept_word(scan, WORD_extends)) {
        do
            parse_type_name(scan);
        while (accept(scan, LEX_COMMA));
    }
    if (now(scan) != LEX_OPEN_BRACE)
        fail(scan);
    parse_type_members(scan, around.index);
    leave_definition(scan, around, scan->tokens.last_end, true);
}

static void parse_alias(ScriptScan *scan, u32 head) {
    u32 start = scan->tokens.start;
    next(scan);
    Around around = enter(scan, SCRIPT_TYPE, take_name(scan), start, head);
    parse_type_parameters(scan);
    expect(scan, LEX_EQUAL);
    parse_type(scan);
    leave_definition(scan, around, scan->tokens.last_end, true);
    end_statement(scan);
}

static void parse_enum(ScriptScan *scan, u32 head) {
    u32 start = scan->tokens.start;
    accept_word(scan, WORD_const);
    expect_word(scan, WORD_enum);
    Text name = take_name(scan);
    bind_last(scan, BOUND_HERE);
    Around around = enter(scan, SCRIPT_ENUM, name, start, head);
    expect(scan, LEX_OPEN_BRACE);
    Context context = enclose(scan);
    while (now(scan) != LEX_CLOSE_BRACE && !has_failed(scan)) {
        if (now(scan) != LEX_NAME && now(scan) != LEX_STRING)
            doubt(scan);
        note_member(scan, around.index, parse_key(scan).name);
        if (accept(scan, LEX_EQUAL))
            parse_assignment(scan);
        if (now(scan) != LEX_CLOSE_BRACE)
            expect(scan, LEX_COMMA);
    }
    scan->context = context;
    next(scan);
    leave_definition(scan, around, scan->tokens.last_end, true);
}

/* Other files may write to what is declared in it. */
static void parse_shared_block(ScriptScan *scan) {
    Opened opened = open_scope(scan, SCOPE_SHARED, scan->tokens.start);
    parse_block(scan);
    close_scope(scan, opened);
}

static void parse_namespace(ScriptScan *scan, u32 head) {
    u32 start = scan->tokens.start;
    next(scan);
    if (is_word(scan, WORD_global))
        doubt(scan);
    Span name = token_span(scan);
    bool is_quoted = now(scan) == LEX_STRING;
    if (is_quoted)
        next(scan);
    else {
        ScriptTokens following = peek(scan);
        if (scan->variables && following.kind == LEX_DOT)
            doubt(scan); /* what is bound by names with a dot */
        parse_entity_name(scan, REFERENCE_DEFINITION);
        bind_last(scan, BOUND_HERE);
    }
    name = is_quoted ? (Span){name.start + 1, name.end - 1} : (Span){name.start, scan->tokens.last_end};
    Around around = enter(scan, SCRIPT_NAMESPACE, text_at(&scan->facts->base.job->source, name), start, head);
    if (now(scan) != LEX_OPEN_BRACE)
        doubt(scan);
    parse_shared_block(scan);
    leave_definition(scan, around, scan->tokens.last_end, true);
    if (scan->facts->structure && now(scan) == LEX_SEMICOLON)
        doubt(scan); /* whether it belongs to the namespace */
}

/* `declare`, and what it says is elsewhere. */
static void parse_ambient(ScriptScan *scan, u32 head) {
    next(scan);
    ScriptTokens following = peek(scan);
    switch (scan->tokens.word) {
    case WORD_global:
        next(scan);
        if (now(scan) != LEX_OPEN_BRACE)
            doubt(scan);
        parse_shared_block(scan);
        return;
    case WORD_function: case WORD_class: case WORD_abstract: case WORD_const: case WORD_let: case WORD_var: case WORD_interface:
    case WORD_type: case WORD_enum: case WORD_namespace: case WORD_module:
        if (following.kind != LEX_NAME && following.kind != LEX_STRING)
            doubt(scan);
        scan->list = KIND_ambient_declaration;
        scan->place.inner = scan->tokens.start;
        parse_statement(scan, head);
        return;
    default:
        doubt(scan);
    }
}

bool parse_typed_statement(ScriptScan *scan, const ScriptTokens *following, u32 head) {
    enum Word word = (enum Word)scan->tokens.word;
    if (!word || !scan->has_types || following->newline)
        return false;
    bool is_before_name = following->kind == LEX_NAME && following->word != WORD_in && following->word != WORD_instanceof && following->word != WORD_as;
    bool is_quoted_module = word == WORD_module && following->kind == LEX_STRING;
    if (!is_before_name && !is_quoted_module)
        return false;
    switch (word) {
    case WORD_interface: parse_interface(scan, head); return true;
    case WORD_type: parse_alias(scan, head); return true;
    case WORD_enum: case WORD_const: parse_enum(scan, head); return true;
    case WORD_namespace: case WORD_module: parse_namespace(scan, head); return true;
    case WORD_declare: parse_ambient(scan, head); return true;
    case WORD_abstract: {
        Origin origin = {.start = NOWHERE, .head = head};
        parse_class(scan, &origin, (Decorators){0});
        return true;
    }
    default: return false;
    }
}
