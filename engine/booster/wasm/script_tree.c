/* script_tree.c -- the facts of a script from the syntax tree: one walk with a cursor, without recursion.
 *
 * The definitions are made in script_definitions.c. Where the grammar is known to misread a source the tier is not certain.
 */
#include "script_tree.h"

#include <string.h>

#include "arena.h"
#include "script_removal.h"

static bool is_list(enum Kind kind) {
    return kind == KIND_program || kind == KIND_statement_block || kind == KIND_switch_case || kind == KIND_switch_default;
}

/* May a statement be the body of it without braces? */
static bool has_body(enum Kind kind) {
    switch (kind) {
    case KIND_if_statement: case KIND_else_clause: case KIND_for_statement: case KIND_for_in_statement: case KIND_while_statement:
    case KIND_do_statement: case KIND_with_statement: case KIND_labeled_statement:
        return true;
    default:
        return false;
    }
}

static TSNode find_only_child(const ScriptWalk *walk, TSNode node) {
    for (u32 i = 0, count = ts_node_named_child_count(node); i < count; i++) {
        TSNode child = ts_node_named_child(node, i);
        if (kind_of(walk->language, child) != KIND_comment)
            return child;
    }
    return (TSNode){0};
}

static TSNode strip_parentheses(const ScriptWalk *walk, TSNode node) {
    while (!ts_node_is_null(node) && kind_of(walk->language, node) == KIND_parenthesized_expression)
        node = find_only_child(walk, node);
    return node;
}

/* Is it `a?.b` or `a?.()`? In TypeScript the mark of a call has no name. */
static bool is_optional(const ScriptWalk *walk, TSNode node) {
    for (u32 i = 0, count = ts_node_child_count(node); i < count; i++) {
        TSNode child = ts_node_child(node, i);
        if (kind_of(walk->language, child) == KIND_optional_chain || !strcmp(ts_node_type(child), "?."))
            return true;
    }
    return false;
}

u32 find_script_end(const ScriptWalk *walk, TSNode node) {
    for (u32 i = ts_node_child_count(node); i; i--) {
        TSNode child = ts_node_child(node, i - 1);
        if (kind_of(walk->language, child) == KIND_comment || ts_node_start_byte(child) == ts_node_end_byte(child))
            continue;
        node = child;
        i = ts_node_child_count(node) + 1;
    }
    return ts_node_end_byte(node);
}

static bool is_text(const ScriptWalk *walk, TSNode node, Text text) {
    return text_equals(text_at(walk->source, span_of(node)), text);
}

/* Is it a call of the wanted function? */
static bool is_wanted_call(const ScriptWalk *walk, TSNode call) {
    const Facts *facts = &walk->facts->base;
    TSNode arguments = field_of(walk->language, call, FIELD_arguments);
    if (kind_of(walk->language, arguments) == KIND_template_string || is_optional(walk, call))
        return false;
    TSNode node = strip_parentheses(walk, field_of(walk->language, call, FIELD_function));
    for (u32 part = facts->call_parts - 1; part; part--) {
        if (ts_node_is_null(node) || kind_of(walk->language, node) != KIND_member_expression || is_optional(walk, node))
            return false;
        if (!is_text(walk, field_of(walk->language, node, FIELD_property), facts->call[part]))
            return false;
        node = strip_parentheses(walk, field_of(walk->language, node, FIELD_object));
    }
    if (ts_node_is_null(node))
        return false;
    enum Kind kind = kind_of(walk->language, node);
    return (kind == KIND_identifier || kind == KIND_this || kind == KIND_super) && is_text(walk, node, facts->call[0]);
}

static bool is_removed_statement(const ScriptWalk *walk, TSNode statement, enum Kind kind) {
    if (kind != KIND_expression_statement)
        return false;
    TSNode value = strip_parentheses(walk, find_only_child(walk, statement));
    return !ts_node_is_null(value) && kind_of(walk->language, value) == KIND_call_expression && is_wanted_call(walk, value);
}

