/* script_structure.c -- where the parts of a script stand, for those who decide on edits (engine/editing/ecmascript). */
#include <string.h>

#include "arena.h"
#include "script_structure.h"
#include "script_tree.h"

/* ---- the statement or member that a definition is */

static bool is_wrapper(enum Kind parent, enum Kind child) {
    return parent == KIND_export_statement || parent == KIND_ambient_declaration ||
           (parent == KIND_expression_statement && (child == KIND_internal_module || child == KIND_module));
}

static u32 count_parts(const ScriptWalk *walk, TSNode node) {
    u32 found = 0;
    for (u32 i = 0, count = ts_node_named_child_count(node); i < count; i++)
        found += kind_of(walk->language, ts_node_named_child(node, i)) != KIND_comment;
    return found;
}

static bool is_value_kind(enum Kind kind) {
    return kind == KIND_function_expression || kind == KIND_generator_function || kind == KIND_arrow_function || kind == KIND_class;
}

/* The outermost statement, and of a variable the declaration in it; STAND_INSIDE where it stands in no list. */
static enum Stand find_statement(const ScriptWalk *walk, TSNode *node, const ScriptFrame *frame, TSNode *inner) {
    enum Stand form = is_value_kind(frame->kind) ? STAND_INSIDE : STAND_DECLARATION;
    enum Kind kind = frame->kind, parent = frame[-1].kind;
    TSNode at = *node, around = ts_node_parent(at);
    const ScriptFrame *above = frame - 1;
    if (parent == KIND_variable_declarator && frame->field == walk->language->fields[FIELD_value]) {
        around = ts_node_parent(around);
        if (count_parts(walk, around) != 1 || (above[-1].kind != KIND_lexical_declaration && above[-1].kind != KIND_variable_declaration))
            return STAND_INSIDE;
        form = STAND_VARIABLE;
        at = around, around = ts_node_parent(at), kind = above[-1].kind, above -= 2;
    } else if (parent == KIND_assignment_expression && frame->field == walk->language->fields[FIELD_right]) {
        if (above[-1].kind != KIND_expression_statement)
            return STAND_INSIDE;
        form = STAND_ASSIGNMENT;
        at = ts_node_parent(around), around = ts_node_parent(at), kind = KIND_expression_statement, above -= 2;
    } else if (parent == KIND_export_statement) {
        form = STAND_DECLARATION;
    }
    *inner = at;
    while (above->kind != KIND_program && is_wrapper(above->kind, kind))
        at = around, around = ts_node_parent(at), kind = above->kind, above--;
    *node = at;
    return above->kind == KIND_program || above->kind == KIND_statement_block ? form : STAND_INSIDE;
}

static bool is_member_value(const ScriptWalk *walk, const ScriptFrame *frame) {
    enum Kind parent = frame[-1].kind;
    return (parent == KIND_field_definition || parent == KIND_public_field_definition) && frame[-2].kind == KIND_class_body &&
           frame->field == walk->language->fields[FIELD_value];
}

/* A member of a class, from its decorators on, and where it begins itself. */
static void place_member(const ScriptWalk *walk, TSNode node, u32 start, Whole *row) {
    row->stand = STAND_MEMBER;
    row->start = start;
    row->own = row->inner = find_script_begin(walk, node);
}

static void place(const ScriptWalk *walk, TSNode node, const ScriptFrame *frame, Whole *row) {
    const ScriptDefinition *definition = &walk->facts->definitions[frame->definition];
    row->start = row->own = row->inner = definition->start;
    row->end = definition->end;
    if (frame[-1].kind == KIND_class_body) {
        place_member(walk, node, definition->head, row);
        row->end = find_script_end(walk, node);
        return;
    }
    if (is_member_value(walk, frame)) {
        TSNode field = ts_node_parent(node);
        place_member(walk, field, ts_node_start_byte(field), row);
        row->end = ts_node_end_byte(node);
        return;
    }
    TSNode statement = node, inner = node;
    row->stand = find_statement(walk, &statement, frame, &inner);
    if (row->stand == STAND_INSIDE)
        return;
    row->start = ts_node_start_byte(statement);
    row->own = find_script_begin(walk, statement);
    row->inner = find_script_begin(walk, inner);
    row->end = find_script_end(walk, statement);
}

