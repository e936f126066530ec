/* script_classes.c -- decorators, classes and their members. */
#include "script_scan.h"

bool is_before_member(const ScriptTokens *following) {
    switch (following->kind) {
    case LEX_NAME: case LEX_STRING: case LEX_NUMBER: case LEX_PRIVATE: case LEX_OPEN_BRACKET: case LEX_STAR: case LEX_OPEN_BRACE:
        return true;
    default:
        return false;
    }
}

Decorators parse_decorators(ScriptScan *scan) {
    Facts *facts = &scan->facts->base;
    Decorators found = {.first = facts->decorator_count, .start = scan->tokens.start};
    while (now(scan) == LEX_AT) {
        u32 start = scan->tokens.end;
        next(scan);
        parse_left_hand_side(scan);
        /* Those of a class in the expression would stand between. */
        if (facts->decorator_count != found.first + found.count)
            doubt(scan);
        add_decorator(facts, (Span){start, scan->tokens.last_end});
        found.count++;
    }
    return found;
}

/* --- members --- */

typedef struct {
    Decorators decorators;
    u32 start; /* of the first decorator */
    u32 own;   /* behind the decorators */
    bool is_async, is_abstract, is_accessor;
} Member;

static bool is_typed_modifier(enum Word word) {
    switch (word) {
    case WORD_public: case WORD_private: case WORD_protected: case WORD_readonly: case WORD_override: case WORD_abstract: case WORD_declare:
        return true;
    default:
        return false;
    }
}

static bool is_modifier(const ScriptScan *scan) {
    switch (scan->tokens.word) {
    case WORD_static: case WORD_async: case WORD_get: case WORD_set: case WORD_accessor:
        return true;
    default:
        return scan->has_types && is_typed_modifier((enum Word)scan->tokens.word);
    }
}

/* Words before a key; where one could also be the key, the end of a line leaves that open. */
static void parse_modifiers(ScriptScan *scan, Member *member) {
    while (is_modifier(scan)) {
        enum Word word = (enum Word)scan->tokens.word;
        ScriptTokens following = peek(scan);
        if (!is_before_member(&following)) {
            if (following.newline || following.kind == LEX_CLOSE_BRACE)
                doubt(scan);
            return;
        }
        bool is_star_for_none = following.kind == LEX_STAR && (word == WORD_get || word == WORD_set);
        if (following.newline || is_star_for_none || word == WORD_accessor || word == WORD_declare || following.kind == LEX_OPEN_BRACE)
            doubt(scan);
        member->is_async |= word == WORD_async;
        member->is_abstract |= word == WORD_abstract;
        member->is_accessor |= word == WORD_get || word == WORD_set;
        next(scan);
    }
}

static void parse_class_method(ScriptScan *scan, const Member *member, Key key, bool is_generator) {
    ScriptDefinition row = {
        .kind = SCRIPT_METHOD,
        .is_async = member->is_async,
        .name = key.name,
        .start = member->own,
        .head = member->start,
        .first_decorator = member->decorators.first,
        .decorator_count = member->decorators.count,
        .stand = STAND_MEMBER,
    };
    parse_callable(scan, (Callable){.row = row, .is_generator = is_generator});
}

static void parse_field(ScriptScan *scan, const Member *member, Key key) {
    if (member->is_async || member->is_accessor)
        fail(scan);
    Opened opened = open_scope(scan, SCOPE_FUNCTION, scan->tokens.start);
    parse_annotation(scan);
    if (accept(scan, LEX_EQUAL)) {
        scan->origin = (Origin){
            .name = key.name,
            .start = member->own,
            .head = member->start,
            .has_name = true,
            .is_member = true,
            .first_decorator = member->decorators.first,
            .decorator_count = member->decorators.count,
            .stand = STAND_MEMBER,
        };
        if (scan->facts->structure && member->decorators.count)
            doubt(scan); /* where it begins */
        parse_assignment(scan);
    }
    close_scope(scan, opened);
    end_statement(scan);
}

static void parse_static_block(ScriptScan *scan) {
    next(scan);
    Opened opened = open_scope(scan, SCOPE_FUNCTION, scan->tokens.start);
    parse_block(scan);
    close_scope(scan, opened);
}

