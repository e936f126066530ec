/* script_objects.c -- arrays and objects, which may turn out to be patterns. */
#include "script_scan.h"

/* Takes one part of an array or object into account: may the whole still be a pattern? */
static void join_part(Value *whole, const Value *part) {
    if (part->form < FORM_DEFAULTED || part->in_parentheses || part->is_chain)
        whole->form = FORM_OTHER;
    whole->is_pattern |= part->is_pattern;
}

static Value begin_whole(ScriptScan *scan) {
    Value whole = {.form = FORM_PATTERN, .references = scan->facts->base.reference_count};
    next(scan);
    return whole;
}

/* Behind `...`: the rest of a pattern has no default and is the last. */
static void parse_spread(ScriptScan *scan, Value *whole, enum ScriptToken close) {
    Value part = parse_item(scan);
    if (part.form < FORM_NAME || now(scan) != close)
        whole->form = FORM_OTHER;
    join_part(whole, &part);
}

Value parse_array(ScriptScan *scan) {
    Value whole = begin_whole(scan);
    Context around = enclose(scan);
    while (now(scan) != LEX_CLOSE_BRACKET && !has_failed(scan)) {
        if (accept(scan, LEX_COMMA))
            continue;
        if (accept(scan, LEX_ELLIPSIS))
            parse_spread(scan, &whole, LEX_CLOSE_BRACKET);
        else {
            Value part = parse_item(scan);
            join_part(&whole, &part);
        }
        if (now(scan) != LEX_CLOSE_BRACKET)
            expect(scan, LEX_COMMA);
    }
    scan->context = around;
    next(scan);
    return whole;
}

/* A method with its modifier, key and parameters. */
static void parse_method(ScriptScan *scan, u32 start, Key key, bool is_async, bool is_generator) {
    ScriptDefinition row = {.kind = SCRIPT_METHOD, .is_async = is_async, .name = key.name, .start = start, .head = start};
    parse_callable(scan, (Callable){.row = row, .is_generator = is_generator, .needs_body = true});
}

/* The key was a variable's name, too. */
static void parse_shorthand(ScriptScan *scan, Value *whole, Key key) {
    Facts *facts = &scan->facts->base;
    if (!key.is_name) {
        fail(scan);
        return;
    }
    if (key.reference) {
        Reference *row = &facts->references[key.reference - 1];
        row->kind = REFERENCE_USE;
        row->is_qualified = false;
        row->is_open = true;
        row->shorthand = SHORT_PROPERTY;
    }
    if (!accept(scan, LEX_EQUAL))
        return;
    if (key.reference)
        bind_names_since(scan, key.reference - 1);
    u32 references = facts->reference_count;
    parse_assignment(scan);
    release_names_since(scan, references);
    whole->is_pattern = true; /* nothing else may hold a default */
}

/* `async`, `get` or `set`, if it is no key itself. */
static enum Word parse_modifier(ScriptScan *scan) {
    enum Word word = (enum Word)scan->tokens.word;
    if (word != WORD_async && word != WORD_get && word != WORD_set)
        return WORD_none;
    ScriptTokens following = peek(scan);
    if (!is_before_member(&following))
        return WORD_none;
    if (following.newline)
        doubt(scan);
    next(scan);
    return word;
}

static void parse_property(ScriptScan *scan, Value *whole) {
    u32 start = scan->tokens.start;
    enum Word modifier = parse_modifier(scan);
    bool is_generator = accept(scan, LEX_STAR);
    if (now(scan) == LEX_PRIVATE)
        fail(scan);
    Key key = parse_key(scan);
    if (modifier || is_generator || now(scan) == LEX_OPEN_PAREN || now(scan) == LEX_LESS) {
        whole->form = FORM_OTHER;
        parse_method(scan, start, key, modifier == WORD_async, is_generator);
        return;
    }
    if (!accept(scan, LEX_COLON)) {
        parse_shorthand(scan, whole, key);
        return;
    }
    scan->origin = (Origin){.name = key.name, .start = start, .head = start, .has_name = true, .is_member = true};
    Value part = parse_item(scan);
    join_part(whole, &part);
}

Value parse_object(ScriptScan *scan) {
    Value whole = begin_whole(scan);
    Context around = enclose(scan);
    while (now(scan) != LEX_CLOSE_BRACE && !has_failed(scan)) {
        if (accept(scan, LEX_ELLIPSIS))
            parse_spread(scan, &whole, LEX_CLOSE_BRACE);
        else
            parse_property(scan, &whole);
        if (now(scan) != LEX_CLOSE_BRACE)
            expect(scan, LEX_COMMA);
    }
    scan->context = around;
    next(scan);
    return whole;
}
