/* python_blocks.c -- the compound statements of Python: those with blocks of their own, and definitions. */
#include "python_removal.h"
#include "python_scan.h"

/* One statement more around those that follow. */
static void nest(Scan *scan) {
    scan->nesting++;
    if (scan->counted != NOWHERE) {
        Definition *function = &scan->facts->definitions[scan->counted];
        function->nesting = MAX(function->nesting, scan->nesting);
    }
}

static void read_indented(Scan *scan, Block *block, u32 removal) {
    next(scan);
    expect(scan, TOKEN_INDENT);
    note_indent(scan);
    while (now(scan) != TOKEN_DEDENT && now(scan) != TOKEN_FAILED)
        read_statement(scan, block, removal);
    next(scan);
}

Block read_block(Scan *scan) {
    Block block = {0};
    u32 removal = scan->facts->call ? removal_open_block(scan->facts, false) : 0;
    expect(scan, TOKEN_COLON);
    block.body = (Body){.head_end = scan->tokens.last_end, .doc_end = NOWHERE, .rest = NOWHERE};
    if (!descend(scan))
        return block;
    block.body.is_inline = now(scan) != TOKEN_NEWLINE;
    if (!block.body.is_inline)
        read_indented(scan, &block, removal);
    else
        read_simple_statements(scan, &block, removal);
    ascend(scan);
    block.body.is_wrapped = block.tries == 1 && block.statements == block.has_docstring + 1u;
    return block;
}

static void read_else(Scan *scan, bool counts) {
    if (!accept(scan, TOKEN_ELSE))
        return;
    count_branches(scan, counts);
    read_block(scan);
}

static void read_if(Scan *scan) {
    do {
        count_branches(scan, 1);
        if (++scan->branches > BRANCHES_MAX)
            doubt(scan);
        question_if(scan, scan->branches > STRICT_BRANCHES_MAX);
        next(scan);
        read_named_expression(scan);
        read_block(scan);
    } while (now(scan) == TOKEN_ELIF);
    read_else(scan, false);
}

static void read_loop(Scan *scan) {
    scan->strict.loops++;
    read_block(scan);
    scan->strict.loops--;
    read_else(scan, true);
}

static void read_while(Scan *scan) {
    count_branches(scan, 1);
    next(scan);
    read_named_expression(scan);
    read_loop(scan);
}

static void read_for(Scan *scan) {
    count_branches(scan, 1);
    next(scan);
    read_targets(scan);
    expect(scan, TOKEN_IN);
    read_expressions(scan);
    read_loop(scan);
}

/* One `except`; true if it takes everything and so is the last. */
static bool read_except(Scan *scan, bool *is_group) {
    count_branches(scan, 1);
    next(scan);
    question_if(scan, now(scan) == TOKEN_STAR); /* not in older Pythons; and what may stand in it is less */
    *is_group = accept(scan, TOKEN_STAR);
    bool is_bare = !*is_group && now(scan) == TOKEN_COLON;
    if (!is_bare) {
        read_expression(scan);
        if (accept(scan, TOKEN_AS)) {
            if (now(scan) != TOKEN_NAME)
                fail(scan);
            note_name(scan, REFERENCE_DEFINITION, false);
            next(scan);
        }
    }
    read_block(scan);
    return is_bare;
}

static void read_try(Scan *scan) {
    next(scan);
    read_block(scan);
    u32 handlers = 0, groups = 0;
    for (bool is_last = false; now(scan) == TOKEN_EXCEPT; handlers++) {
        bool is_group;
        if (is_last)
            fail(scan);
        is_last = read_except(scan, &is_group);
        groups += is_group;
    }
    if (groups && groups != handlers)
        fail(scan);
    if (handlers)
        read_else(scan, true);
    if (accept(scan, TOKEN_FINALLY))
        read_block(scan);
    else if (!handlers)
        fail(scan);
}

static void read_with_item(Scan *scan) {
    read_expression(scan);
    if (!accept(scan, TOKEN_AS))
        return;
    u32 references = scan->facts->reference_count;
    Value target = read_primary(scan);
    if (!is_target(target))
        fail(scan);
    bind_names(scan, references);
}

static void read_with(Scan *scan) {
    next(scan);
    /* Items in parentheses, or an expression that begins with some: the colon behind them tells. */
    Checkpoint before = save(scan);
    WithItems items = {0};
    bool begins_with_group = now(scan) == TOKEN_OPEN_PAREN;
    if (begins_with_group)
        read_parentheses(scan, &items);
    if (!begins_with_group || now(scan) != TOKEN_COLON) {
        restore(scan, &before);
        do
            read_with_item(scan);
        while (accept(scan, TOKEN_COMMA));
    }
    read_block(scan);
}

/* The head of a function behind its name. */
static void read_function_head(Scan *scan, Definition *function) {
    expect(scan, TOKEN_OPEN_PAREN);
    function->parameters = read_parameters(scan, false);
    expect(scan, TOKEN_CLOSE_PAREN);
    function->parameters_end = scan->tokens.last_end;
    if (!accept(scan, TOKEN_ARROW))
        return;
    u32 start = scan->tokens.start;
    scan->strict.annotations++;
    read_expression(scan);
    scan->strict.annotations--;
    function->returns = (Span){start, scan->tokens.last_end};
}

static void read_class_head(Scan *scan) {
    if (accept(scan, TOKEN_OPEN_PAREN))
        read_arguments(scan, true);
}

