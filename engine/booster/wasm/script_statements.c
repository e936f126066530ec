/* script_statements.c -- statements, and the declarations that stand among them. */
#include "script_scan.h"

/* --- lists of statements, of which some may be removed --- */

typedef struct {
    RemovalMark mark;
    u32 start;
} Listed;

static Listed begin_listed(const ScriptScan *scan) {
    return (Listed){mark_removal(scan->facts), scan->tokens.start};
}

/* Forgets what was to be removed inside of a statement that is removed as a whole. */
static void take_whole(ScriptScan *scan, const Listed *listed) {
    Facts *facts = &scan->facts->base;
    u32 calls = facts->calls;
    undo_removal(scan->facts, listed->mark);
    facts->removed_calls += calls - listed->mark.calls;
    facts->calls = calls;
}

static void parse_listed(ScriptScan *scan, StatementList *list, enum Kind kind) {
    Listed listed = begin_listed(scan);
    scan->list = kind;
    bool is_removed = parse_statement(scan, NOWHERE);
    if (!scan->facts->removal || has_failed(scan))
        return;
    if (is_removed)
        take_whole(scan, &listed);
    list_statement(scan->facts, list, (Span){listed.start, scan->tokens.last_end}, is_removed);
}

/* A statement that is the body of another. */
static void parse_body(ScriptScan *scan) {
    Listed listed = begin_listed(scan);
    /* The tree has its own opinion of declarations that stand there. */
    switch (scan->tokens.word) {
    case WORD_class: case WORD_const: case WORD_let: case WORD_import: case WORD_export: case WORD_function: case WORD_async:
        doubt(scan);
    }
    scan->list = KIND_none;
    scan->place.is_listed = false;
    if (!parse_statement(scan, NOWHERE) || !scan->facts->removal || has_failed(scan))
        return;
    take_whole(scan, &listed);
    remove_body(scan->facts, (Span){listed.start, scan->tokens.last_end});
}

static StatementList begin_list(ScriptScan *scan) {
    return scan->facts->removal ? open_list(scan->facts) : (StatementList){0};
}

static void end_list(ScriptScan *scan, StatementList *list) {
    if (scan->facts->removal && !has_failed(scan))
        close_list(scan->facts, list);
}

void parse_statements(ScriptScan *scan) {
    StatementList list = begin_list(scan);
    Listing listing = begin_listing(scan);
    bool has_hashbang = !scan->depth && scan->tokens.last_end && scan->tokens.bytes[0] == '#' && scan->tokens.bytes[1] == '!';
    if (has_hashbang && scan->facts->removal)
        list_statement(scan->facts, &list, (Span){0, scan->tokens.last_end}, false);
    while (now(scan) != LEX_CLOSE_BRACE && now(scan) != LEX_END && !has_failed(scan)) {
        begin_place(scan, &listing);
        parse_listed(scan, &list, KIND_statement_block);
        end_place(scan, &listing);
    }
    end_list(scan, &list);
}

/* --- control --- */

static void parse_condition(ScriptScan *scan) {
    expect(scan, LEX_OPEN_PAREN);
    Context around = enclose(scan);
    parse_expression(scan);
    scan->context = around;
    expect(scan, LEX_CLOSE_PAREN);
}

static void parse_if(ScriptScan *scan) {
    bool is_chained;
    do {
        count_branches(scan, 1);
        next(scan);
        parse_condition(scan);
        parse_body(scan);
        bool has_else = accept_word(scan, WORD_else);
        is_chained = has_else && is_word(scan, WORD_if);
        if (has_else && !is_chained)
            parse_body(scan);
    } while (is_chained);
}

static void parse_loop_body(ScriptScan *scan) {
    bool in_loop = scan->context.in_loop;
    scan->context.in_loop = true;
    parse_body(scan);
    scan->context.in_loop = in_loop;
}

static void parse_while(ScriptScan *scan) {
    count_branches(scan, 1);
    next(scan);
    parse_condition(scan);
    parse_loop_body(scan);
}

