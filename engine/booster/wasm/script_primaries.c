/* script_primaries.c -- what an expression is made of: words, literals, parentheses, arrow functions. */
#include "script_scan.h"

void parse_template(ScriptScan *scan, bool of_types) {
    bool is_inner = scan->context.in_string;
    u32 start = scan->tokens.start;
    scan->context.in_string = true;
    while (script_tokens_template(&scan->tokens)) {
        next(scan);
        Context around = enclose(scan);
        if (of_types)
            parse_type(scan);
        else
            parse_expression(scan);
        scan->context = around;
        if (now(scan) != LEX_CLOSE_BRACE)
            fail(scan);
    }
    next(scan);
    scan->context.in_string = is_inner;
    note_string(scan, (Span){start, scan->tokens.last_end});
}

static Value parse_parentheses(ScriptScan *scan) {
    next(scan);
    Context around = enclose(scan);
    Value value = parse_expression(scan);
    scan->context = around;
    expect(scan, LEX_CLOSE_PAREN);
    value.in_parentheses = true;
    value.word = (Span){0};
    return value;
}

static u32 match_first(const ScriptScan *scan) {
    const Facts *facts = &scan->facts->base;
    return facts->call && text_equals(token_text(scan), facts->call[0]);
}

static Value parse_name(ScriptScan *scan) {
    Value value = {.form = FORM_NAME, .references = scan->facts->base.reference_count, .matched = match_first(scan), .word = token_span(scan)};
    value.reference = note_word(scan, REFERENCE_USE, false, SHORT_NONE);
    next(scan);
    return value;
}

/* `new.target` and `import.meta` */
static void parse_meta(ScriptScan *scan, const char *word) {
    next(scan);
    if (now(scan) != LEX_NAME || !text_is(token_text(scan), word))
        doubt(scan);
    next(scan);
}

static void parse_import_call(ScriptScan *scan) {
    next(scan);
    if (now(scan) == LEX_DOT)
        parse_meta(scan, "meta");
    else
        parse_arguments(scan);
}

/* Members and indexes of what is made, but no calls. */
static void parse_new_links(ScriptScan *scan, Value *value) {
    while (now(scan) == LEX_DOT || now(scan) == LEX_OPEN_BRACKET) {
        if (accept(scan, LEX_DOT))
            take_member(scan);
        else {
            next(scan);
            Context around = enclose(scan);
            parse_expression(scan);
            scan->context = around;
            expect(scan, LEX_CLOSE_BRACKET);
        }
        value->reference = 0;
    }
}

/* `new A<B>(...)`, from behind the name on. */
static void parse_new_arguments(ScriptScan *scan) {
    Checkpoint place;
    if (scan->has_types && now(scan) == LEX_LESS) {
        begin_attempt(scan, &place);
        parse_type_arguments(scan);
        if (end_attempt(scan, &place) && now(scan) != LEX_OPEN_PAREN)
            doubt(scan);
    }
    if (now(scan) == LEX_OPEN_PAREN)
        parse_arguments(scan);
    else if (now(scan) == LEX_TEMPLATE || now(scan) == LEX_CHAIN || (now(scan) == LEX_BANG && scan->has_types))
        doubt(scan);
}

static Value parse_new(ScriptScan *scan) {
    u32 start = scan->tokens.start;
    next(scan);
    if (now(scan) == LEX_DOT) {
        parse_meta(scan, "target");
        return make_other(scan);
    }
    note_call(scan, start, false);
    if (is_word(scan, WORD_new) || is_word(scan, WORD_import) || is_word(scan, WORD_super) || is_word(scan, WORD_async))
        doubt(scan);
    Value value = parse_primary(scan);
    if (value.is_pattern)
        fail(scan);
    parse_new_links(scan, &value);
    if (value.reference)
        scan->facts->base.references[value.reference - 1].kind = REFERENCE_CALL;
    parse_new_arguments(scan);
    return (Value){.references = value.references};
}

/* `this`, `super`, `null` and their kin. */
static Value parse_constant(ScriptScan *scan) {
    Value value = make_other(scan);
    value.matched = (is_word(scan, WORD_this) || is_word(scan, WORD_super)) && match_first(scan);
    bool is_super = is_word(scan, WORD_super);
    next(scan);
    if (is_super && now(scan) != LEX_DOT && now(scan) != LEX_OPEN_PAREN && now(scan) != LEX_OPEN_BRACKET)
        doubt(scan);
    return value;
}

/* Words that only old scripts have as names, or that the tree has its own opinion of. */
static bool is_odd(enum Word word) {
    switch (word) {
    case WORD_await: case WORD_yield: case WORD_let: case WORD_static: case WORD_implements: case WORD_interface: case WORD_package:
    case WORD_private: case WORD_protected: case WORD_public: case WORD_async: case WORD_abstract: case WORD_accessor: case WORD_using:
        return true;
    default:
        return false;
    }
}

/* `async` as a name, where nothing follows that it could belong to. */
static Value parse_async_name(ScriptScan *scan) {
    switch (peek(scan).kind) {
    case LEX_OPEN_PAREN: case LEX_LESS: case LEX_NAME: case LEX_ARROW: case LEX_TEMPLATE:
        doubt(scan);
    }
    return parse_name(scan);
}

static Value parse_word(ScriptScan *scan) {
    static const Origin origin = NO_ORIGIN;
    Value value = make_other(scan);
    switch (scan->tokens.word) {
    case WORD_function:
        parse_function(scan, &origin, false);
        return value;
    case WORD_async:
        if (peek(scan).word != WORD_function || peek(scan).newline)
            return parse_async_name(scan);
        parse_function(scan, &origin, false);
        return value;
    case WORD_class:
        parse_class(scan, &origin, (Decorators){0});
        return value;
    case WORD_new: return parse_new(scan);
    case WORD_this: case WORD_super: case WORD_null: case WORD_true: case WORD_false:
        return parse_constant(scan);
    case WORD_import:
        parse_import_call(scan);
        return value;
    default:
        if (is_reserved(scan->tokens.word))
            fail(scan);
        else if (is_odd(scan->tokens.word))
            doubt(scan);
        return parse_name(scan);
    }
}

/* `#field in object` */
static Value parse_private(ScriptScan *scan) {
    Value value = make_other(scan);
    next(scan);
    if (!is_word(scan, WORD_in))
        fail(scan);
    return value;
}

Value parse_primary(ScriptScan *scan) {
    Value value = make_other(scan);
    switch (now(scan)) {
    case LEX_NAME: return parse_word(scan);
    case LEX_OPEN_PAREN: return parse_parentheses(scan);
    case LEX_OPEN_BRACKET: return parse_array(scan);
    case LEX_OPEN_BRACE: return parse_object(scan);
    case LEX_PRIVATE: return parse_private(scan);
    case LEX_NUMBER: case LEX_STRING:
        next(scan);
        return value;
    case LEX_TEMPLATE:
        parse_template(scan, false);
        return value;
    case LEX_SLASH: case LEX_SLASH_EQUAL:
        script_tokens_regular(&scan->tokens);
        next(scan);
        return value;
    case LEX_LESS:
        if (scan->has_jsx)
            parse_element(scan);
        else
            fail(scan);
        return value;
    default:
        fail(scan);
        return value;
    }
}