static void read_body(Scan *scan, u32 index) {
    u32 owner = scan->owner, counted = scan->counted, nesting = scan->nesting;
    scan->owner = index;
    scan->counted = scan->facts->definitions[index].is_class ? NOWHERE : index;
    scan->nesting = 0;
    Strict strict = scan->strict;
    const Definition *definition = &scan->facts->definitions[index];
    scan->strict.scope = definition->is_class ? SCOPE_CLASS : definition->is_async ? SCOPE_ASYNC : SCOPE_FUNCTION;
    scan->strict.body_depth = scan->depth + 1;
    scan->strict.loops = scan->strict.annotations = 0;
    Block block = read_block(scan);
    strict.doubt = scan->strict.doubt;
    scan->strict = strict;
    scan->owner = owner;
    scan->counted = counted;
    scan->nesting = nesting;
    Definition *read = &scan->facts->definitions[index];
    read->end = scan->statement_end;
    read->has_docstring = block.has_docstring;
    read->body = block.body;
}

/* A function or class, from `def`, `async` or `class` on; its decorators have been read. */
static void read_definition(Scan *scan, Definition definition) {
    u32 counted = scan->counted;
    scan->counted = NOWHERE; /* what is in the head counts nowhere */
    definition.start = scan->tokens.start;
    if (!definition.decorator_count)
        definition.whole_start = definition.start;
    definition.parameters_end = NOWHERE;
    definition.parent = scan->owner;
    definition.complexity = 1;
    definition.is_async = accept(scan, TOKEN_ASYNC);
    definition.is_class = now(scan) == TOKEN_CLASS;
    next(scan);
    if (now(scan) != TOKEN_NAME) {
        fail(scan);
        return;
    }
    definition.name = (Span){scan->tokens.start, scan->tokens.end};
    note_name(scan, REFERENCE_DEFINITION, false);
    next(scan);
    read_type_parameters(scan);
    if (definition.is_class)
        read_class_head(scan);
    else
        read_function_head(scan, &definition);
    scan->counted = counted;
    read_body(scan, add_definition(scan->facts, definition));
}

static void read_decorated(Scan *scan) {
    Definition definition = {.first_decorator = scan->facts->decorator_count, .whole_start = scan->tokens.start};
    u32 counted = scan->counted;
    scan->counted = NOWHERE;
    while (accept(scan, TOKEN_AT)) {
        u32 start = scan->tokens.start;
        read_named_expression(scan);
        add_decorator(scan->facts, (Span){start, scan->tokens.last_end});
        definition.decorator_count++;
        expect(scan, TOKEN_NEWLINE);
    }
    scan->counted = counted;
    bool is_definition = now(scan) == TOKEN_DEF || now(scan) == TOKEN_CLASS || now(scan) == TOKEN_ASYNC;
    if (is_definition)
        read_definition(scan, definition);
    else
        fail(scan);
}

static void read_async(Scan *scan) {
    Tokens before = scan->tokens;
    next(scan);
    if (now(scan) == TOKEN_DEF) {
        scan->tokens = before;
        read_definition(scan, (Definition){0});
    } else if (now(scan) == TOKEN_FOR) {
        question_if(scan, scan->strict.scope != SCOPE_ASYNC);
        nest(scan);
        read_for(scan);
        scan->nesting--;
    } else if (now(scan) == TOKEN_WITH) {
        question_if(scan, scan->strict.scope != SCOPE_ASYNC);
        nest(scan);
        read_with(scan);
        scan->nesting--;
    } else
        fail(scan);
}

typedef void (*Read)(Scan *scan);

static void read_nested(Scan *scan, Read read) {
    nest(scan);
    read(scan);
    scan->nesting--;
}

/* A statement with blocks of its own; false if none begins here. */
static bool read_compound(Scan *scan) {
    switch (now(scan)) {
    case TOKEN_IF: read_nested(scan, read_if); return true;
    case TOKEN_WHILE: read_nested(scan, read_while); return true;
    case TOKEN_FOR: read_nested(scan, read_for); return true;
    case TOKEN_TRY: read_nested(scan, read_try); return true;
    case TOKEN_WITH: read_nested(scan, read_with); return true;
    case TOKEN_DEF: case TOKEN_CLASS: read_definition(scan, (Definition){0}); return true;
    case TOKEN_AT: read_decorated(scan); return true;
    case TOKEN_ASYNC: read_async(scan); return true;
    default: return is_word(scan, "match") && read_match(scan);
    }
}

/* Does the statement that began there define something? Its row comes before those of what is in it. */
static bool is_definition_at(const Facts *facts, u32 definitions, u32 start) {
    return facts->definition_count > definitions && facts->definitions[definitions].whole_start == start;
}

void read_statement(Scan *scan, Block *block, u32 removal) {
    Facts *facts = scan->facts;
    u32 start = scan->tokens.start, definitions = facts->definition_count;
    bool is_try = now(scan) == TOKEN_TRY;
    begin_strictly(scan);
    if (!read_compound(scan)) {
        read_simple_statements(scan, block, removal);
        return;
    }
    scan->strict.has_begun = true;
    begin_statement(block, start);
    block->tries += is_try;
    block->statements++;
    if (facts->wants_structure && !scan->depth)
        add_statement(facts, (Span){start, scan->statement_end}, is_definition_at(facts, definitions, start) ? STATEMENT_DEFINITION : STATEMENT_OTHER);
    if (facts->call)
        removal_add_compound(facts, removal);
}
