/* script_names.c -- see script_names.h; what a node of the tree declares, names or calls. */
#include "script_names.h"

#include "script_tree.h"

#define NOTHING_BOUND ((Binder){NOWHERE, NOWHERE, false})

static bool is_loop(enum Kind kind) {
    return kind == KIND_for_statement || kind == KIND_for_in_statement || kind == KIND_while_statement || kind == KIND_do_statement;
}

/* Is it declared by its name in the scope around, or a value that knows its name alone? */
static bool is_declared_function(enum Kind kind) {
    return kind == KIND_function_declaration || kind == KIND_generator_function_declaration || kind == KIND_function_signature;
}

static bool is_function_value(enum Kind kind) {
    return kind == KIND_function_expression || kind == KIND_generator_function;
}

static bool is_declared_class(enum Kind kind) {
    return kind == KIND_class_declaration || kind == KIND_abstract_class_declaration;
}

static bool is_global_block(const ScriptWalk *walk, TSNode node) {
    static const Text GLOBAL = {(const u8 *)"global", 6};
    if (ts_node_child_count(node) < 2)
        return false;
    TSNode word = ts_node_child(node, 1);
    return !ts_node_is_named(word) && text_equals(text_at(walk->source, span_of(word)), GLOBAL);
}

static bool begins_function(const ScriptWalk *walk, TSNode node, enum Kind kind) {
    switch (kind) {
    case KIND_arrow_function: case KIND_method_definition: case KIND_method_signature: case KIND_abstract_method_signature:
    case KIND_class_static_block: case KIND_internal_module: case KIND_module: case KIND_field_definition:
    case KIND_public_field_definition: case KIND_function_type: case KIND_constructor_type: case KIND_call_signature:
    case KIND_construct_signature:
        return true;
    case KIND_ambient_declaration:
        return is_global_block(walk, node);
    default:
        return is_declared_function(kind) || is_function_value(kind);
    }
}

static bool begins_block(enum Kind kind, const ScriptFrame *parent) {
    switch (kind) {
    case KIND_statement_block: /* that of a function itself is no scope of its own */
        return !parent->standing.is_function || parent->kind == KIND_program;
    case KIND_for_statement: case KIND_for_in_statement: case KIND_switch_statement: case KIND_catch_clause: case KIND_class:
        return true;
    default:
        return is_declared_class(kind);
    }
}

static bool is_field(const ScriptWalk *walk, const ScriptFrame *frame, enum Field field) {
    return frame->field && frame->field == walk->language->fields[field];
}

/* Keys and decorators stand outside of what they belong to. */
static bool is_outside(const ScriptWalk *walk, const ScriptFrame *frame, enum Kind parent) {
    switch (parent) {
    case KIND_method_definition: case KIND_method_signature: case KIND_abstract_method_signature: case KIND_public_field_definition:
        return frame->kind == KIND_decorator || is_field(walk, frame, FIELD_name);
    case KIND_field_definition:
        return frame->kind == KIND_decorator || is_field(walk, frame, FIELD_property);
    default:
        return frame->kind == KIND_decorator;
    }
}

static Standing stand(const ScriptWalk *walk, const ScriptFrame *frame, const ScriptFrame *parent) {
    const Standing *around = &parent->standing;
    bool is_first = around->is_function; /* what stands around a function says nothing of what is in it */
    return (Standing){
        .scope = is_outside(walk, frame, parent->kind) ? around->scope : around->inner,
        .variables = NOWHERE,
        .binder = NOTHING_BOUND,
        .may_await = around->may_await,
        .may_yield = around->may_yield,
        .in_loop = !is_first && around->has_loop,
        .has_loop = (!is_first && around->has_loop) || is_loop(frame->kind),
        .is_ambient = (!is_first && around->is_ambient) || frame->kind == KIND_ambient_declaration,
    };
}

/* ---- what binds a name */

static Binder bind_import(const ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    Binder binder = {frame->standing.scope, NOWHERE, parent->kind != KIND_import_require_clause && parent->kind != KIND_import_alias};
    bool has_name = frame->kind == KIND_identifier;
    if (parent->kind == KIND_import_specifier && has_name)
        has_name = is_field(walk, frame, FIELD_alias) ||
                   ts_node_is_null(field_of(walk->language, ts_node_parent(node), FIELD_alias));
    if (parent->kind == KIND_import_alias)
        has_name = has_name && parent->named == 1; /* this is the first */
    return has_name ? binder : NOTHING_BOUND;
}

