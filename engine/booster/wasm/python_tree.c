/* python_tree.c -- the facts of Python from the syntax tree: one walk with a cursor, without recursion.
 *
 * tree-sitter takes more for Python than Python does (it knows Python 2, too): where it met such a thing the
 * tier is not certain.
 */
#include <string.h>

#include "arena.h"
#include "python_facts.h"
#include "python_removal.h"
#include "python_roles.h"

/* One node on the way from the root. */
typedef struct {
    enum Kind kind;
    enum Role role;
    u32 definition; /* of a definition: its own number */
    u32 owner;      /* the definition whose body this is in, or NOWHERE */
    u32 counted;    /* the function whose figures this adds to, or NOWHERE */
    u32 nesting;
    u32 block;  /* of a block, when statements are removed */
    u32 named;  /* how many named children have been seen */
    u32 end;    /* where it ends in the source */
    bool after_semicolon, is_removed, has_bare_case;
} Frame;

typedef struct {
    Facts *facts;
    const Language *language;
    const Source *source;
    TSTreeCursor cursor;
    Frame *frames;
    u32 depth, room;
    u32 statement_end;   /* of the last simple statement */
    u32 first_decorator; /* of the decorated definition that was entered last */
    u32 doubt;           /* where something stands that Python may not take, or NOWHERE */
} Walk;

static bool is_simple_statement(enum Kind kind) {
    switch (kind) {
    case KIND_assert_statement: case KIND_break_statement: case KIND_continue_statement: case KIND_delete_statement:
    case KIND_expression_statement: case KIND_future_import_statement: case KIND_global_statement:
    case KIND_import_from_statement: case KIND_import_statement: case KIND_nonlocal_statement: case KIND_pass_statement:
    case KIND_raise_statement: case KIND_return_statement: case KIND_type_alias_statement:
        return true;
    default:
        return false;
    }
}

static bool nests(enum Kind kind) {
    return kind == KIND_if_statement || kind == KIND_for_statement || kind == KIND_while_statement ||
           kind == KIND_try_statement || kind == KIND_with_statement || kind == KIND_match_statement;
}

static bool is_definition(enum Kind kind) {
    return kind == KIND_function_definition || kind == KIND_class_definition;
}

static bool is_loop(enum Kind kind) {
    return kind == KIND_for_statement || kind == KIND_while_statement;
}

/* By how much a node raises the complexity of the function around it; see engine/agents/code/metrics.py. */
static u32 weigh(enum Kind kind, enum Kind parent) {
    switch (kind) {
    case KIND_if_statement: case KIND_elif_clause: case KIND_conditional_expression: case KIND_boolean_operator:
    case KIND_assert_statement: case KIND_except_clause: case KIND_except_group_clause: case KIND_for_statement:
    case KIND_while_statement: case KIND_for_in_clause: case KIND_case_clause:
        return 1;
    case KIND_else_clause:
        return is_loop(parent) || parent == KIND_try_statement;
    case KIND_if_clause:
        return parent != KIND_case_clause;
    default:
        return 0;
    }
}

/* The child that is neither punctuation nor a comment, if there is just one of them. */
static bool find_only_child(const Walk *walk, TSNode node, TSNode *only) {
    u32 found = 0;
    for (u32 i = 0, count = ts_node_child_count(node); i < count; i++) {
        TSNode child = ts_node_child(node, i);
        bool is_bracket = !ts_node_is_named(child) && strchr("()", walk->source->bytes[ts_node_start_byte(child)]);
        if (is_bracket || kind_of(walk->language, child) == KIND_comment)
            continue;
        *only = child;
        found++;
    }
    return found == 1;
}

static TSNode strip_parentheses(const Walk *walk, TSNode node) {
    TSNode inner;
    while (kind_of(walk->language, node) == KIND_parenthesized_expression && find_only_child(walk, node, &inner))
        node = inner;
    return node;
}

/* Is it one name or `_`, which takes everything? */
static bool is_bare_pattern(const Walk *walk, TSNode pattern) {
    TSNode only;
    while (find_only_child(walk, pattern, &only)) {
        enum Kind kind = kind_of(walk->language, only);
        if (!ts_node_is_named(only))
            return walk->source->bytes[ts_node_start_byte(only)] == '_';
        if (kind == KIND_identifier)
            return true;
        bool is_group = kind == KIND_tuple_pattern || kind == KIND_case_pattern;
        if (!is_group && kind != KIND_dotted_name)
            return false;
        pattern = only;
    }
    return false;
}