/* ---- what is in a function */

static bool is_directive(const ScriptWalk *walk, TSNode statement) {
    if (kind_of(walk->language, statement) != KIND_expression_statement)
        return false;
    TSNode value = ts_node_named_child(statement, 0);
    return !ts_node_is_null(value) && kind_of(walk->language, value) == KIND_string;
}

static void look_into(const ScriptWalk *walk, TSNode body, Whole *row) {
    row->body = (Span){ts_node_start_byte(body), find_script_end(walk, body)};
    u32 rest = 0;
    enum Kind last = KIND_none;
    for (u32 i = 0, count = ts_node_named_child_count(body); i < count; i++) {
        TSNode child = ts_node_named_child(body, i);
        if (kind_of(walk->language, child) == KIND_comment || (!rest && is_directive(walk, child)))
            continue;
        if (!rest++)
            row->rest = ts_node_start_byte(child);
        last = kind_of(walk->language, child);
    }
    row->is_wrapped = rest == 1 && last == KIND_try_statement;
}

static void look_at_function(const ScriptWalk *walk, TSNode node, Whole *row) {
    TSNode parameters = field_of(walk->language, node, FIELD_parameters);
    TSNode returns = field_of(walk->language, node, FIELD_return_type);
    TSNode body = field_of(walk->language, node, FIELD_body);
    if (!ts_node_is_null(parameters))
        row->parameters_end = ts_node_end_byte(parameters);
    for (u32 i = 0, count = ts_node_is_null(returns) ? 0 : ts_node_named_child_count(returns); i < count; i++) {
        TSNode child = ts_node_named_child(returns, i);
        if (kind_of(walk->language, child) == KIND_comment)
            continue;
        row->returns = (Span){ts_node_start_byte(child), ts_node_end_byte(returns)};
        break;
    }
    if (!ts_node_is_null(body) && kind_of(walk->language, body) == KIND_statement_block)
        look_into(walk, body, row);
}

static bool is_function(enum DefinitionKind kind) {
    return kind == SCRIPT_FUNCTION || kind == SCRIPT_METHOD;
}

static void note_whole(ScriptWalk *walk, TSNode node, const ScriptFrame *frame) {
    ScriptStructure *structure = walk->facts->structure;
    const ScriptDefinition *definition = &walk->facts->definitions[frame->definition];
    Whole row = make_whole(definition->number);
    place(walk, node, frame, &row);
    if (is_function(definition->kind))
        look_at_function(walk, node, &row);
    structure->wholes = facts_grow(structure->wholes, structure->whole_count, &structure->whole_room, sizeof row);
    structure->wholes[structure->whole_count++] = row;
}

/* ---- members, statements and strings */

static Text find_member_name(const ScriptWalk *walk, TSNode node, enum Kind kind) {
    if (kind == KIND_class_static_block || kind == KIND_index_signature || kind == KIND_call_signature || kind == KIND_construct_signature)
        return (Text){0};
    TSNode name = field_of(walk->language, node, kind == KIND_field_definition ? FIELD_property : FIELD_name);
    return find_script_name(walk, ts_node_is_null(name) ? node : name);
}

static void note_member(ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    bool is_body = parent->kind == KIND_class_body || parent->kind == KIND_interface_body || parent->kind == KIND_enum_body;
    if (!is_body || parent[-1].definition == NOWHERE || !ts_node_is_named(node) || frame->kind == KIND_decorator)
        return;
    ScriptStructure *structure = walk->facts->structure;
    u32 number = walk->facts->definitions[parent[-1].definition].number;
    structure->members = facts_grow(structure->members, structure->member_count, &structure->member_room, sizeof(MemberName));
    structure->members[structure->member_count++] = (MemberName){number, find_member_name(walk, node, frame->kind)};
}

static void note_statement(ScriptWalk *walk, TSNode node, enum Kind kind) {
    Facts *facts = &walk->facts->base;
    enum StatementKind said = kind == KIND_import_statement || kind == KIND_import_alias ? STATEMENT_IMPORT : STATEMENT_OTHER;
    bool is_head = !facts->statement_count || facts->statements[facts->statement_count - 1].kind == STATEMENT_TEXT;
    if (is_head && is_directive(walk, node))
        said = STATEMENT_TEXT;
    add_statement(facts, (Span){ts_node_start_byte(node), find_script_end(walk, node)}, said);
}