/* What a pattern hands on to the names in it. */
static Binder bind_in_pattern(const ScriptWalk *walk, const ScriptFrame *frame, const ScriptFrame *parent) {
    bool is_target = true;
    if (parent->kind == KIND_pair_pattern)
        is_target = is_field(walk, frame, FIELD_value);
    else if (parent->kind == KIND_assignment_pattern || parent->kind == KIND_object_assignment_pattern)
        is_target = is_field(walk, frame, FIELD_left);
    return is_target ? parent->standing.binder : NOTHING_BOUND;
}

static Binder bind_here(const ScriptFrame *frame, bool is_here) {
    return is_here ? (Binder){frame->standing.scope, NOWHERE, false} : NOTHING_BOUND;
}

static Binder find_binder(const ScriptWalk *walk, TSNode node, const ScriptFrame *frame, const ScriptFrame *parent) {
    switch (parent->kind) {
    case KIND_import_clause: case KIND_namespace_import: case KIND_import_specifier: case KIND_import_require_clause: case KIND_import_alias:
        return bind_import(walk, node, frame, parent);
    case KIND_array_pattern: case KIND_object_pattern: case KIND_rest_pattern: case KIND_pair_pattern: case KIND_assignment_pattern:
    case KIND_object_assignment_pattern:
        return bind_in_pattern(walk, frame, parent);
    case KIND_formal_parameters:
        return bind_here(frame, frame->kind != KIND_decorator);
    case KIND_required_parameter: case KIND_optional_parameter:
        return bind_here(frame, is_field(walk, frame, FIELD_pattern));
    case KIND_arrow_function: case KIND_catch_clause:
        return bind_here(frame, is_field(walk, frame, FIELD_parameter));
    case KIND_enum_declaration: case KIND_internal_module: case KIND_module:
        /* The name of a namespace stands outside of it. */
        return is_field(walk, frame, FIELD_name) ? (Binder){parent->standing.scope, NOWHERE, false} : NOTHING_BOUND;
    case KIND_variable_declarator:
        return is_field(walk, frame, FIELD_name) ? parent->standing.binder : NOTHING_BOUND;
    case KIND_for_in_statement:
        return is_field(walk, frame, FIELD_left) ? parent->standing.binder : NOTHING_BOUND;
    default:
        break;
    }
    if (!is_field(walk, frame, FIELD_name))
        return NOTHING_BOUND;
    bool is_class = is_declared_class(parent->kind) || parent->kind == KIND_class;
    if (is_class || is_declared_function(parent->kind) || is_function_value(parent->kind)) {
        bool is_declared = is_declared_class(parent->kind) || is_declared_function(parent->kind);
        return (Binder){is_declared ? parent->standing.scope : parent->standing.inner, NOWHERE, is_class};
    }
    return NOTHING_BOUND;
}

static bool is_name(enum Kind kind) {
    return kind == KIND_identifier || kind == KIND_type_identifier || kind == KIND_property_identifier ||
           kind == KIND_shorthand_property_identifier || kind == KIND_shorthand_property_identifier_pattern;
}

/* ---- what a node says */

static void note_mention(ScriptWalk *walk, TSNode node, const ScriptFrame *frame) {
    ScriptScopes *scopes = walk->facts->scopes;
    Text name = text_at(walk->source, span_of(node));
    u32 start = ts_node_start_byte(node);
    scopes->is_dark |= text_is(name, "eval");
    scopes->is_module |= text_is(name, "require") || text_is(name, "module") || text_is(name, "exports");
    if (text_is(name, "module") || text_is(name, "exports"))
        scopes->exports_at = MIN(scopes->exports_at, start);
    if (frame->standing.binder.scope != NOWHERE)
        bind_name(scopes, name, frame->standing.binder);
    else if (frame->role == SCRIPT_USE || frame->role == SCRIPT_CALL || frame->role == SCRIPT_BIND)
        add_name_place(scopes, name, start, frame->standing.scope, frame->role == SCRIPT_BIND);
}

