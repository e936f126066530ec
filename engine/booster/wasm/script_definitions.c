/* script_definitions.c -- the definitions of a script and the figures of its functions, while the tree is walked; the
 * rules are those of engine/agents/code/ecmascript/definitions.py and metrics.py. */
#include <string.h>

#include "arena.h"
#include "script_tree.h"

static bool is_class(enum Kind kind) {
    return kind == KIND_class_declaration || kind == KIND_class || kind == KIND_abstract_class_declaration;
}

/* A function or class as a value: what it is the value of names it. */
static bool is_value(enum Kind kind) {
    return kind == KIND_function_expression || kind == KIND_generator_function || kind == KIND_arrow_function || kind == KIND_class;
}

static bool is_method(enum Kind kind) {
    return kind == KIND_method_definition || kind == KIND_method_signature || kind == KIND_abstract_method_signature;
}

static bool begins_statement(enum Kind kind) {
    return kind == KIND_export_statement || kind == KIND_ambient_declaration || kind == KIND_lexical_declaration ||
           kind == KIND_variable_declaration || kind == KIND_expression_statement;
}

/* What kind of definition a node may be; -1: none. */
static int find_definition_kind(enum Kind kind, enum Kind parent) {
    switch (kind) {
    case KIND_class_declaration: case KIND_class: case KIND_abstract_class_declaration:
        return SCRIPT_CLASS;
    case KIND_function_declaration: case KIND_generator_function_declaration: case KIND_function_expression:
    case KIND_generator_function: case KIND_function_signature: case KIND_arrow_function:
        return SCRIPT_FUNCTION;
    case KIND_method_definition: case KIND_abstract_method_signature:
        return SCRIPT_METHOD;
    case KIND_method_signature:
        return parent == KIND_class_body ? SCRIPT_METHOD : -1;
    case KIND_interface_declaration:
        return SCRIPT_INTERFACE;
    case KIND_type_alias_declaration:
        return SCRIPT_TYPE;
    case KIND_enum_declaration:
        return SCRIPT_ENUM;
    case KIND_internal_module: case KIND_module:
        return SCRIPT_NAMESPACE;
    default:
        return -1;
    }
}

/* Is it a statement by itself, whose comment stands before it? */
static bool is_declaration(enum Kind kind) {
    return !is_value(kind) && !is_method(kind);
}

u32 find_script_begin(const ScriptWalk *walk, TSNode node) {
    for (u32 i = 0, count = ts_node_child_count(node); i < count; i++) {
        TSNode child = ts_node_child(node, i);
        enum Kind kind = kind_of(walk->language, child);
        if (kind != KIND_decorator && kind != KIND_comment)
            return ts_node_start_byte(child);
    }
    return ts_node_start_byte(node);
}

bool has_script_word(TSNode node, const char *word) {
    for (u32 i = 0, count = ts_node_child_count(node); i < count; i++) {
        TSNode child = ts_node_child(node, i);
        if (!ts_node_is_named(child) && !strcmp(ts_node_type(child), word))
            return true;
    }
    return false;
}

/* `a` or `a.b`, by its last word; null for what is more. */
static TSNode find_target(const ScriptWalk *walk, TSNode target) {
    if (!ts_node_is_null(target) && kind_of(walk->language, target) == KIND_member_expression)
        target = field_of(walk->language, target, FIELD_property);
    enum Kind kind = ts_node_is_null(target) ? KIND_none : kind_of(walk->language, target);
    bool is_name = kind == KIND_identifier || kind == KIND_property_identifier || kind == KIND_private_property_identifier;
    return is_name ? target : (TSNode){0};
}

static Given give_name(TSNode name, u32 head, u32 start) {
    return ts_node_is_null(name) ? NOTHING_GIVEN : (Given){.head = head, .name = name, .start = start};
}

