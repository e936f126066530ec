/* script_functions.c -- what binds names: patterns, parameters, declarations; and functions with their bodies. */
#include "script_scan.h"

/* A name that is bound, where old scripts and the tree do not disagree about it. */
static void take_binding(ScriptScan *scan) {
    switch (scan->tokens.word) {
    case WORD_await: case WORD_yield: case WORD_let: case WORD_static: case WORD_implements: case WORD_interface: case WORD_package:
    case WORD_private: case WORD_protected: case WORD_public:
        doubt(scan);
    }
    take_word(scan, REFERENCE_DEFINITION, false);
    bind_last(scan, scan->context.bound);
}

static void parse_default(ScriptScan *scan) {
    if (accept(scan, LEX_EQUAL))
        parse_assignment(scan);
}

static void parse_array_pattern(ScriptScan *scan) {
    next(scan);
    while (now(scan) != LEX_CLOSE_BRACKET && !has_failed(scan)) {
        if (accept(scan, LEX_COMMA))
            continue;
        bool is_rest = accept(scan, LEX_ELLIPSIS);
        parse_pattern(scan);
        if (!is_rest)
            parse_default(scan);
        if (now(scan) != LEX_CLOSE_BRACKET)
            is_rest ? fail(scan) : expect(scan, LEX_COMMA);
    }
    next(scan);
}

/* `key: pattern`, or a name for both. */
static void parse_pattern_property(ScriptScan *scan) {
    Facts *facts = &scan->facts->base;
    if (now(scan) == LEX_PRIVATE)
        fail(scan);
    Key key = parse_key(scan);
    if (accept(scan, LEX_COLON))
        parse_pattern(scan);
    else if (!key.is_name)
        fail(scan);
    else if (!key.reference && scan->variables)
        doubt(scan); /* `undefined` */
    else if (key.reference) {
        Reference *row = &facts->references[key.reference - 1];
        row->kind = REFERENCE_DEFINITION;
        row->is_qualified = false;
        row->shorthand = SHORT_PROPERTY;
        row->bound = scan->context.bound;
    }
    parse_default(scan);
}

static void parse_object_pattern(ScriptScan *scan) {
    next(scan);
    while (now(scan) != LEX_CLOSE_BRACE && !has_failed(scan)) {
        bool is_rest = accept(scan, LEX_ELLIPSIS);
        if (is_rest)
            take_binding(scan);
        else
            parse_pattern_property(scan);
        if (now(scan) != LEX_CLOSE_BRACE)
            is_rest ? fail(scan) : expect(scan, LEX_COMMA);
    }
    next(scan);
}

void parse_pattern(ScriptScan *scan) {
    bool is_list = now(scan) == LEX_OPEN_BRACKET || now(scan) == LEX_OPEN_BRACE;
    if (!is_list) {
        take_binding(scan);
        return;
    }
    if (!descend(scan))
        return;
    Context around = enclose(scan);
    if (now(scan) == LEX_OPEN_BRACKET)
        parse_array_pattern(scan);
    else
        parse_object_pattern(scan);
    scan->context = around;
    ascend(scan);
}

static bool is_parameter_modifier(ScriptScan *scan) {
    switch (scan->tokens.word) {
    case WORD_public: case WORD_private: case WORD_protected: case WORD_readonly: case WORD_override:
        break;
    default:
        return false;
    }
    ScriptTokens following = peek(scan);
    return scan->has_types && (following.kind == LEX_NAME || following.kind == LEX_OPEN_BRACKET || following.kind == LEX_OPEN_BRACE);
}

/* One parameter; 0 if it is `this`, which only has a type. */
static u32 parse_parameter(ScriptScan *scan) {
    parse_decorators(scan);
    while (is_parameter_modifier(scan))
        next(scan);
    bool is_rest = accept(scan, LEX_ELLIPSIS), is_this = is_word(scan, WORD_this);
    scan->context.bound = BOUND_HERE;
    if (!is_this)
        parse_pattern(scan);
    else if (scan->has_types)
        next(scan);
    else
        fail(scan);
    if (scan->has_types && accept(scan, LEX_QUESTION) && is_rest)
        doubt(scan);
    parse_annotation(scan);
    if (is_rest && now(scan) == LEX_EQUAL)
        fail(scan);
    parse_default(scan);
    return !is_this;
}

u32 parse_parameters(ScriptScan *scan) {
    u32 count = 0;
    expect(scan, LEX_OPEN_PAREN);
    Context around = enclose(scan);
    while (now(scan) != LEX_CLOSE_PAREN && !has_failed(scan)) {
        count += parse_parameter(scan);
        if (now(scan) != LEX_CLOSE_PAREN)
            expect(scan, LEX_COMMA);
    }
    scan->context = around;
    next(scan);
    return count;
}

void parse_block(ScriptScan *scan) {
    expect(scan, LEX_OPEN_BRACE);
    if (!descend(scan))
        return;
    Context around = enclose(scan);
    parse_statements(scan);
    scan->context = around;
    ascend(scan);
    expect(scan, LEX_CLOSE_BRACE);
}

