/* kinds.h -- the names of the nodes and fields that the operations know, over all languages. */
#ifndef KINDS_H
#define KINDS_H

#define NODE_KINDS(X) \
    X(abstract_class_declaration) X(abstract_method_signature) X(aliased_import) X(ambient_declaration) \
    X(argument_list) X(array_pattern) X(arrow_function) X(as_pattern) X(as_pattern_target) X(assert_statement) \
    X(assignment) X(assignment_expression) X(assignment_pattern) X(attribute) X(augmented_assignment) \
    X(augmented_assignment_expression) X(await_expression) X(binary_expression) X(block) X(boolean_operator) \
    X(break_statement) X(call) X(call_expression) X(call_signature) X(case_clause) X(case_pattern) X(catch_clause) X(chevron) X(class) \
    X(class_body) X(class_declaration) X(class_definition) X(class_pattern) X(class_static_block) X(comment) \
    X(comparison_operator) X(computed_property_name) X(concatenated_string) X(conditional_expression) \
    X(constrained_type) X(construct_signature) X(constructor_type) X(continue_statement) X(decorated_definition) X(decorator) X(default_parameter) \
    X(delete_statement) X(dict_pattern) X(dictionary_splat_pattern) X(do_statement) X(dotted_name) X(elif_clause) \
    X(else_clause) X(enum_declaration) X(enum_body) X(enum_assignment) X(except_clause) X(except_group_clause) X(exec_statement) X(export_specifier) \
    X(export_statement) X(expression_statement) X(field_definition) X(float) X(for_in_clause) X(for_in_statement) \
    X(for_statement) X(formal_parameters) X(function_declaration) X(function_definition) X(function_expression) \
    X(function_signature) X(function_type) X(future_import_statement) X(generator_function) X(generator_function_declaration) \
    X(generic_type) X(global_statement) X(hash_bang_line) X(html_comment) X(identifier) X(if_clause) X(if_statement) X(import) \
    X(import_alias) X(import_clause) X(import_from_statement) X(import_require_clause) X(import_specifier) \
    X(import_statement) X(index_signature) X(infer_type) X(integer) X(interface_declaration) X(interface_body) X(internal_module) \
    X(jsx_closing_element) X(jsx_namespace_name) X(jsx_opening_element) X(jsx_self_closing_element) \
    X(keyword_argument) X(keyword_pattern) X(labeled_statement) X(lambda) X(lambda_parameters) \
    X(lexical_declaration) X(list) X(list_pattern) X(list_splat) X(list_splat_pattern) X(mapped_type_clause) \
    X(match_statement) X(member_expression) X(member_type) X(method_definition) X(method_signature) X(module) \
    X(named_expression) X(namespace_export) X(namespace_import) X(nested_identifier) X(nested_type_identifier) \
    X(new_expression) X(non_null_expression) X(nonlocal_statement) X(number) X(object_assignment_pattern) \
    X(object_pattern) X(optional_chain) X(optional_parameter) X(pair) X(pair_pattern) \
    X(parameters) X(parenthesized_expression) X(pass_statement) X(pattern_list) X(print_statement) \
    X(private_property_identifier) X(program) X(property_identifier) X(public_field_definition) X(raise_statement) \
    X(relative_import) X(required_parameter) X(rest_pattern) X(return_statement) X(shorthand_property_identifier) \
    X(shorthand_property_identifier_pattern) X(splat_pattern) X(splat_type) X(statement_block) X(string) X(super) \
    X(switch_case) X(switch_default) X(switch_statement) X(template_literal_type) X(template_string) X(ternary_expression) X(this) \
    X(try_statement) X(tuple) X(tuple_pattern) X(type) X(type_alias_declaration) \
    X(type_alias_statement) X(type_identifier) X(type_parameter) X(typed_default_parameter) X(typed_parameter) \
    X(unary_expression) X(union_pattern) X(update_expression) X(variable_declaration) X(variable_declarator) \
    X(while_statement) X(with_statement) X(yield_expression)

#define NODE_FIELDS(X) \
    X(alias) X(argument) X(arguments) X(attribute) X(body) X(constructor) X(declaration) X(function) X(guard) X(key) X(kind) \
    X(left) X(name) X(object) X(operator) X(parameter) X(parameters) X(pattern) X(property) X(return_type) X(right) X(source) \
    X(type) X(type_parameters) X(value)

enum Kind {
    KIND_none = 0,
#define X(name) KIND_##name,
    NODE_KINDS(X)
#undef X
    KIND_COUNT
};

enum Field {
#define X(name) FIELD_##name,
    NODE_FIELDS(X)
#undef X
    FIELD_COUNT
};

_Static_assert(KIND_COUNT < 256, "kinds are kept in bytes");

#endif