/* The name of a function or class that is the value of something. */
static Given give_by_value(ScriptWalk *walk, const ScriptFrame *frame, const ScriptFrame *parent, TSNode around) {
    const Language *language = walk->language;
    u32 start = ts_node_start_byte(around);
    bool is_the_value = frame->field == language->fields[FIELD_value];
    switch (parent->kind) {
    case KIND_variable_declarator:
        return is_the_value ? give_name(find_target(walk, field_of(language, around, FIELD_name)), parent->given.head, start) : NOTHING_GIVEN;
    case KIND_assignment_expression:
        if (frame->field != language->fields[FIELD_right])
            return NOTHING_GIVEN;
        return give_name(find_target(walk, field_of(language, around, FIELD_left)), parent->given.head, start);
    case KIND_pair: case KIND_field_definition: case KIND_public_field_definition: {
        if (!is_the_value)
            return NOTHING_GIVEN;
        enum Field key = parent->kind == KIND_pair ? FIELD_key : parent->kind == KIND_field_definition ? FIELD_property : FIELD_name;
        Given given = give_name(field_of(language, around, key), start, find_script_begin(walk, around));
        given.is_member = true;
        given.first_decorator = parent->given.first_decorator;
        given.decorator_count = parent->given.decorator_count;
        return given;
    }
    default:
        return NOTHING_GIVEN;
    }
}

/* What a node says of its child. */
static Given give(ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    Given given = NOTHING_GIVEN;
    switch (parent->kind) {
    case KIND_lexical_declaration: case KIND_variable_declaration:
        given.head = parent->named == 1 ? parent->given.head : ts_node_start_byte(node);
        return given;
    case KIND_export_statement:
        given.is_default = has_script_word(ts_node_parent(node), "default");
        if (given.is_default || frame->field == walk->language->fields[FIELD_declaration])
            given.head = parent->given.head;
        return given;
    case KIND_ambient_declaration: case KIND_expression_statement:
        return (Given){.head = parent->given.head, .start = NOWHERE, .is_default = parent->given.is_default};
    default:
        return is_value(frame->kind) ? give_by_value(walk, frame, parent, ts_node_parent(node)) : given;
    }
}

Text find_script_name(const ScriptWalk *walk, TSNode name) {
    Text text = text_at(walk->source, span_of(name));
    if (kind_of(walk->language, name) == KIND_string && text.length > 1)
        return (Text){text.bytes + 1, text.length - 2};
    if (kind_of(walk->language, name) != KIND_computed_property_name)
        return text;
    for (u32 i = 0, count = ts_node_named_child_count(name); i < count; i++) {
        TSNode child = ts_node_named_child(name, i);
        if (kind_of(walk->language, child) == KIND_comment)
            continue;
        Buffer joined = {0};
        text = text_at(walk->source, span_of(child));
        buffer_add(&joined, "[", 1);
        buffer_add(&joined, text.bytes, text.length);
        buffer_add(&joined, "]", 1);
        return (Text){joined.bytes, joined.length};
    }
    return text;
}

/* The decorators in a node, or before what it exports. */
static void add_decorators(ScriptWalk *walk, TSNode node) {
    for (u32 i = 0, count = ts_node_named_child_count(node); i < count; i++) {
        TSNode child = ts_node_named_child(node, i);
        enum Kind kind = kind_of(walk->language, child);
        if (kind == KIND_decorator)
            add_decorator(&walk->facts->base, (Span){ts_node_start_byte(child) + 1, ts_node_end_byte(child)});
        else if (kind != KIND_comment)
            return;
    }
}

static u32 count_parameters(const ScriptWalk *walk, TSNode function) {
    TSNode parameters = field_of(walk->language, function, FIELD_parameters);
    if (ts_node_is_null(parameters))
        return !ts_node_is_null(field_of(walk->language, function, FIELD_parameter));
    u32 found = 0;
    for (u32 i = 0, count = ts_node_named_child_count(parameters); i < count; i++) {
        TSNode child = ts_node_named_child(parameters, i);
        enum Kind kind = kind_of(walk->language, child);
        bool is_typed = kind == KIND_required_parameter || kind == KIND_optional_parameter;
        TSNode pattern = is_typed ? field_of(walk->language, child, FIELD_pattern) : child;
        found += kind != KIND_comment && kind != KIND_decorator && kind_of(walk->language, pattern) != KIND_this;
    }
    return found;
}

