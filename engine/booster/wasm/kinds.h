/* kinds.h -- the names of the nodes and fields that the operations know, over all languages. */
#ifndef KINDS_H
#define KINDS_H

#define NODE_KINDS(X) \
    X(aliased_import) X(argument_list) X(as_pattern) X(as_pattern_target) X(assert_statement) X(assignment) X(attribute) \
    X(augmented_assignment) X(block) X(boolean_operator) X(break_statement) X(call) X(case_clause) X(case_pattern) \
    X(chevron) X(class_definition) X(class_pattern) X(comment) X(comparison_operator) X(concatenated_string) \
    X(conditional_expression) X(constrained_type) X(continue_statement) X(decorated_definition) X(decorator) \
    X(default_parameter) X(delete_statement) X(dict_pattern) X(dictionary_splat_pattern) X(dotted_name) X(elif_clause) \
    X(else_clause) X(except_clause) X(except_group_clause) X(exec_statement) X(expression_statement) X(float) X(for_in_clause) \
    X(for_statement) X(function_definition) X(future_import_statement) X(generic_type) X(global_statement) X(identifier) \
    X(if_clause) X(if_statement) X(import_from_statement) X(import_statement) X(integer) X(keyword_argument) X(keyword_pattern) \
    X(lambda) X(lambda_parameters) X(list) X(list_pattern) X(list_splat) X(list_splat_pattern) X(match_statement) X(member_type) \
    X(module) X(named_expression) X(nonlocal_statement) X(parameters) X(parenthesized_expression) X(pass_statement) \
    X(pattern_list) X(print_statement) X(program) X(raise_statement) X(relative_import) X(return_statement) X(splat_pattern) \
    X(splat_type) X(string) X(try_statement) X(tuple) X(tuple_pattern) X(type) X(union_pattern) X(type_alias_statement) X(type_parameter) \
    X(typed_default_parameter) X(typed_parameter) X(while_statement) X(with_statement)

#define NODE_FIELDS(X) \
    X(alias) X(attribute) X(body) X(function) X(guard) X(left) X(name) X(object) X(parameters) X(type) X(type_parameters)

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
