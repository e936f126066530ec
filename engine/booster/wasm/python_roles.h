/* python_roles.h -- what an identifier in the tree of Python stands for, by its place. */
#ifndef PYTHON_ROLES_H
#define PYTHON_ROLES_H

#include "python_facts.h"

/* What names directly in a node stand for; handed down from node to node. */
enum Role {
    ROLE_USE,
    ROLE_BIND,        /* they are bound: targets, parameters, names of definitions */
    ROLE_CALL,        /* it is called */
    ROLE_ATTRIBUTE,   /* after a dot, or naming an argument */
    ROLE_IMPORT,
    ROLE_IMPORT_PART, /* in an import, after a dot */
    ROLE_PATTERN,     /* in a pattern: a single name is bound */
    ROLE_TYPE_NAMES,  /* parameters of types, and the name of a type alias */
};

/* A child by its place in its parent. */
typedef struct {
    enum Kind parent;
    enum Role role; /* of the parent */
    enum Kind kind;
    TSFieldId field;
    u32 index; /* among the named children */
} Position;

enum Role find_role(const Language *language, Position position);
void note_reference(Facts *facts, Span span, enum Role role);

#endif
