/* script_jsx.c -- JSX: elements among expressions.
 *
 * Inside a tag and between tags other tokens hold, so the `>` that ends a tag is not passed before it is known what
 * comes next.
 */
#include "script_scan.h"

static void next_in_tag(ScriptScan *scan) {
    script_tokens_tag(&scan->tokens);
}

/* `a:b` is no reference at all. */
static void parse_namespaced(ScriptScan *scan) {
    next_in_tag(scan);
    next_in_tag(scan);
    if (now(scan) != LEX_NAME)
        fail(scan);
    next_in_tag(scan);
}

static bool is_before_colon(ScriptScan *scan) {
    ScriptTokens tokens = scan->tokens;
    script_tokens_tag(&tokens);
    return tokens.kind == LEX_COLON;
}

/* `a`, `a-b`, `a:b` or `A.B` */
static void parse_tag_name(ScriptScan *scan) {
    if (now(scan) != LEX_NAME) {
        fail(scan);
        return;
    }
    if (is_before_colon(scan)) {
        parse_namespaced(scan);
        return;
    }
    ScriptTokens following = scan->tokens;
    script_tokens_tag(&following);
    u8 first = scan->tokens.bytes[scan->tokens.start];
    bool is_attribute = following.kind != LEX_DOT && first >= 'a' && first <= 'z';
    note_word(scan, is_attribute ? REFERENCE_ATTRIBUTE : REFERENCE_USE, is_attribute, SHORT_NONE);
    next_in_tag(scan);
    while (now(scan) == LEX_DOT) {
        next_in_tag(scan);
        if (now(scan) != LEX_NAME)
            fail(scan);
        note_word(scan, REFERENCE_ATTRIBUTE, true, SHORT_NONE);
        next_in_tag(scan);
    }
}

/* `{value}` or `{}`; its last brace stays the token at hand. */
static void parse_container(ScriptScan *scan) {
    next(scan);
    if (now(scan) == LEX_CLOSE_BRACE)
        return;
    Context around = enclose(scan);
    if (accept(scan, LEX_ELLIPSIS))
        parse_assignment(scan);
    else
        parse_expression(scan);
    scan->context = around;
    if (now(scan) != LEX_CLOSE_BRACE)
        fail(scan);
}

static void parse_element_inside(ScriptScan *scan);

static void parse_attribute_value(ScriptScan *scan) {
    switch (now(scan)) {
    case LEX_STRING:
        break;
    case LEX_OPEN_BRACE: {
        ScriptTokens following = peek(scan);
        if (following.kind == LEX_CLOSE_BRACE || following.kind == LEX_ELLIPSIS)
            doubt(scan);
        parse_container(scan);
        break;
    }
    default:
        doubt(scan);
    }
    next_in_tag(scan);
}

static void parse_attribute(ScriptScan *scan) {
    if (now(scan) == LEX_OPEN_BRACE) {
        next(scan);
        expect(scan, LEX_ELLIPSIS);
        Context around = enclose(scan);
        parse_assignment(scan);
        scan->context = around;
        if (now(scan) != LEX_CLOSE_BRACE)
            fail(scan);
        next_in_tag(scan);
        return;
    }
    if (now(scan) != LEX_NAME)
        fail(scan);
    else if (is_before_colon(scan))
        parse_namespaced(scan);
    else {
        note_word(scan, REFERENCE_ATTRIBUTE, true, SHORT_NONE);
        next_in_tag(scan);
    }
    if (now(scan) == LEX_EQUAL) {
        next_in_tag(scan);
        parse_attribute_value(scan);
    }
}

/* Children up to the closing tag, and that; its `>` stays the token at hand. */
static void parse_children(ScriptScan *scan) {
    for (;;) {
        script_tokens_jsx_text(&scan->tokens);
        if (has_failed(scan))
            return;
        if (now(scan) == LEX_OPEN_BRACE) {
            parse_container(scan);
            continue;
        }
        ScriptTokens following = scan->tokens;
        script_tokens_tag(&following);
        if (following.kind == LEX_SLASH)
            break;
        parse_element_inside(scan);
    }
    next_in_tag(scan);
    next_in_tag(scan);
    if (now(scan) != LEX_GREATER)
        parse_tag_name(scan);
}

/* An element; its last `>` stays the token at hand. */
static void parse_element_inside(ScriptScan *scan) {
    if (!descend(scan))
        return;
    next_in_tag(scan);
    bool is_fragment = now(scan) == LEX_GREATER;
    if (!is_fragment)
        parse_tag_name(scan);
    if (now(scan) == LEX_LESS)
        doubt(scan);
    while (now(scan) != LEX_GREATER && now(scan) != LEX_SLASH && !has_failed(scan))
        parse_attribute(scan);
    if (now(scan) == LEX_SLASH)
        next_in_tag(scan);
    else
        parse_children(scan);
    if (now(scan) != LEX_GREATER)
        fail(scan);
    ascend(scan);
}

void parse_element(ScriptScan *scan) {
    parse_element_inside(scan);
    next(scan);
}