static void note_removal(ScriptWalk *walk, TSNode node, ScriptFrame *frame, ScriptFrame *parent) {
    ScriptFacts *facts = walk->facts;
    frame->is_removed = parent && parent->is_removed;
    if (parent && !frame->is_removed && ts_node_is_named(node) && frame->kind != KIND_comment) {
        bool is_case = parent->kind == KIND_switch_case || parent->kind == KIND_switch_default;
        bool is_body = !is_case || frame->field == walk->language->fields[FIELD_body];
        bool is_removed = is_removed_statement(walk, node, frame->kind);
        if (is_list(parent->kind) && is_body) {
            frame->is_removed = is_removed;
            list_statement(facts, &parent->list, (Span){ts_node_start_byte(node), find_script_end(walk, node)}, is_removed);
        } else if (has_body(parent->kind) && is_removed) {
            frame->is_removed = true;
            remove_body(facts, (Span){ts_node_start_byte(node), find_script_end(walk, node)});
        }
    }
    if (is_list(frame->kind) && !frame->is_removed)
        frame->list = open_list(facts);
    if (frame->kind == KIND_call_expression && is_wanted_call(walk, node)) {
        facts->base.calls++;
        facts->base.removed_calls += frame->is_removed;
    }
}

/* `export as namespace A` */
static bool is_global_name(const ScriptWalk *walk, TSNode export) {
    return ts_node_child_count(export) > 1 && is_text(walk, ts_node_child(export, 1), (Text){(const u8 *)"as", 2});
}

static ScriptPosition find_position(const ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    ScriptPosition position = {
        .parent = parent->kind,
        .role = parent->role,
        .kind = frame->kind,
        .field = frame->field,
        .index = parent->named,
        .letter = walk->source->bytes[ts_node_start_byte(node)],
    };
    if (parent->kind == KIND_export_specifier)
        position.is_foreign = parent[-2].is_foreign;
    position.is_global = parent->kind == KIND_export_statement && frame->kind == KIND_identifier && is_global_name(walk, ts_node_parent(node));
    return position;
}

static bool is_identifier(enum Kind kind) {
    return kind == KIND_identifier || kind == KIND_type_identifier || kind == KIND_property_identifier ||
           kind == KIND_shorthand_property_identifier || kind == KIND_shorthand_property_identifier_pattern;
}

static void note_name(ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    Facts *facts = &walk->facts->base;
    if (!is_identifier(frame->kind) || !is_wanted(facts, text_at(walk->source, span_of(node))))
        return;
    enum ScriptRole role = frame->role;
    enum Shorthand shorthand = SHORT_NONE;
    if (frame->kind == KIND_shorthand_property_identifier || frame->kind == KIND_shorthand_property_identifier_pattern)
        shorthand = SHORT_PROPERTY;
    if (parent->kind == KIND_import_specifier || parent->kind == KIND_export_specifier) {
        TSNode specifier = ts_node_parent(node);
        bool has_alias = !ts_node_is_null(field_of(walk->language, specifier, FIELD_alias));
        bool is_import = parent->kind == KIND_import_specifier;
        if (!has_alias)
            shorthand = is_import ? SHORT_IMPORT : SHORT_EXPORT;
        else if (is_import && frame->field == walk->language->fields[FIELD_name])
            role = SCRIPT_FOREIGN;
    }
    note_script_reference(facts, span_of(node), role, shorthand);
}

/* Operators bind looser than a call or a dot: the grammar sometimes reads them the other way round. */
static bool binds_looser(enum Kind kind) {
    switch (kind) {
    case KIND_unary_expression: case KIND_await_expression: case KIND_binary_expression: case KIND_yield_expression:
    case KIND_ternary_expression: case KIND_update_expression:
        return true;
    default:
        return false;
    }
}

/* Words that the grammar takes for names where they begin something else: `export`, `let` and `new` at the end of a line. */
static bool is_keyword(Text name) {
    return text_is(name, "await") || text_is(name, "export") || text_is(name, "let") || text_is(name, "new");
}

