/* script_roles.c -- see script_roles.h; the rules are those of engine/agents/code/ecmascript/roles.py. */
#include "script_roles.h"

static bool is_field(const Language *language, ScriptPosition position, enum Field field) {
    return position.field && position.field == language->fields[field];
}

static enum ScriptRole bind_if(bool binds) {
    return binds ? SCRIPT_BIND : SCRIPT_USE;
}

static enum ScriptRole find_in_module(const Language *language, ScriptPosition position) {
    switch (position.parent) {
    case KIND_import_clause: case KIND_namespace_import: case KIND_import_require_clause:
        return SCRIPT_IMPORT;
    case KIND_import_alias:
        return position.index ? SCRIPT_USE : SCRIPT_IMPORT;
    case KIND_import_specifier: /* a name with an alias behind it is told later: see script_tree.c */
        return SCRIPT_IMPORT;
    case KIND_export_specifier:
        if (is_field(language, position, FIELD_alias))
            return SCRIPT_ATTRIBUTE;
        return position.is_foreign ? SCRIPT_FOREIGN : SCRIPT_USE;
    case KIND_namespace_export:
        return SCRIPT_ATTRIBUTE;
    default:
        return position.is_global ? SCRIPT_ATTRIBUTE : SCRIPT_USE;
    }
}

static enum ScriptRole find_in_tag(const Language *language, ScriptPosition position) {
    if (!is_field(language, position, FIELD_name) || position.kind != KIND_identifier)
        return SCRIPT_USE;
    return position.letter >= 'a' && position.letter <= 'z' ? SCRIPT_ATTRIBUTE : SCRIPT_USE;
}

static enum ScriptRole find_in_pattern(const Language *language, ScriptPosition position) {
    switch (position.parent) {
    case KIND_assignment_pattern: case KIND_object_assignment_pattern:
        return bind_if(is_field(language, position, FIELD_left));
    case KIND_pair_pattern:
        return bind_if(is_field(language, position, FIELD_value));
    case KIND_required_parameter: case KIND_optional_parameter:
        /* Members of tuples look like parameters, but have a name in the place of a pattern. */
        return is_field(language, position, FIELD_name) ? SCRIPT_ATTRIBUTE : bind_if(is_field(language, position, FIELD_pattern));
    case KIND_rest_pattern:
        return position.role == SCRIPT_ATTRIBUTE ? SCRIPT_ATTRIBUTE : SCRIPT_BIND;
    default:
        return SCRIPT_BIND;
    }
}

/* What holds a name in a field of its own. */
static enum ScriptRole find_in_declaration(const Language *language, ScriptPosition position) {
    switch (position.parent) {
    case KIND_assignment_expression: case KIND_augmented_assignment_expression: case KIND_for_in_statement:
        return bind_if(is_field(language, position, FIELD_left));
    case KIND_update_expression:
        return bind_if(is_field(language, position, FIELD_argument));
    case KIND_catch_clause: case KIND_arrow_function:
        return bind_if(is_field(language, position, FIELD_parameter));
    case KIND_infer_type:
        return bind_if(position.index == 0);
    default:
        return bind_if(is_field(language, position, FIELD_name));
    }
}

static enum ScriptRole find_by_parent(const Language *language, ScriptPosition position) {
    switch (position.parent) {
    case KIND_import_clause: case KIND_namespace_import: case KIND_import_require_clause: case KIND_import_alias:
    case KIND_import_specifier: case KIND_export_specifier: case KIND_namespace_export: case KIND_export_statement:
        return find_in_module(language, position);
    case KIND_array_pattern: case KIND_object_pattern: case KIND_rest_pattern: case KIND_assignment_pattern:
    case KIND_object_assignment_pattern: case KIND_pair_pattern: case KIND_required_parameter: case KIND_optional_parameter:
    case KIND_formal_parameters:
        return find_in_pattern(language, position);
    case KIND_call_expression:
        return is_field(language, position, FIELD_function) ? SCRIPT_CALL : SCRIPT_USE;
    case KIND_new_expression:
        return is_field(language, position, FIELD_constructor) ? SCRIPT_CALL : SCRIPT_USE;
    case KIND_parenthesized_expression:
        return position.role == SCRIPT_BIND || position.role == SCRIPT_CALL ? position.role : SCRIPT_USE;
    case KIND_nested_identifier:
        return bind_if(position.role == SCRIPT_BIND && is_field(language, position, FIELD_object));
    case KIND_nested_type_identifier:
        return is_field(language, position, FIELD_name) ? SCRIPT_ATTRIBUTE : SCRIPT_USE;
    case KIND_jsx_opening_element: case KIND_jsx_closing_element: case KIND_jsx_self_closing_element:
        return find_in_tag(language, position);
    case KIND_jsx_namespace_name:
        return SCRIPT_NO_NAME;
    case KIND_assignment_expression: case KIND_augmented_assignment_expression: case KIND_for_in_statement:
    case KIND_update_expression: case KIND_catch_clause: case KIND_arrow_function: case KIND_infer_type:
    case KIND_function_declaration: case KIND_function_expression: case KIND_function_signature: case KIND_generator_function:
    case KIND_generator_function_declaration: case KIND_class_declaration: case KIND_class: case KIND_abstract_class_declaration:
    case KIND_interface_declaration: case KIND_type_alias_declaration: case KIND_enum_declaration: case KIND_internal_module:
    case KIND_module: case KIND_type_parameter: case KIND_mapped_type_clause: case KIND_index_signature: case KIND_variable_declarator:
        return find_in_declaration(language, position);
    default:
        return SCRIPT_USE;
    }
}

enum ScriptRole find_script_role(const Language *language, ScriptPosition position) {
    switch (position.kind) {
    case KIND_property_identifier: case KIND_private_property_identifier:
        return SCRIPT_ATTRIBUTE;
    case KIND_shorthand_property_identifier:
        return SCRIPT_USE;
    case KIND_shorthand_property_identifier_pattern:
        return SCRIPT_BIND;
    default:
        return find_by_parent(language, position);
    }
}

void note_script_reference(Facts *facts, Span span, enum ScriptRole role, enum Shorthand shorthand) {
    static const enum ReferenceKind KINDS[] = {
        [SCRIPT_USE] = REFERENCE_USE,
        [SCRIPT_BIND] = REFERENCE_DEFINITION,
        [SCRIPT_CALL] = REFERENCE_CALL,
        [SCRIPT_ATTRIBUTE] = REFERENCE_ATTRIBUTE,
        [SCRIPT_IMPORT] = REFERENCE_IMPORT,
        [SCRIPT_FOREIGN] = REFERENCE_IMPORT,
    };
    if (role == SCRIPT_NO_NAME)
        return;
    add_reference(facts, span, KINDS[role], role == SCRIPT_ATTRIBUTE || role == SCRIPT_FOREIGN);
    facts->references[facts->reference_count - 1].shorthand = (u8)shorthand;
}
