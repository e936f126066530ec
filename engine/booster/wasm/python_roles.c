/* python_roles.c -- see python_roles.h; the kinds are those of engine/agents/code/references.py. */
#include "python_roles.h"

static bool is_field(const Language *language, Position position, enum Field field) {
    return position.field && position.field == language->fields[field];
}

/* Nodes in which the role of the parent goes on. */
static enum Role find_inherited(Position position) {
    switch (position.parent) {
    case KIND_pattern_list: case KIND_tuple_pattern: case KIND_list_pattern: case KIND_list_splat_pattern:
    case KIND_tuple: case KIND_list: case KIND_list_splat:
        return position.role == ROLE_BIND || position.role == ROLE_PATTERN ? position.role : ROLE_USE;
    case KIND_parenthesized_expression:
        return position.role == ROLE_BIND || position.role == ROLE_CALL ? position.role : ROLE_USE;
    case KIND_type: case KIND_type_parameter:
        return position.role == ROLE_TYPE_NAMES ? (position.kind == KIND_identifier ? ROLE_BIND : ROLE_TYPE_NAMES) : ROLE_USE;
    default:
        return ROLE_USE;
    }
}

static enum Role find_in_dotted_name(Position position) {
    if (position.role == ROLE_IMPORT)
        return position.index ? ROLE_IMPORT_PART : ROLE_IMPORT;
    if (position.index)
        return ROLE_ATTRIBUTE;
    return position.role == ROLE_PATTERN ? ROLE_BIND : ROLE_USE;
}

/* In the parameters of types: `T`, `T: bound`, `*T`, and the name of an alias. */
static enum Role find_in_type(Position position) {
    if (position.role != ROLE_TYPE_NAMES)
        return ROLE_USE;
    if (position.parent == KIND_constrained_type)
        return position.index ? ROLE_USE : ROLE_TYPE_NAMES;
    return position.kind == KIND_identifier ? ROLE_BIND : ROLE_TYPE_NAMES;
}

static enum Role find_in_pattern(const Language *language, Position position) {
    switch (position.parent) {
    case KIND_as_pattern:
        if (position.role == ROLE_PATTERN)
            return position.kind == KIND_identifier ? ROLE_BIND : ROLE_PATTERN;
        return is_field(language, position, FIELD_alias) ? ROLE_BIND : ROLE_USE;
    case KIND_keyword_pattern:
        return position.index ? ROLE_PATTERN : ROLE_ATTRIBUTE;
    case KIND_splat_pattern:
        return ROLE_BIND;
    case KIND_class_pattern:
        return position.kind == KIND_dotted_name ? ROLE_USE : ROLE_PATTERN;
    default:
        return ROLE_PATTERN;
    }
}

static enum Role find_in_definition(const Language *language, Position position) {
    if (is_field(language, position, FIELD_name))
        return ROLE_BIND;
    bool names_types = is_field(language, position, FIELD_type_parameters) ||
                       (position.parent == KIND_type_alias_statement && is_field(language, position, FIELD_left));
    return names_types ? ROLE_TYPE_NAMES : ROLE_USE;
}

static enum Role find_in_parameters(const Language *language, Position position) {
    switch (position.parent) {
    case KIND_default_parameter: case KIND_typed_default_parameter:
        return is_field(language, position, FIELD_name) ? ROLE_BIND : ROLE_USE;
    case KIND_typed_parameter:
        return position.field ? ROLE_USE : ROLE_BIND;
    default:
        return ROLE_BIND;
    }
}

enum Role find_role(const Language *language, Position position) {
    switch (position.parent) {
    case KIND_import_statement: case KIND_import_from_statement: case KIND_future_import_statement:
    case KIND_aliased_import: case KIND_relative_import:
        return ROLE_IMPORT;
    case KIND_dotted_name:
        return find_in_dotted_name(position);
    case KIND_assignment: case KIND_augmented_assignment: case KIND_for_statement: case KIND_for_in_clause:
        return is_field(language, position, FIELD_left) ? ROLE_BIND : ROLE_USE;
    case KIND_named_expression: case KIND_function_definition: case KIND_class_definition: case KIND_type_alias_statement:
        return find_in_definition(language, position);
    case KIND_as_pattern_target: case KIND_dictionary_splat_pattern:
        return ROLE_BIND;
    case KIND_parameters: case KIND_lambda_parameters: case KIND_default_parameter: case KIND_typed_parameter:
    case KIND_typed_default_parameter:
        return find_in_parameters(language, position);
    case KIND_attribute:
        return is_field(language, position, FIELD_attribute) ? ROLE_ATTRIBUTE : ROLE_USE;
    case KIND_member_type:
        return position.kind == KIND_identifier ? ROLE_ATTRIBUTE : ROLE_USE;
    case KIND_keyword_argument:
        return is_field(language, position, FIELD_name) ? ROLE_ATTRIBUTE : ROLE_USE;
    case KIND_call:
        return is_field(language, position, FIELD_function) ? ROLE_CALL : ROLE_USE;
    case KIND_case_pattern: case KIND_union_pattern: case KIND_dict_pattern: case KIND_as_pattern:
    case KIND_keyword_pattern: case KIND_splat_pattern: case KIND_class_pattern:
        return find_in_pattern(language, position);
    case KIND_constrained_type: case KIND_splat_type: case KIND_generic_type:
        return find_in_type(position);
    default:
        return find_inherited(position);
    }
}

void note_reference(Facts *facts, Span span, enum Role role) {
    static const enum ReferenceKind KINDS[] = {
        [ROLE_USE] = REFERENCE_USE,
        [ROLE_BIND] = REFERENCE_DEFINITION,
        [ROLE_CALL] = REFERENCE_CALL,
        [ROLE_ATTRIBUTE] = REFERENCE_ATTRIBUTE,
        [ROLE_IMPORT] = REFERENCE_IMPORT,
        [ROLE_IMPORT_PART] = REFERENCE_IMPORT,
        [ROLE_PATTERN] = REFERENCE_DEFINITION,
        [ROLE_TYPE_NAMES] = REFERENCE_DEFINITION,
    };
    add_reference(facts, span, KINDS[role], role == ROLE_ATTRIBUTE || role == ROLE_IMPORT_PART);
}