static Text join(Text outer, Text name) {
    Buffer joined = {0};
    buffer_add(&joined, outer.bytes, outer.length);
    buffer_add(&joined, ".", 1);
    buffer_add(&joined, name.bytes, name.length);
    return (Text){joined.bytes, joined.length};
}

static Text find_definition_name(const ScriptWalk *walk, TSNode node, const ScriptFrame *frame) {
    static const Text DEFAULT = {(const u8 *)"default", 7};
    if (!ts_node_is_null(frame->given.name))
        return find_script_name(walk, frame->given.name);
    TSNode own = field_of(walk->language, node, FIELD_name);
    if (!ts_node_is_null(own))
        return find_script_name(walk, own);
    return frame->given.is_default ? DEFAULT : (Text){0};
}

static u32 find_end(const ScriptWalk *walk, TSNode node, TSNode body) {
    TSNode last = kind_of(walk->language, node) == KIND_type_alias_declaration ? field_of(walk->language, node, FIELD_value) : body;
    /* In TypeScript a block may end behind the comments that follow, too. */
    return ts_node_is_null(last) ? ts_node_end_byte(node) : find_script_end(walk, last);
}

static u32 find_head(TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    if (is_method(frame->kind))
        return parent->decorator_count ? parent->decorator_start : ts_node_start_byte(node);
    return frame->given.head == NOWHERE && is_declaration(frame->kind) ? ts_node_start_byte(node) : frame->given.head;
}

static void define(ScriptWalk *walk, TSNode node, ScriptFrame *frame, const ScriptFrame *parent) {
    ScriptFacts *facts = walk->facts;
    int kind = parent ? find_definition_kind(frame->kind, parent->kind) : -1;
    Text name = kind < 0 ? (Text){0} : find_definition_name(walk, node, frame);
    if (!name.length)
        return;
    bool is_function = kind == SCRIPT_FUNCTION || kind == SCRIPT_METHOD;
    TSNode body = field_of(walk->language, node, FIELD_body);
    u32 waiting = parent->kind == KIND_class_body ? parent->decorator_count : frame->given.decorator_count;
    u32 first = parent->kind == KIND_class_body ? parent->first_decorator : frame->given.first_decorator;
    if (!waiting) {
        first = facts->base.decorator_count;
        if (parent->kind == KIND_export_statement)
            add_decorators(walk, ts_node_parent(node));
        add_decorators(walk, node);
        waiting = facts->base.decorator_count - first;
    }
    ScriptDefinition row = {
        .kind = kind == SCRIPT_FUNCTION && frame->given.is_member ? SCRIPT_METHOD : (enum DefinitionKind)kind,
        .is_async = is_function && has_script_word(node, "async"),
        .has_body = !ts_node_is_null(body),
        .name = name,
        .qualname = frame->owner == NOWHERE ? name : join(facts->definitions[frame->owner].qualname, name),
        .start = frame->given.start == NOWHERE ? find_script_begin(walk, node) : frame->given.start,
        .end = find_end(walk, node, body),
        .head = find_head(node, frame, parent),
        .first_decorator = first,
        .decorator_count = waiting,
        .parameters = is_function ? count_parameters(walk, node) : 0,
        .complexity = 1,
        .number = facts->definition_count,
        .parent = frame->owner == NOWHERE ? NOWHERE : facts->definitions[frame->owner].number,
    };
    facts->definitions = facts_grow(facts->definitions, facts->definition_count, &facts->definition_room, sizeof row);
    facts->definitions[facts->definition_count] = row;
    frame->definition = facts->definition_count++;
}

static bool nests(enum Kind kind, enum Kind parent) {
    switch (kind) {
    case KIND_if_statement:
        return parent != KIND_else_clause;
    case KIND_for_statement: case KIND_for_in_statement: case KIND_while_statement: case KIND_do_statement: case KIND_with_statement:
    case KIND_switch_statement: case KIND_try_statement:
        return true;
    default:
        return false;
    }
}