static void note_call(ScriptWalk *walk, TSNode node, const ScriptFrame *frame) {
    ScriptScopes *scopes = walk->facts->scopes;
    u32 start = ts_node_start_byte(node);
    if (frame->kind == KIND_call_expression) {
        TSNode called = field_of(walk->language, node, FIELD_function);
        enum Kind kind = ts_node_is_null(called) ? KIND_none : kind_of(walk->language, called);
        if (kind == KIND_import)
            return;
        TSNode arguments = field_of(walk->language, node, FIELD_arguments);
        bool is_tagged = !ts_node_is_null(arguments) && kind_of(walk->language, arguments) == KIND_template_string;
        if (kind == KIND_identifier && !is_tagged && text_is(text_at(walk->source, span_of(called)), "require")) {
            add_require(scopes, start, frame->standing.scope);
            return;
        }
    }
    add_call(scopes, start, frame->standing.scope);
}

static enum Declaring find_declaring(const ScriptWalk *walk, TSNode word) {
    if (ts_node_is_null(word))
        return DECLARING_OTHER;
    Text text = text_at(walk->source, span_of(word));
    return text_is(text, "var") ? DECLARING_VAR : text_is(text, "let") ? DECLARING_LET : DECLARING_OTHER;
}

static void note_variables(ScriptWalk *walk, ScriptFrame *frame, Variables row) {
    ScriptScopes *scopes = walk->facts->scopes;
    Standing *standing = &frame->standing;
    row.is_ambient = standing->is_ambient;
    row.first = row.last = NOWHERE;
    standing->variables = scopes->variables_count;
    bool is_var = row.word == DECLARING_VAR;
    standing->binder = (Binder){is_var ? scopes->scopes[row.scope].function : row.scope, NOWHERE, !is_var};
    add_variables(scopes, row);
}

static void note_declaration(ScriptWalk *walk, TSNode node, ScriptFrame *frame, const ScriptFrame *parent) {
    bool is_var = frame->kind == KIND_variable_declaration;
    Variables row = {
        .start = ts_node_start_byte(node),
        .scope = frame->standing.scope,
        .head_end = NOWHERE,
        .word = is_var ? DECLARING_VAR : find_declaring(walk, field_of(walk->language, node, FIELD_kind)),
        .parent = parent->kind,
        .is_body = is_field(walk, frame, FIELD_body),
        .in_loop = is_loop(parent->kind) ? parent->standing.in_loop : frame->standing.in_loop,
    };
    note_variables(walk, frame, row);
}

/* `for (var a of b)`: there is no declaration in the tree. */
static void note_head(ScriptWalk *walk, TSNode node, ScriptFrame *frame) {
    TSNode word = field_of(walk->language, node, FIELD_kind);
    if (ts_node_is_null(word))
        return;
    if (!ts_node_is_null(field_of(walk->language, node, FIELD_value)) && walk->doubt == NOWHERE)
        walk->doubt = ts_node_start_byte(node); /* for (var a = 1 in b) */
    Variables row = {
        .start = ts_node_start_byte(word),
        .scope = frame->standing.inner,
        .head_end = ts_node_end_byte(field_of(walk->language, node, FIELD_right)),
        .word = find_declaring(walk, word),
        .parent = frame->kind,
        .in_loop = frame->standing.in_loop,
    };
    note_variables(walk, frame, row);
    Span span = span_of(field_of(walk->language, node, FIELD_left));
    frame->standing.binder.declarator =
        add_declarator(walk->facts->scopes, frame->standing.variables, (Declarator){.span = span, .first_bound = NOWHERE, .next = NOWHERE});
}

static void note_declarator(ScriptWalk *walk, TSNode node, ScriptFrame *frame, const ScriptFrame *parent) {
    if (parent->standing.variables == NOWHERE) { /* `using` */
        if (walk->doubt == NOWHERE)
            walk->doubt = ts_node_start_byte(node);
        return;
    }
    TSNode value = field_of(walk->language, node, FIELD_value);
    enum Kind kind = ts_node_is_null(value) ? KIND_none : kind_of(walk->language, value);
    Declarator row = {
        .span = span_of(node),
        .first_bound = NOWHERE,
        .next = NOWHERE,
        .has_value = !ts_node_is_null(value),
        .is_function = is_function_value(kind) || kind == KIND_arrow_function,
    };
    frame->standing.binder = parent->standing.binder;
    frame->standing.binder.declarator = add_declarator(walk->facts->scopes, parent->standing.variables, row);
}