static void parse_class_member(ScriptScan *scan, u32 definition) {
    Member member = {.start = scan->tokens.start};
    member.decorators = parse_decorators(scan);
    member.own = scan->tokens.start;
    ScriptTokens following = peek(scan);
    if (is_word(scan, WORD_static) && following.kind == LEX_OPEN_BRACE) {
        note_member(scan, definition, (Text){0});
        parse_static_block(scan);
        return;
    }
    parse_modifiers(scan, &member);
    if (now(scan) == LEX_OPEN_BRACKET && scan->has_types && is_index_signature(scan)) {
        note_member(scan, definition, (Text){0});
        parse_index_signature(scan);
        end_statement(scan);
        return;
    }
    bool is_generator = accept(scan, LEX_STAR);
    Key key = parse_key(scan);
    note_member(scan, definition, key.name);
    if (scan->has_types && (now(scan) == LEX_QUESTION || (now(scan) == LEX_BANG && !scan->tokens.newline)))
        next(scan);
    if (now(scan) == LEX_OPEN_PAREN || now(scan) == LEX_LESS)
        parse_class_method(scan, &member, key, is_generator);
    else if (is_generator)
        fail(scan);
    else
        parse_field(scan, &member, key);
}

static void parse_members(ScriptScan *scan, u32 definition) {
    expect(scan, LEX_OPEN_BRACE);
    Context around = enclose(scan);
    scan->context.is_async = scan->context.is_generator = false;
    scan->context.in_function = true;
    while (now(scan) != LEX_CLOSE_BRACE && !has_failed(scan))
        if (!accept(scan, LEX_SEMICOLON))
            parse_class_member(scan, definition);
    scan->context = around;
    next(scan);
}

/* --- the class itself --- */

static void parse_heritage(ScriptScan *scan) {
    if (accept_word(scan, WORD_extends)) {
        Checkpoint place;
        begin_attempt(scan, &place);
        /* `extends A<B> {`: the type arguments belong to the class. */
        bool is_name = now(scan) == LEX_NAME && !is_reserved(scan->tokens.word);
        if (is_name && scan->has_types) {
            note_word(scan, REFERENCE_USE, false, SHORT_NONE);
            next(scan);
            while (accept(scan, LEX_DOT))
                take_member(scan);
            if (now(scan) == LEX_LESS)
                parse_type_arguments(scan);
            if (now(scan) != LEX_OPEN_BRACE && !is_word(scan, WORD_implements))
                fail(scan);
        } else
            fail(scan);
        if (!end_attempt(scan, &place) && parse_left_hand_side(scan).is_pattern)
            fail(scan);
    }
    if (!scan->has_types || !accept_word(scan, WORD_implements))
        return;
    do
        parse_type_name(scan);
    while (accept(scan, LEX_COMMA));
}

static Text take_class_name(ScriptScan *scan) {
    bool is_name = now(scan) == LEX_NAME && !is_reserved(scan->tokens.word);
    if (is_word(scan, WORD_implements)) {
        doubt(scan);
        return (Text){0};
    }
    Text name = is_name ? token_text(scan) : (Text){0};
    if (is_name) {
        take_word(scan, REFERENCE_DEFINITION, false);
        bind_last(scan, BOUND_ALONE);
    }
    return name;
}

void parse_class(ScriptScan *scan, const Origin *origin, Decorators decorators) {
    u32 start = scan->tokens.start;
    ScriptDefinition row = {
        .kind = SCRIPT_CLASS,
        .start = origin->start == NOWHERE ? start : origin->start,
        .head = origin->head,
        .first_decorator = decorators.count ? decorators.first : origin->first_decorator,
        .decorator_count = decorators.count ? decorators.count : origin->decorator_count,
    };
    accept_word(scan, WORD_abstract);
    expect_word(scan, WORD_class);
    /* One that is declared has its name outside, another knows its name alone. */
    bool is_declared = !origin->has_name && origin->head != NOWHERE;
    row.stand = is_declared ? STAND_DECLARATION : origin->stand;
    Opened opened = {0};
    if (!is_declared)
        opened = open_scope(scan, SCOPE_BLOCK, start);
    row.name = choose_name(origin, take_class_name(scan));
    if (is_declared)
        opened = open_scope(scan, SCOPE_BLOCK, start);
    if (!descend(scan))
        return;
    Around around = enter_definition(scan, row);
    if (scan->has_types)
        parse_type_parameters(scan);
    parse_heritage(scan);
    parse_members(scan, around.index);
    leave_definition(scan, around, scan->tokens.last_end, true);
    close_scope(scan, opened);
    ascend(scan);
}