static void parse_with(ScriptScan *scan) {
    if (scan->variables)
        scan->variables->is_dark = true;
    next(scan);
    parse_condition(scan);
    parse_body(scan);
}

static void parse_do(ScriptScan *scan) {
    count_branches(scan, 1);
    next(scan);
    parse_loop_body(scan);
    expect_word(scan, WORD_while);
    parse_condition(scan);
    if (!accept(scan, LEX_SEMICOLON) && now(scan) != LEX_CLOSE_BRACE && now(scan) != LEX_END && (!scan->tokens.newline || !may_end_here(scan)))
        doubt(scan);
}

static bool begins_declaration(ScriptScan *scan) {
    if (is_word(scan, WORD_var) || is_word(scan, WORD_const))
        return true;
    if (!is_word(scan, WORD_let))
        return false;
    ScriptTokens following = peek(scan);
    bool is_name = following.kind == LEX_NAME && following.word != WORD_in && following.word != WORD_of && following.word != WORD_instanceof;
    if (!is_name && following.kind != LEX_OPEN_BRACKET && following.kind != LEX_OPEN_BRACE)
        doubt(scan);
    return true;
}

static bool is_each(const ScriptScan *scan) {
    return is_word(scan, WORD_of) || is_word(scan, WORD_in);
}

/* What stands in the head of a loop up to its `of` or `in`, or its first semicolon. Gives the number of its declaration. */
static u32 parse_for_begin(ScriptScan *scan) {
    u32 start = scan->tokens.start, variables = NOWHERE;
    if (now(scan) == LEX_SEMICOLON)
        return NOWHERE;
    if (is_word(scan, WORD_using) || is_word(scan, WORD_await) || is_word(scan, WORD_async))
        doubt(scan);
    if (begins_declaration(scan)) {
        variables = note_variables(scan, KIND_for_statement);
        next(scan);
        if (!parse_declarators(scan, start, variables) && is_each(scan))
            doubt(scan);
        return variables;
    }
    Value value = parse_head(scan);
    if (value.form == FORM_CALL && scan->facts->removal)
        doubt(scan);
    if (!is_each(scan)) {
        if (value.is_pattern)
            fail(scan);
        return NOWHERE;
    }
    if (value.form == FORM_PATTERN)
        bind_names_since(scan, value.references);
    else if (value.form == FORM_NAME && value.reference)
        scan->facts->base.references[value.reference - 1].kind = REFERENCE_DEFINITION;
    if (value.form < FORM_NAME || value.in_parentheses || value.is_chain)
        doubt(scan);
    return NOWHERE;
}

static void parse_each(ScriptScan *scan, u32 variables) {
    bool is_of = is_word(scan, WORD_of);
    next(scan);
    if (is_of)
        parse_assignment(scan);
    else
        parse_expression(scan);
    note_each(scan, variables);
}

static void parse_for_rest(ScriptScan *scan) {
    expect(scan, LEX_SEMICOLON);
    if (now(scan) != LEX_SEMICOLON && parse_expression(scan).form == FORM_CALL && scan->facts->removal)
        doubt(scan);
    expect(scan, LEX_SEMICOLON);
    if (now(scan) != LEX_CLOSE_PAREN)
        parse_expression(scan);
}

static void parse_for(ScriptScan *scan) {
    Opened opened = open_scope(scan, SCOPE_BLOCK, scan->tokens.start);
    scan->place.is_listed = false;
    count_branches(scan, 1);
    next(scan);
    bool is_await = accept_word(scan, WORD_await);
    expect(scan, LEX_OPEN_PAREN);
    Context around = enclose(scan);
    scan->context.no_in = true;
    u32 variables = parse_for_begin(scan);
    scan->context.no_in = false;
    if (is_await && !is_word(scan, WORD_of))
        fail(scan);
    if (is_each(scan))
        parse_each(scan, variables);
    else
        parse_for_rest(scan);
    scan->context = around;
    expect(scan, LEX_CLOSE_PAREN);
    parse_loop_body(scan);
    close_scope(scan, opened);
}