static bool is_bare_case(const Walk *walk, TSNode clause) {
    TSNode pattern = {0};
    for (u32 i = 0, count = ts_node_child_count(clause); i < count; i++) {
        TSNode child = ts_node_child(clause, i);
        u8 byte = walk->source->bytes[ts_node_start_byte(child)];
        if (kind_of(walk->language, child) == KIND_case_pattern)
            pattern = child;
        else if (!ts_node_is_named(child) && byte == ',')
            return false;
    }
    return pattern.id && is_bare_pattern(walk, pattern);
}

/* Is a string plain text: not bytes, and nothing to be filled in? */
static bool is_text(const Walk *walk, TSNode string) {
    for (u32 at = ts_node_start_byte(string); at < walk->source->length; at++) {
        u8 byte = walk->source->bytes[at] | 32;
        if (byte == 'b' || byte == 'f' || byte == 't')
            return false;
        if (byte != 'r' && byte != 'u')
            return true;
    }
    return false;
}

static bool is_docstring(const Walk *walk, TSNode statement) {
    TSNode value;
    if (kind_of(walk->language, statement) != KIND_expression_statement || !find_only_child(walk, statement, &value))
        return false;
    value = strip_parentheses(walk, value);
    if (kind_of(walk->language, value) == KIND_string)
        return is_text(walk, value);
    if (kind_of(walk->language, value) != KIND_concatenated_string)
        return false;
    for (u32 i = 0, count = ts_node_named_child_count(value); i < count; i++) {
        TSNode part = ts_node_named_child(value, i);
        if (kind_of(walk->language, part) == KIND_string && !is_text(walk, part))
            return false;
    }
    return true;
}

static u32 count_parameters(const Walk *walk, TSNode parameters) {
    u32 found = 0;
    for (u32 i = 0, count = ts_node_named_child_count(parameters); i < count; i++) {
        switch (kind_of(walk->language, ts_node_named_child(parameters, i))) {
        case KIND_identifier: case KIND_default_parameter: case KIND_typed_parameter: case KIND_typed_default_parameter:
        case KIND_list_splat_pattern: case KIND_dictionary_splat_pattern:
            found++;
            break;
        default:
            break;
        }
    }
    return found;
}

/* The first statement of a body; comments may stand before it. */
static TSNode find_first_statement(const Walk *walk, TSNode body) {
    for (u32 i = 0, count = ts_node_named_child_count(body); i < count; i++) {
        TSNode child = ts_node_named_child(body, i);
        if (kind_of(walk->language, child) != KIND_comment)
            return child;
    }
    return body;
}

static u32 enter_definition(Walk *walk, TSNode node, enum Kind kind, const Frame *parent) {
    TSNode body = field_of(walk->language, node, FIELD_body);
    TSNode first = find_first_statement(walk, body);
    bool is_decorated = parent->kind == KIND_decorated_definition;
    u32 decorators = walk->facts->decorator_count;
    Definition definition = {
        .name = span_of(field_of(walk->language, node, FIELD_name)),
        .parent = parent->owner,
        .start = ts_node_start_byte(node),
        .first_decorator = is_decorated ? walk->first_decorator : decorators,
        .decorator_count = is_decorated ? decorators - walk->first_decorator : 0,
        .complexity = 1,
        .is_class = kind == KIND_class_definition,
        .is_async = kind == KIND_function_definition && walk->source->bytes[ts_node_start_byte(node)] == 'a',
        .has_docstring = is_docstring(walk, first),
    };
    if (!definition.is_class)
        definition.parameters = count_parameters(walk, field_of(walk->language, node, FIELD_parameters));
    return add_definition(walk->facts, definition);
}

/* Is it a call of the wanted function? */
static bool is_wanted_call(const Walk *walk, TSNode call) {
    const Facts *facts = walk->facts;
    TSNode node = strip_parentheses(walk, field_of(walk->language, call, FIELD_function));
    for (u32 part = facts->call_parts - 1; part; part--) {
        if (kind_of(walk->language, node) != KIND_attribute)
            return false;
        TSNode name = field_of(walk->language, node, FIELD_attribute);
        if (!text_equals(text_at(walk->source, span_of(name)), facts->call[part]))
            return false;
        node = strip_parentheses(walk, field_of(walk->language, node, FIELD_object));
    }
    return kind_of(walk->language, node) == KIND_identifier &&
           text_equals(text_at(walk->source, span_of(node)), facts->call[0]);
}

/* Is a statement nothing but such a call? */
static bool is_removed_statement(const Walk *walk, TSNode statement, enum Kind kind) {
    TSNode value;
    if (kind != KIND_expression_statement || !find_only_child(walk, statement, &value))
        return false;
    value = strip_parentheses(walk, value);
    return kind_of(walk->language, value) == KIND_call && is_wanted_call(walk, value);
}