static bool is_operator_among(const ScriptWalk *walk, TSNode node, const char *const *words, u32 count) {
    TSNode operator = field_of(walk->language, node, FIELD_operator);
    for (u32 i = 0; i < count && !ts_node_is_null(operator); i++)
        if (!strcmp(ts_node_type(operator), words[i]))
            return true;
    return false;
}

/* By how much a node raises the complexity of the function around it. */
static u32 weigh(const ScriptWalk *walk, TSNode node, enum Kind kind) {
    static const char *const LOGICAL[] = {"&&", "||", "??"}, *const ASSIGNING[] = {"&&=", "||=", "?\?="};
    switch (kind) {
    case KIND_if_statement: case KIND_ternary_expression: case KIND_for_statement: case KIND_for_in_statement:
    case KIND_while_statement: case KIND_do_statement: case KIND_catch_clause: case KIND_switch_case:
        return 1;
    case KIND_binary_expression:
        return is_operator_among(walk, node, LOGICAL, COUNT_OF(LOGICAL));
    case KIND_augmented_assignment_expression:
        return is_operator_among(walk, node, ASSIGNING, COUNT_OF(ASSIGNING));
    default:
        return 0;
    }
}

/* What a node has from its parent. */
static void inherit(ScriptWalk *walk, ScriptFrame *frame, const ScriptFrame *parent) {
    bool is_key = is_method(parent->kind) && frame->field == walk->language->fields[FIELD_name];
    bool is_outside = frame->kind == KIND_decorator || is_key;
    frame->owner = parent->owner;
    frame->counted = parent->counted;
    frame->nesting = parent->nesting;
    if (is_class(parent->kind)) {
        frame->counted = NOWHERE;
        frame->nesting = 0;
    }
    if (parent->definition == NOWHERE || is_outside)
        return;
    const ScriptDefinition *around = &walk->facts->definitions[parent->definition];
    frame->owner = parent->definition;
    if ((around->kind == SCRIPT_FUNCTION || around->kind == SCRIPT_METHOD) && around->has_body) {
        frame->counted = parent->definition;
        frame->nesting = 0;
    }
}

/* Decorators of a class's members may stand beside them. */
static void note_decorator(ScriptWalk *walk, TSNode node, ScriptFrame *class_body) {
    Facts *facts = &walk->facts->base;
    if (!class_body->decorator_count) {
        class_body->first_decorator = facts->decorator_count;
        class_body->decorator_start = ts_node_start_byte(node);
    }
    class_body->decorator_count++;
    add_decorator(facts, (Span){ts_node_start_byte(node) + 1, ts_node_end_byte(node)});
}

void note_script_definition(ScriptWalk *walk, TSNode node, ScriptFrame *frame, ScriptFrame *parent) {
    if (parent) {
        inherit(walk, frame, parent);
        frame->given = give(walk, node, frame, parent);
        frame->nesting += nests(frame->kind, parent->kind);
        if (frame->counted != NOWHERE) {
            ScriptDefinition *function = &walk->facts->definitions[frame->counted];
            function->complexity += weigh(walk, node, frame->kind);
            function->nesting = MAX(function->nesting, frame->nesting);
        }
    }
    if (begins_statement(frame->kind) && frame->given.head == NOWHERE)
        frame->given.head = ts_node_start_byte(node);
    if (frame->kind == KIND_field_definition || frame->kind == KIND_public_field_definition) {
        frame->given.first_decorator = walk->facts->base.decorator_count;
        add_decorators(walk, node);
        frame->given.decorator_count = walk->facts->base.decorator_count - frame->given.first_decorator;
    }
    define(walk, node, frame, parent);
    if (parent && parent->kind == KIND_class_body && ts_node_is_named(node)) {
        if (frame->kind == KIND_decorator)
            note_decorator(walk, node, parent);
        else
            parent->decorator_count = 0;
    }
}

void sort_definitions(ScriptFacts *facts) {
    ScriptDefinition *rows = facts->definitions;
    for (u32 i = 1; i < facts->definition_count; i++) {
        ScriptDefinition row = rows[i];
        u32 at = i;
        for (; at && rows[at - 1].start > row.start; at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}