static void parse_case(ScriptScan *scan) {
    if (!accept_word(scan, WORD_default)) {
        count_branches(scan, 1);
        expect_word(scan, WORD_case);
        Context around = enclose(scan);
        parse_expression(scan);
        scan->context = around;
    }
    expect(scan, LEX_COLON);
    StatementList list = begin_list(scan);
    while (now(scan) != LEX_CLOSE_BRACE && !is_word(scan, WORD_case) && !is_word(scan, WORD_default) && !has_failed(scan)) {
        scan->place.is_listed = false;
        parse_listed(scan, &list, KIND_switch_case);
    }
    end_list(scan, &list);
}

static void parse_switch(ScriptScan *scan) {
    Opened opened = open_scope(scan, SCOPE_BLOCK, scan->tokens.start);
    next(scan);
    parse_condition(scan);
    expect(scan, LEX_OPEN_BRACE);
    Context around = enclose(scan);
    while (now(scan) != LEX_CLOSE_BRACE && !has_failed(scan))
        parse_case(scan);
    scan->context = around;
    next(scan);
    close_scope(scan, opened);
}

static void parse_catch(ScriptScan *scan) {
    Opened opened = open_scope(scan, SCOPE_BLOCK, scan->tokens.start);
    count_branches(scan, 1);
    next(scan);
    if (accept(scan, LEX_OPEN_PAREN)) {
        Context around = enclose(scan);
        scan->context.bound = BOUND_HERE;
        parse_pattern(scan);
        parse_annotation(scan);
        scan->context = around;
        expect(scan, LEX_CLOSE_PAREN);
    }
    parse_scoped_block(scan);
    close_scope(scan, opened);
}

static void parse_try(ScriptScan *scan) {
    next(scan);
    parse_scoped_block(scan);
    bool has_catch = is_word(scan, WORD_catch);
    if (has_catch)
        parse_catch(scan);
    if (accept_word(scan, WORD_finally))
        parse_scoped_block(scan);
    else if (!has_catch)
        fail(scan);
}

/* `return`, `throw` */
static void parse_result_statement(ScriptScan *scan) {
    bool needs_value = is_word(scan, WORD_throw);
    next(scan);
    bool is_bare = now(scan) == LEX_SEMICOLON || now(scan) == LEX_CLOSE_BRACE || now(scan) == LEX_END;
    if (needs_value && (is_bare || scan->tokens.newline))
        fail(scan);
    if (!is_bare && scan->tokens.newline && !may_end_here(scan))
        doubt(scan);
    if (!is_bare && !scan->tokens.newline)
        parse_expression(scan);
    end_statement(scan);
}

/* `break`, `continue`, `debugger` */
static void parse_jump(ScriptScan *scan) {
    bool may_have_label = !is_word(scan, WORD_debugger);
    next(scan);
    if (may_have_label && now(scan) == LEX_NAME && !is_reserved(scan->tokens.word) && !scan->tokens.newline)
        next(scan);
    end_statement(scan);
}

static void parse_variable(ScriptScan *scan, u32 head) {
    u32 variables = note_variables(scan, scan->list);
    next(scan);
    parse_declarators(scan, head, variables);
    end_statement(scan);
}

/* A name or the comment of the statement is that of what is assigned to, unless more follows. */
static bool parse_expression_statement(ScriptScan *scan, u32 head) {
    ScriptFacts *facts = scan->facts;
    u32 definitions = facts->definition_count, start = scan->tokens.start;
    scan->origin = (Origin){.head = head, .start = NOWHERE, .stand = STAND_ASSIGNMENT};
    Value value = parse_item(scan);
    if (value.is_pattern)
        fail(scan);
    if (now(scan) == LEX_COMMA) {
        for (u32 i = definitions; i < facts->definition_count; i++)
            if (facts->definitions[i].start == start)
                facts->definitions[i].head = NOWHERE;
        demote(scan, definitions, STAND_ASSIGNMENT);
        next(scan);
        parse_expression(scan);
        value.form = FORM_OTHER;
    }
    end_statement(scan);
    return value.form == FORM_CALL;
}