/* Is it known that the grammar reads this otherwise than the language? */
static bool is_doubtful(const ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    const TSFieldId *fields = walk->language->fields;
    if (frame->kind == KIND_identifier)
        return is_keyword(text_at(walk->source, span_of(node)));
    if (!frame->field || (frame->field != fields[FIELD_function] && frame->field != fields[FIELD_object] && frame->field != fields[FIELD_constructor]))
        return false;
    if (parent->kind == KIND_with_statement)
        return false;
    if (frame->kind != KIND_non_null_expression)
        return binds_looser(frame->kind);
    enum Kind inner = kind_of(walk->language, find_only_child(walk, node));
    return binds_looser(inner) || inner == KIND_new_expression;
}

static ScriptFrame *push(ScriptWalk *walk) {
    walk->frames = facts_grow(walk->frames, walk->depth, &walk->room, sizeof(ScriptFrame));
    return &walk->frames[walk->depth++];
}

static void enter(ScriptWalk *walk) {
    TSNode node = ts_tree_cursor_current_node(&walk->cursor);
    ScriptFacts *facts = walk->facts;
    ScriptFrame *frame = push(walk), *parent = walk->depth > 1 ? frame - 1 : NULL;
    *frame = (ScriptFrame){.kind = kind_of(walk->language, node), .counted = NOWHERE, .owner = NOWHERE, .definition = NOWHERE};
    frame->field = ts_tree_cursor_current_field_id(&walk->cursor);
    frame->given = NOTHING_GIVEN;
    if (frame->kind == KIND_comment) {
        facts->comments = facts_grow(facts->comments, facts->comment_count, &facts->comment_room, sizeof(Span));
        facts->comments[facts->comment_count++] = span_of(node);
        return;
    }
    if (parent) {
        if (walk->doubt == NOWHERE && is_doubtful(walk, node, frame, parent))
            walk->doubt = ts_node_start_byte(node);
        if (facts->base.names[0].length || facts->scopes) {
            frame->role = find_script_role(walk->language, find_position(walk, node, frame, parent));
            frame->is_foreign = frame->kind == KIND_export_statement && !ts_node_is_null(field_of(walk->language, node, FIELD_source));
            note_name(walk, node, frame, parent);
        }
        parent->named += ts_node_is_named(node);
    }
    if (facts->scopes)
        note_scope(walk, node, frame, parent);
    if (facts->base.wants_definitions)
        note_script_definition(walk, node, frame, parent);
    if (facts->structure)
        note_structure(walk, node, frame, parent);
    if (facts->removal)
        note_removal(walk, node, frame, parent);
}

static void leave(ScriptWalk *walk) {
    ScriptFrame *frame = &walk->frames[--walk->depth];
    if (walk->facts->removal && is_list(frame->kind) && !frame->is_removed)
        close_list(walk->facts, &frame->list);
}

/* Leaves the nodes that lie deeper than the next one. */
static void leave_to(ScriptWalk *walk, u32 depth) {
    while (walk->depth > depth)
        leave(walk);
}

enum Status collect_script_by_tree(ScriptFacts *facts) {
    Job *job = facts->base.job;
    TSNode root;
    if (!parse_flawless(job, &root))
        return UNSURE;
    ScriptWalk walk = {.facts = facts, .language = job->language, .source = &job->source, .doubt = NOWHERE};
    walk.cursor = ts_tree_cursor_new(root);
    u32 depth = 0;
    do {
        leave_to(&walk, depth);
        enter(&walk);
    } while (go_next(&walk.cursor, &depth));
    leave_to(&walk, 0);
    if (walk.doubt != NOWHERE)
        return stop(job, UNSURE, "the tree may read this otherwise than JavaScript does", walk.doubt);
    sort_definitions(facts);
    if (facts->scopes)
        settle_scopes(facts->scopes);
    return DONE;
}