static void note_string(ScriptWalk *walk, TSNode node) {
    Facts *facts = &walk->facts->base;
    Span span = span_of(node);
    bool is_inside = facts->string_count && span.start < facts->strings[facts->string_count - 1].end;
    if (!is_inside && (memchr(walk->source->bytes + span.start, '\n', span.end - span.start) ||
                       memchr(walk->source->bytes + span.start, '\r', span.end - span.start)))
        add_string(facts, span);
}

void note_structure(ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    if (!parent)
        return;
    if (frame->definition != NOWHERE)
        note_whole(walk, node, frame);
    note_member(walk, node, frame, parent);
    if (parent->kind == KIND_program && ts_node_is_named(node) && frame->kind != KIND_hash_bang_line)
        note_statement(walk, node, frame->kind);
    if (frame->kind == KIND_string || frame->kind == KIND_template_string || frame->kind == KIND_template_literal_type)
        note_string(walk, node);
}

/* ---- the answer */

/* The order is that of `engine.editing.ecmascript.structure.Definition`. */
static void pack_row(Buffer *answer, const ScriptDefinition *definition, const Whole *row, const u32 *places) {
    pack_array(answer, 16);
    pack_number(answer, definition->kind);
    pack_number(answer, row->stand);
    pack_text(answer, definition->name);
    pack_offset(answer, definition->parent == NOWHERE ? NOWHERE : places[definition->parent]);
    pack_bool(answer, definition->decorator_count > 0);
    pack_bool(answer, row->is_wrapped);
    pack_number(answer, row->start);
    pack_number(answer, row->own);
    pack_number(answer, row->inner);
    pack_number(answer, row->end);
    pack_span(answer, row->body);
    pack_offset(answer, row->rest);
    pack_offset(answer, row->parameters_end);
    pack_span(answer, row->returns);
}

static void pack_definitions(Buffer *answer, const ScriptFacts *facts, const u32 *places) {
    pack_array(answer, facts->definition_count);
    for (u32 i = 0; i < facts->definition_count; i++) {
        const ScriptDefinition *row = &facts->definitions[i];
        pack_row(answer, row, &facts->structure->wholes[row->number], places);
    }
}

static void pack_members(Buffer *answer, const ScriptStructure *structure, const u32 *places) {
    pack_array(answer, structure->member_count);
    for (u32 i = 0; i < structure->member_count; i++) {
        pack_array(answer, 2);
        pack_number(answer, places[structure->members[i].number]);
        pack_text(answer, structure->members[i].name);
    }
}

static void pack_statements(Buffer *answer, const Facts *facts) {
    pack_array(answer, facts->statement_count);
    for (u32 i = 0; i < facts->statement_count; i++) {
        pack_array(answer, 3);
        pack_number(answer, facts->statements[i].kind);
        pack_span(answer, facts->statements[i].span);
    }
}

/* {"definitions": [row...], "members": [[definition, name]...], "statements": [[kind, start, end]...],
 * "comments": [[start, end]...], "strings": [[start, end]...], "twice": names that are declared twice} */
enum Status find_structure_script(Job *job) {
    ScriptScopes scopes = begin_scopes();
    scopes.is_strict = true;
    ScriptStructure structure = {0};
    ScriptFacts facts = {.base = {.job = job, .wants_definitions = true}, .scopes = &scopes, .structure = &structure};
    enum Status status = collect_script(&facts);
    if (status != DONE)
        return status;
    u32 *places = arena_malloc((facts.definition_count + 1) * sizeof(u32));
    for (u32 i = 0; i < facts.definition_count; i++)
        places[facts.definitions[i].number] = i;
    Buffer *answer = &job->answer;
    pack_map(answer, 6);
    pack_key(answer, "definitions");
    pack_definitions(answer, &facts, places);
    pack_key(answer, "members");
    pack_members(answer, &structure, places);
    pack_key(answer, "statements");
    pack_statements(answer, &facts.base);
    pack_key(answer, "comments");
    pack_spans(answer, facts.comments, facts.comment_count);
    pack_key(answer, "strings");
    pack_spans(answer, facts.base.strings, facts.base.string_count);
    pack_key(answer, "twice");
    pack_number(answer, scopes.twice);
    return DONE;
}