static void parse_labelled(ScriptScan *scan) {
    next(scan);
    next(scan);
    parse_body(scan);
}

typedef void (*Parse)(ScriptScan *scan);

static void parse_nested(ScriptScan *scan, Parse parse) {
    u32 nesting = scan->nesting;
    nest(scan);
    parse(scan);
    scan->nesting = nesting;
}

static void parse_decorated(ScriptScan *scan, u32 head) {
    u32 counted = scan->counted;
    scan->counted = NOWHERE;
    Decorators decorators = parse_decorators(scan);
    scan->counted = counted;
    scan->place.own = scan->place.inner = scan->tokens.start;
    Origin origin = {.start = NOWHERE, .head = head};
    if (is_word(scan, WORD_export))
        parse_export(scan, decorators);
    else
        parse_class(scan, &origin, decorators);
}

static void parse_declared(ScriptScan *scan, u32 head) {
    Origin origin = {.start = NOWHERE, .head = head};
    if (is_word(scan, WORD_class))
        parse_class(scan, &origin, (Decorators){0});
    else
        parse_function(scan, &origin, true);
}

/* A statement that its first word tells; false if it does not. */
static bool parse_by_word(ScriptScan *scan, u32 head) {
    switch (scan->tokens.word) {
    case WORD_if: parse_nested(scan, parse_if); return true;
    case WORD_for: parse_nested(scan, parse_for); return true;
    case WORD_while: parse_nested(scan, parse_while); return true;
    case WORD_with: parse_nested(scan, parse_with); return true;
    case WORD_do: parse_nested(scan, parse_do); return true;
    case WORD_switch: parse_nested(scan, parse_switch); return true;
    case WORD_try: parse_nested(scan, parse_try); return true;
    case WORD_return: case WORD_throw: parse_result_statement(scan); return true;
    case WORD_break: case WORD_continue: case WORD_debugger: parse_jump(scan); return true;
    case WORD_function: case WORD_class: parse_declared(scan, head); return true;
    case WORD_export: parse_export(scan, (Decorators){0}); return true;
    default: return false;
    }
}

/* Statements whose first word may also begin an expression; false if it does. */
static bool parse_by_words(ScriptScan *scan, u32 head) {
    ScriptTokens following = peek(scan);
    switch (scan->tokens.word) {
    case WORD_const: case WORD_var: case WORD_let:
        if (is_word(scan, WORD_const) && following.word == WORD_enum)
            break;
        if (begins_declaration(scan))
            parse_variable(scan, head);
        return true;
    case WORD_import:
        if (following.kind == LEX_OPEN_PAREN || following.kind == LEX_DOT)
            return false;
        parse_import(scan);
        return true;
    case WORD_async:
        if (following.word != WORD_function || following.newline)
            return false;
        parse_declared(scan, head);
        return true;
    default:
        break;
    }
    if (parse_typed_statement(scan, &following, head))
        return true;
    if (following.kind != LEX_COLON || is_reserved(scan->tokens.word))
        return false;
    parse_labelled(scan);
    return true;
}

static bool parse_word_statement(ScriptScan *scan, u32 head) {
    bool is_known = parse_by_word(scan, head);
    if (!is_known && !has_failed(scan))
        is_known = parse_by_words(scan, head);
    return !is_known && parse_expression_statement(scan, head);
}

bool parse_statement(ScriptScan *scan, u32 head) {
    if (!descend(scan))
        return false;
    bool is_removable = false;
    head = head == NOWHERE ? scan->tokens.start : head;
    switch (now(scan)) {
    case LEX_NAME: is_removable = parse_word_statement(scan, head); break;
    case LEX_OPEN_BRACE: parse_scoped_block(scan); break;
    case LEX_SEMICOLON: next(scan); break;
    case LEX_AT: parse_decorated(scan, head); break;
    case LEX_TEMPLATE: doubt(scan); break; /* the tree takes some for the rest of what is before */
    default: is_removable = parse_expression_statement(scan, head);
    }
    ascend(scan);
    return is_removable;
}