/* What a function lets its body do. */
static void permit(TSNode node, const ScriptFrame *frame, Standing *standing) {
    bool is_block = frame->kind == KIND_field_definition || frame->kind == KIND_public_field_definition || frame->kind == KIND_class_static_block;
    standing->may_await = !is_block && has_script_word(node, "async");
    standing->may_yield = !is_block && has_script_word(node, "*");
}

static void check_permits(ScriptWalk *walk, TSNode node, const ScriptFrame *frame) {
    bool is_wrong = (frame->kind == KIND_await_expression && !frame->standing.may_await) ||
                    (frame->kind == KIND_yield_expression && !frame->standing.may_yield);
    if (is_wrong && walk->doubt == NOWHERE)
        walk->doubt = ts_node_start_byte(node);
}

static void open_scope(ScriptWalk *walk, TSNode node, ScriptFrame *frame, const ScriptFrame *parent) {
    ScriptScopes *scopes = walk->facts->scopes;
    Standing *standing = &frame->standing;
    standing->inner = add_scope(scopes, standing->scope, standing->is_function);
    Scope *scope = &scopes->scopes[standing->inner];
    scope->is_shared = frame->kind == KIND_internal_module || frame->kind == KIND_module || frame->kind == KIND_ambient_declaration;
    /* `export default function () {}` is hoisted, too. */
    scope->is_hoisted = is_declared_function(frame->kind) || (is_function_value(frame->kind) && parent->kind == KIND_export_statement);
    TSNode name = is_declared_function(frame->kind) ? field_of(walk->language, node, FIELD_name) : (TSNode){0};
    const Scope *around = &scopes->scopes[standing->scope];
    if (!ts_node_is_null(name) && around->function != standing->scope && around->outer != NOWHERE)
        add_block_function(scopes, text_at(walk->source, span_of(name)), around->outer);
}

static bool is_module_part(const ScriptWalk *walk, TSNode node, enum Kind kind) {
    static const Text AS = {(const u8 *)"as", 2};
    if (kind != KIND_export_statement)
        return kind == KIND_import_statement || kind == KIND_import_alias;
    bool is_global = ts_node_child_count(node) > 1 && text_equals(text_at(walk->source, span_of(ts_node_child(node, 1))), AS);
    return !is_global;
}

void note_scope(ScriptWalk *walk, TSNode node, ScriptFrame *frame, const ScriptFrame *parent) {
    ScriptScopes *scopes = walk->facts->scopes;
    Standing *standing = &frame->standing;
    if (!parent) {
        u32 program = add_scope(scopes, NOWHERE, true);
        *standing = (Standing){.scope = program, .inner = program, .variables = NOWHERE, .binder = NOTHING_BOUND};
        standing->is_function = standing->may_await = true;
        return;
    }
    *standing = stand(walk, frame, parent);
    standing->binder = find_binder(walk, node, frame, parent);
    standing->is_function = begins_function(walk, node, frame->kind);
    standing->inner = standing->scope;
    if (standing->is_function)
        permit(node, frame, standing);
    if (standing->is_function || begins_block(frame->kind, parent))
        open_scope(walk, node, frame, parent);
    if (parent->kind == KIND_program)
        scopes->is_module |= is_module_part(walk, node, frame->kind);
    if (is_name(frame->kind) && frame->role != SCRIPT_ATTRIBUTE && frame->role != SCRIPT_FOREIGN && frame->role != SCRIPT_NO_NAME) {
        note_mention(walk, node, frame);
        return;
    }
    switch (frame->kind) {
    case KIND_call_expression: case KIND_new_expression: case KIND_await_expression: case KIND_yield_expression:
        note_call(walk, node, frame);
        if (scopes->is_strict)
            check_permits(walk, node, frame);
        break;
    case KIND_with_statement:
        scopes->is_dark = true;
        break;
    case KIND_variable_declaration: case KIND_lexical_declaration:
        note_declaration(walk, node, frame, parent);
        break;
    case KIND_for_in_statement:
        note_head(walk, node, frame);
        break;
    case KIND_variable_declarator:
        note_declarator(walk, node, frame, parent);
        break;
    default:
        break;
    }
}