/* Tells the removal of a statement, or of the semicolon between two, in a block. */
static void note_in_block(Walk *walk, TSNode node, Frame *frame, Frame *block) {
    Facts *facts = walk->facts;
    u32 start = ts_node_start_byte(node);
    if (!is_simple_statement(frame->kind)) {
        bool is_semicolon = !ts_node_is_named(node) && walk->source->bytes[start] == ';';
        block->after_semicolon |= is_semicolon;
        if (!is_semicolon && frame->kind != KIND_comment)
            removal_add_compound(facts, block->block);
        return;
    }
    if (!block->after_semicolon)
        removal_open_line(facts, block->block, find_line_start(walk->source, start));
    block->after_semicolon = false;
    frame->is_removed = is_removed_statement(walk, node, frame->kind);
    removal_add_statement(facts, span_of(node), frame->is_removed);
}

/* A semicolon may also end a line: the statement behind it then stands on a line of its own. */
static bool starts_line(const Source *source, u32 at) {
    while (at && strchr(" \t\f", source->bytes[at - 1]))
        at--;
    return !at || source->bytes[at - 1] == '\n' || source->bytes[at - 1] == '\r';
}

static void note_removal(Walk *walk, TSNode node, Frame *frame, Frame *parent) {
    Facts *facts = walk->facts;
    bool in_block = parent && (parent->kind == KIND_block || parent->kind == KIND_module);
    frame->is_removed = parent && parent->is_removed;
    if (in_block) {
        if (parent->after_semicolon && starts_line(walk->source, ts_node_start_byte(node)))
            parent->after_semicolon = false;
        note_in_block(walk, node, frame, parent);
    }
    if (frame->kind == KIND_block || frame->kind == KIND_module)
        frame->block = removal_open_block(facts, frame->kind == KIND_module);
    if (frame->kind == KIND_call && is_wanted_call(walk, node)) {
        facts->calls++;
        facts->removed_calls += frame->is_removed;
    }
}

/* `10L`, `0777` */
static bool is_old_number(const u8 *text, u32 length) {
    bool is_decimal = length > 1 && text[0] == '0' && (text[1] == '_' || (text[1] >= '0' && text[1] <= '9'));
    for (u32 i = 1; i < length && is_decimal; i++)
        if (text[i] != '0' && text[i] != '_')
            return true;
    return (text[length - 1] | 32) == 'l';
}

/* Does LibCST take it? Statements, comparisons and numbers of Python 2 are in the grammar too; `(x): int` is
 * Python, but LibCST refuses it. */
static bool is_doubtful(const Walk *walk, TSNode node, const Frame *frame, const Frame *parent) {
    const u8 *text = walk->source->bytes + ts_node_start_byte(node);
    u32 length = ts_node_end_byte(node) - ts_node_start_byte(node);
    switch (frame->kind) {
    case KIND_print_statement: case KIND_exec_statement: case KIND_chevron:
        return true;
    case KIND_tuple_pattern:
        return parent->kind == KIND_parameters || parent->kind == KIND_lambda_parameters || parent->kind == KIND_default_parameter;
    case KIND_integer:
        return is_old_number(text, length);
    case KIND_assignment:
        return text[0] == '(' && ts_node_child_by_field_id(node, walk->language->fields[FIELD_type]).id;
    case KIND_none:
        if (ts_node_is_named(node))
            return false;
        return (parent->kind == KIND_comparison_operator && length == 2 && !memcmp(text, "<>", 2)) ||
               (text[0] == ',' && parent->kind == KIND_except_clause);
    default:
        return false;
    }
}

static void count_figures(Walk *walk, TSNode node, Frame *frame, Frame *parent) {
    if (frame->counted == NOWHERE)
        return;
    Definition *function = &walk->facts->definitions[frame->counted];
    function->complexity += weigh(frame->kind, parent->kind);
    function->nesting = MAX(function->nesting, frame->nesting);
    if (frame->kind == KIND_case_clause && !parent->has_bare_case && is_bare_case(walk, node)) {
        /* The clause stands in the block of its match. */
        parent->has_bare_case = true;
        function->complexity--;
    }
    if (frame->kind == KIND_assert_statement)
        frame->counted = NOWHERE;
}