void parse_scoped_block(ScriptScan *scan) {
    Opened opened = open_scope(scan, SCOPE_BLOCK, scan->tokens.start);
    parse_block(scan);
    close_scope(scan, opened);
}

void parse_callable(ScriptScan *scan, Callable callable) {
    Context context = scan->context;
    Around around = enter_definition(scan, callable.row);
    if (!callable.has_scope)
        callable.scope = open_scope(scan, SCOPE_FUNCTION, scan->tokens.start);
    scan->context.is_async = callable.row.is_async;
    scan->context.is_generator = callable.is_generator;
    scan->context.in_function = true;
    if (scan->has_types)
        parse_type_parameters(scan);
    u32 parameters = parse_parameters(scan), parameters_end = scan->tokens.last_end;
    Span returns = read_result(scan);
    note_signature(scan, around.index, parameters_end, returns);
    bool has_body = now(scan) == LEX_OPEN_BRACE;
    u32 end = scan->tokens.last_end;
    if (has_body)
        parse_body_of(scan, around.index);
    else if (callable.needs_body || !scan->has_types)
        fail(scan);
    else {
        if (now(scan) == LEX_SEMICOLON && scan->tokens.newline)
            doubt(scan); /* whether it ends on that line or before */
        end_statement(scan);
    }
    close_scope(scan, callable.scope);
    scan->context = context;
    if (around.index != NOWHERE)
        scan->facts->definitions[around.index].parameters = parameters;
    leave_definition(scan, around, scan->tokens.last_end, has_body);
    if (!has_body && callable.row.stand == STAND_MEMBER)
        end_definition(scan, around.index, end); /* without the semicolon */
}

/* The name that a function has itself. */
static Text take_own_name(ScriptScan *scan) {
    Text name = {0};
    if (now(scan) == LEX_NAME && !is_reserved(scan->tokens.word)) {
        u32 bound = scan->context.bound;
        name = token_text(scan);
        scan->context.bound = BOUND_HERE;
        take_binding(scan);
        scan->context.bound = bound;
    }
    return name;
}

void parse_function(ScriptScan *scan, const Origin *origin, bool is_statement) {
    u32 start = scan->tokens.start;
    ScriptDefinition row = {
        .kind = origin->is_member ? SCRIPT_METHOD : SCRIPT_FUNCTION,
        .is_async = accept_word(scan, WORD_async),
        .start = origin->start == NOWHERE ? start : origin->start,
        .head = origin->head == NOWHERE && is_statement ? start : origin->head,
        .first_decorator = origin->first_decorator,
        .decorator_count = origin->decorator_count,
        .stand = is_statement ? STAND_DECLARATION : origin->stand,
    };
    expect_word(scan, WORD_function);
    bool is_generator = accept(scan, LEX_STAR);
    Context context = scan->context;
    Opened scope = {0};
    if (!is_statement) /* it knows its name alone */
        scope = open_scope(scan, SCOPE_VALUE, start);
    row.name = take_own_name(scan);
    if (is_statement && !row.name.length && !origin->is_default)
        fail(scan);
    if (is_statement)
        scope = open_declared(scan, row.name);
    row.name = choose_name(origin, row.name);
    parse_callable(scan, (Callable){.row = row, .is_generator = is_generator, .needs_body = !is_statement, .has_scope = true, .scope = scope});
    scan->context = context;
}

/* `a: A` of a declaration; true if it is a bare name or pattern. */
static bool parse_declared(ScriptScan *scan) {
    parse_pattern(scan);
    u32 bare_end = scan->tokens.last_end;
    if (scan->has_types && now(scan) == LEX_BANG)
        next(scan);
    parse_annotation(scan);
    return scan->tokens.last_end == bare_end;
}

/* The same with `= 1`. */
static bool parse_declarator(ScriptScan *scan, u32 head, u32 variables) {
    bool is_name = now(scan) == LEX_NAME;
    Text name = token_text(scan);
    u32 start = scan->tokens.start, declarator = note_declarator(scan, variables);
    bool is_bare = parse_declared(scan);
    Assigned value = {NOWHERE, count_scopes(scan)};
    if (accept(scan, LEX_EQUAL)) {
        scan->origin = (Origin){.start = NOWHERE, .head = NOWHERE, .stand = STAND_VARIABLE};
        if (is_name)
            scan->origin = (Origin){.name = name, .start = start, .head = head, .has_name = true, .stand = STAND_VARIABLE};
        value.start = scan->tokens.start;
        parse_assignment(scan);
        is_bare = false;
    }
    end_declarator(scan, declarator, value);
    return is_bare;
}

bool parse_declarators(ScriptScan *scan, u32 head, u32 variables) {
    u32 bound = scan->context.bound, definitions = scan->facts->definition_count;
    bool is_bare = parse_declarator(scan, head, variables);
    for (; accept(scan, LEX_COMMA); is_bare = false) {
        parse_declarator(scan, scan->tokens.start, variables);
        demote(scan, definitions, STAND_VARIABLE);
    }
    scan->context.bound = bound;
    return is_bare;
}