static void note_definitions(Walk *walk, TSNode node, Frame *frame, Frame *parent, TSFieldId field) {
    if (parent && is_definition(parent->kind)) {
        bool in_body = field == walk->language->fields[FIELD_body];
        const Definition *outer = &walk->facts->definitions[parent->definition];
        frame->owner = in_body ? parent->definition : parent->owner;
        frame->counted = in_body && !outer->is_class ? parent->definition : NOWHERE;
        frame->nesting = 0;
    }
    frame->nesting += nests(frame->kind);
    if (frame->kind == KIND_decorated_definition)
        walk->first_decorator = walk->facts->decorator_count;
    else if (parent && parent->kind == KIND_decorator && ts_node_is_named(node) && frame->kind != KIND_comment)
        add_decorator(walk->facts, span_of(node));
    else if (is_definition(frame->kind)) {
        frame->definition = enter_definition(walk, node, frame->kind, parent);
        frame->counted = NOWHERE;
    } else if (parent)
        count_figures(walk, node, frame, parent);
}

static Frame *push(Walk *walk) {
    walk->frames = facts_grow(walk->frames, walk->depth, &walk->room, sizeof(Frame));
    return &walk->frames[walk->depth++];
}

static void enter(Walk *walk) {
    TSNode node = ts_tree_cursor_current_node(&walk->cursor);
    TSFieldId field = ts_tree_cursor_current_field_id(&walk->cursor);
    Frame *frame = push(walk), *parent = walk->depth > 1 ? frame - 1 : NULL;
    *frame = (Frame){.kind = kind_of(walk->language, node), .owner = NOWHERE, .counted = NOWHERE, .end = ts_node_end_byte(node)};
    if (parent) {
        frame->owner = parent->owner;
        frame->counted = parent->counted;
        frame->nesting = parent->nesting;
        Position position = {parent->kind, parent->role, frame->kind, field, parent->named};
        frame->role = find_role(walk->language, position);
        /* In a pattern one name is bound, but a dotted one is a value. */
        if (frame->kind == KIND_dotted_name && frame->role == ROLE_PATTERN && ts_node_named_child_count(node) > 1)
            frame->role = ROLE_USE;
        parent->named += ts_node_is_named(node) && frame->kind != KIND_comment;
        if (walk->doubt == NOWHERE && is_doubtful(walk, node, frame, parent))
            walk->doubt = ts_node_start_byte(node);
    }
    if (walk->facts->wants_definitions)
        note_definitions(walk, node, frame, parent, field);
    if (walk->facts->call)
        note_removal(walk, node, frame, parent);
    /* `__future__` is a token of its own in this grammar. */
    bool is_future = parent && parent->kind == KIND_future_import_statement && !ts_node_is_named(node);
    bool is_name = frame->kind == KIND_identifier || is_future;
    if (is_name && is_wanted(walk->facts, text_at(walk->source, span_of(node))))
        note_reference(walk->facts, span_of(node), frame->role);
}

static void leave(Walk *walk) {
    const Frame *frame = &walk->frames[--walk->depth];
    if (is_simple_statement(frame->kind))
        walk->statement_end = frame->end;
    else if (is_definition(frame->kind) && walk->facts->wants_definitions)
        walk->facts->definitions[frame->definition].end = walk->statement_end;
}

/* Leaves the nodes that lie deeper than the next one. */
static void leave_to(Walk *walk, u32 depth) {
    while (walk->depth > depth)
        leave(walk);
}

/* Where a line is indented by a tab behind a blank, or NOWHERE: Python goes on to the next eighth column, the grammar by eight. */
static u32 find_odd_tab(const Source *source) {
    bool is_indent = true;
    for (u32 at = 0; at < source->length; at++) {
        u8 byte = source->bytes[at];
        if (is_indent && byte == '\t' && at && source->bytes[at - 1] == ' ')
            return at;
        is_indent = byte == '\n' || byte == '\r' || (is_indent && (byte == ' ' || byte == '\t'));
    }
    return NOWHERE;
}

enum Status collect_by_tree(Facts *facts) {
    Job *job = facts->job;
    TSNode root;
    u32 tab = find_odd_tab(&job->source);
    if (tab != NOWHERE)
        return stop(job, UNSURE, "the tree may read this indentation otherwise than Python does", tab);
    if (!parse_flawless(job, &root))
        return UNSURE;
    Walk walk = {.facts = facts, .language = job->language, .source = &job->source, .doubt = NOWHERE};
    walk.cursor = ts_tree_cursor_new(root);
    u32 depth = 0;
    do {
        leave_to(&walk, depth);
        enter(&walk);
    } while (go_next(&walk.cursor, &depth));
    leave_to(&walk, 0);
    if (walk.doubt != NOWHERE)
        return stop(job, UNSURE, "Python may not take this", walk.doubt);
    return DONE;
}
